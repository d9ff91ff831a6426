"""Hostname, features, reboots, facts, proxies, firewall, tasks, services, users, programs."""

from __future__ import annotations

import time

import pytest

from lab.winsim.errors import SimulatorError
from lab.winsim.machine import Machine
from lab.winsim.model import describe


def test_a_new_name_waits_for_a_reboot(host):
    assert host.module("win_hostname", name="dl-pc", check=True)["reboot_required"] is True
    assert host.machine.reboot_reasons() == []
    result = host.module("win_hostname", name="dl-pc")
    assert (result["changed"], result["old_name"], result["reboot_required"]) == (True, "LAB-PC", True)
    assert (host.machine.host_name, host.machine.reboot_reasons()) == ("LAB-PC", ["computer name"])
    assert host.module("win_hostname", name="DL-PC")["changed"] is False
    host.machine.reboot()
    assert (host.machine.host_name, host.machine.reboot_reasons()) == ("dl-pc", [])


def test_an_impossible_name_is_refused(host, fails):
    with fails("Failed to rename computer to 'a_b'"):
        host.module("win_hostname", name="a_b")


def test_a_feature_is_pending_until_the_reboot(host):
    args = {"name": ["VirtualMachinePlatform"], "include_parent": True}
    check = host.module("win_optional_feature", check=True, **args)
    assert (check["changed"], check["reboot_required"]) == (True, False)
    first = host.module("win_optional_feature", **args)
    assert (first["changed"], first["reboot_required"]) == (True, True)
    assert host.machine.reboot_reasons() == ["component servicing"]
    # "EnablePending" is not "Enabled": the real module changes again
    assert host.module("win_optional_feature", **args)["changed"] is True
    host.machine.reboot()
    assert host.machine.reboot_reasons() == []
    assert host.module("win_optional_feature", **args) == {"changed": False, "reboot_required": False}


def test_a_feature_that_there_is_not_is_refused(host, fails):
    with fails("Failed to find feature 'NoSuch'"):
        host.module("win_optional_feature", name=["NoSuch"])


def test_a_reboot_moves_the_boot_time_and_drops_what_is_volatile(host):
    machine = host.machine
    before = machine.last_boot
    machine.files.write_bytes("C:\\old.txt", b"x")
    manager = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
    machine.registry.set(manager, "PendingFileRenameOperations", ["\\??\\C:\\old.txt", "\\??\\C:\\new.txt"])
    assert machine.reboot_reasons() == ["file rename"]
    assert host.run("shutdown.exe", "/r", "/t", "2", "/c", "why").rc == 0
    assert machine.last_boot > before
    assert (machine.files.exists("C:\\old.txt"), machine.files.exists("C:\\new.txt")) == (False, True)
    winlogon = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\AutoLogonChecked"
    assert machine.registry.exists(winlogon)
    assert [event["event"] for event in machine.events].count("boot") == 1


def test_a_scheduled_shutdown_can_be_called_off(host):
    assert host.run("shutdown.exe", "/r", "/t", "600").rc == 0
    assert host.run("shutdown.exe", "/r", "/t", "0").rc == 1190
    assert host.run("shutdown.exe", "/a").rc == 0
    assert host.run("shutdown.exe", "/a").rc == 1116
    assert len(host.machine.boots) == 1


def test_facts_name_the_machine(build, on):
    host = on(build(windows={"language": "zh-CN"}))
    facts = host.module("setup", gather_subset=["min"])["ansible_facts"]
    assert facts["ansible_distribution"] == "Microsoft Windows 11 专业版"
    assert facts["ansible_distribution_version"] == "10.0.26100.0"
    assert facts["ansible_hostname"] == "LAB-PC"
    assert facts["ansible_os_family"] == "Windows"
    assert facts["ansible_user_id"] == "student"
    assert facts["ansible_user_sid"] == host.machine.sid("student")
    assert facts["ansible_env"]["PROCESSOR_ARCHITECTURE"] == "AMD64"
    assert facts["ansible_reboot_pending"] is False


