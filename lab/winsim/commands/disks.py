"""Programs that copy, own and compact files: robocopy, icacls, diskpart. Only what the product calls."""

from __future__ import annotations

import ntpath
import re
from dataclasses import replace

from lab.winsim.commands.output import either, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import wsl
from lab.winsim.model.software import program_fault
from lab.winsim.process import Process

_PLAIN = {"/J", "/A-:R", "/R:2", "/W:5", "/NJH", "/NJS", "/NDL"}


@command("robocopy.exe")
def robocopy(process: Process) -> int:
    """``SOURCE TARGET FILE``: 1 when it was copied, 16 for what cannot be (its table of exit codes).

    A fault ``{"robocopy": BYTES}`` is a copy that was killed after so many bytes.
    """
    words = [word for word in process.argv[1:] if word.upper() not in _PLAIN]
    if len(words) != 3 or set("*?") & set(words[2]):
        raise SimulatorError(f"robocopy: arguments not known: {process.argv[1:]}")
    files = process.machine.files
    source, target = ntpath.join(words[0], words[2]), ntpath.join(words[1], words[2])
    node = files.get(source)
    if node is None or node.content is None:
        return 16
    broken = process.machine.faults.pop("robocopy", None)
    try:
        files.put(target, replace(node.content, size=broken, complete=False) if broken is not None else node.content)
    except OSError:
        say(process, "ERROR 112 (0x00000070) There is not enough space on the disk.")
        return 16
    say(process, f"100%    {words[2]}")
    return 1


@command("icacls.exe")
def icacls(process: Process) -> int:
    """``FILE /setowner *SID``, for whoever is elevated."""
    words = process.argv[1:]
    if len(words) != 3 or words[1] != "/setowner" or not words[2].startswith("*S-1-"):
        raise SimulatorError(f"icacls: arguments not known: {words}")
    machine = process.machine
    node = machine.files.get(words[0])
    owner = next((user for user in machine.users if machine.sid(user) == words[2][1:]), None)
    if node is None or owner is None or not is_elevated(process):
        say(process, either(process, "已成功处理 0 个文件; 处理 1 个文件时失败", "Failed processing 1 files"))
        return 5 if node else 2
    node.owner = machine.full_name(owner)
    say(process, either(process, "已成功处理 1 个文件; 处理 0 个文件时失败", "Successfully processed 1 files"))
    return 0


@command("diskpart.exe")
def diskpart(process: Process) -> int:
    """``/s FILE`` with ``select vdisk`` and ``compact vdisk``, of a disk that is detached (MS-VDS 3.4.5.2.41.4).

    Blocks that the file system in it has given up by fstrim go: ``{"freed": BYTES, "trimmed": True}`` of its content.
    """
    if len(process.argv) != 3 or process.argv[1].lower() != "/s":
        raise SimulatorError(f"diskpart: arguments not known: {process.argv[1:]}")
    machine = process.machine
    if fault := program_fault(machine, "diskpart.exe", process):
        return int(fault["rc"])
    words = machine.files.read_bytes(process.argv[2]).decode().splitlines()
    match = re.fullmatch(r'select vdisk file="([^"]+)"', words[0])
    if match is None or words[1:] != ["compact vdisk"]:
        raise SimulatorError(f"diskpart: script not known: {words}")
    node = machine.files.get(match[1])
    used = any(
        item.disk.lower() == match[1].lower() and wsl.is_running(machine, item)
        for user in machine.users
        for item in wsl.distributions(machine, user)
    )
    if node is None or node.content is None or used or not is_elevated(process):
        say(process, either(process, "虚拟磁盘服务错误:", "Virtual Disk Service error:"))
        return 0x80070020 if used else 0x80070002
    data = dict(node.content.data)
    freed = data.pop("freed", 0) if data.pop("trimmed", False) else 0
    machine.files.put(match[1], replace(node.content, size=node.content.size - freed, data=data))
    say(process, either(process, "  100 百分比已完成", "  100 percent completed"))
    return 0
