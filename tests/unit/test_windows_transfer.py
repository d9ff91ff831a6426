"""The action plugin windows_transfer: when it asks Windows, what it notes, how it ends."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

ROOT = Path(__file__).resolve().parents[2]
PATH = "C:\\dl\\cuda.exe"
CURL = ["curl.exe", "--output", PATH]
SIZE = ["curl.exe", "--head"]
BUSY = ["cmd.exe", "/c", "ren"]
HEAD = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"


def _load():
    path = ROOT / "plugins" / "action" / "windows_transfer.py"
    specification = importlib.util.spec_from_file_location("windows_transfer", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


windows_transfer = _load()


class Windows:
    """Answers what modules ask: the sizes of a file, and how curls end, None where one still runs."""

    def __init__(self, *curls, sizes=(), busy=(), head=HEAD):
        self.curls, self.sizes, self.busy, self.head = list(curls), list(sizes), list(busy), head
        self.asked: list[str] = []

    def __call__(self, module_name, module_args, task_vars):
        kind = module_name.removeprefix("ansible.windows.")
        if kind == "win_command":
            kind = {tuple(CURL): "curl", tuple(SIZE): "head", tuple(BUSY): "busy"}[tuple(module_args["argv"])]
        self.asked.append(kind)
        if kind == "busy":
            return {"rc": 1, "failed": True} if self.busy and self.busy.pop(0) else {"rc": 0}
        if kind == "win_stat":
            size = self.sizes.pop(0)
            if size is None:
                raise AnsibleConnectionFailure("broken")
            return {"stat": {"exists": True, "size": size}}
        if kind == "async_status":
            answer = self.curls.pop(0)
            return {"finished": 1, **answer} if answer else {"finished": 0}
        return {"head": {"rc": 0, "stdout": self.head}, "curl": {"ansible_job_id": "1.2", "changed": True}}[kind]


@pytest.fixture
def act(monkeypatch, tmp_path):
    """Return a function that runs the plugin against a ``Windows``; time passes only where it sleeps."""
    clock = SimpleNamespace(now=1000.0, notes=[])

    def sleep(seconds):
        clock.now += seconds
        clock.notes += [json.loads(path.read_text()) for path in tmp_path.glob("progress-*.json")]

    monkeypatch.setattr(windows_transfer.time, "sleep", sleep)
    monkeypatch.setattr(windows_transfer.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(windows_transfer.C, "DEFAULT_LOCAL_TMP", str(tmp_path))

    def run(windows, check=False, **options):
        values = {"path": PATH, "size_argv": SIZE, "busy_argv": BUSY, "delay": 10} | options
        task = SimpleNamespace(args=values, async_val=0, check_mode=check, action="windows_transfer", environment=[])
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), reset=lambda: None)
        plugin = windows_transfer.ActionModule(task, connection, None, None, None, None)
        plugin._execute_module = windows
        plugin.get_shell_option = lambda *_, default: default
        result = plugin.run(task_vars={"inventory_hostname": "lab-pc"})
        assert list(tmp_path.glob("progress-*")) == []
        return result

    run.clock = clock
    return run


def test_a_file_that_nobody_writes_is_one_question(act):
    windows = Windows()
    assert act(windows) == {"changed": False}
    assert windows.asked == ["busy"]


def test_a_file_that_grows_is_one_look_each_time_and_noted(act):
    windows = Windows(busy=[True, False], sizes=[1000, 2000, 3000, 4000])
    assert act(windows) == {"changed": False}
    assert windows.asked == ["busy", "head", "win_stat", "win_stat", "win_stat", "win_stat", "busy"]
    assert act.clock.notes == [
        {"what": "cuda.exe", "bytes": 1000, "total": 4000, "bytes_per_second": 0},
        {"what": "cuda.exe", "bytes": 2000, "total": 4000, "bytes_per_second": 100},
        {"what": "cuda.exe", "bytes": 3000, "total": 4000, "bytes_per_second": 100},
    ]


def test_a_server_that_does_not_tell_the_size_is_no_failure(act):
    assert act(Windows(busy=[True, False], sizes=[1000, 1000], head="HTTP/1.1 403 Forbidden\r\n")) == {"changed": False}
    assert act.clock.notes[0]["total"] == 0


def test_a_transfer_that_takes_too_long_says_what_to_do(act):
    windows = Windows(busy=[True] * 9, sizes=list(range(1000, 2000)))
    with pytest.raises(AnsibleActionFail, match="is still being fetched after 60 s. Run again; it goes on from there"):
        act(windows, timeout=60)


def test_a_quick_transfer_is_started_and_asked_for_once(act):
    windows = Windows({"rc": 0, "stdout": "", "stderr": ""})
    assert act(windows, argv=CURL) == {"changed": True, "attempts": 1, "rc": 0, "stdout": "", "stderr": ""}
    assert windows.asked == ["curl", "async_status"]


def test_a_try_that_breaks_goes_on_and_is_no_failure(act, capsys):
    windows = Windows({"rc": 18, "stderr": "curl: (18) end of response"}, {"rc": 0, "stderr": ""})
    result = act(windows, argv=CURL, delay=10)
    assert (result["changed"], result["attempts"], result["rc"]) == (True, 2, 0)
    assert capsys.readouterr().out == (
        "… lab-pc  cuda.exe: curl: (18) end of response; it goes on where it stopped, in 10 s (try 2 of 6)\n"
    )


def test_a_server_that_has_nothing_left_is_no_failure(act):
    said = "curl: (22) The requested URL returned error: 416"
    answer = act(Windows({"rc": 22, "stderr": said, "failed": True}), argv=CURL)
    assert answer == {"changed": True, "attempts": 1}  # an exit code in it would be a failure for Ansible


def test_six_tries_that_break_are_a_failure_with_what_curl_said(act):
    broken = {"rc": 56, "stderr": "curl: (56) Recv failure", "msg": "non-zero return code", "failed": True}
    windows = Windows(*[dict(broken) for _ in range(6)])
    result = act(windows, argv=CURL)
    assert (result["failed"], result["rc"], result["stderr"], result["attempts"]) == (True, 56, broken["stderr"], 6)


def test_a_look_that_fails_does_not_end_a_download_but_four_in_a_row_do(act):
    assert act(Windows(busy=[True, False], sizes=[1000, None, None, None, 4000])) == {"changed": False}
    with pytest.raises(AnsibleConnectionFailure):
        act(Windows(busy=[True], sizes=[1000, None, None, None, None]))


def test_a_curl_that_was_ended_from_outside_is_a_try_that_broke(act):
    windows = Windows(*[None] * 40, sizes=[1000] * 40)
    result = act(windows, argv=CURL, tries=1)
    assert result["failed"] is True
    assert result["msg"] == "curl.exe has written nothing for 300 s, or was ended from outside"


def test_a_curl_that_died_while_it_wrote_is_begun_again_after_half_a_minute(act):
    """As after a restart of Windows: the job is never finished, and nobody has the file open."""
    windows = Windows(*[None] * 40, sizes=[1000, 2000, *[2000] * 40])
    began = act.clock.now
    result = act(windows, argv=CURL, tries=1)
    assert result["msg"] == "curl.exe has written nothing for 30 s, or was ended from outside"
    assert act.clock.now - began < 60


def test_a_curl_that_pauses_has_its_file_open_and_is_waited_for(act):
    windows = Windows(*[None] * 8, {"rc": 0}, sizes=[1000, 2000, *[2000] * 40], busy=[True] * 6)
    assert act(windows, argv=CURL, tries=1)["rc"] == 0
    assert windows.asked.count("curl") == 1


def test_check_mode_starts_nothing(act):
    windows = Windows()
    assert act(windows, check=True, argv=CURL)["skipped"] is True
    assert windows.asked == []
