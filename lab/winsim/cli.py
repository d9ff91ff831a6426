"""The command line: ``winsim serve | state | log | fault | reboot | stop``."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from winsim.control import KINDS, PHASES, Client, ControlError, ControlServer
from winsim.machine import Machine
from winsim.runtime import load_handlers
from winsim.server import Host


def _port(text: str) -> int | None:
    return None if text == "none" else int(text)


def _reboot(text: str) -> float | None:
    if text == "soft":
        return None
    kind, _, seconds = text.partition(":")
    if kind != "real":
        raise argparse.ArgumentTypeError("soft, or real:SECONDS")
    return float(seconds or 5)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(prog="winsim", description="A simulated Windows host that speaks WS-Management.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("serve", help="run a machine until it is stopped")
    serve.add_argument("--machine", type=Path, required=True, help="machine description (YAML)")
    serve.add_argument("--state", type=Path, required=True, help="folder of state, event log and process id")
    serve.add_argument("--bind", default="127.0.0.1")
    serve.add_argument("--http", type=_port, default=5985, metavar="PORT", help="0 for a free one, none for none")
    serve.add_argument("--https", type=_port, default=5986, metavar="PORT", help="0 for a free one, none for none")
    serve.add_argument("--cert-dir", type=Path, help="folder of the certificate (default: STATE/cert)")
    serve.add_argument("--control", type=int, default=0, metavar="PORT", help="loopback control port (default: free)")
    serve.add_argument("--reboot", type=_reboot, default="soft", metavar="soft|real:SECONDS")
    serve.add_argument("--refuse-unencrypted", action="store_true", help="HTTP needs message encryption, as by default")
    serve.add_argument("--background", action="store_true", help="return when the ports are open")
    state = commands.add_parser("state", help="print the state as JSON")
    state.add_argument("key", nargs="*", help="path into the state, for example: registry HKLM")
    log = commands.add_parser("log", help="print the event log (all runs on this state folder)")
    log.add_argument("--event", action="append", help="only these events")
    fault = commands.add_parser("fault", help="let something go wrong")
    fault.add_argument("kind", choices=KINDS)
    fault.add_argument("--command", type=int, dest="number", help="cut or reboot at the n-th command from now")
    fault.add_argument("--match", help="cut or reboot at a command, module or argument that contains this text")
    fault.add_argument("--phase", choices=PHASES)
    fault.add_argument("--seconds", type=float, help="how long to refuse")
    fault.add_argument("--refuse-seconds", type=float, help="how long to refuse after a cut")
    fault.add_argument("--bytes-per-second", type=int, help="speed of a slow link; 0 ends it")
    fault.add_argument("--reason", help="reason of a pending reboot")
    fault.add_argument("--soft", action="store_true", default=None, help="the reboot keeps the ports open")
    fault.add_argument("--set", type=json.loads, help="JSON object for the machine's own faults")
    fault.add_argument("--drive", help="disk: which one (C:)")
    fault.add_argument("--free-bytes", type=int, help="disk: how many bytes are left now")
    fault.add_argument("--running", type=json.loads, help="proxy: true or false")
    reboot = commands.add_parser("reboot", help="reboot now")
    reboot.add_argument("--real", action="store_true")
    commands.add_parser("stop", help="stop the running simulator")
    for command in commands.choices.values():
        if command is not serve:
            command.add_argument("--state", type=Path, required=True)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = build_parser().parse_args(argv)
    try:
        return _COMMANDS[options.command](options)
    except (ControlError, OSError, ValueError) as error:
        print(f"winsim: {error}", file=sys.stderr)
        return 1


def _serve(options: argparse.Namespace, log: int | None = None) -> int:
    """Serve until a signal; once the first line is out, the rest goes to ``log`` (the parent has gone by then)."""
    if options.background:
        return _in_background(options)
    state = options.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    pid_file = state / "winsim.pid"
    if _alive(pid_file):
        raise ValueError(f"a simulator already runs on {options.state}")
    load_handlers()
    machine = Machine.load(options.machine, state)
    host = Host(
        machine,
        bind=options.bind,
        http_port=options.http,
        https_port=options.https,
        cert_dir=options.cert_dir or state / "cert",
        reboot_seconds=options.reboot,
        allow_unencrypted=not options.refuse_unencrypted,
    )
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    host.start()
    control = ControlServer(host, state, stopping.set, options.control)
    pid_file.write_text(f"{os.getpid()}\n")
    control.publish()
    print(f"simulated Windows host {machine.host_name}: http {host.http_port}, https {host.https_port}", flush=True)
    if log is not None:
        os.dup2(log, 1)
        os.dup2(log, 2)
    try:
        stopping.wait()
    finally:
        control.close()
        host.stop()
        pid_file.unlink(missing_ok=True)
    return 0


def _in_background(options: argparse.Namespace) -> int:
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(read)
        options.background = False
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        try:
            code = _serve_logged(options)
        except BaseException as error:
            print(f"winsim: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            code = 1
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        line = pipe.readline()
    print(line, end="")
    return 0 if line.startswith("simulated") else 1


def _serve_logged(options: argparse.Namespace) -> int:
    options.state.mkdir(parents=True, exist_ok=True)
    log = os.open(options.state / "winsim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    return _serve(options, log)


def _alive(pid_file: Path) -> bool:
    try:
        os.kill(int(pid_file.read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


def _state(options: argparse.Namespace) -> int:
    value: Any = Client(options.state).state()
    for key in options.key:
        value = value[int(key)] if isinstance(value, list) else value[key]
    print(json.dumps(value, indent=2, ensure_ascii=False))
    return 0


def _log(options: argparse.Namespace) -> int:
    with (options.state / "events.jsonl").open(encoding="utf-8") as file:
        for line in file:
            entry = json.loads(line)
            if options.event and entry["event"] not in options.event:
                continue
            rest = " ".join(
                f"{key}={json.dumps(value, ensure_ascii=False)}"
                for key, value in entry.items()
                if key not in ("time", "event")
            )
            print(entry["time"], entry["event"], rest)
    return 0


def _fault(options: argparse.Namespace) -> int:
    values = {
        "command": options.number,
        "match": options.match,
        "phase": options.phase,
        "seconds": options.seconds,
        "refuse_seconds": options.refuse_seconds,
        "bytes_per_second": options.bytes_per_second,
        "reason": options.reason,
        "soft": options.soft,
        "set": options.set,
    }
    Client(options.state).fault(options.kind, **{key: value for key, value in values.items() if value is not None})
    return 0


def _reboot_now(options: argparse.Namespace) -> int:
    Client(options.state).reboot(soft=not options.real)
    return 0


def _stop(options: argparse.Namespace) -> int:
    """Stop by the process id in the state folder and wait until the process is gone."""
    pid_file = options.state / "winsim.pid"
    if not _alive(pid_file):
        print("winsim: nothing runs there")
        return 0
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 20
    while _alive(pid_file):
        if time.monotonic() > deadline:
            raise ValueError("the simulator does not end")
        time.sleep(0.05)
    return 0


_COMMANDS = {"serve": _serve, "state": _state, "log": _log, "fault": _fault, "reboot": _reboot_now, "stop": _stop}
