"""What a user may choose otherwise."""

from __future__ import annotations

import re

import pytest

from lab.compare import traces
from tests.changes import changed

WSL = ["--tags", "windows_proxy,wsl_enable,wsl_distribution"]


def test_a_restart_that_is_not_allowed_ends_the_run_with_one_line_and_the_next_run_goes_on(new_pc):
    pc = new_pc()
    run = pc.play(*WSL, "-e", '{"wsl_enable_restart": false}')
    assert run.code == 2
    assert "Windows has to be restarted before the distribution can be registered." in " ".join(run.output.split())
    assert pc.events("boot") == []
    pc.winsim("reboot")
    again = pc.play(*WSL, "-e", '{"wsl_enable_restart": false}')
    assert again.code == 0, again.output[-4000:]


def test_wsl_is_not_stopped_under_a_control_node_that_runs_in_it(new_pc):
    pc = new_pc("already-done")
    inside = ["--tags", "wsl_enable,wsl_distribution", "-e", "control_node=wsl", "-e", "wsl_enable_memory=16GB"]
    for _ in range(2):
        run = pc.play(*inside)
        assert run.code == 2
        assert 'Type "wsl --shutdown" in PowerShell, open Ubuntu-24.04 again' in " ".join(run.output.split())
    pc.winsim("reboot")
    assert pc.play(*inside).code == 0


NOTED = "Software\\wsl-dl-playbook\\wsl_enable"
"""Where the role wsl_enable has noted what it brought, when it was one role with wsl_distribution."""


def test_what_an_earlier_version_has_noted_is_taken_back_by_both_roles(new_pc):
    mine = {"user": "student", "path": f"HKCU\\{NOTED}"}
    noted = [
        mine | {"name": "distribution", "data": "Ubuntu-24.04"},
        mine | {"name": "wslconfig", "data": '{"wsl2": {"vmIdleTimeout": "60000"}}'},
        {"path": f"HKLM\\{NOTED}", "name": "package", "data": "2.6.1"},
        {"path": f"HKLM\\{NOTED}", "name": "features", "data": "VirtualMachinePlatform"},
    ]
    path = "C:\\Users\\student\\.wslconfig"
    pc = new_pc("already-done", registry=noted, files=[{"path": path, "text": "[wsl2]\nvmIdleTimeout=-1\n"}])
    both = ["--tags", "wsl_enable,wsl_distribution", "-e", '{"wsl_enable_purge": true}']
    run = pc.play(*both, playbook="playbooks/remove.yml")
    assert run.code == 0, run.output[-4000:]
    left = "\n".join(traces(pc.state()))
    assert b"[wsl2]\nvmIdleTimeout=60000\n".hex() in left
    assert [word for word in ("wsl-dl-playbook\\wsl_enable", "Ubuntu-24.04", "WSL\\wsl.exe") if word in left] == []
    assert pc.play(*both, playbook="playbooks/remove.yml").recap["changed"] == 0


def test_the_distribution_may_wait_for_its_user(new_pc):
    pc = new_pc("already-done", signed_in=["student"])
    run = pc.play("--tags", "wsl_distribution", "-e", "wsl_distribution_keepalive_at=logon")
    assert run.code == 0, run.output[-4000:]
    ((_, task),) = pc.state()["tasks"]
    assert [trigger["type"] for trigger in task["triggers"]] == ["TASK_TRIGGER_LOGON", "TASK_TRIGGER_REGISTRATION"]
    assert task["principal"]["logon_type"] == "TASK_LOGON_INTERACTIVE_TOKEN"
    assert [event["user"] for event in pc.events("task started")] != []


@pytest.mark.campaign  # twice the whole half; "make test-interrupts" runs it
def test_windows_may_fetch_the_wsl_package_itself(new_pc):
    pc = new_pc()
    run = pc.play(*WSL, "-e", "wsl_enable_package=online", "-e", "wsl_networking_mode=mirrored")
    assert run.code == 0, run.output[-4000:]
    assert pc.play(*WSL, "-e", "wsl_enable_package=online", "-e", "wsl_networking_mode=mirrored").recap["changed"] == 0


def test_half_an_earlier_run_is_finished(new_pc):
    half = new_pc("half-finished")
    run = half.play()
    assert run.code == 0, run.output[-4000:]
    assert len(half.events("boot")) == 1
    assert [event["delay"] for event in half.events("shutdown requested")] == [2]  # nobody is signed in
    assert half.play().recap["changed"] == 0


@pytest.mark.campaign  # test_check_mode.py begins with such a PC
def test_a_finished_pc_is_left_alone(new_pc):
    done = new_pc("already-done")
    run = done.play()
    assert run.code == 0, run.output[-4000:]
    assert done.events("request", "installed", "distribution registered", "user proxy") == []


CUDA_FILES = [
    "CUDA 13.4.Version.props",
    "CUDA 13.4.props",
    "CUDA 13.4.targets",
    "CUDA 13.4.xml",
    "Nvda.Build.CudaTasks.v13.4.dll",
]


def msbuild(pc) -> list[str]:
    """Return what Visual Studio 2022 and 2026 know of CUDA, each file behind the version of its folder."""
    lines = "\n".join(traces(pc.state()))
    return sorted(map(" ".join, re.findall(r"\\(v\d+)\\BuildCustomizations\\(.+?) \{", lines)))


def test_a_visual_studio_that_came_after_cuda_knows_it(new_pc):
    pc = new_pc(
        installed=[
            {"name": "cuda"},
            {"name": "visual-studio", "major": "17", "product": "community"},
            {"name": "visual-studio", "major": "18", "product": "buildtools"},
        ]
    )
    cuda = ["--tags", "cuda_windows"]
    assert msbuild(pc) == []
    foreseen = pc.play(*cuda, "--check")
    assert (foreseen.code, msbuild(pc)) == (0, [])
    done = pc.play(*cuda)
    assert done.code == 0, done.output[-4000:]
    assert (
        changed(done.output)
        == changed(foreseen.output)
        == [
            "cuda_windows : integrate | Note which folders get files",
            "cuda_windows : integrate | Give Visual Studio what the toolkit has for it",
        ]
    )
    assert msbuild(pc) == [f"{major} {file}" for major in ("v170", "v180") for file in CUDA_FILES]
    assert pc.play(*cuda).recap["changed"] == 0
    gone = pc.play(*cuda, "-e", "cuda_windows_state=absent")
    assert gone.code == 0, gone.output[-4000:]
    assert msbuild(pc) == []
    assert pc.play(*cuda, "-e", "cuda_windows_state=absent").recap["changed"] == 0
