"""Run tasks in Windows from inside one of its WSL distributions, through WSL's interop."""

from __future__ import annotations

import base64
import codecs
import configparser
import contextlib
import errno
import fcntl
import functools
import hashlib
import json
import os
import re
import secrets
import selectors
import subprocess
import time
import typing as t
import xml.etree.ElementTree as ET

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

DOCUMENTATION = r"""
name: wsl_interop
short_description: Run tasks in Windows from inside one of its WSL distributions
author: wsl-dl-playbook contributors
description:
  - Ansible runs in a WSL distribution and manages the Windows around it. There is no address, no account, no password
    and no service to open - WSL starts C(powershell.exe) as an ordinary Windows program.
  - That program is one of the person who opened the terminal, in that person's session, and with administrator's rights
    where the terminal has them. Windows is asked for them once in a run, before anything else.
  - It gets Ansible's own command line and payload, by pipes, as with the connection C(winrm); all modules for Windows
    work unchanged. It starts in the person's folder (C(%USERPROFILE%)), with the environment of Windows - no variable
    of Linux crosses over, whatever C(WSLENV) says.
  - Files go both ways over the mounted drive (C(/mnt/c)), or by pipes where the drive is not mounted or refuses, and
    are verified by SHA-256 as Windows sees them.
  - A command that is cancelled, by a timeout, by Ctrl+C or because Ansible was killed, ends in Windows, too, with what
    it has started.
notes:
  - Exit codes are those of Windows modulo 256, as WSL hands them on. Results of modules are not concerned, since they
    tell their own; a C(raw) command that ends with 256 looks like one that ends with 0.
  - C(become) is refused. To work as administrator, open the terminal by "Run as administrator".
  - Restarting Windows, C(wsl --shutdown) and C(wsl --terminate) end the Ansible that runs inside. Of the programs that
    this connection has started, only those live longer that a service of Windows has started for them (C(async),
    scheduled tasks).
  - A command line has at most 32,767 characters, which leaves about 12,000 for a C(raw) command.
extends_documentation_fragment: [connection_pipelining]
options:
  remote_addr:
    description: Name of the host in messages. The Windows that is reached is always the one around the distribution.
    type: str
    default: inventory_hostname
    vars: [{name: inventory_hostname}]
  elevated:
    description:
      - Refuse to work where the terminal was not opened as administrator.
      - With V(false) the tasks have the rights that the terminal has.
    type: bool
    default: true
    vars: [{name: ansible_wsl_interop_elevated}]
    env: [{name: ANSIBLE_WSL_INTEROP_ELEVATED}]
    ini: [{section: wsl_interop, key: elevated}]
  system32:
    description:
      - The folder C(System32) of Windows, as the distribution sees it.
      - Without it C(C:\Windows\System32), wherever that is mounted.
    type: str
    vars: [{name: ansible_wsl_interop_system32}]
    env: [{name: ANSIBLE_WSL_INTEROP_SYSTEM32}]
    ini: [{section: wsl_interop, key: system32}]
  start_timeout:
    description: Seconds until Windows must have answered the first questions (who am I, who owns the distribution).
    type: int
    default: 60
    vars: [{name: ansible_wsl_interop_start_timeout}]
    env: [{name: ANSIBLE_WSL_INTEROP_START_TIMEOUT}]
    ini: [{section: wsl_interop, key: start_timeout}]
  command_timeout:
    description:
      - Seconds after which a command or the copy of a file is ended, in Windows, too. V(0) is for ever.
      - The keyword C(timeout) of a task works as well.
    type: int
    default: 0
    vars: [{name: ansible_wsl_interop_command_timeout}]
    env: [{name: ANSIBLE_WSL_INTEROP_COMMAND_TIMEOUT}]
    ini: [{section: wsl_interop, key: command_timeout}]
"""

EXAMPLES = r"""
# Both halves of the PC, from a terminal of the distribution that was opened as administrator.
all:
  hosts:
    windows:
      ansible_connection: wsl_interop
    wsl:
      ansible_connection: local
"""

display = Display()

