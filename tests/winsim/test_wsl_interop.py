"""The connection plugin wsl_interop against a running simulator, by the stand-in of WSL's interop; this machine is the distribution."""

from __future__ import annotations

import contextlib
import filecmp
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader, init_plugin_loader
from simulator_process import Simulator

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STAND_IN = ROOT / "lab" / "containers" / "distribution" / "rootfs" / "usr"
PROGRAMS = (
    "chcp.com",
    "cmd.exe",
    "reg.exe",
    "taskkill.exe",
    "whoami.exe",
    "wsl.exe",
    "WindowsPowerShell/v1.0/powershell.exe",
)
STRINGS = [
    "a  b   c ",
    'it\'s "quoted" `here`',
    "$HOME ${x} $(id) $$",
    "100% %PATH",
    "^ & | < > ( ) ! * ?",
    'C:\\Users\\me\\ \\\\server\\ \\" \\',
    "first\nsecond\r\n\n third\t",
    "深度学习 工作站",
    "🐧🔥",
    "‘typographic’ “quotes”",
    "x" * 32768,
]


@pytest.fixture(scope="module")
def pc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    """A PC with one distribution."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[Simulator.__module__], "PATHS", [str(ROOT), str(HERE)])
        description = yaml.safe_load((HERE / "machines" / "wsl.yml").read_text())
        description |= {"signed_in": ["student", "alice"], "time_scale": 1}  # what takes time takes it
        machine = tmp_path_factory.mktemp("machine") / "own.yml"
        machine.write_text(yaml.safe_dump(description))
        options = ("--machine", str(machine), "--wsl-backend", "local_backend:LocalBackend")
        started = Simulator(tmp_path_factory.mktemp("own"), *options)
        started.start()
        patch.undo()
        yield started
        started.stop()


class Terminal:
    """A terminal of the PC in which the distribution was started."""

    def __init__(self, pc: Simulator, *options: str) -> None:
        waits = ["sh", "-c", 'echo "$WSL_INTEROP"; read -r line']
        words = [str(pc.state), *options, "--", "wsl.exe", "-d", "Ubuntu-24.04", "--cd", "/", "--exec", *waits]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "lab", "pc", "terminal", *words],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.socket = self.process.stdout.readline().strip()
        assert Path(self.socket).is_socket()

    def close(self) -> None:
        """Close it."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()
        self.process.stdin.close()
        deadline = time.monotonic() + 20
        while Path(self.socket).exists():
            assert time.monotonic() < deadline, "the session has not ended with its terminal"
            time.sleep(0.05)


@pytest.fixture
def terminal(pc: Simulator) -> Iterator[Callable[..., Terminal]]:
    """Open terminals, closed after the test."""
    opened = []

    def make(*options: str) -> Terminal:
        opened.append(Terminal(pc, *options))
        return opened[-1]

    yield make
    for one in opened:
        if one.process.poll() is None:
            one.close()


@pytest.fixture
def drive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Drive C: as the lab's distributions have it: programs, and nothing else."""
    system32 = tmp_path / "mnt" / "c" / "Windows" / "System32"
    for name in PROGRAMS:
        path = system32 / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!{STAND_IN}/lib/lab/interop.py\n")
        path.chmod(0o755)
    monkeypatch.setenv("LAB_MNT", str(tmp_path / "mnt"))
    monkeypatch.setenv("WSL_DISTRO_NAME", "Ubuntu-24.04")
    monkeypatch.setenv("PATH", f"{STAND_IN}/bin:{os.environ['PATH']}")
    monkeypatch.setenv("ANSIBLE_CONNECTION_PLUGINS", str(ROOT / "plugins" / "connection"))
    return tmp_path / "mnt" / "c"


