"""Parts of Windows that are lists of things: optional features, firewall rules, scheduled tasks."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Feature:
    """An optional feature. ``state`` is what DISM names: Enabled, EnablePending, Disabled, DisablePending."""

    name: str
    state: str = "Disabled"


class Features:
    """The optional features of Windows, each of which waits for a reboot when it is switched."""

    def __init__(self) -> None:
        self.items: dict[str, Feature] = {}

    def add(self, name: str) -> None:
        """Declare a feature."""
        self.items[name.lower()] = Feature(name)

    def find(self, name: str) -> Feature | None:
        """The feature of this name, or None."""
        return self.items.get(name.lower())

    def is_on(self, name: str) -> bool:
        """Whether a feature works now (one that waits for a reboot does not, one that waits to go still does)."""
        feature = self.find(name)
        return feature is not None and feature.state in ("Enabled", "DisablePending")

    def enable(self, name: str) -> bool:
        """Enable one feature; True if that waits for a reboot."""
        feature = self.items[name.lower()]
        feature.state = {"DisablePending": "Enabled", "Disabled": "EnablePending"}.get(feature.state, feature.state)
        return feature.state == "EnablePending"

    def disable(self, name: str) -> bool:
        """Disable a feature; True if that waits for a reboot."""
        feature = self.items[name.lower()]
        feature.state = {"EnablePending": "Disabled", "Enabled": "DisablePending"}.get(feature.state, feature.state)
        return feature.state == "DisablePending"

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
class FirewallRule:
    """A rule of Windows Defender Firewall; texts as the COM object and the module print them."""

    name: str
    enabled: bool = True
    direction: str = "in"  # in | out
    action: str = "allow"  # allow | block | bypass
    protocol: str = "any"
    localport: str | None = None
    remoteip: str = "any"
    program: str | None = None
    profiles: str = "domain,private,public"
    description: str | None = None
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
