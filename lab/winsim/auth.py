"""Authentication of one TCP connection: Basic, and NTLM or SPNEGO with message encryption."""

from __future__ import annotations

import atexit
import base64
import binascii
import hmac
import os
import struct
import tempfile
import threading
from typing import Any

import spnego
import spnego.exceptions
from spnego._ntlm_raw.crypto import lmowfv1, ntowfv1  # the file format that the acceptor reads needs the hashes

BOUNDARY = b"--Encrypted Boundary"
SEALED_TYPE = b"application/HTTP-SPNEGO-session-encrypted"
SEALED_CONTENT_TYPE = f'multipart/encrypted;protocol="{SEALED_TYPE.decode()}";boundary="Encrypted Boundary"'


def account_names(machine: Any) -> list[str]:
    """Return the names of the local accounts."""
    return [account.name for account in machine.users.accounts.values()]


class CredentialStore:
    """The accounts of a machine in the form that pyspnego's NTLM acceptor reads (a private temporary file).

    The acceptor finds the file by the environment variable NTLM_USER_FILE, so there can be one store per process.
    """

    def __init__(self, machine: Any) -> None:
        self._machine = machine
        self._lock = threading.Lock()
        self._known: str | None = None
        handle, self._path = tempfile.mkstemp(prefix="winsim-accounts-")
        os.close(handle)
        atexit.register(self.close)

    def close(self) -> None:
        """Remove the file."""
        if os.path.exists(self._path):
            os.unlink(self._path)

    def refresh(self) -> None:
        """Write the file anew if an account or a password has changed."""
        text = "".join(self._lines())
        with self._lock:
            os.environ["NTLM_USER_FILE"] = self._path
            if text != self._known:
                replacement = f"{self._path}.new"
                with open(os.open(replacement, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                    file.write(text)
                os.replace(replacement, self._path)
                self._known = text

    def _lines(self) -> list[str]:
        lines = []
        for user in account_names(self._machine):
            password = self._machine.authenticate(user)
            if password is None:
                continue
            hashes = f"{lmowfv1(password).hex().upper()}:{ntowfv1(password).hex().upper()}"
            for domain in ("", ".", self._machine.host_name, "WORKSTATION"):
                name = f"{domain}\\{user}" if domain else user
                lines.append(f"{name}:1000:{hashes}:[U]:LCT-0\n")
        return lines


class Unauthorized(Exception):
    """The client has to (continue to) log on; ``challenges`` are the values for WWW-Authenticate."""

    def __init__(self, *challenges: str) -> None:
        super().__init__("401")
        self.challenges = challenges or ("Negotiate", 'Basic realm="WSMAN"')


class ConnectionAuth:
    """The state of authentication of one connection; NTLM belongs to the connection, not to the request."""

    def __init__(self, machine: Any, store: CredentialStore, channel_bindings: Any = None) -> None:
        self.machine = machine
        self.store = store
        self.user: str | None = None
        self.final_token: str | None = None
        self._context: Any = None
        self._bindings = channel_bindings

    def check(self, header: str | None) -> str:
        """Return the user for this request.

        Raises:
            Unauthorized: there is no user yet, or the credentials are wrong.
        """
        self.final_token = None
        if not header:
            if self.user is None or self._context is None:
                raise Unauthorized
            return self.user
        scheme, _, value = header.partition(" ")
        try:
            token = base64.b64decode(value, validate=True)
        except binascii.Error as error:
            raise Unauthorized from error
        if scheme.lower() == "basic":
            return self._basic(token)
        if scheme.lower() in ("negotiate", "ntlm"):
            return self._negotiate(scheme, token)
        raise Unauthorized

    def _basic(self, token: bytes) -> str:
        user, _, password = token.decode("utf-8", "replace").partition(":")
        user = self.local_name(user)
        expected = self.machine.authenticate(user)
        if expected is None or not hmac.compare_digest(expected.encode(), password.encode()):
            self.machine.log("logon_refused", user=user, method="basic")
            raise Unauthorized
        self._context = None
        self.user = self._spelling(user)
        return self.user

    def _negotiate(self, scheme: str, token: bytes) -> str:
        if self._context is None or self._context.complete:
            self.user = None
            self.store.refresh()
            raw = token.startswith(b"NTLMSSP\0")
            options = spnego.NegotiateOptions.use_ntlm if raw else spnego.NegotiateOptions.use_negotiate
            self._context = spnego.server(protocol="ntlm" if raw else "negotiate", options=options)
        try:
            answer = self._context.step(token, channel_bindings=self._bindings)
        except (spnego.exceptions.SpnegoError, ValueError, struct.error) as error:
            self._context = None
            self.machine.log("logon_refused", method="ntlm")
            raise Unauthorized from error
        encoded = base64.b64encode(answer).decode() if answer else ""
        if not self._context.complete:
            raise Unauthorized(f"{scheme} {encoded}")
        self.user = self._spelling(self.local_name(self._context.client_principal or ""))
        self.final_token = f"{scheme} {encoded}" if encoded else None
        return self.user

    def _spelling(self, user: str) -> str:
        return next((name for name in account_names(self.machine) if name.lower() == user.lower()), user)

    @staticmethod
    def local_name(name: str) -> str:
        """Return the account without ``DOMAIN\\`` or ``@domain``."""
        return name.rsplit("\\", 1)[-1].split("@", 1)[0]

    @property
    def can_seal(self) -> bool:
        """True if messages on this connection can be encrypted."""
        return self._context is not None and self._context.complete

    def unseal(self, body: bytes) -> bytes:
        """Decrypt a ``multipart/encrypted`` body.

        Raises:
            ValueError: the body is malformed or was changed on the way.
        """
        parts = body.split(BOUNDARY + b"\r\n")
        if len(parts) != 3 or parts[0]:
            raise ValueError("the encrypted body has not two parts")
        payload = parts[2]
        marker = b"\tContent-Type: application/octet-stream\r\n"
        end = BOUNDARY + b"--\r\n"
        if not payload.startswith(marker) or not payload.endswith(end):
            raise ValueError("the encrypted part is malformed")
        sealed = payload[len(marker) : -len(end)]
        size = struct.unpack("<i", sealed[:4])[0]
        try:
            data = self._context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
        except spnego.exceptions.SpnegoError as error:
            raise ValueError(str(error)) from error
        if f"Length={len(data)}".encode() not in parts[1]:
            raise ValueError("the length of the message differs from the one announced")
        return data

    def seal(self, message: bytes) -> bytes:
        """Encrypt an answer."""
        sealed = self._context.wrap_winrm(message)
        return b"".join(
            [
                BOUNDARY + b"\r\n\tContent-Type: " + SEALED_TYPE + b"\r\n",
                f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(message)}\r\n".encode(),
                BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n",
                struct.pack("<i", len(sealed.header)) + sealed.header + sealed.data,
                BOUNDARY + b"--\r\n",
            ]
        )
