"""A PC that wsl_enable was applied to."""

from __future__ import annotations

import pytest

from tests.windows.pc import MINE_USER, Pc


@pytest.fixture
def pc(host) -> Pc:
    return Pc(host)


WSL = "C:\\Program Files\\WSL\\wsl.exe"
LXSS = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"
PACKAGE = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Lxss\\MSI"
TASK = "wsl-dl-playbook keep Ubuntu-24.04 running"


def inside(pc: Pc, *argv: str) -> str:
    return pc.run(WSL, "-d", "Ubuntu-24.04", "-u", "root", "--exec", *argv)


def own(pc: Pc) -> bool:
    return not pc.name.endswith("already-done")


def test_the_package_is_there(pc):
    assert pc.value(PACKAGE, "Version") == "3.0.1.0"


def test_the_distribution_is_registered_for_wsl_2(pc):
    keys = [pc.key(f"{LXSS}\\{name}")["properties"] for name in pc.key(LXSS)["sub_keys"] if name.startswith("{")]
    (found,) = [key for key in keys if key["DistributionName"]["value"] == "Ubuntu-24.04"]
    assert (found["State"]["value"], found["Version"]["value"]) == (1, 2)


def test_the_user_is_there_with_a_password_and_is_the_default(pc):
    if not own(pc):
        pytest.skip("taken over: its users are its own")
    assert inside(pc, "id", "-u", "dev") == "1000"
    assert inside(pc, "passwd", "-S", "dev").split()[1] == "P"
    assert pc.run(WSL, "-d", "Ubuntu-24.04", "--exec", "id", "-un") == "dev"


def test_systemd_is_asked_for_and_the_foreign_lines_stay(pc):
    lines = inside(pc, "cat", "/etc/wsl.conf").splitlines()
    assert "systemd=true" in [line.strip() for line in lines]


def test_a_distribution_that_was_there_before_is_not_touched(pc):
    if own(pc):
        pytest.skip("the role's own")
    assert pc.run(WSL, "-d", "Ubuntu-24.04", "--exec", "id", "-un") == "student"
    assert pc.value(f"{MINE_USER}\\wsl_enable", "distribution") is None
    assert "dev:" not in inside(pc, "cat", "/etc/passwd")


def test_wsl_does_not_fall_asleep(pc):
    text = pc.text(f"{pc.profile()}\\.wslconfig")
    assert "instanceIdleTimeout=-1" in text
    assert ("vmIdleTimeout=-1" in text) is not pc.name.endswith("windows10-22h2")


def test_the_distribution_starts_with_windows(pc):
    task = pc.module("community.windows.win_scheduled_task_stat", name=TASK)
    assert task["task_exists"]
    assert task["principal"]["logon_type"] == "TASK_LOGON_S4U"


def test_windows_was_restarted_once_or_not_at_all(pc):
    assert len(pc.events("boot")) == (1 if own(pc) else 0)


def test_no_byte_was_fetched_twice(pc):
    fetched = [event["url"] for event in pc.events("request") if event["bytes"]]
    assert len(fetched) == len(set(fetched)) == (2 if own(pc) else 0)


def test_nothing_of_the_downloads_is_left(pc):
    assert not pc.exists("C:\\ProgramData\\wsl-dl-playbook\\downloads\\ubuntu-24.04.5-wsl-amd64.wsl")
