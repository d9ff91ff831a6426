"""What the connection plugin says to pywinrm, and what it makes of the answers."""

from __future__ import annotations

import base64
import hashlib
import shlex
import subprocess
import tracemalloc
from pathlib import Path

import pytest
import requests
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError

MARK = b"wsl_winrm:00c0ffee"
TASK = b"echo -n wsl_winrm:00c0ffee;trap 'echo -n wsl_winrm:00c0ffee>&2' EXIT;"
STRINGS = {
    "spaces": "a  b   c",
    "quotes": 'it\'s "quoted" `here`',
    "dollar": "$HOME ${x} $(id)",
    "percent": "%PATH% 100% %%",
    "cmd": "^ & | < > ( ) !",
    "backslashes": 'C:\\Users\\me\\ \\\\server\\ \\"',
    "lines": "first\nsecond\r\nthird\n",
    "chinese": "深度学习 工作站",
    "emoji": "🐧🔥",
    "option": "-d --exec --",
}


def fault(wmi: int | None = None, reason: str = "no") -> WSManFaultError:
    return WSManFaultError(500, "bad", "", reason, wmierror_code=wmi)


# --- the wire --------------------------------------------------------------------------------------------------


def run(sent: bytes) -> subprocess.CompletedProcess[bytes]:
    """Let a bash run what was sent, as the one in a distribution would; stdout without the first mark."""
    ran = subprocess.run(["/bin/bash"], input=sent, capture_output=True, timeout=30)
    assert ran.stdout.startswith(MARK)
    ran.stdout = ran.stdout.removeprefix(MARK)
    return ran


def test_command_line_is_this_whatever_is_to_run(connect, protocol) -> None:
    connect().exec_command('echo "hi"')
    assert protocol.of("run_command") == [
        (
            "shell 1",
            '"C:\\Program Files\\WSL\\wsl.exe" -d Ubuntu-24.04 -u dev --cd / --exec /bin/bash',
            {"console_mode_stdin": False},
        )
    ]
    assert protocol.of("send") == [(TASK + b"(eval -- 'echo \"hi\"')</dev/null;exit\n", True)]


@pytest.mark.parametrize("text", STRINGS.values(), ids=STRINGS)
def test_nothing_of_a_command_is_on_the_command_line(connect, protocol, text: str) -> None:
    protocol.answers *= 2
    connect().exec_command(f"printf %s {shlex.quote(text)}; cat", in_data=b"\0 the input\n")
    assert protocol.command_line.endswith('wsl.exe" -d Ubuntu-24.04 -u dev --cd / --exec /bin/bash')
    ran = run(protocol.sent)
    assert (ran.stdout, ran.stderr, ran.returncode) == (text.encode() + b"\0 the input\n", MARK, 0)


def test_long_command_and_its_input_arrive_whole(connect, protocol) -> None:
    command = f"printf %s {'x' * 300000} | wc -c; cat"
    connect().exec_command(command, in_data=b"the input")
    assert [len(data) for data, _ in protocol.of("send")] == [280000, 20119]
    assert [end for _, end in protocol.of("send")] == [False, True]
    ran = run(protocol.sent.replace(b"x" * 300000, b"x" * 30000))  # as an argument of printf, Linux takes 131,072
    assert (ran.stdout, ran.stderr, ran.returncode) == (b"30000\nthe input", MARK, 0)


def test_shell_script_keeps_exit_code_marks_its_end_and_reads_nothing(connect, protocol) -> None:
    connect().exec_command("cat; echo out; echo err >&2; exit 7")
    ran = run(protocol.sent + b"never read\n")
    assert (ran.stdout, ran.stderr, ran.returncode) == (b"out\n", b"err\n" + MARK, 7)


def test_windows_shell_has_utf8_and_tells_wsl_to_use_it(connect, protocol) -> None:
    connect()._connect()
    assert protocol.of("open_shell") == [{"codepage": 65001, "env_vars": {"WSL_UTF8": "1"}}]


