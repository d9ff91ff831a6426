"""The programs of Windows that bootstrap/Install.ps1 calls."""

from __future__ import annotations

import pytest

from lab.winsim.errors import SimulatorError
from lab.winsim.model.files import Content

FEATURE = "/featurename:VirtualMachinePlatform"
TASK = """<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled><UserId>{user}</UserId></LogonTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>{user}</UserId><LogonType>{logon}</LogonType>
    <RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><ExecutionTimeLimit>PT0S</ExecutionTimeLimit></Settings>
  <Actions Context="Author"><Exec><Command>C:\\x.exe</Command><Arguments>-File "C:\\a b"</Arguments></Exec></Actions>
</Task>"""


def lines(done):
    return [line for line in done.stdout.decode().replace("\r\n", "\n").split("\n") if line]


def test_dism_switches_a_feature_and_asks_for_a_restart(host):
    features = host.machine.features
    assert host.run("dism.exe", "/online", "/english", "/enable-feature", FEATURE, "/all", "/norestart").rc == 3010
    assert features.find("VirtualMachinePlatform").state == "EnablePending"
    assert "State : Enable Pending" in lines(host.run("dism.exe", "/online", "/english", "/get-featureinfo", FEATURE))
    assert host.machine.reboot_reasons() == ["component servicing"]
    host.machine.reboot()
    assert host.run("dism.exe", "/online", "/english", "/disable-feature", FEATURE, "/norestart").rc == 3010
    with pytest.raises(SimulatorError):
        host.run("dism.exe", "/online", "/enable-feature", FEATURE)


def test_reg_prints_values_and_keys_as_windows_does(host):
    key = "HKLM\\SOFTWARE\\X"
    host.run("reg.exe", "add", key, "/v", "Name", "/t", "REG_SZ", "/d", "a b", "/f")
    host.machine.registry.set(f"{key}\\Below", "Number", 6899)
    full = "HKEY_LOCAL_MACHINE\\SOFTWARE\\X"
    assert lines(host.run("reg.exe", "query", key, "/v", "Name")) == [full, "    Name    REG_SZ    a b"]
    assert lines(host.run("reg.exe", "query", key)) == [full, "    Name    REG_SZ    a b", f"{full}\\Below"]
    below = [f"{full}\\Below", "    Number    REG_DWORD    0x1af3"]
    assert lines(host.run("reg.exe", "query", key, "/s")) == [full, "    Name    REG_SZ    a b", *below]
    assert lines(host.run("reg.exe", "query", key, "/s", "/v", "Number"))[:2] == below
    missing = host.run("reg.exe", "query", key, "/v", "Nobody")
    text = b"ERROR: The system was unable to find the specified registry key or value.\r\n"
    assert (missing.rc, missing.stdout, missing.stderr) == (1, b"", text)
    assert host.run("reg.exe", "delete", key, "/f").rc == 0
    assert host.run("reg.exe", "query", key).rc == 1


def test_a_task_from_xml_runs_for_its_person(host):
    path, sid = "C:\\task.xml", host.machine.sid(host.session.user)
    host.machine.files.write_bytes(path, TASK.format(user=sid, logon="InteractiveToken").encode("utf-16"))
    assert host.run("schtasks.exe", "/create", "/tn", "x y", "/xml", path, "/f").rc == 0
    (task,) = host.machine.tasks.values()
    assert task.definition["actions"] == [
        {"type": "TASK_ACTION_EXEC", "path": "C:\\x.exe", "arguments": '-File "C:\\a b"'}
    ]
    assert task.definition["principal"]["user_id"] == host.session.user
    assert host.run("schtasks.exe", "/delete", "/tn", "x y", "/f").rc == 0
    assert host.run("schtasks.exe", "/delete", "/tn", "x y", "/f").rc == 1
    host.machine.files.write_bytes(path, TASK.format(user=sid, logon="Password").encode("utf-16"))
    with pytest.raises(SimulatorError):
        host.run("schtasks.exe", "/create", "/tn", "x y", "/xml", path, "/f")


def test_netstat_shows_where_the_proxy_listens(build, on):
    proxy = {"address": "127.0.0.1:7897", "running": True, "listens": "127.0.0.1"}
    shown = lines(on(build(network={"proxy": proxy})).run("netstat.exe", "-a", "-n", "-o"))
    assert [line.split()[1:4] for line in shown if ":7897 " in line and "LISTENING" in line] == [
        ["127.0.0.1:7897", "0.0.0.0:0", "LISTENING"]
    ]


def test_certutil_and_fsutil(build, on):
    pc = on(build(disks={"C": {"size_gb": 100, "free_gb": 50}, "D": {"size_gb": 900, "free_gb": 500}}))
    pc.machine.files.put("D:\\x", Content(1, digests={"sha256": "ab" * 32}))
    assert lines(pc.run("certutil.exe", "-hashfile", "D:\\x", "SHA256"))[:2] == ["SHA256 hash of D:\\x:", "ab" * 32]
    assert pc.run("certutil.exe", "-hashfile", "D:\\y", "SHA256").rc == 0x80070002
    assert lines(pc.run("fsutil.exe", "fsinfo", "drives")) == ["Drives: C:\\ D:\\"]
    assert lines(pc.run("fsutil.exe", "volume", "diskfree", "C:")) == [
        "Total free bytes        :      53,687,091,200 (   50.0 GB)"
    ]
    assert pc.run("fsutil.exe", "fsinfo", "ntfsinfo", "E:").rc == 1


def test_netsh_makes_a_rule(host):
    words = ["dir=in", "action=allow", "protocol=TCP", "localport=7890", "remoteip=172.16.0.0/12"]
    show = ["netsh.exe", "advfirewall", "firewall", "show", "rule", "name=a: b"]
    assert host.run(*show).rc == 1
    assert host.run("netsh.exe", "advfirewall", "firewall", "add", "rule", "name=a: b", *words).rc == 0
    (rule,) = [rule for rule in host.machine.firewall if rule.name == "a: b"]
    assert (rule.protocol, rule.localport, rule.remoteip, rule.action) == ("tcp", "7890", "172.16.0.0/12", "allow")
    assert host.run(*show).rc == 0
    with pytest.raises(SimulatorError):
        host.run("netsh.exe", "advfirewall", "firewall", "add", "rule", "name=a", "dir=out")
