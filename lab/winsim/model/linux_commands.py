"""The few Linux commands that the in-memory distributions know. Anything else fails loudly."""

from __future__ import annotations

import posixpath
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from lab.winsim.errors import SimulatorError
from lab.winsim.model import wsl
from lab.winsim.model.guest import Guest, LinuxProcess, LinuxUser

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc


class Shell:
    """One command with what it needs: the guest, the user, input and output."""

    def __init__(self, machine: Pc, guest: Guest, process: LinuxProcess, ended: threading.Event) -> None:
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


def run(machine: Pc, guest: Guest, process: LinuxProcess, ended: threading.Event) -> int:
    """Run a process of a guest.

    Raises:
        SimulatorError: the command is not known, or a shell is to read it.
    """
    if process.shell is not None:
        raise SimulatorError(f"a distribution in memory has no shell for {process.shell[:200]!r}")
    if not process.argv:
        return 0  # an interactive shell whose input is at its end
    handler = COMMANDS.get(posixpath.basename(process.argv[0]))
    if handler is None:
        raise SimulatorError(f"Linux command not known: {process.argv[0]}")
    return handler(Shell(machine, guest, process, ended), process.argv[1:])


@command("fstrim")
def _fstrim(shell: Shell, args: list[str]) -> int:
    """``/``: tells the disk which blocks hold nothing any more."""
    if args != ["/"] or shell.user.uid != 0:
        raise SimulatorError(f"fstrim: arguments not known: {args}")
    node = shell.machine.files.get(shell.process.distribution.disk)
    if node is not None and node.content is not None and "freed" in node.content.data:
        node.content = replace(node.content, data={**node.content.data, "trimmed": True})
    return 0


@command("id")
def _id(shell: Shell, args: list[str]) -> int:
    """``-u [NAME]`` and ``-un``."""
    if not args or args[0] not in ("-u", "-un") or len(args) > 2:
        raise SimulatorError(f"id: arguments not known: {args}")
    user = shell.guest.users.get(args[1]) if len(args) == 2 else shell.user
    if user is None:
        shell.err(f"id: ‘{args[1]}’: no such user\n")
        return 1
    shell.out(f"{user.name if args[0] == '-un' else user.uid}\n")
    return 0


@command("passwd")
def _passwd(shell: Shell, args: list[str]) -> int:
    if len(args) != 2 or args[0] not in ("-S", "--status"):
        raise SimulatorError(f"passwd: arguments not known: {args}")
    user = shell.guest.users.get(args[1])
    if user is None:
        shell.err(f"passwd: user '{args[1]}' does not exist\n")
        return 1
    state = "L" if user.hash.startswith(("!", "*")) else "P"
    shell.out(f"{user.name} {state} 2026-11-01 0 99999 7 -1\n")
    return 0


@command("useradd")
def _useradd(shell: Shell, args: list[str]) -> int:
    options: dict[str, str] = {}
    words = list(args)
    while len(words) > 1:
        option = words.pop(0)
        if option not in ("-m", "-s", "-G", "-u"):
            raise SimulatorError(f"useradd: option not known: {option}")
        options[option[1:]] = "" if option == "-m" else words.pop(0)
    if not shell.need_root("useradd"):
        return 1
    guest, name = shell.guest, words[0]
    if name in guest.users:
        shell.err(f"useradd: user '{name}' already exists\n")
        return 9
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
        shell.err(f"useradd: invalid user name '{name}'\n")
        return 3
    taken = {user.uid for user in guest.users.values()}
    uid = int(options["u"]) if "u" in options else max([999, *[uid for uid in taken if uid < 60000]]) + 1
    if uid in taken:
        shell.err(f"useradd: UID {uid} is not unique\n")
        return 4
    groups = [group for group in options.get("G", "").split(",") if group]
    for group in groups:
        if group not in guest.groups:
            shell.err(f"useradd: group '{group}' does not exist\n")
            return 6
    guest.groups.setdefault(name, uid)
    home = f"/home/{name}"
    guest.users[name] = LinuxUser(name, uid, guest.groups[name], groups, home, options.get("s", "/bin/sh"))
    if "m" in options:
        guest.folders.add(home)
    shell.machine.log("linux user", distribution=shell.process.distribution.name, name=name, uid=uid)
    return 0


@command("chpasswd")
def _chpasswd(shell: Shell, args: list[str]) -> int:
    if args not in (["-e"], ["--encrypted"], []):
        raise SimulatorError(f"chpasswd: arguments not known: {args}")
    if not shell.need_root("chpasswd"):
        return 1
    lines = shell.process.stdin.read(-1).decode().splitlines()
    for number, line in enumerate(lines, 1):
        name, colon, secret = line.partition(":")
        if not colon or name not in shell.guest.users:
            shell.err(
                f"chpasswd: line {number}: user '{name}' does not exist\nchpasswd: error detected, changes ignored\n"
            )
            return 1
        secret = secret.rstrip("\r")
        shell.guest.users[name].hash = secret if args else "$y$plain$" + str(len(secret))
    return 0


@command("cat")
def _cat(shell: Shell, args: list[str]) -> int:
    rc = 0
    if not args:
        shell.out(shell.process.stdin.read(-1))
    for arg in args:
        path = shell.path(arg)
        special = _generated(shell, path)
        if special is not None:
            shell.out(special)
        elif path in shell.guest.files:
            shell.out(shell.guest.files[path])
        else:
            shell.err(f"cat: {arg}: No such file or directory\n")
            rc = 1
    return rc


def _generated(shell: Shell, path: str) -> str | None:
    if path == "/proc/sys/kernel/random/boot_id":
        start = f"{shell.machine.boots[-1]['time']} {wsl.runtime(shell.machine)['starts']}"
        return f"{uuid.uuid5(uuid.NAMESPACE_OID, start)}\n"
    if path == "/etc/passwd":
        users = shell.guest.users.values()
        return "".join(f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:{user.shell}\n" for user in users)
    return None


@command("tee")
def _tee(shell: Shell, args: list[str]) -> int:
    append = bool({"-a", "--append"} & set(args))
    data, rc = shell.process.stdin.read(-1), 0
    for arg in args:
        if not arg.startswith("-"):
            path = shell.path(arg)
            rc = _write(shell, path, (shell.guest.files.get(path, b"") if append else b"") + data) or rc
    shell.out(data)
    return rc


@command("sleep")
def _sleep(shell: Shell, args: list[str]) -> int:
    limit = None if args == ["infinity"] else time.monotonic() + float(args[0]) * shell.machine.clock.scale
    if limit is not None:
        shell.machine.clock.advance(float(args[0]))
    while not shell.process.cancelled.is_set() and not shell.ended.is_set():
        if limit is not None and time.monotonic() >= limit:
            return 0
        shell.ended.wait(0.1)
    return 143


@command("true", ":", "sync")
def _true(shell: Shell, args: list[str]) -> int:
    return 0


@command("false")
def _false(shell: Shell, args: list[str]) -> int:
    return 1


@command("wslinfo")
def _wslinfo(shell: Shell, args: list[str]) -> int:
    answers = {
        "--networking-mode": wsl.networking_mode(shell.machine, shell.process.distribution.user),
        "--wsl-version": (wsl.package_version(shell.machine) or "").removesuffix(".0"),
        "--version": (wsl.package_version(shell.machine) or "").removesuffix(".0"),
    }
    if len(args) != 1 or args[0] not in answers:
        raise SimulatorError(f"wslinfo: arguments not known: {args}")
    shell.out(answers[args[0]] + "\n")
    return 0


def _write(shell: Shell, path: str, data: bytes) -> int:
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
