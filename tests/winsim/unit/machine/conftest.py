"""A machine in memory, and modules and programs run on it as a user would."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab.winsim import errors, handlers, process
from lab.winsim.machine import Machine
from lab.winsim.model import describe
from lab.winsim.model.blank import install_windows

USER = "student"


@pytest.fixture(scope="session", autouse=True)
def _handlers() -> None:
    handlers.load_handlers()


@pytest.fixture
def build() -> Callable[..., Machine]:
    """Make a machine from keys of a description."""

    def make(**description: Any) -> Machine:
        machine = Machine(describe.complete(description))
        describe.connect(machine)
        install_windows(machine)
        machine._first_boot()
        describe.apply(machine)
        return machine

    return make


@pytest.fixture
def machine(build: Callable[..., Machine]) -> Machine:
    """A bare Windows 11."""
    return build()


class Host:
    """Runs modules and programs on a machine."""

    def __init__(self, machine: Machine, user: str = USER, logon: str = "network") -> None:
        self.machine = machine
        self.session = process.Session(machine, user, logon=logon, environment=machine.environment_for(user))
        self.session.cwd = machine.profile_of(user)

    def module(self, name: str, /, check: bool = False, diff: bool = False, **args: Any) -> dict[str, Any]:
        """Call a module (``win_ping`` means ``ansible.windows.win_ping``)."""
        full = name if "." in name else f"ansible.windows.{name}"
        return handlers.MODULES[full](process.ModuleCall(self.session, full, args, check, diff))

    def run(self, *argv: str, stdin: bytes = b"", **environment: str) -> process.CompletedProcess:
        """Run a program."""
        variables = self.session.environment.copy()
        variables.update(environment)
        return handlers.run_captured(self.session, list(argv), stdin=stdin, environment=variables)


@pytest.fixture
def host(machine: Machine) -> Host:
    """The user of a bare Windows 11."""
    return Host(machine)


@pytest.fixture
def on() -> type[Host]:
    """Make a host of any machine: ``on(machine)``."""
    return Host


@pytest.fixture
def fails() -> Callable[..., Any]:
    """Expect a module to fail with a text."""

    def expect(text: str) -> Any:
        return pytest.raises(errors.ModuleFailure, match=text)

    return expect
