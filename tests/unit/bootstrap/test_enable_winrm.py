"""bootstrap/Enable-WinRM.ps1, run by a real PowerShell on a Windows that functions stand in for (windows.ps1)."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "bootstrap" / "Enable-WinRM.ps1"
PWSH = os.environ.get("PWSH") or shutil.which("pwsh")
pytestmark = pytest.mark.skipif(not PWSH, reason="needs PowerShell 7: pwsh on the PATH, or its path in PWSH")

OURS = "HKLM:\\SOFTWARE\\wsl-dl-playbook\\Enable-WinRM"
POLICIES = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Policies\\System"
WINRM = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"
FIREWALL = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall"
NTLM = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Lsa\\MSV1_0"
SID = "S-1-5-21-1-2-3-1001"


def adapter(index, *addresses, metric=None, physical=True):
    ways = {} if metric is None else {"RouteMetric": 0, "InterfaceMetric": metric}
    return {"InterfaceIndex": index, "Addresses": list(addresses), "Physical": physical, "RouteMetric": None} | ways


LAN = adapter(5, "192.168.1.20", metric=25)
WSL = adapter(40, "172.29.0.1", physical=False)
TUN = adapter(60, "198.18.0.1", metric=0, physical=False)


class Pc:
    """A PC as the script sees it: ``world`` holds what a run leaves."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.certificate = folder / "winrm.pem"
        self.world: dict = {
            "computer": "DESKTOP-1",
            "domain": "DESKTOP-1",
            "user": "me",
            "drive": str(folder / "C"),
            "registry": {POLICIES: {}},
            "listeners": [],
            "certificates": [],
            "auth": {
                "Basic": "false",
                "Kerberos": "true",
                "Negotiate": "true",
                "Certificate": "false",
                "CredSSP": "false",
            },
            "service": {"StartType": "Manual", "Status": "Stopped"},
            "accounts": [
                {"Name": "me", "Enabled": True, "PrincipalSource": "Local", "PasswordLastSet": "x", "SID": SID}
            ],
            "administrators": [SID],
            "adapters": [LAN, WSL],
            "networks": [{"Name": "home", "NetworkCategory": "Private", "InterfaceIndex": 5}],
            "rules": [],
        }
        self.groups, self.sid = '"Mandatory Label\\High","Label","S-1-16-12288",""', SID

    def run(self, **arguments) -> tuple[int, str]:
        """Run the script; return its exit code and what it said."""
        system = self.folder / "C" / "Windows" / "System32"
        system.mkdir(parents=True, exist_ok=True)
        whoami = system / "whoami.exe"
        name = f"{self.world['domain']}\\{self.world['user']}".lower()
        answer = f"/groups) cat <<'E'\n{self.groups}\nE\n;;\n/user) cat <<'E'\n\"{name}\",\"{self.sid}\"\nE\n;;"
        whoami.write_text(f"#!/bin/sh\ncase $1 in\n{answer}\nesac\n", encoding="utf-8")
        whoami.chmod(0o755)
        path = self.folder / "world.json"
        path.write_text(json.dumps(self.world), encoding="utf-8")
        given = {"CertificateFile": str(self.certificate)} | arguments
        harness = Path(__file__).with_name("windows.ps1")
        argv = [PWSH, "-NoProfile", "-NonInteractive", "-File", harness, path, SCRIPT, json.dumps(given)]
        done = subprocess.run(
            [str(word) for word in argv],
            env={**os.environ, "HOME": str(self.folder), "NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not done.stderr, done.stderr + done.stdout
        self.world = json.loads(path.read_text(encoding="utf-8"))
        return done.returncode, done.stdout

    def open(self, **arguments) -> tuple[int, str]:
        """Run it for a control node in the LAN."""
        return self.run(ControlNode=["192.168.1.10"], **arguments)


@pytest.fixture
def pc(tmp_path):
    return Pc(tmp_path)


def refused(pc, *texts, **arguments):
    """Run the script and expect that it stops with all these texts and changes nothing."""
    before = copy.deepcopy(pc.world)
    code, said = pc.open(**arguments)
    assert code == 1, said
    assert [text for text in texts if text not in said] == [], said
    assert said.count("Stopped: ") == said.count("What to do: ")
    assert pc.world == before
    assert not pc.certificate.exists()
    return said


def test_opened_again_and_taken_back(pc):
    before = copy.deepcopy(pc.world)
    code, said = pc.open()
    assert code == 0, said
    assert pc.world["service"] == {"StartType": "Automatic", "Status": "Running"}
    assert pc.world["auth"] == {
        "Basic": "false",
        "Kerberos": "false",
        "Negotiate": "true",
        "Certificate": "false",
        "CredSSP": "false",
    }
    assert [(item["transport"], item["port"]) for item in pc.world["listeners"]] == [("HTTPS", "5986")]
    assert [rule["RemoteAddress"] for rule in pc.world["rules"]] == [["192.168.1.10"]]
    assert pc.world["registry"][POLICIES] == {"LocalAccountTokenFilterPolicy": 1}
    assert "windows_address: 192.168.1.20\n" in said
    assert "windows_user: 'me'\n" in said
    assert pc.certificate.read_text().startswith("-----BEGIN CERTIFICATE-----\n")
    opened = copy.deepcopy(pc.world)
    code, said = pc.open()
    assert (code, pc.world) == (0, opened)
    code, said = pc.run(Remove=True)
    assert (code, pc.world) == (0, before), said
    assert "There is nothing to take back." in pc.run(Remove=True)[1]


def test_what_if_only_tells(pc):
    before = copy.deepcopy(pc.world)
    code, said = pc.open(WhatIf=True)
    assert (code, pc.world) == (0, before), said


def test_no_administrator_and_nobody_named(pc):
    pc.groups = '"Mandatory Label\\Medium","Label","S-1-16-8192",""'
    refused(pc, "This needs the rights of an administrator.")
    pc.groups = '"\u9ad8\u5f3a\u5236\u6807\u7b7e","\u6807\u7b7e","S-1-16-12288",""'
    assert "Nobody was named who may connect." in pc.run()[1]


def test_a_listener_of_somebody_else_is_left_alone(pc):
    pc.world["service"] = {"StartType": "Automatic", "Status": "Running"}
    pc.world["listeners"] = [{"name": "Listener_7", "transport": "HTTPS", "port": "5986", "thumbprint": "BB"}]
    said = refused(
        pc, "a certificate of somebody else", "Remove-Item 'WSMan:\\localhost\\Listener\\Listener_7' -Recurse"
    )
    assert "winrm delete" not in said  # winrm.cmd is VBScript


def test_a_listener_that_somebody_else_made_later_survives_remove(pc):
    pc.open()
    pc.world["listeners"] = [{"name": "Listener_7", "transport": "HTTPS", "port": "5986", "thumbprint": "BB"}]
    pc.run(Remove=True)
    assert [item["name"] for item in pc.world["listeners"]] == ["Listener_7"]


def test_a_pin_is_no_password_and_all_findings_come_at_once(pc):
    pc.world["accounts"][0]["PasswordLastSet"] = None
    pc.world["administrators"] = ["S-1-5-21-1-2-3-500"]
    pc.world["registry"][WINRM] = {"AllowAutoConfig": 0}
    said = refused(pc, "has no password (or only a PIN)", "is no administrator", "AllowAutoConfig = 0")
    assert said.count("Stopped: ") == 3


def test_a_microsoft_account_is_told_about_its_password(pc):
    pc.world["accounts"][0] |= {"PrincipalSource": "MicrosoftAccount", "PasswordLastSet": None}
    code, said = pc.open()
    assert code == 0, said
    assert "'me' is a Microsoft account. Ansible logs on as me with its password, not the PIN." in said


def test_an_account_that_there_is_not_and_one_that_is_disabled(pc):
    refused(pc, "There is no account 'you' on this PC.", User="you")
    pc.world["accounts"][0]["Enabled"] = False
    refused(pc, "The account 'me' is disabled.", User="DESKTOP-1\\me")


@pytest.mark.parametrize(
    ("adapters", "address", "names"),
    [
        ([TUN, LAN, WSL], "192.168.1.20", ["192.168.1.20"]),
        ([adapter(9, "28.0.0.1", metric=0, physical=False), LAN], "192.168.1.20", ["192.168.1.20"]),
        ([adapter(9, "100.101.1.2", metric=5, physical=False), LAN], "192.168.1.20", ["192.168.1.20"]),
        ([adapter(9, "10.8.0.6", metric=1, physical=False), LAN], "192.168.1.20", ["192.168.1.20", "10.8.0.6"]),
        ([adapter(8, "192.168.7.7", metric=50), LAN], "192.168.1.20", ["192.168.1.20", "192.168.7.7"]),
        ([adapter(8, "169.254.3.4", metric=1), LAN], "192.168.1.20", ["192.168.1.20"]),
        ([adapter(30, "192.168.1.21", metric=15, physical=False), WSL, TUN], "192.168.1.21", ["192.168.1.21"]),
        ([WSL], "DESKTOP-1", []),
    ],
    ids=["tun", "tun-28", "overlay", "vpn", "two-cards", "no-dhcp", "hyper-v-switch", "none"],
)
def test_the_address_is_that_of_the_lan(pc, adapters, address, names):
    pc.world["adapters"] = adapters
    code, said = pc.open()
    assert code == 0, said
    assert f"windows_address: {address}\n" in said
    text = pc.world["certificates"][0]["Names"]
    assert [part.split("=")[1] for part in text.split("&") if part.startswith("IPAddress=")] == names


def test_a_domain_account_is_named_with_its_domain(pc):
    pc.world |= {"domain": "CORP", "user": "jane", "accounts": []}
    code, said = pc.open()
    assert code == 0, said
    assert "windows_user: 'CORP\\jane'\n" in said
    assert "NTLM works while this PC reaches a domain controller" in said


@pytest.mark.parametrize("given", [{}, {"User": "AzureAD\\jane@corp.example"}])
def test_an_entra_account_cannot_log_on_with_ntlm(pc, given):
    pc.world |= {"domain": "AzureAD", "user": "JaneDoe", "accounts": []}
    pc.sid = "S-1-12-1-1-2-3-4"
    refused(pc, "is an Entra (Azure AD) account", "Make a local administrator and name it with -User", **given)


@pytest.mark.parametrize(
    ("path", "name", "value", "said"),
    [
        (WINRM, "AllowAutoConfig", 0, "A group policy forbids remote management"),
        (WINRM, "AllowNegotiate", 0, "A group policy forbids NTLM for WinRM"),
        (f"{WINRM}\\WinRS", "AllowRemoteShellAccess", 0, "A group policy forbids remote shells"),
        (NTLM, "RestrictReceivingNTLMTraffic", 2, "A policy refuses incoming NTLM"),
        (
            f"{FIREWALL}\\StandardProfile",
            "AllowLocalPolicyMerge",
            0,
            "networks of the kind Private (AllowLocalPolicyMerge = 0)",
        ),
    ],
)
def test_a_group_policy_that_forbids_it_is_named(pc, path, name, value, said):
    pc.world["registry"][path] = {name: value}
    refused(pc, said, "Ask those who look after this PC")


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        (WINRM, "AllowAutoConfig", 1),
        (WINRM, "DisableRunAs", 1),
        (WINRM, "AllowKerberos", 1),
        (NTLM, "RestrictReceivingNTLMTraffic", 1),
        (f"{FIREWALL}\\PublicProfile", "AllowLocalPolicyMerge", 0),
    ],
)
def test_a_group_policy_that_does_not_matter_stops_nobody(pc, path, name, value):
    pc.world["registry"][path] = {name: value}
    code, said = pc.open()
    assert code == 0, said
    assert pc.run(Remove=True)[0] == 0


