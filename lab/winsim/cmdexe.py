"""A small cmd.exe: enough of its line syntax for what WinRS clients send; the rest fails loudly."""

from __future__ import annotations

import io
import ntpath
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from lab.winsim.command_line import split_command_line
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command, run_process
from lab.winsim.process import CaseInsensitiveDict, InputStream, Process

NOT_FOUND = 9009
LONGEST_LINE = 8191  # characters of UTF-16


@dataclass
class _Part:
    """One command of a line with its redirections."""

    text: str
    stdout: str | None = None
    append: bool = False
    stderr: str | None = None
    stdin: str | None = None


@dataclass
class _Pipeline:
    """Commands joined by ``|``, and the operator that comes before them."""

    operator: str = "&"
    parts: list[_Part] = field(default_factory=list)


def expand(text: str, environment: CaseInsensitiveDict) -> str:
    """Replace ``%NAME%``; an unknown name stays as it is, as on a command line."""
    return re.sub(r"%([^%\r\n]+)%", lambda match: environment.get(match[1], match[0]), text)


def parse(line: str) -> list[_Pipeline]:
    """Split a line at ``&``, ``&&``, ``||`` and ``|`` outside quotes; ``^`` escapes one character.

    Raises:
        SimulatorError: blocks in parentheses or an unfinished operator.
    """
    pipelines = [_Pipeline()]
    current: list[str] = []
    redirects: list[tuple[str, int]] = []
    quoted = False
    position = 0

    def flush() -> None:
        text = "".join(current)
        part = _Part(text.lstrip())  # blanks at the end count: "echo a & b" prints one
        for operator, start in reversed(redirects):
            target = text[start:].strip()
            text = text[:start]
            _redirect(part, operator, target)
        part.text = text.lstrip()
        if not part.text.strip():
            raise SimulatorError(f"cmd.exe: a command is missing in {line!r}")
        pipelines[-1].parts.append(part)
        current.clear()
        redirects.clear()

    while position < len(line):
        char = line[position]
        if char == '"':
            quoted = not quoted
        elif quoted:
            pass
        elif char == "^":
            position += 1
            current.append(line[position : position + 1])
            position += 1
            continue
        elif char in "()" and not "".join(current).strip():
            raise SimulatorError(f"cmd.exe: blocks in parentheses are not modelled: {line!r}")
        elif char in "&|":
            operator = char * 2 if line[position + 1 : position + 2] == char else char
            flush()
            position += len(operator)
            if operator == "|":
                continue
            if not line[position:].strip():
                return pipelines
            pipelines.append(_Pipeline(operator))
            continue
        elif char in "<>":
            match = re.match(r"(>>|>|<)(&\d)?", line[position:])
            handle = ""
            if current and current[-1] in "12" and (len(current) == 1 or current[-2] in " \t"):
                handle = current.pop()
            redirects.append((handle + match[0], len(current)))
            position += len(match[0])
            continue
        current.append(char)
        position += 1
    flush()
    return pipelines


def _redirect(part: _Part, operator: str, target: str) -> None:
    if "&" in operator:
        if target or operator not in ("2>&1", "1>&2", ">&2"):
            raise SimulatorError(f"cmd.exe: redirection {operator} {target} is not modelled")
        if operator == "2>&1":
            part.stderr = "&1"
        else:
            part.stdout = "&2"
        return
    name = target.strip('"')
    if not name:
        raise SimulatorError(f"cmd.exe: redirection {operator} {target} is not modelled")
    if operator.startswith("2"):
        part.stderr = name
    elif operator == "<":
        part.stdin = name
    else:
        part.stdout, part.append = name, operator.endswith(">>")


def run_after_c(process: Process, line: str, *, strip: bool = False, autorun: bool = True) -> int:
    """Run a line as ``cmd.exe /c LINE`` does and return its exit code.

    ``strip`` is the switch ``/s``; ``/d`` leaves out what the registry lets each cmd.exe run first.

    Raises:
        SimulatorError: syntax or a built-in command that is not modelled.
    """
    if len(line.encode("utf-16-le")) // 2 > LONGEST_LINE:
        process.write_stderr(b"The command line is too long.\r\n")
        return 1
    for hive in ("HKLM\\SOFTWARE", "HKCU\\Software") if autorun else ():
        first = process.machine.registry.view(process.user).get(f"{hive}\\Microsoft\\Command Processor", "AutoRun")
        if first:
            run_line(replace(process, stdin=InputStream()), first)
    line = line.lstrip()
    if strip or not _quotes_a_program(process, line):
        line = _without_outer_quotes(line)
    code = run_line(process, line)
    return 1 if code == NOT_FOUND else code


