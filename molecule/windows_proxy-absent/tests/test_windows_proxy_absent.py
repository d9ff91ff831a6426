"""A PC with proxies of its own that windows_proxy has left again."""

from __future__ import annotations

from tests.windows.pc import MINE, MINE_USER

INTERNET = "HKCU:\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
ENVIRONMENT = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
RULES = "HKLM:\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"


def test_the_system_proxy_is_what_it_was(pc):
    values = pc.key(INTERNET)["properties"]
    assert (values["ProxyEnable"]["value"], values["ProxyServer"]["value"]) == (1, "10.9.9.9:3128")
    assert values["ProxyOverride"]["value"] == "<local>;10.*"
    assert values["AutoConfigURL"]["value"] == "http://10.9.9.9/proxy.pac"


def test_the_environment_is_what_it_was(pc):
    values = {name.lower(): value["value"] for name, value in pc.key(ENVIRONMENT)["properties"].items()}
    assert values["http_proxy"] == "http://10.9.9.9:3128"
    assert "https_proxy" not in values
    assert "no_proxy" not in values


def test_the_users_own_variables_are_what_they_were(pc):
    values = {name: value["value"] for name, value in pc.key("HKCU:\\Environment")["properties"].items()}
    assert {name: text for name, text in values.items() if name.lower().endswith("_proxy")} == {
        "HTTPS_PROXY": "http://127.0.0.1:10809",
        "No_Proxy": "*,10.0.0.0/8",
        "ALL_PROXY": "socks5://127.0.0.1:10808",
    }


def test_the_firewall_is_closed_again(pc):
    rules = [value["value"] for value in pc.key(RULES).get("properties", {}).values()]
    assert [rule for rule in rules if "wsl-dl-playbook" in rule] == []


def test_nothing_is_kept_any_more(pc):
    assert pc.key(f"{MINE}\\windows_proxy")["exists"] is False
    assert pc.key(f"{MINE_USER}\\windows_proxy")["exists"] is False
