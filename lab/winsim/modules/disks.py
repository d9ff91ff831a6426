"""community.windows.win_disk_facts and ansible.windows.win_listen_ports_facts."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.process import ModuleCall


@module("community.windows.win_disk_facts")
def win_disk_facts(call: ModuleCall) -> dict[str, Any]:
    """One disk for each drive of the description, with its partition and the volume on it."""
    machine, disks = call.machine, []
    if set(call.args["filter"]) != {"partitions", "volumes"}:
        raise SimulatorError("win_disk_facts: only the filter partitions, volumes is known")
    for number, (letter, disk) in enumerate(machine.description["disks"].items()):
        size = int(disk["size_gb"] * 2**30)
        volume = {"size": size, "size_remaining": max(0, machine.files.free(f"{letter}:\\")), "type": "NTFS"}
        partition = {"number": 1, "size": size, "drive_letter": letter, "volumes": [volume]}
        disks.append({"number": number, "size": size, "partitions": [partition]})
    return {"changed": False, "ansible_facts": {"ansible_disks": disks}}


@module("ansible.windows.win_listen_ports_facts")
def win_listen_ports_facts(call: ModuleCall) -> dict[str, Any]:
    """Who listens: Windows' own services and the proxy program."""
    if (call.args.get("tcp_filter") or ["Listen"]) != ["Listen"]:
        raise SimulatorError("win_listen_ports_facts: only tcp_filter Listen is known")
    machine = call.machine
    if machine.faults.get("listeners", 0) > 0:  # one of them began after the module had listed the processes
        machine.faults["listeners"] -= 1
        text = "Cannot bind argument to parameter 'InputObject' because it is null."
        raise ModuleFailure(f"An error occurred while retrieving ports facts: {text}")

    def listener(address: str, port: int, name: str, pid: int, user: str | None) -> dict[str, Any]:
        return {"address": address, "name": name, "pid": pid, "port": port, "protocol": "tcp", "user": user}

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
