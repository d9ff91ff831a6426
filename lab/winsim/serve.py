"""Run one simulated PC until it is stopped, in the foreground or behind the caller's back."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.winsim.client import alive
from lab.winsim.control import ControlServer
from lab.winsim.handlers import load_handlers
from lab.winsim.machine import Machine
from lab.winsim.server import Host
from lab.winsim.wsl_backend import MemoryBackend

TERMINAL = "terminal"  # the socket in the state folder where programs are started at the PC's own terminal


@dataclass
class Settings:
    """How one PC is served; a port of 0 is a free one, None none.

    ``reboot`` is the outage of a restart in seconds, None for none; ``wsl_backend`` makes what plays the distributions.
    """

    machine: Path
    state: Path
    bind: str = "127.0.0.1"
    http: int | None = 0
    https: int | None = 0
    cert_dir: Path | None = None
    control: int = 0
    reboot: float | None = None
    refuse_unencrypted: bool = False
    wsl_backend: Callable[[Machine], Any] = MemoryBackend


def serve(settings: Settings, log: int | None = None) -> None:
    """Serve until a signal; once the first line is out, the rest goes to ``log`` (the parent has gone by then).

    Raises:
        ValueError: a simulator already runs on this state folder, or the description is wrong.
    """
    state = settings.state.resolve()
    state.mkdir(parents=True, exist_ok=True)
    pid_file = state / "winsim.pid"
    if alive(state):
        raise ValueError(f"a simulator already runs on {settings.state}")
    load_handlers()
    machine = Machine.load(settings.machine, state, settings.wsl_backend)
    host = Host(
        machine,
        bind=settings.bind,
        http_port=settings.http,
        https_port=settings.https,
        cert_dir=settings.cert_dir or state / "cert",
        reboot_seconds=settings.reboot,
        allow_unencrypted=not settings.refuse_unencrypted,
    )
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    host.start()
    control = ControlServer(host, state, stopping.set, settings.control)
    pid_file.write_text(f"{os.getpid()}\n")
    machine.interop.serve(state, TERMINAL, None, mode=0o600)
    control.publish()
    print(f"simulated Windows host {machine.host_name}: http {host.http_port}, https {host.https_port}", flush=True)
    if log is not None:
        os.dup2(log, 1)
        os.dup2(log, 2)
    try:
        stopping.wait()
    finally:
        machine.interop.close_all()
        control.close()
        host.stop()
        (state / TERMINAL).unlink(missing_ok=True)
        pid_file.unlink(missing_ok=True)


def serve_in_background(settings: Settings) -> int:
    """Serve in a child process; return when its ports are open: 0, or 1 if it does not start (it has said why)."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        os.close(read)
        os.dup2(write, 1)
        os.dup2(write, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        code = 1
        try:
            settings.state.mkdir(parents=True, exist_ok=True)
            serve(settings, os.open(settings.state / "winsim.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
            code = 0
        except BaseException as error:
            print(f"lab: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(code)
    os.close(write)
    with os.fdopen(read) as pipe:
        line = pipe.readline()
    print(line, end="")
    return 0 if line.startswith("simulated") else 1
