"""Change single keys of .wslconfig or wsl.conf, read as WSL reads them, and leave every other byte as it is."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

DOCUMENTATION = """
name: ini_merge
short_description: Change single keys of .wslconfig or wsl.conf
description:
  - Returns the text with the given keys set. A value of null takes the key away, and its section when nothing is left.
  - >-
    Reads the text as WSL does (ParseConfigFile in its sources): only C(#) begins a comment, names compare without
    case, the first of two equal keys counts, and C(networkingMode), C(dnsTunneling), C(firewall) and C(autoProxy) are
    the same keys in C([wsl2]) and in C([experimental]). The key that counts is set; another one of the same name
    becomes a comment.
  - >-
    The text stands for the bytes of the file, as P(ansible.builtin.b64decode#filter) gives them: BOM, UTF-16, line ends
    and bytes that are no UTF-8 stay what they are.
positional: settings
options:
  _input: {description: The text., type: str, required: true}
  settings: {description: Sections with their keys and values., type: dict, required: true}
"""
RETURN = """
_value: {description: The changed text., type: str}
"""

Settings = Mapping[str, Mapping[str, Any]]

_BOTH = ("networkingmode", "dnstunneling", "firewall", "autoproxy")
_ASIDE = "# wsl-dl-playbook set this aside: "
_BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))

_SECTION = re.compile(r"\[([A-Za-z][A-Za-z0-9]*)\][ \t]*(?=[\r\n#]|$)")
_BAD_SECTION = re.compile(r"\[([A-Za-z][A-Za-z0-9]*)")
_BLANKS = re.compile(r"[ \t]*")
_BREAK = re.compile(r"(\r\n|\r|\n)?")
_KEY = re.compile(r"([A-Za-z][A-Za-z0-9]*)[ \t]*=[ \t]*")
_PIECE = re.compile(
    r'(?P<quote>")|\\(?P<escape>\r?\n|.|$)|(?P<end>[\r\n])|(?P<comment>#)|(?P<plain>[^"\\\r\n#])', re.DOTALL
)
_ESCAPES = {"\\": "\\", '"': '"', "b": "\b", "n": "\n", "t": "\t", "\r": "", "\n": "", "\r\n": ""}


# --- bytes and text --------------------------------------------------------------------------------------------------


def _decode(raw: str) -> tuple[bytes, str, str]:
    """The BOM, the encoding and the text behind it."""
    data = raw.encode("utf-8", "surrogateescape")
    bom, encoding = next((known for known in _BOMS if data.startswith(known[0])), (b"", "utf-8"))
    return bom, encoding, data[len(bom) :].decode(encoding, _lenient(encoding))


def _encode(bom: bytes, encoding: str, text: str) -> str:
    return (bom + text.encode(encoding, _lenient(encoding))).decode("utf-8", "surrogateescape")


def _lenient(encoding: str) -> str:
    return "surrogateescape" if encoding == "utf-8" else "surrogatepass"


def ini_unreadable(raw: str) -> str:
    """Return why WSL does not read the file at all and takes its defaults; empty when it does."""
    data = raw.encode("utf-8", "surrogateescape")
    if data.startswith(b"\xfe\xff"):
        return "it is UTF-16 in big-endian order"
    if data.startswith(b"\xff\xfe"):
        return "it is UTF-16 with half a character at its end" if len(data) % 2 else ""
    return "it has zero bytes, as UTF-16 without a byte order mark has" if b"\0" in data else ""


# --- what WSL reads --------------------------------------------------------------------------------------------------


class _Item(NamedTuple):
    """One statement of the text: ``text[begin:end]``, line ends included. ``start:stop`` is its value."""

    begin: int
    end: int
    line: int
    kind: str  # section, key, bad section, other, blank
    name: str = ""  # of a key, with its section; in lower case
    start: int = 0
    stop: int = 0
    value: str = ""


def _items(text: str) -> list[_Item]:
    """Split the text into statements."""
    items, at, line, prefix, length = [], 0, 1, "", 0
    while at < len(text):
        item, prefix, length = _item(text, at, line, prefix, length)
        items.append(item)
        line += len(re.findall(r"\r\n|\r|\n", text[item.begin : item.end]))
        at = item.end
    return items


def _item(text: str, begin: int, line: int, prefix: str, length: int) -> tuple[_Item, str, int]:
    """The statement at ``begin``, and the section that counts from then on.

    A header that WSL does not understand leaves its name, in the length of the section before it: so does ``prefix``.
    """
    at = _BLANKS.match(text, begin).end()
    if match := _SECTION.match(text, at):
        prefix = match[1].lower()
        return _Item(begin, _statement_end(text, match.end()), line, "section", prefix), prefix, len(prefix)
    if text[at : at + 1] == "[":
        bad = _BAD_SECTION.match(text, at)
        prefix = bad[1].lower()[:length].ljust(length, "\0") if bad else prefix
        return _Item(begin, _next_line(text, at), line, "bad section"), prefix, length
    if text[at : at + 1] in ("", "\r", "\n"):
        return _Item(begin, _statement_end(text, at), line, "blank"), prefix, length
    match = _KEY.match(text, at)
    value, stop, behind, problem = _value(text, match.end()) if match else ("", at, at, "no key")
    if problem:
        return _Item(begin, _next_line(text, behind), line, "other"), prefix, length
    name = (prefix + "." * bool(length) + match[1].lower()).partition("\0")[0]
    return _Item(begin, _statement_end(text, behind), line, "key", name, match.end(), stop, value), prefix, length


def _value(text: str, start: int) -> tuple[str, int, int, str]:
    """The value that begins at ``start``, where its text ends, where reading stopped, and what is wrong with it."""
    value, trimmed, stop, at, quoted = "", 0, start, start, False
    while at < len(text):
        piece = _PIECE.match(text, at)
        if piece["end"] or (piece["comment"] and not quoted):
            break
        if piece["quote"]:
            quoted = not quoted
        elif piece["escape"] is not None:
            if piece["escape"] not in _ESCAPES:
                return value, stop, at, f"an escaped character that WSL does not know: \\{piece['escape']}"
            value += _ESCAPES[piece["escape"]]
        else:
            value += piece[0]
        at = piece.end()
        if piece[0] not in (" ", "\t"):
            trimmed, stop = len(value), at
    return value[:trimmed], stop, at, "a quotation mark without its partner" if quoted else ""


def _statement_end(text: str, at: int) -> int:
    """Behind the line break at ``at``, or behind the comment that begins there."""
    return _next_line(text, at) if text[at : at + 1] == "#" else at + len(_BREAK.match(text, at)[0])


def _next_line(text: str, at: int) -> int:
    """Behind the next line feed: comments, and lines that were not understood, do not end at a bare carriage return."""
    return text.find("\n", at) + 1 or len(text)


def _aliases(section: str, key: str) -> set[str]:
    section, key = section.lower(), key.lower()
    if key in _BOTH and section in ("wsl2", "experimental"):
        return {f"wsl2.{key}", f"experimental.{key}"}
    return {f"{section}.{key}"}


def _pairs(settings: Settings) -> Iterator[tuple[str, str, Any]]:
    for section, keys in settings.items():
        for key, value in keys.items():
            yield section, key, value


def _render(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _same(value: str, wanted: Any) -> bool:
    """Whether a value that WSL has read is the one that is wanted."""
    meant = _value(_render(wanted), 0)[0].lower()
    for equal in ({"true", "1"}, {"false", "0"}, {"virtioproxy", "consomme"}):
        if meant in equal and value.lower() in equal:
            return True
    return value.lower() == meant


def ini_values(raw: str, settings: Settings) -> dict[str, dict[str, str | None]]:
    """Return what the text has, as it is written, for the keys of the settings; null where it has none.

    The first of equal keys counts.
    """
    text = _decode(raw)[2]
    items = [item for item in _items(text) if item.kind == "key"]
    found: dict[str, dict[str, str | None]] = {}
    for section, key, _ in _pairs(settings):
        names = _aliases(section, key)
        first = next((item for item in items if item.name in names), None)
        found.setdefault(section, {})[key] = text[first.start : first.stop] if first else None
    return found


def ini_place(raw: str, section: str, key: str) -> dict[str, Any]:
    """Return value and line number of the key that counts; an empty value where there is none."""
    names = _aliases(section, key)
    for item in _items(_decode(raw)[2]):
        if item.kind == "key" and item.name in names:
            return {"value": item.value, "line": item.line}
    return {"value": "", "line": 0}


def ini_problems(settings: Settings) -> list[str]:
    """Return what WSL would not read of settings that somebody asks for, written as they are into the file."""
    problems = [
        f"[{name}] (it needs keys with values)" for name, keys in settings.items() if not isinstance(keys, Mapping)
    ]
    if problems:
        return problems
    for section, key, value in _pairs(settings):
        text, where = _render(value), f"[{section}] {key}"
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", section) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9]*", key):
            problems.append(f"{where} (a name has letters and digits only)")
            continue
        _, _, behind, problem = _value(text, 0)
        if not problem and behind < len(text):
            problem = "a comment or a line break"
        if problem:
            problems.append(f"{where} ({problem})")
    return problems


# --- changing it -----------------------------------------------------------------------------------------------------


def ini_merge(raw: str, settings: Settings) -> str:
    """Return the text with the keys of the settings set, or taken away where their value is null."""
    bom, encoding, text = _decode(raw)
    for section, key, value in _pairs(settings):
        text = _without(text, section, key) if value is None else _with(text, section, key, value)
    return _encode(bom, encoding, text)


def _with(text: str, section: str, key: str, value: Any) -> str:
    items, names = _items(text), _aliases(section, key)
    places = [item for item in items if item.kind == "key" and item.name in names]
    for twin in reversed(places[1:]):
        aside = "".join(_ASIDE + line for line in text[twin.begin : twin.end].splitlines(keepends=True))
        text = text[: twin.begin] + aside + text[twin.end :]
    if places:
        first = places[0]
        if _same(first.value, value):
            return text
        return text[: first.start] + _render(value) + text[first.stop :]
    return _insert(text, items, section, f"{key}={_render(value)}")


def _insert(text: str, items: list[_Item], section: str, line: str) -> str:
    """Put a line behind the last one of its section, or make the section at the end."""
    end = "\r\n" if "\r\n" in text else "\n"
    homes = [index for index, item in enumerate(items) if item.kind == "section" and item.name == section.lower()]
    if not homes:
        blank = end if items and items[-1].kind != "blank" else ""
        return f"{text}{_broken(text, end)}{blank}[{section}]{end}{line}{end}"
    last = at = homes[-1]
    for index in range(last + 1, len(items)):
        if items[index].kind in ("section", "bad section"):
            break
        if items[index].kind != "blank":
            at = index
    where = items[at].end
    before = _broken(text[:where], end)
    return text[:where] + before + line + (end if where < len(text) or not before else "") + text[where:]


def _broken(text: str, end: str) -> str:
    """What has to follow a text so that a new line begins: a backslash at its end would continue the last one."""
    tail = re.search(r"(\\*)(\r\n|\n|\r)?$", text)
    return end * ((bool(text) and not tail[2]) + len(tail[1]) % 2)


def _without(text: str, section: str, key: str) -> str:
    names = _aliases(section, key)
    for item in reversed([item for item in _items(text) if item.kind == "key" and item.name in names]):
        text = text[: item.begin] + text[item.end :]
        text = _without_empty(text, item.begin, section)
    return text


def _without_empty(text: str, at: int, section: str) -> str:
    """Take a section away whose last line is gone, with the blank line before it."""
    items = _items(text)
    home = next(
        (index for index in reversed(range(len(items))) if items[index].kind == "section" and items[index].begin < at),
        None,
    )
    if home is None or items[home].name != section.lower():
        return text
    rest = items[home + 1 :]
    body = rest[
        : next((index for index, item in enumerate(rest) if item.kind in ("section", "bad section")), len(rest))
    ]
    if any(item.kind != "blank" for item in body):
        return text
    begin = items[home].begin
    end = body[-1].end if body else items[home].end
    if end == len(text) and home and items[home - 1].kind == "blank":
        begin = items[home - 1].begin
    return text[:begin] + text[end:]


# --- there and back --------------------------------------------------------------------------------------------------


def _digest(raw: str) -> str:
    return hashlib.sha256(raw.encode("utf-8", "surrogateescape")).hexdigest()


def _packed(raw: str | None) -> str | None:
    return None if raw is None else base64.b64encode(raw.encode("utf-8", "surrogateescape")).decode()


def _unpacked(text: str | None) -> str | None:
    return None if text is None else base64.b64decode(text).decode("utf-8", "surrogateescape")


def ini_plan(raw: str, backup: Mapping[str, Any], settings: Settings, exists: bool = True) -> dict[str, Any]:
    """Return ``text``, what the file is to be, and ``backup``, what :func:`ini_restore` needs to give it back.

    ``backup`` is that of the last time. Where nobody has edited the file since, the text begins anew from the user's
    own one, so that a setting that is no longer asked for gets its former value.
    """
    backup = _upgraded(backup)
    wrote = {section: {key: _render(value) for key, value in values.items()} for section, values in settings.items()}
    if backup and _digest(raw) == backup["written"]:
        theirs = _unpacked(backup["original"])
        text, keys = ini_merge(theirs or "", settings), ini_values(theirs or "", settings)
    else:
        given_back = ini_restore(raw, backup, exists)
        theirs = given_back["text"] if given_back["exists"] else None
        text, keys = ini_merge(raw, settings), _kept(raw, backup, ini_values(raw, settings))
        for section, key, value in _pairs(backup.get("set", {})):
            wrote.setdefault(section, {}).setdefault(key, value)
    return {"text": text, "backup": {"original": _packed(theirs), "written": _digest(text), "keys": keys, "set": wrote}}


def _upgraded(backup: Mapping[str, Any]) -> dict[str, Any]:
    """A backup, also one of an earlier version, which knew the former values only."""
    if not backup or "written" in backup:
        return dict(backup)
    return {"original": None, "written": "", "keys": dict(backup), "set": {}}


def _ours(raw: str, backup: Mapping[str, Any], section: str, key: str) -> bool:
    """Whether the key still has the value that was written last time."""
    wrote = backup.get("set", {}).get(section, {}).get(key)
    return wrote is None or _same(ini_place(raw, section, key)["value"], wrote)


def _kept(
    raw: str, backup: Mapping[str, Any], now: dict[str, dict[str, str | None]]
) -> dict[str, dict[str, str | None]]:
    """Former values: those of the backup, but where the user has changed a key of ours, his."""
    for section, key, value in _pairs(backup.get("keys", {})):
        if _ours(raw, backup, section, key):
            now.setdefault(section, {})[key] = value
    return now


def ini_restore(raw: str, backup: Mapping[str, Any], exists: bool = True) -> dict[str, Any]:
    """Return ``text``, the file as it was, and ``exists``, whether there was one.

    Where somebody has edited it since, only those keys go back that still have our value.
    """
    backup = _upgraded(backup)
    if not backup or not exists:
        return {"text": raw, "exists": exists}
    if _digest(raw) == backup["written"]:
        return {"text": _unpacked(backup["original"]) or "", "exists": backup["original"] is not None}
    back: dict[str, dict[str, str | None]] = {}
    for section, key, value in _pairs(backup["keys"]):
        if _ours(raw, backup, section, key):
            back.setdefault(section, {})[key] = value
    text = ini_merge(raw, back)
    bom, encoding, content = _decode(text)
    text = _encode(bom, encoding, content.replace(_ASIDE, ""))
    return {"text": text, "exists": backup["original"] is not None or bool(content.strip())}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {
            "ini_merge": ini_merge,
            "ini_place": ini_place,
            "ini_plan": ini_plan,
            "ini_problems": ini_problems,
            "ini_restore": ini_restore,
            "ini_unreadable": ini_unreadable,
            "ini_values": ini_values,
        }
