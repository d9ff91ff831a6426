"""Hostname, optional features, time zone, product facts, the current user."""

from __future__ import annotations

import re
from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.machine import Machine
from lab.winsim.model.software import program_fault
from lab.winsim.model.users import system_account
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_hostname")
def win_hostname(call: ModuleCall) -> dict[str, Any]:
    """Rename the computer; the name counts after a reboot."""
    machine, wanted = call.machine, call.args["name"]
    pending = machine.registry.get("HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters", "NV Hostname")
    current = pending or machine.host_name
    result: dict[str, Any] = {"changed": False, "old_name": current, "reboot_required": False}
    if wanted.lower() == current.lower():
        return result
    if not call.check_mode:
        valid = re.fullmatch(r"[A-Za-z0-9-]{1,63}", wanted) and not wanted.isdigit()
        if not valid or wanted.startswith("-") or wanted.endswith("-"):
            raise ModuleFailure(
                f"Failed to rename computer to '{wanted}': Skip computer '{current}' with new name '{wanted}' because "
                "the new name is not valid. The new computer name entered is not properly formatted. Standard names "
                "may contain letters (a-z, A-Z), numbers (0-9), and hyphens (-), but no spaces or periods (.). The "
                "name may not consist entirely of digits, and may not be longer than 63 characters.",
                **result,
            )
        machine.rename(wanted)
    return {**result, "changed": True, "reboot_required": True}


@module("ansible.windows.win_optional_feature", "name", "state", "include_parent")
def win_optional_feature(call: ModuleCall) -> dict[str, Any]:
    """Enable or disable optional features."""
    machine: Machine = call.machine
    present = call.args.get("state", "present") == "present"
    result: dict[str, Any] = {"changed": False, "reboot_required": False}
    wanted = []
    for name in call.args["name"]:
        feature = machine.features.find(name)
        if feature is None:
            raise ModuleFailure(f"Failed to find feature '{name}'", **result)
        if feature.state != ("Enabled" if present else "Disabled"):
            wanted.append(feature)
    if not wanted:
        return result
    if not call.check_mode:
        if not machine.users.is_admin(call.user) or not call.session.elevated:
            raise ModuleFailure(
                "Unhandled exception while executing module: The requested operation requires elevation.", **result
            )
        if program_fault(machine, "dism.exe", call):
            raise ModuleFailure("Unhandled exception while executing module: The pipeline has been stopped.", **result)
        waits = False
        for feature in wanted:
            switch = machine.features.enable if present else machine.features.disable
            waits = switch(feature.name) or waits
        machine.clock.work(8.0)
        machine.log("features", names=[feature.name for feature in wanted], enabled=present, restart=waits)
        if waits:
            machine.need_reboot("component servicing")
        result["reboot_required"] = waits
    return {**result, "changed": True}


_LOGON = {"network": "Network", "interactive": "Interactive", "batch": "Batch", "service": "Service"}


@module("ansible.windows.win_whoami")
def win_whoami(call: ModuleCall) -> dict[str, Any]:
    """Who the session is: account, kind of logon and integrity level."""
    machine: Machine = call.machine
    domain, _, name = machine.full_name(call.user).partition("\\")
    admin = machine.users.is_admin(call.user) and call.session.elevated
    system = system_account(call.user) is not None
    label = "16384" if system else ("12288" if admin else "8192")
    return {
        "changed": False,
        "account": {"sid": machine.sid(call.user), "account_name": name, "domain_name": domain, "type": "User"},
        "label": {"domain_name": "Mandatory Label", "sid": f"S-1-16-{label}", "type": "Label"},
        "logon_type": "System" if system else _LOGON[call.session.logon],
    }
