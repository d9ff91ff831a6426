"""The callback plugin progress: what it says while a task runs, and at the end of a run."""

from __future__ import annotations

import ast
import json
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml

from tests.unit import loaded

ROOT = Path(__file__).resolve().parents[2]
GB = 1_000_000_000


progress = loaded.module("plugins/callback/progress.py")


# --- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (50, "50 s"), (59.6, "1 min"), (90, "1 min 30 s"), (3600, "1 h"), (7500, "2 h 5 min")],
)
def test_a_duration_is_short(seconds, text):
    assert progress.duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "total", "rate", "text"),
    [
        (1.2 * GB, 3.9 * GB, 24_000_000, "1.2 of 3.9 GB, 30 %, 24 MB/s, 1 min 52 s left"),
        (0, 388_975_696, 0, "0 of 389 MB, 0 %"),
        (4_200_000, 388_975_696, 350_000, "4.2 of 389 MB, 1 %, 350 kB/s, 18 min 19 s left"),
        (388_975_696, 388_975_696, 9_600_000, "389 of 389 MB, 100 %, 9.6 MB/s"),
        (1.2 * GB, 0, 24_000_000, "1.2 GB, 24 MB/s"),  # a server that does not tell the size
        (12, 0, 0, "12 bytes"),
    ],
)
def test_how_far_a_transfer_is(size, total, rate, text):
    assert progress.how_far({"bytes": int(size), "total": int(total), "bytes_per_second": rate}) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("visual_studio : install | Install Visual Studio", "visual_studio : Install Visual Studio"),
        ("install | Fetch", "Fetch"),
        ("Reach Windows", "Reach Windows"),
        ("Gathering Facts", "Look at the machine"),
    ],
)
def test_a_task_is_called_without_the_name_of_its_file(name, text):
    assert progress.title(name) == text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"msg": "the disk\nis full"}, "the disk is full"),
        ({"msg": ["one", "two"]}, "one two"),
        ({"module_stderr": "no python"}, "no python"),
        ({"msg": "Task failed: Module failed: no python"}, "no python"),
        ({}, "no message"),
        ({"msg": "All items completed", "results": [{"msg": "fine"}, {"unreachable": True, "msg": "gone"}]}, "gone"),
        ({"msg": "One or more items failed", "results": [{"failed": True, "msg": "bad"}, {"failed": True}]}, "bad"),
    ],
)
def test_why_a_task_failed_is_what_its_first_bad_item_says(answer, text):
    assert progress.said(answer) == text


def test_a_program_that_hung_is_called_that():
    answer = {"failed": True, "timedout": {"period": 60}, "msg": "Timed out after 60 second(s)."}
    text = (
        "The program that it runs had not ended after 60 s and was stopped: it hangs. Restart that machine, then run "
        "again. (Timed out after 60 second(s).)"
    )
    assert progress.said(answer) == text
    assert progress.said({"failed": True, "msg": "One or more items failed", "results": [{}, answer]}) == text


def test_hosts_stand_in_the_order_of_the_inventory():
    hosts = {"pc-wsl": 1, "localhost": 2, "pc": 3}
    assert progress.in_order(hosts, ["pc", "other", "pc-wsl"]) == [("pc", 3), ("pc-wsl", 1), ("localhost", 2)]


def test_many_hosts_are_counted():
    assert progress.names(["b", "a"]) == "a, b"
    assert progress.names(f"pc{number:03}" for number in range(1, 51)) == "pc001, pc002, pc003 and 47 others"


@pytest.fixture
def chinese():
    progress.speak("zh")
    yield
    progress.speak("en")


def test_times_and_amounts_in_chinese(chinese):
    assert [progress.duration(seconds) for seconds in (50, 90, 3600, 7500)] == [
        "50 秒",
        "1 分 30 秒",
        "1 小时",
        "2 小时 5 分",
    ]
    note = {"bytes": 1_200_000_000, "total": 3_900_000_000, "bytes_per_second": 24_000_000}
    assert progress.how_far(note) == "1.2 / 3.9 GB，30 %，24 MB/s，还需 1 分 52 秒"
    assert progress.said({"timedout": {"period": 60}, "msg": "Timed out."}) == (
        "它运行的程序在 60 秒后仍未结束，已被停止。请重启那台机器，然后重新运行。（Timed out.）"
    )


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "50 秒"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, "50 s"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, "50 秒"),
        ({}, "50 s"),
    ],
)
def test_the_language_is_that_of_the_environment(monkeypatch, chinese, settings, text):
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    progress.speak("auto")
    assert progress.duration(50) == text


