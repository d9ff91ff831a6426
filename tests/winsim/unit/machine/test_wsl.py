"""wsl.exe: encodings, languages, exit codes, registration, users, what runs."""

from __future__ import annotations

import pytest

from lab.winsim.errors import SimulatorError
from lab.winsim.model.pins import PINS
from lab.winsim.model.wsl import HKLM_LXSS

VERSION = f"{PINS['wsl']['version']}.0"
EXE = "C:\\Program Files\\WSL\\wsl.exe"
STUB = "C:\\Windows\\System32\\wsl.exe"
IMAGE = "C:\\dl\\u.wsl"
READY = {"features": {"VirtualMachinePlatform": "Enabled"}, "installed": [{"name": "wsl"}]}
LXSS = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"


def fetch_image(host):
    resource = host.machine.network.catalogue[PINS["ubuntu"]["Ubuntu-24.04"]["url"]]
    host.machine.files.put(IMAGE, resource.content, parents=True)


@pytest.fixture
def ready(build, on):
    """A Windows where WSL is installed, and an image."""
    host = on(build(**READY))
    fetch_image(host)
    return host


def wsl(host, *arguments, stdin=b"", **more):
    return host.run(EXE, *arguments, stdin=stdin, WSL_UTF8="1", **more)


def inside(host, *command, stdin=b"", user="root"):
    return wsl(host, "-d", "Ubuntu-24.04", "-u", user, "--cd", "/", "--exec", *command, stdin=stdin)


def install(host, *more):
    return wsl(host, "--install", "--from-file", IMAGE, "--name", "Ubuntu-24.04", "--no-launch", *more)


def test_the_stub_without_package_says_so_in_utf16_and_ends_with_minus_one(host):
    done = host.run(STUB, "--status")
    assert done.rc == 0xFFFFFFFF
    assert "not installed" in done.stdout.decode("utf-16-le")
    assert b"\r\n" in host.run(STUB, "--status", WSL_UTF8="1").stdout


def test_the_stub_fails_in_a_remote_session_once_the_package_is_there(ready, on):
    done = ready.run(STUB, "-l", "-q", WSL_UTF8="1")
    assert (done.rc, done.stdout.splitlines()[0]) == (0xFFFFFFFF, b"The file cannot be accessed by the system")
    desktop = on(ready.machine, "student", "interactive")
    assert desktop.run(STUB, "-l", "-q", WSL_UTF8="1").rc == 0


def test_local_system_is_refused(build, on):
    host = on(build(**READY), "SYSTEM", "service")
    done = wsl(host, "-l", "-q")
    assert done.rc == 0xFFFFFFFF
    assert b"Wsl/WSL_E_LOCAL_SYSTEM_NOT_SUPPORTED" in done.stdout


def test_a_chinese_windows_answers_in_chinese(build, on):
    host = on(build(**READY, windows={"language": "zh-CN"}))
    assert wsl(host, "--version").stdout.decode().splitlines()[0] == f"WSL 版本: {VERSION}"
    with pytest.raises(SimulatorError, match="wsl.exe: --status is not known here"):
        wsl(host, "--status")


def test_no_distribution_is_an_error_only_without_quiet(ready):
    assert wsl(ready, "-l", "-q").rc == 0
    assert wsl(ready, "-l", "-q").stdout == b""
    listed = wsl(ready, "-l", "-v")
    assert listed.rc == 0xFFFFFFFF
    assert b"WSL_E_DEFAULT_DISTRO_NOT_FOUND" in listed.stdout


def test_installing_before_the_reboot_says_0_and_registers_nothing(build, on):
    host = on(build(installed=[{"name": "wsl"}]))
    fetch_image(host)
    first = install(host)
    assert first.rc == 0
    assert b"until the system is rebooted" in first.stdout
    assert wsl(host, "-l", "-q").stdout == b""
    assert host.machine.reboot_reasons() == ["component servicing"]
    host.machine.reboot()
    assert install(host).rc == 0
    assert wsl(host, "-l", "-q").stdout == b"Ubuntu-24.04\r\n"


