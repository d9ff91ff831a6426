"""A PC that wsl_enable has left again."""

from __future__ import annotations

import base64

MINE = "# 我的\r\n[wsl2]\r\nmemory=8GB # half\r\n\r\n[experimental]\r\nnetworkingMode=mirrored\r\nautoProxy=true\r\n"


def test_wslconfig_has_its_bytes_again(pc):
    content = pc.module("slurp", src=f"{pc.profile()}\\.wslconfig")["content"]
    assert base64.b64decode(content) == b"\xff\xfe" + MINE.encode("utf-16-le")
