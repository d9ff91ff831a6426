"""Remote shells (WinRS): shells, their commands, and the WS-Management operations on them."""

from __future__ import annotations

import base64
import binascii
import threading
import time
import traceback
import uuid
from collections import deque
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

from lab.winsim import cmdexe, soap
from lab.winsim.command_line import split_command_line
from lab.winsim.errors import SimulatorError
from lab.winsim.process import InputStream, Process, Session

CHUNK = 32 * 1024
QUEUE = 4 * 2**20  # bytes of output that wait to be fetched; a program that writes more waits, as at a full pipe
SETTLE = 0.02  # seconds that a first piece of output waits for the end of a short command
SIGNALS = {"terminate", "ctrl_c", "ctrl_break"}
CONTROL_C_EXIT = 3221225786  # STATUS_CONTROL_C_EXIT


class Command:
    """One running command: input arrives, output is collected, an exit code ends it."""

    def __init__(self, session: Session, line: str, command_id: str) -> None:
        self.id = command_id
        self.line = line
        self.session = session
        self.stdin = InputStream(closed=False)
        self.cancelled = threading.Event()
        self.exit_code: int | None = None
        self.last_use = time.monotonic()
        self.labels = [line]
        self.on_label: Callable[[Command, str], None] = lambda command, text: None
        self.on_end: Callable[[Command], None] = lambda command: None
        self._pieces: deque[tuple[str, bytes]] = deque()
        self._queued = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        """Run the command in a thread of its own."""
        threading.Thread(target=self._run, name=f"command {self.id}", daemon=True).start()

    def _run(self) -> None:
        try:
            code = self._execute()
        except SimulatorError as error:
            self.session.machine.log("simulator_error", text=str(error))
            self._write("stderr", f"{error}\r\n".encode())
            code = 1
        except Exception as error:
            self.session.machine.log("simulator_error", text=repr(error), trace=traceback.format_exc())
            self._write("stderr", f"simulator: internal error: {error!r}\r\n{traceback.format_exc()}".encode())
            code = 1
        self.finish(code)
        self.on_end(self)

    def _announce(self, text: str) -> None:
        self.labels.append(text)
        self.on_label(self, text)

    def _execute(self) -> int:
        process = Process(
            session=self.session,
            argv=split_command_line(self.line),
            command_line=self.line,
            environment=self.session.environment.copy(),
            stdin=self.stdin,
            write_stdout=lambda data: self._write("stdout", data),
            write_stderr=lambda data: self._write("stderr", data),
            cancelled=self.cancelled,
            announce=self._announce,
        )
        return cmdexe.run_after_c(process, self.line)

    def _write(self, stream: str, data: bytes) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._queued < QUEUE or self.exit_code is not None)
            if data and self.exit_code is None:
                self._pieces.append((stream, bytes(data)))
                self._queued += len(data)
                self._changed.notify_all()

    def finish(self, code: int) -> None:
        """Set the exit code, once; a negative one is shown as Windows shows it, unsigned."""
        with self._changed:
            if self.exit_code is None:
                self.exit_code = code & 0xFFFFFFFF
            self._changed.notify_all()

    def cancel(self, code: int) -> None:
        """Stop the command; handlers see ``cancelled``."""
        self.cancelled.set()
        self.stdin.close()
        self.finish(code)

    def receive(self, timeout: float, limit: int) -> tuple[list[tuple[str, bytes]], int | None] | None:
        """Return output pieces (at most ``limit`` bytes) and the exit code if all is out; None after ``timeout`` s."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._pieces or self.exit_code is not None, timeout):
                return None
            if self.exit_code is None:
                self._changed.wait_for(lambda: self.exit_code is not None, SETTLE)
            pieces: list[tuple[str, bytes]] = []
            while self._pieces and limit > 0:
                stream, data = self._pieces.popleft()
                part, rest = data[: min(CHUNK, limit)], data[min(CHUNK, limit) :]
                pieces.append((stream, part))
                limit -= len(part)
                self._queued -= len(part)
                if rest:
                    self._pieces.appendleft((stream, rest))
            self._changed.notify_all()
            return pieces, self.exit_code if not self._pieces else None


class Shell:
    """One WinRS shell: an environment, a folder, and the commands started in it."""

    def __init__(self, session: Session, shell_id: str) -> None:
        self.id = shell_id
        self.session = session
        self.commands: dict[str, Command] = {}


class ShellService:
    """The WS-Management operations on the resource ``windows/shell/cmd``."""

    def __init__(self, machine: Any, faults: Any = None, on_end: Callable[[Command], None] | None = None) -> None:
        self.machine = machine
        self._on_end = on_end
        self.faults = faults
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Lock()

    def handle(self, request: soap.Request, user: str) -> bytes:
        """Carry out one request for an authenticated user and return the answer envelope.

        Raises:
            soap.WsmanFault: the request can not be carried out.
        """
        if request.resource_uri != soap.SHELL_CMD:
            raise soap.WsmanFault(
                soap.RESOURCE_NOT_FOUND,
                "The WS-Management service cannot process the request. The service cannot find the resource "
                f"identified by the resource URI and selectors. simulator: resource URI {request.resource_uri!r}",
                "a:DestinationUnreachable",
            )
        operations = {
            soap.TRANSFER + "/Create": self._create,
            soap.TRANSFER + "/Delete": self._delete,
            soap.SHELL + "/Command": self._command,
            soap.SHELL + "/Send": self._send,
            soap.SHELL + "/Receive": self._receive,
            soap.SHELL + "/Signal": self._signal,
        }
        operation = operations.get(request.action)
        if operation is None:
            raise soap.WsmanFault(
                2150858753, f"simulator: action {request.action!r} is not supported", "a:ActionNotSupported"
            )
        body = operation(request, user)
        return soap.envelope(request.action + "Response", request.message_id, body)

    def close_all(self) -> None:
        """End every shell and command, as a restart of the machine does."""
        with self._lock:
            shells, self._shells = list(self._shells.values()), {}
        for shell in shells:
            for command in shell.commands.values():
                command.cancel(1)

    def active_commands(self) -> list[str]:
        """Return the ids of commands that have not ended."""
        with self._lock:
            commands = [command for shell in self._shells.values() for command in shell.commands.values()]
        return [command.id for command in commands if command.exit_code is None]

    def _create(self, request: soap.Request, user: str) -> str:
        options = request.options
        session = self.machine_session(user, int(options.get("WINRS_CODEPAGE", "437")))
        shell = request.body.find(f"{{{soap.SHELL}}}Shell")
        if shell is None:
            raise soap.WsmanFault(soap.INVALID_PARAMETER, "The Shell element is missing.", "w:SchemaValidationError")
        for variable in shell.iter(f"{{{soap.SHELL}}}Variable"):
            session.environment[variable.get("Name", "")] = cmdexe.expand(variable.text or "", session.environment)
        folder = shell.findtext(f"{{{soap.SHELL}}}WorkingDirectory")
        if folder:
            session.cwd = folder.strip()
        shell_id = str(uuid.uuid4()).upper()
        with self._lock:
            self._shells[shell_id] = Shell(session, shell_id)
        return (
            "<x:ResourceCreated><a:Address>http://windows-host:5985/wsman</a:Address><a:ReferenceParameters>"
            f"<w:ResourceURI>{soap.SHELL_CMD}</w:ResourceURI><w:SelectorSet>"
            f'<w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet></a:ReferenceParameters>'
            f"</x:ResourceCreated><rsp:Shell><rsp:ShellId>{shell_id}</rsp:ShellId>"
            f"<rsp:ResourceUri>{soap.SHELL_CMD}</rsp:ResourceUri><rsp:Owner>{escape(user)}</rsp:Owner>"
            "<rsp:InputStreams>stdin</rsp:InputStreams><rsp:OutputStreams>stdout stderr</rsp:OutputStreams></rsp:Shell>"
        )

    def machine_session(self, user: str, codepage: int) -> Session:
        """Return a network logon of this user."""
        environment = self.machine.environment_for(user)
        return Session(
            machine=self.machine,
            user=user,
            elevated=self.machine.users.is_admin(user),
            environment=environment,
            cwd=environment.get("USERPROFILE", "C:\\"),
            codepage=codepage,
        )

    def _shell(self, request: soap.Request, user: str) -> Shell:
        shell_id = request.selectors.get("ShellId", "").upper()
        with self._lock:
            shell = self._shells.get(shell_id)
        if shell is None:
            raise soap.WsmanFault(
                soap.SHELL_NOT_FOUND,
                f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not "
                "found on the server. Possible causes are: the specified ShellId is incorrect or the shell no longer "
                "exists on the server. Provide the correct ShellId or create a new shell and retry the operation.",
                "w:InvalidSelectors",
            )
        if shell.session.user.lower() != user.lower():
            raise soap.WsmanFault(soap.ACCESS_DENIED, "Access is denied.", "w:AccessDenied")
        return shell

    def _find_command(self, request: soap.Request, user: str, command_id: str | None) -> Command:
        command = self._shell(request, user).commands.get((command_id or "").upper())
        if command is None:
            raise soap.WsmanFault(
                soap.INVALID_PARAMETER, f"The parameter is incorrect: no command {command_id}.", "w:InvalidParameter"
            )
        command.last_use = time.monotonic()
        return command

    def _command(self, request: soap.Request, user: str) -> str:
        shell = self._shell(request, user)
        element = request.body.find(f"{{{soap.SHELL}}}CommandLine")
        if element is None:
            raise soap.WsmanFault(soap.INVALID_PARAMETER, "CommandLine is missing.", "w:SchemaValidationError")
        parts = [element.findtext(f"{{{soap.SHELL}}}Command", "")]
        parts += [item.text or "" for item in element.findall(f"{{{soap.SHELL}}}Arguments")]
        line = " ".join(part for part in parts if part)
        # WINRS_SKIP_CMD_SHELL is not looked at: Windows has ignored it since 2012 R2.
        command = Command(shell.session.copy(), line, str(uuid.uuid4()).upper())
        with self._lock:
            shell.commands[command.id] = command
        if self._on_end is not None:
            command.on_end = self._on_end
        if self.faults is not None:
            command.on_label = self.faults.label_seen
            self.faults.command_started(command)
        command.start()
        return f"<rsp:CommandResponse><rsp:CommandId>{command.id}</rsp:CommandId></rsp:CommandResponse>"

    def _send(self, request: soap.Request, user: str) -> str:
        for stream in request.body.iter(f"{{{soap.SHELL}}}Stream"):
            command = self._find_command(request, user, stream.get("CommandId"))
            if stream.get("Name") != "stdin":
                raise soap.WsmanFault(soap.INVALID_PARAMETER, "The only input stream is stdin.", "w:InvalidParameter")
            if command.exit_code is not None:
                raise soap.WsmanFault(109, "The pipe has been ended.", "w:InternalError", sender=False)
            try:
                command.stdin.feed(base64.b64decode(stream.text or "", validate=True))
            except binascii.Error as error:
                raise soap.WsmanFault(
                    soap.INVALID_PARAMETER, f"Not base64: {error}", "w:SchemaValidationError"
                ) from error
            if stream.get("End", "").lower() in ("true", "1"):
                command.stdin.close()
        return "<rsp:SendResponse/>"

    def _receive(self, request: soap.Request, user: str) -> str:
        desired = request.body.find(f"{{{soap.SHELL}}}Receive/{{{soap.SHELL}}}DesiredStream")
        command = self._find_command(request, user, desired.get("CommandId") if desired is not None else None)
        limit = max(4096, (request.max_envelope - 8192) * 3 // 4)
        received = command.receive(request.operation_timeout, limit)
        if received is None:
            raise soap.WsmanFault(
                soap.OPERATION_TIMED_OUT,
                "The WS-Management service cannot complete the operation within the time specified in "
                "OperationTimeout.",
                "w:TimedOut",
                sender=False,
            )
        pieces, exit_code = received
        state = "Running" if exit_code is None else "Done"
        parts = ["<rsp:ReceiveResponse>"]
        for stream, data in pieces:
            text = base64.b64encode(data).decode()
            parts.append(f'<rsp:Stream Name="{stream}" CommandId="{command.id}">{text}</rsp:Stream>')
        if exit_code is not None:
            for stream in ("stdout", "stderr"):
                parts.append(f'<rsp:Stream Name="{stream}" CommandId="{command.id}" End="true"/>')
        parts.append(f'<rsp:CommandState CommandId="{command.id}" State="{soap.SHELL}/CommandState/{state}">')
        if exit_code is not None:
            parts.append(f"<rsp:ExitCode>{exit_code}</rsp:ExitCode>")
        parts.append("</rsp:CommandState></rsp:ReceiveResponse>")
        return "".join(parts)

    def _signal(self, request: soap.Request, user: str) -> str:
        element = request.body.find(f"{{{soap.SHELL}}}Signal")
        shell = self._shell(request, user)
        code = (element.findtext(f"{{{soap.SHELL}}}Code", "") if element is not None else "").rsplit("/", 1)[-1].strip()
        if code not in SIGNALS:
            raise soap.WsmanFault(soap.INVALID_PARAMETER, f"Signal {code!r} is not known.", "w:InvalidParameter")
        command = shell.commands.get((element.get("CommandId") or "").upper())
        if command is not None:
            if code == "terminate":
                command.cancel(1)
                with self._lock:
                    shell.commands.pop(command.id, None)
            else:
                command.cancel(CONTROL_C_EXIT)
        return "<rsp:SignalResponse/>"

    def _delete(self, request: soap.Request, user: str) -> str:
        shell = self._shell(request, user)
        with self._lock:
            self._shells.pop(shell.id, None)
        for command in shell.commands.values():
            command.cancel(1)
        return ""
