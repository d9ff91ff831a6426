"""What the wire half and the machine half of winsim share.

A *session* is one logon on a machine. A *process* is one program started in a session, a *module call* one Ansible
module with its checked arguments. Handlers register themselves with :func:`module` and :func:`command`.
"""

from __future__ import annotations

import importlib
import io
import ntpath
import pkgutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any


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


class SimulatorError(Exception):
    """Something the simulator does not know; the text always begins with ``simulator: ``."""

    def __init__(self, text: str) -> None:
        super().__init__(text if text.startswith("simulator: ") else f"simulator: {text}")


class ModuleFailure(Exception):
    """A module ends with FailJson: ``failed: true``, the message, and any further result keys."""

    def __init__(self, msg: str, **result: Any) -> None:
        super().__init__(msg)
        self.msg = msg
        self.result = result


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


ModuleHandler = Callable[[ModuleCall], dict[str, Any]]
CommandHandler = Callable[[Process], int]

MODULES: dict[str, ModuleHandler] = {}
COMMANDS: dict[str, CommandHandler] = {}


def module(*fqcn: str) -> Callable[[ModuleHandler], ModuleHandler]:
    """Register a handler for the modules of these full names, for example ``ansible.windows.win_ping``."""

    def register(handler: ModuleHandler) -> ModuleHandler:
        for name in fqcn:
            MODULES[name] = handler
        return handler

    return register


def command(*exe_names: str) -> Callable[[CommandHandler], CommandHandler]:
    """Register a handler for programs by lower-case base name, for example ``wsl.exe``."""

    def register(handler: CommandHandler) -> CommandHandler:
        for name in exe_names:
            COMMANDS[name.lower()] = handler
        return handler

    return register


def load_handlers() -> None:
    """Import every handler file, so that :data:`MODULES` and :data:`COMMANDS` are complete."""
    for package_name in ("winsim.modules", "winsim.commands", "winsim.pwsh"):
        try:
            package = importlib.import_module(package_name)
        except ModuleNotFoundError as error:
            if error.name != package_name:
                raise
            continue
        for info in pkgutil.walk_packages(package.__path__, package_name + "."):
            importlib.import_module(info.name)
    for name in ("winsim.cmdexe", "winsim.async_jobs"):
        importlib.import_module(name)


def run_process(process: Process) -> int:
    """Run a program and return its exit code.

    The machine finds the program (``machine.resolve_program(process)`` returns a full path); it raises
    FileNotFoundError when Windows would not find it.

    Raises:
        SimulatorError: the program exists on the machine but the simulator can not play it.
    """
    path = process.machine.resolve_program(process)
    handler = COMMANDS.get(ntpath.basename(path).lower())
    if handler is None:
        raise SimulatorError(f"program not known: {path}")
    return handler(process)


def run_captured(
    session: Session,
    argv: list[str],
    *,
    command_line: str = "",
    stdin: bytes = b"",
    environment: CaseInsensitiveDict | None = None,
    cwd: str = "",
    cancelled: threading.Event | None = None,
) -> CompletedProcess:
    """Run a program as :func:`run_process` does and collect its output."""
    stdout, stderr = io.BytesIO(), io.BytesIO()
    process = Process(
        session=session,
        argv=argv,
        command_line=command_line,
        environment=environment if environment is not None else session.environment.copy(),
        stdin=InputStream(stdin),
        write_stdout=stdout.write,
        write_stderr=stderr.write,
        cancelled=cancelled or threading.Event(),
        cwd=cwd,
    )
    rc = run_process(process)
    return CompletedProcess(rc, stdout.getvalue(), stderr.getvalue())


def split_command_line(text: str) -> list[str]:
    """Split a command line by the rules of CommandLineToArgvW.

    Backslashes are literal unless a quote follows them; ``""`` inside quotes is one quote.
    """
    arguments: list[str] = []
    text = text.lstrip(" \t")
    position = 0
    if text:  # the program name knows no escapes
        if text[0] == '"':
            end = text.find('"', 1)
            end = len(text) if end < 0 else end
            arguments.append(text[1:end])
            position = end + 1
        else:
            end = next((at for at, char in enumerate(text) if char in " \t"), len(text))
            arguments.append(text[:end])
            position = end
    current: list[str] | None = None
    quoted = False
    while position < len(text):
        char = text[position]
        if char == "\\":
            end = position
            while end < len(text) and text[end] == "\\":
                end += 1
            count = end - position
            current = current if current is not None else []
            if end < len(text) and text[end] == '"':
                current.append("\\" * (count // 2))
                if count % 2:
                    current.append('"')
                    end += 1
            else:
                current.append("\\" * count)
            position = end
            continue
        if char == '"':
            current = current if current is not None else []
            if quoted and text[position + 1 : position + 2] == '"':
                current.append('"')
                position += 2
                continue
            quoted = not quoted
        elif char in " \t" and not quoted:
            if current is not None:
                arguments.append("".join(current))
            current = None
        else:
            current = current if current is not None else []
            current.append(char)
        position += 1
    if current is not None:
        arguments.append("".join(current))
    return arguments


def join_command_line(argv: Iterable[str]) -> str:
    """Quote arguments so that :func:`split_command_line` gives them back (the program name must hold no quote)."""
    parts = []
    for index, argument in enumerate(argv):
        if argument and not any(char in argument for char in ' \t\n\v"'):
            parts.append(argument)
        elif index == 0:
            parts.append(f'"{argument}"')
        else:
            parts.append(_quote(argument))
    return " ".join(parts)


def _quote(argument: str) -> str:
    text, backslashes = ['"'], 0
    for char in argument:
        if char == "\\":
            backslashes += 1
            continue
        text.append("\\" * (backslashes * 2 + 1 if char == '"' else backslashes) + char)
        backslashes = 0
    text.append("\\" * (backslashes * 2) + '"')
    return "".join(text)
