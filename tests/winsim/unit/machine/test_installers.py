"""Visual Studio, CUDA, MSI, winget: exit codes, what is there afterwards, what was only said."""

from __future__ import annotations

import json
import threading
import time

import pytest

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import MODULES, run_captured
from lab.winsim.model.pins import PINS
from lab.winsim.process import ModuleCall

DESKTOP = "Microsoft.VisualStudio.Workload.NativeDesktop"
INSTALLER = "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer"
VSWHERE = INSTALLER + "\\vswhere.exe"
VS_URL = "https://download.visualstudio.microsoft.com/download/pr/17/vs_Community.exe"
CUDA_URL = PINS["cuda_windows"]["url"]
NVCC = "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v13.4\\bin\\nvcc.exe"
TOOLKIT = (
    "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Uninstall\\"
    "{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_CUDAToolkit_13.4"
)
QUIET = ("--quiet", "--norestart", "--wait", "--nocache", "--add", DESKTOP, "--includeRecommended")


def bring(host, url, path):
    host.machine.files.put(path, host.machine.network.catalogue[url].content, parents=True)


def open_network(build, **more):
    return build(network={"mode": "open"}, **more)


@pytest.fixture
def host(build, on):
    """A PC with an open network and both installers on its disk."""
    made = on(open_network(build))
    bring(made, VS_URL, "C:\\dl\\vs.exe")
    bring(made, CUDA_URL, "C:\\dl\\cuda.exe")
    return made


def where(host, *more):
    done = host.run(VSWHERE, "-products", "*", "-version", "[17.0,18.0)", "-format", "json", "-utf8", *more)
    assert done.rc == 0
    return json.loads(done.stdout)


def test_visual_studio_is_installed_complete_with_the_workload(host):
    assert not host.machine.files.exists(VSWHERE)
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 0
    found = where(host, "-requires", DESKTOP)
    assert [(item["displayName"], item["isComplete"]) for item in found] == [("Visual Studio Community 2022", True)]
    assert found[0]["installationPath"] == "C:\\Program Files\\Microsoft Visual Studio\\2022\\Community"
    path = host.run(VSWHERE, "-products", "*", "-requires", DESKTOP, "-property", "installationPath", "-utf8")
    assert path.stdout == b"C:\\Program Files\\Microsoft Visual Studio\\2022\\Community\r\n"
    assert where(host, "-requires", "Microsoft.VisualStudio.Workload.ManagedDesktop") == []


def test_the_workload_is_added_to_a_visual_studio_that_is_there(build, on):
    host = on(open_network(build, installed=[{"name": "visual-studio", "workloads": []}]))
    assert where(host, "-requires", DESKTOP) == []
    path = where(host)[0]["installationPath"]
    setup = INSTALLER + "\\setup.exe"
    assert host.run(setup, "modify", "--installPath", path, "--add", DESKTOP, "--quiet", "--norestart").rc == 0
    assert len(where(host, "-requires", DESKTOP)) == 1
    assert host.run(setup, "modify", "--installPath", path, "--wait", "--quiet").rc == 87
    assert host.run(setup, "uninstall", "--installPath", path, "--quiet", "--norestart").rc == 0
    assert where(host, "-all") == []


def test_without_network_the_bootstrapper_ends_with_5001_and_a_log(build, on):
    host = on(build())
    bring(host, VS_URL, "C:\\dl\\vs.exe")
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 5001
    logs = host.machine.files.glob("C:\\Users\\student\\AppData\\Local\\Temp\\dd_bootstrapper_*_errors.log")
    assert b"Error: cannot reach" in host.machine.files.read_bytes(logs[0])


def test_a_wrong_command_line_is_5005_and_norestart_needs_quiet(host):
    assert host.run("C:\\dl\\vs.exe", "--frob").rc == 5005
    assert host.run("C:\\dl\\vs.exe", "--norestart").rc == 5005


def test_an_ordinary_user_gets_740(build, on):
    host = on(open_network(build, users=[{"name": "student", "groups": ["Users"]}]))
    bring(host, VS_URL, "C:\\dl\\vs.exe")
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 740


