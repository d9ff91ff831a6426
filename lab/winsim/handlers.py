"""Who plays which module and which program. Handlers register themselves with :func:`module` and :func:`command`."""

from __future__ import annotations

import importlib
import io
import ntpath
import pkgutil
import threading
from collections.abc import Callable
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.process import CaseInsensitiveDict, CompletedProcess, InputStream, ModuleCall, Process, Session

ModuleHandler = Callable[[ModuleCall], dict[str, Any]]
CommandHandler = Callable[[Process], int]

MODULES: dict[str, ModuleHandler] = {}
OPTIONS: dict[str, set[str]] = {}
COMMANDS: dict[str, CommandHandler] = {}


def module(name: str, *options: str) -> Callable[[ModuleHandler], ModuleHandler]:
    """Register a handler for a module, for example ``ansible.windows.win_ping``, and the only options that it knows, if not all."""

    def register(handler: ModuleHandler) -> ModuleHandler:
        MODULES[name] = handler
        if options:
            OPTIONS[name] = set(options)
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
    for package_name in ("lab.winsim.modules", "lab.winsim.commands"):
        for info in pkgutil.iter_modules(importlib.import_module(package_name).__path__, package_name + "."):
            importlib.import_module(info.name)
    for name in ("lab.winsim.cmdexe", "lab.winsim.powershell", "lab.winsim.async_jobs"):
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
