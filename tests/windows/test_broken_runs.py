"""A run that is cut off anywhere is finished by running it again."""

from __future__ import annotations

import json
import os
import random

import pytest

from lab.compare import differences
from lab.winsim.model.pins import PINS

CUDA = PINS["cuda_windows"]["url"]

SEED = int(os.environ.get("SEED", "20261123"))
"""The same five points in every run; SEED=… for others."""


def apart(*values: object) -> object:
    """Return a case of a kind that "make test" has one of already; "make test-interrupts" runs it."""
    return pytest.param(*values, marks=pytest.mark.campaign)


# What a run does one after the other, as texts that a command or a module's arguments contain.
POINTS = [
    "win_inet_proxy",
    "win_environment",
    "win_firewall_rule",
    "win_hostname",
    "vs_community.exe",
    CUDA.split("/")[-1],
    "win_optional_feature",
    PINS["wsl"]["url"].split("/")[-1],
    ".wslconfig",
    "--from-file",
    "useradd",
    "chpasswd",
    "tee /etc/wsl.conf",
    "win_scheduled_task",
    "--shutdown",
]


@pytest.mark.campaign
def test_five_cuts_at_random_points_end_in_the_same_pc(new_pc, finished):
    undisturbed, _, _ = finished
    pc = new_pc()
    chance = random.Random(SEED)
    ended = []
    for at in sorted(chance.sample(range(len(POINTS)), 5)):
        cut = (f"--match={POINTS[at]}", "--phase", chance.choice(["running", "output"]))
        if chance.random() < 0.3:  # before the module has arrived as a whole; nobody knows yet which one it is
            cut = (f"--command={chance.randrange(40, 90)}", "--phase", "input")
        pc.winsim("fault", "cut", *cut)
        ended.append((*cut, pc.play().code))
        pc.winsim("fault", "clear")
    said = f"SEED={SEED} {ended}"
    assert sum(code != 0 for *_, code in ended) >= 3, said
    last = pc.play()
    assert last.code == 0, f"{said}\n{last.output[-4000:]}"
    assert differences(pc.state(), undisturbed.state()) == [], said
    assert pc.play().recap["changed"] == 0, said


def test_a_broken_download_goes_on_where_it_stopped(new_pc):
    pc = new_pc(faults={"downloads": [{"url": CUDA, "kind": "break", "bytes": 1_000_000_000, "times": 2}]})
    run = pc.play("--tags", "cuda_windows")
    assert run.code == 0, run.output[-4000:]
    parts = [(event["start"], event["bytes"]) for event in pc.events("request") if event["url"] == CUDA]
    assert len(parts) == 3
    assert "bytes missing; it goes on where it stopped, in 1 s (try 2 of 6)" in run.output
    assert "FAILED" not in run.output
    assert all(start == sum(size for _, size in parts[:index]) for index, (start, _) in enumerate(parts))


def test_an_installer_waits_for_another_one(new_pc):
    busy = [{"program": "cuda_installer.exe", "rc": 1618, "effect": "none", "times": 2}]
    busy.append({"program": "vs_bootstrapper.exe", "rc": 1618, "effect": "none", "times": 2})
    pc = new_pc(faults={"programs": busy})
    run = pc.play("--tags", "windows_proxy,visual_studio,cuda_windows")
    assert run.code == 0, run.output[-4000:]
    assert "FAILED - RETRYING" in run.output


@pytest.mark.parametrize(
    ("program", "tags", "cause", "remedy"),
    [
        (
            "cuda*",
            "cuda_windows",
            "does not run, or Windows does not list the toolkit",
            "restart Windows, and run again",
        ),
        apart(
            "vs_bootstrapper.exe",
            "windows_proxy,visual_studio",
            "vswhere does not find a complete Community",
            "run again",
        ),
    ],
)
def test_an_installer_that_says_0_and_installed_nothing_is_not_believed(new_pc, program, tags, cause, remedy):
    pc = new_pc(faults={"programs": [{"program": program, "rc": 0, "effect": "none", "times": 1}]})
    run = pc.play("--tags", tags)
    said = " ".join(run.output.split())
    assert run.code == 2
    assert cause in said
    assert remedy in said
    assert pc.play("--tags", tags).code == 0