def test_another_installer_at_work_is_1618(host):
    host.machine.busy_installer = "windows update"
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 1618
    host.machine.busy_installer = None
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 0


def test_an_installer_may_say_0_and_install_nothing(host):
    host.machine.faults["programs"] = [{"program": "vs_bootstrapper.exe", "rc": 0, "effect": "none", "times": 1}]
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 0
    assert not host.machine.files.exists(VSWHERE)
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 0
    assert len(where(host, "-requires", DESKTOP)) == 1


def test_a_slowed_installer_takes_real_time_and_does_its_work(host):
    host.machine.faults["programs"] = [{"program": "vs_bootstrapper.exe", "seconds": 0.3}]
    start = time.monotonic()
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 0
    assert time.monotonic() - start >= 0.3
    assert host.machine.files.exists(VSWHERE)


@pytest.mark.parametrize(("effect", "there"), [("none", False), ("full", True)])
def test_an_installer_that_hangs_ends_only_when_somebody_ends_it(host, effect, there):
    host.machine.faults["programs"] = [{"program": "cuda_installer.exe", "hang": True, "effect": effect, "times": 1}]
    ended, codes = threading.Event(), []
    argv = ["C:\\dl\\cuda.exe", "-s", "-n"]
    thread = threading.Thread(target=lambda: codes.append(run_captured(host.session, argv, cancelled=ended).rc))
    thread.start()
    thread.join(0.5)
    assert thread.is_alive()
    ended.set()
    thread.join(10)
    assert codes == [0xC000013A]
    assert host.machine.files.exists(NVCC) is there


def test_features_hang_until_somebody_ends_it_and_are_as_before(host):
    host.machine.faults["programs"] = [{"program": "dism.exe", "hang": True, "times": 1}]
    name, ended, said = "ansible.windows.win_optional_feature", threading.Event(), []
    call = ModuleCall(host.session, name, {"name": ["VirtualMachinePlatform"]}, cancelled=ended)

    def enable():
        with pytest.raises(ModuleFailure, match="The pipeline has been stopped"):
            MODULES[name](call)
        said.append(host.machine.features.find("VirtualMachinePlatform").state)

    thread = threading.Thread(target=enable)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    ended.set()
    thread.join(10)
    assert said == ["Disabled"]
    assert host.module("win_optional_feature", name=["VirtualMachinePlatform"])["changed"] is True


def test_crt_and_nvvm_are_components_of_their_own_since_cuda_13(host):
    url = "https://developer.download.nvidia.com/compute/cuda/12.9.1/local_installers/cuda_12.9.1_576.57_windows.exe"
    bring(host, url, "C:\\dl\\cuda12.exe")
    assert host.run("C:\\dl\\cuda12.exe", "-s", "nvcc_12.9", "-n").rc == 0
    assert host.run("C:\\dl\\cuda.exe", "-s", "nvcc_13.4", "-n").rc == 0
    cicc = "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v{}\\nvvm\\bin\\cicc.exe"
    assert host.machine.files.exists(cicc.format("12.9"))
    assert not host.machine.files.exists(cicc.format("13.4"))
    assert host.run("C:\\dl\\cuda.exe", "-s", "cudart-dev_13.4").rc == -522190823 & 0xFFFFFFFF


def test_a_fault_that_is_not_known_fails_loudly(host):
    host.machine.faults["programs"] = [{"program": "vs_bootstrapper.exe", "second": 3}]
    with pytest.raises(SimulatorError, match="simulator: fault of programs not known"):
        host.run("C:\\dl\\vs.exe", *QUIET)


def test_3010_leaves_a_reboot_pending(host):
    host.machine.faults["programs"] = [{"program": "vs_bootstrapper.exe", "rc": 3010, "effect": "full", "times": 1}]
    result = host.module("win_package", path="C:\\dl\\vs.exe", creates_path="C:\\none", arguments=list(QUIET))
    assert (result["rc"], result["reboot_required"], result["changed"]) == (3010, True, True)
    assert host.machine.reboot_reasons() == ["component servicing"]