def test_without_a_linux_user_the_default_user_is_taken(connect, protocol) -> None:
    connect(ansible_user=None).exec_command("id")
    assert " -d Ubuntu-24.04 --cd / --exec" in protocol.command_line


def test_input_is_sent_in_pieces_below_the_envelope_size_and_ends_once(connect, protocol) -> None:
    data = bytes(range(256)) * 4096
    connect().exec_command("python3", in_data=data)
    sent = protocol.of("send")
    assert protocol.sent == TASK + b"(eval -- python3);exit\n" + data
    assert [len(piece) for piece, _ in sent] == [280000, 280000, 280000, 208668]
    assert [end for _, end in sent] == [False, False, False, True]


def test_result_has_exit_code_and_separate_streams(connect, protocol) -> None:
    protocol.answers = [
        (b"out", b"", -1, False),
        WinRMOperationTimeoutError(),
        (b"put", b"warn", -1, False),
        (b"", b"ing" + MARK + b"later", 3, True),
    ]
    assert connect().exec_command("x") == (3, b"output", b"warninglater")


def test_command_is_cleaned_up_when_the_next_one_starts_and_the_last_goes_with_its_shell(connect, protocol) -> None:
    protocol.answers *= 2
    connection = connect()
    connection.exec_command("x")
    assert protocol.of("cleanup") == []
    connection.exec_command("y")
    assert protocol.of("cleanup") == ["command"]
    connection.close()
    assert protocol.of("cleanup") == ["command"]
    assert len(protocol.of("close_shell")) == 1


# --- where to, and as whom -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, "https://192.0.2.7:5986/wsman"),
        ({"ansible_port": 5985}, "http://192.0.2.7:5985/wsman"),
        ({"ansible_port": 15985, "ansible_winrm_scheme": "http"}, "http://192.0.2.7:15985/wsman"),
        ({"ansible_host": "fd00::7"}, "https://[fd00::7]:5986/wsman"),
        ({"ansible_host": None}, "https://pc1:5986/wsman"),
        ({"ansible_winrm_path": "iis/wsman"}, "https://192.0.2.7:5986/iis/wsman"),
    ],
)
def test_endpoint(connect, protocol, variables: dict, endpoint: str) -> None:
    connect(**variables)._connect()
    assert protocol.arguments["endpoint"] == endpoint