def test_a_failed_visual_studio_says_what_its_exit_code_means_and_what_its_log_says(new_pc):
    pc = new_pc(faults={"programs": [{"program": "vs_bootstrapper.exe", "rc": 5007, "effect": "none"}]})
    run = pc.play("--tags", "windows_proxy,visual_studio")
    said = " ".join(run.output.split())
    assert run.code == 2
    assert "failed with exit code 5007. This PC does not meet its requirements." in said


def test_a_revocation_list_that_nobody_gives_stops_no_download(new_pc):
    pc = new_pc(faults={"downloads": [{"kind": "no_revocation"}]})  # WinHTTP has no proxy either
    run = pc.play("--tags", "cuda_windows")
    assert run.code == 0, run.output[-4000:]


VS = "windows_proxy,visual_studio"
HANGS = [
    ("vs_bootstrapper.exe", VS, "visual_studio_timeout", "dd_*.log"),
    ("cuda_installer.exe", "cuda_windows", "cuda_windows_timeout", "The installer's logs are in"),
    (
        "msiexec.exe",
        "wsl_enable",
        "wsl_enable_timeout",
        "Its logs on the PC are C:\\Windows\\Temp\\wsl-install-log.txt",
    ),
]


@pytest.mark.parametrize(("program", "tags", "limit", "logs"), [apart(*HANGS[0]), apart(*HANGS[1]), HANGS[2]])
def test_an_installer_that_hangs_is_stopped_and_its_logs_are_named(new_pc, program, tags, limit, logs):
    pc = new_pc(faults={"programs": [{"program": program, "hang": True, "times": 1}]})
    run = pc.play("--tags", tags, "-e", f"{limit}=3")
    said = " ".join(run.output.split())
    assert run.code == 2
    assert f"had not ended after 3 s ({limit}) and was stopped" in said
    assert logs in said
    again = pc.play("--tags", tags)
    assert again.code == 0, again.output[-4000:]


@pytest.mark.parametrize(("program", "tags", "limit", "logs"), [apart(*HANGS[0]), HANGS[1]])
def test_an_installer_that_hangs_when_all_is_there_is_no_failure(new_pc, program, tags, limit, logs):
    pc = new_pc(faults={"programs": [{"program": program, "hang": True, "effect": "full", "times": 1}]})
    run = pc.play("--tags", tags, "-e", f"{limit}=6")
    assert run.code == 0, run.output[-4000:]
    assert pc.play("--tags", tags).recap["changed"] == 0


@pytest.mark.parametrize(
    ("program", "tags", "rc"),
    [
        apart("cuda_installer.exe", "cuda_windows", 1),
        ("cuda_installer.exe", "cuda_windows", -2147023836),
        apart("vs_bootstrapper.exe", VS, 1),
    ],
)
def test_another_exit_code_is_no_failure_when_all_is_there(new_pc, program, tags, rc):
    pc = new_pc(faults={"programs": [{"program": program, "rc": rc, "effect": "full"}]})
    run = pc.play("--tags", tags)
    assert run.code == 0, run.output[-4000:]
    assert pc.play("--tags", tags).recap["changed"] == 0


def test_another_exit_code_with_nothing_there_names_the_code_and_the_logs(new_pc):
    pc = new_pc(faults={"programs": [{"program": "cuda_installer.exe", "rc": -522190823, "effect": "none"}]})
    run = pc.play("--tags", "cuda_windows")
    said = " ".join(run.output.split())
    assert run.code == 2
    assert "ended with exit code -522190823, and" in said
    assert "It does not know one of its components." in said
    assert "The installer's logs are in C:\\Users\\" in said


def test_visual_studio_in_use_fails_at_once(new_pc):
    pc = new_pc(faults={"programs": [{"program": "vs_bootstrapper.exe", "rc": 1003, "effect": "none"}]})
    run = pc.play("--tags", VS)
    said = " ".join(run.output.split())
    assert run.code == 2
    assert "failed with exit code 1003. Visual Studio is in use. Close Visual Studio" in said
    assert "FAILED - RETRYING" not in run.output


