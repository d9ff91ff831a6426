"""The connection plugin wsl_interop with the real PowerShell: modules, strings, files, cancellation."""

from __future__ import annotations

import filecmp
import functools
import hashlib
import http.server
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError

import tests.unit.role_values  # noqa: F401  it starts Ansible's plugin loader, once
from tests.unit.connection.interop_pc import Pc, running

ROOT = Path(__file__).parents[3]
PWSH = os.environ.get("PWSH") or shutil.which("pwsh")
pytestmark = pytest.mark.skipif(PWSH is None, reason="no PowerShell here: put pwsh on the PATH, or its path into PWSH")

STRINGS = [
    "a  b   c",
    "it''s \"quoted\" `here`",
    "%PATH% 100% ^ & | < > ( ) ! * ?",
    'C:\\Users\\me\\ \\\\server\\ \\" \\',
    "深度学习 工作站 🐧",
]
# Runs a command by the plugin in a process of its own, as a task of Ansible does.
TASK = """
import sys
from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader, init_plugin_loader
init_plugin_loader()
connection = connection_loader.get("wsl_interop", PlayContext())
connection.set_options(var_options={"inventory_hostname": "windows"})
print(connection.exec_command(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def pc(tmp_path_factory):
    """A Windows whose PowerShell is the real one."""
    folder = tmp_path_factory.mktemp("real")
    made = Pc(folder, PWSH)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{made.tools}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        patch.delenv("WSL_INTEROP", raising=False)
        patch.setenv("ANSIBLE_CONFIG", str(ROOT / "ansible.cfg"))
        (folder / "run").mkdir()
        patch.setattr(C, "DEFAULT_LOCAL_TMP", str(folder / "run"))
        yield made


@pytest.fixture
def connect(pc):
    """Make a connection."""
    return pc.connect


@pytest.fixture
def origin(tmp_path):
    """A web server with one file."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "file").write_text("downloaded")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "web")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/file"
    server.shutdown()
    server.server_close()


def test_ansibles_modules_work_unchanged(pc, tmp_path, origin):
    text = 'it\'s "深度" $env:PATH'
    (tmp_path / "文件").write_text("downloaded")  # on Linux, that module has no folder to download into
    tasks = [
        {"ansible.windows.win_ping": {"data": text}},
        {"ansible.windows.win_file": {"path": f"{tmp_path}/到/folder", "state": "directory"}},
        {"ansible.windows.win_get_url": {"url": origin, "dest": f"{tmp_path}/文件", "force": False}},
        {"ansible.builtin.raw": f"Write-Output '{text.replace(chr(39), chr(39) * 2)}'; exit 5", "ignore_errors": True},
        {"ansible.windows.win_ping": {}, "become": True, "become_method": "runas", "become_user": "x"},
    ]
    play = {"hosts": "windows", "gather_facts": False, "tasks": tasks}
    (tmp_path / "play.yml").write_text(json.dumps([play]))
    (tmp_path / "hosts.yml").write_text(
        json.dumps({"all": {"hosts": {"windows": {"ansible_connection": "wsl_interop"}}}})
    )
    done = subprocess.run(
        [sys.executable, "-m", "ansible", "playbook", "-i", tmp_path / "hosts.yml", tmp_path / "play.yml"],
        capture_output=True, text=True, timeout=500, check=False, cwd=ROOT,
        env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_CALLBACKS_ENABLED": "preload"},
    )  # fmt: skip
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    results = [task["hosts"]["windows"] for task in json.loads(done.stdout)["plays"][0]["tasks"]]
    assert len(results) == len(tasks), results[-1]
    ping, made, asked, raw, become = results
    assert ping["ping"] == text
    assert (made["changed"], (tmp_path / "到" / "folder").is_dir()) == (True, True)
    assert (asked["changed"], asked["checksum_dest"]) == (False, hashlib.sha1(b"downloaded").hexdigest())
    assert (raw["rc"], raw["stdout_lines"]) == (5, [text])
    assert "has no become (runas)" in become["msg"]


def test_strings_come_back_as_they_were(connect):
    script = "; ".join(f"Write-Output '{text}'" for text in STRINGS)
    assert connect().exec_command(script)[1].decode().splitlines() == [text.replace("''", "'") for text in STRINGS]


@pytest.mark.parametrize(("code", "arrives"), [(0, 0), (5, 5), (256, 0)])
def test_exit_codes_arrive_modulo_256(connect, code, arrives):
    assert connect().exec_command(f"exit {code}")[0] == arrives


def test_output_and_errors_stay_apart(connect):
    script = "Write-Output '输出'; [Console]::Error.WriteLine('直接'); Write-Error '错误 🐧'; Write-Warning 'w'; exit 3"
    rc, stdout, stderr = connect().exec_command(script)
    assert rc == 3
    assert stdout.decode().splitlines()[0] == "输出"
    assert "直接\n" in stderr.decode()
    assert "错误 🐧" in stderr.decode()
    assert "CLIXML" not in stderr.decode() and "<Objs" not in stderr.decode()


def test_a_script_that_is_not_powershell_fails_with_that_reason(connect):
    rc, _, stderr = connect().exec_command("if (")
    assert (rc, b"it is not valid PowerShell" in stderr) == (1, True)


@pytest.mark.parametrize(("way", "size"), [("mounted", 3_000_001), ("pipes", 3_000_001), ("pipes", 0)])
def test_files_go_both_ways(connect, pc, tmp_path, monkeypatch, way, size):
    connection = connect()
    if way == "pipes":
        monkeypatch.setattr(connection, "_over_the_mount", lambda *_: False)
    (tmp_path / "file").write_bytes(os.urandom(size))
    path = f"C:\\Users\\mei\\it's 到 {way} {size}"
    connection.put_file(str(tmp_path / "file"), path)
    assert filecmp.cmp(tmp_path / "file", pc.profile / path.rpartition("\\")[2], shallow=False)
    connection.fetch_file(path, str(tmp_path / "back"))
    assert filecmp.cmp(tmp_path / "file", tmp_path / "back", shallow=False)


def test_a_file_that_is_not_in_windows_is_told_by_windows(connect, tmp_path):
    with pytest.raises(AnsibleError, match=r"Could not fetch C:\\none .*Could not find file"):
        connect().fetch_file("C:\\none", str(tmp_path / "back"))
    assert list(tmp_path.iterdir()) == []


def gone(text):
    """Wait until no process has this in its command line."""
    until = time.monotonic() + 15
    while running(text) and time.monotonic() < until:
        time.sleep(0.1)
    return running(text) == []


def test_a_command_over_its_time_leaves_no_process(connect):
    with pytest.raises(AnsibleConnectionFailure, match="did not end within 6 seconds"):
        connect(ansible_wsl_interop_command_timeout=6).exec_command("& sleep 3171.5")
    assert gone("sleep 3171.5")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_an_ansible_that_is_killed_leaves_no_process(pc, ending):
    task = subprocess.Popen(
        [sys.executable, "-c", TASK, "& sleep 3172.5"], stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True
    )
    until = time.monotonic() + 60
    while not running("/sleep 3172.5 ") and time.monotonic() < until:
        time.sleep(0.1)
    started = running("/sleep 3172.5 ")
    os.killpg(task.pid, ending)
    task.wait(30)
    assert started
    assert gone("/sleep 3172.5 ")
