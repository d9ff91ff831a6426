"""Sessions and what runs in them.

A *session* is one logon on a machine. A *process* is one program started in a session, a *module call* one Ansible
module with its checked arguments.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from lab.winsim.command_line import join_command_line


class CaseInsensitiveDict(MutableMapping[str, str]):
    """A Windows environment: names compare without case, the first spelling of a name is kept."""

    def __init__(self, values: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **more: str) -> None:
        self._items: dict[str, tuple[str, str]] = {}
        self.update(values, **more)

    def __getitem__(self, name: str) -> str:
        return self._items[name.lower()][1]

    def __setitem__(self, name: str, value: str) -> None:
        known = self._items.get(name.lower())
        self._items[name.lower()] = (known[0] if known else name, value)

    def __delitem__(self, name: str) -> None:
        del self._items[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self._items.values()])

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._items

    def __repr__(self) -> str:
        return f"CaseInsensitiveDict({dict(self.items())!r})"

    def copy(self) -> CaseInsensitiveDict:
        """Return an independent copy."""
        return CaseInsensitiveDict(self.items())


@dataclass
class Session:
    """One logon on the machine."""

    machine: Any
    user: str
    elevated: bool = True
    logon: str = "network"  # network | interactive | batch | service
    number: int = 0  # Windows' session; 0 has no desktop, and what comes over WinRM runs there
    environment: CaseInsensitiveDict = field(default_factory=CaseInsensitiveDict)
    cwd: str = "C:\\"
    codepage: int = 65001

    def copy(self, **changes: Any) -> Session:
        """Return a session with its own environment and the given fields changed."""
        values = {**self.__dict__, "environment": self.environment.copy(), **changes}
        return Session(**values)


class InputStream:
    """Standard input: bytes that may still be arriving."""

    def __init__(self, data: bytes = b"", closed: bool = True) -> None:
        self._buffer = bytearray(data)
        self._closed = closed
        self._changed = threading.Condition()

    def feed(self, data: bytes) -> None:
        """Append bytes that have arrived."""
        with self._changed:
            self._buffer += data
            self._changed.notify_all()

    def close(self) -> None:
        """Mark the end of the stream; readers get what is left and then ``b""``."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes, at least one; everything to the end if negative; ``b""`` at the end."""
        with self._changed:
            if size < 0:
                self._changed.wait_for(lambda: self._closed)
                size = len(self._buffer)
            elif size:
                self._changed.wait_for(lambda: self._closed or self._buffer)
            data = bytes(self._buffer[:size])
            del self._buffer[:size]
            return data

    def readline(self) -> bytes:
        """Return one line with its line feed; the unterminated rest, or ``b""``, at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or b"\n" in self._buffer)
            end = self._buffer.find(b"\n") + 1 or len(self._buffer)
            line = bytes(self._buffer[:end])
            del self._buffer[:end]
            return line


@dataclass
class Process:
    """One program started in a session. Output goes to the two callables, as bytes."""

    session: Session
    argv: list[str]
    command_line: str = ""
    environment: CaseInsensitiveDict = field(default_factory=CaseInsensitiveDict)
    stdin: Any = field(default_factory=InputStream)
    write_stdout: Callable[[bytes], Any] = lambda data: None
    write_stderr: Callable[[bytes], Any] = lambda data: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    cwd: str = ""
    announce: Callable[[str], Any] = lambda text: None  # tells the fault switch what runs
    pid: int = 0  # of what was started at a terminal; 0 of all else

    def __post_init__(self) -> None:
        self.command_line = self.command_line or join_command_line(self.argv)
        self.cwd = self.cwd or self.session.cwd

    @property
    def machine(self) -> Any:
        """The machine of the session."""
        return self.session.machine

    @property
    def user(self) -> str:
        """The account that runs the program."""
        return self.session.user


@dataclass
class ModuleCall:
    """One module with its arguments: validated, aliases resolved, defaults applied, types converted."""

    session: Session
    name: str
    args: dict[str, Any]
    check_mode: bool = False
    diff: bool = False
    environment: CaseInsensitiveDict = field(default_factory=CaseInsensitiveDict)
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def machine(self) -> Any:
        """The machine of the session."""
        return self.session.machine

    @property
    def user(self) -> str:
        """The account that runs the module."""
        return self.session.user


@dataclass
class CompletedProcess:
    """What :func:`run_captured` returns."""

    rc: int
    stdout: bytes
    stderr: bytes
