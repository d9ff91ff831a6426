"""Programs of Windows that are started from inside a distribution, or at a terminal of the PC's own.

A *server* is a socket with a session behind it: who connects says what to start, and gets that program's input, output
and exit code. Each interactive wsl.exe has one while it runs, as in WSL; what ends it ends the programs that came by it.

The wire, both ways: a letter, the length as four bytes (big-endian), and as many bytes. A client says ``R`` (JSON: argv,
cwd, environment) first, then ``I`` (input) and ``C`` (no more of it); the answers are ``O`` and ``E`` (stdout, stderr), and
``X`` (JSON: the exit code, or why Windows did not start it) at the end.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import ntpath
import os
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lab.winsim.command_line import join_command_line
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import run_process
from lab.winsim.process import Process, Session
from lab.winsim.shells import Command

HEAD = struct.Struct(">cI")
PIECE = 64 * 1024
LIMIT = 4 * 2**20  # bytes of output that are handed on at once
ELEVATION_REQUIRED = 740
# What the product and its connection plugin start from inside a distribution. Anything else has not been looked at.
KNOWN = ("chcp.com", "cmd.exe", "powershell.exe", "reg.exe", "taskkill.exe", "whoami.exe", "wsl.exe")


class Program(Command):
    """One program of Windows; its input and output are on another side."""

    def __init__(self, session: Session, process: Process) -> None:
        super().__init__(session, process.command_line, str(uuid.uuid4()).upper())
        process.stdin, process.cancelled = self.stdin, self.cancelled
        process.write_stdout = lambda data: self._write("stdout", data)
        process.write_stderr = lambda data: self._write("stderr", data)
        self._process = process

    def _execute(self) -> int:
        if self._process.cwd.startswith("\\\\") and ntpath.basename(self._process.argv[0]).lower() == "cmd.exe":
            self._write("stdout", UNC.format(self._process.cwd).encode())
            self._process.cwd = "C:\\Windows"
        return run_process(self._process)


UNC = (
    "'{}'\r\nCMD.EXE was started with the above path as the current directory.\r\n"
    "UNC paths are not supported.  Defaulting to Windows directory.\r\n"
)


class Interop:
    """The servers and the programs of one PC."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.programs: dict[int, Program] = {}
        self.on_end: Callable[[], Any] = lambda: None  # called when a program has ended
        self._servers: set[Server] = set()
        self._numbers = itertools.count(4100, 4)

    def session(self, user: str, elevated: bool) -> Session:
        """The session of somebody who is signed in at the PC, with one of the two tokens that an administrator has.

        Raises:
            SimulatorError: nobody of that name is signed in.
        """
        people = self.machine.extra.get("signed_in", [])
        user = user or next(iter(people), "")
        if user not in people:
            raise SimulatorError(
                f"{user or 'nobody'} is not signed in at the PC; there are: {', '.join(people) or 'nobody'}"
            )
        environment = self.machine.environment_for(user)
        return Session(
            machine=self.machine,
            user=user,
            elevated=elevated and self.machine.users.is_admin(user),
            logon="interactive",
            number=people.index(user) + 1,
            environment=environment,
            cwd=environment["USERPROFILE"],
            codepage=936 if self.machine.language == "zh-CN" else 437,
        )

    def serve(self, folder: Path, name: str, session: Session | None, *, mode: int = 0o666) -> Server:
        """Open a server; without a session each client says whose terminal it is."""
        server = Server(self, folder, name, session, mode)
        self._servers.add(server)
        return server

    def closed(self, server: Server) -> None:
        """Forget a server."""
        self._servers.discard(server)

    def close_all(self) -> None:
        """End everything, as a restart of Windows does; the terminals of the next start can be opened."""
        for server in list(self._servers):
            server.close() if server.session else server.end_programs()

    @contextlib.contextmanager
    def of_wsl(self, process: Process, folder: Path | None) -> Iterator[str]:
        """The server of a wsl.exe: its name in ``folder``, empty where the lab has none (what came over WinRM)."""
        if folder is None or process.session.logon != "interactive":
            yield ""
            return
        session = process.session.copy(environment=process.environment.copy())
        server = self.serve(folder, f"{uuid.uuid4().hex[:12]}_session", session)
        try:
            yield server.name
        finally:
            server.close()

    def start(self, session: Session, request: dict[str, Any]) -> tuple[int, Program]:
        """Start a program as CreateProcess does.

        Raises:
            OSError: Windows does not start it; ``errno`` is the Win32 code.
        """
        environment = session.environment.copy()
        environment.update(request.get("environment", {}))
        number = next(self._numbers)
        process = Process(
            session=session,
            argv=request["argv"],
            command_line=join_command_line(request["argv"]),
            environment=environment,
            cwd=request.get("cwd") or session.cwd,
            pid=number,
        )
        path = self.machine.resolve_program(process)
        if process.cwd[1:2] == ":" and not self.machine.files.is_dir(process.cwd):
            raise OSError(267, "The directory name is invalid", process.cwd)
        self.machine.log(
            "program", image=path, user=session.user, elevated=session.elevated, cwd=process.cwd, pid=number
        )
        program = Program(session, process)
        self.programs[number] = program
        program.on_end = lambda ended: self._ended(number)
        program.start()
        return number, program

    def _ended(self, number: int) -> None:
        self.programs.pop(number, None)
        self.on_end()


