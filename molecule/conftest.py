"""Fixtures that every scenario shares. The tests run on the lab's distributions, or on a real one (``make verify``)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.windows.pc import Pc
from verify import runner
from verify.fixtures import user_run as user_run

ROOT = Path(__file__).resolve().parent.parent


def pytest_configure() -> None:
    """Load Ansible once for all questions."""
    runner.load()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fail, rather than pass with nothing done, when a scenario has no test."""
    if not items:
        raise pytest.UsageError("no test was collected")


@pytest.fixture
def pc(host) -> Pc:
    """Return the scenario's simulated Windows PC, as tests ask it."""
    return Pc(host)


@pytest.fixture
def windows_address(host) -> str:
    """Return the address of the Windows host as the distribution sees it now (its default gateway)."""
    return host.check_output("ip -4 route show default").split()[2]


@pytest.fixture
def requests_during(host) -> Callable:
    """Return a function that does something and tells which requests of this distribution the lab logged meanwhile.

    The records are those of ``python -m lab requests`` with ``via`` proxy or direct and this machine as client.
    """
    if not os.environ.get("MOLECULE_SCENARIO_NAME"):
        pytest.skip("needs the lab's request log; a real Internet keeps none")
    address = host.check_output("ip -4 -o addr show dev eth0").split()[3].split("/")[0]

    def during(action: Callable[[], object]) -> list[dict]:
        start = time.time()
        action()
        argv = [sys.executable, "-m", "lab", "requests", "--since", str(start - 0.01)]
        lines = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
        return [record for record in map(json.loads, lines) if record["client"] == address]

    return during
