"""A PC that cuda_windows was applied to."""

from __future__ import annotations

import pytest

from tests.windows.pc import MINE, Pc


@pytest.fixture
def pc(host) -> Pc:
    return Pc(host)


CUDA = "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v13.4"
UNINSTALL = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall"
TOOLKIT = "{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_CUDAToolkit_13.4"
SMI = "C:\\Windows\\System32\\nvidia-smi.exe"


def test_nvcc_runs(pc):
    assert "release 13.4," in pc.run(f"{CUDA}\\bin\\nvcc.exe", "--version")


def test_windows_lists_the_toolkit(pc):
    assert TOOLKIT in pc.key(UNINSTALL)["sub_keys"]


def test_the_driver_is_the_one_that_was_there(pc):
    pc.events()
    assert pc.run(SMI, "--query-gpu=driver_version", "--format=csv,noheader") == "615.36"


def test_the_installer_was_fetched_once_through_the_proxy_and_removed(pc):
    fetched = [event for event in pc.events("request") if event["url"].endswith("/cuda_13.4.1_windows_x86_64.exe")]
    assert [event["proxy"] for event in fetched] == ["127.0.0.1:7890"]
    assert not pc.exists("C:\\ProgramData\\wsl-dl-playbook\\downloads\\cuda_13.4.1_windows_x86_64.exe")


def test_the_role_notes_that_it_installed_the_toolkit(pc):
    assert pc.value(f"{MINE}\\cuda_windows", "13.4") == "13.4.1"
