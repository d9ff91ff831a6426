"""The filters that change single keys of .wslconfig and wsl.conf."""

from __future__ import annotations

import random

import pytest

from lab.winsim.model import wslconfig
from tests.unit import loaded

_module = loaded.module("plugins/filter/ini_merge.py")
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
        == "[WSL2]\nNetworkingMode = mirrored\n"
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
    assert ini_merge(ini_merge(text, settings), before) == text


def test_values_are_read_for_the_asked_keys_alone():
    assert ini_values(THEIRS, {"WSL2": {"SWAP": 1, "memory": 1}}) == {"WSL2": {"SWAP": "0", "memory": None}}


# --- as WSL reads it -------------------------------------------------------------------------------------------------

WANTED = {
    "general": {"instanceIdleTimeout": -1},
    "wsl2": {"networkingMode": "nat", "autoProxy": False, "vmIdleTimeout": -1},
}
ASIDE = "# wsl-dl-playbook set this aside: "


def text_of(data: bytes) -> str:
    """What ``slurp`` and ``b64decode`` make of a file."""
    return data.decode("utf-8", "surrogateescape")


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def counting(text: str) -> tuple[dict, list[str]]:
    """The values that count for WSL, and its warnings."""
    config = wslconfig.read(bytes_of(text), "W")
    return config.values, config.warnings


MINE = "[wsl2]\nmemory=8GB\n\n[experimental]\nnetworkingMode=mirrored\nautoProxy=true\n"
SWAPPED = "[experimental]\nnetworkingMode=mirrored\nautoProxy=true\n[wsl2]\nmemory=8GB\n"
TWICE = "[wsl2]\nnetworkingMode=mirrored\nmemory=8GB\nnetworkingMode=virtioproxy # second\n"
IN_BOTH = "[experimental]\nautoProxy=true\n[wsl2]\nautoProxy=1\nmemory=8GB\nnetworkingMode=none\n"
COMMENTED = "# 我的设置\n[wsl2] # VM\nnetworkingMode = mirrored   # VPN 需要\nmemory=8GB#half\n"
CONTINUED = "[wsl2]\nmemory=8GB\nautoProxy=tr\\\nue\nkernelCommandLine=a \\\n  b"
BARE = "[wsl2]\nmemory=8GB"
MALFORMED = '; mine\n[wsl2\nmemory=1GB\n[wsl2]\nnetworkingMode="mirrored\nnetworkingMode=bridged\nmemory=8GB\n'
INVALID = "[wsl2]\nmemory=8GB\nautoProxy=maybe\nautoProxy=true\n"
FILES = {
    "two sections": MINE.encode(),
    "sections swapped": SWAPPED.encode(),
    "a key twice": TWICE.encode(),
    "a key in both sections": IN_BOTH.encode(),
    "comments behind values": COMMENTED.encode(),
    "a value continued": CONTINUED.encode(),
    "no line end": BARE.encode(),
    "a value continued into nothing": b"[wsl2]\nmemory=8GB\\\n",
    "a backslash at the end": b"[wsl2]\nmemory=8GB\nswap=1GB\\",
    "a comment with a backslash": b"[wsl2]\nmemory=8GB\n[general]\n# c:\\",
    "lines that WSL skips": MALFORMED.encode(),
    "a value that WSL refuses": INVALID.encode(),
    "CRLF": MINE.replace("\n", "\r\n").encode(),
    "UTF-8 BOM": b"\xef\xbb\xbf" + COMMENTED.encode(),
    "UTF-16LE, CRLF": b"\xff\xfe" + COMMENTED.replace("\n", "\r\n").encode("utf-16-le"),
    "GBK in a comment": "[wsl2]\nmemory=8GB # 内存\n# 网络\nnetworkingMode=mirrored\n".encode("gbk"),
}
EMPTY = {"UTF-8 BOM only": b"\xef\xbb\xbf", "UTF-16 BOM only": b"\xff\xfe", "nothing": b"", "a line end": b"\r\n"}


@pytest.mark.parametrize("data", [*FILES.values(), *EMPTY.values()], ids=[*FILES, *EMPTY])
def test_the_key_that_counts_is_set_without_a_new_warning_and_the_bytes_come_back(data):
    _, before = counting(text_of(data))
    plan = _module.ini_plan(text_of(data), {}, WANTED)
    values, warnings = counting(plan["text"])
    assert (values["wsl2"]["networkingmode"], values["wsl2"]["autoproxy"]) == ("nat", "false")
    assert (values["wsl2"]["vmidletimeout"], values["general"]["instanceidletimeout"]) == ("-1", "-1")
    assert values["wsl2"].get("memory") == ("8GB" if data in FILES.values() else None)
    assert [line for line in warnings if "Duplicated" in line or "Invalid boolean" in line] == []
    assert len(warnings) <= len(before)
    assert bytes_of(plan["text"])[:2] == data[:2] or not data
    assert (b"\r" in bytes_of(plan["text"])) is (b"\r" in data)
    assert _module.ini_plan(plan["text"], plan["backup"], WANTED) == plan
    back = _module.ini_restore(plan["text"], plan["backup"])
    assert (bytes_of(back["text"]), back["exists"]) == (data, True)


def test_a_file_that_was_not_there_goes_again():
    plan = _module.ini_plan("", {}, WANTED, exists=False)
    assert plan["text"].startswith("[general]\ninstanceIdleTimeout=-1\n\n[wsl2]\nnetworkingMode=nat\n")
    assert _module.ini_restore(plan["text"], plan["backup"]) == {"text": "", "exists": False}


