"""Command lines: CommandLineToArgvW, and the lines that cmd.exe runs."""

from __future__ import annotations

import pytest
from winsim import cmdexe
from winsim.runtime import CaseInsensitiveDict, SimulatorError, join_command_line, split_command_line


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
        ("set LAB=c& set LAB", b"LAB=c\r\n", 0),
        ("echo text> C:\\out.txt& type C:\\out.txt", b"text\r\n", 0),
        ("echo more>> C:\\new.txt& echo more>> C:\\new.txt& type C:\\new.txt", b"more\r\nmore\r\n", 0),
        ("echo quiet> nul", b"", 0),
        ("cd", b"C:\\Users\\student\r\n", 0),
        ("ver", b"\r\nMicrosoft Windows [Version 10.0.26100.6899]\r\n", 0),
        ('cmd /c "echo in & echo out"', b"in \r\nout\r\n", 0),
    ],
)
def test_cmd_runs_the_lines_that_clients_send(process, line: str, stdout: bytes, code: int) -> None:
    made, result = process(LAB="a b")
    assert (cmdexe.run_line(made, line), bytes(result.stdout), bytes(result.stderr)) == (code, stdout, b"")


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