def test_a_chinese_text_is_wrapped_by_columns_and_no_line_begins_with_a_comma():
    text = "打开新的终端，之前打开的终端不知道新的设置：docker run --rm（容器）。"
    assert progress.wrap(text, 17, "  - ", "    ") == [
        "  - 打开新的终",
        "    端，之前打开",
        "    的终端不知道",
        "    新的设置：",
        "    docker run",
        "    --rm（容",
        "    器）。",
    ]
    assert progress.cut("打开新的终端", 12) == "打开新的终端"
    assert progress.cut("打开新的终端", 11) == "打开新的终…"
    assert progress.cut("打开新的终端", 10) == "打开新的…"


def test_each_translation_has_the_places_of_its_text():
    catalogue = yaml.safe_load(progress.CATALOGUE.read_text(encoding="utf-8"))
    assert [text for text, other in catalogue.items() if text.count("{}") != other.count("{}")] == []
    assert len(catalogue) > 50


def test_what_a_person_reads_of_roles_and_playbooks_is_there_in_chinese():
    texts = set()
    for name in ("values_check", "windows", "wsl", "remove"):
        for play in yaml.safe_load((ROOT / "playbooks" / f"{name}.yml").read_text(encoding="utf-8")):
            if "hosts" in play and "roles" not in play:
                texts.add(play["name"])
            for advice in play.get("vars", {}).get("progress_next", []):
                texts.add(advice["text"])
            for role in play.get("roles", []):
                meta = yaml.safe_load((ROOT / "roles" / role["role"] / "meta" / "main.yml").read_text(encoding="utf-8"))
                texts.add(meta["galaxy_info"]["description"])
    assert len(texts) > 20
    assert sorted(texts - set(yaml.safe_load(progress.CATALOGUE.read_text(encoding="utf-8")))) == []


