"""CLIXML: how powershell.exe writes its errors to a redirected stderr after -EncodedCommand."""

from __future__ import annotations

import re
from collections.abc import Iterable


def errors(texts: Iterable[str]) -> bytes:
    """Return error texts as one document."""
    parts = ["#< CLIXML\r\n", '<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">']
    for text in texts:
        for line in text.splitlines():
            parts.append(f'<S S="Error">{_escape(line)}_x000D__x000A_</S>')
    parts.append("</Objs>")
    return "".join(parts).encode()


def _escape(text: str) -> str:
    text = re.sub(r"_(?=x[0-9A-Fa-f]{4}_)", "_x005F_", text)
    text = re.sub(r"[\x00-\x1f\x7f]", lambda match: f"_x{ord(match[0]):04X}_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
