"""A running simulator, and Ansible runs against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import winrm
import yaml
from winsim.control import Client

HERE = Path(__file__).parent
LAB = HERE.parents[1] / "lab"
PASSWORD = "Stu-dent 1:%"


class Simulator:
    """One ``python -m winsim serve`` process."""

    def __init__(self, state: Path, *options: str) -> None:
        self.state = state
        self.options = options

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the command line of winsim."""
        environment = {**os.environ, "PYTHONPATH": str(LAB)}
        return subprocess.run(
            [sys.executable, "-m", "winsim", *arguments], env=environment, capture_output=True, text=True, timeout=60
        )

    def start(self) -> None:
        """Start it on free ports."""
        ports = () if "--http" in self.options else ("--http", "0", "--https", "0")
        done = self.command(
            "serve",
            "--machine",
            str(HERE / "machines" / "english.yml"),
            "--state",
            str(self.state),
            "--background",
            *ports,
            *self.options,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        self.client = Client(self.state)

    def stop(self) -> None:
        """Stop it."""
        assert self.command("stop", "--state", str(self.state)).returncode == 0

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


@pytest.fixture(scope="session")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A simulator that the tests of a run share; they leave no fault behind."""
    started = Simulator(tmp_path_factory.mktemp("winsim"))
    started.start()
    yield started
    started.stop()


@pytest.fixture
def own_simulator(tmp_path: Path) -> Iterator[Callable[..., Simulator]]:
    """Start a simulator of the test's own, with options."""
    running = []

    def start(*options: str) -> Simulator:
        started = Simulator(tmp_path / f"state{len(running)}", *options)
        started.start()
        running.append(started)
        return started

    yield start
    for started in running:
        started.stop()


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run tasks with the real ansible-playbook; the result maps task names to results."""

    def run(simulator: Simulator, tasks: list[dict[str, Any]], *options: str, **variables: Any) -> dict[str, Any]:
        connection = {
            "ansible_host": "127.0.0.1",
            "ansible_port": simulator.client.info["http_port"],
            "ansible_connection": "winrm",
            "ansible_winrm_scheme": "http",
            "ansible_winrm_transport": "basic",
            "ansible_winrm_server_cert_validation": "ignore",
            "ansible_user": "student",
            "ansible_password": PASSWORD,
            **variables,
        }
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(yaml.safe_dump({"all": {"hosts": {"pc": connection}}}))
        playbook = tmp_path / "play.yml"
        playbook.write_text(yaml.safe_dump([{"hosts": "pc", "gather_facts": False, "tasks": tasks}]))
        environment = {
            **os.environ,
            "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json",
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
        }
        done = subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, *options],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        text = done.stdout
        report = json.loads(text[text.index("{") : text.rindex("}") + 1])
        results = {task["task"]["name"]: task["hosts"]["pc"] for task in report["plays"][0]["tasks"]}
        results["rc"] = done.returncode
        results["stats"] = report["stats"]["pc"]
        results["output"] = done.stdout + done.stderr
        return results

    return run
