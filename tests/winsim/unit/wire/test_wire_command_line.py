"""Command lines: CommandLineToArgvW, and the lines that cmd.exe runs."""

from __future__ import annotations

import pytest

from lab.winsim import cmdexe
from lab.winsim.command_line import join_command_line, split_command_line
from lab.winsim.errors import SimulatorError
from lab.winsim.process import CaseInsensitiveDict


@pytest.mark.parametrize(
    ("line", "argv"),
    [
        ('"a b c" d e', ["a b c", "d", "e"]),
        (r'x "ab\"c" "\\" d', ["x", 'ab"c', "\\", "d"]),
        (r'x a\\\b d"e f"g h', ["x", r"a\\\b", "de fg", "h"]),
        (r"x a\\\"b c d", ["x", r"a\"b", "c", "d"]),
        (r'x a\\\\"b c" d e', ["x", r"a\\b c", "d", "e"]),
        ('x a"b"" c d', ["x", 'ab" c d']),
        ('"C:\\Program Files\\x.exe" /q', ["C:\\Program Files\\x.exe", "/q"]),
        ("", []),
        ("x  \t y ", ["x", "y"]),
    ],
)
def test_lines_are_split_as_windows_does(line: str, argv: list[str]) -> None:
    assert split_command_line(line) == argv


@pytest.mark.parametrize(
    "argument", ["", "a b", 'q"q', "back\\slash\\", "a\\\\ b\\", '\\"', "tab\tx", "plain", "C:\\x\\"]
)
def test_joined_arguments_come_back(argument: str) -> None:
    assert split_command_line(join_command_line(["x.exe", argument, "end"])) == ["x.exe", argument, "end"]


def test_environment_names_have_no_case() -> None:
    environment = CaseInsensitiveDict(Path="one")
    environment["PATH"] = "two"
    assert (environment["path"], list(environment), "pAtH" in environment) == ("two", ["Path"], True)


@pytest.mark.parametrize(
    ("line", "stdout", "code"),
    [
        ("echo one& echo two", b"one\r\ntwo\r\n", 0),
        ("echo one&& exit 3", b"one\r\n", 3),
        ("exit 3 || echo no", b"no\r\n", 0),
        ("exit 3 && echo no", b"", 3),
        ('echo "a & b"', b'"a & b"\r\n', 0),
        ("echo a ^& b", b"a & b\r\n", 0),
        ("echo %LAB% %NOPE%", b"a b %NOPE%\r\n", 0),
        ("echo text> C:\\out.txt& type C:\\out.txt", b"text\r\n", 0),
        ("echo more>> C:\\new.txt& echo more>> C:\\new.txt& type C:\\new.txt", b"more\r\nmore\r\n", 0),
        ("echo quiet> nul", b"", 0),
        ("ver", b"\r\nMicrosoft Windows [Version 10.0.26100.6899]\r\n", 0),
        ('cmd /c "echo in & echo out"', b"in \r\nout\r\n", 0),
    ],
)
def test_cmd_runs_the_lines_that_clients_send(process, line: str, stdout: bytes, code: int) -> None:
    made, result = process(LAB="a b")
    assert (cmdexe.run_line(made, line), bytes(result.stdout), bytes(result.stderr)) == (code, stdout, b"")


WSL = "C:\\Program Files\\WSL\\wsl.exe"
FORMER = "trap 'echo -n m>&2' EXIT;(source <(base64 -d<<<aWQ=))</dev/null"


@pytest.mark.parametrize(
    ("line", "seen"),
    [  # after "cmd /c", by the rule that "cmd /?" gives
        (f'"{WSL}" -d X --cd / --exec /bin/bash', f'"{WSL}" -d X --cd / --exec /bin/bash'),
        (f'  "{WSL}" -l -q', f'"{WSL}" -l -q'),
        (f'"{WSL}" -d X --exec /bin/bash -c "id"', f'{WSL}" -d X --exec /bin/bash -c "id'),
        (f'"{WSL}" -d X --exec /bin/bash -c "{FORMER}"', f'{WSL}" -d X --exec /bin/bash -c "{FORMER}'),
        ('"C:\\none such\\wsl.exe" -l', "C:\\none such\\wsl.exe -l"),
        ('"C:\\Windows\\System32\\hostname.exe" x', "C:\\Windows\\System32\\hostname.exe x"),
        ('"C:\\Program Files (x86)\\tool.exe" x', "C:\\Program Files (x86)\\tool.exe x"),
        (f'echo "{WSL}"', f'echo "{WSL}"'),
        ('"', ""),
        ('echo "a" "b"', 'echo "a" "b"'),
    ],
)
def test_cmd_takes_away_the_outer_quotes_unless_they_are_those_of_a_program(
    process, monkeypatch, line: str, seen: str
) -> None:
    made, _ = process()
    for path in (WSL, "C:\\Program Files (x86)\\tool.exe"):
        made.machine.files.write_bytes(path, b"MZ", parents=True)
    lines: list[str] = []
    monkeypatch.setattr(cmdexe, "run_line", lambda process, line: lines.append(line) or 0)
    cmdexe.run_after_c(made, line)
    assert lines == [seen]


@pytest.mark.parametrize(
    ("switches", "stdout"), [("/c", b"Active code page: 65001\r\nx\r\n"), ("/d /c", b"x\r\n"), ("/d /s /c", b"x\r\n")]
)
def test_each_cmd_runs_first_what_the_registry_says_but_with_the_switch_d(process, switches: str, stdout) -> None:
    made, result = process()
    key = "HKCU\\Software\\Microsoft\\Command Processor"
    made.machine.registry.view("student").set(key, "AutoRun", "chcp 65001")
    made.command_line = f"cmd.exe {switches} echo x"
    assert (cmdexe.cmd_exe(made), bytes(result.stdout)) == (0, stdout)


def test_the_switch_s_takes_away_the_outer_quotes_always(process) -> None:
    made, result = process()
    made.command_line = 'cmd.exe /s /c ""C:\\Windows\\System32\\hostname.exe""'
    assert (cmdexe.cmd_exe(made), bytes(result.stdout)) == (0, b"LAB-PC\r\n")


@pytest.mark.parametrize("line", ["nope", "echo x& nope"])
def test_cmd_ends_with_1_where_the_last_program_is_not_found(process, line: str) -> None:
    made, _ = process()
    assert cmdexe.run_after_c(made, line) == 1


def test_errors_can_be_merged_and_split(process) -> None:
    made, result = process()
    assert cmdexe.run_line(made, "nope 2>&1") == 9009
    assert result.stdout.startswith(b"'nope' is not recognized")
    made, result = process()
    assert cmdexe.run_line(made, "echo x 1>&2") == 0
    assert (bytes(result.stdout), bytes(result.stderr)) == (b"", b"x \r\n")


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("(echo x)", "simulator: cmd.exe: blocks in parentheses are not modelled: '(echo x)'"),
        ("for %i in (1) do echo x", "simulator: cmd.exe: the built-in command 'for' is not modelled"),
        ("| more", "simulator: cmd.exe: a command is missing in '| more'"),
    ],
)
def test_what_cmd_is_not_taught_fails_loudly(process, line: str, text: str) -> None:
    made, _ = process()
    with pytest.raises(SimulatorError) as error:
        cmdexe.run_line(made, line)
    assert str(error.value).startswith(text)