@pytest.mark.campaign
def test_a_registration_that_hangs_is_stopped_and_its_log_is_named(new_pc):
    hangs = {"program": "wsl.exe", "match": "--from-file", "hang": True, "times": 1}
    pc = new_pc("windows10-22h2", faults={"programs": [hangs]})
    run = pc.play("--tags", "wsl_enable,wsl_distribution", "-e", "wsl_distribution_timeout=6")
    said = " ".join(run.output.split())
    assert run.code == 2
    assert "wsl.exe has not registered Ubuntu-24.04 (it had not ended after 6 s (wsl_distribution_timeout)" in said
    assert "C:\\Windows\\Temp\\wsl-install-log.txt" in said
    again = pc.play("--tags", "wsl_enable,wsl_distribution")
    assert again.code == 0, again.output[-4000:]


@pytest.mark.campaign
def test_an_uninstaller_that_hangs_is_stopped_and_named(new_pc):
    pc = new_pc()
    assert pc.play("--tags", f"{VS},cuda_windows").code == 0
    hangs = [{"program": program, "hang": True, "times": 1} for program in ("rundll32.exe", "vs_setup.exe")]
    pc.winsim("fault", "machine", "--set", json.dumps({"programs": hangs}))
    absent = ["-e", "cuda_windows_state=absent", "-e", "visual_studio_state=absent"]
    for role, cause, remedy in (
        (
            "cuda_windows",
            "NVIDIA's uninstaller had not ended after 3 s and was stopped",
            "End rundll32.exe in the Task",
        ),
        ("visual_studio", "had not ended after 3 s (visual_studio_timeout) and was stopped", "dd_*.log"),
    ):
        run = pc.play("--tags", role, *absent, "-e", f"{role}_timeout=3")
        said = " ".join(run.output.split())
        assert run.code == 2
        assert cause in said
        assert remedy in said
        again = pc.play("--tags", role, *absent)
        assert again.code == 0, again.output[-4000:]
    assert "_CUDAToolkit_13.4" not in json.dumps(pc.state(), default=str)


OWN = {
    "user": "student",
    "path": "HKCU\\Software\\wsl-dl-playbook\\wsl_enable",
    "name": "distribution",
    "data": "Ubuntu-24.04",
}


WSL_HANGS = (
    "__wsl_distribution_seconds",
    "wsl.exe had not answered after 6 s and was stopped: WSL hangs.",
    'Type "wsl --shutdown" in PowerShell on the PC; if that does not end either, restart Windows.',
)


@pytest.mark.parametrize(
    ("program", "words", "limit", "cause", "remedy"),
    [
        apart("wsl.exe", "id -u student", *WSL_HANGS),
        apart("wsl.exe", "cat /etc/wsl.conf", *WSL_HANGS),
        ("wsl.exe", "--shutdown", *WSL_HANGS),
        apart(
            "dism.exe",
            "",
            "wsl_enable_timeout",
            "DISM had not ended after 6 s (wsl_enable_timeout) and was stopped",
            "C:\\Windows\\Logs\\DISM\\dism.log and C:\\Windows\\Logs\\CBS\\CBS.log",
        ),
    ],
)
def test_what_does_not_answer_is_left_and_the_next_run_goes_on(new_pc, program, words, limit, cause, remedy):
    hangs = {"program": program, "match": words, "hang": True, "times": 1}
    features = {"VirtualMachinePlatform": "Disabled" if program == "dism.exe" else "Enabled"}
    pc = new_pc("already-done", registry=[OWN], features=features, faults={"programs": [hangs]})
    wanted = ("--tags", "wsl_enable,wsl_distribution", "-e", "wsl_distribution_user=student")
    run = pc.play(*wanted, "-e", f"{limit}=6")
    said = " ".join(run.output.split())
    assert run.code == 2
    assert cause in said
    assert remedy in said
    again = pc.play(*wanted)
    assert again.code == 0, again.output[-4000:]
