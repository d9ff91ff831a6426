"""Which line of an answer holds the cause, and what helps against it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

import yaml

ROLE = Path(__file__).resolve().parent.parent / "roles" / "nvidia_ctk" / "vars" / "main.yml"
LONGEST = 600
"""Characters of a cause that are shown; Docker writes whole chains of causes into one line, the first cause last."""

NOISE = re.compile(
    r"^(assert |[+] |W: |N: |wsl: |Get:|Hit:|Ign:|At least |See '|Run '|Digest: |Status: |-+$|>+ |WARNING|DEPRECATED)"
    r"|^bash: (no job control|cannot set terminal)|^Unable to find image .* locally|: Pulling (from|fs layer)"
    r"|^#\d+ (DONE|CACHED|\[)|\(Use `|^\s*$",
    re.IGNORECASE,
)
CAUSE = re.compile(
    r"^(E|Err|docker|curl|error|fatal)\b|error|denied|refused|cannot|not found|no such|timed out|unable|invalid|failed"
    r"|no answer",
    re.IGNORECASE,
)


class Known(NamedTuple):
    """What an answer looks like, and what helps; ``{user}`` is the ordinary user's name."""

    pattern: str
    remedy: str


def known(area: str, wsl: bool = True) -> tuple[Known, ...]:
    """Return what is known of an area of causes.yml; of ``nvidia`` it is what the role nvidia_ctk says itself.

    :param wsl: whether the machine is WSL; on another one the driver is its own.
    """
    if area != "nvidia":
        entries = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))[area]
        return tuple(Known(entry["error"], entry["remedy"]) for entry in entries)
    found = []
    entries = yaml.safe_load(ROLE.read_text(encoding="utf-8"))["__nvidia_ctk_causes"]
    for entry in entries[:-1]:  # the last one is for what nobody knows
        cause = entry["cause"] if wsl else entry.get("plain", entry["cause"])
        text = cause.replace("{{ nvidia_ctk_user }}", "{user}")
        found.append(Known(entry["error"], text.replace("{{ nvidia_ctk_gpu_check_image }}", "ubuntu:24.04")))
    return tuple(found)


def lines_of(text: str) -> list[str]:
    """Return the lines of an answer that may hold a cause: no warnings, no progress, nothing of pytest's own."""
    told = text.split("\nassert ")[0]
    return [line.strip() for line in told.splitlines() if line.strip() and not NOISE.search(line.strip())]


def cause_of(text: str) -> str:
    """Return the line that holds the cause; of a very long one its beginning and its end."""
    lines = lines_of(text) or [line.strip() for line in text.splitlines() if line.strip()] or ["no message"]
    line = next((line for line in lines if CAUSE.search(line)), lines[-1])
    if len(line) > LONGEST:
        line = f"{line[: LONGEST // 3].rstrip()} … {line[-LONGEST * 2 // 3 :].lstrip()}"
    return line


def remedy_of(text: str, causes: tuple[Known, ...], otherwise: str, user: str = "") -> str:
    """Return what helps against the cause, and what the promise says where nobody knows it.

    ``VERIFY_RUN`` is how the person there runs the site, where that is not by Ansible's own command.
    """
    found = next((one.remedy for one in causes if re.search(one.pattern, text)), otherwise)
    found = found.replace("run playbooks/site.yml", os.environ.get("VERIFY_RUN", "run playbooks/site.yml"))
    return found.replace("{user}", user or "YOU")
