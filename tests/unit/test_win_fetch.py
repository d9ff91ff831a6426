"""The action plugin win_fetch: what it asks Windows, what it notes, how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure

from tests.unit import loaded

ROOT = Path(__file__).resolve().parents[2]
URL = "https://example.org/cuda.exe"
DEST = "C:\\dl\\cuda.exe"
PROXY = "http://127.0.0.1:7890"
RIGHT, WRONG = "ab" * 32, "00" * 32
HEAD = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n"


win_fetch = loaded.module("plugins/action/win_fetch.py")


class Windows:
    """Answers what modules ask.

    ``curls`` is how they end, None where one still runs; ``files`` the checksums that are found, None where there is
    no file; ``busy`` whether the file is being written, ``sizes`` how large it is.
    """

    def __init__(self, *curls, files=(), sizes=(), busy=(), head=HEAD):
        self.curls, self.files, self.sizes, self.busy = list(curls), list(files), list(sizes), list(busy)
        self.head = head
        self.asked: list[str] = []
        self.argv: dict[str, list[str]] = {}

    def __call__(self, module_name, module_args, task_vars):
        kind = module_name.removeprefix("ansible.windows.")
        if kind == "win_command":
            argv = module_args["argv"]
            kind = "busy" if "ren" in argv else "head" if "--head" in argv else "curl"
            self.argv[kind] = argv
        elif kind == "win_stat":
            kind = "checksum" if module_args.get("checksum_algorithm") else "size"
        self.asked.append(kind)
        return getattr(self, f"_{kind}")()

    def _busy(self):
        return {"rc": 1, "failed": True} if self.busy and self.busy.pop(0) else {"rc": 0}

    def _head(self):
        return {"rc": 0, "stdout": self.head}

    def _curl(self):
        return {"ansible_job_id": "1.2", "changed": True}

    def _checksum(self):
        found = self.files.pop(0)
        return {"stat": {"exists": found is not None, **({"checksum": found} if found else {})}}

    def _size(self):
        size = self.sizes.pop(0)
        if size is None:
            raise AnsibleConnectionFailure("broken")
        return {"stat": {"exists": True, "size": size}}

    def _async_status(self):
        answer = self.curls.pop(0)
        return {"finished": 1, **answer} if answer else {"finished": 0}

    def _win_file(self):
        return {"changed": True}


@pytest.fixture
def act(monkeypatch, tmp_path):
    """Return a function that runs the plugin against a ``Windows``; time passes only where it sleeps."""
    clock = SimpleNamespace(now=1000.0, notes=[])

    def sleep(seconds):
        clock.now += seconds
        clock.notes += [json.loads(path.read_text()) for path in tmp_path.glob("progress-*.json")]

    monkeypatch.setattr(win_fetch.time, "sleep", sleep)
    monkeypatch.setattr(win_fetch.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(win_fetch.C, "DEFAULT_LOCAL_TMP", str(tmp_path))

    def run(windows, check=False, **options):
        values = {"url": URL, "dest": DEST, "checksum": f"sha256:{RIGHT}", "proxy_url": PROXY} | options
        task = SimpleNamespace(args=values, async_val=0, check_mode=check, action="win_fetch", environment=[])
        connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir=None), reset=lambda: None)
        plugin = win_fetch.ActionModule(task, connection, None, None, None, None)
        plugin._execute_module = windows
        plugin.get_shell_option = lambda *_, default: default
        result = plugin.run(task_vars={"inventory_hostname": "lab-pc"})
        assert list(tmp_path.glob("progress-*")) == []
        return result

    run.clock = clock
    return run


# --- what is there already ---------------------------------------------------------------------------------------


def test_a_file_that_is_right_is_two_questions(act):
    windows = Windows(files=[RIGHT])
    assert act(windows) == {"changed": False}
    assert windows.asked == ["busy", "checksum"]


def test_a_transfer_that_goes_on_is_waited_for_one_look_each_time_and_noted(act):
    windows = Windows(busy=[True, False], sizes=[1000, 2000, 3000, 4000], files=[RIGHT])
    assert act(windows) == {"changed": False}
    assert windows.asked == ["busy", "head", "size", "size", "size", "size", "busy", "checksum"]
    assert act.clock.notes == [
        {"what": "cuda.exe", "bytes": 1000, "total": 4000, "bytes_per_second": 0},
        {"what": "cuda.exe", "bytes": 2000, "total": 4000, "bytes_per_second": 100},
        {"what": "cuda.exe", "bytes": 3000, "total": 4000, "bytes_per_second": 100},
    ]


def test_a_server_that_does_not_tell_the_size_is_no_failure(act):
    windows = Windows(busy=[True, False], sizes=[1000, 1000], files=[RIGHT], head="HTTP/1.1 403 Forbidden\r\n")
    assert act(windows) == {"changed": False}
    assert act.clock.notes[0]["total"] == 0


def test_a_transfer_that_takes_too_long_says_what_to_do(act):
    windows = Windows(busy=[True] * 9, sizes=list(range(1000, 2000)))
    with pytest.raises(AnsibleActionFail, match="is still being fetched after 60 s. Run again; it goes on from there"):
        act(windows, timeout=60)


def test_a_look_that_fails_does_not_end_a_download_but_four_in_a_row_do(act):
    windows = Windows(busy=[True, False], sizes=[1000, None, None, None, 4000], files=[RIGHT])
    assert act(windows) == {"changed": False}
    with pytest.raises(AnsibleConnectionFailure):
        act(Windows(busy=[True], sizes=[1000, None, None, None, None]))


# --- in the background -------------------------------------------------------------------------------------------


def test_in_the_background_it_is_started_and_not_waited_for(act):
    windows = Windows(files=[None])
    assert act(windows, background=True)["changed"] is True
    assert windows.asked == ["busy", "checksum", "curl"]


@pytest.mark.parametrize(("busy", "files", "asked"), [([True], [], ["busy"]), ([], [RIGHT], ["busy", "checksum"])])
def test_in_the_background_nothing_is_begun_that_goes_on_or_is_there(act, busy, files, asked):
    windows = Windows(busy=busy, files=files)
    assert act(windows, background=True) == {"changed": False}
    assert windows.asked == asked


def test_check_mode_starts_nothing_and_foresees_what_would_be_fetched_in_the_background(act):
    windows = Windows(files=[None, RIGHT, None])
    assert act(windows, check=True, background=True)["changed"] is True
    assert act(windows, check=True, background=True)["changed"] is False
    assert act(windows, check=True) == {"changed": False}
    assert "curl" not in windows.asked


@pytest.mark.parametrize("wrong", [{"checksum": ""}, {"checksum": RIGHT}])
def test_a_background_needs_a_checksum_with_its_algorithm(act, wrong):
    with pytest.raises(AnsibleActionFail, match='checksum has to be "sha256:…"'):
        act(Windows(), background=True, **wrong)


# --- fetching ----------------------------------------------------------------------------------------------------


def test_a_quick_transfer_is_started_and_asked_for_once(act):
    windows = Windows({"rc": 0, "stdout": "", "stderr": ""}, files=[None, RIGHT])
    assert act(windows) == {"changed": True, "attempts": 1}
    assert windows.asked == ["busy", "checksum", "curl", "async_status", "checksum"]


def test_curl_goes_on_where_it_stopped_and_never_asks_the_environment_for_a_proxy(act):
    windows = Windows({"rc": 0}, files=[None, RIGHT])
    act(windows, proxy_url="")
    assert windows.argv["curl"] == [
        "C:\\Windows\\System32\\curl.exe", "--fail", "--show-error", "--location", "--silent",
        "--ssl-revoke-best-effort", "--proxy", "", "--create-dirs", "--continue-at", "-", "--output", DEST, URL,
    ]  # fmt: skip
    assert windows.argv["busy"] == ["C:\\Windows\\System32\\cmd.exe", "/d", "/c", "ren", DEST, "cuda.exe"]


def test_the_size_is_asked_for_on_the_same_way(act):
    windows = Windows(busy=[True, False], sizes=[4000], files=[RIGHT])
    act(windows)
    assert windows.argv["head"] == [
        "C:\\Windows\\System32\\curl.exe", "--head", "--max-time", "30", "--location", "--silent",
        "--ssl-revoke-best-effort", "--proxy", PROXY, URL,
    ]  # fmt: skip


def test_a_try_that_breaks_goes_on_and_is_no_failure(act, capsys):
    windows = Windows({"rc": 18, "stderr": "curl: (18) end of response"}, {"rc": 0}, files=[None, RIGHT])
    assert act(windows, delay=10) == {"changed": True, "attempts": 2}
    assert capsys.readouterr().out == (
        "… lab-pc  cuda.exe: curl: (18) end of response; it goes on where it stopped, in 10 s (try 2 of 6)\n"
    )


def test_a_server_that_has_nothing_left_is_no_failure(act):
    said = "curl: (22) The requested URL returned error: 416"
    windows = Windows({"rc": 22, "stderr": said, "failed": True}, files=[WRONG, RIGHT])
    assert act(windows) == {"changed": True, "attempts": 1}


def test_six_tries_that_break_are_a_failure_with_cause_remedy_and_what_curl_said(act):
    broken = {"rc": 56, "stderr": "curl: (56) Recv failure", "msg": "non-zero return code", "failed": True}
    result = act(Windows(*[dict(broken) for _ in range(6)], files=[None]))
    assert (result["failed"], result["rc"], result["attempts"]) == (True, 56, 6)
    assert result["msg"] == (
        f"{URL} could not be fetched through {PROXY}. The connection broke off, five times. Run again when the line is "
        "better. What has arrived is kept, and the next run goes on there. (curl says: curl: (56) Recv failure)"
    )


def test_without_a_proxy_it_was_tried_directly(act):
    result = act(Windows({"rc": 6, "stderr": "curl: (6) no"}, files=[None]), proxy_url="", tries=1)
    assert result["msg"].startswith(f"{URL} could not be fetched directly. The name of the server is not known here.")


def test_a_curl_that_was_ended_from_outside_is_a_try_that_broke(act):
    result = act(Windows(*[None] * 40, sizes=[1000] * 40, files=[None]), tries=1)
    assert result["failed"] is True
    assert "(curl says: curl.exe has written nothing for 300 s, or was ended from outside)" in result["msg"]


def test_a_curl_that_died_while_it_wrote_is_begun_again_after_half_a_minute(act):
    """As after a restart of Windows: the job is never finished, and nobody has the file open."""
    windows = Windows(*[None] * 40, sizes=[1000, 2000, *[2000] * 40], files=[None])
    began = act.clock.now
    assert "has written nothing for 30 s" in act(windows, tries=1)["msg"]
    assert act.clock.now - began < 60


def test_a_curl_that_pauses_has_its_file_open_and_is_waited_for(act):
    busy = [False, *[True] * 6]
    windows = Windows(*[None] * 8, {"rc": 0}, sizes=[1000, 2000, *[2000] * 40], busy=busy, files=[None, RIGHT])
    assert act(windows, tries=1) == {"changed": True, "attempts": 1}
    assert windows.asked.count("curl") == 1


# --- whose file it is --------------------------------------------------------------------------------------------


def test_a_file_with_another_checksum_is_removed_and_refused(act):
    windows = Windows({"rc": 0}, files=[None, WRONG])
    result = act(windows)
    assert result["failed"] is True
    assert result["msg"] == (
        f"{URL} has the sha256 {WRONG}, expected was {RIGHT}. The file has been removed. Run again; if it stays so, "
        "compare the checksum in your inventory with the vendor's."
    )
    assert windows.asked[-1] == "win_file"
    assert windows.asked.count("curl") == 1


def test_where_something_wrong_was_there_the_whole_file_is_fetched_once_more(act):
    windows = Windows({"rc": 0}, {"rc": 0}, files=[WRONG, WRONG, RIGHT])
    assert act(windows)["changed"] is True
    assert windows.asked == [
        "busy", "checksum", "curl", "async_status", "checksum", "win_file", "curl", "async_status", "checksum",
    ]  # fmt: skip


def test_it_is_fetched_once_more_and_no_more(act):
    windows = Windows({"rc": 0}, {"rc": 0}, files=[WRONG, WRONG, WRONG])
    assert act(windows)["failed"] is True
    assert windows.asked.count("curl") == 2
    assert windows.asked[-1] == "win_file"


def test_the_case_of_a_checksum_and_its_algorithm_are_the_users(act):
    windows = Windows(files=["ab"])
    assert act(windows, checksum="md5:AB") == {"changed": False}


def test_a_file_without_a_checksum_is_fetched_anew(act):
    """Of a vendor who replaces his file: what is there may be an older one, to which curl would append."""
    windows = Windows({"rc": 0}, sizes=[7])
    assert act(windows, checksum="") == {"changed": True, "attempts": 1}
    assert windows.asked == ["busy", "size", "win_file", "curl", "async_status"]


# --- causes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["CRYPT_E_REVOCATION_OFFLINE", "netsh winhttp show proxy", "the clock of Windows"])
def test_exit_code_35_of_curl_names_revocation_and_the_clock(word):
    assert word in win_fetch.cause(35, "curl: (35) schannel", DEST)


def test_a_server_that_cannot_go_on_has_its_file_named():
    assert win_fetch.cause(33, "curl: (33) no", DEST).endswith(f"Delete {DEST}, then run again.")


def test_a_code_that_nobody_knows_leaves_it_to_curls_words():
    assert win_fetch.cause(99, "curl: (99) frob", DEST) == "Look at what curl says, then run again."


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("curl: (22) The requested URL returned error: 404", 'The vendor has removed this file. "make pins"'),
        ("curl: (22) The requested URL returned error: 410", 'The vendor has removed this file. "make pins"'),
        ("curl: (22) The requested URL returned error: 502", "The server or the proxy answers with an error."),
    ],
)
def test_a_removed_file_is_not_called_a_broken_proxy(said, words):
    assert win_fetch.cause(22, said, DEST).startswith(words)


# --- a cache in the room -----------------------------------------------------------------------------------------

CACHE = "http://cache.lan:8780"
CACHED = f"{CACHE}/example.org/cuda.exe"


class Fetches(Windows):
    """Notes each address that curl is started with; ``heads`` is what the cache answers to a question."""

    def __init__(self, *curls, heads=(), **known):
        super().__init__(*curls, **known)
        self.heads, self.urls = list(heads), []

    def _head(self):
        return self.heads.pop(0) if self.heads and self.argv["head"][-1] == CACHED else super()._head()

    def _curl(self):
        self.urls.append(self.argv["curl"][-1])
        return super()._curl()


HAS_IT = {"rc": 0, "stdout": HEAD}


def test_the_cache_is_asked_first_without_a_proxy_and_given_up_when_it_is_silent(act):
    windows = Fetches({"rc": 0}, heads=[HAS_IT], files=[None, RIGHT])
    assert act(windows, cache=f"{CACHE}/") == {"changed": True, "attempts": 1}
    assert windows.argv["curl"] == [
        "C:\\Windows\\System32\\curl.exe", "--fail", "--show-error", "--location", "--silent",
        "--ssl-revoke-best-effort", "--proxy", "",
        "--connect-timeout", "10", "--speed-limit", "1", "--speed-time", "30",
        "--create-dirs", "--continue-at", "-", "--output", DEST, CACHED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("head", "why"),
    [
        ({"rc": 7, "failed": True, "stdout": ""}, "does not answer"),
        ({"rc": 0, "stdout": "HTTP/1.1 404 Not Found\r\n\r\n"}, "has not got it (HTTP 404)"),
    ],
)
@pytest.mark.parametrize("background", [True, False])
def test_without_the_cache_it_comes_from_the_vendor_and_that_is_said(act, capsys, head, why, background):
    windows = Fetches({"rc": 0}, heads=[head], files=[None, RIGHT])
    assert act(windows, cache=CACHE, background=background)["changed"] is True
    assert windows.urls == [URL]
    assert f"cuda.exe: the cache in the room, {CACHE}, {why}; it comes from the vendor" in capsys.readouterr().out


def test_a_cache_that_dies_in_the_middle_is_left_and_the_file_goes_on_at_the_vendor(act, capsys):
    windows = Fetches(
        {"rc": 18, "stderr": "curl: (18) end of response"}, {"rc": 0}, heads=[HAS_IT], files=[None, RIGHT]
    )
    assert act(windows, cache=CACHE) == {"changed": True, "attempts": 2}
    assert windows.urls == [CACHED, URL]
    assert "broke off; it comes from the vendor" in capsys.readouterr().out


def test_what_the_cache_gives_is_not_trusted(act, capsys):
    windows = Fetches({"rc": 0}, {"rc": 0}, heads=[HAS_IT], files=[None, WRONG, RIGHT])
    assert act(windows, cache=CACHE) == {"changed": True, "attempts": 1}
    assert (windows.urls, windows.asked.count("win_file")) == ([CACHED, URL], 1)
    assert f"gives another file (its sha256 is {WRONG})" in capsys.readouterr().out


def test_without_a_checksum_the_cache_is_not_asked(act):
    windows = Fetches({"rc": 0}, files=[None])
    windows._size = lambda: {"stat": {"exists": False}}
    act(windows, cache=CACHE, checksum="")
    assert windows.urls == [URL]
