"""Commands in containers by Docker's API: what ``docker exec -i`` does, without a process of its own for each command.

See "Create an exec instance" and "Attach to a container" in the reference of the Docker Engine API.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import struct
import threading
import time
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.model.guest import LinuxProcess

PIECE = 64 * 1024
FRAME = struct.Struct(">BxxxI")  # stream (1 stdout, 2 stderr) and length before each piece of output


def socket_path() -> str | None:
    """The socket of Docker, None where Docker is reached in another way."""
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    return path.removeprefix("unix://") if path.startswith("unix://") and os.path.exists(path[7:]) else None


class Docker(http.client.HTTPConnection):
    """One connection to Docker."""

    def __init__(self, path: str) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return a JSON answer.

        Raises:
            SimulatorError: Docker refuses.
        """
        self.request(method, path, json.dumps(body), {"Content-Type": "application/json"})
        answer = self.getresponse()
        data = json.load(answer)
        if answer.status >= 400:
            raise SimulatorError(f"docker {path}: {data.get('message', data)}")
        return data


def run(
    path: str, container: str, argv: list[str], user: str, cwd: str, environment: dict[str, str], process: LinuxProcess
) -> int:
    """Run a command with the streams of a Linux process and return its exit code; ended when it is cancelled.

    As with ``docker exec``, the command itself is not killed then: its input and output end.
    """
    wanted = {
        "Cmd": argv,
        "User": user,
        "WorkingDir": cwd,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        **dict.fromkeys(("AttachStdin", "AttachStdout", "AttachStderr"), True),
    }
    docker, streams = Docker(path), Docker(path)
    with contextlib.closing(docker), contextlib.closing(streams):
        identity = docker.ask("POST", f"/containers/{container}/exec", wanted)["Id"]
        headers = {"Content-Type": "application/json", "Connection": "Upgrade", "Upgrade": "tcp"}
        streams.request("POST", f"/exec/{identity}/start", '{"Detach": false, "Tty": false}', headers)
        answer = streams.response_class(streams.sock, method="POST")
        answer.begin()
        if answer.status != 101:
            raise SimulatorError(f"docker exec in {container}: {answer.read().decode('utf-8', 'replace').strip()}")
        _attend(streams.sock, answer.fp, process)
        if process.cancelled.is_set():
            return 137
        while (state := docker.ask("GET", f"/exec/{identity}/json"))["Running"]:
            time.sleep(0.005)  # the output ends a moment earlier
        return int(state["ExitCode"])


def _attend(channel: socket.socket, output: Any, process: LinuxProcess) -> None:
    """Hand input and output on until the output ends."""
    ended = threading.Event()

    def feed() -> None:
        with contextlib.suppress(OSError):
            while data := process.stdin.read(PIECE):
                channel.sendall(data)
            channel.shutdown(socket.SHUT_WR)

    def watch() -> None:
        while not ended.is_set():
            if process.cancelled.wait(0.2):
                with contextlib.suppress(OSError):
                    channel.shutdown(socket.SHUT_RDWR)
                return

    for action in (feed, watch):
        threading.Thread(target=action, daemon=True).start()
    writers = {1: process.write_stdout, 2: process.write_stderr}
    with contextlib.suppress(OSError):
        while len(head := output.read(FRAME.size)) == FRAME.size:
            stream, length = FRAME.unpack(head)
            while length and (data := output.read1(min(length, PIECE))):
                writers[stream](data)
                length -= len(data)
    ended.set()
