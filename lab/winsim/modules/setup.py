"""ansible.windows.setup: the facts of the machine that the product asks for (``gather_subset: [min]``)."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import module
from lab.winsim.machine import Machine
from lab.winsim.model.blank import CURRENT_VERSION
from lab.winsim.model.environment import environment_for
from lab.winsim.process import ModuleCall


@module("ansible.windows.setup", "gather_subset", "gather_timeout")
def setup(call: ModuleCall) -> dict[str, Any]:
    """Collect the facts of the subset ``min``, without date, name servers and local facts."""
    if call.args.get("gather_subset") != ["min"]:
        raise SimulatorError(f"setup: only gather_subset [min] is known: {call.args.get('gather_subset')}")
    facts = {**_distribution(call), **_env(call), **_platform(call), **_user(call), "powershell_version": 5}
    named = {f"ansible_{name}": value for name, value in facts.items()}
    return {"changed": False, "ansible_facts": {"gather_subset": ["min"], "module_setup": True, **named}}


def _distribution(call: ModuleCall) -> dict[str, Any]:
    machine: Machine = call.machine
    caption = machine.caption if machine.users.is_admin(call.user) else None
    return {
        "distribution": caption,
        "distribution_version": f"10.0.{machine.build}.0",
        "distribution_major_version": "10",
        "os_family": "Windows",
        "os_name": caption,
        "os_product_type": "workstation",
        "os_installation_type": machine.registry.get(CURRENT_VERSION, "InstallationType"),
        "os_install_date": "2026-03-02T08:11:09Z",
    }


def _env(call: ModuleCall) -> dict[str, Any]:
    environment = call.environment or call.session.environment or environment_for(call.machine, call.user)
    return {"env": {name: value.rstrip("\\") for name, value in environment.items()}}


def _platform(call: ModuleCall) -> dict[str, Any]:
    machine: Machine = call.machine
    name = machine.host_name
    pending = set(machine.reboot_reasons()) & {"component servicing", "file rename"}
    return {
        "architecture": ("64 位" if machine.language == "zh-CN" else "64-bit"),
        "architecture2": "x86_64",
        "domain": "",
        "fqdn": name,
        "hostname": name,
        "kernel": f"10.0.{machine.build}.0",
        "machine_id": machine.users.machine_sid,
        "netbios_name": name.upper()[:15],
        "nodename": name,
        "owner_contact": "",
        "owner_name": machine.registry.get(CURRENT_VERSION, "RegisteredOwner", ""),
        "reboot_pending": bool(pending),
        "system": "Win32NT",
        "system_description": machine.registry.get(
            "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters", "srvcomment", ""
        ),
        "system_vendor": machine.description["hardware"]["manufacturer"],
    }


def _user(call: ModuleCall) -> dict[str, Any]:
    machine: Machine = call.machine
    return {
        "user_dir": machine.profile_of(call.user),
        "user_gecos": "",
        "user_id": machine.full_name(call.user).rpartition("\\")[2],
        "user_sid": machine.sid(call.user),
    }