def test_the_refusal_of_a_terminal_without_rights_is_said_in_chinese(chinese):
    source = ast.parse((ROOT / "plugins" / "connection" / "wsl_interop.py").read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(source) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    (text,) = [text for text in texts if text.startswith("Windows does not treat this terminal")]
    said = progress.said({"msg": f"Task failed: {text}"})
    assert said.startswith("Windows 不把这个终端视为管理员的，因此没有任何更改。")


@pytest.mark.parametrize(
    ("role", "file", "said"),
    [
        ("wsl_distribution", "shutdown_later", "需要停止 WSL"),
        ("wsl_enable", "restart", "注册发行版之前需要重启 Windows"),
    ],
)
def test_what_a_role_asks_a_person_to_do_is_said_in_chinese(chinese, role, file, said):
    tasks = yaml.safe_load((ROOT / "roles" / role / "tasks" / f"{file}.yml").read_text(encoding="utf-8"))
    (task,) = [task for task in tasks if task.get("vars", {}).get("progress_pauses")]
    message = task["ansible.builtin.fail"]["msg"].replace("{{ wsl_distribution_name }}", "Ubuntu-26.04")
    assert progress.said({"msg": message}).startswith(said)
    assert ("Ubuntu-26.04" in message) == ("Ubuntu-26.04" in progress.said({"msg": message}))


def test_a_message_that_has_no_translation_is_said_as_it_is(chinese):
    assert progress.said({"msg": "The disk\n is full {}."}) == "The disk is full {}."
    assert progress.said({"msg": "{} s"}) == "{} s"  # a message is none of the program's own words
    sleep = "Sleep after {} minutes on mains power will be switched off (windows_base_keep_awake); windows_base_state:"
    assert progress.translated(f"{sleep.format(30)} absent gives it back.").startswith(
        "接通电源 30 分钟后睡眠的设置将被关闭"
    )


def test_what_the_removal_lists_is_said_in_chinese(chinese):
    plays = yaml.safe_load((ROOT / "playbooks" / "remove.yml").read_text(encoding="utf-8"))
    tasks = [task for play in plays for task in play.get("tasks", []) if "stays" in task.get("vars", {})]
    texts = [one["text"] for task in tasks for one in task["vars"]["stays"]]
    assert len(texts) > 5
    assert [text for text in texts if progress.translated(text) == text] == []
    (purge,) = [text for text in texts if "docker_engine_purge" in text]
    assert progress.translated(purge).endswith("""加上 -e '{"docker_engine_purge":true}' 会一并删除。""")


def test_every_word_of_the_program_is_there_in_chinese():
    texts = "".join((ROOT / "plugins" / "callback" / f"{name}.py").read_text() for name in ("progress", "role_lines"))
    said = set(re.findall(r"""\bsay\(["']([^"']+)["']\)""", texts))
    said |= {"done", "already so", "taken back", "not there", "would do", "would take", progress.HANGS, progress.HIDDEN}
    assert len(said) > 25
    assert sorted(said - set(yaml.safe_load(progress.CATALOGUE.read_text(encoding="utf-8")))) == []


# --- while it runs -----------------------------------------------------------------------------------------------


@pytest.fixture
def heart(tmp_path, monkeypatch):
    """A heartbeat whose thread does not run; time is given."""
    monkeypatch.setattr(progress.threading.Thread, "start", lambda self: None)
    monkeypatch.setattr(progress.threading.Thread, "join", lambda self, timeout: None)
    return progress.Heartbeat(print, 15, tmp_path)


def note(folder: Path, host: str, size: float, total: float = 4 * GB) -> None:
    values = {"what": "cuda.exe", "bytes": int(size), "total": int(total), "bytes_per_second": 100_000_000}
    (folder / f"progress-{host}.json").write_text(json.dumps(values))


def spoken(heart, until: int) -> dict[int, list[str]]:
    start = min((task.since for task in heart._tasks.values()), default=0.0) + 0.001  # sums of floats are not exact
    return {second: lines for second in range(until + 1) if (lines := heart.lines(start + second))}


def test_the_lines_come_at_growing_intervals(heart):
    heart.begin("1", "visual_studio : Install", "lab-pc")
    lines = spoken(heart, 1400)
    assert list(lines) == [15, 30, 60, 120, 240, 480, 780, 1080, 1380]
    assert lines[15] == ["… 15 s  lab-pc  visual_studio : Install"]
    assert lines[240] == ["… 4 min  lab-pc  visual_studio : Install"]


def test_a_task_that_ended_is_not_spoken_of(heart):
    heart.begin("1", "a", "lab-pc")
    heart.finish("1", "lab-pc")
    heart.finish("never begun", "lab-pc")
    assert spoken(heart, 100) == {}


def test_bytes_are_shown_where_a_task_notes_them_and_at_least_once_a_minute(heart, tmp_path):
    heart.begin("1", "cuda_windows : Fetch", "lab-pc")
    note(tmp_path, "lab-pc", 1 * GB)
    lines = spoken(heart, 320)
    assert lines[15] == ["… 15 s  lab-pc  cuda.exe  1.0 of 4.0 GB, 25 %, 100 MB/s, 30 s left"]
    assert list(lines) == [15, 30, 60, 120, 180, 240, 300]


def test_half_a_note_is_no_note(heart, tmp_path):
    heart.begin("1", "cuda_windows : Fetch", "lab-pc")
    (tmp_path / "progress-lab-pc.json").write_text('{"what": "cu')
    assert list(spoken(heart, 20).values()) == [["… 15 s  lab-pc  cuda_windows : Fetch"]]


def test_the_lines_in_chinese(heart, tmp_path, chinese):
    for number in range(1, 6):
        heart.begin("1", "cuda_windows : Fetch", f"pc{number}")
        note(tmp_path, f"pc{number}", number * GB / 20)
    assert list(spoken(heart, 20).values()) == [["… 15 秒  pc1, pc2, pc3 等，另有 2 台  cuda.exe  已完成 1 到 6 %"]]


def test_many_hosts_share_a_line(heart, tmp_path):
    for number in range(1, 51):
        heart.begin("1", "cuda_windows : Fetch", f"pc{number:03}")
        if number > 10:
            note(tmp_path, f"pc{number:03}", number * GB / 20)
    assert list(spoken(heart, 20).values()) == [
        [
            "… 15 s  pc011, pc012, pc013 and 37 others  cuda.exe  at 13 to 62 %",
            "… 15 s  pc001, pc002, pc003 and 7 others  cuda_windows : Fetch",
        ]
    ]


def test_the_thread_speaks_survives_forks_and_stops(tmp_path):
    said: list[str] = []
    heart = progress.Heartbeat(said.append, 0.02, tmp_path)
    heart.begin("1", "a", "lab-pc")
    fork = multiprocessing.get_context("fork")
    for _ in range(5):
        child = fork.Process(target=os.getpid)
        child.start()
        child.join(20)
        assert child.exitcode == 0
    end = time.monotonic() + 10
    while not said and time.monotonic() < end:
        time.sleep(0.01)
    heart.stop()
    heart.stop()
    assert said[0].endswith("  lab-pc  a")
    assert [thread for thread in threading.enumerate() if thread.name == "progress"] == []
    heart.begin("2", "too late", "lab-pc")
    assert [thread for thread in threading.enumerate() if thread.name == "progress"] == []


def test_a_display_that_breaks_ends_the_lines_and_nothing_else(tmp_path):
    def broken(line):
        raise BrokenPipeError

    heart = progress.Heartbeat(broken, 0.01, tmp_path)
    heart.begin("1", "a", "lab-pc")
    heart._thread.join(10)
    assert not heart._thread.is_alive()
    heart.finish("1", "lab-pc")
    heart.stop()


def test_zero_seconds_switch_the_lines_off(tmp_path):
    heart = progress.Heartbeat(print, 0, tmp_path)
    heart.begin("1", "a", "lab-pc")
    assert heart._thread is None
    heart.stop()


# --- at the end --------------------------------------------------------------------------------------------------

WORDS = {"visual_studio": "Visual Studio with C++", "wsl_enable": "WSL 2", "docker_engine": "Docker Engine"}


def host(failure=None, **parts):
    """One host: each part is "done", "so", "gone" or "never" (nothing to take back), with its seconds."""
    made = {
        role: progress.Part(True, 5, int(word in ("done", "gone")), word in ("gone", "never"), seconds)
        for role, (word, seconds) in parts.items()
    }
    return progress.Host(made, failure)


def screen(hosts, check=False, following=("Do this.",), width=80):
    advice = [progress.Advice.read(item) for item in following]
    return [line for line, _ in progress.Summary(hosts, 75, check, advice, WORDS, width).lines()]


def test_one_pc_gets_its_own_screen():
    hosts = {
        "pc": host(windows_proxy=("so", 2), visual_studio=("done", 492), wsl_enable=("done", 3)),
        "pc-wsl": host(wsl_proxy=("so", 1), docker_engine=("done", 61)),
    }
    assert screen(hosts) == [
        "pc",
        "  done        visual_studio  Visual Studio with C++ (8 min 12 s)",
        "              wsl_enable     WSL 2",
        "  already so  windows_proxy",
        "pc-wsl",
        "  done        docker_engine  Docker Engine (1 min 1 s)",
        "  already so  wsl_proxy",
        "next",
        "  - Do this.",
    ]


def test_the_screen_in_chinese(chinese):
    hosts = {
        "pc": host(windows_proxy=("so", 2), visual_studio=("done", 492), wsl_enable=("gone", 3)),
        "pc-wsl": host(("docker_engine", "docker_engine : Stop", "No."), wsl_proxy=("so", 1)),
    }
    assert screen(hosts, check=True) == [
        "pc",
        "  将会完成    visual_studio  Visual Studio with C++（8 分 12 秒）",
        "  将会撤销    wsl_enable     WSL 2",
        "  无需改动    windows_proxy",
        "pc-wsl",
        "  无需改动    wsl_proxy",
        "  失败        docker_engine : 停下：No.",
        "下一步",
        "  - 请先处理“失败”一项的问题，然后重新运行。没有任何更改。",
    ]
    assert screen({f"pc{number}": host(cuda=("done", 65)) for number in range(3)})[:2] == [
        "3 台机器               已完成    无需改动        失败",
        "  cuda                      3           0           0   最久：1 分 5 秒，pc0",
    ]


def test_a_second_run_says_that_all_was_so_already():
    assert screen({"pc": host(windows_proxy=("so", 1), visual_studio=("so", 1))}) == [
        "pc",
        "  already so  windows_proxy, visual_studio",
        "next",
        "  - Do this.",
    ]


def test_what_was_taken_back_is_not_called_done():
    assert screen({"pc": host(visual_studio=("gone", 3))})[1] == ("  taken back  visual_studio  Visual Studio with C++")


def test_check_mode_says_what_would_be_done():
    assert screen({"pc": host(visual_studio=("done", 1), wsl_enable=("gone", 1))}, check=True)[1:] == [
        "  would do    visual_studio  Visual Studio with C++",
        "  would take  wsl_enable     WSL 2",
        "next",
        "  - Nothing was changed. Run the same without --check to do it.",
    ]


def test_check_mode_where_all_is_so_does_not_ask_for_a_run():
    hosts = {"pc": host(visual_studio=("so", 1), wsl_enable=("never", 1))}
    assert screen(hosts, check=True) == [
        "pc",
        "  already so  visual_studio",
        "  not there   wsl_enable",
        "next",
        "  - Nothing: a run without --check would change nothing.",
    ]


def test_check_mode_says_what_it_did_not_look_at():
    hosts = {"pc": host(visual_studio=("so", 1)), "pc-wsl": progress.Host(left_out=True)}
    assert screen(hosts, check=True)[2:] == [
        "pc-wsl",
        "  left out    it was not reached",
        "next",
        "  - Nothing: a run without --check would change nothing. What was left out was",
        "    not looked at.",
    ]


def test_a_failed_check_went_nowhere_from_where_it_could_go_on():
    hosts = {"pc": host(("wsl_enable", "wsl_enable : Refuse", "No."), visual_studio=("done", 1))}
    assert screen(hosts, check=True)[-2:] == [
        "next",
        '  - Fix the error under "failed", then run the same again. Nothing was changed.',
    ]


def test_nothing_is_called_taken_back_that_was_not_there():
    assert screen({"pc": host(visual_studio=("never", 1), wsl_enable=("gone", 1))}) == [
        "pc",
        "  taken back  wsl_enable     WSL 2",
        "  not there   visual_studio",
        "next",
        "  - Do this.",
    ]


def test_a_long_description_is_wrapped_and_not_cut(monkeypatch):
    words = "A Windows that is new enough and awake, its name, Windows Terminal"
    monkeypatch.setitem(WORDS, "windows_base", words)
    assert screen({"pc": host(windows_base=("done", 17))})[1:3] == [
        "  done        windows_base   A Windows that is new enough and awake, its name,",
        "                             Windows Terminal (17 s)",
    ]


def test_a_long_name_of_a_role_has_a_space_behind_it(monkeypatch):
    monkeypatch.setitem(WORDS, "wsl_distribution", "A distribution")
    hosts = {"pc": host(wsl_enable=("done", 3), wsl_distribution=("done", 1))}
    assert screen(hosts)[1:3] == [
        "  done        wsl_enable       WSL 2",
        "              wsl_distribution A distribution",
    ]
    many = {f"pc{number}": host(wsl_distribution=("done", 1)) for number in range(3)}
    assert screen(many)[:2] == [
        "3 hosts                    done  already so      failed",
        "  wsl_distribution            3           0           0",
    ]


ADVICE = [
    {"text": "Restart.", "after": ["windows_base", "windows_proxy"], "changed": True},
    {"text": "Go on with WSL.", "after": ["wsl_enable"]},
    {"text": "Forget it.", "after": ["wsl_enable"], "state": "absent", "changed": True},
]


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        ({"windows_base": ("done", 1), "wsl_enable": ("so", 1)}, ["Restart.", "Go on with WSL."]),
        ({"windows_base": ("so", 1), "wsl_enable": ("done", 1)}, ["Go on with WSL."]),
        ({"windows_base": ("so", 1)}, ["Nothing."]),  # --tags windows_base
        ({"wsl_enable": ("gone", 1)}, ["Forget it."]),
        ({"wsl_enable": ("never", 1), "windows_proxy": ("gone", 1)}, ["Nothing."]),
    ],
)
def test_advice_is_given_where_its_roles_were_brought_into_its_state(parts, said):
    assert screen({"pc": host(**parts)}, following=ADVICE)[-len(said) :] == [f"  - {text}" for text in said]


