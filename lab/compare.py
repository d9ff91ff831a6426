"""What makes up a machine of the lab, without what two equal machines differ in."""

from __future__ import annotations

import json
import re
from typing import Any

from lab import engine, windows
from lab.winsim.client import Client


def windows_state(name: str) -> dict[str, Any]:
    """Return what makes up a simulated PC: no times, no counters, no random ids, no traces of Ansible's own work."""
    state = Client(windows.state_of(name)).state()
    ids = [instance["id"] for instance in state["extra"].get("visual_studio", [])]
    kept = ("registry", "files", "features", "firewall", "wsl", "host_name", "reboot_reasons", "extra")
    text = json.dumps({key: _lasting(state[key]) for key in kept})
    for word in ids:
        text = text.replace(word, "VISUAL-STUDIO")
    tasks = [(task["name"], task["definition"]) for task in state["tasks"]]
    return json.loads(_GUID.sub("GUID", text)) | {"tasks": json.loads(_GUID.sub("GUID", json.dumps(tasks)))}


_LOOK = r"""
set -eu
find /etc /usr/local /home /root /opt /usr/share/keyrings /usr/lib/systemd /usr/lib/lab -xdev \( -type f -o -type l \) \
  -printf '%p %m %u:%g %l\n' -type f -exec sha256sum {} +
dpkg-query -W -f 'package ${Package} ${Version} ${db:Status-Abbrev}\n'
apt-mark showmanual | sed 's/^/manual /'
apt-mark showhold | sed 's/^/hold /'
export SYSTEMD_PAGER= SYSTEMD_COLORS=0
systemctl list-unit-files --no-legend | awk '{print "unit", $1, $2}'
systemctl list-units --no-legend --plain 'docker*' 'containerd*' 'wsl-proxy*.socket' 'nvidia*' |
  awk '{print "runs", $1, $3}'
if command -v docker >/dev/null; then
  docker info --format 'docker {{json .Runtimes}} {{.CDISpecDirs}} {{.HTTPProxy}} {{.NoProxy}}'
fi
"""
_NOISE = re.compile(
    r"/etc/machine-id|/etc/ld\.so\.cache|/etc/(passwd|group|shadow|gshadow|subuid|subgid)-|/etc/\.pwd\.lock|/etc/resolv\.conf|/etc/hosts"
    r"|/etc/hostname|/etc/mtab|/etc/lab-networking|/\.ansible/|/etc/docker/key\.json|unit .*\.(scope|device) "
)


def distribution_state(container: str) -> set[str]:
    """Return one line for each file of the system and the users, package, unit, and for Docker's own view of itself."""
    return {
        line for line in engine.docker("exec", container, "sh", "-c", _LOOK).splitlines() if not _NOISE.search(line)
    }


def differences(one: Any, other: Any, where: str = "") -> list[str]:
    """Return in which places two states differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            text
            for key in sorted(one.keys() | other.keys())
            for text in differences(one.get(key), other.get(key), f"{where}/{key}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [text for index, (a, b) in pairs for text in differences(a, b, f"{where}/{index}")]
    return [] if one == other else [f"{where}: {str(one)[:300]} != {str(other)[:300]}"]


def traces(state: dict[str, Any]) -> set[str]:
    r"""Return one line for each file, folder, registry key and value, and for each other part of a state."""
    found = {f"host name {state['host_name']}"}
    for drive in state["files"]["drives"].values():
        found |= _files(drive, "")
    for hive in state["registry"]["roots"].values():
        found |= _keys(hive, "")
    found |= {f"feature {feature['name']} {feature['state']}" for feature in state["features"]}
    found |= {f"firewall {rule}" for rule in state["firewall"]} | {f"task {task}" for task in state["tasks"]}
    for part in ("wsl", "extra"):
        found |= {f"{part} {key} {json.dumps(value)}" for key, value in state[part].items() if value and key != "wsl"}
    return found


def _files(node: dict[str, Any], folder: str) -> set[str]:
    path = f"{folder}{node['name']}"
    if "children" not in node:
        return {f"{path} {json.dumps(node.get('content'), sort_keys=True)}"}
    path = f"{path.rstrip(chr(92))}\\"
    return {path}.union(*(_files(child, path) for child in node["children"]))


def _keys(node: dict[str, Any], parent: str) -> set[str]:
    path = f"{parent}{node['name']}\\"
    lines = {f"{path} {value}" for value in node.get("values", [])}
    return {path} | lines.union(*(_keys(child, path) for child in node.get("keys", [])))


_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# Where WSL is in the network is decided at each start of its virtual machine.
_PASSING = {
    "NatGatewayIpAddress",
    "NatNetwork",
    "times",
    "running",
    "starts",
    "since",
    "InstallDate",
    "LastRunTime",
    "signed_in",
    "installed_at",
}
_ANSIBLES = {".ansible_async", "Temp", ".ansible"}


def _lasting(node: Any) -> Any:
    """Leave out what differs between two PCs that are equal."""
    if isinstance(node, dict):
        return {key: _lasting(value) for key, value in node.items() if key not in _PASSING}
    if isinstance(node, list):
        return [_lasting(item) for item in node if not _is_passing(item)]
    return node


def _is_passing(item: Any) -> bool:
    if isinstance(item, dict):
        return item.get("name") in _ANSIBLES
    return isinstance(item, list) and bool(item) and item[0] in _PASSING
