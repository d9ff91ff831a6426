"""The connection plugin wsl_interop: how it starts programs of Windows, and what it makes of their answers."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import subprocess
import time
from types import SimpleNamespace

import pytest
from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound

import tests.unit.role_values  # noqa: F401  it starts Ansible's plugin loader, once
from tests.unit.connection.interop_pc import MEDIUM, Pc, running

ERRORS = (
    "#< CLIXML\r\n"
    '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04"><Obj S="progress" RefId="0">'
    '<TN RefId="0"><T>System.Management.Automation.PSCustomObject</T></TN><MS><S N="Activity">Loading</S></MS></Obj>'
    '<S S="Error">找不到 _xD83D__xDC27_ &lt;x&gt;_x000D__x000A_</S><S S="Warning">not this</S>'
    '<S S="Error">second_x005F_line_x000D__x000A_</S></Objs>'
)


@pytest.fixture
def pc(tmp_path, monkeypatch):
    """A Windows around this distribution."""
    made = Pc(tmp_path)
    monkeypatch.setenv("PATH", f"{made.tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("WSL_INTEROP", raising=False)
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))
    return made


@pytest.fixture
def connect(pc):
    """Make a connection."""
    return pc.connect


@pytest.fixture
def plugin(connect, monkeypatch):
    """The plugin's own names."""
    return lambda name, value: monkeypatch.setitem(connect().__init__.__globals__, name, value)


# --- how a program starts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "quote", "options", "arguments"),
    [
        (
            "PowerShell",
            "",
            ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted"],
            [],
        ),  # ansible-core 2.19
        ("powershell", "'", ["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted"], []),  # 2.21
        ("powershell", "'", ["-NoProfile", "-NonInteractive", "-InputFormat", "None"], ["-EncodedArguments", "PABP"]),
    ],
)
def test_powershell_gets_the_line_and_the_payload_of_ansible(connect, pc, program, quote, options, arguments):
    encoded = base64.b64encode("'深'".encode("utf-16-le")).decode()
    line = " ".join([program, *options, "-EncodedCommand", f"{quote}{encoded}{quote}", *arguments])
    assert connect().exec_command(line, in_data=b'{"a": 1}\n\0\0\0\0\n') == (0, b"", b"")
    call = pc.calls[0]
    del call["argv"][len(options) + 2]
    assert call["argv"][1:] == [*options, "-EncodedCommand", *arguments]
    assert call["stdin"] == '{"a": 1}\n\0\0\0\0\n'
    assert call["script"].splitlines()[1:] == ["'深'"]


@pytest.mark.parametrize("script", ["type a.ps1 | powershell -EncodedCommand AA==", "powershell -EncodedCommand A; 1"])
def test_a_line_that_only_contains_such_a_command_is_a_script(connect, pc, script):
    connect().exec_command(script)
    assert pc.calls[0]["script"].splitlines()[1:] == [script]


def test_a_raw_command_is_encoded_by_the_connection(connect, pc):
    connect().exec_command("Write-Output \"深度 'x' $env:A\"; exit 5")
    assert pc.calls[0]["script"].splitlines()[1:] == ["Write-Output \"深度 'x' $env:A\"; exit 5"]


@pytest.mark.parametrize(
    "script",
    ["# why\n[CmdletBinding()] param()", "using namespace System.IO\n1", "begin { 1 }", "process{$_}"],
)
def test_nothing_is_put_before_what_must_come_first(connect, pc, script):
    connect().exec_command(script)
    assert pc.calls[0]["script"] == script


def test_a_script_that_begins_with_its_parameters_is_tracked_behind_them(connect, pc):
    """As Ansible 2.21 sends each module."""
    connect().exec_command("param([string]$InputFile)\n\nif ($InputFile) { 1 }")
    assert re.sub("[0-9a-f]{16}", "MARK", pc.calls[0]["script"]) == (
        "param([string]$InputFile)\n"
        "try { [Console]::OutputEncoding = New-Object Text.UTF8Encoding } catch {}; "
        "[Console]::Error.WriteLine('wsl_interop:MARK:' + $PID)\n"
        "\n\nif ($InputFile) { 1 }"
    )


