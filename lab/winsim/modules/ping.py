"""ansible.windows.win_ping."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_ping")
def win_ping(call: ModuleCall) -> dict[str, Any]:
    """Answer with ``data``; the word ``crash`` makes it throw."""
    data = call.args.get("data") or "pong"
    if data == "crash":
        raise ModuleFailure("Unhandled exception while executing module: boom")
    return {"changed": False, "ping": data}
