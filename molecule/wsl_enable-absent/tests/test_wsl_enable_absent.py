"""A PC that wsl_enable has left again."""

from __future__ import annotations

import base64

import pytest

from tests.windows.pc import Pc


@pytest.fixture
def pc(host) -> Pc:
    return Pc(host)


WSL = "C:\\Program Files\\WSL\\wsl.exe"


MINE = "# 我的\r\n[wsl2]\r\nmemory=8GB # half\r\n\r\n[experimental]\r\nnetworkingMode=mirrored\r\nautoProxy=true\r\n"


def test_wslconfig_has_its_bytes_again(pc):
    content = pc.module("slurp", src=f"{pc.profile()}\\.wslconfig")["content"]
    assert base64.b64decode(content) == b"\xff\xfe" + MINE.encode("utf-16-le")


def test_nothing_keeps_the_distribution_awake(pc):
    task = pc.module("community.windows.win_scheduled_task_stat", name="wsl-dl-playbook keep Ubuntu-24.04 running")
    assert task["task_exists"] is False


def test_the_distribution_and_its_files_stay(pc):
    assert pc.run(WSL, "-d", "Ubuntu-24.04", "-u", "root", "--exec", "id", "-u", "dev") == "1000"
