"""community.windows.win_firewall_rule."""

from __future__ import annotations

from typing import Any

from lab.winsim.handlers import module
from lab.winsim.model import firewall
from lab.winsim.model.system import FirewallRule
from lab.winsim.process import ModuleCall

FIELDS = ("description", "direction", "action", "protocol", "localport", "remoteip", "profiles", "enabled")


@module("community.windows.win_firewall_rule", "name", "state", *FIELDS)
def win_firewall_rule(call: ModuleCall) -> dict[str, Any]:
    """Make, change or remove rules."""
    machine, name = call.machine, call.args["name"]
    wanted = {field: call.args[field] for field in FIELDS if call.args.get(field) is not None}
    if "profiles" in wanted:
        wanted["profiles"] = ",".join(wanted["profiles"])
    with machine.lock:
        existing = [rule for rule in firewall.rules(machine) if rule.name.lower() == name.lower()]
        if call.args.get("state", "present") == "absent":
            if not call.check_mode:
                for rule in existing:
                    firewall.remove(machine, rule)
            return {"changed": bool(existing), "msg": f"Firewall rule(s) '{name}' removed." if existing else ""}
        if not existing:
            if not call.check_mode:
                firewall.add(machine, FirewallRule(name, **wanted))
            return {"changed": True, "msg": f"Firewall rule '{name}' created."}
        changed = False
        for rule in existing:
            new = {field: value for field, value in wanted.items() if not _same(getattr(rule, field), value)}
            changed = changed or bool(new)
            if new and not call.check_mode:
                vars(rule).update(new)
                firewall.store(machine, rule)
    return {"changed": changed}


def _same(old: Any, new: Any) -> bool:
    """Tell whether two values are one: texts without case, addresses in any order."""
    return sorted(str(old).lower().split(",")) == sorted(str(new).lower().split(","))
