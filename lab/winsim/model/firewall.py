"""Firewall rules, kept in the registry in Windows' own form as well."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from lab.winsim.model.system import FirewallRule

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

KEY = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules"
_NUMBERS = {"tcp": "6", "udp": "17"}


def text_of(rule: FirewallRule) -> str:
    """A rule as the registry has it: ``v2.32|Action=Allow|Active=TRUE|Dir=In|…|Name=…|``."""
    parts = ["v2.32", f"Action={rule.action.capitalize()}", f"Active={'TRUE' if rule.enabled else 'FALSE'}"]
    parts.append(f"Dir={rule.direction.capitalize()}")
    if rule.protocol != "any":
        parts.append(f"Protocol={_NUMBERS.get(rule.protocol, rule.protocol)}")
    if rule.profiles and rule.profiles != "domain,private,public":
        parts += [f"Profile={name.capitalize()}" for name in rule.profiles.split(",")]
    parts += [f"LPort={item}" for item in (rule.localport or "").split(",") if item]
    parts += [f"RA4={item}" for item in rule.remoteip.split(",") if rule.remoteip != "any"]
    for key, value in (("App", rule.program), ("Name", rule.name), ("Desc", rule.description)):
        if value:
            parts.append(f"{key}={value}")
    return "|".join(parts) + "|"


def rules(machine: Pc) -> list[FirewallRule]:
    """All rules; one whose registry value is gone is no more."""
    known = {value.name for value in machine.registry.values(KEY)}
    machine.firewall[:] = [rule for rule in machine.firewall if not rule.id or rule.id in known]
    for rule in machine.firewall:
        if not rule.id:
            store(machine, rule)
    return list(machine.firewall)


def store(machine: Pc, rule: FirewallRule) -> None:
    """Write a rule to the registry."""
    if not rule.id:
        rule.id = "{" + str(uuid.uuid4()).upper() + "}"
    machine.registry.set(KEY, rule.id, text_of(rule))


def add(machine: Pc, rule: FirewallRule) -> None:
    """Add a rule."""
    store(machine, rule)
    machine.firewall.append(rule)
    machine.log("firewall rule", name=rule.name, action=rule.action, enabled=rule.enabled)


def remove(machine: Pc, rule: FirewallRule) -> None:
    """Remove a rule."""
    machine.firewall.remove(rule)
    machine.registry.remove(KEY, rule.id)
    machine.log("firewall rule removed", name=rule.name)
