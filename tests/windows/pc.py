"""One Windows PC under test: read through Ansible, so real or simulated; with its event log where it is simulated."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import windows

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MINE = "HKLM:\\SOFTWARE\\wsl-dl-playbook"
MINE_USER = "HKCU:\\Software\\wsl-dl-playbook"


class Pc:
    """Wraps testinfra's ``host`` (Ansible backend)."""

    def __init__(self, host: Any) -> None:
        self.host = host
        self.name: str = host.backend.host

    def module(self, module: str, **arguments: Any) -> dict[str, Any]:
        """Run a module that only reads."""
        return self.host.ansible(module, json.dumps(arguments), check=False)

    def key(self, path: str) -> dict[str, Any]:
        """Return a registry key: ``exists``, ``properties`` and ``sub_keys``."""
        return self.module("ansible.windows.win_reg_stat", path=path)

    def value(self, path: str, name: str) -> Any:
        """Return a registry value, None when there is none."""
        return self.module("ansible.windows.win_reg_stat", path=path, name=name).get("value")

    def exists(self, path: str) -> bool:
        """Tell whether a file or folder is there."""
        return self.module("ansible.windows.win_stat", path=path, get_checksum=False)["stat"]["exists"]

    def text(self, path: str) -> str:
        """Return the content of a file."""
        return base64.b64decode(self.module("slurp", src=path)["content"]).decode()

    def run(self, *argv: str) -> str:
        """Run a command that only reads, in an environment where wsl.exe speaks UTF-8, and return its output."""
        done = self.host.ansible("ansible.windows.win_command", json.dumps({"argv": argv}), check=False)
        assert done["rc"] == 0, done
        return done["stdout"].replace("\x00", "").strip()

    def profile(self) -> str:
        """Return the profile folder of the connecting user."""
        return self.run("C:\\Windows\\System32\\cmd.exe", "/d", "/c", "echo %USERPROFILE%")

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the simulator's events of these kinds; a real PC has none, and the test is skipped."""
        if not windows.state_of(self.name).exists():
            pytest.skip("needs the simulator's event log")
        return [event for event in windows.events(self.name) if not kinds or event["event"] in kinds]


@dataclass
class Run:
    """One finished run of a playbook."""

    code: int
    output: str
    recap: dict[str, int]


class SimulatedPc:
    """A simulated PC that whole playbooks are run on."""

    def __init__(self, name: str, inventory: Path) -> None:
        self.name, self.inventory = name, inventory
        self.folder = windows.state_of(name)

    def play(self, *arguments: str, playbook: str = "playbooks/windows.yml") -> Run:
        """Run a playbook on this PC alone."""
        argv = [BIN / "ansible-playbook", "-i", "inventory/lab", "-i", self.inventory, "--limit", self.name, playbook]
        done = subprocess.run(
            [str(word) for word in [*argv, *arguments]],
            cwd=ROOT,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        lines = [line for line in done.stdout.splitlines() if line.startswith(self.name) and " ok=" in line]
        numbers = (pair.split("=") for pair in lines[-1].split(":", 1)[1].split()) if lines else ()
        return Run(done.returncode, done.stdout, {key: int(number) for key, number in numbers})

    def winsim(self, verb: str, *arguments: str) -> str:
        """Ask the simulator of this PC."""
        done = windows.winsim(verb, "--state", str(self.folder), *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of these kinds."""
        return [event for event in windows.events(self.name) if event["event"] in kinds]

    def state(self) -> dict[str, Any]:
        """Return what makes up the PC: no times, no counters, no random ids, no traces of Ansible's own work."""
        state = json.loads(self.winsim("state"))
        ids = [instance["id"] for instance in state["extra"].get("visual_studio", [])]
        kept = ("registry", "files", "features", "services", "firewall", "wsl", "host_name", "reboot_reasons", "extra")
        text = json.dumps({key: _lasting(state[key]) for key in kept})
        for word in ids:
            text = text.replace(word, "VISUAL-STUDIO")
        tasks = [(task["name"], task["definition"]) for task in state["tasks"]]
        return json.loads(_GUID.sub("GUID", text)) | {"tasks": json.loads(_GUID.sub("GUID", json.dumps(tasks)))}


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
    found |= {f"service {service['name']} {service['start_mode']}" for service in state["services"]}
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
_PASSING = {"times", "running", "starts", "since", "InstallDate", "LastRunTime", "installed_at"}
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
