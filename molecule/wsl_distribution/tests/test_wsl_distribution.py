"""A PC that wsl_distribution was applied to."""

from __future__ import annotations

import json
import time

import pytest

from lab import windows
from lab.winsim.model.pins import PINS
from tests.windows.pc import MINE_USER, Pc

WSL = "C:\\Program Files\\WSL\\wsl.exe"
LXSS = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"
TASK = "wsl-dl-playbook keep Ubuntu-24.04 running"


def inside(pc: Pc, *argv: str) -> str:
    return pc.run(WSL, "-d", "Ubuntu-24.04", "-u", "root", "--exec", *argv)


def own(pc: Pc) -> bool:
    return not pc.name.endswith("already-done")


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


def test_the_distribution_starts_with_windows(pc):
    task = pc.module("community.windows.win_scheduled_task_stat", name=TASK)
    assert task["task_exists"]
    assert task["principal"]["logon_type"] == "TASK_LOGON_S4U"


def test_no_byte_was_fetched_twice(pc):
    fetched = [event["url"] for event in pc.events("request") if event["bytes"]]
    assert len(fetched) == len(set(fetched)) == (1 if own(pc) else 0)


def test_nothing_of_the_downloads_is_left(pc):
    assert not pc.exists(
        f"C:\\ProgramData\\wsl-dl-playbook\\downloads\\{PINS['ubuntu']['Ubuntu-24.04']['url'].split('/')[-1]}"
    )


def stderr(pc: Pc, *argv: str) -> str:
    done = pc.host.ansible("ansible.windows.win_command", json.dumps({"argv": [WSL, *argv]}), check=False)
    assert done["rc"] == 0, done
    return done["stderr"].replace("\x00", "")


def happened(pc: Pc, kinds: tuple[str, ...], after: int) -> list[str]:
    """Wait until one event of each kind has come, in this order, after the first ``after`` events of these kinds."""
    for _ in range(100):
        names = [event["event"] for event in pc.events(*kinds)][after:]
        if names == list(kinds):
            break
        time.sleep(0.1)
    return names


def test_wsl_finds_nothing_to_warn_about_and_runs_again_five_minutes_after_it_was_stopped(pc):
    """The last test: it stops WSL, so that .wslconfig is read anew."""
    stopped, begun = ("distribution stopped", "task ended"), ("task started", "distribution started")
    before = len(pc.events(*stopped)), len(pc.events(*begun))
    pc.run(WSL, "--shutdown")
    assert happened(pc, stopped, before[0]) == list(stopped)
    windows.command("fault", pc.name, "clock", "--seconds", "301")
    assert happened(pc, begun, before[1]) == list(begun)
    pc.run(WSL, "--shutdown")
    assert stderr(pc, "-d", "Ubuntu-24.04", "-u", "root", "--exec", "true") == ""
