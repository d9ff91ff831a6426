"""A simulator process for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import winrm

from lab.winsim.client import Client

HERE = Path(__file__).parent
PATHS = [str(HERE.parents[1])]
PASSWORD = "Stu-dent 1:%"


class Simulator:
    """One ``python -m lab pc serve`` process."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.options = options

    def command(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m lab pc VERB`` for this PC."""
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
        return subprocess.run(
            [sys.executable, "-m", "lab", "pc", verb, str(self.state), *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def start(self) -> None:
        """Start it on free ports."""
        done = self.command("serve", "--machine", str(HERE / "machines" / "english.yml"), "--background", *self.options)
        assert done.returncode == 0, done.stdout + done.stderr
        self.client = Client(self.state)

    def stop(self) -> None:
        """Stop it."""
        assert self.command("stop").returncode == 0

    def events(self, name: str) -> list[dict[str, Any]]:
        """The events of one kind."""
        return [event for event in self.client.log() if event["event"] == name]

    def protocol(self, transport: str = "plaintext", scheme: str = "http", **more: Any) -> winrm.Protocol:
        """A pywinrm protocol object for this host."""
        settings = {"username": "student", "password": PASSWORD, "server_cert_validation": "ignore", "proxy": None}
        endpoint = f"{scheme}://127.0.0.1:{self.client.info[f'{scheme}_port']}/wsman"
        return winrm.Protocol(endpoint=endpoint, transport=transport, **{**settings, **more})

    def run(self, command: str, *arguments: str, skip: bool = False, **more: Any) -> tuple[bytes, bytes, int]:
        """Run one command in a shell of its own."""
        protocol = self.protocol(**more)
        shell = protocol.open_shell(codepage=65001)
        identifier = protocol.run_command(shell, command, arguments, skip_cmd_shell=skip)
        try:
            return protocol.get_command_output(shell, identifier)
        finally:
            protocol.cleanup_command(shell, identifier)
            protocol.close_shell(shell)
