"""A PC that windows_base has left again."""

from __future__ import annotations

import pytest

from tests.windows.pc import MINE, Pc


@pytest.fixture
def pc(host) -> Pc:
    return Pc(host)


CONFIGURED = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\ComputerName\\ComputerName"


def test_the_computer_has_its_own_name_again(pc):
    assert pc.value(CONFIGURED, "ComputerName") == "DESKTOP-7Q2M1KD"


def test_nothing_is_noted_any_more(pc):
    assert pc.key(f"{MINE}\\windows_base")["exists"] is False
