"""windows_proxy on PCs as people have them: other proxies, PAC files, Windows' own rules, ports that it keeps."""

from __future__ import annotations

from typing import Any

from lab.compare import traces

PROXY = ["--tags", "windows_proxy"]
ABSENT = [*PROXY, "-e", "windows_proxy_state=absent"]
UNBLOCK = ["-e", "windows_proxy_remove_block_rules=true"]
PROGRAM = "C:\\Program Files\\Clash Verge\\verge-mihomo.exe"
ALLOW = {"name": "verge-mihomo.exe", "direction": "in", "protocol": "tcp", "program": PROGRAM}
BLOCK = ALLOW | {"action": "block", "profiles": "public", "id": f"TCP Query User{{1}}{PROGRAM.lower()}"}
UDP = BLOCK | {"protocol": "udp", "id": f"UDP Query User{{3}}{PROGRAM.lower()}"}
INTERNET = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
SID = "S-1-5-21-568831229-2244024844-2769509295-1001"
LISTENS = {"address": "127.0.0.1:7890", "program": PROGRAM}


def mine(path: str, name: str, data: str | int) -> dict[str, Any]:
    """Describe a registry value of the user."""
    return {"user": "student", "path": path, "name": name, "data": data}


def values(pc, root: str, path: str) -> dict[str, Any]:
    """Return the values of a registry key, as the simulator keeps them."""
    key = {"keys": list(pc.state()["registry"]["roots"].values())}
    for name in (root, *path.split("\\")):
        key = next(child for child in key["keys"] if child["name"].lower() == name.lower())
    return {name: data for name, _, data in key["values"]}


def variables(pc) -> dict[str, dict[str, str]]:
    """Return the proxy variables of the machine and of the user."""
    hives = {
        "machine": ("HKLM", "SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"),
        "user": ("HKU", f"{SID}\\Environment"),
    }
    return {
        level: {name: data for name, data in values(pc, *place).items() if name.lower().endswith("_proxy")}
        for level, place in hives.items()
    }


def rules(pc) -> set[tuple[str, str, str, bool]]:
    """Return the rules of the firewall: name, action, protocol, and whether they are on."""
    return {(rule["name"], rule["action"], rule["protocol"], rule["enabled"]) for rule in pc.state()["firewall"]}


def test_what_people_have_set_leads_to_the_proxy_and_comes_back(new_pc):
    pc = new_pc(
        faults={"listeners": 2},
        firewall=[ALLOW | {"id": f"TCP Query User{{2}}{PROGRAM.lower()}"}, BLOCK, UDP],
        environment={"ALL_PROXY": "socks5://127.0.0.1:10808", "NO_PROXY": "*.corp.example, localhost"},
        registry=[
            mine("HKCU\\Environment", "http_proxy", "http://127.0.0.1:10809"),
            mine("HKCU\\Environment", "HTTPS_PROXY", "http://127.0.0.1:10809"),
            mine("HKCU\\Environment", "No_Proxy", "*,10.0.0.0/8"),
            mine(INTERNET, "ProxyEnable", 1),
            mine(INTERNET, "ProxyServer", "10.9.9.9:3128"),
            mine(INTERNET, "ProxyOverride", "<local>;10.*"),
            mine(INTERNET, "AutoConfigURL", "http://10.9.9.9/proxy.pac"),
        ],
    )
    before = pc.state()
    run = pc.play(*PROXY, *UNBLOCK)
    assert run.code == 0, run.output[-4000:]
    assert "Sign out of Windows on" in run.output.split("SUMMARY (")[1]
    pc.winsim("reboot")
    assert rules(pc) == {
        ("verge-mihomo.exe", "allow", "tcp", True),
        ("verge-mihomo.exe", "block", "tcp", False),
        ("verge-mihomo.exe", "block", "udp", True),
        ("wsl-dl-playbook: WSL to the proxy", "allow", "tcp", True),
    }
    assert variables(pc) == {
        "machine": {
            "http_proxy": "http://127.0.0.1:7890",
            "https_proxy": "http://127.0.0.1:7890",
            "ALL_PROXY": "http://127.0.0.1:7890",
            "NO_PROXY": "localhost,127.0.0.1,::1,*.corp.example",
        },
        "user": {
            "http_proxy": "http://127.0.0.1:7890",
            "HTTPS_PROXY": "http://127.0.0.1:7890",
            "No_Proxy": "localhost,127.0.0.1,::1,10.0.0.0/8",
        },
    }
    internet = values(pc, "HKU", f"{SID}\\{INTERNET.removeprefix('HKCU')[1:]}")
    assert internet["AutoConfigURL"] == "http://10.9.9.9/proxy.pac"
    assert (internet["ProxyEnable"], internet["ProxyServer"]) == (1, "127.0.0.1:7890")
    again = pc.play(*PROXY, *UNBLOCK)
    assert (again.code, again.recap["changed"]) == (0, 0), again.output[-4000:]
    assert "Sign out" not in again.output
    assert pc.play(*ABSENT).code == 0
    assert pc.play(*ABSENT).recap["changed"] == 0
    after = pc.state()
    assert traces(before) - traces(after) == set()
    left = {line for line in traces(after) - traces(before) if "wsl-dl-playbook" not in line}
    assert {
        line for line in left if "Internet Settings\\Connections" not in line and not line.startswith("C:")
    } == set()
    assert pc.events("simulator_error", "module_refused") == []


def test_all_that_is_wrong_is_said_at_once(new_pc):
    pc = new_pc(network={"proxy": LISTENS | {"listens": "127.0.0.1"}}, firewall=[BLOCK])
    run = pc.play(*PROXY)
    said = " ".join(run.output.split())
    assert run.code == 2
    assert 'Switch on "Allow LAN"' in said
    assert "firewall rule(s) verge-mihomo.exe" in said
    assert run.recap["changed"] == 0


def test_a_port_that_windows_keeps_for_itself_is_named(new_pc):
    pc = new_pc(network={"proxy": LISTENS | {"running": False}, "excluded_ports": [[5357, 5357], [7840, 7939]]})
    run = pc.play(*PROXY)
    said = " ".join(run.output.split())
    assert run.code == 2
    assert "Windows has reserved the ports 7840-7939" in said
    assert "Choose a port outside of 5357, 7840-7939 in the proxy program" in said
    pc = new_pc(network={"proxy": LISTENS | {"running": False}})
    said = " ".join(pc.play(*PROXY).output.split())
    assert "Nothing listens on port 7890 of this PC. Start the proxy program" in said
    assert '"netsh int ipv4 show excludedportrange protocol=tcp"), and choose a port' in said