def test_advice_with_a_field_that_nobody_knows_is_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'roles'"):
        progress.Advice.read({"text": "x", "roles": []})


FAILED = ["next", '  - Fix the error under "failed", then run the same again. It goes on from', "    there."]


@pytest.mark.parametrize("width", [79, 80, 120])
def test_a_failure_is_shown_whole_and_followed_by_what_to_do(width):
    findings = [
        f"/etc/apt/sources.list.d/{name}.list, line {number}: this source is given twice with different keys. Remove"
        f' the line with "sudo sed -i {number}d /etc/apt/sources.list.d/{name}.list".'
        for number, name in enumerate(("docker", "nvidia-container-toolkit", "cuda-wsl-ubuntu-x86_64", "microsoft"))
    ]
    message = " ".join(findings) + " Nothing was changed."
    failure = ("docker_engine", "docker_engine : Refuse what cannot work", message)
    lines = screen({"pc": host(failure, windows_proxy=("done", 1), docker_engine=("done", 5))}, width=width)
    assert lines[:2] == ["pc", "  done        windows_proxy"]
    assert lines[2].startswith("  failed      docker_engine : Refuse what cannot work:")
    at = lines.index("next")
    assert " ".join(" ".join(line.split()) for line in lines[2:at]) == (
        f"failed docker_engine : Refuse what cannot work: {message}"
    )
    assert max(map(len, lines[2:at])) <= width


