"""A very small shell for the in-memory distributions: simple commands, joined and redirected."""

from __future__ import annotations

import posixpath
import re
import shlex
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.winsim.errors import SimulatorError

if TYPE_CHECKING:
    from lab.winsim.machine import Machine
    from lab.winsim.wsl_backend import Guest, LinuxProcess


class Shell:
    """One command with what it needs: the guest, the user, input and output."""

    def __init__(self, machine: Machine, guest: Guest, process: LinuxProcess, ended: threading.Event) -> None:
        self.machine, self.guest, self.process, self.ended = machine, guest, process, ended
        self.user = guest.users[process.user]
        self.cwd = self.user.home if process.cwd in ("~", "") else process.cwd

    def path(self, text: str) -> str:
        """An absolute path."""
        if text == "~" or text.startswith("~/"):
            text = self.user.home + text[1:]
        return posixpath.normpath(posixpath.join(self.cwd, text))

    def out(self, text: str | bytes) -> None:
        """Write to standard output."""
        self.process.write_stdout(text.encode() if isinstance(text, str) else text)

    def err(self, text: str) -> None:
        """Write to standard error."""
        self.process.write_stderr(text.encode())

    def need_root(self, name: str) -> bool:
        """False, with a message, for anyone but root."""
        if self.user.uid == 0:
            return True
        self.err(f"{name}: Permission denied.\n")
        return False


Command = Callable[[Shell, list[str]], int]
COMMANDS: dict[str, Command] = {}


def command(*names: str) -> Callable[[Command], Command]:
    def add(handler: Command) -> Command:
        for name in names:
            COMMANDS[name] = handler
        return handler

    return add


def run(machine: Machine, guest: Guest, process: LinuxProcess, ended: threading.Event) -> int:
    """Run a process of a guest.

    Raises:
        SimulatorError: the command is not known.
    """
    shell = Shell(machine, guest, process, ended)
    if process.shell is not None:
        return script(shell, process.shell)
    if not process.argv:
        return 0  # an interactive shell whose input is at its end
    return run_argv(shell, process.argv)


def run_argv(shell: Shell, argv: list[str]) -> int:
    name = posixpath.basename(argv[0])
    handler = COMMANDS.get(name)
    if handler is None:
        raise SimulatorError(f"Linux command not known: {name}")
    return handler(shell, argv[1:])


def script(shell: Shell, text: str) -> int:
    """Simple commands joined by ``&&``, ``||``, ``;`` and lines, with ``>`` and ``>>``; nothing else."""
    if re.search(r"[`|<(){}]|\$[({]", re.sub(r"'[^']*'|\|\|", "", text)):
        raise SimulatorError(f"shell text not understood: {text[:200]}")
    lexer = shlex.shlex(text.replace("\n", ";"), posix=True, punctuation_chars=";&|>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    rc, join, words = 0, ";", []

    def finish() -> None:
        nonlocal rc, words
        wanted = join == ";" or (join == "&&" and rc == 0) or (join == "||" and rc != 0)
        if words and wanted:
            rc = _redirected(shell, words)
        words = []

    for token in lexer:
        if token in ("&&", "||") or set(token) == {";"}:
            finish()
            join = token if token in ("&&", "||") else ";"
        elif token in ("&", "|"):
            raise SimulatorError(f"shell text not understood: {text[:200]}")
        else:
            words.append(token)
    finish()
    return rc


def _redirected(shell: Shell, words: list[str]) -> int:
    target = next((index for index, word in enumerate(words) if word in (">", ">>")), None)
    if words[0] == "set" and all(word.startswith(("-", "+")) for word in words[1:]):
        return 0
    if target is None:
        return run_argv(shell, words)
    path = shell.path(words[target + 1])
    collected: list[bytes] = []
    write, shell.process.write_stdout = shell.process.write_stdout, collected.append
    try:
        rc = run_argv(shell, words[:target])
    finally:
        shell.process.write_stdout = write
    before = shell.guest.files.get(path, b"") if words[target] == ">>" else b""
    return write(shell, path, before + b"".join(collected)) or rc


def write(shell: Shell, path: str, data: bytes) -> int:
    if path == "/dev/null":
        return 0
    if posixpath.dirname(path) not in shell.guest.folders:
        shell.err(f"{path}: No such file or directory\n")
        return 1
    if shell.user.uid and not path.startswith((shell.user.home + "/", "/tmp/")):
        shell.err(f"{path}: Permission denied\n")
        return 1
    shell.guest.files[path] = data
    shell.guest.owners.setdefault(path, shell.user.name)
    return 0
