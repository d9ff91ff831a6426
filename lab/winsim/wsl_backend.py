"""What plays the Linux distributions. The default keeps them in memory; another backend may use containers."""

from __future__ import annotations

from typing import Any


class MemoryBackend:
    """Placeholder."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine

    def stop_all(self) -> None:
        """Stop every distribution."""

    def dump(self) -> dict[str, Any]:
        """State for JSON."""
        return {}

    def restore(self, data: dict[str, Any]) -> None:
        """Reverse of dump."""

    def summary(self) -> dict[str, Any]:
        """State for people."""
        return {}