@pytest.mark.parametrize("script", ["[Environment]::UserName", "parameters", "processes { }", "# using it\nusings"])
def test_what_only_looks_alike_is_tracked_as_any_other(connect, pc, script):
    connect().exec_command(script)
    assert pc.calls[0]["script"].partition("\n")[2] == script


def test_a_program_starts_in_the_persons_folder_without_a_variable_of_linux(connect, pc, monkeypatch):
    monkeypatch.setenv("WSLENV", "HTTP_PROXY/w:PATH/l")
    connect().exec_command("1")
    assert pc.calls[0]["cwd"] == str(pc.profile)
    assert "WSLENV" not in pc.calls[0]["environment"]


def test_a_folder_that_is_on_no_mounted_drive_is_replaced_by_the_drive(connect, pc):
    pc.says("cmd.exe", "\\\\server\\home\\mei\r\n")
    connect().exec_command("1")
    assert pc.calls[0]["cwd"] == str(pc.drive)


def test_the_way_to_windows_is_looked_for_at_the_parents(connect, pc, plugin, tmp_path):
    plugin("SOCKETS", str(tmp_path))
    (tmp_path / f"{os.getppid()}_interop").touch()
    connect().exec_command("1")
    assert pc.calls[0]["environment"]["WSL_INTEROP"] == f"{tmp_path}/{os.getppid()}_interop"


def test_windows_is_asked_once_in_a_run(connect, pc):
    for _ in range(3):
        connect().exec_command("1")
    assert (pc.asked, len(pc.calls)) == (1, 3)
    connection = connect()
    connection.exec_command("1")
    connection.reset()
    assert pc.asked == 2


def test_a_line_that_windows_does_not_take_is_refused_with_its_length(connect, pc):
    with pytest.raises(AnsibleError, match=r"line of 3\d{4} characters, and Windows takes 32767.*module script"):
        connect().exec_command("#" * 13000)
    assert pc.calls == []


# --- answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("code", "arrives"), [(0, 0), (5, 5), (255, 255), (256, 0), (3010, 194)])
def test_exit_codes_are_those_of_windows_modulo_256(connect, pc, code, arrives):
    pc.behave(rc=code)
    assert connect().exec_command("1")[0] == arrives


@pytest.mark.parametrize("before", ["", "#< CLIXML\r\n", "a warning\r\n"])
def test_errors_are_taken_out_of_their_objects(connect, pc, before):
    pc.behave(
        before=before,
        stdout="深".encode().hex(),
        stderr=ERRORS.replace("#< CLIXML\r\n", "", bool(before)).encode().hex(),
    )
    rest = before if "warning" in before else ""
    assert connect().exec_command("1") == (0, "深".encode(), f"{rest}找不到 🐧 <x>\r\nsecond_line\r\n".encode())


@pytest.mark.parametrize("text", ["plain\r\n", '<Objs Version="1">&bad</Objs>', "#< no xml"])
def test_other_errors_stay_as_they_are(connect, pc, text):
    pc.behave(stderr=text.encode().hex())
    assert connect().exec_command("1")[2] == text.encode()


def test_what_powershell_says_before_it_takes_utf8_is_read_in_the_consoles_code_page(connect, pc):
    pc.behave(begins=False, rc=1, stderr="表达式中缺少右“)”。".encode("gbk").hex())
    assert connect().exec_command("(")[2] == "表达式中缺少右“)”。".encode()


# --- what keeps it from Windows --------------------------------------------------------------------------------


@pytest.fixture
def refuses(connect, pc):
    """Return why the host is unreachable; nothing has been started in PowerShell."""

    def refuses(**variables):
        with pytest.raises(AnsibleConnectionFailure) as refused:
            connect(**variables).exec_command("1")
        assert pc.calls == []
        return str(refused.value)

    return refuses


def test_a_terminal_that_is_not_an_administrators_is_refused_before_anything_else(refuses, pc):
    pc.account(level=MEDIUM)
    assert 'Open the terminal by "Run as administrator"' in refuses()


def test_a_terminal_that_is_not_an_administrators_does_where_that_is_wanted(connect, pc):
    pc.account(level=MEDIUM)
    assert connect(ansible_wsl_interop_elevated=False).exec_command("1")[0] == 0


@pytest.mark.parametrize("other", ["Ubuntu-22.04", "Ubuntu-24.04-old"])
def test_another_account_than_the_distributions_owner_is_refused(refuses, pc, other):
    pc.account(distribution=other)
    assert r"my-pc\mei that this terminal belongs to does not own the distribution Ubuntu-24.04" in refuses()


