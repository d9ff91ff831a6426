"""A run that is cut off anywhere is finished by running it again."""

from __future__ import annotations

import os
import random

import pytest

from lab.compare import differences

SEED = int(os.environ.get("SEED", "20261123"))
"""The same five points in every run; SEED=… for others."""


# What a run does one after the other, as texts that a command or a module's arguments contain.
POINTS = [
    "win_inet_proxy",
    "win_environment",
    "win_firewall_rule",
    "win_hostname",
    "vs_community.exe",
    "cuda_13.4.1_windows_x86_64.exe",
    "win_optional_feature",
    "wsl.3.0.1.0.x64.msi",
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


CUDA = "https://developer.download.nvidia.com/compute/cuda/13.4.1/local_installers/cuda_13.4.1_windows_x86_64.exe"


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
        (
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
    assert "failed with exit code 5007: this PC does not meet its requirements." in said