def test_defaults_are_ntlm_a_valid_certificate_and_no_proxy(connect, protocol, monkeypatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:7890")
    connect()._connect()
    wanted = {"transport": "ntlm", "server_cert_validation": "validate", "proxy": None, "username": "me"}
    wanted |= {"password": "secret", "operation_timeout_sec": 60, "read_timeout_sec": 90, "cert_pem": None}
    wanted |= {"ca_trust_path": "legacy_requests", "message_encryption": "auto"}
    assert {name: protocol.arguments[name] for name in wanted} == wanted


def test_variables_of_the_winrm_connection_reach_pywinrm(connect, protocol) -> None:
    values = {
        "transport": "basic", "server_cert_validation": "ignore", "ca_trust_path": "/etc/ca.pem", "cert_pem": "/c.pem",
        "cert_key_pem": "/k.pem", "message_encryption": "always", "operation_timeout_sec": 50, "read_timeout_sec": 70,
        "proxy": "http://p:1", "send_cbt": False, "service": "HOST", "kerberos_delegation": True,
        "kerberos_hostname_override": "h", "credssp_disable_tlsv1_2": True,
    }  # fmt: skip
    connect(**{f"ansible_winrm_{name}": value for name, value in values.items()})._connect()
    assert {name: protocol.arguments[name] for name in values} == values


@pytest.mark.parametrize(("seconds", "timeouts"), [(5, (5, 90)), (79, (79, 90)), (100, (100, 110))])
def test_connection_timeout_sets_both_timeouts_and_leaves_a_silent_command_its_minute(
    connect, protocol, seconds: int, timeouts: tuple[int, int]
) -> None:
    connect(ansible_winrm_connection_timeout=seconds)._connect()
    assert (protocol.arguments["operation_timeout_sec"], protocol.arguments["read_timeout_sec"]) == timeouts


def test_linux_user_is_never_the_windows_account(connect) -> None:
    with pytest.raises(AnsibleError, match="Set ansible_winrm_user to the Windows account that owns the distribution"):
        connect(ansible_winrm_user=None)._connect()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ansible_wsl_distribution", 'x" --exec y', "the distribution .* would take '\"' ' ' for something else"),
        ("ansible_wsl_distribution", "%TEMP%", "the distribution .* would take '%' for"),
        ("ansible_wsl_distribution", "-u", "the distribution .* would take '-' for"),
        ("ansible_user", "a&b", "the remote_user .* would take '&' for"),
        ("ansible_wsl_exe", "C:\\Program Files (x86)\\WSL\\wsl.exe", r"the wsl_exe .* would take '\(' '\)' for"),
        ("ansible_wsl_exe", "%ProgramFiles%\\WSL\\wsl.exe", "would take '%' for"),
        ("ansible_wsl_exe", 'C:\\x" & calc & "\\wsl.exe', r"would take '\"' '&' for"),
        ("ansible_wsl_exe", "C:\\a^b!c@d|e<f>g\\wsl.exe", r"would take '\^' '!' '@' '\|' '<' '>' for"),
        ("ansible_wsl_exe", "C:\\a;b,c=d\\wsl.exe", "would take ';' ',' '=' for"),
        ("ansible_wsl_exe", "C:\\two\nlines\\wsl.exe", r"would take '\\n' for"),
        ("ansible_wsl_exe", f"C:\\{'x' * 8200}\\wsl.exe", "longer than the 8191 characters of cmd.exe"),
    ],
)
def test_what_cmd_or_wsl_would_take_for_something_else_is_refused(connect, name: str, value: str, words: str) -> None:
    with pytest.raises(AnsibleError, match=words):
        connect(**{name: value})._connect()


@pytest.mark.parametrize("path", ["D:\\tools\\wsl.exe", "C:\\PROGRA~1\\WSL\\wsl.exe", "D:\\我的 程序\\a+b's\\wsl.exe"])
def test_other_paths_of_wsl_are_possible(connect, protocol, path: str) -> None:
    connect(ansible_wsl_exe=path).exec_command("id")
    assert protocol.command_line == f'"{path}" -d Ubuntu-24.04 -u dev --cd / --exec /bin/bash'


# --- failures --------------------------------------------------------------------------------------------------


def test_failure_of_wsl_is_unreachable_with_its_code_and_a_remedy(connect, protocol) -> None:
    protocol.begins = False
    text = "不存在具有所提供名称的分发。\r\n错误代码: Wsl/Service/WSL_E_DISTRO_NOT_FOUND\r\n"
    protocol.answers = [(text.encode("utf-16-le"), b"", 4294967295, True)]
    with pytest.raises(AnsibleConnectionFailure) as caught:
        connect().exec_command("id")
    assert str(caught.value) == (
        "wsl.exe did not run the command in Ubuntu-24.04 on 192.0.2.7 (Wsl/Service/WSL_E_DISTRO_NOT_FOUND). "
        "Ubuntu-24.04 is not registered for the Windows account me. Distributions belong to the account that installed "
        "them: install it as me, or set ansible_winrm_user to its owner. "
        "不存在具有所提供名称的分发。 错误代码: Wsl/Service/WSL_E_DISTRO_NOT_FOUND"
    )


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("Wsl/WSL_E_LOCAL_SYSTEM_NOT_SUPPORTED", "wsl.exe refuses LocalSystem"),
        ("Wsl/Service/CreateInstance/WSL_E_USER_NOT_FOUND", "has no Linux user dev"),
        ("Wsl/Service/CreateInstance/E_FAIL", r"\(Wsl/Service/CreateInstance/E_FAIL\)"),
    ],
)
def test_codes_of_wsl(connect, protocol, code: str, words: str) -> None:
    protocol.begins = False
    protocol.answers = [(f"Text.\r\nError code: {code}\r\n".encode(), b"", -1, True)]
    with pytest.raises(AnsibleConnectionFailure, match=words):
        connect().exec_command("id")


