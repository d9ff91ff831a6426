"""Run tasks in a WSL distribution through the WinRM endpoint of its Windows host."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import hashlib
import itertools
import os
import re
import secrets
import shlex
import time
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_native, to_text
from ansible.plugins.connection import ConnectionBase
from ansible.utils.display import Display

try:
    from winrm.exceptions import InvalidCredentialsError, WinRMOperationTimeoutError, WSManFaultError
    from winrm.protocol import Protocol

    WINRM_MISSING: ImportError | None = None
except ImportError as error:
    WINRM_MISSING = error

DOCUMENTATION = r"""
name: wsl_winrm
short_description: Run tasks in a WSL distribution through the WinRM endpoint of its Windows host
author: wsl-dl-playbook contributors
description:
  - Each command is C("...\wsl.exe" -d DISTRIBUTION -u USER --cd / --exec /bin/bash); what bash is to do, and then the
    module, arrive on its standard input. Windows needs nothing but WinRM, the distribution nothing but bash, coreutils
    and Python.
  - The connection plugin C(community.general.wsl) does this over SSH only, so it needs an SSH server in Windows; this
    one uses the endpoint that the C(winrm) connection uses already.
  - Windows starts every WinRM command by C(cmd.exe /C), whatever a client asks for, so that line is one that cmd.exe
    leaves as it is - two quotes around the program, nothing that it gives a meaning to - and nothing of an Ansible
    command is on it. What that cmd.exe writes by itself (C(AutoRun)) is not taken for output of the command. Files go
    both ways as base64 text and are verified by SHA-256.
  - The host is unreachable when the connection breaks, when C(wsl.exe) itself fails (its code C(Wsl/Service/...) is in
    the message), and when a command fails without having told that it ran to its end.
requirements: [pywinrm >= 0.5.0]
notes:
  - Distributions belong to the Windows account that installed them, and C(wsl.exe) refuses LocalSystem, so
    O(winrm_user) must be the person who works in the distribution.
  - WSL stops a distribution, with its services, some 15 seconds after its last Windows client has gone. See
    O(keep_alive), or set C(instanceIdleTimeout=-1) in C(.wslconfig).
  - Kerberos tickets are not requested; call C(kinit) first.