PIECE = 64 * 1024  # bytes that are read or written at once
CHUNK = 192 * 1024  # bytes of a file in one line of base64
COMMAND_LINE = 32_767  # characters that CreateProcess takes
QUESTION = 30  # seconds for a program that only answers
ENDING = 15  # seconds for taskkill.exe to end a program
ELEVATED = re.compile(r"\bS-1-16-(12288|16384)\b")  # the integrity levels High and System
OPTIONS = "-NoProfile -NonInteractive -ExecutionPolicy Unrestricted "
# What Ansible (2.19: PowerShell, 2.21: powershell, and quotes) makes of a script; all else is a script itself.
ENCODED = re.compile(
    r"powershell (?P<options>(?:-(?:NoProfile|NonInteractive|ExecutionPolicy Unrestricted|InputFormat None) )*)"
    r"-EncodedCommand (?P<q>'?)(?P<script>[\w+/=]+)(?P=q)"
    r"(?: -EncodedArguments (?P<r>'?)(?P<arguments>[\w+/=]+)(?P=r))?",
    re.IGNORECASE,
)
# A script that begins in one of these ways takes no statement before that.
NO_STATEMENT_BEFORE = re.compile(
    r"(?:\s|#[^\n]*\n)*(?:using\s|(?:\[[^\]]*\]\s*)*param\s*\(|(?:begin|process|end|dynamicparam)\s*\{)", re.IGNORECASE
)
# So does what Ansible 2.21 sends with each module; a statement may follow.
PARAMETERS = re.compile(r"\s*param\s*\([^()]*\)", re.IGNORECASE)
WSL_CONF = "/etc/wsl.conf"
SOCKETS = "/run/WSL"  # the interop servers, one for each session: PID_interop
REGISTER = (
    "sudo sh -c 'echo :WSLInterop:M::MZ::/init:PF >/usr/lib/binfmt.d/WSLInterop.conf; systemctl restart systemd-binfmt'"
)
NEW_TERMINAL = 'Open a new terminal by "Run as administrator", start the distribution in it and run Ansible there.'
# The way of WSL to say that it did not reach Windows; it exits with 1 then (src/linux/init/util.cpp, binfmt.cpp).
NO_SERVER = re.compile(r"ERROR: Util\w+:.*", re.IGNORECASE)
NOT_STARTED = re.compile(r"\.exe: (.+)")
LXSS = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Lxss"
# While its input is open, Ansible lives. It ends without a word when that was killed: then the program must end, before
# what connects it with Linux does, since Windows forgets by then which processes the program has started.
GUARD = 'read -r word; [ "$word" ] || { "$1" /PID "$2" /T /F; kill -9 "$3"; } >/dev/null 2>&1'

UTF8 = "try { [Console]::OutputEncoding = New-Object Text.UTF8Encoding } catch {}"
# What fails is told in one line, not as PowerShell tells it in a window.
FILE = r"""
trap { [Console]::Error.WriteLine($_.Exception.GetBaseException().Message); exit 1 }
$ErrorActionPreference = 'Stop'
$path = $ExecutionContext.SessionState.Path.GetUnresolvedProviderPathFromPSPath('{path}')
function Get-Sum($File) { [BitConverter]::ToString([Security.Cryptography.SHA256]::Create().ComputeHash($File)).Replace('-', '') }
"""  # noqa: E501
HASH = r"""
$file = [IO.File]::Open($path, 'Open', 'Read', 'ReadWrite')
Get-Sum $file
"""
PUT = r"""
$file = [IO.File]::Create($path)
$input | & { process { $bytes = [Convert]::FromBase64String($_); $file.Write($bytes, 0, $bytes.Length) } }
$file.Position = 0
Get-Sum $file
$file.Dispose()
"""
FETCH = r"""
$file = [IO.File]::Open($path, 'Open', 'Read', 'ReadWrite')
$output = [Console]::OpenStandardOutput()
$file.CopyTo($output)
$output.Flush()
$file.Position = 0
[Console]::Error.WriteLine((Get-Sum $file))
"""


