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
import yaml
from simulator_process import PASSWORD, Simulator


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
            check=False,
        )
        text = done.stdout
        report = json.loads(text[text.index("{") : text.rindex("}") + 1])
        results = {task["task"]["name"]: task["hosts"]["pc"] for task in report["plays"][0]["tasks"]}
        results["rc"] = done.returncode
        results["stats"] = report["stats"]["pc"]
        results["output"] = done.stdout + done.stderr
        return results

    return run


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of one file follow each other on one worker: they share a simulator."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.xdist_group(item.path.name))
