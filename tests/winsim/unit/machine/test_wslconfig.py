"""The ``.wslconfig`` that winsim's WSL reads, against what microsoft/WSL's sources say."""

from __future__ import annotations

import pytest

from lab.winsim.model import wslconfig


def read(text: str | bytes) -> tuple[dict, list[str]]:
    config = wslconfig.read(text if isinstance(text, bytes) else text.encode(), "W")
    return config.values, config.warnings


def test_the_first_of_two_equal_keys_counts_and_the_second_is_warned_about():
    assert read("[wsl2]\nmemory=8GB\nMemory=16GB\n") == (
        {"wsl2": {"memory": "8GB"}},
        ["wsl: Duplicated config key 'wsl2.Memory' in W:3 (Conflicting key: 'wsl2.memory' in W:2)"],
    )


def test_four_keys_are_the_same_in_both_sections_and_no_other():
    text = "[experimental]\nnetworkingMode=mirrored\n[wsl2]\nnetworkingMode=nat\nhostAddressLoopback=true\n"
    assert read(text) == (
        {"wsl2": {"networkingmode": "mirrored"}},
        [
            "wsl: Duplicated config key 'wsl2.networkingMode' in W:4 (Conflicting key: 'experimental.networkingMode' in W:2)",
            "wsl: Unknown key 'wsl2.hostAddressLoopback' in W:5",
        ],
    )


def test_a_first_value_that_is_refused_keeps_its_place():
    assert read("[wsl2]\nautoProxy=no\nautoProxy=false\n") == (
        {},
        [
            "wsl: Invalid boolean value 'no' for key 'wsl2.autoProxy' in W:2",
            "wsl: Duplicated config key 'wsl2.autoProxy' in W:3 (Conflicting key: 'wsl2.autoProxy' in W:2)",
        ],
    )


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("swapFile=a b  # c", "a b"),
        ('swapFile="a # b"', "a # b"),
        ('swapFile= " a " ', " a "),
        ("swapFile=C:\\\\temp\\\\x", "C:\\temp\\x"),
        ("swapFile=C:\\temp", "C:\temp"),
        ("swapFile=a \\\n  b", "a   b"),
        ("SWAPFILE\t=\tx", "x"),
        ("swapFile=", ""),
        ("swapFile=a;b", "a;b"),
    ],
)
def test_a_value_ends_at_the_line_or_a_comment_and_knows_quotes_escapes_and_continuation(line, value):
    assert read(f"# c\n[wsl2] # VM\n{line}\nmemory=1GB\n") == ({"wsl2": {"swapfile": value, "memory": "1GB"}}, [])


@pytest.mark.parametrize(
    ("line", "warning"),
    [
        ("; comment", "wsl: Invalid key name in W:2"),
        ("内存=8GB", "wsl: Invalid key name in W:2"),
        ("swap_file=x", "wsl: Expected '=' in W:2"),
        ("swap", "wsl: Expected '=' in W:2"),
        ("swapFile=C:\\x", "wsl: Invalid escaped character: 'x' in W:2"),
        ('swapFile="x', 'wsl: Expected " in W:2'),
        ("swap=8gb", "wsl: Invalid number string '8gb' for key 'wsl2.swap' in W:2"),
        ("[general", "wsl: Expected ']' in W:2"),
        ("[1]", "wsl: Invalid section name in W:2"),
        ("[wsl2] x", "wsl: Expected ' ' or '\\n' in W:2"),
    ],
)
def test_a_line_that_is_not_understood_is_skipped_with_a_warning(line, warning):
    values, warnings = read(f"[wsl2]\n{line}\n[wsl2]\nmemory=8GB\n")
    assert (values, warnings) == ({"wsl2": {"memory": "8GB"}}, [warning])


def test_behind_a_broken_section_line_nothing_is_known():
    assert read("[wsl2]\nmemory=8GB\n[experimental\nsparseVhd=true\n")[1] == [
        "wsl: Expected ']' in W:3",
        "wsl: Unknown key 'expe.sparseVhd' in W:4",
    ]


@pytest.mark.parametrize(
    "data",
    [
        "[wsl2]\nmemory=8GB # 内存\n".encode(),
        b"\xef\xbb\xbf" + "[wsl2]\r\nmemory=8GB # 内存\r\n".encode(),
        b"\xff\xfe" + "[wsl2]\r\nmemory=8GB # 内存\r\n".encode("utf-16-le"),
        "[wsl2]\nmemory=8GB # 内存\n".encode("gbk"),
    ],
)
def test_utf_8_and_utf_16_in_little_endian_order_are_read(data):
    assert read(data) == ({"wsl2": {"memory": "8GB"}}, [])


def test_utf_16_in_big_endian_order_is_not_opened():
    values, warnings = read(b"\xfe\xff" + "[wsl2]\nmemory=8GB\n".encode("utf-16-be"))
    assert values == {}
    assert warnings == ["wsl: Failed to open config file W, The parameter is incorrect. "]