@pytest.fixture
def session(terminal, drive: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """This process is one of a terminal that was opened as administrator."""
    opened = terminal()
    monkeypatch.setenv("WSL_INTEROP", opened.socket)
    return opened


@pytest.fixture
def connect(drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make connections."""
    init_plugin_loader()
    connection_loader.add_directory(str(ROOT / "plugins" / "connection"))
    (tmp_path / "run").mkdir()
    monkeypatch.setattr(constants, "DEFAULT_LOCAL_TMP", str(tmp_path / "run"))

    def make(**variables: Any) -> Any:
        connection = connection_loader.get("wsl_interop", PlayContext())
        connection.__init__.__globals__["_mounted_drive"].cache_clear()
        connection.set_options(var_options={"inventory_hostname": "pc"} | variables)
        return connection

    return make


@pytest.fixture
def in_windows(play, pc, session) -> Callable[..., dict[str, Any]]:
    """Run tasks with ansible-playbook in Windows."""
    return lambda tasks, *options, **changes: play(pc, tasks, *options, ansible_connection="wsl_interop", **changes)


def program(drive: Path, name: str, *words: str, **more: Any) -> subprocess.CompletedProcess[bytes]:
    """Start a program of Windows as a shell in the distribution does."""
    return subprocess.run(
        [drive / "Windows" / "System32" / name, *words], capture_output=True, timeout=60, check=False, **more
    )


# --- the stand-in ----------------------------------------------------------------------------------------------


def test_a_program_has_the_token_of_its_terminal(terminal, drive, monkeypatch):
    for options, level in (((), b"S-1-16-12288"), (("--not-elevated",), b"S-1-16-8192")):
        monkeypatch.setenv("WSL_INTEROP", terminal(*options).socket)
        said = program(drive, "whoami.exe", "/user", "/groups", "/fo", "csv", "/nh").stdout
        assert said.startswith(b'"lab-pc\\student",')
        assert level in said


@pytest.mark.parametrize(("code", "arrives"), [(0, 0), (5, 5), (255, 255), (256, 0), (3010, 194), (-1, 255)])
def test_exit_codes_are_those_of_windows_modulo_256(session, drive, code, arrives):
    assert program(drive, "cmd.exe", "/c", f"exit {code}", cwd=drive).returncode == arrives


def test_cmd_refuses_a_folder_of_linux_as_its_own(session, drive, tmp_path):
    said = program(drive, "cmd.exe", "/c", "echo x", cwd=tmp_path).stdout.decode()
    assert said.startswith(f"'\\\\wsl.localhost\\Ubuntu-24.04{tmp_path}'\r\n".replace("/", "\\"))
    assert said.endswith("UNC paths are not supported.  Defaulting to Windows directory.\r\nx\r\n")
    assert program(drive, "cmd.exe", "/c", "echo x", cwd=drive).stdout == b"x\r\n"


def test_of_the_environment_only_what_wslenv_names_crosses_over(session, drive):
    variables = {"WSLENV": "A/w:B:C/u:D/p", "A": "a", "B": "深", "C": "c", "D": f"{drive}/x y", "E": "e"}
    line = "echo %A% %B% %C% %D% %E% %OS%"
    said = program(drive, "cmd.exe", "/c", line, cwd=drive, env={**os.environ, **variables}).stdout.decode()
    assert said == "a 深 %C% C:\\x y %E% Windows_NT\r\n"


def test_wsl_starts_in_the_folder_of_its_distribution_that_it_was_called_from(session, drive, tmp_path):
    done = program(drive, "wsl.exe", "-d", "Ubuntu-24.04", "--exec", "pwd", cwd=tmp_path, stdin=subprocess.DEVNULL)
    assert done.stdout.decode() == f"{tmp_path}\n"


def test_what_windows_does_not_start_is_an_error_of_linux(session, drive, pc):
    shutil.copy(drive / "Windows" / "System32" / "reg.exe", drive / "reg.exe")
    done = subprocess.run([drive / "reg.exe"], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.decode()) == (1, f"{drive}/reg.exe: No such file or directory\n")
    (drive / "nowhere").mkdir()
    done = program(drive, "cmd.exe", "/c", "ver", cwd=drive / "nowhere")
    assert (done.returncode, done.stderr.decode()) == (1, f"{drive}/Windows/System32/cmd.exe: Invalid argument\n")


def test_what_nobody_has_looked_at_is_refused(session, drive):
    shutil.copy(drive / "Windows" / "System32" / "reg.exe", drive / "Windows" / "System32" / "net.exe")
    done = program(drive, "net.exe", "user")
    assert done.returncode == 1
    assert done.stderr.startswith(b"simulator: interop: C:\\Windows\\System32\\net.exe has not been started")


def test_without_a_server_wsl_says_so(drive, monkeypatch, tmp_path):
    monkeypatch.setenv("WSL_INTEROP", str(tmp_path / "7_interop"))
    done = program(drive, "whoami.exe")
    assert done.returncode == 1
    assert done.stderr.endswith(b" - ) ERROR: UtilConnectToInteropServer:300: connect failed 2\n")


# --- the connection --------------------------------------------------------------------------------------------


def test_strings_arrive_byte_for_byte(in_windows, tmp_path):
    tasks = [
        {"name": str(number), "ansible.windows.win_ping": {"data": text}, "vars": {"ansible_pipelining": number % 2}}
        for number, text in enumerate(STRINGS)
    ]
    path = "C:\\Users\\student\\it's “深” (100%)"
    tasks += [
        {"name": "copy", "ansible.windows.win_copy": {"content": "".join(STRINGS), "dest": path}},
        {"name": "fetch", "ansible.builtin.fetch": {"src": path, "dest": f"{tmp_path}/back", "flat": True}},
    ]
    result = in_windows(tasks)
    assert result["rc"] == 0, result["output"]
    assert [result[str(number)]["ping"] for number in range(len(STRINGS))] == STRINGS
    assert (tmp_path / "back").read_bytes().decode() == "".join(STRINGS)


def test_modules_and_async(in_windows):
    tasks = [
        {"name": "ping", "ansible.windows.win_ping": {"data": "深 🐧"}},
        {"name": "who", "ansible.windows.win_command": "whoami"},
        {"name": "code", "ansible.windows.win_command": "cmd /c exit 3010", "failed_when": False},
        {"name": "folder", "ansible.windows.win_file": {"path": "C:\\new", "state": "directory"}},
        {"name": "slow", "ansible.windows.win_command": "whoami", "async": 20, "poll": 1},
        {"name": "unpipelined", "ansible.windows.win_ping": {}, "vars": {"ansible_pipelining": False}},
    ]
    result = in_windows(tasks)
    assert result["rc"] == 0, result["output"]
    assert result["ping"]["ping"] == "深 🐧"
    assert result["who"]["stdout"] == "lab-pc\\student\r\n"
    assert result["code"]["rc"] == 3010, "a module tells its own exit code"
    assert result["folder"]["changed"] is True
    assert (result["slow"]["finished"], result["slow"]["stdout"]) == (True, "lab-pc\\student\r\n")


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_files_go_both_ways_by_pipes_where_the_drive_takes_none(connect, session, tmp_path, size):
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    (tmp_path / "source").write_bytes(data)
    connection = connect()
    connection.put_file(str(tmp_path / "source"), "C:\\Users\\student\\it's there")
    connection.fetch_file("C:\\Users\\student\\it's there", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == data


@pytest.mark.campaign
def test_a_file_of_200_mib_goes_both_ways_in_little_memory(connect, session, tmp_path):
    def peak() -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB

    source, back = tmp_path / "source", tmp_path / "back"
    block = os.urandom(1 << 20)
    with source.open("wb") as file:
        for number in range(200):
            file.write(number.to_bytes(4) + block[4:])
    connection = connect()
    connection._connect()
    before, begin = peak(), time.monotonic()
    connection.put_file(str(source), "C:\\Users\\student\\large")
    middle = time.monotonic()
    connection.fetch_file("C:\\Users\\student\\large", str(back))
    grown = (peak() - before) // 1024
    print(f"200 MiB: put {middle - begin:.1f} s, fetch {time.monotonic() - middle:.1f} s, {grown} MiB more memory")
    assert filecmp.cmp(source, back, shallow=False)
    assert grown < 64, f"{grown} MiB more memory"


def test_failed_copies_say_why(connect, session, tmp_path):
    (tmp_path / "source").write_bytes(bytes(1_000_000))
    connection = connect()
    with pytest.raises(AnsibleError, match=r"Could not find a part of the path 'C:\\none\\x'"):
        connection.put_file(str(tmp_path / "source"), "C:\\none\\x")
    with pytest.raises(AnsibleError, match=r"Could not find file 'C:\\Users\\student\\none'"):
        connection.fetch_file("C:\\Users\\student\\none", str(tmp_path / "x"))
    assert not (tmp_path / "x").exists()


# --- what keeps it from Windows --------------------------------------------------------------------------------

CHANGE = {"name": "change", "ansible.windows.win_file": {"path": "C:\\changed", "state": "directory"}}


def modules(pc: Simulator) -> int:
    """How many modules Windows has run."""
    return len(pc.events("module"))


def unreachable(play: Any, pc: Simulator) -> str:
    """Why a run ended before any module ran in Windows."""
    before = modules(pc)
    result = play(pc, [CHANGE], ansible_connection="wsl_interop")
    assert (result["rc"], result["change"]["unreachable"], modules(pc)) == (4, True, before), result["output"]
    return result["change"]["msg"]


def test_a_terminal_that_is_not_an_administrators_changes_nothing(play, pc, terminal, drive, monkeypatch):
    monkeypatch.setenv("WSL_INTEROP", terminal("--not-elevated").socket)
    assert 'Open the terminal by "Run as administrator"' in unreachable(play, pc)
    tasks = [{"name": "ping", "ansible.windows.win_ping": {}}]
    result = play(pc, tasks, ansible_connection="wsl_interop", ansible_wsl_interop_elevated=False)
    assert result["rc"] == 0, result["output"]


def test_another_account_than_the_owner_changes_nothing(play, pc, session, drive):
    # The programs of this terminal are alice's, as where she signed in by "Run as administrator" of student's.
    for name in PROGRAMS:
        path = drive / "Windows" / "System32" / name
        path.write_text(AS_ANOTHER.format(python=sys.executable, pc=pc.state, root=ROOT))
    assert "lab-pc\\alice that this terminal belongs to does not own the distribution Ubuntu-24.04" in unreachable(
        play, pc
    )


# A program that is started at alice's own terminal, whoever calls it.
AS_ANOTHER = """#!/bin/sh
PYTHONPATH={root} exec {python} -m lab pc terminal {pc} --user alice -- "${{0##*/}}" "$@"
"""


def test_binfmt_that_is_missing_changes_nothing_and_the_line_that_mends_it_is_named(play, pc, session, drive):
    for name in PROGRAMS:
        (drive / "Windows" / "System32" / name).write_bytes(b"MZ\x90\0\3\0\0\0")
    said = unreachable(play, pc)
    assert "the entry WSLInterop of binfmt_misc is missing" in said
    assert "echo :WSLInterop:M::MZ::/init:PF >/usr/lib/binfmt.d/WSLInterop.conf" in said


def test_a_closed_terminal_changes_nothing(play, pc, session):
    session.close()
    assert "The terminal that this shell came from is closed" in unreachable(play, pc)


def wait(pc: Simulator, event: str, count: int) -> None:
    """Wait until something has happened so many times."""
    deadline = time.monotonic() + 30
    while len(pc.events(event)) < count:
        assert time.monotonic() < deadline, f"no {event}"
        time.sleep(0.05)


@pytest.fixture
def long_task(pc, session, tmp_path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begin a task of Ansible's that takes ten minutes in Windows."""
    begun = []

    def begin(**variables: Any) -> subprocess.Popen[str]:
        before = len(pc.events("module"))
        argv = [Path(sys.executable).with_name("ansible"), "pc", "-i", "pc,", "-e", "ansible_connection=wsl_interop"]
        argv += [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
        argv += ["-m", "ansible.windows.win_command", "-a", "ping -n 600 127.0.0.1"]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(tmp_path / "none.cfg")}
        run = subprocess.Popen(
            argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )
        begun.append(run)
        if not variables:
            wait(pc, "module", before + 1)
        return run

    yield begin
    for run in begun:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def running(pc: Simulator) -> list[int]:
    """The numbers of what was started through interop and still runs."""
    return pc.client.call("GET", "/programs")


def nothing_runs(pc: Simulator) -> None:
    """Wait until only the terminals' own wsl.exe run."""
    deadline = time.monotonic() + 30
    while left := [entry for entry in running(pc) if "wsl.exe" not in entry["line"]]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


def test_a_session_that_ends_during_a_task_ends_what_runs_in_windows(long_task, pc, session):
    run = long_task()
    session.close()
    said, _ = run.communicate(timeout=60)
    assert "The session ended while powershell.exe ran" in said
    nothing_runs(pc)


def test_a_task_over_its_time_is_ended_in_windows(long_task, pc):
    before = len(pc.events("taskkill"))
    said, _ = long_task(ansible_wsl_interop_command_timeout=4).communicate(timeout=60)
    assert "powershell.exe did not end within 4 seconds, and was ended in Windows" in said
    assert len(pc.events("taskkill")) == before + 1
    nothing_runs(pc)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_an_ansible_that_is_ended_leaves_nothing_in_windows(long_task, pc, signal_number):
    run = long_task()
    assert len(running(pc)) > 1
    # The process of a task has a session of its own; one that Ansible can not tell any more would go on.
    workers = subprocess.run(["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True, check=True)
    for pid in [run.pid, *map(int, workers.stdout.split())] if signal_number == signal.SIGKILL else [run.pid]:
        os.kill(pid, signal_number)
    nothing_runs(pc)


def test_a_restart_of_windows_ends_the_session(long_task, pc, session):
    run = long_task()
    pc.client.reboot()
    said, _ = run.communicate(timeout=60)
    assert "The session ended while powershell.exe ran" in said
    assert not Path(session.socket).exists()
