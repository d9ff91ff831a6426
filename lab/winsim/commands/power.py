"""powercfg.exe: the part of the power plan that decides when Windows sleeps."""

from __future__ import annotations

from lab.winsim.commands.output import complain, either, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import power
from lab.winsim.process import Process

_ALIASES = {
    "sub_sleep": power.SLEEP, "standbyidle": power.STANDBY, "hybridsleep": power.HYBRID, "hibernateidle": power.HIBERNATE,
}  # fmt: skip
_NAMES = {
    power.STANDBY: ("STANDBYIDLE", "Sleep after", "在此时间后睡眠"),
    power.HYBRID: ("HYBRIDSLEEP", "Allow hybrid sleep", "允许混合睡眠"),
    power.HIBERNATE: ("HIBERNATEIDLE", "Hibernate after", "在此时间后休眠"),
}
_ENGLISH = (
    "Power Scheme GUID: {}  (Balanced)", "GUID Alias: {}", "Subgroup GUID: {}  (Sleep)", "Power Setting GUID: {}  ({})",
    ("Minimum Possible Setting: 0x00000000", "Maximum Possible Setting: 0xffffffff",
     "Possible Settings increment: 0x00000001", "Possible Settings units: Seconds"),
    ("Possible Setting Index: 000", "Possible Setting Friendly Name: Off"),
    "Current AC Power Setting Index: 0x{:08x}", "Current DC Power Setting Index: 0x{:08x}",
)  # fmt: skip
_CHINESE = (
    "电源方案 GUID: {}  (平衡)", "GUID 别名: {}", "子组 GUID: {}  (睡眠)", "电源设置 GUID: {}  ({})",
    ("最小可能的设置: 0x00000000", "最大可能的设置: 0xffffffff", "可能的设置增量: 0x00000001", "可能的设置单位: 秒"),
    ("可能的设置索引: 000", "可能的设置友好名称: 关闭"), "当前交流电源设置索引: 0x{:08x}", "当前直流电源设置索引: 0x{:08x}",
)  # fmt: skip


@command("powercfg.exe")
def powercfg(process: Process) -> int:
    """``/query SCHEME SUB_SLEEP``, ``/setacvalueindex SCHEME SUB_SLEEP SETTING SECONDS``, ``/setactive SCHEME``."""
    words = [word.lower() for word in process.argv[1:]]
    verb, names = words[0] if words else "", words[1:]
    machine = process.machine
    if (verb.replace("-", "/", 1), len(names)) not in (("/query", 2), ("/setacvalueindex", 4), ("/setactive", 1)):
        raise SimulatorError(f"powercfg: arguments not known: {process.argv[1:]}")
    with machine.lock:
        scheme = power.active(machine) if names[0] == "scheme_current" else names[0]
        if scheme not in power.schemes(machine):
            complain(process, either(process, "电源方案、子组或设置不存在。", _NOT_THERE))
            return 1
        if len(names) > 1 and _ALIASES.get(names[1], names[1]) != power.SLEEP:
            raise SimulatorError(f"powercfg: subgroup not known: {names[1]}")
        if "query" in verb:
            _show(process, scheme)
            return 0
        if not is_elevated(process):
            complain(process, "Unable to perform operation. You may not have permission to perform this operation.")
            return 1
        if "setactive" in verb:
            machine.registry.set(power.SCHEMES, "ActivePowerScheme", scheme)
            sleeps = {
                name: power.read(machine, scheme, getattr(power, name), "ac") for name in ("STANDBY", "HIBERNATE")
            }
            machine.log("power plan", scheme=scheme, **{name.lower(): seconds for name, seconds in sleeps.items()})
            return 0
        setting = _ALIASES.get(names[2], names[2])
        if setting not in _NAMES:
            raise SimulatorError(f"powercfg: setting not known: {names[2]}")
        if power.governed(machine, setting, "ac"):
            complain(process, "Unable to perform operation. A group policy override setting exists.")
            return 1
        power.write(machine, scheme, setting, "ac", int(names[3]))
    return 0


_NOT_THERE = "The power scheme, subgroup or setting specified does not exist."


def _show(process: Process, scheme: str) -> None:
    texts = either(process, _CHINESE, _ENGLISH)
    plan, alias, group, setting, seconds, choices, mains, battery = texts
    lines = [plan.format(scheme)]
    if scheme == power.BALANCED:
        lines.append("  " + alias.format("SCHEME_BALANCED"))
    lines += ["  " + group.format(power.SLEEP), "    " + alias.format("SUB_SLEEP")]
    for guid, (short, english, chinese_name) in _NAMES.items():
        lines.append("    " + setting.format(guid, either(process, chinese_name, english)))
        lines.append("      " + alias.format(short))
        lines += ["      " + line for line in (choices if guid == power.HYBRID else seconds)]
        lines.append("    " + mains.format(power.read(process.machine, scheme, guid, "ac")))
        lines += ["    " + battery.format(power.read(process.machine, scheme, guid, "dc")), ""]
    say(process, "\n".join(lines))
