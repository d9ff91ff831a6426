"""The definition files for receptor (docs/receptor): the options are receptor's own, and the nodes fit each other.

No receptor runs here. Options and which are required: receptor's docs/source/user_guide/configuration_options.rst and
the structures behind it (ansible/receptor 52be401, after 1.4.9).
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "receptor"
NODES = {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yml"))}
SECTIONS = {
    "node": "id datadir firewallrules maxidleconnectiontimeout",
    "log-level": "level",
    "tls-servers": "name! cert! key! requireclientcert clientcas pinnedclientcert skipreceptornamescheck mintls13",
    "tls-clients": "name! cert! key! rootcas insecureskipverify pinnedservercert skipreceptornamescheck mintls13",
    "tcp-listeners": "port! bindaddr tls cost nodecost allowedpeers",
    "tcp-peers": "address! tls redial cost allowedpeers",
    "control-services": "service filename permissions tls tcplisten tcptls",
    "work-commands": "worktype! command! params allowruntimeparams verifysignature",
    "work-signing": "privatekey tokenexpiration",
    "work-verification": "publickey",
}
"""What each section may have; ! is required."""


def entries(node: dict, section: str) -> list[dict]:
    found = node.get(section, [])
    return found if isinstance(found, list) else [found]


def peers() -> list[tuple[str, str, int]]:
    """Return who dials whom, and at which port."""
    found = []
    for node in NODES.values():
        for peer in entries(node, "tcp-peers"):
            address, port = re.fullmatch(r"([\w.-]+):(\d+)", peer["address"]).groups()
            found.append((node["node"]["id"], address, int(port)))
    return found


def test_there_are_two_control_nodes_and_an_execution_node():
    assert {name: node["node"]["id"] for name, node in NODES.items()} == {
        "control1": "control1.example",
        "control2": "control2.example",
        "execution1": "execution1.example",
    }
    assert sorted(peers()) == [
        ("control2.example", "control1.example", 27199),
        ("execution1.example", "control1.example", 27199),
        ("execution1.example", "control2.example", 27199),
    ]


@pytest.mark.parametrize("name", NODES)
def test_every_option_is_one_of_receptor(name):
    node = NODES[name]
    assert node["version"] == 2
    assert set(node) - {"version"} - set(SECTIONS) == set()
    for section in set(node) - {"version"}:
        known = SECTIONS[section].replace("!", "").split()
        required = {option[:-1] for option in SECTIONS[section].split() if option.endswith("!")}
        for entry in entries(node, section):
            assert set(entry) - set(known) == set(), section
            assert required - set(entry) == set(), section


@pytest.mark.parametrize("name", NODES)
def test_every_connection_is_encrypted_by_a_certificate_that_the_file_names(name):
    node = NODES[name]
    servers, clients = ({one["name"] for one in entries(node, f"tls-{kind}")} for kind in ("servers", "clients"))
    assert {one.get("tls") for one in entries(node, "tcp-listeners") + entries(node, "control-services")} <= servers
    assert {one.get("tls") for one in entries(node, "tcp-peers")} <= clients
    for one in entries(node, "tls-servers"):
        assert (one["requireclientcert"], one["clientcas"]) == (True, "/etc/receptor/tls/ca.crt")
    for one in entries(node, "tls-clients"):
        assert "insecureskipverify" not in one
        assert one["rootcas"] == "/etc/receptor/tls/ca.crt"
    for one in entries(node, "tls-servers") + entries(
        node, "tls-clients"
    ):  # receptor compares its name with the node's
        assert (one["cert"], one["key"]) == tuple(
            f"/etc/receptor/tls/{node['node']['id']}.{end}" for end in ("crt", "key")
        )


def test_who_is_dialled_listens_there_and_lets_the_caller_in():
    by_id = {node["node"]["id"]: node for node in NODES.values()}
    for caller, called, port in peers():
        (listener,) = (one for one in entries(by_id[called], "tcp-listeners") if one["port"] == port)
        assert caller in listener["allowedpeers"]
    for node in NODES.values():
        for listener in entries(node, "tcp-listeners"):
            assert set(listener["allowedpeers"]) <= set(by_id) - {node["node"]["id"]}


def test_work_is_signed_by_the_control_nodes_and_refused_without():
    (work,) = NODES["execution1"]["work-commands"]
    assert work == {
        "worktype": "ansible-runner",
        "command": "ansible-runner",
        "params": "worker",
        "verifysignature": True,
    }
    assert "| ansible-runner worker " in (ROOT / "scripts" / "runner.sh").read_text()
    assert NODES["execution1"]["work-verification"] == {"publickey": "/etc/receptor/signing/public.pem"}
    for name in ("control1", "control2"):
        assert NODES[name]["work-signing"]["privatekey"] == "/etc/receptor/signing/private.pem"
        assert "work-commands" not in NODES[name]


@pytest.mark.parametrize("page", ["docs/fleet.md", "docs/zh-CN/fleet.md"])
def test_the_command_on_the_page_is_one_for_these_nodes(page):
    (line,) = re.findall(r"receptorctl .*work submit .*", (ROOT / page).read_text(encoding="utf-8"))
    (control,) = NODES["control1"]["control-services"]
    assert f"--socket {control['filename']} work submit ansible-runner --node execution1.example " in line
    assert f"--tls-client {NODES['control1']['tls-clients'][0]['name']} --signwork " in line