def test_an_interrupted_installation_is_incomplete(host):
    host.machine.faults["programs"] = [{"program": "vs_bootstrapper.exe", "rc": 1602, "effect": "partial", "times": 1}]
    assert host.run("C:\\dl\\vs.exe", *QUIET).rc == 1602
    assert where(host) == []
    assert [item["isComplete"] for item in where(host, "-all")] == [False]


def test_package_fails_on_an_exit_code_that_is_not_expected(host, fails):
    host.machine.faults["programs"] = [{"program": "vs_bootstrapper.exe", "rc": -1073741510}]
    with fails("unexpected rc from 'C:\\\\dl\\\\vs.exe --quiet'") as caught:
        host.module("win_package", path="C:\\dl\\vs.exe", creates_path="C:\\none", arguments="--quiet")
    assert caught.value.result["rc"] == -1073741510


def test_package_checks_the_checksum_before_it_runs_anything(host, fails):
    with fails("did not match 'abc'"):
        host.module("win_package", path="C:\\dl\\cuda.exe", creates_path="C:\\none", arguments="-s", checksum="abc")
    assert not host.machine.files.exists(NVCC)


def test_cuda_is_installed_with_keys_and_variables(host):
    assert host.run("C:\\dl\\cuda.exe", "-s", "-n").rc == 0
    assert b"release 13.4, V13.4.61" in host.run(NVCC, "--version").stdout
    assert host.module("win_reg_stat", path=TOOLKIT, name="DisplayName")["value"] == "NVIDIA CUDA Toolkit 13.4"
    environment = host.machine.environment_for("student")
    assert environment["CUDA_PATH"] == "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v13.4"
    assert environment["CUDA_PATH_V13_4"] == environment["CUDA_PATH"]
    assert environment["PATH"].startswith(environment["CUDA_PATH"] + "\\bin;")


STUDIO = (
    "C:\\Program Files\\Microsoft Visual Studio\\2022\\Community\\MSBuild\\Microsoft\\VC\\v170\\BuildCustomizations"
)
EXTENSIONS = (
    "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA\\v13.4\\extras\\visual_studio_integration\\MSBuildExtensions"
)


def test_cuda_integrates_only_with_a_visual_studio_that_is_there_before(host):
    host.run("C:\\dl\\cuda.exe", "-s", "-n")
    host.run("C:\\dl\\vs.exe", *QUIET)
    assert not host.machine.files.exists(f"{STUDIO}\\CUDA 13.4.props")
    assert sorted(
        node.name for node in host.machine.files.listdir(EXTENSIONS)
    ) == [  # they are copied by hand, people say
        "CUDA 13.4.Version.props",
        "CUDA 13.4.props",
        "CUDA 13.4.targets",
        "CUDA 13.4.xml",
        "Nvda.Build.CudaTasks.v13.4.dll",
    ]
    host.run("C:\\dl\\cuda.exe", "-s", "-n")
    assert host.machine.files.exists(f"{STUDIO}\\CUDA 13.4.props")


@pytest.mark.parametrize(("version", "there"), [("13.1.0", False), ("13.4.1", True)])
def test_cuda_knows_visual_studio_2026_from_13_2_on(build, version, there):
    machine = build(installed=[{"name": "visual-studio", "major": "18"}, {"name": "cuda", "version": version}])
    folder = "C:\\Program Files\\Microsoft Visual Studio\\18\\Community\\MSBuild\\Microsoft\\VC\\v180"
    assert machine.files.exists(f"{folder}\\BuildCustomizations\\CUDA {version[:4]}.props") is there


def test_the_content_of_a_folder_is_copied_on_the_host_once(host):
    host.run("C:\\dl\\cuda.exe", "-s", "-n")
    copy = {"_copy_mode": "remote", "src": f"{EXTENSIONS}\\", "dest": "C:\\there"}
    assert host.module("win_copy", check=True, **copy)["changed"] is True
    assert not host.machine.files.exists("C:\\there")
    assert host.module("win_copy", **copy)["changed"] is True
    assert len(host.machine.files.listdir("C:\\there")) == 5
    assert host.module("win_copy", **copy)["changed"] is False