def _quotes_a_program(process: Process, line: str) -> bool:
    """Tell whether the quotes stay, by the rule that ``cmd /?`` gives for the line after ``/c``."""
    parts = line.split('"')
    if len(parts) != 3 or re.search(r"[&<>()@^|]", parts[1]) or not re.search(r"\s", parts[1]):
        return False
    return process.machine.find_program(parts[1], process.environment, process.cwd) is not None


def _without_outer_quotes(line: str) -> str:
    """Take away the first and the last quote of a line that begins with one."""
    if not line.startswith('"'):
        return line
    before, _, after = line[1:].rpartition('"')
    return before + after


def run_line(process: Process, line: str) -> int:
    """Run one line as cmd.exe does and return its exit code.

    Raises:
        SimulatorError: syntax or a built-in command that is not modelled.
    """
    code = 0
    for pipeline in parse(expand(line, process.environment)):
        if (pipeline.operator == "&&" and code != 0) or (pipeline.operator == "||" and code == 0):
            continue
        code = _run_pipeline(process, pipeline)
    return code


def _run_pipeline(process: Process, pipeline: _Pipeline) -> int:
    stdin, code = process.stdin, 0
    for index, part in enumerate(pipeline.parts):
        last = index == len(pipeline.parts) - 1
        collected = io.BytesIO()
        stage = replace(process, stdin=stdin)
        if not last:
            stage.write_stdout = collected.write
        code = _run_part(stage, part)
        stdin = InputStream(collected.getvalue())
    return code


def _run_part(process: Process, part: _Part) -> int:
    files = process.machine.files
    if part.stdin is not None:
        process.stdin = InputStream(files.read_bytes(absolute(process, part.stdin)))
    collected: dict[str, io.BytesIO] = {}
    if part.stdout == "&2":
        process.write_stdout = process.write_stderr
    elif part.stdout is not None:
        if part.stdout.lower() != "nul":
            collected[part.stdout] = io.BytesIO(_existing(process, part))
            collected[part.stdout].seek(0, io.SEEK_END)
        process.write_stdout = collected[part.stdout].write if part.stdout in collected else _discard
    if part.stderr == "&1":
        process.write_stderr = process.write_stdout
    elif part.stderr is not None:
        if part.stderr.lower() != "nul":
            collected.setdefault(part.stderr, io.BytesIO())
        process.write_stderr = collected[part.stderr].write if part.stderr in collected else _discard
    code = _run_simple(process, part.text)
    for name, stream in collected.items():
        files.write_bytes(absolute(process, name), stream.getvalue())
    return code


def absolute(process: Process, path: str) -> str:
    """Return a path relative to the current folder as an absolute one."""
    return ntpath.normpath(ntpath.join(process.cwd, path))


def _existing(process: Process, part: _Part) -> bytes:
    name = absolute(process, part.stdout or "")
    return process.machine.files.read_bytes(name) if part.append and process.machine.files.exists(name) else b""


def _discard(data: bytes) -> int:
    return len(data)


def _run_simple(process: Process, text: str) -> int:
    match = re.match(r'(?:"[^"]*"|[^\s"/]|(?<=\S)/(?!\w+\s*$)|/)+', text)
    word = re.match(r"[^\s\"/:\\.,;=]+", text)
    name = word[0].lower() if word else ""
    if name in _BUILTINS and (len(text) == len(name) or text[len(name)] in " \t/.:,;=\\"):
        return _BUILTINS[name](process, text[len(name) :])
    if name in _UNMODELLED and (len(text) == len(name) or text[len(name)] in " \t"):
        raise SimulatorError(f"cmd.exe: the built-in command {name!r} is not modelled: {text!r}")
    process.command_line = text = text.rstrip()
    process.argv = split_command_line(text)
    try:
        return run_process(process)
    except FileNotFoundError:
        program = process.argv[0] if process.argv else (match[0] if match else text)
        process.write_stderr(
            f"'{program}' is not recognized as an internal or external command,\r\n"
            "operable program or batch file.\r\n".encode()
        )
        return NOT_FOUND
    except OSError as error:  # no program
        process.write_stderr(f"{error.strerror or error}.\r\n".encode())
        return error.errno or 1