def test_a_path_or_a_command_is_never_broken_in_two():
    path = "/usr/lib/wsl/drivers/nv_dispi.inf_amd64_1ab01ab01ab01ab0/libnvidia-ptxjitcompiler.so.1"
    failure = ("nvidia_ctk", "nvidia_ctk : Describe", f'{path} is gone. Run "systemctl restart nvidia-cdi-refresh".')
    lines = [line.strip() for line in screen({"pc": host(failure, nvidia_ctk=("done", 1))}, width=79)]
    assert path in " ".join(lines).split()
    assert [line for line in lines if line.endswith("-")] == []


def test_of_a_very_long_failure_the_beginning_and_the_end_are_shown():
    message = "The disk of Windows is full. " + "Traceback of something. " * 500 + "Make room, then run again."
    lines = screen({"pc": host(("cuda", "cuda : Install", message), cuda=("done", 1))})
    assert len(lines) < 45
    assert lines[1] == "  failed      cuda : Install: The disk of Windows is full. Traceback of"
    cut = [line.strip() for line in lines if "…" in line]
    assert len(cut) == 1
    assert re.fullmatch(r"… 1\d\d lines, which the run above has …", cut[0])
    assert " ".join(" ".join(lines[-5:-3]).split()).endswith("Make room, then run again.")
    assert lines[-3:] == FAILED


