"""Say why apt could not install packages, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

DOCUMENTATION = """
name: why_apt_failed
short_description: Say why apt could not install packages, and what to do
description:
  - For the C(rescue) of a task of C(ansible.builtin.apt). The first known cause in what apt says decides; where none
    is known, what the module C(apt_facts) finds wrong on the machine.
positional: what, findings
options:
  _input: {description: The result of the task that failed., type: dict, required: true}
  what: {description: What was to be installed; the sentence begins with it., type: str, required: true}
  findings: {description: The C(findings) of the module apt_facts., type: list, elements: dict, required: true}
"""
EXAMPLES = """
- ansible.builtin.fail:
    msg: "{{ ansible_failed_result | why_apt_failed('Docker Engine', looked.findings) }}"
"""
RETURN = """
_value: {description: Cause and remedy, and apt's own errors., type: str}
"""

CAUSES = [
    (
        "Hash Sum mismatch|unexpected size",
        "A file is not the one that its signed index names; a proxy or a mirror on the way has changed it "
        "or cut it short. Run again. If it stays so, ask who runs the proxy, or wait until the vendor has "
        "finished publishing.",
    ),
    (
        "not enough free space|don't have enough free space|No space left",
        'The disk of the distribution is full. Free space ("apt-get clean", "docker system prune"; "df -h" '
        "shows how much is left), then run again.",
    ),
    (
        "(?i)(get|open|acquire|to) lock|lock apt|frontend lock|is locked|apt is in use",
        "Another program uses apt and did not end in time (\"ps -e | grep -E 'apt|dpkg'\" shows it). Wait for "
        "it, then run again.",
    ),
    (
        r"( {2}|HTTP/1[.]\d )(511|407)",  # apt's own line, and what a proxy answers to CONNECT
        "The proxy requires authentication. Open any page in a browser (with WSL, on Windows), sign in "
        "there, then run again.",
    ),
    (
        r"( {2}|HTTP/1[.]\d )50[234]",
        "The proxy answers, but has no connection of its own. Look at its program (node, subscription), "
        "then run again.",
    ),
    (
        "not valid yet",
        'The clock of the distribution is behind. With WSL, as it can be after Windows slept, say "wsl '
        '--shutdown" on Windows; else set it. Then run again.',
    ),
    (
        "Could not connect|Connection refused|timed out|Connection failed|Failed to fetch|Unable to connect",
        'The vendor cannot be reached. See that the proxy program runs (with WSL, on Windows; "make verify" '
        "names the broken link), then run again.",
    ),
    (
        "Unable to locate package|has no installation candidate|Version .* was not found",
        'The repository does not offer such a package. Compare the versions in your inventory with "apt-cache '
        'policy" in the distribution.',
    ),
    (
        "held broken packages|unmet dependencies",
        'It conflicts with installed packages. "apt-get --fix-broken install" in the distribution shows '
        "which; fix that, then run again.",
    ),
]
"""What apt says, a pattern, and what it means; the words of both roads to apt, its own and those of python3-apt."""
UNKNOWN = "Try the same with apt-get in the distribution, fix what it names, then run again."


def why_apt_failed(result: Mapping[str, Any], what: str, findings: Iterable[Mapping[str, Any]]) -> str:
    """Return what was not installed, why, what to do, and apt's own errors."""
    said = "\n".join(str(result.get(key) or "") for key in ("stderr", "msg"))
    found = " ".join(str(one["text"]) for one in findings if one["severity"] == "error")
    cause = next((cause for pattern, cause in CAUSES if re.search(pattern, said)), found or UNKNOWN)
    errors = " ".join(dict.fromkeys(re.findall(r"E: [^\n]*", said))) or said.strip()
    return f"{what} could not be installed. {cause} (apt says: {errors})"


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by its name."""
        return {"why_apt_failed": why_apt_failed}