class Connection(ConnectionBase):
    """Windows through the interop of WSL."""

    transport = "wsl_interop"
    module_implementation_preferences = (".ps1", ".exe", "")
    allow_executable = False
    has_pipelining = True
    has_native_async = True
    always_pipeline_modules = True
    has_tty = False

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        self._shell_type = "powershell"
        super().__init__(*args, **kwargs)
        self._folder = "/"

    # --- the connection ----------------------------------------------------------------------------------------

    def _connect(self) -> Connection:
        if self.become:
            raise AnsibleError(
                f"A wsl_interop connection has no become ({self.become.name}): WSL starts Windows programs with the "
                "rights of the terminal. Set ansible_become to false for Windows, and open the terminal by "
                '"Run as administrator".'
            )
        if not self._connected:
            self._folder = self._asked_once()["folder"]
            self._connected = True
        return self

    def close(self) -> None:
        """Forget the connection. Nothing of it is left in Windows after a command."""
        self._connected = False

    def reset(self) -> None:
        """Ask Windows again."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._answers())
        self.close()
        self._connect()

    def _answers(self) -> str:
        """Return the file with what Windows has answered. It goes with Ansible's run; the tasks are processes of it."""
        key = hashlib.sha256(repr([self._system32(), self.get_option("elevated")]).encode()).hexdigest()[:16]
        return os.path.join(C.DEFAULT_LOCAL_TMP, f"wsl_interop-{key}.json")

    def _asked_once(self) -> dict[str, str]:
        """Return what Windows answers, and ask only where no task of this run has.

        :raises AnsibleConnectionFailure: there is no way to Windows, or its rights are not enough.
        """
        with open(self._answers(), "a+", encoding="utf-8") as file:
            fcntl.lockf(file, fcntl.LOCK_EX)
            file.seek(0)
            if known := file.read():
                return json.loads(known)
            display.vvv("ASK WINDOWS WHOSE AND HOW ELEVATED THE SESSION IS", host=self.get_option("remote_addr"))
            answers = self._ask()
            json.dump(answers, file)
        return answers

    def _ask(self) -> dict[str, str]:
        deadline = time.monotonic() + self.get_option("start_timeout")
        said = self._program("whoami.exe", "/user", "/groups", "/fo", "csv", "/nh", deadline=deadline)
        if self.get_option("elevated") and not ELEVATED.search(said):
            raise AnsibleConnectionFailure(
                "Windows does not treat this terminal as an administrator's, so nothing was changed. Open the terminal "
                'by "Run as administrator", start the distribution in it and run Ansible there. '
                "(A server of WSL that was started in another way may answer, too; wsl --shutdown ends it.)"
            )
        distribution = _wslpath("-w", "/").rstrip("\\").rpartition("\\")[2]
        owned = self._program("reg.exe", "query", LXSS, "/s", "/v", "DistributionName", deadline=deadline, fails=True)
        names = re.findall(r"\bREG_SZ\s+(\S.*?)\s*$", owned, re.MULTILINE)
        if distribution.lower() not in map(str.lower, names):
            account = said.strip().partition(",")[0].strip('"')
            raise AnsibleConnectionFailure(
                f"The Windows account {account} that this terminal belongs to does not own the distribution "
                f"{distribution or 'that Ansible runs in'}. Open the terminal as its owner, who must be an "
                "administrator: what is set up for one account is not seen by another."
            )
        profile = self._program("cmd.exe", "/d", "/c", "chcp 65001 >nul & echo %USERPROFILE%", deadline=deadline)
        folder = _mounted(profile.strip())
        return {"folder": folder if os.path.isdir(folder) else self._drive()}

    def _program(self, name: str, *arguments: str, deadline: float, fails: bool = False) -> str:
        """Ask a program of System32 and return its answer; ``fails``: whatever its exit code is.

        :raises AnsibleConnectionFailure: there is no answer.
        """
        argv = [os.path.join(self._system32(), name), *arguments]
        with self._running(argv, folder=self._drive(), limit=max(1.0, deadline - time.monotonic())) as program:
            program.finish()
        said, error = _decoded(bytes(program.stdout)), _decoded(bytes(program.stderr))
        if program.rc and not fails:
            raise AnsibleConnectionFailure(
                f"{name} in Windows failed (exit code {program.rc}): {(said + error).strip()}"
            )
        return said

    def _system32(self) -> str:
        """Return the folder of Windows' own programs, as Linux sees it."""
        folder = self.get_option("system32") or _mounted(r"C:\Windows\System32")
        if not folder:
            raise AnsibleConnectionFailure(
                "Drive C: is not mounted in this distribution, so no program of Windows can be started. Remove "
                f"enabled=false below [automount] in {WSL_CONF} and say wsl --shutdown in Windows, or mount it: "
                "sudo mkdir -p /mnt/c && sudo mount -t drvfs C: /mnt/c"
            )
        return folder

    def _drive(self) -> str:
        """Return a working folder that Windows knows as one of a drive: cmd.exe refuses those of a network."""
        return _mounted("C:\\") or os.path.dirname(self._system32())

    # --- one command -------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _running(
        self, argv: list[str], *, folder: str, limit: float = 0, mark: str = "", told: bool = True
    ) -> t.Iterator[_Program]:
        """Run a Windows program; however the block is left, none of it lives longer.

        :param limit: seconds; 0 is for ever.
        :param mark: what the program writes before its number in Windows, to stderr.
        :param told: whether one that writes nothing of its own has not been started.
        :raises AnsibleConnectionFailure: WSL did not start it.
        """
        length = sum(len(word) + 3 for word in argv)
        if length > COMMAND_LINE:
            raise AnsibleError(
                f"The command makes a line of {length} characters, and Windows takes {COMMAND_LINE}. Put it into a "
                "file and use the module script, or ansible.windows.win_shell."
            )
        taskkill = os.path.join(self._system32(), "taskkill.exe")
        try:
            program = _Program(argv, folder, _environment(), limit, mark, taskkill)
        except OSError as error:
            raise AnsibleConnectionFailure(_why_not_started(error, argv[0])) from error
        try:
            yield program
        finally:
            program.end()
        if program.timed_out:
            raise AnsibleConnectionFailure(
                f"{os.path.basename(argv[0])} did not end within {limit:.0f} seconds, and was ended in Windows."
            )
        if program.rc < 0 or (program.rc and not program.reachable()):
            raise AnsibleConnectionFailure(f"The session ended while {os.path.basename(argv[0])} ran. {NEW_TERMINAL}")
        if program.rc and not program.windows_pid and told:
            _raise_where_wsl_failed(_decoded(bytes(program.stderr)))

    def _powershell(
        self,
        script: str,
        stdin: t.Iterable[bytes] = (),
        sink: t.Callable[[bytes], t.Any] | None = None,
        options: str = OPTIONS,
        arguments: str | None = None,
    ) -> tuple[int, bytes, bytes]:
        """Run a PowerShell script; return exit code, stdout (unless it goes to ``sink``) and stderr in UTF-8."""
        mark = f"wsl_interop:{secrets.token_hex(8)}:"
        first = f"{UTF8}; [Console]::Error.WriteLine('{mark}' + $PID)"
        parameters = found[0] + "\n" if (found := PARAMETERS.match(script)) else ""
        told = bool(parameters) or not NO_STATEMENT_BEFORE.match(script)
        if told:
            script = f"{parameters}{first}\n{script[len(parameters[:-1]) :]}"
        powershell = os.path.join(self._system32(), "WindowsPowerShell", "v1.0", "powershell.exe")
        encoded = base64.b64encode(script.encode("utf-16-le", "surrogatepass")).decode()
        argv = [powershell, *options.split(), "-EncodedCommand", encoded]
        argv += ["-EncodedArguments", arguments] if arguments else []
        limit = self.get_option("command_timeout")
        with self._running(argv, folder=self._folder, limit=limit, mark=mark, told=told) as program:
            program.finish(stdin, sink)
        stderr = bytes(program.stderr)
        if program.rc and told and not (program.windows_pid or stderr):
            stderr = b"PowerShell did not run the script and does not tell why; as a rule, it is not valid PowerShell."
        return program.rc, bytes(program.stdout), to_bytes(_without_clixml(self._text(stderr)), errors="surrogatepass")

    def _text(self, data: bytes) -> str:
        """Return what PowerShell has said: UTF-8, or what the console began with if it failed before it took that."""
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            said = self._program("chcp.com", deadline=time.monotonic() + QUESTION, fails=True)
            page = f"cp{''.join(re.findall('[0-9]', said)) or 437}"
            with contextlib.suppress(LookupError):
                codecs.lookup(page)
                return data.decode(page, "replace")
            return data.decode("cp437")

    # --- what Ansible calls ------------------------------------------------------------------------------------

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command line of Ansible's, or a PowerShell script (raw), in Windows."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv("EXEC (by powershell.exe)", host=self.get_option("remote_addr"))
        cmd, given = to_text(cmd), [in_data] if in_data else ()
        if not (line := ENCODED.fullmatch(cmd)):
            return self._powershell(cmd, given)
        script = base64.b64decode(line["script"]).decode("utf-16-le", "surrogatepass")
        return self._powershell(script, given, options=line["options"], arguments=line["arguments"])

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into Windows."""
        super().put_file(in_path, out_path)
        out_path = _unquoted(out_path)
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        if not os.path.exists(to_bytes(in_path, errors="surrogate_or_strict")):
            raise AnsibleFileNotFound(f"There is no file {in_path}.")
        digest = hashlib.sha256()
        with open(to_bytes(in_path, errors="surrogate_or_strict"), "rb") as file:
            pieces = _hashed(file, digest)
            if self._over_the_mount(out_path, "wb", lambda there: [there.write(piece) for piece in pieces]):
                rc, answer, stderr = self._powershell(self._with_path(HASH, out_path))
            else:
                file.seek(0)
                digest = hashlib.sha256()
                lines = (base64.b64encode(piece) + b"\r\n" for piece in _hashed(file, digest, CHUNK))
                rc, answer, stderr = self._powershell(self._with_path(PUT, out_path), lines)
        _verify(f"put {in_path} to {out_path}", rc, answer, stderr, digest)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of Windows."""
        super().fetch_file(in_path, out_path)
        in_path = _unquoted(in_path)
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        partial = to_bytes(f"{out_path}.{secrets.token_hex(4)}.part", errors="surrogate_or_strict")
        digest = hashlib.sha256()
        try:
            with open(partial, "wb") as file:

                def keep(data: bytes) -> None:
                    digest.update(data)
                    file.write(data)

                if self._over_the_mount(in_path, "rb", lambda there: [keep(data) for data in _pieces(there)]):
                    rc, answer, stderr = self._powershell(self._with_path(HASH, in_path))
                else:
                    file.truncate(0)
                    file.seek(0)
                    digest = hashlib.sha256()
                    rc, _, stderr = self._powershell(self._with_path(FETCH, in_path), sink=keep)
                    answer = stderr
            _verify(f"fetch {in_path} to {out_path}", rc, answer, stderr, digest)
            os.replace(partial, to_bytes(out_path, errors="surrogate_or_strict"))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)

    @staticmethod
    def _with_path(script: str, path: str) -> str:
        return FILE.replace("{path}", re.sub("(['\u2018\u2019\u201a\u201b])", r"\1\1", path)) + script

    def _over_the_mount(self, path: str, mode: str, copy: t.Callable[[t.BinaryIO], t.Any]) -> bool:
        """Copy a file over the mounted drive; return whether that was possible.

        Where it was not, PowerShell copies it, or tells why nobody can.
        """
        place = _mounted(path)
        if not place:
            return False
        try:
            with open(to_bytes(place), mode) as file:
                copy(file)
        except OSError as error:
            display.vvv(f"NOT OVER {place}: {error}", host=self.get_option("remote_addr"))
            return False
        return True


