"""Parts of Windows that are lists of things: optional features, services, firewall rules, scheduled tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Feature:
    """An optional feature. ``state`` is what DISM names: Enabled, EnablePending, Disabled, DisablePending."""

    name: str
    state: str = "Disabled"
    parent: str | None = None
    restart: bool = False
    display_name: str = ""


class Features:
    """The optional features of Windows, with what waits for a reboot."""

    def __init__(self) -> None:
        self.items: dict[str, Feature] = {}

    def add(self, name: str, **fields: Any) -> Feature:
        """Declare a feature."""
        self.items[name.lower()] = Feature(name, **fields)
        return self.items[name.lower()]

    def find(self, name: str) -> Feature | None:
        """The feature of this name, or None."""
        return self.items.get(name.lower())

    def is_on(self, name: str) -> bool:
        """Whether a feature works now (one that waits for a reboot does not, one that waits to go still does)."""
        feature = self.find(name)
        return feature is not None and feature.state in ("Enabled", "DisablePending")

    def parents(self, feature: Feature) -> list[Feature]:
        """The features above one, nearest first."""
        above = []
        while feature.parent:
            feature = self.items[feature.parent.lower()]
            above.append(feature)
        return above

    def enable(self, name: str) -> bool:
        """Enable one feature; True if that waits for a reboot."""
        feature = self.items[name.lower()]
        if feature.state == "DisablePending":
            feature.state = "Enabled"
        elif feature.state == "Disabled":
            feature.state = "EnablePending" if feature.restart else "Enabled"
        return feature.state == "EnablePending"

    def disable(self, name: str) -> bool:
        """Disable a feature and those below it; True if that waits for a reboot."""
        feature = self.items[name.lower()]
        waits = False
        for child in self.items.values():
            if child.parent and child.parent.lower() == name.lower() and child.state.startswith("Enable"):
                waits = self.disable(child.name) or waits
        if feature.state == "EnablePending":
            feature.state = "Disabled"
        elif feature.state == "Enabled":
            feature.state = "DisablePending" if feature.restart else "Disabled"
        return waits or feature.state == "DisablePending"

    def pending(self) -> list[str]:
        """Names of the features that wait for a reboot."""
        return [feature.name for feature in self.items.values() if feature.state.endswith("Pending")]

    def settle(self) -> list[str]:
        """What a reboot does; the names that changed."""
        changed = self.pending()
        for name in changed:
            feature = self.items[name.lower()]
            feature.state = "Enabled" if feature.state == "EnablePending" else "Disabled"
        return changed

    def dump(self) -> list[dict[str, Any]]:
        """A form that fits into JSON."""
        return [asdict(feature) for feature in self.items.values()]

    def restore(self, data: list[dict[str, Any]]) -> None:
        """The reverse of :meth:`dump`."""
        self.items = {fields["name"].lower(): Feature(**fields) for fields in data}


@dataclass
class Service:
    """A Windows service. ``start_mode``: auto, delayed, manual, disabled; ``state``: running, stopped, paused."""

    name: str
    display_name: str = ""
    path: str = ""
    start_mode: str = "manual"
    state: str = "stopped"
    username: str = "LocalSystem"
    description: str = ""
    dependencies: list[str] = field(default_factory=list)
    can_pause: bool = False
    desktop_interact: bool = False
    service_type: str = "win32_own_process"
    error_control: str = "normal"
    load_order_group: str = ""
    sid_info: str = "none"
    pre_shutdown_timeout: int = 10000
    required_privileges: list[str] = field(default_factory=list)
    failure_actions: list[dict[str, Any]] = field(default_factory=list)
    failure_reset_period_sec: int = 0
    failure_command: str | None = None
    failure_reboot_msg: str | None = None
    failure_actions_on_non_crash_failure: bool = False


@dataclass
class FirewallRule:
    """A rule of Windows Defender Firewall; texts as the COM object and the module print them."""

    name: str
    enabled: bool = True
    direction: str = "in"  # in | out
    action: str = "allow"  # allow | block | bypass
    protocol: str = "any"
    localport: str | None = None
    remoteport: str | None = None
    localip: str = "any"
    remoteip: str = "any"
    program: str | None = None
    service: str | None = None
    profiles: str = "domain,private,public"
    interfacetypes: str = "any"
    edge: str = "no"
    security: str = "notrequired"
    description: str | None = None
    group: str | None = None
    icmp_type_code: str | None = None
    id: str = ""  # name of its registry value


@dataclass
class ScheduledTask:
    """A scheduled task; the definition holds what ``win_scheduled_task_stat`` gives back."""

    path: str  # folder, for example \
    name: str
    definition: dict[str, Any] = field(default_factory=dict)
    enabled: bool = True
    running: bool = False
    last_run: float | None = None
    last_result: int | None = None
    runs: int = 0
    due: list[dict[str, Any]] = field(default_factory=list)  # triggers that have fired: when the task starts (again)