def test_a_role_that_was_only_asked_what_it_needs_is_not_listed():
    asked = progress.Host({"visual_studio": progress.Part(listed=False, ok=5)})
    assert screen({"pc": asked}) == ["pc", "  nothing to do", "next", "  - Do this."]


def test_a_host_that_waits_for_somebody_is_paused(chinese):
    hosts = {"pc": host(("wsl_enable", "wsl_enable : Ask", "Stop WSL."), wsl_enable=("done", 1)), "pc-wsl": host()}
    hosts["pc"].paused = True
    said = [
        "pc",
        "  暂停        Stop WSL.",
        "pc-wsl",
        "  无需处理",
        "下一步",
        "  - 请先完成“暂停”一项的操作，然后重新运行。会从那里继续。",
    ]
    assert screen(hosts) == said
    progress.speak("en")
    assert screen(hosts)[1:] == [
        "  paused      Stop WSL.",
        "pc-wsl",
        "  nothing to do",
        "next",
        '  - Do what stands under "paused", then run the same again. It goes on from',
        "    there.",
    ]
    hosts["pc-wsl"].failure = ("", "Reach", "No.")
    assert screen(hosts)[-2:] == FAILED[1:]


def test_a_run_without_anything_has_no_screen():
    assert screen({}) == []
    assert screen({"pc": progress.Host()}) == []


