"""A PC that windows_proxy was applied to."""

from __future__ import annotations

from tests.windows.pc import MINE, MINE_USER

CURL = "C:\\Windows\\System32\\curl.exe"
INTERNET = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
ENVIRONMENT = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
RULES = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"


def test_the_system_proxy_is_on(pc):
    values = pc.key(INTERNET)["properties"]
    assert (values["ProxyEnable"]["value"], values["ProxyServer"]["value"]) == (1, "127.0.0.1:7890")


def test_command_line_programs_find_the_proxy_in_their_environment(pc):
    values = pc.key(ENVIRONMENT)["properties"]
    assert values["http_proxy"]["value"] == "http://127.0.0.1:7890"
    assert values["https_proxy"]["value"] == "http://127.0.0.1:7890"
    assert values["no_proxy"]["value"] == "localhost,127.0.0.1,::1"


def test_wsl_may_reach_the_proxy_through_the_firewall_and_nobody_else(pc):
    rules = [value["value"] for value in pc.key(RULES)["properties"].values()]
    (rule,) = [rule for rule in rules if "Name=wsl-dl-playbook: WSL to the proxy|" in rule]
    for part in ("Action=Allow", "Active=TRUE", "Dir=In", "Protocol=6", "LPort=7890"):
        assert f"|{part}|" in rule
    remote = [part for part in rule.split("|") if part.startswith("RA4=")]
    assert remote
    assert all(part.startswith(("RA4=172.16.0.0/", "RA4=192.168.0.0/")) for part in remote)


def test_curl_reaches_the_internet_through_the_proxy(pc):
    page = "https://releases.ubuntu.com/24.04.5/SHA256SUMS"
    asked = ["--silent", "--fail", "--ssl-revoke-best-effort", "--proxy", "http://127.0.0.1:7890", page]
    assert "-wsl-amd64.wsl" in pc.run(CURL, *asked)


def test_a_system_proxy_that_the_program_switched_on_itself_was_left_alone(pc):
    own = pc.name.endswith("already-done")
    assert (pc.events("user proxy") == []) is own
    assert (pc.value(f"{MINE_USER}\\windows_proxy", "user") is None) is own


def test_what_was_there_is_kept(pc):
    was = pc.value(f"{MINE}\\windows_proxy", "environment")
    assert ("127.0.0.1:7890" in was) is pc.name.endswith("already-done")
