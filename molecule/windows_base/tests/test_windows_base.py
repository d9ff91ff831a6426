"""A PC that windows_base was applied to."""

from __future__ import annotations

import pytest

from tests.windows.pc import MINE, Pc


@pytest.fixture
def pc(host) -> Pc:
    return Pc(host)


CONFIGURED = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName"
APPX = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Appx\\AppxAllUserStore\\Applications"


def test_the_computer_has_the_name_from_the_next_start_on(pc):
    assert pc.value(CONFIGURED, "ComputerName") == "DL-WS-01"


def test_the_former_name_is_kept(pc):
    assert pc.value(f"{MINE}\\windows_base", "hostname").startswith("DESKTOP-")


def test_windows_terminal_is_there(pc):
    assert [name for name in pc.key(APPX)["sub_keys"] if name.startswith("Microsoft.WindowsTerminal_")]


def test_windows_was_not_restarted(pc):
    assert pc.events("boot") == []


def test_winget_ran_only_where_windows_terminal_was_missing(pc):
    installed = [event["what"] for event in pc.events("installed")]
    assert bool(installed) is pc.name.endswith("windows10-22h2")
