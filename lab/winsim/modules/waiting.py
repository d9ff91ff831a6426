"""ansible.windows.win_wait_for."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.modules.common import absolute
from lab.winsim.process import ModuleCall


def _listens(call: ModuleCall, host: str, port: int) -> bool:
    if host.lower() not in ("127.0.0.1", "localhost", "::1", call.machine.host_name.lower(), "0.0.0.0"):
        raise SimulatorError(f"win_wait_for: connections to {host} are not known")
    if port in (135, 445, 5985):
        return True
    known = call.machine.network.proxies.get(f"127.0.0.1:{port}")
    return known is not None and known.get("running", True)


@module("ansible.windows.win_wait_for")
def win_wait_for(call: ModuleCall) -> dict[str, Any]:
    """Wait for a file, a text in it, or a port. Time passes on the machine's clock."""
    arguments, machine = call.args, call.machine
    path, port, state = arguments.get("path"), arguments.get("port"), arguments.get("state", "started")
    if path and port:
        raise ModuleFailure("port and path parameter can not both be passed to win_wait_for")
    if state == "drained":
        raise SimulatorError("win_wait_for: state drained is not known")
    host, regex = arguments.get("host") or "127.0.0.1", arguments.get("regex")
    began = machine.clock.now()
    machine.clock.work(float(arguments.get("delay") or 0), call.cancelled)
    timeout = float(arguments.get("timeout", 300))
    appear = state in ("present", "started")

    def file_there() -> bool:
        files = machine.files
        if not files.exists(absolute(call, path)):
            return False
        return (
            regex is None
            or re.search(regex, files.read_bytes(absolute(call, path)).decode("utf-8", "replace")) is not None
        )

    result: dict[str, Any] = {"changed": False}
    if path is None and port is None:
        machine.clock.work(timeout, call.cancelled)
        return {**result, "elapsed": machine.clock.now() - began, "wait_attempts": 0}
    check: Callable[[], bool] = file_there if path else lambda: _listens(call, host, int(port))
    attempts, started = 0, machine.clock.now()
    while machine.clock.now() - started < timeout and not call.cancelled.is_set():
        attempts += 1
        if check() is appear:
            return {**result, "elapsed": machine.clock.now() - began, "wait_attempts": attempts}
        machine.clock.work(float(arguments.get("sleep", 1)), call.cancelled)
    result.update(elapsed=machine.clock.now() - began, wait_attempts=attempts)
    if path and regex is None:
        text = f"timeout while waiting for file {path} to be {'present' if appear else 'absent'}"
    elif path:
        text = f"timeout while waiting for string regex {regex} in file {path} to {'' if appear else 'not '}match"
    else:
        text = f"timeout while waiting for {host}:{port} to {'start' if appear else 'stop'} listening"
    raise ModuleFailure(text, **result)