def test_a_distribution_is_registered_for_one_user_with_its_disk(ready, on):
    assert install(ready, "--location", "D:\\wsl").rc == 0xFFFFFFFF  # there is no drive D
    assert install(ready, "--location", "C:\\wsl\\u").rc == 0
    guid = ready.module("win_reg_stat", path=LXSS)["sub_keys"][0]
    values = ready.module("win_reg_stat", path=f"{LXSS}\\{guid}")["properties"]
    assert values["DistributionName"]["value"] == "Ubuntu-24.04"
    assert values["BasePath"]["value"] == "\\\\?\\C:\\wsl\\u"
    assert (values["RunOOBE"]["value"], values["DefaultUid"]["value"], values["Version"]["value"]) == (1, 0, 2)
    assert ready.machine.files.is_file("C:\\wsl\\u\\ext4.vhdx")
    ready.machine.users.add("other", groups=["Administrators"])
    assert wsl(on(ready.machine, "other"), "-l", "-q").stdout == b""


def test_the_same_name_again_is_refused(ready):
    install(ready)
    again = install(ready)
    assert again.rc == 0xFFFFFFFF
    assert b"ERROR_ALREADY_EXISTS" in again.stdout


def test_without_virtualization_nothing_is_registered(build, on):
    host = on(build(**READY, hardware={"virtualization": False}))
    fetch_image(host)
    done = install(host)
    assert (done.rc, b"HCS_E_HYPERV_NOT_INSTALLED" in done.stdout) == (0xFFFFFFFF, True)
    assert wsl(host, "-l", "-q").stdout == b""


def test_a_broken_image_is_no_distribution(ready):
    ready.machine.files.write_bytes(IMAGE, b"half of it")
    done = install(ready)
    assert (done.rc, b"WSL_E_NOT_A_LINUX_DISTRO" in done.stdout) == (0xFFFFFFFF, True)


def test_a_user_is_made_and_becomes_the_default(ready):
    install(ready)
    assert inside(ready, "id", "-u", "dev").rc == 1
    assert inside(ready, "useradd", "-m", "-s", "/bin/bash", "-u", "1000", "-G", "adm,sudo", "dev").rc == 0
    assert inside(ready, "useradd", "dev").rc == 9
    assert inside(ready, "passwd", "-S", "dev").stdout.split()[1] == b"L"
    assert inside(ready, "chpasswd", "-e", stdin=b"dev:$6$salt$hash\n").rc == 0
    assert inside(ready, "passwd", "-S", "dev").stdout.split()[1] == b"P"
    assert wsl(ready, "--manage", "Ubuntu-24.04", "--set-default-user", "dev").rc == 0
    assert wsl(ready, "-d", "Ubuntu-24.04", "--exec", "id", "-un").stdout == b"dev\n"
    assert wsl(ready, "--manage", "Ubuntu-24.04", "--set-default-user", "nobody2").rc == 0xFFFFFFFF


def test_wsl_conf_counts_after_a_stop(ready):
    install(ready)
    inside(ready, "useradd", "-m", "-u", "1000", "dev")
    inside(ready, "tee", "/etc/wsl.conf", stdin=b"[boot]\nsystemd=true\n[user]\ndefault=dev\n")
    assert wsl(ready, "-d", "Ubuntu-24.04", "--exec", "id", "-un").stdout == b"root\n"
    assert wsl(ready, "--terminate", "Ubuntu-24.04").rc == 0
    assert wsl(ready, "-d", "Ubuntu-24.04", "--exec", "id", "-un").stdout == b"dev\n"
    assert inside(ready, "cat", "/etc/wsl.conf").stdout == b"[boot]\nsystemd=true\n[user]\ndefault=dev\n"


def test_a_linux_exit_code_passes_through(ready):
    install(ready)
    assert inside(ready, "false").rc == 1
    assert inside(ready, "cat", "/none").rc == 1


def test_an_unknown_linux_command_fails_loudly(ready):
    install(ready)
    with pytest.raises(SimulatorError, match="simulator: Linux command not known: frobnicate"):
        inside(ready, "frobnicate")


