"""What stops the site, of all machines, as one document."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.plugins.loader import filter_loader

DOCUMENTATION = """
name: preflight_report
short_description: What stops the site, of all machines, as one document
description:
  - Made of what playbooks/preflight.yml has noted for each host. C(playbooks/files/preflight.schema.json) describes it.
positional: hosts, wsl
options:
  _input: {description: The variables of all hosts., type: dict, required: true}
  hosts: {description: Names of the hosts., type: list, elements: str, required: true}
  wsl: {description: Names of those that are distributions., type: list, elements: str, required: true}
"""
RETURN = """
_value: {description: The report., type: dict}
"""

NOT_REACHED = (
    "Not reached. Look whether the PC is on, at its address, at bootstrap/README.md and at the account, then run again."
)
LINUX_NOT_REACHED = (
    'Not reached. See that "ssh" gets there (linux_address, linux_user) and that its user may use sudo, then run again.'
)
LATER = "there is no such distribution yet, or it does not start; wsl_distribution sees to it"
READY = "ready for playbooks/site.yml"
UNCHANGED = "Nothing was changed."

Finding = dict[str, Any]


def finding(kind: str, host: str, role: str, message: str, **more: Any) -> Finding:
    """Return a finding of the report; what is not known of it is null.

    :param kind: C(value), C(machine) or C(unreachable).
    """
    known = {"variable": None, "settings": [], "value": None, "allowed": None, "remedy": None} | more
    words = " ".join(message.replace(UNCHANGED, "").split())
    return {"kind": kind, "host": host, "role": role or None, "message": words} | known


def refused_by(result: Mapping[str, Any], role: str, said: Iterable[Any]) -> list[Finding]:
    """Return the findings of a role that has refused a machine.

    :param result: what the failed task returned.
    :param said: its refusals one by one, texts or dictionaries with C(text); none where the task has only its message.
    """
    texts = [item["text"] if isinstance(item, Mapping) else item for item in said]
    message = result.get("msg") or "failed without a message"
    return [finding("machine", "", role, str(text)) for text in texts or [message]]


def preflight_report(known: Mapping[str, Any], hosts: Iterable[str], wsl: Iterable[str]) -> dict[str, Any]:
    """Return the report."""
    why = filter_loader.get("why_unreachable").j2_function
    lines: list[dict[str, str]] = []
    findings: list[Finding] = []
    for name in sorted(hosts):
        own = known[name]
        found = [finding(**one) for one in (own.get("value_check") or {}).get("findings", [])]
        found += [one | {"host": name} for one in own.get("preflight_findings") or []]
        state = "stop" if found else "ok"
        reached = own.get("preflight_reached") or {}
        if "ansible_facts" not in reached:
            pc = known.get(own.get("windows_host") or "") or {}
            there = pc.get("preflight_reached")
            if name in wsl and "ansible_facts" in (there or {}):
                state = "stop" if found else "later"
            else:
                state, said = "stop", str(reached.get("msg") or "")
                otherwise = LINUX_NOT_REACHED if "linux" in own.get("group_names", []) else NOT_REACHED
                found.append(finding("unreachable", name, "", f"{why(said) or otherwise} ({said})"))
        lines.append({"host": name, "state": state})
        findings += found
    return {"format": 1, "stops": any(findings), "hosts": lines, "findings": findings}


def preflight_table(report: Mapping[str, Any]) -> list[str]:
    """Return the report as lines for people: host, ok, later or STOP, and what it is."""
    lines = []
    for host in report["hosts"]:
        if host["state"] != "stop":
            lines.append(f"{host['host']:24} {host['state']:5} {LATER if host['state'] == 'later' else READY}")
        found = [one for one in report["findings"] if one["host"] == host["host"]]
        lines += [f"{host['host']:24} STOP  {told(one)}" for one in found]
    return lines


def told(one: Finding) -> str:
    """Return a finding in words, with the role that it comes from."""
    return f"{one['role']}: {one['message']}" if one["role"] else str(one["message"])


def preflight_refusal(findings: Iterable[Finding]) -> str:
    """Return what a run says that refuses because of findings: each once, and that nothing was changed."""
    return " ".join([*dict.fromkeys(map(told, findings)), UNCHANGED])


class FilterModule:
    """What Ansible looks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "preflight_refusal": preflight_refusal,
            "preflight_report": preflight_report,
            "preflight_table": preflight_table,
            "refused_by": refused_by,
        }
