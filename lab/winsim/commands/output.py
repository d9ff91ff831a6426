"""What programs print, in the encoding that each of them uses."""

from __future__ import annotations

from lab.winsim.model.users import system_account
from lab.winsim.process import Process

ERROR = 0xFFFFFFFF  # -1, what wsl.exe and many others return for any error


def oem(process: Process) -> str:
    """The Python name of the console's encoding: UTF-8 if the session says so, else that of the language."""
    if process.session.codepage == 65001:
        return "utf-8"
    return "gbk" if process.machine.language == "zh-CN" else "cp437"


def say(process: Process, text: str, encoding: str | None = None) -> None:
    """Print a line (CRLF is added, line feeds inside become CRLF)."""
    process.write_stdout(
        (text.replace("\r\n", "\n") + "\n").replace("\n", "\r\n").encode(encoding or oem(process), "replace")
    )


def complain(process: Process, text: str, encoding: str | None = None) -> None:
    """Print a line to standard error."""
    process.write_stderr(
        (text.replace("\r\n", "\n") + "\n").replace("\n", "\r\n").encode(encoding or oem(process), "replace")
    )


def is_elevated(process: Process) -> bool:
    """Whether the process may change the machine."""
    admin = process.machine.users.is_admin(process.user)
    return admin and (process.session.elevated or system_account(process.user) is not None)


def either(process: Process, chinese: str, english: str) -> str:
    """The text in the language of the machine."""
    return chinese if process.machine.language == "zh-CN" else english
