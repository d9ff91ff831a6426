"""Faults on request and the control port: a loopback HTTP server that speaks JSON."""

from __future__ import annotations

import threading
import time
from typing import Any

PLAIN_PIECE = 65536


class FaultSwitch:
    """What goes wrong on the wire of one host, if anything."""

    def __init__(self, host: Any) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._bytes_per_second = 0
        self._refuse_until = 0.0
        self._cuts: list[dict[str, Any]] = []
        self._commands_seen = 0
        self._cut_commands: dict[str, str] = {}

    def refusing(self) -> bool:
        """True while new connections are dropped."""
        return time.monotonic() < self._refuse_until

    def piece_size(self, normal: int) -> int:
        """Return how many bytes to move at once."""
        return max(1, min(normal, self._bytes_per_second // 10)) if self._bytes_per_second else normal

    def throttle(self, count: int) -> None:
        """Wait as long as ``count`` bytes take on a slow link."""
        if self._bytes_per_second:
            time.sleep(count / self._bytes_per_second)

    def command_started(self, command: Any) -> None:
        """Count a command and mark it if a cut is due."""

    def cut_before(self, request: Any) -> bool:
        """True if the connection is to be cut instead of carrying out this request."""
        return False

    def cut_after(self, request: Any) -> bool:
        """True if the connection is to be cut instead of sending the answer to this request."""
        return False
