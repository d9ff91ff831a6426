"""ansible.windows.setup: the facts of the machine, by subset."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.machine import Machine
from lab.winsim.model.blank import CURRENT_VERSION
from lab.winsim.model.environment import environment_for
from lab.winsim.process import ModuleCall

_GROUPS = {
    "min": (
        "date_time",
        "distribution",
        "dns",
        "env",
        "local",
        "platform",
        "powershell_version",
        "user",
    ),
    "network": (
        "all_ipv4_addresses",
        "all_ipv6_addresses",
        "interfaces",
        "windows_domain",
        "winrm",
    ),
    "hardware": ("bios", "memory", "processor", "uptime", "virtual"),
    "external": ("facter",),
}
Facts = dict[str, Any]


@module("ansible.windows.setup", "ansible.builtin.setup", "ansible.legacy.setup")
def setup(call: ModuleCall) -> dict[str, Any]:
    """Collect the wanted subsets of facts."""
    wanted, warnings = _subsets(call.args.get("gather_subset") or ["all"])
    facts: Facts = {
        "gather_subset": call.args.get("gather_subset") or ["all"],
        "module_setup": True,
    }
    measure = {} if call.args.get("_measure_subset") else None
    for names, collect in _COLLECTORS.items():
        if not wanted.intersection(names):
            continue
        start = time.perf_counter()
        facts.update({f"ansible_{key}": value for key, value in collect(call).items()})
        if measure is not None:
            measure[", ".join(names)] = time.perf_counter() - start
    if "local" in wanted:
        facts.update(_local(call, warnings))
    if measure is not None:
        facts["measure_info"] = measure
    result: dict[str, Any] = {"changed": False, "ansible_facts": facts}
    if warnings:
        result["warnings"] = warnings
    return result


def _subsets(asked: list[str]) -> tuple[set[str], list[str]]:
    everything = {name for names in _GROUPS.values() for name in names}
    groups = {**_GROUPS, "all": tuple(everything)}
    include: set[str] = set()
    exclude: set[str] = set()
    warnings = []
    for item in asked:
        name = item.removeprefix("!")
        target = exclude if item.startswith("!") else include
        if item == "!all":
            exclude |= everything - set(_GROUPS["min"])
        elif name in groups:
            target |= set(groups[name])
        elif name in everything:
            target.add(name)
        elif not item.startswith("!"):
            warnings.append(f"invalid value {name} specified in gather_subset")
    return (everything - exclude) | include, warnings


def _addresses(call: ModuleCall) -> Facts:
    return {"ip_addresses": list(call.machine.network.addresses)}


def _bios(call: ModuleCall) -> Facts:
    hardware = call.machine.description["hardware"]
    return {
        "bios_date": "03/14/2025",
        "bios_version": "M5TKT32A",
        "product_name": hardware["model"],
        "product_serial": hardware["serial"],
        "product_uuid": "9D0F2C1E-5A77-4B1F-8C52-0E6A1F3B7C44",
    }


def _date_time(call: ModuleCall) -> Facts:
    machine: Machine = call.machine
    utc = machine.clock.local()
    hours = machine.description["windows"]["utc_offset_hours"]
    now = utc + dt.timedelta(hours=hours)
    epoch = machine.clock.now()
    zone = machine.registry.get(
        "HKLM\\SYSTEM\\CurrentControlSet\\Control\\TimeZoneInformation",
        "TimeZoneKeyName",
        "UTC",
    )
    return {
        "date_time": {
            "date": now.strftime("%Y-%m-%d"),
            "day": now.strftime("%d"),
            "epoch_local": f"{epoch + hours * 3600:.5f}",
            "epoch": f"{epoch:.5f}",
            "epoch_int": int(epoch),
            "hour": now.strftime("%H"),
            "iso8601": utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "iso8601_basic": now.strftime("%Y%m%dT%H%M%S%f"),
            "iso8601_basic_short": now.strftime("%Y%m%dT%H%M%S"),
            "iso8601_micro": utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "minute": now.strftime("%M"),
            "month": now.strftime("%m"),
            "second": now.strftime("%S"),
            "time": now.strftime("%H:%M:%S"),
            "tz": zone,
            "tz_offset": _offset(hours),
            "weekday": now.strftime("%A"),
            "weekday_number": now.strftime("%w"),
            "weeknumber": now.strftime("%W"),
            "year": now.strftime("%Y"),
        }
    }


def _offset(hours: float) -> str:
    minutes = round(abs(hours) * 60)
    return f"{'-' if hours < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}"


def _distribution(call: ModuleCall) -> Facts:
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


def _env(call: ModuleCall) -> Facts:
    environment = call.environment or call.session.environment or environment_for(call.machine, call.user)
    return {"env": {name: value.rstrip("\\") for name, value in environment.items()}}


def _local(call: ModuleCall, warnings: list[str]) -> Facts:
    folder = call.args.get("fact_path")
    if not folder:
        return {}
    files = call.machine.files
    if not files.is_dir(folder):
        warnings.append(f"Non existing path was set for local facts - {folder}")
        return {}
    out: Facts = {}
    for path in files.glob(folder.rstrip("\\") + "\\*"):
        if path.lower().endswith(".json") and files.is_file(path):
            name = path.rpartition("\\")[2].rpartition(".")[0]
            try:
                out[f"ansible_{name}"] = json.loads(files.read_bytes(path).decode("utf-8-sig"))
            except ValueError as error:
                raise ModuleFailure(f"Failed to parse local facts in {path}: {error}") from error
        elif path.lower().endswith(".ps1"):
            raise ModuleFailure(f"simulator: setup: local facts as a PowerShell script are not known: {path}")
    return out


def _interfaces(call: ModuleCall) -> Facts:
    ipv4 = next((address for address in call.machine.network.addresses if "." in address), "")
    return {
        "interfaces": [
            {
                "connection_name": "Ethernet",
                "default_gateway": ipv4.rpartition(".")[0] + ".1" if ipv4 else None,
                "dns_domain": None,
                "interface_index": 12,
                "interface_name": "Realtek PCIe 2.5GbE Family Controller",
                "macaddress": "00:E0:4C:68:00:01",
                "mtu": 1500,
                "speed": 1000,
                "ipv4": {"address": ipv4, "prefix": "24"},
                "ipv6": {},
            }
        ]
    }


def _memory(call: ModuleCall) -> Facts:
    total = int(call.machine.description["hardware"]["memory_gb"]) * 1024
    return {
        "memtotal_mb": total,
        "memfree_mb": total * 3 // 5,
        "swaptotal_mb": 0,
        "pagefiletotal_mb": total // 8,
        "pagefilefree_mb": total // 8,
    }


def _platform(call: ModuleCall) -> Facts:
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
            "HKLM\\SYSTEM\\CurrentControlSet\\Services\\LanmanServer\\Parameters",
            "srvcomment",
            "",
        ),
        "system_vendor": machine.description["hardware"]["manufacturer"],
    }


def _powershell(call: ModuleCall) -> Facts:
    return {"powershell_version": 5}


def _processor(call: ModuleCall) -> Facts:
    hardware = call.machine.description["hardware"]
    vendor = "GenuineIntel" if "Intel" in hardware["cpu"] else "AuthenticAMD"
    return {
        "processor": [item for index in range(hardware["threads"]) for item in (str(index), vendor, hardware["cpu"])],
        "processor_count": 1,
        "processor_cores": hardware["cores"],
        "processor_threads_per_core": max(1, hardware["threads"] // hardware["cores"]),
        "processor_vcpus": hardware["threads"],
    }


def _uptime(call: ModuleCall) -> Facts:
    machine: Machine = call.machine
    seconds = machine.clock.now() - machine.boots[-1]["time"]
    local = dt.timedelta(hours=machine.description["windows"]["utc_offset_hours"])
    boot = machine.clock.local() - dt.timedelta(seconds=seconds) + local
    return {
        "lastboot": boot.strftime("%Y-%m-%d %H:%M:%SZ"),
        "uptime_seconds": round(seconds),
    }


def _user(call: ModuleCall) -> Facts:
    machine: Machine = call.machine
    return {
        "user_dir": machine.profile_of(call.user),
        "user_gecos": "",
        "user_id": machine.full_name(call.user).rpartition("\\")[2],
        "user_sid": machine.sid(call.user),
    }


def _domain(call: ModuleCall) -> Facts:
    return {
        "windows_domain": "WORKGROUP",
        "windows_domain_member": False,
        "windows_domain_role": "Stand-alone workstation",
    }


def _virtual(call: ModuleCall) -> Facts:
    return {"virtualization_role": "NA", "virtualization_type": "NA"}


def _none(call: ModuleCall) -> Facts:
    return {}


_COLLECTORS: dict[tuple[str, ...], Callable[[ModuleCall], Facts]] = {
    ("all_ipv4_addresses", "all_ipv6_addresses"): _addresses,
    ("bios",): _bios,
    ("date_time",): _date_time,
    ("distribution",): _distribution,
    ("env",): _env,
    ("facter", "winrm", "dns"): _none,
    ("interfaces",): _interfaces,
    ("memory",): _memory,
    ("platform",): _platform,
    ("powershell_version",): _powershell,
    ("processor",): _processor,
    ("uptime",): _uptime,
    ("user",): _user,
    ("windows_domain",): _domain,
    ("virtual",): _virtual,
}
