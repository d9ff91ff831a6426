"""One Windows PC under test: read through Ansible's modules, so real or simulated; its event log where it is simulated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
        import base64

        return base64.b64decode(self.module("slurp", src=path)["content"]).decode()

    def run(self, *argv: str) -> str:
        """Run a command that only reads, in an environment where wsl.exe speaks UTF-8, and return its output."""
        done = self.host.ansible("ansible.windows.win_command", json.dumps({"argv": argv}), check=False)
        assert done["rc"] == 0, done
        return done["stdout"].replace("\x00", "").strip()

    def facts(self) -> dict[str, Any]:
        """Return the facts without their prefix."""
        return {key.removeprefix("ansible_"): value for key, value in self.module("setup")["ansible_facts"].items()}

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the simulator's events of these kinds; a real PC has none, and the test is skipped."""
        if not windows.state_of(self.name).exists():
            pytest.skip("needs the simulator's event log")
        return [event for event in windows.events(self.name) if not kinds or event["event"] in kinds]


def state(name: str) -> dict[str, Any]:
    """Return the whole state of a simulated PC, without what moves by itself."""
    done = windows.winsim("state", "--state", str(windows.state_of(name)))
    assert done.returncode == 0, done.stderr
    return {key: value for key, value in json.loads(done.stdout).items() if key not in ("clock", "requests", "events")}


def playbook(inventory: Path, name: str, *arguments: str, playbook: str = "playbooks/windows.yml", **environment: str):
    """Run a playbook on one PC of the lab and return the finished process."""
    argv = [BIN / "ansible-playbook", "-i", "inventory/lab", "-i", inventory, "--limit", name, playbook, *arguments]
    return subprocess.run(
        [str(word) for word in argv],
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def recap(done: subprocess.CompletedProcess[str], name: str) -> dict[str, int]:
    """Return the numbers of the recap line of one host."""
    (line,) = [line for line in done.stdout.splitlines() if line.startswith(name) and "ok=" in line]
    return {key: int(number) for key, number in (pair.split("=") for pair in line.split(":", 1)[1].split())}