def test_failure_without_the_mark_is_no_result(connect, protocol) -> None:
    protocol.begins = False
    protocol.answers = [(b"", b"The file cannot be accessed by the system.\r\n", 1, True)]
    with pytest.raises(AnsibleConnectionFailure, match=r"\(exit code 1\).*cannot be accessed by the system"):
        connect().exec_command("id")


@pytest.mark.parametrize("at", [0, 5, 26, 30, 44])
def test_what_comes_before_bash_is_not_its_output_wherever_it_is_cut(connect, protocol, at: int) -> None:
    protocol.begins = False
    said = b"Active code page: 65001\r\n" + MARK + b"out" + MARK
    protocol.answers = [(said[:at], b"", -1, False), (said[at:], MARK, 0, True)]
    assert connect().exec_command("x") == (0, b"out" + MARK, b"")


@pytest.mark.parametrize("stderr", [b"", MARK])
def test_success_of_something_that_is_not_bash_is_no_result(connect, protocol, stderr: bytes) -> None:
    protocol.begins = False
    protocol.answers = [(b"Usage: wsl.exe\r\n", stderr, 0, True)]
    with pytest.raises(AnsibleConnectionFailure, match=r"did not run the command .*\(exit code 0\)\. +Usage: wsl.exe"):
        connect().exec_command("x")


@pytest.mark.parametrize("code", [1, 9009])
def test_program_that_windows_does_not_find_is_named(connect, protocol, code: int) -> None:
    protocol.begins = False
    text = "'\"D:\\wsl.exe\"' 不是内部或外部命令，也不是可运行的程序\r\n或批处理文件。\r\n"
    protocol.answers = [(b"", text.encode(), code, True)]
    with pytest.raises(
        AnsibleConnectionFailure, match=r"Windows did not find D:\\wsl\.exe: install WSL's package, or set"
    ):
        connect(ansible_wsl_exe="D:\\wsl.exe").exec_command("id")


@pytest.mark.parametrize("stage", ["open_shell", "run_command", "send", "receive"])
def test_broken_connection_is_unreachable_at_any_moment(connect, protocol, stage: str) -> None:
    protocol.answers = [(b'{"changed": true}', MARK, 0, True)]
    protocol.fails[stage] = requests.exceptions.ConnectionError("Connection reset by peer")
    connection = connect()
    with pytest.raises(AnsibleConnectionFailure, match="https://192.0.2.7:5986/wsman: Connection reset by peer"):
        connection.exec_command("python3", in_data=b"x")
    connection.close()
    assert protocol.of("close_shell") == []


def test_connection_that_breaks_after_the_result_costs_only_the_connection(connect, protocol) -> None:
    protocol.answers *= 2
    protocol.fails["cleanup"] = requests.exceptions.ConnectionError("Connection reset by peer")
    connection = connect()
    assert connection.exec_command("id") == (0, b"", b"")
    assert connection.exec_command("id") == (0, b"", b"")
    assert [call[0] for call in protocol.of("run_command")] == ["shell 1", "shell 2"]


def test_half_of_the_output_is_no_result(connect, protocol) -> None:
    protocol.answers = [(b"half", b"", -1, False), requests.exceptions.ReadTimeout("Read timed out.")]
    with pytest.raises(AnsibleConnectionFailure, match="Read timed out"):
        connect().exec_command("x")


def test_rejected_credentials_name_the_account(connect, protocol) -> None:
    protocol.fails["open_shell"] = InvalidCredentialsError("the specified credentials were rejected by the server")
    with pytest.raises(AnsibleConnectionFailure, match="rejected by the server: Windows account me"):
        connect()._connect()


def test_input_refused_by_an_ended_command_leaves_its_result(connect, protocol) -> None:
    protocol.fails["send"] = fault(reason="The pipe has been ended.")
    protocol.answers = [(b"", b"sudo: a password is required\n" + MARK, 1, True)]
    assert connect().exec_command("sudo", in_data=b"x") == (1, b"", b"sudo: a password is required\n")