options:
  remote_addr:
    description: Address of the Windows host.
    type: str
    default: inventory_hostname
    vars: [{name: inventory_hostname}, {name: ansible_host}, {name: ansible_winrm_host}]
  distribution:
    description: Name of the distribution, as C(wsl.exe --list) shows it.
    type: str
    required: true
    vars: [{name: wsl_distribution}, {name: ansible_wsl_distribution}]
    env: [{name: ANSIBLE_WSL_DISTRIBUTION}]
    ini: [{section: wsl_winrm, key: distribution}]
  remote_user:
    description:
      - The Linux user. Without it the default user of the distribution.
      - It is not the Windows account, since Ansible expands C(~USER) with it; that is O(winrm_user).
    type: str
    vars: [{name: ansible_user}, {name: ansible_wsl_user}]
    env: [{name: ANSIBLE_REMOTE_USER}]
    ini: [{section: defaults, key: remote_user}]
    keyword: [{name: remote_user}]
  winrm_user:
    description:
      - The Windows account that owns the distribution.
      - There is no default. In particular C(ansible_user) is not used, since it is the Linux user.
    type: str
    vars: [{name: ansible_winrm_user}]
    env: [{name: ANSIBLE_WSL_WINRM_USER}]
    ini: [{section: wsl_winrm, key: winrm_user}]
  winrm_password:
    description: Password of O(winrm_user). C(wsl.exe) needs none for the Linux user, so C(ansible_password) is it too.
    type: str
    aliases: [password]
    vars: [{name: ansible_password}, {name: ansible_winrm_pass}, {name: ansible_winrm_password}]
  wsl_exe:
    description:
      - Path of C(wsl.exe). The one in C(System32) may fail in a WinRM session.
      - A path with a character to which cmd.exe gives a meaning, such as an ampersand or a parenthesis, is refused.
    type: str
    default: C:\Program Files\WSL\wsl.exe
    vars: [{name: ansible_wsl_exe}]
    env: [{name: ANSIBLE_WSL_EXE}]
    ini: [{section: wsl_winrm, key: wsl_exe}]
  keep_alive:
    description:
      - Keep the distribution running for at least half this many seconds after a task, by a Windows client that sleeps
        in it. V(0) does not; other values count as V(60) at least.
    type: int
    default: 0
    vars: [{name: ansible_wsl_keep_alive}]
    env: [{name: ANSIBLE_WSL_KEEP_ALIVE}]
    ini: [{section: wsl_winrm, key: keep_alive}]
  pipelining:
    description: Feed modules through standard input instead of a temporary file, which takes several times as long.
    type: bool
    default: true
    vars: [{name: ansible_pipelining}, {name: ansible_wsl_pipelining}]
    env: [{name: ANSIBLE_PIPELINING}]
    ini: [{section: defaults, key: pipelining}, {section: connection, key: pipelining}]
  become_timeout:
    description: Seconds to wait until C(become) asks for its password, or accepts it.
    type: int
    default: 15
    vars: [{name: ansible_wsl_become_timeout}]
  port:
    description: Port of WinRM; 5985 is usual for HTTP.
    type: int
    default: 5986
    vars: [{name: ansible_port}, {name: ansible_winrm_port}]
    keyword: [{name: port}]
  scheme:
    description: V(http) or V(https). Without it V(http) if O(port) is 5985, else V(https).
    type: str
    choices: [http, https]
    vars: [{name: ansible_winrm_scheme}]
  path: {description: Path of the WinRM endpoint., type: str, default: /wsman, vars: [{name: ansible_winrm_path}]}
  transport:
    description: Way to log on.
    type: str
    choices: [ntlm, kerberos, credssp, basic, plaintext, certificate, ssl]
    default: ntlm
    vars: [{name: ansible_winrm_transport}]
  server_cert_validation:
    description: Whether the certificate of an HTTPS endpoint must be valid.
    type: str
    choices: [validate, ignore]
    default: validate
    vars: [{name: ansible_winrm_server_cert_validation}]
  ca_trust_path:
    description:
      - File or folder with the certificates to trust, instead of the system's; relative to the working directory.
      - V(legacy_requests) means the system's, as for pywinrm.
    type: str
    default: legacy_requests
    vars: [{name: ansible_winrm_ca_trust_path}]
  cert_pem: {description: Client certificate (file)., type: path, vars: [{name: ansible_winrm_cert_pem}]}
  cert_key_pem: {description: Key of O(cert_pem) (file)., type: path, vars: [{name: ansible_winrm_cert_key_pem}]}
  message_encryption:
    description: Encrypt messages; V(auto) does over HTTP, where the way to log on can.
    type: str
    choices: [auto, always, never]
    default: auto
    vars: [{name: ansible_winrm_message_encryption}]
  operation_timeout_sec:
    description: Seconds after which Windows answers that a command still runs; commands may run longer.
    type: int
    default: 60
    vars: [{name: ansible_winrm_operation_timeout_sec}]
  read_timeout_sec:
    description:
      - Seconds without any answer after which the host is unreachable. Must exceed O(operation_timeout_sec).
      - Windows may say only after a minute that a silent command still runs, whatever O(operation_timeout_sec) is.
    type: int
    default: 90
    vars: [{name: ansible_winrm_read_timeout_sec}]
  connection_timeout:
    description: Sets O(operation_timeout_sec) to this value and O(read_timeout_sec) to 10 seconds more, at least to 90.
    type: int
    vars: [{name: ansible_winrm_connection_timeout}]
  proxy:
    description: URL of an HTTP proxy for WinRM itself. The control node's C(http_proxy) and the like never apply.
    type: str
    vars: [{name: ansible_winrm_proxy}]
  send_cbt:
    description: Bind the log-on to the TLS channel.
    type: bool
    default: true
    vars: [{name: ansible_winrm_send_cbt}]
  service:
    description: Service name of a Kerberos ticket.
    type: str
    default: HTTP
    vars: [{name: ansible_winrm_service}]
  kerberos_delegation:
    description: Forward the Kerberos ticket.
    type: bool
    default: false
    vars: [{name: ansible_winrm_kerberos_delegation}]
  kerberos_hostname_override:
    description: Host name for Kerberos, if it is not O(remote_addr).
    type: str
    vars: [{name: ansible_winrm_kerberos_hostname_override}]
  credssp_disable_tlsv1_2:
    description: Use TLS 1.0 inside CredSSP.
    type: bool
    default: false
    vars: [{name: ansible_winrm_credssp_disable_tlsv1_2}]
"""

EXAMPLES = r"""
# The Windows host and its distribution are two hosts with one endpoint.
wsl:
  hosts:
    pc1-wsl:
      ansible_connection: wsl_winrm
      ansible_host: 192.168.1.20
      ansible_winrm_user: me
      ansible_winrm_password: "{{ vault_pc1 }}"
      ansible_wsl_distribution: Ubuntu-24.04
      ansible_user: root
