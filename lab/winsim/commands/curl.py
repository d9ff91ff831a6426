"""curl.exe: downloads with proxies, redirects, resuming, retries and the exit codes of the real one."""

from __future__ import annotations

import argparse
import ntpath
from argparse import Namespace
from contextlib import nullcontext, suppress
from dataclasses import replace
from http.client import responses
from typing import NoReturn
from urllib.parse import urlsplit

from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model.files import Content
from lab.winsim.model.network import NetworkError, Response, bypassed, join_parts
from lab.winsim.model.proxy import read_winhttp
from lab.winsim.process import Process


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SimulatorError(f"curl: {message}")


_OPTIONS = _Parser(prog="curl", allow_abbrev=False, add_help=False)
for _name in [
    "silent",
    "show-error",
    "fail",
    "head",
    "location",
    "create-dirs",
    "ssl-revoke-best-effort",
    "progress-bar",
    "version",
]:
    _OPTIONS.add_argument(f"--{_name}", action="store_true")
for _name in ["output", "proxy", "continue-at", "max-time", "speed-limit", "speed-time"]:
    _OPTIONS.add_argument(f"--{_name}")
_OPTIONS.add_argument("--connect-timeout", type=float, default=21)
_OPTIONS.add_argument("--retry", type=int, default=0)
_OPTIONS.add_argument("--retry-delay", type=float, default=1)
_OPTIONS.add_argument("url", nargs="?")
"""What win_fetch, bootstrap/Install.ps1 and the tests of the product ask for; everything else is refused."""

_NO_CHECK = "CRYPT_E_NO_REVOCATION_CHECK (0x80092012) - The revocation function was unable to check revocation for the certificate."
_OFFLINE = "CRYPT_E_REVOCATION_OFFLINE (0x80092013) - The revocation function was unable to check revocation because the revocation server was offline."
_TRANSIENT = (408, 429, 500, 502, 503, 504)


REVOCATION_LIST = "crl3.digicert.com"
"""Where the vendors' certificate authority has its lists."""


class CurlError(Exception):
    """A transfer failed: curl's exit code and its message."""

    def __init__(self, code: int, text: str, *, transient: bool = False) -> None:
        super().__init__(text)
        self.code, self.transient = code, transient


@command("curl.exe")
def curl(process: Process) -> int:
    """Download what the command line says."""
    options = _OPTIONS.parse_args(process.argv[1:])
    if options.version:
        process.write_stdout(b"curl 8.13.0 (Windows) libcurl/8.13.0 Schannel zlib/1.3.1 WinIDN\r\n")
        return 0
    try:
        return _with_retries(process, options)
    except Killed:
        return 0xC000013A  # STATUS_CONTROL_C_EXIT
    except CurlError as error:
        _tell(process, options, f"curl: ({error.code}) {error}")
        return error.code


def _tell(process: Process, options: Namespace, text: str) -> None:
    if options.show_error or not options.silent:
        process.write_stderr(f"{text}\r\n".encode())


def _proxy(process: Process, options: Namespace) -> str | None:
    host, scheme = urlsplit(options.url).hostname or "", urlsplit(options.url).scheme
    if bypassed(host, process.environment.get("no_proxy", "")):
        return None
    if options.proxy is not None:
        return options.proxy or None
    return process.environment.get(f"{scheme}_proxy") or process.environment.get("all_proxy") or None


def _with_retries(process: Process, options: Namespace) -> int:
    left = options.retry
    while True:
        try:
            return _transfer(process, options)
        except CurlError as error:
            if not left or not error.transient or process.cancelled.is_set():
                raise
            left -= 1
            text = f"Warning: Problem: {error}. Will retry in {options.retry_delay:g} seconds. {left + 1} retries left."
            _tell(process, options, text)
            process.machine.clock.work(options.retry_delay, process.cancelled)


def _transfer(process: Process, options: Namespace) -> int:
    files, target, existing, start = process.machine.files, None, None, 0
    if options.output is not None:
        target = ntpath.normpath(ntpath.join(process.cwd, options.output.replace("/", "\\")))
        if options.continue_at is not None and (node := files.get(target)):
            existing, start = node.content, node.content.size
    answer = _ask(process, options, start)
    if answer.status == 416:
        # the server says that there is nothing left; curl -f ends with 22, without it the file is as it was
        if options.fail:
            raise CurlError(22, "The requested URL returned error: 416")
        return 0
    if answer.status >= 400 and options.fail:
        raise CurlError(22, f"The requested URL returned error: {answer.status}", transient=answer.status in _TRANSIENT)
    if start and answer.start == 0 and answer.status == 200:
        raise CurlError(33, "HTTP server does not seem to support byte ranges. Cannot resume.")
    if options.head:
        tunnel = options.url.startswith("https:") and _proxy(process, options)
        blocks = ["200 Connection established\r\n"] if tunnel else []
        blocks += ["302 Found\r\nContent-Length: 0\r\n"] * answer.redirects
        status = f"{answer.status} {responses.get(answer.status, '')}"
        blocks.append(f"{status}\r\nContent-Length: {answer.content.size}\r\n")
        process.write_stdout("".join(f"HTTP/1.1 {block}\r\n" for block in blocks).encode())
    _receive(process, options, target, existing if start else None, answer)
    if answer.status in _TRANSIENT and options.retry:
        raise CurlError(0, f"HTTP error {answer.status}", transient=True)
    if answer.broken == "closed":
        left = answer.expected - answer.delivered
        raise CurlError(18, f"end of response with {left} bytes missing", transient=False)
    if answer.broken == "timeout":
        raise CurlError(28, "Operation too slow. Less than 1 bytes/sec transferred the last 30 seconds", transient=True)
    return 0


