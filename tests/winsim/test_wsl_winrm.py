"""The connection plugin wsl_winrm against a running simulator; what wsl.exe executes runs on this machine."""

from __future__ import annotations

import filecmp
import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import become_loader, connection_loader, init_plugin_loader
from simulator_process import PASSWORD, Simulator

HERE = Path(__file__).parent
STRINGS = [
    "a  b   c ",
    'it\'s "quoted" `here`',
    "$HOME ${x} $(id) $$",
    "%PATH% 100% %%",
    "^ & | < > ( ) ! * ?",
    'C:\\Users\\me\\ \\\\server\\ \\" \\',
    "first\nsecond\r\n\n third\t",
    "深度学习 工作站",
    "🐧🔥",
    "-d --exec -- #",
    "x" * 32768,
]


@pytest.fixture(scope="module")
def pc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A PC with one distribution."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[Simulator.__module__], "PATHS", [str(HERE.parents[1]), str(HERE)])
        machine = ("--machine", str(HERE / "machines" / "wsl.yml"))
        backend = ("--wsl-backend", "local_backend:LocalBackend")
        started = Simulator(tmp_path_factory.mktemp("wsl"), *machine, *backend)
        started.start()
        patch.undo()
        yield started
        started.stop()


@pytest.fixture
def variables(pc: Simulator, tmp_path: Path) -> dict[str, Any]:
    """Inventory variables of the distribution."""
    return {
        "ansible_connection": "wsl_winrm",
        "ansible_host": "127.0.0.1",
        "ansible_port": pc.client.info["http_port"],
        "ansible_winrm_scheme": "http",
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_user": "student",
        "ansible_winrm_password": PASSWORD,
        "ansible_wsl_distribution": "Ubuntu-24.04",
        "ansible_user": "root",
        "ansible_password": None,
        "ansible_python_interpreter": sys.executable,
        "ansible_remote_tmp": f"{tmp_path}/remote",
        "ansible_async_dir": f"{tmp_path}/async",
    }


@pytest.fixture
def connect(variables: dict[str, Any]) -> Iterator[Callable[..., Any]]:
    """Make connections, closed after the test."""
    init_plugin_loader()
    connection_loader.add_directory(str(HERE.parents[1] / "plugins" / "connection"))
    made = []

    def make(**changes: Any) -> Any:
        connection = connection_loader.get("wsl_winrm", PlayContext())
        values = {**variables, **changes}
        connection.set_options(var_options={name: value for name, value in values.items() if value is not None})
        made.append(connection)
        return connection

    yield make
    for connection in made:
        connection.close()


@pytest.fixture
def in_distribution(play, pc, variables, monkeypatch) -> Callable[..., dict[str, Any]]:
    """Run tasks with ansible-playbook in the distribution."""
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(HERE.parents[1] / "plugins" / "connection"))
    return lambda tasks, *options, **changes: play(pc, tasks, *options, **{**variables, **changes})


def test_strings_arrive_byte_for_byte(in_distribution, tmp_path: Path) -> None:
    script = "import os, sys; print('\\n'.join(os.fsencode(word).hex() for word in sys.argv[1:]))"
    command = {"argv": [sys.executable, "-c", script, *STRINGS], "expand_argument_vars": False}
    copy = {"content": "".join(STRINGS), "dest": str(tmp_path / "copied")}
    result = in_distribution(
        [{"name": "arguments", "ansible.builtin.command": command}, {"name": "copy", "ansible.builtin.copy": copy}]
    )
    assert [bytes.fromhex(line).decode() for line in result["arguments"]["stdout_lines"]] == STRINGS
    assert (tmp_path / "copied").read_bytes().decode() == "".join(STRINGS)


@pytest.mark.parametrize("text", STRINGS, ids=range(len(STRINGS)))
def test_commands_arrive_byte_for_byte_without_pipelining(connect, text: str) -> None:
    quoted = "'" + text.replace("'", "'\"'\"'") + "'"
    assert connect().exec_command(f"printf %s {quoted}") == (0, text.encode(), b"")
    assert connect().exec_command(f"printf %s {quoted}; cat", in_data=b"\0in") == (0, text.encode() + b"\0in", b"")


