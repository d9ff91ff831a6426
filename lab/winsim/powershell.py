"""The program powershell.exe. There is no interpreter: it knows the fixed texts that Ansible sends, and the product's scripts.

The texts are those of ansible-core 2.19 to 2.21 (its bootstrap, and what its shell plugin removes folders with), of
ansible.windows.win_reboot, and of the connection plugin wsl_interop. Each is recognised as a whole; anything else is an error.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable

from lab.winsim import clixml, interop_files, payload, product_scripts
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command, run_captured
from lab.winsim.process import Process

FLAGS = ("noprofile", "noninteractive")
VALUES = ("executionpolicy", "inputformat", "encodedcommand", "encodedarguments")
NOT_ENCODED = (
    b"Cannot process the command because the value specified with -EncodedCommand is not properly encoded. "
    b"The value must be Base64 encoded. \r\n"
)
BAD_PARAMETER = 0xFFFD0000  # -196608, what powershell.exe ends with where it does not take its command line
STRICT = "Set-StrictMode -Version Latest\n"
UTF8_INPUT = "[Console]::InputEncoding = New-Object Text.UTF8Encoding $false; "  # what win_shell puts before a text
EXIT = re.compile(
    r";?\s*If \(-not \$\?\) \{ If \(Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue\) "
    r"\{ exit \$LASTEXITCODE \} Else \{ exit 1 \} \}\s*$"
)
# What the connection plugin wsl_interop puts before each script, behind its parameters: UTF-8 from now on, and the number of
# this process.
MARK = re.compile(
    r"(?:(param\([^()]*\))\n)?try \{ \[Console\]::OutputEncoding = New-Object Text\.UTF8Encoding \} catch \{\}; "
    r"\[Console\]::Error\.WriteLine\('(wsl_interop:[0-9a-f]{16}:)' \+ \$PID\)\n"
)
QUOTED = r"'((?:[^']|'')*)'"
BARE = r"([\w\\.\[\]/~!%^:-]+)"  # what ansible-core 2.21 does not quote
RESTART_CODE = (  # what the ansible.windows of core 2.21 has in between
    r"If \(Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue\) \{\s+\$rc = \$LASTEXITCODE\s+\} "
    r"Else \{\s+\$rc=1\s+\}"
)
Answer = tuple[str, str, int]  # stdout, an error, the exit code


@command("powershell.exe")
def powershell(process: Process) -> int:
    """Run ``powershell.exe -EncodedCommand TEXT``.

    Raises:
        SimulatorError: another way to call it, or a text that is not known.
    """
    values: dict[str, str] = {}
    words = iter(process.argv[1:])
    for word in words:
        name = word.lstrip("-").lower()
        if not word.startswith("-") or name not in (*FLAGS, *VALUES):
            raise SimulatorError(f"powershell.exe: {word!r} is not known; only -EncodedCommand is")
        if name in VALUES:
            values[name] = next(words, "")
    if "encodedcommand" not in values:
        raise SimulatorError("powershell.exe: only -EncodedCommand is known")
    if values["encodedcommand"].startswith(
        "'"
    ):  # ansible-core 2.21 quotes what ends with "=", and cmd.exe hands that on
        process.write_stderr(NOT_ENCODED)
        return BAD_PARAMETER
    text = _decode(values["encodedcommand"])
    if marked := MARK.match(text):
        process.write_stderr(f"{marked[2]}{process.pid}\r\n".encode())
        text = (marked[1] or "") + text[marked.end() :]
    if copied := interop_files.recognise(text):
        return interop_files.run(process, *copied)
    if payload.is_bootstrap(text):
        return payload.run(process, _kept_payload(process, values.get("encodedarguments", "")))
    stdout, error, code = _answer(process, text)
    if stdout:
        process.write_stdout(stdout.encode() + b"\r\n")
    if error:
        process.write_stderr(clixml.errors([error]))
    return code


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SimulatorError(f"powershell.exe: the encoded text can not be decoded: {error}") from error


def _kept_payload(process: Process, encoded: str) -> bytes | None:
    """Return a payload that lies in a file of the machine; None where it comes on stdin."""
    if not encoded:
        return None
    path = re.search(r"<S[^>]*>([^<]*)</S>", _decode(encoded))
    if path is None:
        raise SimulatorError("powershell.exe: -EncodedArguments without a string")
    return process.machine.files.read_bytes(path[1])


def _answer(process: Process, text: str) -> Answer:
    text = text.replace("\r\n", "\n").removeprefix(STRICT).removeprefix(UTF8_INPUT)
    bare = EXIT.sub("", text).strip()
    for pattern, action in TEXTS.items():
        if match := re.fullmatch(pattern, bare):
            return action(process, *(group.replace("''", "'") for group in match.groups() if group is not None))
    return "\r\n".join(product_scripts.run(process.machine, bare)), "", 0


def _remove(process: Process, path: str) -> Answer:
    files = process.machine.files
    path = path.removesuffix("\\.")
    if not files.exists(path):
        return "", f"Cannot find path '{path}' because it does not exist.", 1
    with process.machine.lock:
        files.remove(path)
    return "", "", 0


def _boot_time(process: Process) -> Answer:
    return str(process.machine.last_boot), "", 0


def _restart(process: Process, forget: str, key: str, seconds: str, message: str) -> Answer:
    if forget == "True":
        process.machine.registry_for(process.user).delete(_registry_path(key))
    done = run_captured(
        process.session,
        ["C:\\Windows\\System32\\shutdown.exe", "/r", "/t", seconds, "/c", message],
        environment=process.environment,
        cwd=process.cwd,
        cancelled=process.cancelled,
    )
    answer = {"stdout": done.stdout.decode().strip(), "stderr": done.stderr.decode().strip(), "rc": done.rc}
    return json.dumps(answer, separators=(",", ":")), "", 0


def _sign_in_screen(process: Process, key: str, said: str) -> Answer:
    if process.machine.registry_for(process.user).exists(_registry_path(key)):
        return said, "", 0
    return "", f"Cannot find path '{key}' because it does not exist.", 1


def _registry_path(path: str) -> str:
    return path.replace("HKLM:\\", "HKLM\\")


TEXTS: dict[str, Callable[..., Answer]] = {
    rf"Remove-Item (?:{QUOTED}|{BARE}) -Force(?: -Recurse)?": _remove,
    r"\(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime\)\.LastBootUpTime\.ToFileTime\(\)": (
        _boot_time
    ),
    r"\$ErrorActionPreference = 'Continue'\s+"
    rf"if \(\$(True|False)\) \{{\s+Remove-Item -LiteralPath {QUOTED} -Force -ErrorAction SilentlyContinue\s+\}}\s+"
    r"\$stdout = \$null\s+"
    rf"\$stderr = \. \{{ C:\\Windows\\System32\\shutdown\.exe /r /t (\d+) /c {QUOTED} \| Set-Variable stdout \}} 2>&1 "
    r"\| ForEach-Object ToString\s+"
    rf"(?:{RESTART_CODE}\s+)?"
    r"ConvertTo-Json -Compress -InputObject @\{\s+"
    r'stdout = \(@\(\$stdout\) -join "`n"\)\s+stderr = \(@\(\$stderr\) -join "`n"\)\s+rc = \$(?:LASTEXITCODE|rc)\s+\}': (
        _restart
    ),
    rf"Get-Item -LiteralPath {QUOTED} -ErrorAction Stop; '(success-[0-9a-f-]+)'": _sign_in_screen,
}
