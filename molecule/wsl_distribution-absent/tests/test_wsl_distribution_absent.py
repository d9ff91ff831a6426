"""A PC that wsl_distribution has left again."""

from __future__ import annotations

WSL = "C:\\Program Files\\WSL\\wsl.exe"


def test_nothing_keeps_the_distribution_awake(pc):
    task = pc.module("community.windows.win_scheduled_task_stat", name="wsl-dl-playbook keep Ubuntu-24.04 running")
    assert task["task_exists"] is False


def test_the_distribution_and_its_files_stay(pc):
    assert pc.run(WSL, "-d", "Ubuntu-24.04", "-u", "root", "--exec", "id", "-u", "dev") == "1000"