@pytest.mark.parametrize("subset", [["all"], ["!all"], ["nonsense"], None])
def test_only_the_facts_of_the_product_are_known(host, subset):
    with pytest.raises(SimulatorError, match=r"setup: only gather_subset \[min\] is known"):
        host.module("setup", gather_subset=subset)


def test_the_users_proxy_is_set_once_and_taken_away(host):
    args = {"proxy": "127.0.0.1:7890", "bypass": ["<local>", "10.*"], "auto_detect": False}
    assert host.module("win_inet_proxy", check=True, **args)["changed"] is True
    settings = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
    assert host.module("win_reg_stat", path=settings, name="ProxyEnable")["value"] == 0
    first = host.module("win_inet_proxy", diff=True, **args)
    assert first["changed"] is True
    assert first["diff"]["before"] == {"auto_config_url": None, "auto_detect": True, "bypass": None, "server": None}
    assert host.module("win_reg_stat", path=settings, name="ProxyServer")["value"] == "127.0.0.1:7890"
    assert host.module("win_reg_stat", path=settings, name="ProxyOverride")["value"] == "<local>;10.*"
    assert host.module("win_inet_proxy", **args)["changed"] is False
    assert host.module("win_inet_proxy", auto_detect=True)["changed"] is True
    assert host.module("win_reg_stat", path=settings, name="ProxyServer")["exists"] is False


def test_a_proxy_that_is_stored_but_off_does_not_count(host):
    settings = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
    host.module("win_regedit", path=settings, name="ProxyServer", data="127.0.0.1:7890")
    assert host.module("win_inet_proxy", proxy="127.0.0.1:7890")["changed"] is True


def test_winhttp_is_shared_with_netsh(host):
    args = {"proxy": "a:1", "bypass": ["<local>"]}
    assert host.module("win_http_proxy", **args)["changed"] is True
    assert host.module("win_http_proxy", **args)["changed"] is False
    assert b"a:1" in host.run("netsh.exe", "winhttp", "show", "proxy").stdout
    host.module("win_http_proxy")
    assert host.module("win_http_proxy", check=True, diff=True)["diff"]["before"] == {"proxy": None, "bypass": None}


def test_a_firewall_rule_is_made_changed_and_removed(host):
    name = "community.windows.win_firewall_rule"
    args = {"name": "WSL proxy", "direction": "in", "action": "allow", "protocol": "tcp", "localport": "7890",
            "remoteip": "172.16.0.0/12,192.168.0.0/16", "profiles": ["domain", "private", "public"]}  # fmt: skip
    assert host.module(name, check=True, **args)["changed"] is True
    assert host.module(name, **args)["msg"] == "Firewall rule 'WSL proxy' created."
    assert host.module(name, **args)["changed"] is False
    args["remoteip"] = "192.168.0.0/16,172.16.0.0/12"
    assert host.module(name, **args)["changed"] is False
    args["localport"] = "7891"
    assert host.module(name, check=True, **args)["changed"] is True
    assert host.module(name, **args)["changed"] is True
    key = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"
    values = [item["value"] for item in host.module("win_reg_stat", path=key)["properties"].values()]
    assert values == [
        "v2.32|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=7891|RA4=172.16.0.0/12|RA4=192.168.0.0/16|Name=WSL proxy|"
    ]
    assert host.module(name, name="WSL proxy", state="absent")["changed"] is True
    assert host.module(name, name="WSL proxy", state="absent")["changed"] is False
    assert host.module("win_reg_stat", path=key)["properties"] == {}


TASK = {
    "name": "keep",
    "actions": [{"path": "C:\\Program Files\\WSL\\wsl.exe", "arguments": "-d U -u root --exec sleep infinity"}],
    "triggers": [{"type": "boot"}, {"type": "registration"}],
    "username": "student",
    "logon_type": "s4u",
    "password": "",
    "update_password": False,
    "run_level": "highest",
    "execution_time_limit": "PT0S",
    "multiple_instances": 2,
}


