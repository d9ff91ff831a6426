"""Built-in commands of cmd.exe that change files: ren, del, md. One that ``cmdexe`` has itself is left alone."""

from __future__ import annotations

import ntpath

from lab.winsim import cmdexe
from lab.winsim.command_line import split_command_line
from lab.winsim.commands.output import complain
from lab.winsim.errors import SimulatorError
from lab.winsim.model.texts import win32
from lab.winsim.process import Process


def _paths(rest: str, command: str, flags: tuple[str, ...] = ()) -> list[str]:
    words = [word for word in split_command_line("x " + rest)[1:] if word.lower() not in flags]
    if any(word.startswith("/") or "*" in word or "?" in word for word in words):
        raise SimulatorError(f"cmd.exe: {command}{rest} is not modelled")
    return words


def _refuse(process: Process, error: OSError) -> int:
    code = error.errno if isinstance(error.errno, int) else 2
    complain(
        process,
        win32(code, process.machine.language).rstrip("。.") + ("。" if process.machine.language == "zh-CN" else "."),
    )
    return 1


def ren(process: Process, rest: str) -> int:
    """``ren PATH NAME``: Windows refuses while a program has the file open, even if the name stays the same."""
    words = _paths(rest, "ren")
    if len(words) != 2 or "\\" in words[1]:
        complain(process, "The syntax of the command is incorrect.")
        return 1
    source = ntpath.normpath(ntpath.join(process.cwd, words[0]))
    target = ntpath.join(ntpath.dirname(source), words[1])
    files = process.machine.files
    try:
        if source.lower() != target.lower() and files.exists(target):
            complain(process, "A duplicate file name exists, or the file cannot be found.")
            return 1
        files.move(source, target)
    except FileNotFoundError:
        return _refuse(process, FileNotFoundError(2, ""))
    except OSError as error:
        return _refuse(process, error)
    return 0


def delete(process: Process, rest: str) -> int:
    """``del [/f] [/q] FILE…``."""
    for word in _paths(rest, "del", ("/f", "/q")):
        path = ntpath.normpath(ntpath.join(process.cwd, word))
        if not process.machine.files.is_file(path):
            complain(process, f"Could Not Find {path}")
            continue
        try:
            process.machine.files.remove(path)
        except OSError as error:
            return _refuse(process, error)
    return 0


def make_folder(process: Process, rest: str) -> int:
    """``md FOLDER…``."""
    for word in _paths(rest, "md"):
        try:
            process.machine.files.mkdir(ntpath.normpath(ntpath.join(process.cwd, word)), exist_ok=False)
        except OSError:
            complain(process, f"A subdirectory or file {word} already exists.")
            return 1
    return 0


for _name, _handler in (
    ("ren", ren),
    ("rename", ren),
    ("del", delete),
    ("erase", delete),
    ("md", make_folder),
    ("mkdir", make_folder),
):
    cmdexe._BUILTINS.setdefault(_name, _handler)
