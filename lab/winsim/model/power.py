"""The power plan: timeouts until Windows sleeps, where Windows keeps them in the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

SCHEMES = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Power\\User\\PowerSchemes"
POLICIES = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Power\\PowerSettings"
BALANCED = "381b4222-f694-41f0-9685-ff5bb260df2e"
SLEEP = "238c9fa8-0aad-41ed-83f4-97be242c8f20"
STANDBY, HYBRID, HIBERNATE = (
    "29f6c1db-86da-48c5-9fdb-f2b67b1f44da", "94ac6d29-73ce-41a6-809f-6363ba21b47e", "9d7815a6-7ee4-497e-8888-515a05f02364",
)  # fmt: skip


def install(machine: Pc, timeouts: dict[str, int]) -> None:
    """Give a fresh Windows its balanced plan, with the timeouts in seconds on mains power (ac) and battery (dc)."""
    machine.registry.set(SCHEMES, "ActivePowerScheme", BALANCED)
    for setting, name in ((STANDBY, "standby"), (HIBERNATE, "hibernate")):
        for source in ("ac", "dc"):
            write(machine, BALANCED, setting, source, timeouts[f"{name}_{source}"])
    for source, wanted in (("ac", 1), ("dc", 1)):
        write(machine, BALANCED, HYBRID, source, wanted)


def active(machine: Pc) -> str:
    """The GUID of the plan in use."""
    return str(machine.registry.get(SCHEMES, "ActivePowerScheme"))


def schemes(machine: Pc) -> list[str]:
    """The GUIDs of all plans."""
    return [name.lower() for name in machine.registry.subkeys(SCHEMES)]


def read(machine: Pc, scheme: str, setting: str, source: str) -> int:
    """A setting of a plan; a group policy wins."""
    value = f"{source.upper()}SettingIndex"
    own = machine.registry.get(f"{SCHEMES}\\{scheme}\\{SLEEP}\\{setting}", value, 0)
    return int(machine.registry.get(f"{POLICIES}\\{setting}", value, own))


def write(machine: Pc, scheme: str, setting: str, source: str, value: int) -> None:
    """Change a setting of a plan."""
    machine.registry.set(f"{SCHEMES}\\{scheme}\\{SLEEP}\\{setting}", f"{source.upper()}SettingIndex", value)


def governed(machine: Pc, setting: str, source: str) -> bool:
    """Whether a group policy decides on a setting."""
    return machine.registry.get(f"{POLICIES}\\{setting}", f"{source.upper()}SettingIndex") is not None