@pytest.mark.parametrize("skip", [True, False])
@pytest.mark.parametrize(
    "arguments",
    [
        "-c \"trap 'echo -n mark>&2' EXIT;(source <(base64 -d<<<ZWNobyBvdXQ=))</dev/null\"",
        '-c "echo out"',
        "-c 'echo out' \"\"",
    ],
)
def test_a_command_on_the_command_line_does_not_arrive(pc, arguments: str, skip: bool) -> None:
    line = '"C:\\Program Files\\WSL\\wsl.exe" -d Ubuntu-24.04 -u root --cd / --exec /bin/bash'
    stdout, _, code = pc.run(line, arguments, skip=skip)
    assert (stdout, code) == (b"", 1)


def test_a_line_that_cmd_leaves_alone_arrives(pc) -> None:
    line = '"C:\\Program Files\\WSL\\wsl.exe" -d Ubuntu-24.04 -u root --cd / --exec /bin/echo out'
    assert pc.run(line) == (b"out\n", b"", 0)


def test_what_ci_asks_a_real_windows_holds_here(variables, tmp_path: Path) -> None:
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"wsl_in_windows": {"hosts": {"pc-wsl": variables}}}))
    argv = [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, ".github/wsl-winrm.yml"]
    done = subprocess.run(
        [*argv, "-e", f"folder={tmp_path}"], cwd=HERE.parents[1], capture_output=True, text=True, timeout=120
    )
    assert "pc-wsl                     : ok=11   changed=4    unreachable=0    failed=0 " in done.stdout, done.stdout


def test_what_cmd_runs_first_is_not_taken_for_an_answer(connect, pc, tmp_path: Path) -> None:
    key = '"HKCU\\Software\\Microsoft\\Command Processor"'
    assert pc.run(f'reg add {key} /v AutoRun /d "chcp 65001"')[2] == 0
    try:
        assert pc.run("echo x")[0] == b"Active code page: 65001\r\nx\r\n"
        connection = connect()
        assert connection.exec_command("echo out; cat", in_data=b"in") == (0, b"out\nin", b"")
        connection.fetch_file("/etc/hostname", str(tmp_path / "fetched"))
        with pytest.raises(AnsibleConnectionFailure, match="WSL_E_DISTRO_NOT_FOUND"):
            connect(ansible_wsl_distribution="Debian").exec_command("id")
    finally:
        pc.run(f"reg delete {key} /v AutoRun /f")
    assert (tmp_path / "fetched").read_bytes() == Path("/etc/hostname").read_bytes()


def test_streams_and_exit_code(connect) -> None:
    assert connect().exec_command("echo out; echo err >&2; exit 42") == (42, b"out\n", b"err\n")
    assert connect().exec_command("head -c 1000000 /dev/zero")[:2] == (0, bytes(1000000))


def test_linux_user_is_the_one_that_was_asked_for(connect) -> None:
    assert connect(ansible_user="dev").exec_command("echo $LAB_USER")[1] == b"dev\n"
    assert connect(ansible_user=None).exec_command("echo $LAB_USER")[1] == b"dev\n"


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_files_go_both_ways(connect, tmp_path: Path, size: int) -> None:
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    source, there, back = tmp_path / "source", tmp_path / "it's there", tmp_path / "back"
    source.write_bytes(data)
    connection = connect()
    connection.put_file(str(source), str(there))
    connection.fetch_file(str(there), str(back))
    assert hashlib.sha256(there.read_bytes()).digest() == hashlib.sha256(data).digest()
    assert back.read_bytes() == data


@pytest.mark.campaign
def test_a_file_of_200_mib_goes_both_ways_in_little_memory(connect, tmp_path: Path) -> None:
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB

    source, there, back = tmp_path / "source", tmp_path / "there", tmp_path / "back"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for number in range(200):
            file.write(number.to_bytes(4) + block[4:])
    connection = connect()
    connection.exec_command("true")
    before = peak()
    connection.put_file(str(source), str(there))
    connection.fetch_file(str(there), str(back))
    grown = (peak() - before) // 1024
    assert filecmp.cmp(source, there, shallow=False)
    assert filecmp.cmp(source, back, shallow=False)
    assert grown < 64, f"{grown} MiB more memory"