"""

display = Display()

CHUNK = 210_000  # bytes of a file per message: with base64 twice and a header still below MaxEnvelopeSizekb (500)
SEND = 280_000  # bytes of input per message
COMMAND_LINE = 8191  # characters that cmd.exe takes
NAME = re.compile(r"[\w.+][\w.+-]*")  # of a distribution or a user
PATH = re.compile(r"[\w .:\\/~+#$'{}\[\]-]+")  # what cmd.exe gives no meaning to, with and without quotes
CMD_FAILED = (1, 9009)  # exit codes of cmd.exe that has not found the program
READ_TIMEOUT = 90  # seconds, at least
TOO_MANY_OPERATIONS = 0x803381A6  # of one shell; a new one starts at zero
WSL_CODE = re.compile(r"\b(?:Wsl|WSL)/[\w/]+")
REMEDIES = {
    "WSL_E_DISTRO_NOT_FOUND": "{distribution} is not registered for the Windows account {account}. Distributions "
    "belong to the account that installed them: install it as {account}, or set ansible_winrm_user to its owner.",
    "WSL_E_LOCAL_SYSTEM_NOT_SUPPORTED": "wsl.exe refuses LocalSystem. Set ansible_winrm_user to the person who owns "
    "{distribution}.",
    "ERROR_CANT_ACCESS_FILE": "This wsl.exe does not work in a WinRM session. Set ansible_wsl_exe to the one in "
    "C:\\Program Files\\WSL.",
    "WSL_E_USER_NOT_FOUND": "{distribution} has no Linux user {user}. Set ansible_user.",
}
PROTOCOL_OPTIONS = [
    "transport", "server_cert_validation", "cert_pem", "cert_key_pem", "message_encryption", "operation_timeout_sec",
    "read_timeout_sec", "proxy", "send_cbt", "service", "kerberos_delegation", "kerberos_hostname_override",
    "credssp_disable_tlsv1_2",
]  # fmt: skip


class Connection(ConnectionBase):
    """WSL over WinRM."""

    transport = "wsl_winrm"
    has_pipelining = True
    has_tty = False

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        self._protocol: Protocol | None = None
        self._shell_id: str | None = None
        self._ended: str | None = None

    # --- the connection ----------------------------------------------------------------------------------------

    def _connect(self) -> Connection:
        if WINRM_MISSING:
            raise AnsibleError(f"pywinrm is missing: {WINRM_MISSING}. Install pywinrm 0.5.0 or newer.")
        if self._connected:
            return self
        if not self.get_option("winrm_user") and self.get_option("transport") not in ("kerberos", "certificate"):
            raise AnsibleError("Set ansible_winrm_user to the Windows account that owns the distribution.")
        self._refuse_what_cmd_would_change()
        with self._failure_means_unreachable():
            self._protocol = Protocol(**self._protocol_arguments())
            # pywinrm has read the environment for this session; requests would read it again for each message.
            self._protocol.transport.build_session().trust_env = False
            self._open_shell()
            self._connected = True
            self._keep_alive()
        return self

    def _refuse_what_cmd_would_change(self) -> None:
        for option, allowed in (("distribution", NAME), ("remote_user", NAME), ("wsl_exe", PATH)):
            value = self.get_option(option) or ""
            if value and not allowed.fullmatch(value):
                others = dict.fromkeys(char for char in value if not allowed.fullmatch(f"x{char}"))
                found = " ".join(map(repr, others or value[:1]))
                raise AnsibleError(
                    f"{value!r} can not be the {option} of a wsl_winrm connection: Windows starts each WinRM command "
                    f"by cmd.exe, and that or wsl.exe would take {found} for something else. Use a name without it."
                )
        if len(self._command_line()) > COMMAND_LINE:
            raise AnsibleError(f"Paths and names make a line longer than the {COMMAND_LINE} characters of cmd.exe.")

    def _command_line(self) -> str:
        """Return what Windows starts: the same with and without a cmd.exe that parses it."""
        user = f" -u {self.get_option('remote_user')}" if self.get_option("remote_user") else ""
        return f'"{self.get_option("wsl_exe")}" -d {self.get_option("distribution")}{user} --cd / --exec /bin/bash'

    def _endpoint(self) -> str:
        host, port = self.get_option("remote_addr"), self.get_option("port")
        scheme = self.get_option("scheme") or ("http" if port == 5985 else "https")
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/{self.get_option('path').lstrip('/')}"

    def _protocol_arguments(self) -> dict[str, t.Any]:
        arguments = {name: self.get_option(name) for name in PROTOCOL_OPTIONS}
        arguments |= {"ca_trust_path": os.path.expanduser(self.get_option("ca_trust_path"))}
        arguments |= {"endpoint": self._endpoint()}
        arguments |= {"username": self.get_option("winrm_user"), "password": self.get_option("winrm_password")}
        if (seconds := self.get_option("connection_timeout")) is not None:
            arguments |= {"operation_timeout_sec": seconds, "read_timeout_sec": max(seconds + 10, READ_TIMEOUT)}
        return arguments

    def _open_shell(self) -> None:
        self._shell_id = self._protocol.open_shell(codepage=65001, env_vars={"WSL_UTF8": "1"})

    def _keep_alive(self) -> None:
        """Leave a client in the distribution, unless one of this run (any fork, by a file) stays long enough."""
        if not (seconds := self.get_option("keep_alive")):
            return
        seconds = max(60, seconds)
        place = f"{self._endpoint()} {self.get_option('winrm_user')} {self.get_option('distribution')}"
        with open(f"{C.DEFAULT_LOCAL_TMP}/wsl_winrm-{hashlib.sha256(place.encode()).hexdigest()[:16]}", "a") as stamp:
            fcntl.flock(stamp, fcntl.LOCK_EX)
            if stamp.tell() and time.time() - os.fstat(stamp.fileno()).st_mtime < seconds / 2:
                return
            shell = self._protocol.open_shell(idle_timeout=f"PT{seconds}S", env_vars={"WSL_UTF8": "1"})
            command = self._run_command(shell)
            with contextlib.suppress(WSManFaultError):  # it has failed, as the next command will: that one tells why
                self._protocol.send_command_input(shell, command, f"exec sleep {seconds}\n".encode(), end=True)
            stamp.write(".")

    def reset(self) -> None:
        """Start with a new WinRM shell. Ends nothing in the distribution: no session of the Linux user lasts."""
        self.close()
        self._connect()

    def close(self) -> None:
        """Close the WinRM shell, with what still runs in it."""
        protocol, shell = self._protocol, self._shell_id
        self._forget()
        if protocol and shell:
            try:
                protocol.close_shell(shell)
            except Exception as error:  # the work is done; Windows drops the shell by itself in time
                display.vvv(f"WINRM SHELL NOT CLOSED: {to_native(error)}", host=self.get_option("remote_addr"))

    def _forget(self) -> None:
        self._protocol, self._shell_id, self._ended, self._connected = None, None, None, False

    @contextlib.contextmanager
    def _failure_means_unreachable(self) -> t.Iterator[None]:
        """Turn whatever pywinrm and its libraries raise into AnsibleConnectionFailure, and drop the connection."""
        try:
            yield
        except AnsibleError:
            raise
        except Exception as error:
            self._forget()
            text = getattr(error, "reason", None) or to_text(error) or type(error).__name__
            if isinstance(error, InvalidCredentialsError):
                text = f"{text}: Windows account {self.get_option('winrm_user')}"
            if "CERTIFICATE_VERIFY_FAILED" in text:
                text += ". Set ansible_winrm_ca_trust_path to the certificate of the host."
            raise AnsibleConnectionFailure(f"WinRM on {self._endpoint()}: {text}") from error

    # --- one command -------------------------------------------------------------------------------------------

    def _run_command(self, shell: str) -> str:
        """Start a bash in the distribution, which reads what to do from its standard input; return the command's id."""
        return self._protocol.run_command(shell, self._command_line(), console_mode_stdin=False)

    def _start(self) -> str:
        """Start a bash in the shell of this connection and return the command's id."""
        try:
            return self._run_command(self._shell_id)
        except WSManFaultError as error:
            if error.wmierror_code != TOO_MANY_OPERATIONS:
                raise
        self._protocol.close_shell(self._shell_id, close_session=False)
        self._open_shell()
        return self._run_command(self._shell_id)

    def _execute(
        self,
        script: str,
        stdin: t.Iterable[bytes] | None = None,
        *,
        sink: t.Callable[[bytes], t.Any] | None = None,
        become: bool = False,
    ) -> tuple[int, bytes, bytes]:
        """Run a bash script as the Linux user and return exit code, stdout (unless it goes to ``sink``) and stderr.

        :raises AnsibleConnectionFailure: there is no certain result.
        """
        with self._failure_means_unreachable():
            self._clean_up()
            mark = f"wsl_winrm:{secrets.token_hex(4)}"
            task = _task(script, mark, stdin is not None or become)
            command = self._start()
            output = _Output(self._protocol, self._shell_id, command, mark.encode(), sink)
            refused = None
            if become:
                refused = self._send(command, task, last=False)
                task = b""
                self._answer_prompt(command, output)
            messages = _messages(task, stdin or ())
            message = next(messages, None)
            while message is not None and not refused and not output.done:
                following = next(messages, None)
                refused = self._send(command, message, last=following is None)
                message = following
            output.read_all()
            if refused and output.rc == 0:
                raise refused
            self._ended = command
        return output.rc, b"".join(output.stdout), self._checked_stderr(output)

    def _clean_up(self) -> None:
        """Let Windows forget the command before, if there was one; the last one goes with its shell.

        Its result is complete, so a failure costs no more than a new connection.
        """
        if not self._ended:
            return
        command, self._ended = self._ended, None
        try:
            self._protocol.cleanup_command(self._shell_id, command)
        except Exception as error:
            display.vvv(f"WINRM COMMAND NOT CLEANED UP: {to_native(error)}", host=self.get_option("remote_addr"))
            self._forget()
            self._connect()

    def _send(self, command: str, data: bytes, last: bool) -> Exception | None:
        """Send input. A command that has ended takes none: then the fault is returned, and the output tells more."""
        try:
            self._protocol.send_command_input(self._shell_id, command, data, end=last)
        except WSManFaultError as error:
            return error
        return None

    def _checked_stderr(self, output: _Output) -> bytes:
        """Return stderr without the mark of an orderly end.

        :raises AnsibleConnectionFailure: wsl.exe failed, or the command failed and a mark is missing.
        """
        before, found, after = b"".join(output.stderr).rpartition(output.mark)
        if output.began and 0 <= output.rc <= 255 and (found or output.rc == 0):
            return before + after
        said = bytes(output.before) + b"".join(output.stdout)
        text = " ".join(part for part in (_decode(said), _decode(b"".join(output.stderr))) if part)
        code = found_code[0] if (found_code := WSL_CODE.search(text)) else f"exit code {output.rc}"
        remedy = REMEDIES.get(code.rpartition("/")[2], "")
        if not found_code and output.rc in CMD_FAILED and not output.began:
            remedy = "If Windows did not find {wsl_exe}: install WSL's package, or set ansible_wsl_exe to its place."
        remedy = remedy.format(
            wsl_exe=self.get_option("wsl_exe"),
            distribution=self.get_option("distribution"),
            account=self.get_option("winrm_user"),
            user=self.get_option("remote_user"),
        )
        where = f"{self.get_option('distribution')} on {self.get_option('remote_addr')}"
        raise AnsibleConnectionFailure(f"wsl.exe did not run the command in {where} ({code}). {remedy} {text}".strip())

    def _answer_prompt(self, command: str, output: _Output) -> None:
        """Give become its password if it asks for one, and wait until it is content or the command has ended."""
        deadline, asked_at = time.monotonic() + self.get_option("become_timeout"), None
        while not output.done:
            if self.become.check_success(b"".join(output.stdout)):
                output.stderr.clear()
                return
            said = b"".join(output.stderr + output.stdout)
            if self.become.check_password_prompt(said[asked_at or 0 :]):
                if asked_at is not None:
                    raise AnsibleError(f"Incorrect {self.become.name} password")
                asked_at = len(said)
                password = to_bytes(self.become.get_option("become_pass"), errors="surrogate_or_strict")
                self._protocol.send_command_input(self._shell_id, command, password + b"\n")
            if time.monotonic() > deadline:
                raise AnsibleConnectionFailure(f"{self.become.name} neither asks for a password nor goes on.")
            output.read()

    # --- what Ansible calls ------------------------------------------------------------------------------------

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        """Run a command in the distribution."""
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        display.vvv(f"EXEC {to_text(cmd)}", host=self.get_option("remote_addr"))
        become = bool(sudoable and self.become and self.become.expect_prompt())
        return self._execute(cmd, [in_data] if in_data else None, become=become)

    def put_file(self, in_path: str, out_path: str) -> None:
        """Copy a file into the distribution."""
        super().put_file(in_path, out_path)
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        digest, target = hashlib.sha256(), shlex.quote(out_path)

        def pieces() -> t.Iterator[bytes]:
            while data := file.read(CHUNK):
                digest.update(data)
                yield base64.b64encode(data)
            if file.tell() == 0:
                yield b""

        try:
            file = open(to_bytes(in_path, errors="surrogate_or_strict"), "rb")  # noqa: SIM115
        except FileNotFoundError as error:
            raise AnsibleFileNotFound(f"There is no file {in_path}.") from error
        with file:
            script = f"base64 -d >{target} && sha256sum <{target}"
            rc, stdout, stderr = self._execute(script, pieces())
        self._verify(f"put {in_path} to {out_path}", rc, stdout, stderr, digest.hexdigest())

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Copy a file out of the distribution."""
        super().fetch_file(in_path, out_path)
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.get_option("remote_addr"))
        digest, source, rest = hashlib.sha256(), shlex.quote(in_path), bytearray()
        partial = to_bytes(f"{out_path}.{secrets.token_hex(4)}.part", errors="surrogate_or_strict")

        def write(text: bytes) -> None:
            rest.extend(text)
            whole = len(rest) - len(rest) % 4
            try:
                data = base64.b64decode(rest[:whole], validate=True)
                file.write(data)
            except (OSError, ValueError) as error:
                raise AnsibleError(f"Could not fetch {in_path} to {out_path}: {error}") from error
            digest.update(data)
            del rest[:whole]

        try:
            with open(partial, "wb") as file:
                rc, _, stderr = self._execute(f"base64 -w0 <{source} && sha256sum <{source} >&2", sink=write)
            self._verify(f"fetch {in_path} to {out_path}", rc, stderr, stderr, digest.hexdigest())
            os.replace(partial, to_bytes(out_path, errors="surrogate_or_strict"))
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(partial)

    @staticmethod
    def _verify(what: str, rc: int, answer: bytes, stderr: bytes, digest: str) -> None:
        if rc != 0:
            raise AnsibleError(f"Could not {what}: {to_native(stderr).strip()}")
        if digest.encode() not in answer.split():
            raise AnsibleError(f"Could not {what}: the SHA-256 sums differ.")


def _task(script: str, mark: str, has_input: bool) -> bytes:
    """Return the first lines for bash: a script, whose begin ``mark`` on stdout shows and whose end on stderr.

    bash takes them from a pipe byte by byte, so that what follows is the script's.
    """
    marks = f"echo -n {mark};trap 'echo -n {mark}>&2' EXIT"
    text = f"{marks};(eval -- {shlex.quote(script)}){'' if has_input else '</dev/null'};exit\n"
    return to_bytes(text, errors="surrogate_or_strict")


def _messages(first: bytes, pieces: t.Iterable[bytes]) -> t.Iterator[bytes]:
    """Cut input into messages, so that what comes first needs none of its own; at least one, if only of its end."""
    rest = bytearray()
    for piece in itertools.chain([first], pieces):
        rest += piece
        while len(rest) > SEND:
            yield bytes(rest[:SEND])
            del rest[:SEND]
    yield bytes(rest)


class _Output:
    """What a running command has written so far.

    What comes before the mark is not the command's: cmd.exe runs first what a person has set as its AutoRun, such as
    ``chcp 65001``, which tells the code page each time; and wsl.exe writes its errors there.
    """

    def __init__(
        self, protocol: Protocol, shell: str, command: str, mark: bytes, sink: t.Callable[[bytes], t.Any] | None
    ) -> None:
        self.mark, self.began, self.before = mark, False, bytearray()
        self.stdout: list[bytes] = []
        self.stderr: list[bytes] = []
        self.rc, self.done = -1, False
        self._receive = lambda: protocol.get_command_output_raw(shell, command)
        self._sink = sink or self.stdout.append

    def read(self) -> None:
        """Wait for more output, at most as long as an operation lasts."""
        with contextlib.suppress(WinRMOperationTimeoutError):
            stdout, stderr, self.rc, self.done = self._receive()
            if not self.began:
                self.before += stdout
                before, mark, stdout = self.before.partition(self.mark)
                self.began = bool(mark)
                self.before = before
            if self.began:
                self._sink(bytes(stdout))
            self.stderr.append(stderr)

    def read_all(self) -> None:
        """Wait for the end of the command."""
        while not self.done:
            self.read()


def _decode(data: bytes) -> str:
    """Text of wsl.exe: UTF-8 when it honours WSL_UTF8, else UTF-16LE."""
    text = data.decode("utf-16-le" if b"\0" in data else "utf-8", "replace")
    return " ".join(text.replace("\ufeff", "").split())
