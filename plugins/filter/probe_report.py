"""Make a report of what a PC has answered to playbooks/probe.yml, without what tells whose PC it is."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

DOCUMENTATION = """
name: probe_report
short_description: Make a report of what a PC has answered, without what tells whose PC it is
description:
  - Takes the results of loops of C(win_reg_stat), C(win_stat) and C(win_command), each with a question as its item.
  - Names of people and machines, addresses, SIDs and folders of users are replaced by what they are.
options:
  _input: {description: Results., type: list, elements: dict, required: true}
  facts: {description: Ansible's facts., type: dict, required: true}
  whoami: {description: What C(win_whoami) has found., type: dict, required: true}
  private: {description: Words to replace., type: list, elements: str, required: true}
"""
EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ read.results | probe_report(ansible_facts, whoami, ['me', 'MY-PC']) }}"
"""
RETURN = """
_value: {description: The report; C(answers) has the answer to each question by its id., type: dict}
"""

FORMAT = 1
FACTS = ("distribution", "distribution_version", "os_installation_type", "powershell_version", "architecture")
RULES = [
    (re.compile(r"(?i)([a-z]:\\+users\\+)(?:[^\\/\"'<>\r\n]+(?=\\)|[^\\/\s\"'<>]+)"), r"\1<user>"),
    (re.compile(r"(?i)(/mnt/[a-z]/users/|/home/)[^/\s\"'<>]+"), r"\1<user>"),
    (re.compile(r"\bS-1-5-21(?:-\d+)+"), "<sid>"),
    (re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "<address>"),
    (re.compile(r"(?i)\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b"), "<address>"),
]
IPV4 = re.compile(r"(?<![\w.])(\d{1,3}(?:\.\d{1,3}){3})([:/]\d+)?(?![\w.])")
IPV6 = re.compile(r"(?<![\w:.])([0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:]*)(?![\w:])")


def probe_report(
    results: Iterable[dict[str, Any]], facts: dict[str, Any], whoami: dict[str, Any], private: Iterable[str]
) -> dict[str, Any]:
    """Return a report in plain words and numbers."""
    answers = {result["item"]["id"]: _answer(result) for result in results}
    answers |= {f"fact-{name.replace('_', '-')}": str(facts.get(name, "")) for name in FACTS}
    answers["logon-type"] = str(whoami.get("logon_type", ""))
    answers["integrity-level"] = str(whoami.get("label", {}).get("sid", ""))
    words = sorted({word.strip() for word in private if len(word.strip()) > 1}, key=len, reverse=True)
    return {"format": FORMAT, "answers": {name: _without(answer, words) for name, answer in sorted(answers.items())}}


def _answer(result: dict[str, Any]) -> Any:
    question = result["item"]
    if "stat" in result:
        return bool(result["stat"]["exists"])
    if "argv" not in question and "line" not in question:
        if "name" not in question or question.get("set"):
            return bool(result["exists"])
        return result.get("value") if result["exists"] else None
    message = str(result.get("msg", ""))
    if "rc" not in result:
        return {"error": message}
    lines = {name: str(result.get(name, "")).splitlines() for name in ("stdout", "stderr")}
    keep = re.compile(question.get("keep", ""))
    kept = {name: "\n".join(line.strip() for line in text if keep.search(line.strip())) for name, text in lines.items()}
    failed_to_start = message and message != "non-zero return code"
    return {"rc": int(result["rc"]) & 0xFFFFFFFF} | kept | ({"error": message} if failed_to_start else {})


def _without(answer: Any, words: list[str]) -> Any:
    if isinstance(answer, dict):
        return {name: _without(value, words) for name, value in answer.items()}
    if not isinstance(answer, str):
        return answer
    text = re.sub(r"x{100,}", lambda match: f"<{len(match[0])} x>", answer)
    for pattern, word in RULES:
        text = pattern.sub(word, text)
    text = IPV6.sub(_without_address, IPV4.sub(_without_address, text))
    for word in words:
        text = re.sub(rf"(?i)(?<![\w<]){re.escape(word)}(?![\w>])", "<name>", text)
    return text


def _without_address(match: re.Match[str]) -> str:
    """Replace an address; a version of four parts, which looks like a public address without a port, stays."""
    try:
        address = ipaddress.ip_address(match[1])
    except ValueError:
        return match[0]
    suffix = (match[2] or "") if match.re is IPV4 else ""
    return f"<address>{suffix}" if address.version == 6 or suffix or address.is_private else match[0]


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by its name."""
        return {"probe_report": probe_report}