class Server:
    """One socket: clients connect to it, and each starts one program."""

    def __init__(self, interop: Interop, folder: Path, name: str, session: Session | None, mode: int) -> None:
        self.name, self.session, self._interop, self._folder = name, session, interop, folder
        self._connections: dict[socket.socket, Program | None] = {}
        self._lock = threading.Lock()
        self._closed = False
        folder.mkdir(parents=True, exist_ok=True)
        self._socket = socket.socket(socket.AF_UNIX)
        with short(folder) as place:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(f"{place}/{name}")
            self._socket.bind(f"{place}/{name}")
            os.chmod(f"{place}/{name}", mode)
        self._socket.listen(64)
        threading.Thread(target=self._accept, name=f"interop {name}", daemon=True).start()

    def close(self) -> None:
        """Close it; the programs that came by it end without a word."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._socket.close()
        for path in self._folder.glob("*"):
            if path.name == self.name or path.is_symlink() and os.readlink(path) == self.name:
                path.unlink(missing_ok=True)
        self.end_programs()
        self._interop.closed(self)

    def end_programs(self) -> None:
        """End what was started by it."""
        with self._lock:
            connections = dict(self._connections)
        for connection, program in connections.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            if program is not None:
                program.cancel(1)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                if self._closed:
                    connection.close()
                    return
                self._connections[connection] = None
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                kind, data = receive(connection)
                if kind == b"R":
                    self._run(connection, json.loads(data))
        finally:
            with self._lock:
                self._connections.pop(connection, None)

    def _run(self, connection: socket.socket, request: dict[str, Any]) -> None:
        machine = self._interop.machine
        try:
            if self.session is None:
                session = self._interop.session(request["user"], request["elevated"])
            else:
                session = self.session.copy()
                if ntpath.basename(request["argv"][0]).lower() not in KNOWN:
                    raise SimulatorError(f"interop: {request['argv'][0]} has not been started from a distribution yet")
            _, program = self._interop.start(session, request)
        except SimulatorError as error:
            machine.log("simulator_error", text=str(error))
            send(connection, b"E", f"{error}\n".encode())
            send(connection, b"X", b'{"code": 1}')
            return
        except OSError as error:
            # interop.cpp: what asks for elevation, what is not there, and all the rest
            name = {2: "ENOENT", 3: "ENOENT", ELEVATION_REQUIRED: "EACCES"}.get(error.errno or 0, "EINVAL")
            send(connection, b"X", json.dumps({"error": name}).encode())
            return
        with self._lock:
            self._connections[connection] = program
            closed = self._closed
        if closed:
            program.cancel(1)
            return
        threading.Thread(target=_feed, args=(connection, program), daemon=True).start()
        try:
            self._hand_on(connection, program)
        except OSError:
            program.cancel(1)

    @staticmethod
    def _hand_on(connection: socket.socket, program: Program) -> None:
        code = None
        while code is None:
            received = program.receive(60, LIMIT)
            if received is None:
                continue
            pieces, code = received
            for stream, data in pieces:
                send(connection, b"O" if stream == "stdout" else b"E", data)
        send(connection, b"X", json.dumps({"code": code}).encode())


def _feed(connection: socket.socket, program: Program) -> None:
    """Hand input on; a client that goes away ends its program."""
    while True:
        try:
            kind, data = receive(connection)
        except OSError:
            kind, data = b"", b""
        if kind == b"I":
            program.stdin.feed(data)
        elif kind == b"C":
            program.stdin.close()
        else:
            program.cancel(1)
            return


def send(connection: socket.socket, kind: bytes, data: bytes) -> None:
    """Send one message."""
    connection.sendall(HEAD.pack(kind, len(data)) + data)


def receive(connection: socket.socket) -> tuple[bytes, bytes]:
    """Receive one message; its letter is empty at the end."""
    head = _exactly(connection, HEAD.size)
    if len(head) < HEAD.size:
        return b"", b""
    kind, length = HEAD.unpack(head)
    return kind, _exactly(connection, length)


def _exactly(connection: socket.socket, length: int) -> bytes:
    pieces = bytearray()
    while len(pieces) < length and (data := connection.recv(min(PIECE, length - len(pieces)))):
        pieces += data
    return bytes(pieces)


@contextlib.contextmanager
def short(folder: Path) -> Iterator[str]:
    """A short name of a folder: the path of a socket has 107 bytes at most."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
