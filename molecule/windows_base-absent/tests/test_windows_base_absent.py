"""A PC that windows_base has left again."""

from __future__ import annotations

import pytest

from tests.windows.pc import MINE

CONFIGURED = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName"


def test_the_computer_has_its_own_name_again(pc):
    assert pc.value(CONFIGURED, "ComputerName") == "DESKTOP-7Q2M1KD"


SLEEP = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Power\\User\\PowerSchemes\\381b4222-f694-41f0-9685-ff5bb260df2e"
SLEEP += "\\238c9fa8-0aad-41ed-83f4-97be242c8f20\\"


@pytest.mark.parametrize(
    ("setting", "seconds"),
    [("29f6c1db-86da-48c5-9fdb-f2b67b1f44da", 1800), ("9d7815a6-7ee4-497e-8888-515a05f02364", 10800)],
)
def test_the_computer_sleeps_when_it_did(pc, setting, seconds):
    assert pc.value(SLEEP + setting, "ACSettingIndex") == seconds


def test_nothing_is_noted_any_more(pc):
    assert pc.key(f"{MINE}\\windows_base")["exists"] is False