def test_a_fleet_is_one_table():
    hosts = {f"pc{number:03}": host(windows_proxy=("so", 1), visual_studio=("done", number)) for number in range(1, 99)}
    for number in (3, 17, 20, 30, 31):
        hosts[f"pc{number:03}"].failure = ("visual_studio", "visual_studio : Stop", "It failed. " * 12 + "Run again.")
    hosts["pc040"].failure = ("", "Gathering Facts", "no route to host")
    assert screen(hosts) == [
        "98 hosts                 done  already so      failed",
        "  windows_proxy             0          98           0",
        "  visual_studio            93           0           5   longest: 1 min 38 s, pc098",
        "failed",
        "  pc003, pc017, pc020 and 2 others: visual_studio : Stop: It failed. It failed.",
        "    It failed. It failed. It failed. It failed. It failed. It failed. It failed.",
        "    It failed. It failed. It failed. Run again.",
        "  pc040: Gathering Facts: no route to host",
        "next",
        '  - Fix the error under "failed", then run the same again. It goes on from',
        "    there.",
    ]


def test_two_causes_at_the_same_task_of_a_fleet_are_two_failures():
    hosts = {name: host() for name in ("a", "pc001", "pc002", "pc003", "pc004")}
    for name, message in {
        "pc001": "No GPU in pc001.",
        "pc002": "The disk is full.",
        "pc003": "No GPU in pc003.",  # the same, but for the name
    }.items():
        hosts[name].failure = ("nvidia_ctk", "nvidia_ctk : Refuse", message)
    assert screen(hosts)[1:4] == [
        "failed",
        "  pc001, pc003: nvidia_ctk : Refuse: No GPU in pc001.",
        "  pc002: nvidia_ctk : Refuse: The disk is full.",
    ]


def test_every_screen_fits_24_lines_unless_a_failure_needs_more():
    roles = {f"role_{number}": ("done", 20) for number in range(12)}
    following = [f"Do {number}." for number in range(4)]
    failure = ("", "Gathering Facts", "word " * 50)
    one = {"pc": host(**dict(list(roles.items())[:5])), "pc-wsl": host(failure, **dict(list(roles.items())[5:]))}
    assert len(screen(one, following=following)) < 24
    many = {f"pc{number}": host(("", f"task {number}", "m"), **roles) for number in range(200)}
    assert len(screen(many, following=following)) < 24


# --- a whole run -------------------------------------------------------------------------------------------------