def test_an_account_without_any_distribution_is_refused(refuses, pc):
    pc.says("reg.exe", "", rc=1, error="ERROR: The system was unable to find the specified registry key or value.\r\n")
    assert "does not own the distribution Ubuntu-24.04" in refuses()


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ("[interop]\nenabled = false\n", "says enabled=false below [interop]"),
        ("[Interop]\nenabled=False\nappendWindowsPath=true\n", "says enabled=False below [interop]"),
        ("[interop]\nappendWindowsPath=false\n", "echo :WSLInterop:M::MZ::/init:PF >/usr/lib/binfmt.d/WSLInterop.conf"),
        ("", "the entry WSLInterop of binfmt_misc is missing"),
        ("no ini", "systemctl restart systemd-binfmt"),
    ],
)
def test_a_linux_that_starts_no_windows_program_says_why(refuses, pc, plugin, tmp_path, conf, says):
    (pc.system32 / "whoami.exe").write_bytes(b"MZ\x90\0\3\0\0\0")
    (tmp_path / "wsl.conf").write_text(conf)
    plugin("WSL_CONF", str(tmp_path / "wsl.conf"))
    assert says in refuses()


@pytest.mark.parametrize(
    "line",
    [
        "<3>WSL (1234 - ) ERROR: UtilConnectToInteropServer:300: connect failed 111\n",
        "<3>init: (28848) ERROR: UtilConnectUnix:466: connect failed 2\n",
    ],
)
def test_a_closed_terminal_is_told(refuses, pc, line):
    pc.says("whoami.exe", "", rc=1, error=line)
    answer = refuses()
    assert "The terminal that this shell came from is closed" in answer
    assert line.partition("ERROR")[2].strip() in answer


def test_a_distribution_that_wants_no_windows_program_says_so_where_another_one_has_made_the_entry(
    refuses, pc, plugin, tmp_path
):
    pc.says("whoami.exe", "", rc=1, error="<3>WSL (9 - ) ERROR: UtilConnectToInteropServer:300: connect failed 2\n")
    (tmp_path / "wsl.conf").write_text("[interop]\nenabled=false\n")
    plugin("WSL_CONF", str(tmp_path / "wsl.conf"))
    assert "says enabled=false below [interop]" in refuses()


def test_a_session_that_ends_during_a_command_is_told(connect, pc, monkeypatch, tmp_path):
    socket = tmp_path / "7_interop"
    socket.touch()
    monkeypatch.setenv("WSL_INTEROP", str(socket))
    pc.behave(unlink=[str(socket)], rc=1)
    with pytest.raises(AnsibleConnectionFailure, match="The session ended while powershell.exe ran"):
        connect().exec_command("1")


def test_a_program_that_windows_refuses_to_start_is_told(connect, pc):
    pc.behave(begins=False, rc=1, stderr=b"/mnt/c/x/powershell.exe: Permission denied\n".hex())
    with pytest.raises(AnsibleConnectionFailure, match="Windows did not start the program .*Permission denied"):
        connect().exec_command("1")


def test_a_drive_that_is_not_mounted_is_told_with_the_remedy(refuses, pc):
    pc.drive.rename(f"{pc.drive}-away")
    assert "sudo mount -t drvfs C: /mnt/c" in refuses()


