"""The filters that change single keys of .wslconfig and wsl.conf."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).resolve().parents[2] / "plugins" / "filter" / "ini_merge.py"
_spec = importlib.util.spec_from_file_location("ini_merge", PATH)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
ini_merge, ini_values = _module.ini_merge, _module.ini_values

THEIRS = "# mine, hands off\n[wsl2]\nkernel=C:\\\\k\n; swap is slow here\nswap=0\n\n[experimental]\nsparseVhd=false\n"


def test_foreign_keys_comments_and_order_stay():
    merged = ini_merge(THEIRS, {"wsl2": {"swap": "8GB", "vmIdleTimeout": -1}})
    assert merged == THEIRS.replace("swap=0\n", "swap=8GB\nvmIdleTimeout=-1\n")


def test_a_new_section_comes_at_the_end():
    assert (
        ini_merge(THEIRS, {"general": {"instanceIdleTimeout": -1}}) == THEIRS + "\n[general]\ninstanceIdleTimeout=-1\n"
    )


def test_an_empty_text_gets_what_is_asked_for():
    assert (
        ini_merge("", {"boot": {"systemd": True}, "user": {"default": "dev"}})
        == "[boot]\nsystemd=true\n\n[user]\ndefault=dev\n"
    )


def test_a_second_merge_changes_nothing():
    settings = {"wsl2": {"networkingMode": "mirrored"}, "general": {"instanceIdleTimeout": -1}}
    once = ini_merge(THEIRS, settings)
    assert ini_merge(once, settings) == once


def test_names_compare_without_case_and_keep_their_spelling_where_the_value_is_right():
    assert (
        ini_merge("[WSL2]\nNetworkingMode = nat\n", {"wsl2": {"networkingMode": "nat"}})
        == "[WSL2]\nNetworkingMode = nat\n"
    )
    assert (
        ini_merge("[WSL2]\nNetworkingMode = nat\n", {"wsl2": {"networkingMode": "mirrored"}})
        == "[WSL2]\nnetworkingMode=mirrored\n"
    )


def test_null_takes_a_key_away_and_its_section_when_nothing_is_left():
    text = "[general]\ninstanceIdleTimeout=-1\n\n[wsl2]\nmemory=8GB\nswap=0\n"
    assert ini_merge(text, {"general": {"instanceIdleTimeout": None}, "wsl2": {"memory": None}}) == "[wsl2]\nswap=0\n"
    assert ini_merge("[general]\ninstanceIdleTimeout=-1\n", {"general": {"instanceIdleTimeout": None}}) == ""


def test_null_leaves_alone_a_section_that_was_empty_before():
    assert ini_merge("[interop]\n", {"interop": {"enabled": None}}) == "[interop]\n"


def test_windows_line_ends_stay():
    assert ini_merge("[wsl2]\r\nswap=0\r\n", {"wsl2": {"memory": "8GB"}}) == "[wsl2]\r\nswap=0\r\nmemory=8GB\r\n"


@pytest.mark.parametrize("text", ["", THEIRS, "\ufeff[general]\ninstanceIdleTimeout=15000\n"])
def test_merging_and_giving_back_ends_where_it_began(text):
    settings = {"general": {"instanceIdleTimeout": -1}, "wsl2": {"networkingMode": "nat", "swap": "1GB"}}
    before = ini_values(text, settings)
    assert ini_merge(ini_merge(text, settings), before) == text.lstrip("\ufeff")


def test_values_are_read_for_the_asked_keys_alone():
    assert ini_values(THEIRS, {"WSL2": {"SWAP": 1, "memory": 1}}) == {"WSL2": {"SWAP": "0", "memory": None}}
