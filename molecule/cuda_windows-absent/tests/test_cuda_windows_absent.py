"""A PC that cuda_windows has left again."""

from __future__ import annotations

from tests.windows.pc import MINE

CUDA = "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v13.4"
UNINSTALL = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall"


def test_a_toolkit_that_was_there_before_stays_and_the_roles_own_goes(pc):
    before = pc.name.endswith("already-done")
    left = [name for name in pc.key(UNINSTALL)["sub_keys"] if name.endswith("_13.4")]
    assert (pc.exists(f"{CUDA}\\bin\\nvcc.exe"), bool(left)) == (before, before)


def test_nothing_is_noted_any_more(pc):
    assert pc.key(f"{MINE}\\cuda_windows")["exists"] is False


def test_the_display_driver_stays(pc):
    assert "{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_Display.Driver" in pc.key(UNINSTALL)["sub_keys"]
    assert pc.exists("C:\\Windows\\System32\\nvidia-smi.exe")
