"""A PC that cuda_windows was applied to."""

from __future__ import annotations

from lab.winsim.model.pins import PINS
from tests.windows.pc import MINE

VERSION = PINS["cuda_windows"]["version"]
INSTALLER = f"cuda_{VERSION}_windows_x86_64.exe"
SHORT = VERSION.rpartition(".")[0]
CUDA = f"C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v{SHORT}"
UNINSTALL = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall"
TOOLKIT = f"{{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}}_CUDAToolkit_{SHORT}"
SMI = "C:\\Windows\\System32\\nvidia-smi.exe"


def test_nvcc_runs(pc):
    assert f"release {SHORT}," in pc.run(f"{CUDA}\\bin\\nvcc.exe", "--version")


def test_windows_lists_the_toolkit(pc):
    assert TOOLKIT in pc.key(UNINSTALL)["sub_keys"]


def test_the_driver_is_the_one_that_was_there(pc):
    pc.events()
    assert pc.run(SMI, "--query-gpu=driver_version", "--format=csv,noheader") == "615.36"


def test_the_installer_was_fetched_once_through_the_proxy_and_removed(pc):
    fetched = [event for event in pc.events("request") if event["url"].endswith(f"/{INSTALLER}")]
    assert [event["proxy"] for event in fetched] == ["127.0.0.1:7890"]
    assert not pc.exists(f"C:\\ProgramData\\wsl-dl-playbook\\downloads\\{INSTALLER}")


def test_the_role_notes_that_it_installed_the_toolkit(pc):
    assert pc.value(f"{MINE}\\cuda_windows", SHORT) == VERSION
