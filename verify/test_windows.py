"""What a finished workstation promises on Windows. Reads only."""

from __future__ import annotations

import re

import pytest

from tests.windows.pc import MINE, MINE_USER, Pc
from verify.fixtures import APPLY, promise

GROUP = "windows"
INTERNET = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
ENVIRONMENT = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
LXSS = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"
VSWHERE = "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer\\vswhere.exe"
CPP = "Microsoft.VisualStudio.Workload.NativeDesktop"
BUILD_TOOLS = "Microsoft.VisualStudio.Workload.VCTools"
SMI = "C:\\Windows\\System32\\nvidia-smi.exe"


@pytest.fixture
def pc(host) -> Pc:
    return Pc(host)


@promise("this PC was set up by the playbook", "", APPLY)
def test_the_playbook_was_applied(pc):
    kept = [name for root in (MINE, MINE_USER) for name in pc.key(root).get("sub_keys", [])]
    assert kept, f"no role has left its records in {MINE}: it was never applied, or taken back"


@promise("Windows programs use the proxy", "windows_proxy")
def test_the_system_proxy_is_on(pc, wanted):
    values = pc.key(INTERNET)["properties"]
    assert values["ProxyEnable"]["value"] == 1, "the system proxy is switched off"
    assert values["ProxyServer"]["value"].endswith(f":{wanted['proxy_port']}"), values["ProxyServer"]["value"]


@promise("command-line programs find the proxy", "windows_proxy")
def test_the_environment_names_the_proxy(pc, wanted):
    seen = {}  # by a new process of the user, whose variables win over those of the machine; names compare without case
    for whose, key in (("the machine's", ENVIRONMENT), ("the user's own", "HKCU:\\Environment")):
        values = pc.key(key).get("properties", {})
        seen |= {name.lower(): (whose, str(value["value"])) for name, value in values.items()}
    for name in ("http_proxy", "https_proxy"):
        assert name in seen, f"{name} is not set for the machine"
        whose, value = seen[name]
        shown = re.sub(r"//[^/@]*@", "//***@", value)
        assert value.rstrip("/").endswith(f":{wanted['proxy_port']}"), f"{whose} {name} is {shown}"


@promise(
    "the proxy program listens, and for WSL too",
    "windows_proxy",
    'start the proxy program and switch on "Allow LAN" in it',
)
def test_the_proxy_program_listens(pc, wanted):
    read = pc.module("ansible.windows.win_listen_ports_facts", tcp_filter="Listen")
    listens = read["ansible_facts"]["tcp_listen"]
    found = {entry["address"] for entry in listens if int(entry["port"]) == wanted["proxy_port"]}
    assert found - {"127.0.0.1", "::1"}, f"port {wanted['proxy_port']} is open at {sorted(found) or 'no address'}"


@promise("Visual Studio has C++", "visual_studio")
def test_visual_studio_has_cpp(pc):
    assert pc.exists(VSWHERE), "there is no Visual Studio Installer"
    argv = [VSWHERE, "-products", "*", "-requiresAny", "-requires", CPP, BUILD_TOOLS, "-property", "installationPath"]
    assert pc.run(*argv, "-utf8"), "no Visual Studio has the workload for C++"


@promise("the NVIDIA driver answers", "cuda_windows", "install NVIDIA's driver on Windows, from nvidia.com/drivers")
def test_the_driver_answers(pc):
    assert pc.exists(SMI), "nvidia-smi.exe is not there"
    assert pc.run(SMI, "--query-gpu=driver_version", "--format=csv,noheader")


@promise("nvcc runs on Windows", "cuda_windows")
def test_nvcc_runs(pc):
    folder = pc.value(ENVIRONMENT, "CUDA_PATH")
    assert folder, "CUDA_PATH is not set: no CUDA toolkit is installed"
    assert pc.exists(f"{folder}\\bin\\nvcc.exe"), f"nvcc.exe is not in {folder}\\bin"
    assert "Cuda compilation tools" in pc.run(f"{folder}\\bin\\nvcc.exe", "--version")


@promise("the WSL distribution is registered", "wsl_distribution")
def test_the_distribution_is_registered(pc, wanted):
    read = pc.key(LXSS)
    keys = [pc.key(f"{LXSS}\\{name}")["properties"] for name in read.get("sub_keys", []) if name.startswith("{")]
    found = {key["DistributionName"]["value"]: key for key in keys}
    assert wanted["wsl_distribution"] in found, f"registered are {sorted(found) or 'none'}"
    assert found[wanted["wsl_distribution"]]["Version"]["value"] == 2, "it is registered for WSL 1"


@promise("WSL stays awake", "wsl_distribution")
def test_the_keep_alive_is_there(pc, wanted):
    task = f"wsl-dl-playbook keep {wanted['wsl_distribution']} running"
    assert pc.module("community.windows.win_scheduled_task_stat", name=task)["task_exists"], "the task is gone"
