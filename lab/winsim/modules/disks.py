"""community.windows.win_disk_facts and ansible.windows.win_listen_ports_facts."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.process import ModuleCall


@module("community.windows.win_disk_facts")
def win_disk_facts(call: ModuleCall) -> dict[str, Any]:
    """One physical disk for each drive of the description, with its partition and volume."""
    wanted = call.args.get("filter") or ["physical_disk", "virtual_disk", "win32_disk_drive", "partitions", "volumes"]
    machine, disks = call.machine, []
    for number, (letter, disk) in enumerate(machine.description["disks"].items()):
        size = int(disk["size_gb"] * 2**30)
        serial = f"0025_38B2_21D1_{number:04d}."
        entry: dict[str, Any] = {
            "number": number,
            "size": size,
            "bus_type": "NVMe",
            "friendly_name": "Samsung SSD 990 PRO",
            "partition_style": "GPT",
            "partition_count": 1,
            "operational_status": "Online",
            "sector_size": 512,
            "read_only": False,
            "bootable": letter == "C",
            "system_disk": letter == "C",
            "clustered": False,
            "manufacturer": None,
            "model": "Samsung SSD 990 PRO",
            "firmware_version": "4B2QJXD7",
            "location": "Integrated : Bus 1 : Device 0 : Function 0 : Adapter 0",
            "serial_number": serial,
            "unique_id": f"eui.{number:016d}",
            "guid": f"{{00000000-0000-0000-0000-{number:012d}}}",
            "path": f"\\\\?\\scsi#disk&ven_nvme&prod_samsung#{number}",
        }
        if "physical_disk" in wanted:
            entry["physical_disk"] = {
                "bus_type": "NVMe", "can_pool": False, "device_id": str(number), "friendly_name": "Samsung SSD 990 PRO",
                "health_status": "Healthy", "media_type": "SSD", "operational_status": "OK", "size": size,
                "serial_number": serial, "unique_id": entry["unique_id"],
            }  # fmt: skip
        if "win32_disk_drive" in wanted:
            entry["win32_disk_drive"] = {
                "availability": None, "caption": "Samsung SSD 990 PRO", "device_id": f"\\\\.\\PHYSICALDRIVE{number}",
                "index": number, "interface_type": "SCSI", "media_type": "Fixed hard disk media", "size": size,
                "status": "OK",
            }  # fmt: skip
        if {"partitions", "volumes"} & set(wanted):
            partition: dict[str, Any] = {
                "number": 1,
                "size": size,
                "type": "Basic",
                "drive_letter": letter,
                "transition_state": 1,
                "offset": 1048576,
                "hidden": False,
                "shadow_copy": False,
                "guid": f"{{10000000-0000-0000-0000-{number:012d}}}",
                "access_paths": [f"{letter}:\\"],
                "gpt_type": "{ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}",
                "no_default_driveletter": False,
            }
            if "volumes" in wanted:
                partition["volumes"] = [
                    {
                        "size": size,
                        "size_remaining": max(0, machine.files.free(f"{letter}:\\")),
                        "type": "NTFS",
                        "label": "",
                        "health_status": "Healthy",
                        "drive_type": "Fixed",
                        "object_id": f"{{1}}\\\\{machine.host_name}\\root\\volume{number}",
                        "path": f"\\\\?\\Volume{{10000000-0000-0000-0000-{number:012d}}}\\",
                        "allocation_unit_size": 4096,
                    }
                ]
            entry["partitions"] = [partition]
        disks.append(entry)
    return {"changed": False, "ansible_facts": {"ansible_disks": disks}}


@module("ansible.windows.win_listen_ports_facts")
def win_listen_ports_facts(call: ModuleCall) -> dict[str, Any]:
    """Who listens: Windows' own services and the proxy program."""
    if (call.args.get("tcp_filter") or ["Listen"]) != ["Listen"]:
        raise SimulatorError("win_listen_ports_facts: only tcp_filter Listen is known")
    machine = call.machine
    if (
        machine.faults.get("listeners", 0) > 0
    ):  # so many times one of them began after the module had listed the processes
        machine.faults["listeners"] -= 1
        text = "Cannot bind argument to parameter 'InputObject' because it is null."
        raise ModuleFailure(f"An error occurred while retrieving ports facts: {text}")
    began = "Mon Nov 23 08:00:00 2026"

    def listener(address: str, port: int, name: str, pid: int, user: str | None) -> dict[str, Any]:
        return {
            "address": address,
            "name": name,
            "pid": pid,
            "port": port,
            "protocol": "tcp",
            "stime": began,
            "user": user,
        }

    system = "NT AUTHORITY\\SYSTEM"
    tcp = [
        listener("0.0.0.0", 135, "svchost.exe", 1040, "NT AUTHORITY\\NETWORK SERVICE"),
        listener("::", 445, "System", 4, None),
        listener("::", 5985, "System", 4, None),
        listener("0.0.0.0", 49664, "lsass.exe", 868, system),
    ]
    for place, proxy in machine.network.proxies.items():
        host, _, port = place.rpartition(":")
        if proxy.get("running", True) and host in ("127.0.0.1", "localhost"):
            name = (proxy.get("program") or "mihomo.exe").rpartition("\\")[2]
            owner = machine.full_name(machine.description["users"][0]["name"])
            tcp.append(listener(proxy.get("listens", "0.0.0.0"), int(port), name, 7120, owner))
    return {"changed": False, "ansible_facts": {"tcp_listen": tcp, "udp_listen": []}}