def test_names_that_are_not_ascii(pc):
    (pc.folder / "Desktop").mkdir()
    pc.world |= {"computer": "\u5de5\u4f5c\u7ad9", "domain": "\u5de5\u4f5c\u7ad9", "user": "\u5f20\u4f1f"}
    pc.world["accounts"][0]["Name"] = "\u5f20\u4f1f"
    pc.certificate = pc.folder / "\u8bc1\u4e66.pem"
    code, said = pc.open()
    assert code == 0, said
    assert "windows_user: '\u5f20\u4f1f'\n" in said
    assert pc.world["certificates"][0]["Subject"] == "CN=xn--2qq276am0v"
    assert pc.certificate.read_bytes().isascii()
    assert len(pc.world["certificates"]) == 1
    pc.open()
    assert len(pc.world["certificates"]) == 1


# --- many PCs: as the system, with a certificate of the house's CA ------------------------------------------------


HOUSE = "CN=House CA, DC=corp, DC=example"


def issued(thumbprint, name="desktop-1.corp.example", **changes):
    """Return a certificate in the PC's store, of the house's CA and for this PC unless something else is said."""
    one = {"Thumbprint": thumbprint, "FriendlyName": "", "Issuer": HOUSE, "DnsNames": [name], "Days": 300}
    return {**one, **changes}


