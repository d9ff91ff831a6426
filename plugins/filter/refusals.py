"""Say which of a role's checks refuse, in words: what is wrong, what is allowed, what to do."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = """
name: refusals
short_description: The refusals among a role's checks
description:
  - Returns the message of each check that refuses. A check is a dictionary of one of three forms.
  - C(refuse) and C(because), a condition and the message, for what only an expression can say.
  - >-
    C(option), C(value) and C(is), for a value that must be of a known kind; the message is made here. C(value) may be
    a list, whose entries must be of that kind each. C(empty) says what an empty text is for, where it is allowed.
  - C(option), C(value), C(match) and C(allowed), the same with a regular expression for the whole text, and words.
  - C(option), C(value), C(keys) and C(remedy), for a dictionary whose keys and their types are known.
  - With C(secret) the message does not show the value.
  - >-
    A check with C(option) needs no machine, only values, and the action C(check_values) asks it before anything is
    changed. A check with C(always) counts for each state of the role, any other for C(present) only.
positional: state
options:
  _input: {description: The checks., type: list, elements: dict, required: true}
  state: {description: State of the role., type: str, required: true}
"""
EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ checks | refusals('present') }}"
  vars:
    checks:
      - {option: port, value: 70000, is: port}
"""
RETURN = """
_value: {description: The messages, those of checks that do not refuse left out., type: list, elements: str}
"""

HOST = r"([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
PORT = r"(:(6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3}))?"


def _network(text: str) -> bool:
    ipaddress.ip_network(text)
    return "/" in text


def _interface(text: str) -> bool:
    interface = ipaddress.IPv4Interface(text)
    return "/" in text and interface.ip != interface.network.network_address and interface.network.prefixlen < 31


KINDS: dict[str, tuple[str | Callable[[str], Any], str]] = {
    "url": (
        rf"https?://([^\s/@\"'\\]+@)?{HOST}{PORT}(/[^\s\"'\\]*)?",
        "an address that begins with http:// or https://",
    ),
    "https": (rf"https://([^\s/@\"'\\]+@)?{HOST}{PORT}(/[^\s\"'\\]*)?", "an address that begins with https://"),
    "proxy": (rf"https?://([^\s/@\"'\\]+@)?{HOST}{PORT}/?", "a proxy as http://HOST:PORT"),
    "port": (lambda text: 1 <= int(text) <= 65535, "a port, a whole number from 1 to 65535"),
    "count": (lambda text: int(text) >= 0, "a whole number, 0 or more"),
    "positive": (lambda text: int(text) >= 1, "a whole number, 1 or more"),
    "sha256": (r"[0-9A-Fa-f]{64}", "a sha256, 64 hexadecimal digits"),
    "fingerprint": (r"[0-9A-Fa-f]{40}", "the fingerprint of a key, 40 hexadecimal digits"),
    "version": (r"[0-9]+[.][0-9]+[.][0-9]+", 'a version of three numbers in quotes, for example "1.20.1"'),
    "user": (r"[A-Za-z_][A-Za-z0-9._-]*", "the name of a Linux user"),
    "host": (rf"({HOST}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]+)", "a host name or an address, without scheme and port"),
    "ipv4": (ipaddress.IPv4Address, "an IPv4 address, for example 10.213.0.1"),
    "network": (_network, "a network with its prefix, for example 172.16.0.0/12"),
    "interface": (_interface, "an IPv4 address in its network, for example 10.213.0.1/24"),
    "exception": (
        r"(?!https?://)[A-Za-z0-9.:*/_\[\]-]+",
        "names, addresses and networks, without http://, one in each entry of the list",
    ),
    "no_proxy": (  # what all programs can read: httpx stops at "[::1]" and at an IPv6 network, none reads "*.corp"
        r"[*]|[A-Za-z0-9._-]+(:\d+)?|[0-9.]+/\d+|[0-9A-Fa-f:]+",
        "names and addresses, one in each entry of the list: ollama, .example.com (not *.example.com), 10.1.2.3, "
        "10.0.0.0/8, ::1 (without brackets)",
    ),
    "windows_path": (r"[A-Za-z]:[\\/][^<>\"|?*\n]*", r"a full path on Windows, for example D:\WSL"),
    "image": (r"[a-z0-9][A-Za-z0-9._:/@-]*", "the name of an image, for example ubuntu:24.04"),
}
"""Kind -> a regular expression for the whole text, or a function (false or ValueError: no); and what is allowed."""