def test_cuda_components_are_chosen_by_name(host):
    assert host.run("C:\\dl\\cuda.exe", "-s", "nvcc_13.4", "cudart_13.4", "-n").rc == 0
    assert host.machine.files.exists(NVCC)
    assert not host.machine.files.exists(NVCC.replace("bin\\nvcc.exe", "include\\crt\\host_config.h"))
    assert host.run("C:\\dl\\cuda.exe", "-s", "nvcc_13.3").rc != 0


def test_cuda_broken_off_has_nvcc_but_no_key(build, on):
    host = on(build(installed=[{"name": "cuda", "half": True}]))
    assert host.machine.files.exists(NVCC)
    assert host.module("win_reg_stat", path=TOOLKIT)["exists"] is False


def test_cuda_is_uninstalled_by_its_keys(host):
    host.run("C:\\dl\\cuda.exe", "-s", "nvcc_13.4")
    key = TOOLKIT.rpartition("\\")[2]
    for product in (key.replace("Toolkit", "Nvcc"), key):
        assert host.module("win_package", product_id=product, arguments="-silent", state="absent")["changed"] is True
        assert host.module("win_package", product_id=product, arguments="-silent", state="absent")["changed"] is False
    assert not host.machine.files.exists(NVCC)
    assert "CUDA_PATH" not in host.machine.environment_for("student")


def test_cuda_on_a_full_disk_fails(build, on):
    host = on(open_network(build, disks={"C": {"size_gb": 100, "free_gb": 5}}))
    bring(host, CUDA_URL, "C:\\dl\\cuda.exe")
    assert host.run("C:\\dl\\cuda.exe", "-s", "-n").rc != 0
    assert host.module("win_reg_stat", path=TOOLKIT)["exists"] is False


def test_a_window_that_nobody_sees_is_an_error(host):
    with pytest.raises(SimulatorError, match="simulator: CUDA installer: without -s"):
        host.run("C:\\dl\\cuda.exe")
    with pytest.raises(SimulatorError, match="simulator: Visual Studio: without --quiet"):
        host.run("C:\\dl\\vs.exe")


def test_nvidia_smi_tells_driver_and_capability(build, on):
    query = ("nvidia-smi.exe", "--query-gpu=driver_version,name,compute_cap", "--format=csv,noheader")
    gpu = {"name": "GTX 1080", "compute_capability": "6.1", "memory_mb": 8192, "driver": "580.88", "cuda": "13.0"}
    assert on(build(gpu=gpu)).run(*query).stdout == b"580.88, GTX 1080, 6.1\r\n"
    bare = on(build(gpu={**gpu, "driver": ""}))
    assert not bare.machine.files.exists("C:\\Windows\\System32\\nvidia-smi.exe")
    with pytest.raises(FileNotFoundError):
        bare.run(*query)


def test_winget_installs_windows_terminal_once(build, on):
    host = on(open_network(build, installed=[{"name": "winget"}]))
    host.session.number = 1
    argv = ("winget.exe", "install", "--id", "Microsoft.WindowsTerminal", "--exact", "--source", "winget", "--silent",
            "--accept-package-agreements", "--accept-source-agreements")  # fmt: skip
    assert host.run(*argv).rc == 0
    assert host.machine.files.exists("C:\\Users\\student\\AppData\\Local\\Microsoft\\WindowsApps\\wt.exe")
    assert host.run(*argv).rc == 0x8A15002B
    assert host.run("winget.exe", "install", "--id", "No.Such").rc == 0x8A150014


def test_msiexec_names_its_errors(host):
    assert host.run("msiexec.exe", "/i", "C:\\none.msi", "/qn").rc == 1619
    host.machine.files.write_bytes("C:\\text.msi", b"no package")
    assert host.run("msiexec.exe", "/i", "C:\\text.msi", "/qn").rc == 1620
    assert host.run("msiexec.exe", "/x", "{00000000-0000-0000-0000-000000000000}", "/qn").rc == 1605
    host.machine.busy_installer = "someone"
    assert host.run("msiexec.exe", "/x", "{00000000-0000-0000-0000-000000000000}", "/qn").rc == 1618