@pytest.fixture
def managed(pc):
    """A PC on which a group policy or Intune runs the script: as the system, with an account that is there already."""
    pc.sid = "S-1-5-18"
    pc.world |= {"domain": "CORP", "user": "DESKTOP-1$"}
    pc.world["certificates"] = [
        issued("C1", Days=20),
        issued("C2"),
        issued("C3", Days=900, Usage="1.3.6.1.5.5.7.3.2"),
        issued("C4", "desktop-11.corp.example", Days=900),
        issued("C5", Days=900, Issuer="CN=House CA of somebody else"),
        issued("C6", Days=-2),
    ]
    return pc


def thumbprints(pc) -> list[str]:
    return [item["thumbprint"] for item in pc.world["listeners"]]


def test_the_listener_has_the_certificate_of_the_house_and_follows_its_renewal(managed):
    before = copy.deepcopy(managed.world)
    given = {"User": "me", "CertificateIssuer": "CN=House CA", "CertificateFile": ""}
    code, said = managed.open(**given)
    assert (code, thumbprints(managed)) == (0, ["C2"]), said
    assert "windows_address: desktop-1.corp.example\nwindows_user: 'me'\n" in said
    assert managed.world["certificates"] == before["certificates"]  # none is made
    assert managed.world["registry"][OURS]["Ready"] == "yes"
    assert not managed.certificate.exists()
    opened = copy.deepcopy(managed.world)
    assert (managed.open(**given)[0], managed.world) == (0, opened)
    managed.world["certificates"] = [issued("C7", Days=365)]  # the CA has renewed it, and the former one is gone
    assert (managed.open(**given)[0], thumbprints(managed)) == (0, ["C7"])
    assert managed.run(Remove=True)[0] == 0
    assert managed.world == before | {"certificates": [issued("C7", Days=365)]}