def test_input_refused_by_a_command_that_then_succeeds_is_no_result(connect, protocol) -> None:
    protocol.fails["send"] = fault(reason="The pipe has been ended.")
    with pytest.raises(AnsibleConnectionFailure, match="The pipe has been ended"):
        connect().exec_command("cat", in_data=b"x")


def test_full_shell_is_replaced(connect, protocol) -> None:
    protocol.fails["run_command"] = fault(0x803381A6)
    assert connect().exec_command("id") == (0, b"", b"")
    assert protocol.of("close_shell") == ["shell 1"]
    assert [call[0] for call in protocol.of("run_command")] == ["shell 1", "shell 2"]


def test_close_never_fails_and_reset_starts_anew(connect, protocol) -> None:
    connection = connect()
    connection._connect()
    protocol.fails["close_shell"] = requests.exceptions.ConnectionError("gone")
    connection.reset()
    assert (protocol.of("close_shell"), protocol.shells) == (["shell 1"], 2)


# --- become ----------------------------------------------------------------------------------------------------


def test_password_is_sent_when_asked_for_and_the_module_when_accepted(connect, protocol, sudo) -> None:
    connection = connect()
    success = sudo(connection)
    prompt = connection.become.prompt.encode()
    protocol.answers = [
        (b"", prompt, -1, False),
        (success + b"\n", b"", -1, False),
        (b"{}", MARK, 0, True),
    ]
    assert connection.exec_command("sudo", in_data=b"module") == (0, success + b"\n{}", b"")
    assert protocol.of("send") == [(TASK + b"(eval -- sudo);exit\n", False), (b"let me in\n", False), (b"module", True)]
    order = [name for name, _ in protocol.calls if name in ("send", "receive")]
    assert order == ["send", "receive", "send", "receive", "send", "receive"]


def test_password_is_kept_back_when_nobody_asks(connect, protocol, sudo) -> None:
    connection = connect()
    success = sudo(connection)
    protocol.answers = [(success + b"\n", b"", -1, False), (b"{}", MARK, 0, True)]
    connection.exec_command("sudo", in_data=b"module")
    assert protocol.of("send")[1:] == [(b"module", True)]


def test_second_question_means_a_wrong_password(connect, protocol, sudo) -> None:
    connection = connect()
    sudo(connection, "wrong")
    prompt = connection.become.prompt.encode()
    protocol.answers = [(b"", prompt, -1, False), (b"", b"\nnochmal\n" + prompt, -1, False)]
    with pytest.raises(AnsibleError, match="Incorrect sudo password"):
        connection.exec_command("sudo", in_data=b"module")
    assert protocol.of("send")[1:] == [(b"wrong\n", False)]


def test_end_before_the_question_is_the_result(connect, protocol, sudo) -> None:
    connection = connect()
    sudo(connection)
    protocol.answers = [(b"", b"sudo: not found\n" + MARK, 127, True)]
    assert connection.exec_command("sudo", in_data=b"module") == (127, b"", b"sudo: not found\n")
    assert len(protocol.of("send")) == 1


# --- files -----------------------------------------------------------------------------------------------------


def sums(data: bytes) -> bytes:
    return f"{hashlib.sha256(data).hexdigest()}  -\n".encode()


@pytest.mark.parametrize("size", [0, 1, 210000, 210001, 1000003])
def test_put_sends_base64_and_compares_sums(connect, protocol, tmp_path: Path, size: int) -> None:
    data = bytes(index * 7 % 256 for index in range(size))
    (tmp_path / "file").write_bytes(data)
    protocol.answers = [(sums(data), MARK, 0, True)]
    connect().put_file(str(tmp_path / "file"), "/tmp/a b'c")
    sent = protocol.of("send")
    task, _, content = protocol.sent.partition(b"\n")
    assert base64.b64decode(content) == data
    assert [end for _, end in sent] == [False] * (len(sent) - 1) + [True]
    assert max(len(base64.b64encode(piece)) for piece, _ in sent) <= 373336
    quoted = "'/tmp/a b'\"'\"'c'"
    assert shlex.quote(f"base64 -d >{quoted} && sha256sum <{quoted}").encode() in task


