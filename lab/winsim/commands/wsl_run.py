"""wsl.exe as a client: start a distribution if need be and run a command in it."""

from __future__ import annotations

import posixpath
import re
from typing import Any

from lab.winsim.commands.output import is_elevated
from lab.winsim.errors import SimulatorError
from lab.winsim.model import wsl
from lab.winsim.model.guest import LinuxProcess
from lab.winsim.model.texts import win32

_VALUED = {
    "-d": "distribution",
    "--distribution": "distribution",
    "--distribution-id": "distribution",
    "-u": "user",
    "--user": "user",
    "--cd": "cd",
    "--shell-type": "shell_type",
}


def client(run: Any, arguments: list[str], error: type[Exception]) -> int:
    """Run what the command line says.

    ``--exec`` hands the words to the program as they are. Without it the distribution's shell reads the line again:
    backslashes are eaten and ``$`` is expanded.

    Args:
        run: the running wsl.exe; ``error``: its exception (key, code, values).
    """
    options, shell, argv = _read(arguments, error)
    distribution = run.distribution(options.get("distribution"))
    machine = run.machine
    if wsl.missing_features(machine) or not machine.description["hardware"]["virtualization"]:
        raise error("virtualization", "Wsl/Service/CreateInstance/CreateVm/HCS/HCS_E_HYPERV_NOT_INSTALLED")
    with machine.lock:
        disk = machine.files.get(distribution.disk)
        try:
            if disk is not None and disk.owner == "BUILTIN\\Administrators" and not is_elevated(run.process):
                raise wsl.DiskError(distribution.disk, "E_ACCESSDENIED", 5)  # microsoft/WSL#13775
            warnings = wsl.start(machine, distribution)
        except wsl.DiskError as failed:
            code = f"Wsl/Service/CreateInstance/MountDisk/HCS/{failed.code}"
            raise error("attach", code, failed.path, win32(failed.number, machine.language)) from failed
        for warning in warnings:
            run.warn(warning)
        if proxy := wsl.proxy_warning(machine, run.user):
            run.warn(proxy)
        entry = wsl.runtime(machine)["running"][distribution.id]
        entry["clients"] += 1
    try:
        user = options.get("user") or _default_user(machine, distribution)
        if machine.wsl_backend.uid(distribution, user) is None:
            raise error("no user", "Wsl/Service/CreateInstance/WSL_E_USER_NOT_FOUND")
        process = LinuxProcess(
            distribution,
            argv if not shell else [],
            user,
            cwd=_folder(run, options.get("cd")),
            shell=" ".join(argv) if shell and argv else None,
            environment=_passed(run),
            stdin=run.process.stdin,
            write_stdout=run.process.write_stdout,
            write_stderr=run.process.write_stderr,
            cancelled=run.process.cancelled,
        )
        with machine.interop.of_wsl(run.process, machine.wsl_backend.interop_folder(distribution)) as process.interop:
            return machine.wsl_backend.run(process)
    finally:
        with machine.lock:
            entry["clients"] -= 1
            entry["since"] = machine.clock.now()


def _read(arguments: list[str], error: type[Exception]) -> tuple[dict[str, str], bool, list[str]]:
    """Options, whether a shell reads the command, and the command."""
    options: dict[str, str] = {}
    queue = list(arguments)
    while queue:
        word = queue[0]
        if word in _VALUED:
            if len(queue) < 2:
                raise error("argument", "Wsl/E_INVALIDARG", word)
            options[_VALUED[word]] = queue[1]
            queue = queue[2:]
        elif word == "~":
            options["cd"] = "~"
            queue = queue[1:]
        elif word in ("--exec", "-e"):
            if len(queue) < 2:
                raise error("argument", "Wsl/E_INVALIDARG", word)
            return options, False, queue[1:]
        elif word == "--":
            return options, True, _eaten(queue[1:])
        elif word == "--system":
            raise SimulatorError("wsl --system is not known")
        elif word.startswith("-"):
            raise error("argument", "Wsl/E_INVALIDARG", word)
        else:
            return options, True, _eaten(queue)
    return options, True, []


def _eaten(words: list[str]) -> list[str]:
    """What is left after the shell has read the line: backslashes go."""
    return [re.sub(r"\\(.)", r"\1", word) for word in words]


def _default_user(machine: Any, distribution: wsl.Distribution) -> str:
    """``[user] default`` of wsl.conf, else the uid in the registry, else root."""
    named = machine.wsl_backend.default_user(distribution)
    if named and machine.wsl_backend.uid(distribution, named) is not None:
        return named
    return machine.wsl_backend.user_of(distribution, distribution.default_uid) or "root"


def _folder(run: Any, wanted: str | None) -> str:
    if wanted is None:
        windows = run.process.cwd
        if windows.lower().startswith("\\\\wsl.localhost\\"):  # a folder of a distribution, started from inside it
            return "/" + "/".join(windows.split("\\")[4:])
        return posixpath.join(f"/mnt/{windows[0].lower()}", windows[3:].replace("\\", "/"))
    if re.match(r"[A-Za-z]:", wanted):
        return posixpath.join(f"/mnt/{wanted[0].lower()}", wanted[3:].replace("\\", "/"))
    return wanted


def _passed(run: Any) -> dict[str, str]:
    """The variables that WSLENV names."""
    out = {}
    for item in run.process.environment.get("WSLENV", "").split(":"):
        name = item.partition("/")[0]
        if name and name in run.process.environment:
            out[name] = run.process.environment[name]
    return out
