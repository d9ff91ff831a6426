"""A PC that wsl_enable was applied to."""

from __future__ import annotations

import json

import pytest

from lab.winsim.model.pins import PINS
from tests.windows.pc import Pc

WSL = "C:\\Program Files\\WSL\\wsl.exe"
PACKAGE = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Lxss\\MSI"


def bare(pc: Pc) -> bool:
    return not pc.name.endswith("already-done")


def test_the_package_is_there(pc):
    assert pc.value(PACKAGE, "Version") == f"{PINS['wsl']['version']}.0"


def test_wsl_does_not_fall_asleep(pc):
    text = pc.text(f"{pc.profile()}\\.wslconfig")
    assert "instanceIdleTimeout=-1" in text
    assert ("vmIdleTimeout=-1" in text) is not pc.name.endswith("windows10-22h2")


def test_of_the_users_own_wslconfig_the_keys_that_count_are_changed(pc):
    if bare(pc):
        pytest.skip("had none")
    assert pc.text(f"{pc.profile()}\\.wslconfig") == (
        "[wsl2]\nmemory=8GB # half\nvmIdleTimeout=-1\n\n[experimental]\nnetworkingMode=nat\nautoProxy=false\n"
        "\n[general]\ninstanceIdleTimeout=-1\n"
    )


def test_windows_was_restarted_once_or_not_at_all(pc):
    assert len(pc.events("boot")) == (1 if bare(pc) else 0)


def test_no_byte_was_fetched_twice(pc):
    fetched = [event["url"] for event in pc.events("request") if event["bytes"]]
    assert len(fetched) == len(set(fetched)) == (1 if bare(pc) else 0)


def test_nothing_of_the_downloads_is_left(pc):
    assert not pc.exists(f"C:\\ProgramData\\wsl-dl-playbook\\downloads\\{PINS['wsl']['url'].split('/')[-1]}")


def stderr(pc: Pc, *argv: str) -> str:
    done = pc.host.ansible("ansible.windows.win_command", json.dumps({"argv": [WSL, *argv]}), check=False)
    assert done["rc"] == 0, done
    return done["stderr"].replace("\x00", "")


def test_wsl_finds_nothing_to_warn_about(pc):
    """The last test: it stops WSL, so that the file is read anew."""
    if bare(pc):
        pytest.skip("has no distribution")
    pc.run(WSL, "--shutdown")
    assert stderr(pc, "-d", "Ubuntu-24.04", "-u", "root", "--exec", "true") == ""
