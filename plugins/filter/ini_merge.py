"""Change single keys of an INI file and leave everything else as it is: comments, order, foreign keys, line ends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

DOCUMENTATION = """
name: ini_merge
short_description: Change single keys of an INI text
description:
  - Returns the text with the given keys set. A value of null takes the key away, and its section when nothing is left.
  - Everything else stays as it is. Names compare without case, as in C(.wslconfig) and C(wsl.conf).
positional: settings
options:
  _input: {description: The INI text., type: str, required: true}
  settings: {description: Sections with their keys and values., type: dict, required: true}
"""
RETURN = """
_value: {description: The changed text., type: str}
"""

_SECTION = re.compile(r"\s*\[([^\]]+)\]")
_KEY = re.compile(r"\s*([^#;=\s][^=]*?)\s*=\s*(.*?)\s*$")


def _sections(text: str) -> list[tuple[str, list[str]]]:
    """Split into (header line, lines); what stands before the first header has the header ``""``."""
    parts: list[tuple[str, list[str]]] = [("", [])]
    for line in text.lstrip("\ufeff").splitlines():
        if _SECTION.match(line):
            parts.append((line, []))
        else:
            parts[-1][1].append(line)
    return parts


def _name(header: str) -> str:
    match = _SECTION.match(header)
    return match.group(1).strip().lower() if match else ""


def _key(line: str) -> str:
    match = _KEY.match(line)
    return match.group(1).lower() if match else ""


def _render(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def ini_values(text: str, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, str | None]]:
    """Return what the text has for the keys of the settings; null where it has none. The last of equal keys counts."""
    found: dict[tuple[str, str], str] = {}
    for header, lines in _sections(text):
        for line in lines:
            if match := _KEY.match(line):
                found[_name(header), match.group(1).lower()] = match.group(2)
    return {
        section: {key: found.get((section.lower(), key.lower())) for key in keys} for section, keys in settings.items()
    }


def ini_merge(text: str, settings: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text with the keys of the settings set, or taken away where their value is null."""
    parts = _sections(text)
    for section, keys in settings.items():
        for key, value in keys.items():
            _set(parts, section, key, value)
    end = "\r\n" if "\r\n" in text else "\n"
    lines = [line for header, body in parts for line in ([header] if header else []) + body]
    return end.join(lines).rstrip() + end if any(line.strip() for line in lines) else ""


def _set(parts: list[tuple[str, list[str]]], section: str, key: str, value: Any) -> None:
    homes = [part for part in parts if _name(part[0]) == section.lower()]
    places = [(body, index) for _, body in homes for index, line in enumerate(body) if _key(line) == key.lower()]
    if value is None:
        for body, index in reversed(places):
            del body[index]
        for part in homes if places else []:
            if not any(line.strip() for line in part[1]):
                parts.remove(part)
        return
    line = f"{key}={_render(value)}"
    if places:
        body, index = places[-1]
        if _KEY.match(body[index]).group(2) != _render(value):  # type: ignore[union-attr]
            body[index] = line
        return
    if not homes:
        if any(line.strip() for _, body in parts for line in body) and parts[-1][1][-1:] != [""]:
            parts[-1][1].append("")
        homes = [(f"[{section}]", [])]
        parts.append(homes[0])
    body = homes[-1][1]
    at = len(body)
    while at and not body[at - 1].strip():
        at -= 1
    body.insert(at, line)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"ini_merge": ini_merge, "ini_values": ini_values}
