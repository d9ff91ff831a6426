"""The program powershell.exe: its switches, what it does with Ansible's bootstrap, and CLIXML errors."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable

from lab.winsim import payload
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.process import Process
from lab.winsim.pwsh import interpreter

_CONSUMING = {
    "executionpolicy": "executionpolicy",
    "inputformat": "inputformat",
    "outputformat": "outputformat",
    "windowstyle": "windowstyle",
    "encodedarguments": "encodedarguments",
    "encodedcommand": "encodedcommand",
    "version": "version",
}
_FLAGS = ("noprofile", "noninteractive", "nologo", "sta", "mta", "noexit")
_SHORT = {"ep": "executionpolicy", "ex": "executionpolicy", "ec": "encodedcommand", "e": "encodedcommand"}
_SHORT |= {"nop": "noprofile", "noni": "noninteractive", "c": "command", "f": "file", "i": "inputformat"}


def _switch(word: str) -> str:
    name = word.lstrip("-/").lower()
    if name in _SHORT:
        return _SHORT[name]
    names = [*_CONSUMING, *_FLAGS, "command", "file"]
    found = [full for full in names if full.startswith(name)] if name else []
    if len(found) == 1:
        return found[0]
    raise SimulatorError(f"powershell.exe: switch {word!r} is not known")


@command("powershell.exe")
def powershell(process: Process) -> int:
    """Run ``powershell.exe`` with -EncodedCommand, -Command or -File; text on stdin alone is a script too."""
    words = process.argv[1:]
    encoded_arguments = ""
    position = 0
    while position < len(words):
        word = words[position]
        if word == "-":
            return run_text(process, process.stdin.read(-1).decode("utf-8-sig"))
        if not word.startswith(("-", "/")):
            return run_text(process, " ".join(words[position:]))
        name = _switch(word)
        position += 1
        if name in _FLAGS:
            continue
        rest = words[position:]
        if not rest:
            raise SimulatorError(f"powershell.exe: switch {word!r} needs a value")
        if name == "command":
            if rest == ["-"]:
                return run_text(process, process.stdin.read(-1).decode("utf-8-sig"))
            return run_text(process, " ".join(rest))
        if name == "file":
            return run_file(process, rest[0], rest[1:])
        position += 1
        if name == "encodedarguments":
            encoded_arguments = _decode(rest[0])
        elif name == "encodedcommand":
            words_after = words[position:]
            if words_after and _switch(words_after[0]) == "encodedarguments":
                encoded_arguments = _decode(words_after[1])
            return run_encoded(process, _decode(rest[0]), encoded_arguments)
    return run_text(process, process.stdin.read(-1).decode("utf-8-sig"))


def _decode(text: str) -> str:
    try:
        return base64.b64decode(text, validate=True).decode("utf-16-le")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise SimulatorError(f"powershell.exe: the encoded text can not be decoded: {error}") from error


def run_encoded(process: Process, script: str, encoded_arguments: str) -> int:
    """Run the text of -EncodedCommand; Ansible's bootstrap is recognised and its payload taken from stdin."""
    if payload.is_bootstrap(script):
        if encoded_arguments:
            path = re.search(r"<S[^>]*>([^<]*)</S>", encoded_arguments)
            if path is None:
                raise SimulatorError("powershell.exe: -EncodedArguments without a string")
            return payload.run(process, process.machine.files.read_bytes(path[1]))
        return payload.run(process, None)
    return run_text(process, script, clixml=True)


def run_file(process: Process, path: str, arguments: list[str]) -> int:
    """Run a script file of the machine with string arguments."""
    text = process.machine.files.read_bytes(path).decode("utf-8-sig")
    return interpreter.run_script(process, text, arguments=arguments).exit_code


def run_text(process: Process, script: str, clixml: bool = False) -> int:
    """Run a script; errors go to stderr, as CLIXML after -EncodedCommand."""
    outcome = interpreter.run_script(process, script)
    if outcome.errors:
        process.write_stderr(clixml_errors(outcome.errors) if clixml else "".join(outcome.errors).encode())
    return outcome.exit_code


def clixml_errors(errors: Iterable[str]) -> bytes:
    """Return error texts the way powershell.exe writes them to a redirected stderr."""
    parts = ["#< CLIXML\r\n", '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">']
    for text in errors:
        for line in text.splitlines():
            parts.append(f'<S S="Error">{_clixml_escape(line)}_x000D__x000A_</S>')
    parts.append("</Objs>")
    return "".join(parts).encode()


def _clixml_escape(text: str) -> str:
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    text = re.sub(r"[\x00-\x1f\x7f]", lambda match: f"_x{ord(match[0]):04X}_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