def test_a_task_keeps_a_distribution_running_over_a_reboot(build, on):
    machine = build(
        features={"VirtualMachinePlatform": "Enabled"},
        installed=[{"name": "wsl"}, {"name": "distribution", "distribution": "U"}],
    )
    host, module = on(machine), "community.windows.win_scheduled_task"
    assert host.module(module, check=True, **TASK)["changed"] is True
    assert host.module(module, **TASK)["changed"] is True
    assert host.module(module, **TASK)["changed"] is False

    def state():
        return host.module("community.windows.win_scheduled_task_stat", name="keep")["state"]["status"]

    def running():
        text = host.run("C:\\Program Files\\WSL\\wsl.exe", "-l", "-v", WSL_UTF8="1").stdout
        return b"Running" in text

    deadline = time.monotonic() + 10
    while not running() and time.monotonic() < deadline:
        time.sleep(0.01)
    machine.clock.advance(3600)
    assert (running(), state()) == (True, "TASK_STATE_RUNNING")
    machine.reboot()
    deadline = time.monotonic() + 10
    while not running() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running()
    assert host.module(module, name="keep", state="absent")["changed"] is True
    machine.wsl_backend.stop_all()


def test_s4u_without_password_is_refused_as_by_the_real_module(host, fails):
    with fails("password must be set when logon_type=s4u"):
        host.module("community.windows.win_scheduled_task", **{**TASK, "password": None})


def test_a_password_makes_a_task_change_every_time(host):
    task = {**TASK, "update_password": True, "triggers": []}
    host.module("community.windows.win_scheduled_task", **task)
    assert host.module("community.windows.win_scheduled_task", **task)["changed"] is True


def test_commands_report_rc_and_texts(host, fails):
    done = host.module("win_command", _raw_params="whoami.exe")
    assert (done["stdout"], done["rc"], done["changed"]) == ("lab-pc\\student\r\n", 0, True)
    with fails("non-zero return code") as caught:
        host.module("win_command", argv=["C:\\Windows\\System32\\wsl.exe", "--status"])
    assert caught.value.result["rc"] == 4294967295
    with fails("The system cannot find the file specified") as caught:
        host.module("win_command", _raw_params="nosuch.exe a")
    assert caught.value.result["rc"] == 2
    skipped = host.module("win_command", _raw_params="whoami.exe", creates="C:\\Windows")
    assert (skipped["skipped"], skipped["changed"]) == (True, False)


def test_a_program_that_is_there_but_not_played_fails_loudly(host):
    with pytest.raises(SimulatorError, match="simulator: program not known: .*systeminfo.exe"):
        host.run("systeminfo.exe")


def test_free_space_and_listeners_are_facts(build, on):
    host = on(build(disks={"C": {"size_gb": 237, "free_gb": 6}}))
    disks = host.module("community.windows.win_disk_facts", filter=["partitions", "volumes"])["ansible_facts"][
        "ansible_disks"
    ]
    assert disks[0]["partitions"][0]["volumes"][0]["size_remaining"] == 6 * 2**30
    ports = host.module("win_listen_ports_facts")["ansible_facts"]["tcp_listen"]
    assert [(item["address"], item["name"]) for item in ports if item["port"] == 7890] == [
        ("0.0.0.0", "verge-mihomo.exe")
    ]


@pytest.mark.parametrize("path", sorted(describe.MACHINES.glob("*.yml")), ids=lambda path: path.stem)
def test_every_machine_description_loads(path, tmp_path):
    machine = Machine.load(path, tmp_path)
    assert machine.description["summary"]
    assert Machine.load(path, tmp_path).summary() == machine.summary()


def test_an_unknown_key_in_a_description_is_refused():
    with pytest.raises(ValueError, match="unknown keys \\['biuld'\\] in windows"):
        describe.complete({"windows": {"biuld": 1}})