def _is(text: str, kind: str | Callable[[str], Any]) -> bool:
    if isinstance(kind, str):
        return re.fullmatch(kind, text) is not None
    try:
        return bool(kind(text))
    except ValueError:
        return False


# --- dictionaries whose keys are known -------------------------------------------------------------------------------

TYPES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "a text in quotes"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number without quotes"),
    "bool": (lambda value: isinstance(value, bool), "true or false without quotes"),
    "size": (lambda value: isinstance(value, str | int) and not isinstance(value, bool), 'a size, for example "8g"'),
    "dict": (lambda value: isinstance(value, Mapping), "a dictionary"),
    "list": (lambda value: isinstance(value, list), "a list"),
}


def _type_problem(value: Any, wanted: str) -> str:
    """Return what is allowed where a value is not of a type, for example C(list of str) or C(dict of dict of str)."""
    outer, _, inner = wanted.partition(" of ")
    fits, words = TYPES[outer]
    items = list(value.values()) if isinstance(value, Mapping) else value if isinstance(value, list) else []
    if not fits(value) or inner and any(_type_problem(item, inner) for item in items):
        return f"{words}, each entry {TYPES[inner.partition(' of ')[0]][1]}" if inner else words
    return ""


def _key_problems(value: Any, keys: Mapping[str, str]) -> list[str]:
    problems = []
    for key, item in value.items() if isinstance(value, Mapping) else ():
        if key not in keys:
            near = difflib.get_close_matches(str(key), list(keys), 1)
            problems.append(f'there is no "{key}"' + (f' (did you mean "{near[0]}"?)' if near else ""))
        elif problem := _type_problem(item, keys[key]):
            problems.append(f'"{key}" must be {problem}')
    return problems


# --- the checks ------------------------------------------------------------------------------------------------------


def plain(value: Any) -> str:
    """Return a value as text: short, and without the password of a URL."""
    text = re.sub(r"//[^@/\s'\"]*@", "//…@", str(value))
    return text if len(text) <= 200 else text[:199] + "…"


def shown(value: Any) -> str:
    """Return a value as a message shows it, a text in quotes."""
    return repr(plain(value)) if isinstance(value, str) else plain(value)


def allowed(check: Mapping[str, Any]) -> str:
    """Return in words what a check allows; an empty text for one that says it in its own message only."""
    if "is" in check:
        words = KINDS[check["is"]][1]
        return f'{words}; or "" {check["empty"]}' if "empty" in check else words
    if "keys" in check:
        return f"a dictionary with keys among {', '.join(sorted(check['keys']))}"
    return str(check.get("allowed", ""))


def misfits(check: Mapping[str, Any]) -> list[Any]:
    """Return the values that a check refuses, of a check with C(value)."""
    value = check["value"]
    kind = KINDS[check["is"]][0] if "is" in check else str(check["match"])
    values = value if isinstance(value, list) else [value]
    return [item for item in values if not (item == "" and "empty" in check) and not _is(str(item), kind)]


def refusal(check: Mapping[str, Any]) -> str:
    """Return the message of one check, an empty text where it does not refuse.

    :raises KeyError: for a check of none of the forms, or of an unknown kind.
    """
    if "refuse" in check:
        return str(check["because"]) if check["refuse"] else ""
    if "keys" in check:
        problems = _key_problems(check["value"], check["keys"])
        return f"{check['option']}: {'; '.join(problems)}. {check['remedy']}" if problems else ""
    wrong = misfits(check)
    if not wrong:
        return ""
    said = "(secret)" if "secret" in check else ", ".join(map(shown, wrong))
    return f"{check['option']} is {said}. Set it to {allowed(check)}."


def refusals(checks: Iterable[Mapping[str, Any]], state: str) -> list[str]:
    """Return the messages of the checks that refuse in a state of the role."""
    asked = [check for check in checks if state == "present" or "always" in check]
    return [message.strip() for message in map(refusal, asked) if message]


def told(check: Mapping[str, Any]) -> dict[str, str]:
    """Return the message of one check, and in words what it allows. Part of the action C(check_values)."""
    return {"message": refusal(check).strip(), "allowed": allowed(check)}


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"refusals": refusals, "refusal": told, "shown_value": shown, "plain_value": plain}