META = "galaxy_info: {description: The first role}"
PLAYBOOK = """
- hosts: {hosts}
  gather_facts: false
  vars: {{{next}}}
  tasks:
    - name: Ask another role
      ansible.builtin.import_role: {{name: so, tasks_from: preflight}}
      tags: [always]
- hosts: {hosts}
  gather_facts: false
  roles: [first, so, {{role: gone, tags: [only]}}]
"""
ADVISE = """
- name: preflight | Look
  ansible.builtin.debug: {msg: looked}
- name: preflight | Advise
  ansible.builtin.set_stats: {data: {progress_next: "{{ advice }}"}}
  when: advice is defined
"""
GONE = "[{name: Go, ansible.builtin.include_tasks: {file: absent.yml, apply: {tags: only}}}]"
FIRST = """
- name: main | Take some time
  ansible.builtin.command: sleep 2
- name: main | Fail, and repair it
  block: [{ansible.builtin.fail: {msg: broken}}]
  rescue: [{ansible.builtin.debug: {msg: repaired}}]
- name: main | Try again
  ansible.builtin.command: "false"
  register: tried
  until: tried.rc == 0
  failed_when: false
  retries: 1
  delay: 1
"""


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    """Return a function that runs a playbook of three small roles and returns its output."""
    folder = tmp_path_factory.mktemp("run")
    files = {
        "roles/first/tasks/main.yml": FIRST,
        "roles/first/meta/main.yml": META,
        "roles/so/tasks/main.yml": "- {name: main | Look, ansible.builtin.debug: {msg: so}}",
        "roles/so/tasks/preflight.yml": ADVISE,
        "roles/so/meta/argument_specs.yml": "argument_specs: {main: {options: {x: {type: str}}}}",
        "roles/gone/tasks/main.yml": GONE,
        "roles/gone/tasks/absent.yml": "- {name: absent | Take, ansible.builtin.debug: {msg: so}, changed_when: true}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def run(following: str, *arguments: str) -> str:
        (folder / "play.yml").write_text(PLAYBOOK.format(hosts="here", next=following))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", "here,", "-c", "local", "play.yml", *arguments],
            cwd=folder,
            env=environment
            | {
                "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "plugins" / "callback"),
                "ANSIBLE_CALLBACKS_ENABLED": "progress",
                "ANSIBLE_PROGRESS_FIRST": "0.5",
                "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                "ANSIBLE_NOCOLOR": "1",
            },
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    return run


def test_a_run_shows_lines_and_a_screen(play):
    output = play("progress_next: [Do this.]")
    assert "s  here  first : Take some time\n" in output
    assert "… here  not a failure yet (exit code 1): tried again in 1 s\n" in output
    screen = output.split("SUMMARY (")[1].splitlines()[1:]
    assert screen[0] == "here"
    assert screen[1].startswith("  done        first          The first role")
    assert screen[2:] == ["  taken back  gone", "  already so  so", "next", "  - Do this."]
    assert output.index("PLAY RECAP") < output.index("SUMMARY")


def test_a_role_that_no_tag_asked_for_is_not_listed_although_a_play_asked_what_it_needs(play):
    output = play("progress_next: [Do this.]", "--tags", "only")
    assert "ok: [here]" in output  # of its preflight
    assert output.split("SUMMARY (")[1].splitlines()[1:4] == ["here", "  taken back  gone", "next"]


def test_a_role_adds_to_what_is_to_be_done(play):
    output = play("progress_next: [Do this.], advice: [Then sign out., Then sign out.]")
    assert output.split("next\n")[1].splitlines()[:2] == ["  - Do this.", "  - Then sign out."]


def test_check_mode_of_a_whole_run(play):
    screen = play("progress_next: [Do this.]", "--check", "--tags", "none").split("SUMMARY (")[1]
    assert screen.splitlines()[-1] == "  - Nothing: a run without --check would change nothing."
    screen = play("progress_next: [Do this.]", "--check").split("SUMMARY (")[1].splitlines()[1:]
    assert screen[1] == "  would take  gone"
    assert screen[-1] == "  - Nothing was changed. Run the same without --check to do it."


def test_a_playbook_that_does_not_ask_for_it_has_no_screen(play):
    assert "SUMMARY" not in play("other: 1")


def one_task(folder: Path, task: str, connection: str) -> tuple[int, str]:
    (folder / "play.yml").write_text(
        f"- {{hosts: pc, gather_facts: false, vars: {{progress_next: []}}, tasks: [{{{task}}}]}}"
    )
    (folder / "hosts.yml").write_text(f"all: {{hosts: {{pc: {{{connection}}}}}}}")
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", folder / "hosts.yml", folder / "play.yml"],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("task", ["ansible.windows.win_ping: ", "ansible.windows.win_ping: , no_log: true"])
def test_a_pc_that_does_not_answer_is_explained_below_it_and_on_the_screen(tmp_path, task):
    code, output = one_task(
        tmp_path,
        task,
        "ansible_connection: winrm, ansible_host: 127.0.0.1, ansible_port: 1, ansible_user: me, ansible_password: x, "
        "ansible_winrm_transport: ntlm",
    )
    assert code == 4, output
    assert "\n… pc  Nothing answers at the address of the PC: it is off or just starting, or" in output
    screen = output.split("SUMMARY (")[1]
    assert "  failed      ansible.windows.win_ping: Nothing answers at the address of the" in screen
    assert "Start it, or see bootstrap/README.md, then run again; it goes on from there." in " ".join(screen.split())


def test_what_a_task_with_a_password_said_stays_hidden_and_the_screen_says_so(tmp_path):
    task = "ansible.builtin.fail: {msg: the secret}, no_log: true"
    code, output = one_task(tmp_path, task, "ansible_connection: local")
    assert code == 2, output
    screen = " ".join(output.split("SUMMARY (")[1].split())
    assert "Its message is hidden, since it may hold a password. Ansible's own lines above name the cause." in screen
    assert "the secret" not in screen


def test_programs_that_set_the_path_of_callbacks_find_it_beside_the_playbooks():
    # ansible-runner and AWX do, and ansible.cfg's own path no longer counts
    beside = ROOT / "playbooks" / "callback_plugins" / "progress.py"
    assert beside.samefile(ROOT / "plugins" / "callback" / "progress.py")
