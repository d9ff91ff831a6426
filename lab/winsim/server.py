"""WS-Management over HTTP and HTTPS: the two listeners of a simulated host."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import socket
import socketserver
import ssl
import threading
from pathlib import Path
from typing import Any

import spnego.channel_bindings
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.winsim import soap
from lab.winsim.auth import SEALED_CONTENT_TYPE, ConnectionAuth, CredentialStore, Unauthorized
from lab.winsim.control import FaultSwitch
from lab.winsim.shells import ShellService

MAX_REQUEST = 500 * 1024  # bytes; MaxEnvelopeSizekb of a fresh Windows
SOAP_TYPE = "application/soap+xml;charset=UTF-8"


class ConnectionDropped(Exception):
    """A fault on request: the TCP connection is cut."""


class Handler(http.server.BaseHTTPRequestHandler):
    """One TCP connection."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write per answer, or Nagle and delayed ACK cost 40 ms each
    disable_nagle_algorithm = True
    timeout = 900
    server: Listener

    def setup(self) -> None:
        """Finish the TLS handshake here, so that a silent client can not block the others."""
        self.server.host.faults.sleep_through()
        if self.server.tls is not None:
            self.request.settimeout(10)
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
            self.server.connections.add(self.request)
        super().setup()
        self.auth = ConnectionAuth(self.server.host.machine, self.server.host.accounts, self.server.bindings)

    def handle(self) -> None:
        """Serve requests until the client or a fault ends the connection."""
        with contextlib.suppress(ConnectionError, TimeoutError, ssl.SSLError, ConnectionDropped, ValueError):
            super().handle()

    def finish(self) -> None:
        """Flush and forget the connection."""
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        self.server.connections.discard(self.request)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent; the machine has its own event log."""

    def do_POST(self) -> None:
        """Answer one WS-Management request."""
        length = self.headers.get("Content-Length")
        if length is None or not length.isdigit():
            self.close_connection = True
            return self._answer(411, b"")
        body = self._read_body(int(length))
        if self.path.split("?")[0].rstrip("/") != "/wsman":
            return self._answer(404, b"")
        try:
            user = self.auth.check(self.headers.get("Authorization"))
        except Unauthorized as challenge:
            return self._answer(401, b"", challenges=challenge.challenges)
        final = (self.auth.final_token,) if self.auth.final_token else ()
        if not body:
            return self._answer(200, b"", challenges=final)
        sealed = self.headers.get("Content-Type", "").lower().startswith("multipart/encrypted")
        if sealed:
            if not self.auth.can_seal:
                return self._answer(400, b"")
            try:
                body = self.auth.unseal(body)
            except ValueError as error:
                self.server.host.machine.log("message_refused", reason=str(error))
                return self._answer(400, b"")
        elif self.server.tls is None and not self.server.host.allow_unencrypted:
            self.server.host.machine.log("message_refused", reason="unencrypted traffic is disabled")
            return self._answer(500, b"", challenges=final)
        status, answer = self._dispatch(body, user)
        if sealed:
            return self._answer(status, self.auth.seal(answer), content_type=SEALED_CONTENT_TYPE, challenges=final)
        return self._answer(status, answer, challenges=final)

    def _read_body(self, length: int) -> bytes:
        faults = self.server.host.faults
        pieces = []
        while length:
            piece = self.rfile.read(min(length, faults.piece_size(65536)))
            if not piece:
                raise ConnectionError("the client went away")
            faults.throttle(len(piece))
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)

    def _dispatch(self, body: bytes, user: str) -> tuple[int, bytes]:
        host = self.server.host
        message_id = ""
        try:
            if len(body) > MAX_REQUEST:
                raise soap.WsmanFault(
                    soap.ENVELOPE_TOO_LARGE,
                    f"The request is larger than MaxEnvelopeSizekb: {len(body)} bytes.",
                    "w:EncodingLimit",
                )
            request = soap.parse_request(body)
            message_id = request.message_id
            host.faults.sleep_through()
            if host.faults.cuts_input(request):
                raise ConnectionDropped
            answer = host.shells.handle(request, user)
            if host.faults.cuts_output(request):
                raise ConnectionDropped
            host.faults.sleep_through()
            return 200, answer
        except soap.WsmanFault as fault:
            return 500, soap.fault_envelope(fault, message_id, host.machine.host_name)

    def _answer(
        self, status: int, body: bytes, content_type: str = SOAP_TYPE, challenges: tuple[str, ...] = ()
    ) -> None:
        self.send_response_only(status)
        self.send_header("Server", "Microsoft-HTTPAPI/2.0")
        self.send_header("Date", self.date_time_string())
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        faults = self.server.host.faults
        for start in range(0, len(body), faults.piece_size(len(body) or 1)):
            piece = body[start : start + faults.piece_size(len(body))]
            self.wfile.write(piece)
            faults.throttle(len(piece))
        self.wfile.flush()


class Listener(socketserver.ThreadingTCPServer):
    """One listening port."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: Host, address: tuple[str, int], certificate: Path | None) -> None:
        self.host = host
        self.connections: set[socket.socket] = set()
        self.tls: ssl.SSLContext | None = None
        self.bindings: Any = None
        if certificate is not None:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
            self.bindings = channel_bindings(certificate)
        super().__init__(address, Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread for the connection, or drop it while the host refuses."""
        if self.host.faults.refusing():
            self.shutdown_request(request)
            return
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close the connection."""
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken handshake or a vanished client is no error of the host."""

    def cut_all(self) -> None:
        """Cut every open connection."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Host:
    """The listeners of one machine, and what happens to them at a reboot.

    Args:
        machine: the simulated machine.
        bind: the address to listen on.
        http_port, https_port: TCP ports; 0 takes a free one, None opens none.
        cert_dir: folder of the certificate, made if it is missing.
        reboot_seconds: how long the ports stay closed at a reboot; None is a soft reboot (they stay open).
        allow_unencrypted: accept plain messages over HTTP (Windows refuses them unless told otherwise).
    """

    def __init__(
        self,
        machine: Any,
        *,
        bind: str = "127.0.0.1",
        http_port: int | None = 0,
        https_port: int | None = None,
        cert_dir: Path | None = None,
        reboot_seconds: float | None = None,
        allow_unencrypted: bool = True,
    ) -> None:
        self.machine = machine
        self.bind = bind
        self.reboot_seconds = reboot_seconds
        self.allow_unencrypted = allow_unencrypted
        self.accounts = CredentialStore(machine)
        self.faults = FaultSwitch(self)
        self.shells = ShellService(machine, self.faults, lambda command: self._dirty.set())
        self._dirty = threading.Event()
        machine.interop.on_end = self._dirty.set
        self._stopped = threading.Event()
        self._ports = {"http": http_port, "https": https_port}
        self._certificate = make_certificate(cert_dir, machine.host_name) if https_port is not None else None
        self._listeners: dict[str, Listener] = {}
        self._lock = threading.RLock()
        machine.faults["reboot"] = {"mode": "soft"}
        if reboot_seconds is not None:
            machine.faults["reboot"] = {"mode": "real", "seconds": reboot_seconds}
        machine.reboot_listener = self.reboot_happened
        threading.Thread(target=self._save_often, name="save", daemon=True).start()

    @property
    def http_port(self) -> int | None:
        """The HTTP port, once started."""
        return self._ports["http"]

    @property
    def https_port(self) -> int | None:
        """The HTTPS port, once started."""
        return self._ports["https"]

    @property
    def certificate(self) -> Path | None:
        """The PEM file (key and certificate) of the HTTPS listener."""
        return self._certificate

    def start(self) -> None:
        """Open the ports."""
        with self._lock:
            for name, port in self._ports.items():
                if port is None or name in self._listeners:
                    continue
                listener = Listener(self, (self.bind, port), self._certificate if name == "https" else None)
                self._ports[name] = listener.server_address[1]
                self._listeners[name] = listener
                threading.Thread(target=listener.serve_forever, args=(0.1,), name=name, daemon=True).start()

    def stop(self) -> None:
        """Close everything for good and write the state."""
        self._stopped.set()
        self._close()
        self.machine.save()
        self.accounts.close()

    def _close(self) -> None:
        """Close the ports and every connection; running commands end."""
        with self._lock:
            listeners, self._listeners = list(self._listeners.values()), {}
        for listener in listeners:
            listener.shutdown()
            listener.server_close()
            listener.cut_all()
        self.shells.close_all()

    def cut_connections(self) -> None:
        """Cut every connection, as a cable that is pulled."""
        for listener in list(self._listeners.values()):
            listener.cut_all()

    def reboot_happened(self, soft: bool) -> None:
        """The machine has rebooted; unless that was a soft reboot the ports are closed for a while."""
        if soft:
            return
        seconds = float(self.machine.faults.get("reboot", {}).get("seconds", 5.0))
        self._close()
        self.machine.log("ports_closed", seconds=seconds)
        threading.Thread(target=self._reopen, args=(seconds,), name="reboot", daemon=True).start()

    def _save_often(self) -> None:
        """Write the state after commands, at most twice a second."""
        while not self._stopped.wait(0.5):
            if self._dirty.is_set():
                self._dirty.clear()
                self.machine.save()

    def _reopen(self, seconds: float) -> None:
        if self._stopped.wait(seconds):
            return
        self.start()
        self.machine.log("ports_open")


def make_certificate(folder: Path | None, host_name: str) -> Path:
    """Return a PEM file with key and self-signed certificate for this host; an existing one is kept."""
    if folder is None:
        raise ValueError("an HTTPS listener needs a folder for its certificate")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{host_name.lower()}.pem"
    if path.exists():
        return path
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host_name)])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(host_name), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=730))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.touch(mode=0o600)
    path.write_bytes(text + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def channel_bindings(certificate: Path) -> spnego.channel_bindings.GssChannelBindings:
    """Return the tls-server-end-point binding (RFC 5929) of a certificate with a SHA-256 signature."""
    digest = x509.load_pem_x509_certificate(certificate.read_bytes()).fingerprint(hashes.SHA256())
    return spnego.channel_bindings.GssChannelBindings(application_data=b"tls-server-end-point:" + digest)