class _Program:
    """A Windows program that WSL has started: its input, its output, and its end.

    ``process`` is the /init that WSL puts between: it hands input, output and exit code on.
    """

    def __init__(
        self, argv: list[str], folder: str, environment: dict[str, str], limit: float, mark: str, taskkill: str
    ) -> None:
        self.stdout, self.stderr, self.windows_pid, self.timed_out, self.rc = bytearray(), bytearray(), "", False, -1
        self._mark = re.compile(re.escape(mark.encode()) + rb"(\d+)\r?\n") if mark else None
        self._taskkill, self._folder, self._environment = taskkill, folder, environment
        self._deadline = time.monotonic() + limit if limit else None
        self._guard: subprocess.Popen[bytes] | None = None
        pipe = subprocess.PIPE
        # A session of its own: Ansible kills its group first, and then nothing could end the program in Windows.
        self.process = subprocess.Popen(
            argv, stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment, start_new_session=True
        )

    def finish(self, stdin: t.Iterable[bytes] = (), sink: t.Callable[[bytes], t.Any] | None = None) -> None:
        """Hand input over and take output until the program has ended or its time is over."""
        process, feed = self.process, _Feed(stdin)
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ, sink or self.stdout.extend)
            selector.register(process.stderr, selectors.EVENT_READ, self._take_stderr)
            selector.register(process.stdin, selectors.EVENT_WRITE)
            os.set_blocking(process.stdin.fileno(), False)
            while selector.get_map():
                left = self._deadline - time.monotonic() if self._deadline else None
                if left is not None and left <= 0:
                    self.timed_out = True
                    return
                for key, _ in selector.select(left):
                    if key.fileobj is process.stdin:
                        if not feed.write(key.fd):
                            selector.unregister(process.stdin)
                            process.stdin.close()
                    elif data := os.read(key.fd, PIECE):
                        key.data(data)
                    else:
                        selector.unregister(key.fileobj)
        left = self._deadline - time.monotonic() if self._deadline else None
        try:
            self.rc = process.wait(left)
        except subprocess.TimeoutExpired:
            self.timed_out = True

    def _take_stderr(self, data: bytes) -> None:
        """Keep what the program has said, without the mark; the first that comes of it is its number in Windows."""
        self.stderr += data
        if self._mark and not self.windows_pid and (found := self._mark.search(self.stderr)):
            self.windows_pid = found[1].decode()
            del self.stderr[found.start() : found.end()]
            self._guard = subprocess.Popen(
                ["/bin/sh", "-c", GUARD, "sh", self._taskkill, self.windows_pid, str(self.process.pid)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )

    def end(self) -> None:
        """End the program in Windows, with what it has started, unless it has ended by itself."""
        ended = self.process.returncode is not None
        if not ended and self._mark and not self.windows_pid:
            self._wait_for_mark()
        if self._guard:
            self._dismiss(ended)
        if not ended:
            self.process.kill()  # WSL then ends the program by itself, but nothing that this has started
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            with contextlib.suppress(OSError):
                pipe.close()

    def _dismiss(self, ended: bool) -> None:
        """Let the guard go, or have it do its work."""
        with contextlib.suppress(BrokenPipeError), self._guard.stdin as word:
            word.write(b"ended\n" if ended else b"")
        try:
            self._guard.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()

    def reachable(self) -> bool:
        """Whether the session that the program was started in is still there."""
        socket = self._environment.get("WSL_INTEROP")
        return not socket or os.path.exists(socket)

    def _wait_for_mark(self) -> None:
        """Wait until a program that has just been started has told its number."""
        until = time.monotonic() + ENDING
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stderr, selectors.EVENT_READ)
            while not self.windows_pid and (left := until - time.monotonic()) > 0 and selector.select(left):
                data = os.read(self.process.stderr.fileno(), PIECE)
                if not data:
                    return
                self._take_stderr(data)


