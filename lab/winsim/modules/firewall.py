"""community.windows.win_firewall_rule."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.model import firewall
from lab.winsim.model.environment import expand
from lab.winsim.model.system import FirewallRule
from lab.winsim.process import ModuleCall

# property of the COM object -> (option, field of the rule)
_PROPERTIES = (
    ("Description", "description"), ("Direction", "direction"), ("Action", "action"), ("ApplicationName", "program"),
    ("Grouping", "group"), ("ServiceName", "service"), ("Enabled", "enabled"), ("Profiles", "profiles"),
    ("LocalAddresses", "localip"), ("RemoteAddresses", "remoteip"), ("LocalPorts", "localport"),
    ("RemotePorts", "remoteport"), ("Protocol", "protocol"), ("InterfaceTypes", "interfacetypes"),
    ("EdgeTraversalOptions", "edge"), ("SecureFlags", "security"), ("IcmpTypesAndCodes", "icmp_type_code"),
)  # fmt: skip
_PROFILES = ("domain", "private", "public")


def _wanted(call: ModuleCall) -> dict[str, Any]:
    """The options that were given, as the rule stores them."""
    out: dict[str, Any] = {}
    for _, field in _PROPERTIES:
        value = call.args.get(field)
        if value is None:
            continue
        if field == "profiles":
            wrong = [item for item in value if item not in _PROFILES]
            if wrong:
                raise ModuleFailure(f"Unknown profile '{wrong[0]}'.")
            value = ",".join(item for item in _PROFILES if item in value)
        elif field in ("interfacetypes", "icmp_type_code"):
            value = ",".join(value)
        elif field == "protocol":
            value = _protocol(str(value))
        elif field == "program":
            value = None if value == "any" else expand(value, call.session.environment)
        elif field in ("localport", "remoteport", "service") and value == "any":
            value = None
        out[field] = value
    return out


def _protocol(text: str) -> str:
    names = {"6": "tcp", "17": "udp", "1": "icmpv4", "58": "icmpv6"}
    text = names.get(text.lower(), text.lower())
    if text.isdigit() or text in ("any", "tcp", "udp") or text.startswith(("icmpv4", "icmpv6")):
        return text
    raise ModuleFailure(f"Unknown protocol '{text}'.")


def _same(field: str, old: Any, new: Any) -> bool:
    if field in ("localip", "remoteip"):
        return sorted(str(old).lower().split(",")) == sorted(str(new).lower().split(","))
    if isinstance(old, str) and isinstance(new, str):
        return old.lower() == new.lower()
    return (old or None) == (new or None) if not isinstance(new, bool) else old == new


@module("community.windows.win_firewall_rule")
def win_firewall_rule(call: ModuleCall) -> dict[str, Any]:
    """Make, change or remove rules."""
    machine, name, group = call.machine, call.args.get("name"), call.args.get("group")
    result: dict[str, Any] = {"changed": False}
    if not name and not group:
        raise ModuleFailure("Either name or group must be specified", **result)
    with machine.lock:
        existing = [
            rule
            for rule in firewall.rules(machine)
            if (rule.name.lower() == name.lower() if name else (rule.group or "").lower() == group.lower())
        ]
        lines: list[str] = []
        if call.args.get("state", "present") == "absent":
            _remove(call, existing, lines, result)
        elif not existing and name:
            rule = FirewallRule(name, **_wanted(call))
            lines.append(f"+[{name}]")
            lines += [f"+{title}='{_shown(getattr(rule, field))}'" for title, field in _PROPERTIES]
            if not call.check_mode:
                firewall.add(machine, rule)
            result.update(changed=True, msg=f"Firewall rule '{name}' created.")
        elif existing:
            _change(call, existing, lines, result)
    if call.diff:
        result["diff"] = {"prepared": "".join(line + "\n" for line in lines)}
    return result


def _shown(value: Any) -> str:
    return "" if value is None else str(value)


def _remove(call: ModuleCall, existing: list[FirewallRule], lines: list[str], result: dict[str, Any]) -> None:
    name = call.args.get("name")
    if not existing:
        result["msg"] = (
            f"Firewall rule '{name}' does not exist."
            if name
            else f"No firewall rules in group '{call.args['group']}' exist."
        )
        return
    for rule in existing:
        lines.append(f"-[{rule.name}]")
        lines += [f"-{title}='{_shown(getattr(rule, field))}'" for title, field in _PROPERTIES]
        if not call.check_mode:
            firewall.remove(call.machine, rule)
    names = "', '".join(rule.name for rule in existing)
    result.update(changed=True, msg=f"Firewall rule(s) '{names}' removed.")


def _change(call: ModuleCall, existing: list[FirewallRule], lines: list[str], result: dict[str, Any]) -> None:
    wanted, changed, unchanged = _wanted(call), [], []
    for rule in existing:
        lines.append(f"[{rule.name}]")
        before = len(lines)
        for title, field in _PROPERTIES:
            if field not in wanted or _same(field, getattr(rule, field), wanted[field]):
                continue
            lines.append(f"-{title}='{_shown(getattr(rule, field))}'")
            lines.append(f"+{title}='{_shown(wanted[field])}'")
            if not call.check_mode:
                setattr(rule, field, wanted[field])
        (changed if len(lines) > before else unchanged).append(rule.name)
        if len(lines) > before and not call.check_mode:
            firewall.store(call.machine, rule)
    result["changed"] = bool(changed)
    first, second = "', '".join(changed), "', '".join(unchanged)
    result["msg"] = f"Firewall rule(s) changed '{first}' - unchanged '{second}'"
