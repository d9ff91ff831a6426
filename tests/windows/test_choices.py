"""What a user may choose otherwise."""

from __future__ import annotations

import pytest

WSL = ["--tags", "windows_proxy,wsl_enable"]


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
    inside = ["--tags", "wsl_enable", "-e", "control_node=wsl", "-e", "wsl_enable_memory=16GB"]
    for _ in range(2):
        run = pc.play(*inside)
        assert run.code == 2
        assert 'Type "wsl --shutdown" in PowerShell, open Ubuntu-24.04 again' in " ".join(run.output.split())
    pc.winsim("reboot")
    assert pc.play(*inside).code == 0


def test_the_distribution_may_wait_for_its_user(new_pc):
    pc = new_pc("already-done", signed_in=["student"])
    run = pc.play("--tags", "wsl_enable", "-e", "wsl_enable_keepalive_at=logon")
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
