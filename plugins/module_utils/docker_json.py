"""JSON files of Docker (daemon.json, config.json), read as Docker reads them."""

from __future__ import annotations

import codecs
import json
from typing import Any


class Unreadable(Exception):
    """What is wrong with a file, and what to do."""


class Pairs(list):
    """The keys and values of an object, as they stand in the file."""


def from_pairs(value: Any, top: bool = True) -> Any:
    """Return the value as Docker reads it: the last of two equal keys counts; at the top, objects are joined."""
    if isinstance(value, Pairs):
        found: dict[str, Any] = {}
        for key, item in value:
            plain = from_pairs(item, False)
            joined = top and isinstance(found.get(key), dict) and isinstance(plain, dict)
            found[key] = {**found[key], **plain} if joined else plain
        return found
    return [from_pairs(item, False) for item in value] if isinstance(value, list) else value


def value_at(content: Any, key_path: list[str] | tuple[str, ...], default: Any = None) -> Any:
    """Return the value at the end of the key path, the default where there is none."""
    for key in key_path:
        if not isinstance(content, dict) or key not in content:
            return default
        content = content[key]
    return content


def text_of(path: str) -> tuple[bytes, str]:
    """Return the bytes of a file and its text without a byte order mark, both empty when there is no file.

    :raises Unreadable: it may not be read, or is not UTF-8.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        return b"", ""
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}. Move it away, then run again.") from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in raw[:4]:
        raise Unreadable(
            f"{path} is UTF-16, as Windows PowerShell writes files, and not UTF-8. Save it as UTF-8 (iconv -f UTF-16 "
            f"-t UTF-8 {path} > /tmp/utf-8 && sudo cp /tmp/utf-8 {path}) or move it away, then run again."
        )
    try:
        return raw, raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"{path} is not UTF-8 text: {error}. Save it as UTF-8 or move it away.") from error


def read(path: str) -> tuple[bytes, str, dict[str, Any]]:
    """Return the bytes, the text and the object of a file; an empty one, null and none at all are ``{}``.

    :raises Unreadable: Docker could not read it either.
    """
    raw, text = text_of(path)
    try:
        content = from_pairs(json.loads(text if text.strip() else "{}", object_pairs_hook=Pairs))
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"{path} is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}. Correct that place "
            "(a comma too many or too few is the usual cause) or move the file away, then run again."
        ) from error
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise Unreadable(
            f"{path} holds a JSON {type(content).__name__}, not an object in braces. Move it away, then run again."
        )
    return raw, text, content
