"""Commands in containers by Docker's API, with a stand-in for Docker that runs them here."""

from __future__ import annotations

import http.server
import json
import socketserver
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab import docker_exec
from lab.winsim.errors import SimulatorError
from lab.winsim.model.guest import LinuxProcess
from lab.winsim.process import InputStream


class Docker(http.server.BaseHTTPRequestHandler):
    """Exec create, start and inspect, as far as they are used."""

    protocol_version = "HTTP/1.1"
    asked: dict = {}
    code = 0

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def address_string(self) -> str:
        """A Unix socket has no address."""
        return ""

    def _answer(self, status: int, value: dict) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        """Inspect."""
        self._answer(200, {"Running": False, "ExitCode": Docker.code})

    def do_POST(self) -> None:
        """Create or start."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/containers/box/exec":
            Docker.asked = body
            return self._answer(201, {"Id": "7"})
        if self.path != "/exec/7/start":
            return self._answer(404, {"message": "No such container: other"})
        self.send_response_only(101)
        self.end_headers()
        child = subprocess.Popen(
            Docker.asked["Cmd"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.close_connection = True
        for stream, data in enumerate(child.communicate(self.rfile.read()), start=1):
            for start in range(0, len(data), 100_000):
                piece = data[start : start + 100_000]
                self.wfile.write(struct.pack(">BxxxI", stream, len(piece)) + piece)
        Docker.code = child.returncode


class Server(socketserver.ThreadingUnixStreamServer):
    """Says nothing where a client has gone, as Docker."""

    def handle_error(self, request: object, client_address: object) -> None:
        """Tell of other errors."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[..., tuple[int, bytes, bytes]]]:
    """Run a command in the container "box"; returns exit code, stdout and stderr."""
    path = str(tmp_path / "docker.sock")
    server = Server(path, Docker)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def go(*argv: str, stdin: bytes = b"", container: str = "box", cancel: bool = False) -> tuple[int, bytes, bytes]:
        out, err = bytearray(), bytearray()
        process = LinuxProcess(
            None, [], "me", stdin=InputStream(stdin, not cancel), write_stdout=out.extend, write_stderr=err.extend
        )
        if cancel:
            threading.Timer(0.1, process.cancelled.set).start()
        code = docker_exec.run(path, container, [*argv], "me", "/home/me", {"LANG": "C.UTF-8"}, process)
        return code, bytes(out), bytes(err)

    yield go
    server.shutdown()
    server.server_close()


def test_streams_are_bytes_and_the_exit_code_is_the_command_s(run) -> None:
    data = bytes(range(256)) * 3000
    assert run("/bin/cat", stdin=data) == (0, data, b"")
    assert run("/bin/sh", "-c", "echo out; echo err >&2; exit 42") == (42, b"out\n", b"err\n")


def test_docker_is_told_user_folder_and_environment(run) -> None:
    run("/bin/true")
    told = {name: Docker.asked[name] for name in ("Cmd", "User", "WorkingDir", "Env", "AttachStdin")}
    assert told == {
        "Cmd": ["/bin/true"],
        "User": "me",
        "WorkingDir": "/home/me",
        "Env": ["LANG=C.UTF-8"],
        "AttachStdin": True,
    }


def test_a_cancelled_command_ends_at_once(run) -> None:
    assert run("/bin/cat", cancel=True) == (137, b"", b"")


def test_a_container_that_is_not_there_is_no_windows_error(run) -> None:
    with pytest.raises(SimulatorError, match="No such container: other"):
        run("/bin/true", container="other")


@pytest.mark.parametrize("host", ["tcp://192.0.2.1:2375", "unix:///no/such.sock"])
def test_without_a_socket_the_program_docker_is_used(monkeypatch, host: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert docker_exec.socket_path() is None