def _echo(process: Process, rest: str) -> int:
    text = rest[1:] if rest else ""
    if text.strip().lower() in ("on", "off"):
        return 0
    if not text.strip():
        text = "" if rest[:1] in (".", ":") else "ECHO is on."
    process.write_stdout(text.encode("utf-8") + b"\r\n")
    return 0


def _exit(process: Process, rest: str) -> int:
    words = [word for word in rest.split() if word.lower() != "/b"]
    return int(words[0]) if words else 0


def _type(process: Process, rest: str) -> int:
    for name in [absolute(process, word) for word in split_command_line("type " + rest)[1:]]:
        if not process.machine.files.exists(name):
            process.write_stderr(b"The system cannot find the file specified.\r\n")
            return 1
        process.write_stdout(process.machine.files.read_bytes(name))
    return 0


def _ver(process: Process, rest: str) -> int:
    revision = process.machine.registry.get("HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", "UBR", 1)
    process.write_stdout(f"\r\nMicrosoft Windows [Version 10.0.{process.machine.build}.{revision}]\r\n".encode())
    return 0


def _chcp(process: Process, rest: str) -> int:
    if not rest.strip().isdigit():
        raise SimulatorError(f"cmd.exe: chcp {rest.strip()!r} is not modelled")
    label = "活动代码页" if process.machine.language == "zh-CN" else "Active code page"
    process.write_stdout(f"{label}: {rest.strip()}\r\n".encode())
    return 0


def _rename(process: Process, rest: str) -> int:
    words = split_command_line("ren " + rest)[1:]
    if len(words) != 2 or any(char in word for word in words for char in "*?") or "\\" in words[1]:
        raise SimulatorError(f"cmd.exe: ren {rest.strip()!r} is not modelled")
    source, files = absolute(process, words[0]), process.machine.files
    target = ntpath.join(ntpath.dirname(source), words[1])
    if not files.exists(source):
        process.write_stderr(b"The system cannot find the file specified.\r\n")
        return 1
    if files.exists(target) and source.lower() != target.lower():
        process.write_stderr(b"A duplicate file name exists, or the file\r\ncannot be found.\r\n")
        return 1
    try:
        files.move(source, target)
    except PermissionError as error:
        process.write_stderr(f"{error.strerror}\r\n".encode())
        return 1
    return 0


_BUILTINS: dict[str, Callable[[Process, str], int]] = {
    "echo": _echo,
    "exit": _exit,
    "type": _type,
    "ver": _ver,
    "chcp": _chcp,
    "ren": _rename,
    "rem": lambda process, rest: 0,
}


_UNMODELLED = frozenset(
    [
        "assoc",
        "break",
        "call",
        "cd",
        "chdir",
        "cls",
        "color",
        "copy",
        "date",
        "del",
        "dir",
        "endlocal",
        "erase",
        "for",
        "ftype",
        "goto",
        "if",
        "md",
        "mkdir",
        "mklink",
        "move",
        "path",
        "pause",
        "popd",
        "prompt",
        "pushd",
        "rd",
        "rename",
        "rmdir",
        "set",
        "setlocal",
        "shift",
        "start",
        "time",
        "title",
        "verify",
        "vol",
    ]
)


@command("cmd.exe")
def cmd_exe(process: Process) -> int:
    """``cmd.exe /c LINE`` (also /s, /d, /q, /u is refused)."""
    match = re.match(r'\s*(?:"[^"]*"|\S+)\s*(.*)', process.command_line, re.DOTALL)
    rest = match[1] if match else ""
    switches = ""
    while (switch := re.match(r"/([a-zA-Z])(?::\w+)?\s*", rest)) is not None:
        letter = switch[1].lower()
        rest = rest[switch.end() :]
        switches += letter
        if letter == "c":
            return run_after_c(process, rest, strip="s" in switches, autorun="d" not in switches)
        if letter not in "sdq":
            raise SimulatorError(f"cmd.exe: switch /{letter} is not modelled")
    lines = process.stdin.read(-1).decode("utf-8", "replace").splitlines()
    raise SimulatorError(f"cmd.exe: an interactive session is not modelled ({len(lines)} lines of input)")
