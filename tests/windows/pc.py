"""One Windows PC under test: read through Ansible, so real or simulated; with its event log where it is simulated."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import compare, windows

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
        done = windows.command(verb, self.name, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the events of these kinds."""
        return [event for event in windows.events(self.name) if event["event"] in kinds]

    def state(self) -> dict[str, Any]:
        """Return what makes up the PC."""
        return compare.windows_state(self.name)