def test_elsewhere_than_in_wsl_the_other_way_is_named(refuses, pc, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert "no wslpath, so this is no WSL distribution" in refuses()


def test_a_windows_without_that_program_is_told(refuses, pc):
    (pc.system32 / "whoami.exe").unlink()
    assert "Set ansible_wsl_interop_system32" in refuses()


def test_become_is_refused_with_the_reason(connect, pc):
    connection = connect()
    connection.set_become_plugin(SimpleNamespace(name="runas"))
    with pytest.raises(AnsibleError, match=r"has no become \(runas\): .* with the rights of the terminal"):
        connection.exec_command("1")
    assert pc.asked == 0


# --- limits and cancellation -----------------------------------------------------------------------------------


def test_a_command_over_its_time_is_ended_in_windows(connect, pc):
    pc.behave(sleep=300)
    begin = time.monotonic()
    with pytest.raises(AnsibleConnectionFailure, match="powershell.exe did not end within 1 seconds, and was ended"):
        connect(ansible_wsl_interop_command_timeout=1).exec_command("1")
    assert time.monotonic() - begin < 20
    assert [line.split()[0::2] for line in pc.killed] == [["/PID", "/T"]]
    assert running(str(pc.powershell)) == []


def test_a_task_that_is_interrupted_ends_the_program_in_windows(connect, pc):
    pc.behave(sleep=300)

    def interrupt(_):
        raise KeyboardInterrupt

    connection = connect()
    with pytest.raises(KeyboardInterrupt):
        connection._powershell("1", sink=interrupt, stdin=(interrupt(0) for _ in "1"))
    assert len(pc.killed) == 1
    assert running(str(pc.powershell)) == []


def test_a_windows_that_does_not_answer_is_unreachable_in_time(refuses, pc):
    pc.program(pc.system32 / "whoami.exe", "#!/bin/sh\nexec sleep 300\n")
    assert "whoami.exe did not end within 1 seconds" in refuses(ansible_wsl_interop_start_timeout=1)


def test_a_command_that_ends_by_itself_is_not_killed(connect, pc):
    connect().exec_command("1")
    assert pc.killed == []


# --- files -----------------------------------------------------------------------------------------------------


def answer(data):
    return hashlib.sha256(data).hexdigest().upper().encode().hex()


def test_a_file_goes_over_the_mounted_drive_and_windows_tells_its_sum(connect, pc, tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    pc.behave(stdout=answer(b"data"))
    connect().put_file(str(tmp_path / "file"), "'C:\\Users\\mei\\到 '")
    assert (pc.profile / "到 ").read_bytes() == b"data"
    assert "'C:\\Users\\mei\\到 '" in pc.calls[0]["script"]
    assert pc.calls[0]["stdin"] == ""


@pytest.mark.parametrize("path", ["D:\\x", "\\\\server\\share\\x", "C:\\x:stream", "C:\\none\\x", "relative\\x"])
def test_a_file_goes_by_pipes_where_no_drive_leads(connect, pc, tmp_path, path):
    (tmp_path / "file").write_bytes(b"data")
    pc.behave(stdout=answer(b"data"))
    connect().put_file(str(tmp_path / "file"), path)
    assert base64.b64decode(pc.calls[0]["stdin"]) == b"data"


def test_a_file_that_arrives_as_another_is_an_error(connect, pc, tmp_path):
    (tmp_path / "file").write_bytes(b"data")
    pc.behave(stdout=answer(b"dat"))
    with pytest.raises(AnsibleError, match="the SHA-256 sums differ"):
        connect().put_file(str(tmp_path / "file"), "C:\\x")


@pytest.mark.parametrize(("path", "way"), [("C:\\x", "mounted"), ("D:\\x", "pipes")])
def test_a_fetched_file_takes_its_place(connect, pc, tmp_path, path, way):
    (pc.drive / "x").write_bytes(b"data")
    pipes = {"stdout": b"data".hex(), "stderr": answer(b"data")}
    pc.behave(**({"stdout": answer(b"data")} if way == "mounted" else pipes))
    connect().fetch_file(path, str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == b"data"


def test_a_fetched_file_that_differs_does_not_replace_the_old_one(connect, pc, tmp_path):
    (pc.drive / "x").write_bytes(b"data")
    (tmp_path / "old").write_bytes(b"old")
    pc.behave(stdout=answer(b"other"))
    with pytest.raises(AnsibleError, match="the SHA-256 sums differ"):
        connect().fetch_file("C:\\x", str(tmp_path / "old"))
    assert (tmp_path / "old").read_bytes() == b"old"
    assert list(tmp_path.glob("*.part")) == []


def test_a_file_that_is_not_there_is_an_error(connect, pc):
    with pytest.raises(AnsibleFileNotFound, match=r"There is no file /none\."):
        connect().put_file("/none", "C:\\x")


# --- documentation ---------------------------------------------------------------------------------------------


def test_the_plugin_is_documented_as_ansible_documents_plugins():
    done = subprocess.run(
        ["ansible-doc", "-t", "connection", "wsl_interop"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("ansible_wsl_interop_elevated", "ansible_wsl_interop_command_timeout", "ansible_pipelining"):
        assert word in done.stdout
