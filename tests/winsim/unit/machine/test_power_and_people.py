"""What a PC does while nobody looks: sleep; who is signed in, session 0, reserved ports, rules of one name, the environment."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from lab.winsim.errors import SimulatorError
from lab.winsim.model import power

ROOT = Path(__file__).parents[4]

PLAN = "381b4222-f694-41f0-9685-ff5bb260df2e"
STANDBY = "29f6c1db-86da-48c5-9fdb-f2b67b1f44da"
QUERY = ("powercfg.exe", "/query", "SCHEME_CURRENT", "SUB_SLEEP")


@pytest.mark.parametrize(
    ("language", "mains"), [("en-US", "Current AC Power Setting Index"), ("zh-CN", "当前交流电源设置索引")]
)
def test_powercfg_speaks_the_language_of_windows(build, on, language, mains):
    said = on(build(windows={"language": language})).run(*QUERY).stdout.decode()
    assert re.findall(rf"{mains}: 0x([0-9a-f]{{8}})", said) == ["00000708", "00000001", "00002a30"]
    assert PLAN in said.splitlines()[0]


def test_a_timeout_takes_effect_when_the_plan_is_set_active(host):
    assert host.run("powercfg.exe", "/setacvalueindex", PLAN, "SUB_SLEEP", STANDBY, "0").rc == 0
    assert power.read(host.machine, PLAN, STANDBY, "ac") == 0
    assert [event for event in host.machine.events if event["event"] == "power plan"] == []
    assert host.run("powercfg.exe", "/setactive", "SCHEME_CURRENT").rc == 0
    (event,) = [event for event in host.machine.events if event["event"] == "power plan"]
    assert (event["standby"], event["hibernate"]) == (0, 10800)


def test_powercfg_refuses_a_plan_that_is_gone_and_what_a_policy_decides(host):
    assert host.run("powercfg.exe", "/query", PLAN.replace("3", "4"), "SUB_SLEEP").rc == 1
    policy = f"HKLM:\\SOFTWARE\\Policies\\Microsoft\\Power\\PowerSettings\\{STANDBY}"
    host.module("win_regedit", path=policy, name="ACSettingIndex", data=600, type="dword")
    assert "0x00000258" in host.run(*QUERY).stdout.decode()
    assert host.run("powercfg.exe", "/setacvalueindex", PLAN, "SUB_SLEEP", STANDBY, "0").rc == 1
    with pytest.raises(SimulatorError, match="powercfg: arguments not known"):
        host.run("powercfg.exe", "/hibernate", "off")


def test_winget_does_not_start_in_session_0(build, on, fails):
    machine = build(installed=[{"name": "winget"}])
    remote = on(machine)
    winget = f"{machine.profile_of('student')}\\AppData\\Local\\Microsoft\\WindowsApps\\winget.exe"
    with fails("A specified logon session does not exist") as caught:
        remote.module("win_command", argv=[winget, "--version"])
    assert caught.value.result["rc"] == 1312
    remote.session.number = 1
    assert remote.module("win_command", argv=[winget, "--version"])["stdout"] == "v1.28.190\r\n"


TASKLIST = ("tasklist.exe", "/fi", "imagename eq explorer.exe", "/fo", "csv", "/nh")


def test_the_desktop_of_a_person_is_seen_until_the_next_start(build, on):
    host = on(build(signed_in=["student"], windows={"language": "zh-CN"}))
    assert host.run(*TASKLIST).stdout.decode().startswith('"explorer.exe",')
    host.machine.reboot()
    said = host.run(*TASKLIST)
    assert (said.rc, "explorer.exe" in said.stdout.decode()) == (0, False)


def test_a_minute_until_the_restart_takes_a_second_and_can_be_called_off(host):
    began = time.monotonic()
    for _ in range(2):
        assert host.run("shutdown.exe", "/r", "/t", "60", "/c", "why").rc == 0
        assert host.run("shutdown.exe", "/a").rc == 0
    assert host.run("shutdown.exe", "/r", "/t", "60", "/c", "why").rc == 0
    while len(host.machine.boots) == 1:
        assert time.monotonic() < began + 20
        time.sleep(0.05)
    asked = [event for event in host.machine.events if event["event"] == "shutdown requested"][-1]
    assert (asked["delay"], asked["reason"]) == (60, "why")
    assert host.machine.boots[1]["time"] - host.machine.boots[0]["time"] > 60


def test_the_module_for_listeners_fails_when_one_of_them_is_newer_than_its_list(build, on, fails):
    host = on(build(faults={"listeners": 1}))
    with fails("retrieving ports facts: Cannot bind argument to parameter 'InputObject' because it is null"):
        host.module("win_listen_ports_facts")
    assert host.module("win_listen_ports_facts")["ansible_facts"]["tcp_listen"]


def test_windows_names_the_ports_that_it_keeps_for_itself(build, on):
    host = on(build(network={"excluded_ports": [[7840, 7939]]}, windows={"language": "zh-CN"}))
    said = host.run("netsh.exe", "int", "ipv4", "show", "excludedportrange", "protocol=tcp").stdout.decode()
    assert re.findall(r"(?m)^ +(\d+) +(\d+)\r?$", said) == [("7840", "7939")]


def test_absent_looks_at_the_name_of_a_rule_only(build, on):
    rules = [{"name": "clash", "action": action, "program": "C:\\clash.exe"} for action in ("allow", "block")]
    host = on(build(firewall=rules))
    module = "community.windows.win_firewall_rule"
    assert host.module(module, name="clash", direction="in", action="block", state="absent")["changed"] is True
    assert host.machine.firewall == []


def test_a_rule_is_switched_off_by_its_id(build, on):
    rules = [
        {"name": "clash", "action": "allow", "id": "TCP Query User{1}C:\\a [x].exe"},
        {"name": "clash", "action": "block", "id": "TCP Query User{2}C:\\a [x].exe"},
    ]
    host = on(build(firewall=rules))
    script = (ROOT / "roles/windows_proxy/files/firewall_rules.ps1").read_text()
    host.module("win_powershell", script=script, parameters={"Id": [rules[1]["id"]], "Enabled": "False"})
    assert [rule.enabled for rule in host.machine.firewall] == [True, False]
    key = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"
    assert "|Active=FALSE|" in host.module("win_reg_stat", path=key, name=rules[1]["id"])["value"]


def test_the_users_variables_win_in_a_new_process_and_the_path_grows(build):
    machine = build(environment={"http_proxy": "http://machine:1", "no_proxy": "machine"})
    view = machine.registry.view("student")
    view.set("HKCU\\Environment", "HTTP_PROXY", "http://user:2")
    seen = machine.environment_for("student")
    assert (seen["http_proxy"], seen["no_proxy"]) == ("http://user:2", "machine")
    assert seen["Path"].lower().startswith("c:\\windows\\system32;")
    assert seen["Path"].endswith("\\Microsoft\\WindowsApps;")
    assert machine.environment_for("SYSTEM")["http_proxy"] == "http://machine:1"