def test_the_whole_name_of_the_ca_is_taken_as_well_and_a_self_signed_one_gives_way(managed):
    managed.open(User="me")
    assert thumbprints(managed) == ["AA6"]
    code, said = managed.open(User="me", CertificateIssuer=HOUSE, CertificateFile="")
    assert (code, thumbprints(managed)) == (0, ["C2"]), said


def test_a_pc_without_a_certificate_of_the_house_is_told_so(managed):
    managed.world["certificates"] = managed.world["certificates"][2:]
    said = refused(
        managed, "There is no certificate of 'CN=House CA' for DESKTOP-1", User="me", CertificateIssuer="CN=House CA"
    )
    assert '"certutil -pulse" asks for it now' in said


def test_run_by_the_system_it_needs_an_account_and_keeps_what_it_said(managed):
    refused(managed, "This runs as the system, and nobody said which account Ansible is to use.")
    log = managed.folder / "C" / "ProgramData" / "wsl-dl-playbook" / "Enable-WinRM.log"
    assert "Name it with -User" in log.read_text(encoding="utf-8")
    code, said = managed.open(User="me", CertificateFile="")
    assert code == 0, said
    assert log.with_name("winrm-DESKTOP-1.pem").read_text().startswith("-----BEGIN CERTIFICATE-----\n")
    said = log.read_text(encoding="utf-8")
    assert "ready" in said
    assert "This runs as the system" not in said


def test_certificates_are_collected_in_a_folder(pc):
    (pc.folder / "share").mkdir()
    code, said = pc.open(CertificateFile=str(pc.folder / "share"))
    assert code == 0, said
    assert [path.name for path in (pc.folder / "share").iterdir()] == ["winrm-DESKTOP-1.pem"]
