"""What the parts of the model may ask of the PC that they belong to; :class:`lab.winsim.machine.Machine` is one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Protocol

from lab.winsim.model.clock import Clock
from lab.winsim.model.files import FileSystem
from lab.winsim.model.network import Network
from lab.winsim.model.registry import Registry
from lab.winsim.model.system import Features, FirewallRule, ScheduledTask
from lab.winsim.model.users import Users
from lab.winsim.process import CaseInsensitiveDict


class Pc(Protocol):
    """A Windows PC as its own parts see it."""

    description: dict[str, Any]
    state_dir: Path | None
    lock: threading.RLock
    clock: Clock
    users: Users
    registry: Registry
    files: FileSystem
    features: Features
    firewall: list[FirewallRule]
    tasks: dict[str, ScheduledTask]
    running_tasks: dict[str, threading.Event]
    network: Network
    boots: list[dict[str, Any]]
    faults: dict[str, Any]
    extra: dict[str, Any]
    events: list[dict[str, Any]]
    busy_installer: str | None
    wsl_backend: Any
    build: int
    language: str
    host_name: str

    def log(self, event: str, **fields: Any) -> None:
        """Append to the event log."""

    def need_reboot(self, reason: str) -> None:
        """Remember that something waits for a reboot."""

    def full_name(self, user: str) -> str:
        """``HOST\\name`` of an account."""

    def profile_of(self, user: str) -> str:
        """The profile folder of an account."""

    def environment_for(self, user: str) -> CaseInsensitiveDict:
        """The environment that a new session of ``user`` starts with."""
