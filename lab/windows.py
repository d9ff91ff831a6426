"""The lab's simulated Windows PCs: ``python -m lab pc …`` starts them, stops them and lets things go wrong on them."""

from __future__ import annotations

import argparse
import errno
import importlib
import importlib.util
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import distribution
from lab.settings import DEFAULT_MACHINE, MACHINES, PC_STATES, ROOT, LabError
from lab.winsim.client import INFO, Client, alive

CONTAINERS = "lab.wsl_containers:ContainerBackend"
INTEROP = ROOT / "lab" / "containers" / "distribution" / "rootfs" / "usr" / "lib" / "lab" / "interop.py"


def state_of(name: str) -> Path:
    """Return the folder with everything about one PC: model, event log, ports, passwords. A path stands for itself."""
    return Path(name) if "/" in name else PC_STATES / name


def command(verb: str, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m lab pc VERB NAME …``."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "lab", "pc", verb, name, *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _secret(path: Path, text: str) -> str:
    """Keep a secret in a file that nobody else can read; an earlier one stays."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    return path.read_text(encoding="utf-8")


def up(name: str, machine: str = DEFAULT_MACHINE, *options: str, linux: bool = False) -> None:
    """Start a PC that does not run yet.

    :param name: name of the PC; its state is kept under this name.
    :param machine: name or path of a machine description.
    :param options: more options of ``python -m lab pc serve``.
    :param linux: whether its WSL distributions are containers of the lab; otherwise they are only remembered.
    """
    state = state_of(name)
    state.mkdir(parents=True, exist_ok=True)
    password = _secret(state / "password", secrets.token_urlsafe(18))
    # Looks like sha512-crypt; nobody logs on with it.
    _secret(state / "linux-password-hash", f"$6$lab${secrets.token_hex(43)}")
    if running(name):
        return
    backend = ["--wsl-backend", CONTAINERS] if linux else []
    result = command("serve", name, "--machine", machine, "--background", *backend, *options, WINSIM_PASSWORD=password)
    if result.returncode:
        raise LabError(f"the simulated PC {name} does not start: {result.stdout}{result.stderr}")


def reboot(name: str) -> None:
    """Restart Windows at once; its distributions stop with it."""
    Client(state_of(name)).reboot()


def terminal(name: str, argv: list[str], *, user: str = "", elevated: bool = True) -> int:
    """Run a program of Windows as somebody who is signed in at a PC does, with this process' input and output.

    :param user: who; the first of those who are signed in, if empty.
    :param elevated: whether the terminal was opened by "Run as administrator".
    :raises LabError: the PC does not run, or Windows does not start the program.
    """
    spec = importlib.util.spec_from_file_location("interop", INTEROP)
    client = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(client)
    socket = state_of(name) / "terminal"
    try:
        connection = client.connect(str(socket))
    except OSError as error:
        raise LabError(f"the simulated PC {name} has no terminal: {error}") from error
    code = client.run(connection, {"argv": argv, "user": user, "elevated": elevated})
    if isinstance(code, str):
        raise LabError(f"{argv[0]} can not be started: {os.strerror(getattr(errno, code))}")
    return code


def running(name: str) -> bool:
    """Tell whether the simulator of a PC runs."""
    return alive(state_of(name))


def containers_of(name: str) -> list[str]:
    """Return the distribution containers that a PC has made."""
    snapshot = state_of(name) / "state.json"
    if not snapshot.exists():
        return []
    return list(json.loads(snapshot.read_text(encoding="utf-8"))["wsl"].get("containers", {}).values())


def stop(name: str) -> None:
    """Stop the simulator of a PC, if it runs, and wait until its process is gone.

    :raises LabError: it does not end within 20 seconds.
    """
    if not running(name):
        return
    os.kill(int((state_of(name) / "winsim.pid").read_text()), signal.SIGTERM)
    deadline = time.monotonic() + 20
    while running(name):
        if time.monotonic() > deadline:
            raise LabError(f"the simulated PC {name} does not stop")
        time.sleep(0.05)


def down(name: str) -> None:
    """Stop a PC and forget it, with its distributions."""
    stop(name)
    for container in containers_of(name):
        distribution.down(container)
    shutil.rmtree(state_of(name), ignore_errors=True)


def names() -> list[str]:
    """Return the PCs that the lab knows."""
    return sorted(path.name for path in PC_STATES.glob("*") if path.is_dir())


def describe(name: str) -> str:
    """Return one line about a PC for the lab's status."""
    if not running(name):
        return "simulated Windows PC, stopped"
    facts = json.loads((state_of(name) / INFO).read_text(encoding="utf-8"))
    boots = sum(event.get("event") == "boot" for event in events(name))
    return f"simulated Windows PC, WinRM at 127.0.0.1:{facts['http_port']}, {boots} reboots logged"


def events(name: str) -> list[dict]:
    """Return the event log of a PC, oldest first."""
    path = state_of(name) / "events.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _port(text: str) -> int | None:
    return None if text == "none" else int(text)


def _outage(text: str) -> float | None:
    if text == "soft":
        return None
    kind, _, seconds = text.partition(":")
    if kind != "real":
        raise argparse.ArgumentTypeError("soft, or real:SECONDS")
    return float(seconds or 5)


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add the verbs of ``python -m lab pc`` to its parser."""
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, run: Callable[[argparse.Namespace], int | None], text: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text)
        added.add_argument("name", help="the PC, or the folder of its state")
        added.set_defaults(run=run)
        return added

    up_ = verb("up", _up, "start a PC")
    up_.add_argument("--machine", default=DEFAULT_MACHINE, help="name or path of a machine description")
    up_.add_argument("--reboot", default="soft", metavar="soft|real:SECONDS")
    up_.add_argument("--new", action="store_true", help="forget an earlier PC of this name first")
    up_.add_argument("--linux", action="store_true", help="its WSL distributions are containers of the lab")
    verb("down", lambda options: down(options.name), "stop a PC and forget it")
    verb("reboot", lambda options: reboot(options.name), "restart Windows")
    verb("stop", lambda options: stop(options.name), "stop a PC; it goes on where it was at the next start")
    session = verb("terminal", _terminal, "run a program of Windows at the PC's own terminal, opened as administrator")
    session.add_argument("--user", default="", help="who; the first of those who are signed in, if not given")
    session.add_argument("--not-elevated", action="store_true", help="the terminal was not opened as administrator")
    session.add_argument("program", nargs="+", help="after --")
    serve = verb("serve", _serve, "be a PC until it is stopped")
    serve.add_argument("--machine", required=True, help="name or path of a machine description")
    serve.add_argument("--bind", default="127.0.0.1")
    serve.add_argument("--http", type=_port, default=0, metavar="PORT", help="0 (the default) for a free one, or none")
    serve.add_argument("--https", type=_port, default=0, metavar="PORT", help="0 (the default) for a free one, or none")
    serve.add_argument("--cert-dir", type=Path, help="folder of the certificate (default: cert in the PC's state)")
    serve.add_argument("--control", type=int, default=0, metavar="PORT", help="loopback control port (default: free)")
    serve.add_argument("--reboot", type=_outage, default="soft", metavar="soft|real:SECONDS")
    serve.add_argument("--refuse-unencrypted", action="store_true", help="HTTP needs message encryption, as by default")
    serve.add_argument("--wsl-backend", default="", metavar="MODULE:CLASS", help="what plays its distributions")
    serve.add_argument("--background", action="store_true", help="return when the ports are open")
    state = verb("state", _state, "print the state as JSON")
    state.add_argument("key", nargs="*", help="path into the state, for example: registry HKLM")
    log = verb("log", _log, "print the event log of all its runs")
    log.add_argument("--event", action="append", help="only these events")
    fault = verb("fault", _fault, "let something go wrong; see lab/winsim/README.md")
    fault.add_argument("kind")
    fault.add_argument("--command", type=int, help="cut or reboot at the n-th command from now")
    fault.add_argument("--match", help="cut or reboot at a command, module or argument that contains this text")
    fault.add_argument("--phase", help="input, running or output")
    fault.add_argument("--seconds", type=float, help="how long to refuse")
    fault.add_argument("--refuse-seconds", type=float, help="how long to refuse after a cut")
    fault.add_argument("--bytes-per-second", type=int, help="speed of a slow link; 0 ends it")
    fault.add_argument("--reason", help="reason of a pending reboot")
    fault.add_argument("--soft", action="store_true", default=None, help="the reboot keeps the ports open")
    fault.add_argument("--set", type=json.loads, help="JSON object for the machine's own faults")
    fault.add_argument("--drive", help="disk: which one (C:)")
    fault.add_argument("--free-bytes", type=int, help="disk: how many bytes are left now")
    fault.add_argument("--running", type=json.loads, help="proxy: true or false")


FAULT_WORDS = (
    "command", "match", "phase", "seconds", "refuse_seconds", "bytes_per_second", "reason", "soft", "set", "drive",
    "free_bytes", "running",
)  # fmt: skip


def _up(options: argparse.Namespace) -> None:
    if options.new:
        down(options.name)
    up(options.name, options.machine, "--reboot", options.reboot, linux=options.linux)


def _serve(options: argparse.Namespace) -> int | None:
    from lab.winsim import serve  # what it needs is installed by "make venv"; the rest of the lab needs only Python

    machine = options.machine if options.machine.endswith(".yml") else MACHINES / f"{options.machine}.yml"
    settings = serve.Settings(Path(machine), state_of(options.name))
    for field in ("bind", "http", "https", "cert_dir", "control", "reboot", "refuse_unencrypted"):
        setattr(settings, field, getattr(options, field))
    if options.wsl_backend:
        module, _, name = options.wsl_backend.partition(":")
        settings.wsl_backend = getattr(importlib.import_module(module), name)
    try:
        return serve.serve_in_background(settings) if options.background else serve.serve(settings)
    except (OSError, ValueError) as error:
        raise LabError(str(error)) from error


def _terminal(options: argparse.Namespace) -> int:
    code = terminal(options.name, options.program, user=options.user, elevated=not options.not_elevated) % 256
    sys.stdout.flush()
    os._exit(code)  # what reads the input may wait for more of it


def _state(options: argparse.Namespace) -> None:
    value: Any = Client(state_of(options.name)).state()
    for key in options.key:
        value = value[int(key)] if isinstance(value, list) else value[key]
    print(json.dumps(value, indent=2, ensure_ascii=False))


def _log(options: argparse.Namespace) -> None:
    for entry in events(options.name):
        if options.event and entry["event"] not in options.event:
            continue
        rest = [f"{key}={json.dumps(entry[key], ensure_ascii=False)}" for key in entry if key not in ("time", "event")]
        print(entry["time"], entry["event"], *rest)


def _fault(options: argparse.Namespace) -> None:
    given = {word: value for word in FAULT_WORDS if (value := getattr(options, word)) is not None}
    Client(state_of(options.name)).fault(options.kind, **given)
