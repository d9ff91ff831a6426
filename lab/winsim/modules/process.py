"""ansible.windows.win_command, win_shell and win_powershell: programs with their output as text, scripts with objects."""

from __future__ import annotations

import base64
import datetime as dt
import re
from typing import Any
from xml.etree import ElementTree

from lab.winsim import product_scripts
from lab.winsim.command_line import join_command_line, split_command_line
from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module, run_captured
from lab.winsim.model.texts import win32
from lab.winsim.modules.common import absolute
from lab.winsim.process import CompletedProcess, ModuleCall


def decode(data: bytes, encoding: str = "utf-8") -> str:
    """Output as .NET reads it: a byte order mark is dropped, broken bytes become U+FFFD."""
    return data.decode(encoding, "replace").removeprefix("\ufeff")


def start(
    call: ModuleCall, argv: list[str], command_line: str, *, chdir: str | None = None, stdin: str | None = None
) -> CompletedProcess:
    """Run a program in the session of a module.

    Raises:
        FileNotFoundError, OSError: Windows can not start it; ``errno`` is the Win32 code.
    """
    folder = absolute(call, chdir) if chdir else call.session.cwd
    if chdir and not call.machine.files.is_dir(folder):
        raise OSError(267, "The directory name is invalid")
    environment = call.environment.copy() if call.environment else call.session.environment.copy()
    completed = run_captured(
        call.session,
        argv,
        command_line=command_line,
        stdin=stdin.encode() if stdin else b"",
        environment=environment,
        cwd=folder,
        cancelled=call.cancelled,
    )
    completed.rc &= 0xFFFFFFFF
    return completed


def _exists(call: ModuleCall, path: str) -> bool:
    files = call.machine.files
    return bool(files.glob(path)) if "*" in path or "?" in path else files.exists(absolute(call, path))


def _skip(call: ModuleCall, command: Any) -> dict[str, Any] | None:
    creates, removes = call.args.get("creates"), call.args.get("removes")
    text = None
    if creates and _exists(call, creates):
        text = f"skipped, since {creates} exists"
    elif removes and not _exists(call, removes):
        text = f"skipped, since {removes} does not exist"
    if text is None:
        return None
    return {"changed": False, "skipped": True, "msg": text, "cmd": command, "rc": 0}


def _timed(began: dt.datetime, ended: dt.datetime) -> dict[str, str]:
    seconds = (ended - began).total_seconds()
    hours, rest = divmod(int(seconds), 3600)
    return {
        "start": began.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "end": ended.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "delta": f"{hours}:{rest // 60:02d}:{rest % 60:02d}.{round(seconds % 1 * 1e6) % 1000000:06d}",
    }


@module("ansible.windows.win_command", "cmd", "argv", "chdir", "creates", "removes", "stdin")
def win_command(call: ModuleCall) -> dict[str, Any]:
    """Run a program without a shell."""
    arguments = call.args
    if arguments.get("argv"):
        argv = [str(item) for item in arguments["argv"]]
        found = call.machine.find_program(argv[0], call.environment or call.session.environment, call.session.cwd)
        line = join_command_line([found or argv[0], *argv[1:]])
    else:
        line = arguments.get("cmd") or (arguments.get("_raw_params") or "").strip()
        argv = split_command_line(line)
    result: dict[str, Any] = {"changed": False, "cmd": line, "rc": 0}
    skipped = _skip(call, line)
    if skipped:
        return skipped
    began = call.machine.clock.local()
    try:
        done = start(call, argv, line, chdir=arguments.get("chdir"), stdin=arguments.get("stdin"))
    except OSError as error:
        code = error.errno or 2
        text = win32(code, call.machine.language)
        raise ModuleFailure(
            f'Failed to run: \'{line}\': Exception calling "CreateProcess" with "7" argument(s): '
            f'"CreateProcessW() failed ({text}, Win32ErrorCode {code})"',
            **{**result, "rc": code},
        ) from error
    result.update(
        changed=True,
        stdout=decode(done.stdout),
        stderr=decode(done.stderr),
        rc=done.rc,
        **_timed(began, call.machine.clock.local()),
    )
    if done.rc:
        raise ModuleFailure("non-zero return code", **result)
    return result


@module("ansible.windows.win_shell", "chdir", "creates", "removes", "stdin", "no_profile")
def win_shell(call: ModuleCall) -> dict[str, Any]:
    """Run a script of the product in PowerShell."""
    arguments = call.args
    text = (arguments.get("_raw_params") or "").strip()
    skipped = _skip(call, text)
    if skipped:
        return skipped
    prefixed = "[Console]::InputEncoding = New-Object Text.UTF8Encoding $false; " + text
    encoded = base64.b64encode(prefixed.encode("utf-16-le")).decode()
    argv = ["powershell.exe", *(["-noprofile"] if arguments.get("no_profile") else [])]
    argv += [*([] if arguments.get("stdin") else ["-noninteractive"]), "-encodedcommand", encoded]
    line = join_command_line(argv)
    began = call.machine.clock.local()
    try:
        done = start(call, argv, line, chdir=arguments.get("chdir"), stdin=arguments.get("stdin"))
    except OSError as error:
        code = error.errno or 2
        raise ModuleFailure(
            f'Exception calling "CreateProcess" with "7" argument(s): "CreateProcessW() failed '
            f'({win32(code, call.machine.language)}, Win32ErrorCode {code})"',
            changed=False,
            cmd=text,
            rc=code,
        ) from error
    result = {
        "changed": True,
        "cmd": text,
        "stdout": decode(done.stdout),
        "stderr": _plain_errors(decode(done.stderr)),
        "rc": done.rc,
        **_timed(began, call.machine.clock.local()),
    }
    if done.rc:
        raise ModuleFailure("non-zero return code", **result)
    return result


def _plain_errors(text: str) -> str:
    """The error lines of CLIXML output, with whatever other programs wrote around them."""
    match = re.search(r"(?s)^(.*?)#< CLIXML\s*(.*?)(<Objs.+</Objs>)(.*)$", text)
    if match is None:
        return text
    try:
        root = ElementTree.fromstring(match[3])
    except ElementTree.ParseError:
        return text
    lines = [
        (item.text or "").replace("_x000D__x000A_", "")
        for item in root
        if item.tag.endswith("S") and item.get("S") == "Error"
    ]
    return (match[1] + match[2] + "\r\n".join(lines) + match[4]).strip()


@module("ansible.windows.win_powershell", "script", "parameters", "error_action")
def win_powershell(call: ModuleCall) -> dict[str, Any]:
    """Run a script of the product; in check mode none runs, for none supports ShouldProcess."""
    arguments = call.args
    if call.check_mode:
        return {"changed": True, "skipped": True, "msg": "skipped, running in check mode"}
    output = product_scripts.run(call.machine, arguments["script"], arguments["parameters"])
    streams = {name: [] for name in ("debug", "error", "information", "verbose", "warning")}
    return {"changed": True, "failed": False, "host_out": "", "host_err": "", "result": {}, "output": output, **streams}
