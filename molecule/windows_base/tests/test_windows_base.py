"""A PC that windows_base was applied to."""

from __future__ import annotations

import json

import pytest

from tests.windows.pc import MINE

CONFIGURED = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName"
APPX = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Appx\\AppxAllUserStore\\Applications"


def test_the_computer_has_the_name_from_the_next_start_on(pc):
    assert pc.value(CONFIGURED, "ComputerName") == "DL-WS-01"


def test_the_former_name_is_kept(pc):
    assert pc.value(f"{MINE}\\windows_base", "hostname").startswith("DESKTOP-")


def test_windows_terminal_is_there_where_windows_brings_it_and_winget_was_not_tried_over_winrm(pc):
    there = [name for name in pc.key(APPX).get("sub_keys", []) if name.startswith("Microsoft.WindowsTerminal_")]
    assert bool(there) is pc.name.endswith("windows11-zh-cn")
    assert pc.events("installed") == []


SLEEP = "{0}\\381b4222-f694-41f0-9685-ff5bb260df2e\\238c9fa8-0aad-41ed-83f4-97be242c8f20\\{1}"
PLANS = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Power\\User\\PowerSchemes"


@pytest.mark.parametrize("setting", ["29f6c1db-86da-48c5-9fdb-f2b67b1f44da", "9d7815a6-7ee4-497e-8888-515a05f02364"])
def test_the_pc_does_not_sleep_on_mains_power_and_does_on_battery(pc, setting):
    values = pc.key(SLEEP.format(PLANS, setting))["properties"]
    assert values["ACSettingIndex"]["value"] == 0
    assert values["DCSettingIndex"]["value"] in (900, 10800)


def test_the_former_timeouts_are_kept(pc):
    assert json.loads(pc.value(f"{MINE}\\windows_base", "sleep")) == {
        "381b4222-f694-41f0-9685-ff5bb260df2e": {
            "29f6c1db-86da-48c5-9fdb-f2b67b1f44da": "00000708",
            "9d7815a6-7ee4-497e-8888-515a05f02364": "00002a30",
        }
    }


def test_windows_was_not_restarted(pc):
    assert pc.events("boot") == []