def test_put_of_another_sum_fails(connect, protocol, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one")
    protocol.answers = [(sums(b"two"), MARK, 0, True)]
    with pytest.raises(AnsibleError, match="the SHA-256 sums differ"):
        connect().put_file(str(tmp_path / "file"), "/tmp/x")


def test_put_says_why_it_failed(connect, protocol, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"one")
    protocol.answers = [(b"", b"base64: write error: No space left on device\n" + MARK, 1, True)]
    with pytest.raises(AnsibleError, match="Could not put .*file to /tmp/x: base64: write error: No space left"):
        connect().put_file(str(tmp_path / "file"), "/tmp/x")


def test_put_without_a_file(connect, tmp_path: Path) -> None:
    with pytest.raises(AnsibleFileNotFound, match="There is no file"):
        connect().put_file(str(tmp_path / "none"), "/tmp/x")


def test_fetch_joins_pieces_cut_anywhere(connect, protocol, tmp_path: Path) -> None:
    data = bytes(range(256)) * 100
    text = base64.b64encode(data)
    protocol.answers = [(text[:1], b"", -1, False), (text[1:10002], b"", -1, False), (text[10002:], b"", -1, False)]
    protocol.answers.append((b"", sums(data) + MARK, 0, True))
    connect().fetch_file("/etc/x", str(tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((b"QUJD", sums(b"ABD") + MARK, 0, True), "the SHA-256 sums differ"),
        ((b"", b"bash: /etc: Is a directory\n" + MARK, 1, True), "Could not fetch /etc to .*: bash: /etc: Is a dir"),
        ((b"QU\x00D", b"", -1, False), "Could not fetch /etc to"),
    ],
)
def test_failed_fetch_leaves_the_old_file(connect, protocol, tmp_path: Path, answer: tuple, words: str) -> None:
    (tmp_path / "out").write_bytes(b"before")
    protocol.answers = [answer]
    with pytest.raises(AnsibleError, match=words):
        connect().fetch_file("/etc", str(tmp_path / "out"))
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


def test_memory_does_not_grow_with_the_file(connect, protocol, tmp_path: Path, monkeypatch) -> None:
    data = bytes(1024) * 64 * 1024
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(protocol, "_note", lambda name, value: None)
    piece = base64.b64encode(bytes(98304))
    fetched = len(data) // 98304 * 98304
    fetched_sums = sums(bytes(fetched))
    protocol.answers = [(sums(data), MARK, 0, True)]
    connection = connect()
    tracemalloc.start()
    connection.put_file(str(tmp_path / "file"), "/tmp/x")
    protocol.answers = [(piece, b"", -1, False)] * (len(data) // 98304)
    protocol.answers.append((b"", fetched_sums + MARK, 0, True))
    connection.fetch_file("/tmp/x", str(tmp_path / "out"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (tmp_path / "out").stat().st_size == fetched == 67043328
    assert peak < 4 * 2**20


# --- keep-alive ------------------------------------------------------------------------------------------------


def test_keep_alive_is_off_by_default(connect, protocol) -> None:
    connect()._connect()
    assert protocol.of("run_command") == []


def test_keep_alive_leaves_one_client_for_all_connections(connect, protocol, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    for _ in range(3):
        connection = connect(ansible_wsl_keep_alive=120)
        connection._connect()
        connection.close()
    assert [call[:2] for call in protocol.of("run_command")] == [
        ("shell 2", '"C:\\Program Files\\WSL\\wsl.exe" -d Ubuntu-24.04 -u dev --cd / --exec /bin/bash')
    ]
    assert protocol.of("send") == [(b"exec sleep 120\n", True)]
    assert {"idle_timeout": "PT120S", "env_vars": {"WSL_UTF8": "1"}} in protocol.of("open_shell")
    assert protocol.of("close_shell") == ["shell 1", "shell 3", "shell 4"]