def test_an_idle_distribution_stops_unless_it_is_told_not_to(ready):
    install(ready)
    inside(ready, "true")
    assert b"Running" in wsl(ready, "-l", "-v").stdout
    ready.machine.clock.advance(20)
    assert b"Stopped" in wsl(ready, "-l", "-v").stdout
    ready.machine.files.write_text("C:\\Users\\student\\.wslconfig", "[general]\ninstanceIdleTimeout=-1\n")
    inside(ready, "true")
    ready.machine.clock.advance(3600)
    assert b"Running" in wsl(ready, "-l", "-v").stdout


def test_an_unknown_key_in_wslconfig_warns_once_on_stderr(ready):
    install(ready)
    ready.machine.files.write_text("C:\\Users\\student\\.wslconfig", "[wsl2]\nmemroy=8GB\n")
    assert b"Unknown key 'wsl2.memroy'" in inside(ready, "true").stderr
    assert inside(ready, "true").stderr == b""
    wsl(ready, "--shutdown")
    assert inside(ready, "true").stderr.startswith(b"wsl: Unknown key")


def test_the_gateway_changes_with_every_start_of_the_virtual_machine(ready):
    install(ready)
    inside(ready, "true")
    first = ready.machine.registry.get(HKLM_LXSS, "NatGatewayIpAddress")
    wsl(ready, "--shutdown")
    inside(ready, "true")
    assert ready.machine.registry.get(HKLM_LXSS, "NatGatewayIpAddress") not in (None, first)


def test_unregister_takes_the_disk_away(ready):
    install(ready, "--location", "C:\\wsl\\u")
    assert wsl(ready, "--unregister", "ubuntu-24.04").rc == 0
    assert not ready.machine.files.exists("C:\\wsl\\u")
    assert b"WSL_E_DISTRO_NOT_FOUND" in wsl(ready, "--unregister", "Ubuntu-24.04").stdout


def test_hashes_do_not_reach_the_log(ready):
    install(ready)
    inside(ready, "useradd", "-m", "dev")
    inside(ready, "chpasswd", "-e", stdin=b"dev:$6$salt$verysecret\n")
    assert "verysecret" not in str(ready.machine.events)
    assert "verysecret" not in str(ready.machine.wsl_backend.summary())


def test_a_wrong_argument_is_named(ready):
    done = wsl(ready, "--frob")
    assert (done.rc, b"Wsl/E_INVALIDARG" in done.stdout, b"--frob" in done.stdout) == (0xFFFFFFFF, True, True)


def test_installing_the_package_online_needs_the_users_own_proxy(host):
    done = host.run(STUB, "--install", "--no-distribution", WSL_UTF8="1", https_proxy="http://127.0.0.1:7890")
    assert done.rc == 0xFFFFFFFF
    host.module("win_inet_proxy", proxy="127.0.0.1:7890")
    assert host.run(STUB, "--install", "--no-distribution", WSL_UTF8="1").rc == 0
    key = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Lxss\\MSI"
    assert host.module("win_reg_stat", path=key, name="Version")["value"] == VERSION


def test_the_msi_is_installed_once_and_removed(host):
    resource = host.machine.network.catalogue[host.machine.network.catalogue[PINS["wsl"]["url"]].redirect]
    host.machine.files.put("C:\\dl\\wsl.msi", resource.content, parents=True)
    assert host.module("win_package", check=True, path="C:\\dl\\wsl.msi")["changed"] is True
    assert not host.machine.files.exists(EXE)
    assert host.module("win_package", path="C:\\dl\\wsl.msi")["changed"] is True
    assert host.module("win_package", path="C:\\dl\\wsl.msi")["changed"] is False
    assert "C:\\Program Files\\WSL\\" in host.machine.environment_for("student")["PATH"]
    code = host.machine.registry.get("HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Lxss\\MSI", "ProductCode")
    assert host.module("win_package", product_id=code, state="absent")["changed"] is True
    assert host.module("win_package", product_id=code, state="absent")["changed"] is False
    assert not host.machine.files.exists(EXE)