def test_a_twin_becomes_a_comment_and_the_comment_behind_a_value_stays():
    assert ini_merge(TWICE, {"wsl2": {"networkingMode": "nat"}}) == (
        f"[wsl2]\nnetworkingMode=nat\nmemory=8GB\n{ASIDE}networkingMode=virtioproxy # second\n"
    )
    assert "networkingMode = nat   # VPN 需要\n" in ini_merge(COMMENTED, {"wsl2": {"networkingMode": "nat"}})


EDITABLE = {name: data for name, data in FILES.items() if name != "a backslash at the end"}


@pytest.mark.parametrize("data", list(EDITABLE.values()), ids=list(EDITABLE))
def test_of_a_file_that_was_edited_meanwhile_only_our_keys_go_back(data):
    plan = _module.ini_plan(text_of(data), {}, WANTED)
    encoding = "utf-16-le" if data[:2] == b"\xff\xfe" else "utf-8"
    end = "\r\n" if b"\r" in data else "\n"
    added = f"{'' if plan['text'].endswith(chr(10)) else end}[wsl2]{end}processors=4{end}"
    edited = text_of(bytes_of(plan["text"]) + added.encode(encoding))
    back = _module.ini_restore(edited, plan["backup"])
    values, warnings = counting(back["text"])
    wanted, expected = counting(text_of(data))
    assert values == {**wanted, "wsl2": {**wanted["wsl2"], "processors": "4"}}
    assert len(warnings) == len(expected)


def test_a_key_of_ours_that_the_user_changed_since_stays_his():
    plan = _module.ini_plan("[wsl2]\nmemory=8GB\n", {}, WANTED)
    edited = plan["text"].replace("networkingMode=nat", "networkingMode=mirrored")
    back = _module.ini_restore(edited, plan["backup"])
    assert counting(back["text"])[0] == {"wsl2": {"memory": "8GB", "networkingmode": "mirrored"}}
    again = _module.ini_plan(edited, plan["backup"], WANTED)
    assert counting(again["text"])[0]["wsl2"]["networkingmode"] == "nat"
    back = _module.ini_restore(again["text"], again["backup"])
    assert counting(back["text"])[0] == {"wsl2": {"memory": "8GB", "networkingmode": "mirrored"}}


def test_a_setting_that_is_no_longer_asked_for_gets_its_former_value():
    first = _module.ini_plan("[wsl2]\nmemory=8GB\n", {}, {"wsl2": {"memory": "16GB", "processors": 4}})
    assert first["text"] == "[wsl2]\nmemory=16GB\nprocessors=4\n"
    assert _module.ini_plan(first["text"], first["backup"], {"wsl2": {"swap": 0}})["text"] == (
        "[wsl2]\nmemory=8GB\nswap=0\n"
    )


def test_a_backup_of_an_earlier_version_gives_the_values_back():
    merged = "[wsl2]\nswap=0\nvmIdleTimeout=-1\n\n[general]\ninstanceIdleTimeout=-1\n"
    saved = {"wsl2": {"vmIdleTimeout": "30000"}, "general": {"instanceIdleTimeout": None}}
    assert _module.ini_restore(merged, saved)["text"] == "[wsl2]\nswap=0\nvmIdleTimeout=30000\n"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xfe\xff" + MINE.encode("utf-16-be"), "big-endian"),
        (MINE.encode("utf-16-le"), "zero bytes"),
        (b"\xff\xfe[\0w", "half a character"),
        (b"\xff\xfe" + MINE.encode("utf-16-le"), ""),
        (MINE.encode(), ""),
    ],
)
def test_a_file_that_wsl_does_not_read_is_named(data, why):
    reason = _module.ini_unreadable(text_of(data))
    assert why in reason
    assert bool(reason) is bool(why)


def test_what_wsl_would_not_read_of_a_setting_is_named():
    asked = {
        "wsl2": {"kernel": "C:\\\\k", "swapFile": "D:\\swap", "memory": "8GB # half", "vm_x": 1},
        "general": {"a": '"x'},
    }
    named = _module.ini_problems(asked)
    assert [problem.partition(" (")[0] for problem in named] == [
        "[wsl2] swapFile",
        "[wsl2] memory",
        "[wsl2] vm_x",
        "[general] a",
    ]


def test_any_file_of_small_pieces_ends_with_the_wanted_values_and_comes_back():
    pieces = [
        "[wsl2]",
        "[experimental]",
        "[general]",
        "[wsl2 ]",
        "[x",
        "networkingMode=mirrored",
        "autoproxy = true",
        "\n",
    ]
    pieces += [
        "memory=8GB",
        "# c",
        "; c",
        '"',
        "\\",
        "\\n",
        "\r\n",
        "\r",
        "\n",
        " ",
        "=",
        "networkingMode",
        "\n\n",
        "内",
    ]
    chance = random.Random(13)
    for _ in range(3000):
        text = "".join(chance.choice(pieces) for _ in range(chance.randrange(12)))
        plan = _module.ini_plan(text, {}, WANTED)
        values, warnings = counting(plan["text"])
        told = f"{text!r} -> {plan['text']!r}"
        assert values["wsl2"]["networkingmode"] == "nat", told
        assert values["wsl2"]["autoproxy"] == "false", told
        assert values["general"]["instanceidletimeout"] == "-1", told
        assert not [line for line in warnings if "Duplicated" in line and "memory" not in line], told
        assert _module.ini_plan(plan["text"], plan["backup"], WANTED) == plan, told
        assert _module.ini_restore(plan["text"], plan["backup"]) == {"text": text, "exists": True}, told
