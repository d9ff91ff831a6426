"""Faults on request, and the control port: HTTP and JSON on the loopback address, with a token.

The address and the token are in ``winsim.json`` in the state folder, readable by its owner only.
"""

from __future__ import annotations

import http.server
import json
import os
import secrets
import threading
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.winsim import soap
from lab.winsim.client import INFO
from lab.winsim.model import tasks

PHASES = ("input", "running", "output")
KINDS = ("cut", "refuse", "sleep", "slow", "reboot", "pending-reboot", "machine", "disk", "proxy", "clock", "clear")


class FaultSwitch:
    """What goes wrong on the wire of one host, if anything.

    A *cut* waits for a command: the ``command``-th from now, or one whose line, module name or arguments contain
    ``match``. Phase ``input`` cuts before its input is complete (it never runs), ``running`` as soon as it runs,
    ``output`` (the default) when its answer is due. Windows lets the command run on, and so does the simulator.
    """

    def __init__(self, host: Any) -> None:
        self._host = host
        self._lock = threading.Lock()
        self._bytes_per_second = 0
        self._refuse_until = 0.0
        self._asleep_until = 0.0
        self._armed: list[dict[str, Any]] = []
        self._due: dict[str, dict[str, Any]] = {}

    def set(self, fault: dict[str, Any]) -> None:
        """Arm a fault.

        Raises:
            ValueError: the kind or one of its values is not known.
        """
        kind = fault.get("kind")
        if kind not in KINDS:
            raise ValueError(f"fault kind {kind!r} is not one of {', '.join(KINDS)}")
        if fault.get("phase", "output") not in PHASES:
            raise ValueError(f"phase {fault['phase']!r} is not one of {', '.join(PHASES)}")
        machine = self._host.machine
        machine.log("fault", **{key: value for key, value in fault.items() if key != "set"})
        if kind == "refuse":
            self._refuse_until = time.monotonic() + float(fault["seconds"])
            if fault.get("cut", True):
                self._host.cut_connections()
        elif kind == "sleep":
            self._asleep_until = time.monotonic() + float(fault["seconds"])
        elif kind == "slow":
            self._bytes_per_second = int(fault["bytes_per_second"])
        elif kind == "pending-reboot":
            machine.need_reboot(fault.get("reason", "component servicing"))
        elif kind == "machine":
            machine.faults.update(fault["set"])
        elif kind == "disk":
            machine.files.set_free(fault.get("drive", "C:"), int(fault["free_bytes"]))
        elif kind == "proxy":
            for proxy in machine.network.proxies.values():
                proxy["running"] = bool(fault["running"])
        elif kind == "clock":
            with machine.lock:
                machine.clock.advance(float(fault["seconds"]))
                tasks.catch_up(machine)
        elif kind == "clear":
            self._bytes_per_second, self._refuse_until, self._asleep_until = 0, 0.0, 0.0
            with self._lock:
                self._armed.clear()
                self._due.clear()
        elif kind == "reboot" and not fault.get("command") and not fault.get("match"):
            self._reboot(fault)
        else:
            if not fault.get("command") and not fault.get("match"):
                raise ValueError("a cut needs 'command' (a number) or 'match' (a text)")
            with self._lock:
                self._armed.append(dict(fault))

    def _reboot(self, fault: dict[str, Any]) -> None:
        self._host.machine.reboot(soft=bool(fault.get("soft", False)), reason="fault: by itself")

    def refusing(self) -> bool:
        """True while new connections are dropped."""
        return time.monotonic() < self._refuse_until

    def sleep_through(self) -> None:
        """Wait until the machine is awake: one that sleeps answers nothing, and closes no connection."""
        while time.monotonic() < self._asleep_until:
            time.sleep(0.1)

    def piece_size(self, normal: int) -> int:
        """Return how many bytes to move at once."""
        return max(1, min(normal, self._bytes_per_second // 10)) if self._bytes_per_second else normal

    def throttle(self, count: int) -> None:
        """Wait as long as ``count`` bytes take on a slow link."""
        if self._bytes_per_second:
            time.sleep(count / self._bytes_per_second)

    def command_started(self, command: Any) -> None:
        """Count a command, and arm what waits for it."""
        with self._lock:
            for fault in list(self._armed):
                if fault.get("command"):
                    fault["command"] = int(fault["command"]) - 1
                    if fault["command"] == 0:
                        self._arm(fault, command)
        self.label_seen(command, command.line, running=False)

    def label_seen(self, command: Any, text: str, running: bool = True) -> None:
        """A command tells what it runs (program, or module with arguments)."""
        with self._lock:
            for fault in list(self._armed):
                if fault.get("match") and fault["match"].lower() in text.lower():
                    self._arm(fault, command)
            due = self._due.get(command.id)
            now = due is not None and running and due.get("phase") == "running"
            if now:  # a Receive that is on its way is cut now, one that comes later when it comes
                self._due[command.id] = {"kind": "cut", "phase": "output", "injected": True}
        if now:
            self._inject(due)

    def _arm(self, fault: dict[str, Any], command: Any) -> None:
        self._armed.remove(fault)
        self._due[command.id] = fault

    def _inject(self, fault: dict[str, Any]) -> None:
        if fault.get("injected"):
            return self._host.cut_connections()
        self._host.machine.log("fault_injected", **{key: fault[key] for key in ("kind", "phase") if key in fault})
        if fault.get("refuse_seconds"):
            self._refuse_until = time.monotonic() + float(fault["refuse_seconds"])
        if fault["kind"] == "reboot":
            self._reboot(fault)
        self._host.cut_connections()

    def cuts_input(self, request: soap.Request) -> bool:
        """True if the connection is to be cut instead of carrying out this request."""
        return request.verb == "Send" and self._is_due(request, ("input",))

    def cuts_output(self, request: soap.Request) -> bool:
        """True if the connection is to be cut instead of sending the answer to this request."""
        return request.verb == "Receive" and self._is_due(request, ("output", "running"))

    def _is_due(self, request: soap.Request, phases: tuple[str, ...]) -> bool:
        ids = {element.get("CommandId", "").upper() for element in request.body.iter() if element.get("CommandId")}
        with self._lock:
            found = next((item for item in ids if item in self._due), None)
            if found is None or self._due[found].get("phase", "output") not in phases:
                return False
            fault = self._due.pop(found)
        self._inject(fault)
        return True


class ControlServer:
    """The control port of one host.

    ``GET /state``, ``GET /log?since=N``, ``GET /commands``, ``GET /programs``; ``POST /fault``, ``POST /reboot``, ``POST /save``,
    ``POST /stop``, each with a JSON object.
    """

    def __init__(self, host: Any, state_dir: Path, stop: Callable[[], None], port: int = 0) -> None:
        self.host = host
        self.token = secrets.token_urlsafe(24)
        self._stop = stop
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), _handler_for(self))
        self._server.daemon_threads = True
        self._info = state_dir / INFO
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="control", daemon=True).start()

    def publish(self) -> None:
        """Write ``winsim.json``: process id, ports, token."""
        info = {
            "pid": os.getpid(),
            "host": self.host.bind,
            "http_port": self.host.http_port,
            "https_port": self.host.https_port,
            "certificate": str(self.host.certificate) if self.host.certificate else None,
            "control": f"http://127.0.0.1:{self._server.server_address[1]}",
            "token": self.token,
        }
        partial = self._info.with_suffix(".new")
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(info, file)
        partial.replace(self._info)

    def close(self) -> None:
        """Close the port and remove ``winsim.json``."""
        self._server.shutdown()
        self._server.server_close()
        self._info.unlink(missing_ok=True)

    def answer(self, method: str, path: str, query: dict[str, str], body: dict[str, Any]) -> tuple[int, Any]:
        """Return status and JSON for one control request."""
        machine = self.host.machine
        if (method, path) == ("GET", "/state"):
            return 200, machine.summary()
        if (method, path) == ("GET", "/log"):
            return 200, machine.events[int(query.get("since", "0")) :]
        if (method, path) == ("GET", "/commands"):
            return 200, self.host.shells.active_commands()
        if (method, path) == ("GET", "/programs"):
            programs = list(machine.interop.programs.items())
            return 200, [{"pid": pid, "line": program.line} for pid, program in programs]
        if (method, path) == ("POST", "/fault"):
            try:
                self.host.faults.set(body)
            except (ValueError, KeyError, TypeError) as error:
                return 400, {"error": f"{type(error).__name__}: {error}"}
            return 200, {}
        if (method, path) == ("POST", "/reboot"):
            machine.reboot(soft=bool(body.get("soft", True)), reason=str(body.get("reason", "control")))
            return 200, {}
        if (method, path) == ("POST", "/save"):
            machine.save()
            return 200, {}
        if (method, path) == ("POST", "/stop"):
            threading.Thread(target=self._stop, name="stop", daemon=True).start()
            return 200, {}
        return 404, {"error": f"{method} {path} is not known"}


def _handler_for(control: ControlServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            url = urllib.parse.urlsplit(self.path)
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not secrets.compare_digest(self.headers.get("Authorization", ""), f"Bearer {control.token}"):
                status, answer = 401, {"error": "the token is wrong"}
            else:
                try:
                    body = json.loads(text or "{}")
                    query = dict(urllib.parse.parse_qsl(url.query))
                    status, answer = control.answer(self.command, url.path, query, body)
                except ValueError as error:
                    status, answer = 400, {"error": str(error)}
            data = json.dumps(answer, default=str).encode()
            self.send_response_only(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: Any) -> None:
            """Stay silent."""

    return Handler