class Killed(Exception):
    """The program was ended from outside."""


def _receive(
    process: Process, options: Namespace, target: str | None, existing: Content | None, answer: Response
) -> None:
    """Let the bytes arrive in steps, so that the file grows and a killed transfer leaves what it had."""
    clock, whole, slow = process.machine.clock, answer.delivered, answer.bytes_per_second
    steps = 20 if whole > 2**20 and target is not None else 1
    if slow:
        steps = max(steps, round(whole / slow / 0.2))
    guard = process.machine.files.in_use(target) if target is not None else nullcontext()
    with guard:
        for step in range(1, steps + 1):
            part = replace(answer, delivered=whole * step // steps)
            if step < steps:
                part.broken = part.broken or "closed"
            _store(process, options, target, join_parts(existing, part) if existing else part.body())
            seconds = whole / steps / (slow or max(1, process.machine.network.rate))
            if not (clock.spend if slow else clock.work)(seconds, process.cancelled):
                raise Killed


def _check_revocation(process: Process, options: Namespace) -> None:
    """Ask for the revocation list of the server's certificate, as Schannel does: through WinHTTP's proxy, not curl's.

    Raises:
        CurlError: nobody could be asked, and curl was not told to go on then.
    """
    url = options.url
    if not url.startswith("https:") or options.ssl_revoke_best_effort:
        return
    network, text = process.machine.network, None
    if network.hides_revocation(url):
        text = _NO_CHECK
    try:
        network.reaches(REVOCATION_LIST, read_winhttp(process.machine)[0])
    except NetworkError:
        text = text or _OFFLINE
    if text:
        raise CurlError(35, f"schannel: next InitializeSecurityContext failed: {text}")


def _ask(process: Process, options: Namespace, start: int) -> Response:
    url, proxy = options.url, _proxy(process, options)
    try:
        with suppress(NetworkError):  # without a connection there is no certificate; fetch says so
            process.machine.network.reaches(urlsplit(url).hostname or "", proxy)
            _check_revocation(process, options)
        return process.machine.network.fetch(
            url,
            proxy=proxy,
            start=start,
            method="HEAD" if options.head else "GET",
            agent="curl/8.13.0",
            redirects=50 if options.location else 0,
            pace=False,
        )
    except NetworkError as error:
        code, text = {
            "resolve": (6, f"Could not resolve host: {error.host}"),
            "resolve_proxy": (5, f"Could not resolve proxy: {error.host}"),
            "timeout": (28, f"Failed to connect to {error.host} port {error.port}: Timed out"),
            "tls": (35, "schannel: failed to receive handshake, SSL/TLS connection failed"),
            "reset": (56, "Recv failure: Connection was reset"),
        }.get(error.kind, (7, f"Failed to connect to {error.host} port {error.port}: Could not connect to server"))
        if error.kind == "connect" and proxy:
            code, text = 56, "CONNECT tunnel failed, response 502"
        elif error.kind == "connect":
            process.machine.clock.work(options.connect_timeout, process.cancelled)
            code, text = (
                28,
                f"Failed to connect to {error.host} port {error.port} after {options.connect_timeout:g} s: Timed out",
            )
        raise CurlError(code, text, transient=code in (6, 28)) from error


def _store(process: Process, options: Namespace, target: str | None, content: Content) -> None:
    if options.head:
        if target is not None:
            raise SimulatorError("curl: --head with --output is not known")
        return
    if target is None:
        if content.blob is None:
            raise SimulatorError("curl: the bytes of this URL are not held; give --output")
        process.write_stdout(content.blob)
        return
    files = process.machine.files
    if options.create_dirs:
        files.mkdir(ntpath.dirname(target))
    try:
        with process.machine.lock:
            files.put(target, content, owner=process.machine.full_name(process.user))
    except OSError as error:
        full = error.errno == 28
        text = "Failure writing output to destination" if full else f"Failed to open {target}"
        if full:
            room = max(0, files.free(target) + files.size(target))
            files.put(target, Content(room, complete=False, origin="cut off: the disk is full"))
        raise CurlError(23, text) from error