class _Feed:
    """Input for a program, as fast as it takes it."""

    def __init__(self, pieces: t.Iterable[bytes]) -> None:
        self._pieces, self._rest = iter(pieces), memoryview(b"")

    def write(self, fd: int) -> bool:
        """Write what a pipe takes now; return whether there is more and somebody who reads it."""
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._rest = memoryview(piece)
        try:
            self._rest = self._rest[os.write(fd, self._rest[:PIECE]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:
            return False
        return True


def _environment() -> dict[str, str]:
    """Return the environment to start a Windows program with: nothing for itself, the way to Windows for WSL.

    WSL finds the server of its session by $WSL_INTEROP, or at one of the parents; what is started here may live longer
    than its parents.
    """
    environment = {name: value for name, value in os.environ.items() if name != "WSLENV"}
    pid = os.getpid()
    while pid > 0 and not os.path.exists(environment.get("WSL_INTEROP", "")):
        environment["WSL_INTEROP"] = f"{SOCKETS}/{pid}_interop"
        pid = _parent(pid)
    if not os.path.exists(environment.get("WSL_INTEROP", "")):
        environment.pop("WSL_INTEROP", None)
    return environment


def _parent(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return int(file.read().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return 0


def _switched_off() -> str:
    """Return cause and remedy where this distribution does not want programs of Windows; else an empty string.

    The list of binfmt_misc is one for all distributions: another one may have put the entry there.
    """
    conf = configparser.RawConfigParser(strict=False, allow_no_value=True)
    with contextlib.suppress(OSError, configparser.Error):
        conf.read(WSL_CONF, encoding="utf-8")
    sections = {name.lower(): name for name in conf.sections()}
    enabled = conf.get(sections["interop"], "enabled", fallback="true") if "interop" in sections else "true"
    if str(enabled).strip().lower() in ("false", "0"):
        return (
            f"Programs of Windows are switched off in this distribution: {WSL_CONF} says enabled={enabled} below "
            "[interop]. Remove that line and say wsl --shutdown in Windows."
        )
    return ""


def _why_not_started(error: OSError, path: str) -> str:
    """Return cause and remedy where Linux could not start a program of Windows."""
    if error.errno == errno.ENOENT:
        return f"There is no {path}. Set ansible_wsl_interop_system32 to the folder System32 of this Windows."
    if error.errno != errno.ENOEXEC:
        return f"{path} can not be started: {error.strerror}."
    if reason := _switched_off():
        return reason
    return (
        "Linux does not know how to start a program of Windows: the entry WSLInterop of binfmt_misc is missing, as "
        f"happens when systemd-binfmt or qemu clears the list. Fix it with: {REGISTER}"
    )


def _raise_where_wsl_failed(stderr: str) -> None:
    """Raise what keeps WSL from Windows, if that is what it has said."""
    if found := NO_SERVER.search(stderr):
        if reason := _switched_off():
            raise AnsibleConnectionFailure(reason)
        raise AnsibleConnectionFailure(
            "The terminal that this shell came from is closed, or its session has ended, and with it the way to "
            f"Windows. {NEW_TERMINAL} (WSL says: {found[0].strip()})"
        )
    if found := NOT_STARTED.search(stderr):
        raise AnsibleConnectionFailure(
            f"Windows did not start the program (WSL says: {stderr.strip()}). {NEW_TERMINAL}"
        )


def _wslpath(direction: str, path: str) -> str:
    """Return what WSL makes of a path: ``-u`` for Linux, ``-w`` for Windows; empty where it does not know one.

    :raises AnsibleConnectionFailure: this is no WSL distribution.
    """
    try:
        done = subprocess.run(["wslpath", direction, path], capture_output=True, timeout=QUESTION, check=False)
    except FileNotFoundError as error:
        raise AnsibleConnectionFailure(
            "There is no wslpath, so this is no WSL distribution. wsl_interop works from inside one; from elsewhere "
            "use the connection winrm."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise AnsibleConnectionFailure(f"wslpath has not answered within {QUESTION} seconds.") from error
    return done.stdout.decode("utf-8", "surrogateescape").rstrip("\n") if done.returncode == 0 else ""


@functools.lru_cache
def _mounted_drive(letter: str) -> str:
    return _wslpath("-u", f"{letter}:\\")


def _mounted(path: str) -> str:
    r"""Return the place of a Windows path (``C:\folder\file``) in Linux; empty where its drive is not mounted."""
    drive, colon, rest = path.partition(":")
    if not re.fullmatch("[A-Za-z]", drive) or not colon or not re.fullmatch(r'[\\/][^:*?"<>|]*', rest):
        return ""
    root = _mounted_drive(drive.upper())
    return os.path.join(root, *filter(None, re.split(r"[\\/]+", rest))) if root else ""


def _unquoted(path: str) -> str:
    """Return a path without the quotes that Ansible 2.19 puts around some."""
    return path[1:-1] if len(path) > 1 and path[0] == path[-1] and path[0] in "'\"" else path


def _pieces(file: t.BinaryIO, size: int = PIECE) -> t.Iterator[bytes]:
    while data := file.read(size):
        yield data


def _hashed(file: t.BinaryIO, digest: t.Any, size: int = PIECE) -> t.Iterator[bytes]:
    for piece in _pieces(file, size):
        digest.update(piece)
        yield piece


def _verify(what: str, rc: int, answer: bytes, stderr: bytes, digest: t.Any) -> None:
    if rc != 0:
        raise AnsibleError(f"Could not {what}: {to_native(stderr).strip()}")
    if digest.hexdigest() not in to_text(answer).lower().split():
        raise AnsibleError(f"Could not {what}: the SHA-256 sums differ. {to_native(stderr).strip()}".strip())


def _decoded(data: bytes) -> str:
    """Return what a program has said as text of which the ASCII counts."""
    return data.decode("utf-8", "replace").replace("\r\n", "\n")


def _without_clixml(text: str) -> str:
    """Return the text of errors where PowerShell has written them as objects (CLIXML); everything else stays."""
    text = re.sub(r"#< CLIXML\r?\n", "", text)
    return re.sub(r"<Objs .*?</Objs>", _errors, text, flags=re.DOTALL)


def _errors(found: re.Match[str]) -> str:
    """Return the errors of one element; PowerShell writes each UTF-16 unit that is not plain as _xHHHH_."""
    try:
        strings = [node for node in ET.fromstring(found[0]).iter() if node.tag.rpartition("}")[2] == "S"]
    except ET.ParseError:
        return found[0]
    text = "".join(node.text or "" for node in strings if node.get("S") == "Error")
    text = re.sub("_x([0-9A-Fa-f]{4})_", lambda unit: chr(int(unit[1], 16)), text)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
