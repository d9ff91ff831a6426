"""wsl.exe: the stub in System32 and the program of the WSL package, and its list of distributions."""

from __future__ import annotations

import ntpath
import re

from lab.winsim.commands.output import ERROR
from lab.winsim.commands.wsl_base import Wsl, WslError
from lab.winsim.commands.wsl_disk import export, import_in_place
from lab.winsim.commands.wsl_install import install
from lab.winsim.commands.wsl_run import client
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import tasks, wsl
from lab.winsim.model.blank import SYSTEM32
from lab.winsim.model.software import program_fault
from lab.winsim.model.texts import win32
from lab.winsim.model.users import system_account
from lab.winsim.process import Process


@command("wsl.exe")
def wsl_exe(process: Process) -> int:
    """The stub if it was started from System32, else the program of the package."""
    run = Wsl(process)
    stub = ntpath.dirname(process.image).lower() == SYSTEM32.lower()
    process.machine.log("wsl", arguments=[_shown(word) for word in process.argv[1:]], stub=stub)
    with process.machine.lock:
        tasks.catch_up(process.machine)
    fault = program_fault(process.machine, "wsl.exe", process)  # it may take its time, or hang
    if fault:
        if fault.get("text"):
            run.say(fault["text"])
        return int(fault["rc"]) & ERROR
    try:
        if system_account(process.user):
            raise WslError("system", "Wsl/WSL_E_LOCAL_SYSTEM_NOT_SUPPORTED")
        if stub:
            installed = wsl.package_version(process.machine)
            if installed and process.session.logon == "network":
                # microsoft/WSL#9231: the alias can not be used from session 0
                run.say(win32(1920, process.machine.language))
                run.say(run.text("code", "Wsl/ERROR_CANT_ACCESS_FILE"))
                return ERROR
            if not installed:
                return _stub(run, process.argv[1:])
        return _package(run, process.argv[1:])
    except WslError as error:
        return run.fail(error)


def _shown(word: str) -> str:
    """An argument for the log: password hashes are blotted out, long texts cut."""
    return "***" if re.search(r"\$(?:[1-7]|2[aby]|y|gy)\$", word) else word[:200]


def _stub(run: Wsl, arguments: list[str]) -> int:
    """Without the package the stub can only install it."""
    if arguments[:1] == ["--install"]:
        return install(run, arguments[1:])
    raise WslError("not installed", "Wsl/WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED")


def _package(run: Wsl, arguments: list[str]) -> int:
    wsl.enter(run.machine, run.process.session)
    if not arguments:
        return client(run, [], WslError)
    if arguments[0] in _NOT_KNOWN:
        raise SimulatorError(f"wsl.exe: {arguments[0]} is not known here")
    handler = _HANDLERS.get(arguments[0])
    if handler is not None:
        return handler(run, arguments[1:])
    return client(run, arguments, WslError)


def _list(run: Wsl, arguments: list[str]) -> int:
    """``-q``: the names; ``-v``: with state and version."""
    if arguments not in (["-q"], ["-v"]):
        raise SimulatorError(f"wsl -l: arguments not known: {arguments}")
    found = wsl.distributions(run.machine, run.user)
    if arguments == ["-q"]:
        for item in found:
            run.say(item.name)
        return 0
    default = wsl.find(run.machine, run.user, None)
    if default is None:
        raise WslError("no distribution", "Wsl/WSL_E_DEFAULT_DISTRO_NOT_FOUND")
    width = max(len("NAME"), *[len(item.name) for item in found])
    run.say(f"  {'NAME':<{width}}    {'STATE':<15} VERSION")
    for item in found:
        state = "Running" if wsl.is_running(run.machine, item) else "Stopped"
        run.say(f"{'*' if item.id == default.id else ' '} {item.name:<{width}}    {state:<15} {item.version}")
    return 0


def _version(run: Wsl, arguments: list[str]) -> int:
    version = wsl.package_version(run.machine)
    rows = [
        ("WSL version", "WSL 版本", version),
        ("Kernel version", "内核版本", wsl.KERNEL),
        ("WSLg version", "WSLg 版本", "1.0.79"),
        ("MSRDC version", "MSRDC 版本", "1.2.6676"),
        ("Direct3D version", "Direct3D 版本", "1.611.1-81528511"),
        ("DXCore version", "DXCore 版本", "10.0.26100.1-240331-1435.ge-release"),
        ("Windows version", "Windows", f"10.0.{run.machine.build}.{run.machine.description['windows']['ubr']}"),
    ]
    for english, chinese, value in rows:
        run.say(f"{chinese if run.machine.language == 'zh-CN' else english}: {value}")
    return 0


def _shutdown(run: Wsl, arguments: list[str]) -> int:
    if [word for word in arguments if word != "--force"]:
        raise WslError("argument", "Wsl/E_INVALIDARG", arguments[0])
    with run.machine.lock:
        for user in list(run.machine.users):
            for item in wsl.distributions(run.machine, user):
                wsl.stop(run.machine, item, "shutdown")
    return 0


def _terminate(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--terminate")
    with run.machine.lock:
        wsl.stop(run.machine, run.distribution(arguments[0]))
    run.say(run.text("done"))
    return 0


def _unregister(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--unregister")
    with run.machine.lock:
        distribution = run.distribution(arguments[0])
        wsl.stop(run.machine, distribution, "unregister")
        wsl.unregister(run.machine, distribution)
    run.say(run.text("done"))
    return 0


def _manage(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--manage")
    distribution, action, values = run.distribution(arguments[0]), arguments[1], arguments[2:]
    if action == "--set-default-user" and len(values) == 1:
        uid = run.machine.wsl_backend.uid(distribution, values[0])
        if uid is None:
            raise WslError("no user", "Wsl/Service/WSL_E_USER_NOT_FOUND")
        wsl.set_default_uid(run.machine, distribution, uid)
    elif action in ("--move", "-m", "--resize", "-r", "--set-sparse", "-s", "--compact"):
        raise SimulatorError(f"wsl --manage: {action} is not known here")
    else:
        raise WslError("argument", "Wsl/E_INVALIDARG", action)
    run.say(run.text("done"))
    return 0


_HANDLERS = {
    "--install": install,
    "-l": _list,
    "--version": _version,
    "-v": _version,
    "--shutdown": _shutdown,
    "--terminate": _terminate,
    "-t": _terminate,
    "--unregister": _unregister,
    "--manage": _manage,
    "--export": export,
    "--import-in-place": import_in_place,
}
_NOT_KNOWN = frozenset(
    [
        "--import",
        "--update",
        "--list",
        "--status",
        "--set-default",
        "-s",
        "--set-default-version",
        "--uninstall",
        "--help",
        "--mount",
        "--unmount",
        "--debug-shell",
        "--system",
    ]
)
