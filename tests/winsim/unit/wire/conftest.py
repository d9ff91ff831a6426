"""A machine in memory and a process on it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lab.winsim import handlers
from lab.winsim.machine import Machine
from lab.winsim.model import describe
from lab.winsim.model.blank import install_windows
from lab.winsim.process import InputStream, Process, Session


@pytest.fixture(scope="session", autouse=True)
def _handlers() -> None:
    handlers.load_handlers()


@pytest.fixture
def machine() -> Machine:
    """A bare Windows 11 in English."""
    made = Machine(describe.complete({"hostname": "LAB-PC"}))
    describe.connect(made)
    install_windows(made)
    made._first_boot()
    describe.apply(made)
    return made


class Result:
    """What a process wrote and returned."""

    def __init__(self) -> None:
        self.stdout, self.stderr, self.code = bytearray(), bytearray(), 0

    @property
    def lines(self) -> list[str]:
        """The lines on stdout."""
        return self.stdout.decode().splitlines()


@pytest.fixture
def process(machine: Machine) -> Callable[..., tuple[Process, Result]]:
    """Make a process of the user ``student`` and the result it writes to."""

    def make(stdin: bytes = b"", **environment: str) -> tuple[Process, Result]:
        session = Session(machine, "student", environment=machine.environment_for("student"))
        session.cwd = "C:\\Users\\student"
        session.environment.update(environment)
        result = Result()
        made = Process(
            session=session,
            argv=["test"],
            environment=session.environment.copy(),
            stdin=InputStream(stdin),
            write_stdout=result.stdout.extend,
            write_stderr=result.stderr.extend,
        )
        return made, result

    return make
