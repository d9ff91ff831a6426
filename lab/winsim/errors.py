"""What can go wrong: the simulator does not know something, or a module says no."""

from __future__ import annotations

from typing import Any


class SimulatorError(Exception):
    """Something the simulator does not know; the text always begins with ``simulator: ``."""

    def __init__(self, text: str) -> None:
        super().__init__(text if text.startswith("simulator: ") else f"simulator: {text}")


class ModuleFailure(Exception):
    """A module ends with FailJson: ``failed: true``, the message, and any further result keys."""

    def __init__(self, msg: str, **result: Any) -> None:
        super().__init__(msg)
        self.msg = msg
        self.result = result
