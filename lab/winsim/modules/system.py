"""Hostname, optional features, time zone, product facts, the current user."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.machine import Machine
from lab.winsim.model.software import program_fault
from lab.winsim.model.users import GROUP_SIDS, system_account
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_hostname")
def win_hostname(call: ModuleCall) -> dict[str, Any]:
    """Rename the computer; the name counts after a reboot."""
    machine, wanted = call.machine, call.args["name"]
    pending = machine.registry.get("HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters", "NV Hostname")
    current = pending or machine.host_name
    result: dict[str, Any] = {"changed": False, "old_name": current, "reboot_required": False}
    if call.diff:
        result["diff"] = {"before": current, "after": wanted}
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
        if len(wanted) > 15:
            # Windows asks whether to cut the NetBIOS name; -Force says yes
            machine.log("note", text=f"the NetBIOS name is cut to {wanted[:15]}")
        machine.rename(wanted)
    return {**result, "changed": True, "reboot_required": True}


@module("ansible.windows.win_optional_feature")
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
        done = ("Enabled",) if present else ("Disabled", "DisabledWithPayloadRemoved")
        if feature.state not in done:
            wanted.append(feature)
    if not wanted:
        return result
    if present and call.args.get("source") and not machine.files.exists(call.args["source"]):
        raise ModuleFailure(f"Path could not be found '{call.args['source']}'", **result)
    if not call.check_mode:
        if not machine.users.is_admin(call.user) or not call.session.elevated:
            raise ModuleFailure(
                "Unhandled exception while executing module: The requested operation requires elevation.", **result
            )
        if program_fault(machine, "dism.exe", call):
            raise ModuleFailure("Unhandled exception while executing module: The pipeline has been stopped.", **result)
        waits = False
        for feature in wanted:
            if present:
                waits = enable(machine, feature.name, bool(call.args.get("include_parent")), result) or waits
            else:
                waits = machine.features.disable(feature.name) or waits
        machine.clock.work(8.0)
        machine.log("features", names=[feature.name for feature in wanted], enabled=present, restart=waits)
        if waits:
            machine.need_reboot("component servicing")
        result["reboot_required"] = waits
    return {**result, "changed": True}


def enable(machine: Machine, name: str, parents: bool, result: dict[str, Any]) -> bool:
    """Enable one feature, with those above it if ``parents``; True if a reboot is needed.

    Raises:
        ModuleFailure: a feature above it is disabled.
    """
    feature = machine.features.find(name)
    above = machine.features.parents(feature)
    waits = False
    for parent in reversed(above):
        if parents:
            waits = machine.features.enable(parent.name) or waits
        elif parent.state.startswith("Disable"):
            raise ModuleFailure(
                "Unhandled exception while executing module: One or several parent features are disabled so current "
                "feature can not be enabled.",
                **result,
            )
    return machine.features.enable(name) or waits


_LOGON = {"network": "Network", "interactive": "Interactive", "batch": "Batch", "service": "Service"}
_PRIVILEGES = (
    "SeBackupPrivilege", "SeChangeNotifyPrivilege", "SeCreateGlobalPrivilege", "SeCreatePagefilePrivilege",
    "SeCreateSymbolicLinkPrivilege", "SeDebugPrivilege", "SeImpersonatePrivilege", "SeIncreaseBasePriorityPrivilege",
    "SeIncreaseQuotaPrivilege", "SeIncreaseWorkingSetPrivilege", "SeLoadDriverPrivilege", "SeManageVolumePrivilege",
    "SeProfileSingleProcessPrivilege", "SeRemoteShutdownPrivilege", "SeRestorePrivilege", "SeSecurityPrivilege",
    "SeShutdownPrivilege", "SeSystemEnvironmentPrivilege", "SeSystemProfilePrivilege", "SeSystemtimePrivilege",
    "SeTakeOwnershipPrivilege", "SeTimeZonePrivilege", "SeUndockPrivilege",
)  # fmt: skip


@module("ansible.windows.win_whoami")
def win_whoami(call: ModuleCall) -> dict[str, Any]:
    """Everything about the token of the session."""
    machine: Machine = call.machine
    user = machine.users.find(call.user)
    full = machine.full_name(call.user)
    domain, _, name = full.partition("\\")
    admin = machine.users.is_admin(call.user) and call.session.elevated
    system = system_account(call.user) is not None
    level = "System" if system else ("High" if admin else "Medium")
    label = {"System": "16384", "High": "12288", "Medium": "8192"}[level]
    groups = [_group("Everyone", "", "S-1-1-0")]
    for group in user.groups if user else ["Administrators"]:
        if group.lower() not in GROUP_SIDS:
            raise SimulatorError(f"win_whoami: group {group} has no SID here")
        title, sid = GROUP_SIDS[group.lower()]
        groups.append(_group(title, "BUILTIN", sid))
    boot = machine.boots[-1]["time"]
    if not system:
        groups.append(_group(_LOGON[call.session.logon].upper(), "NT AUTHORITY", "S-1-5-2"))
    names = _PRIVILEGES if admin else ("SeChangeNotifyPrivilege", "SeIncreaseWorkingSetPrivilege")
    return {
        "changed": False,
        "account": {"sid": machine.sid(call.user), "account_name": name, "domain_name": domain, "type": "User"},
        "authentication_package": "NTLM",
        "dns_domain_name": "",
        "groups": groups,
        "impersonation_level": "SecurityAnonymous",
        "label": {
            "account_name": f"{level} Mandatory Level",
            "domain_name": "Mandatory Label",
            "sid": f"S-1-16-{label}",
            "type": "Label",
        },
        "login_domain": domain,
        "login_time": _iso(machine, boot + 60),
        "logon_id": 999 if system else 0x1D5F3A,
        "logon_server": "" if system else machine.host_name.upper()[:15],
        "logon_type": "System" if system else _LOGON[call.session.logon],
        "privileges": dict.fromkeys(names, "enabled-by-default" if admin else "enabled"),
        "rights": ["SeNetworkLogonRight"] if admin else [],
        "token_type": "TokenPrimary",
        "upn": "",
        "user_flags": [],
    }


def _group(name: str, domain: str, sid: str) -> dict[str, Any]:
    return {
        "account_name": name,
        "attributes": ["Mandatory", "Enabled by default", "Enabled"],
        "domain_name": domain,
        "sid": sid,
        "type": "Alias" if domain == "BUILTIN" else "WellKnownGroup",
    }


def _iso(machine: Machine, moment: float) -> str:
    return dt.datetime.fromtimestamp(moment, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