def test_failed_copies_say_why(connect, tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(bytes(1_000_000))
    connection = connect()
    with pytest.raises(AnsibleError, match="No such file or directory"):
        connection.put_file(str(tmp_path / "source"), str(tmp_path / "none" / "x"))
    with pytest.raises(AnsibleError, match="No space left on device"):
        connection.put_file(str(tmp_path / "source"), "/dev/full")
    with pytest.raises(AnsibleError, match="No such file or directory"):
        connection.fetch_file(str(tmp_path / "none"), str(tmp_path / "x"))
    connection.reset()
    assert connection.exec_command("echo still here")[1] == b"still here\n"


def test_modules_become_and_async(in_distribution) -> None:
    tasks = [
        {"name": "ping", "ansible.builtin.ping": {}},
        {"name": "who", "ansible.builtin.command": "printenv LAB_USER"},
        {"name": "root", "ansible.builtin.command": "printenv LAB_USER", "become": True},
        {"name": "trusted", "ansible.builtin.command": "printenv LAB_USER", "become": True, "become_user": "trusted"},
        {"name": "unpipelined", "ansible.builtin.ping": {}, "vars": {"ansible_pipelining": False}},
        {"name": "slow", "ansible.builtin.command": "echo done", "async": 20, "poll": 1},
    ]
    result = in_distribution(tasks, ansible_user="dev", ansible_become_password="let me in")
    assert result["rc"] == 0, result["output"]
    assert result["ping"]["ping"] == result["unpipelined"]["ping"] == "pong"
    assert [result[name]["stdout"] for name in ("who", "root", "trusted")] == ["dev", "root", "trusted"]
    assert (result["slow"]["finished"], result["slow"]["stdout"]) == (True, "done")


def test_wrong_become_password(connect) -> None:
    connection = connect()
    plugin = become_loader.get("sudo")
    plugin.set_options(direct={"become_pass": "guess"})
    connection.set_become_plugin(plugin)
    with pytest.raises(AnsibleError, match="Incorrect sudo password"):
        connection.exec_command(plugin.build_become_command("id", connection._shell), in_data=b"never read")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"ansible_wsl_distribution": "Debian"},
            r"\(Wsl/Service/WSL_E_DISTRO_NOT_FOUND\)\. Debian is not registered for the Windows account student\.",
        ),
        (
            {"ansible_winrm_user": "alice", "ansible_winrm_password": "alice-only"},
            "not registered for the Windows account alice",
        ),
        ({"ansible_user": "nobody"}, "Ubuntu-24.04 has no Linux user nobody"),
        ({"ansible_wsl_exe": "C:\\Windows\\System32\\wsl.exe"}, r"\(Wsl/ERROR_CANT_ACCESS_FILE\)"),
        (
            {"ansible_wsl_exe": "C:\\none\\wsl.exe"},
            r"\(exit code 1\)\. If Windows did not find C:\\none\\wsl.exe: install",
        ),
        ({"ansible_wsl_exe": "C:\\no such\\wsl.exe"}, r"'C:\\no' is not recognized"),
        ({"ansible_winrm_password": "wrong"}, "credentials were rejected by the server: Windows account student"),
        ({"ansible_port": 1}, "http://127.0.0.1:1/wsman"),
    ],
)
def test_host_is_unreachable_with_the_cause(connect, changes: dict, words: str) -> None:
    with pytest.raises(AnsibleConnectionFailure, match=words):
        connect(**changes).exec_command("id")


@pytest.mark.parametrize("phase", ["input", "running", "output"])
def test_cut_connection_is_unreachable(in_distribution, pc, phase: str) -> None:
    pc.client.fault("cut", match="wsl.exe", phase=phase)
    result = in_distribution([{"name": "cut", "ansible.builtin.command": "echo done"}])
    pc.client.fault("clear")
    assert result["cut"]["unreachable"] is True
    assert "stdout" not in result["cut"]
    assert result["rc"] == 4


def test_proxy_of_the_control_node_is_not_used(connect, monkeypatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert connect().exec_command("echo direct")[1] == b"direct\n"


def test_certificate_is_checked(connect, pc) -> None:
    secure = {"ansible_port": pc.client.info["https_port"], "ansible_winrm_scheme": "https"}
    with pytest.raises(AnsibleConnectionFailure, match="Set ansible_winrm_ca_trust_path to the certificate"):
        connect(**secure).exec_command("id")
    trusted = connect(**secure, ansible_winrm_ca_trust_path=pc.client.info["certificate"])
    assert trusted.exec_command("echo secure")[1] == b"secure\n"


def test_keep_alive_leaves_a_client(connect, pc, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("ansible.constants.DEFAULT_LOCAL_TMP", str(tmp_path))
    before = set(pc.client.call("GET", "/commands"))  # of earlier tests; these may end meanwhile
    for _ in range(2):
        connection = connect(ansible_wsl_keep_alive=60)
        connection.exec_command("true")
        connection.close()
    assert len(set(pc.client.call("GET", "/commands")) - before) == 1
