"""curl.exe: downloads with proxies, redirects, resuming, retries and the exit codes of the real one."""

from __future__ import annotations

import ntpath
from contextlib import nullcontext, suppress
from dataclasses import replace
from http.client import responses
from typing import Any
from urllib.parse import urlsplit

from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model.files import Content
from lab.winsim.model.network import NetworkError, Response, bypassed, file_name, join_parts
from lab.winsim.model.proxy import read_winhttp
from lab.winsim.process import Process

# option -> (key, takes a value)
_OPTIONS: dict[str, tuple[str, bool]] = {}
for _names, _key, _valued in (
    ("-o --output", "output", True),
    ("-O --remote-name", "remote_name", False),
    ("-x --proxy", "proxy", True),
    ("--noproxy", "noproxy", True),
    ("-L --location", "location", False),
    ("-f --fail", "fail", False),
    ("--fail-with-body", "fail_with_body", False),
    ("-C --continue-at", "continue", True),
    ("-s --silent", "silent", False),
    ("-S --show-error", "show_error", False),
    ("-I --head", "head", False),
    ("-i --include", "include", False),
    ("-A --user-agent", "agent", True),
    ("-H --header", "header", True),
    ("-w --write-out", "write_out", True),
    ("-m --max-time", "max_time", True),
    ("--connect-timeout", "connect_timeout", True),
    ("--retry", "retry", True),
    ("--retry-delay", "retry_delay", True),
    ("--retry-max-time", "retry_max_time", True),
    ("--retry-all-errors", "retry_all", False),
    ("--retry-connrefused", "retry_refused", False),
    ("--create-dirs", "create_dirs", False),
    ("--output-dir", "output_dir", True),
    ("--max-redirs", "max_redirs", True),
    ("-y --speed-time", "speed_time", True),
    ("-Y --speed-limit", "speed_limit", True),
    ("--limit-rate", "limit_rate", True),
    ("--ssl-no-revoke", "no_revoke", False),
    ("--ssl-revoke-best-effort", "best_effort", False),
    ("-# --progress-bar", "progress", False),
    ("--no-progress-meter", "silent", False),
    ("-k --insecure", "insecure", False),
    ("--proto", "proto", True),
    ("--proto-redir", "proto", True),
    ("--tlsv1.2", "tls", False),
    ("--http1.1", "http", False),
    ("-4 --ipv4", "ip", False),
    ("--compressed", "compressed", False),
    ("--url", "url", True),
    ("-q --disable", "disable", False),
    ("-g --globoff", "globoff", False),
    ("-V --version", "version", False),
    ("-R --remote-time", "remote_time", False),
    ("--remove-on-error", "remove_on_error", False),
):
    for _name in _names.split():
        _OPTIONS[_name] = (_key, _valued)

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
    try:
        options, urls = _parse(process.argv[1:])
        if options.get("version"):
            process.write_stdout(b"curl 8.13.0 (Windows) libcurl/8.13.0 Schannel zlib/1.3.1 WinIDN\r\n")
            return 0
        if not urls:
            raise CurlError(2, "no URL specified")
        if len(urls) > 1:
            raise SimulatorError("curl: more than one URL is not known")
        return _with_retries(process, options, urls[0])
    except Killed:
        return 0xC000013A  # STATUS_CONTROL_C_EXIT
    except CurlError as error:
        if not options_silent(process.argv):
            process.write_stderr(f"curl: ({error.code}) {error}\r\n".encode())
        return error.code


def options_silent(argv: list[str]) -> bool:
    """Whether errors are to be kept quiet: ``-s`` without ``-S``."""
    short = "".join(word[1:] for word in argv[1:] if word.startswith("-") and not word.startswith("--"))
    silent = "--silent" in argv or "s" in short
    return silent and not ("--show-error" in argv or "S" in short)


def _parse(arguments: list[str]) -> tuple[dict[str, Any], list[str]]:
    options: dict[str, Any] = {}
    urls: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if not word.startswith("-") or word == "-":
            urls.append(word)
            continue
        names = [word]
        if not word.startswith("--") and len(word) > 2:  # -fsSL, or -ofile
            names = []
            for index, letter in enumerate(word[1:], 1):
                names.append("-" + letter)
                if _OPTIONS.get("-" + letter, ("", False))[1]:
                    if word[index + 1 :]:
                        queue.insert(0, word[index + 1 :])
                    break
        for name in names:
            if name not in _OPTIONS:
                raise SimulatorError(f"curl: option not known: {name}")
            key, valued = _OPTIONS[name]
            if valued and not queue:
                raise CurlError(2, f"option {name}: requires parameter")
            options[key] = queue.pop(0) if valued else True
    if "url" in options:
        urls.append(options["url"])
    return options, urls


def _proxy(process: Process, options: dict[str, Any], url: str) -> str | None:
    host, scheme = urlsplit(url).hostname or "", urlsplit(url).scheme
    environment = process.environment
    if bypassed(host, options.get("noproxy", environment.get("no_proxy", ""))):
        return None
    if "proxy" in options:
        return options["proxy"] or None
    return environment.get(f"{scheme}_proxy") or environment.get("all_proxy") or None


def _with_retries(process: Process, options: dict[str, Any], url: str) -> int:
    if "://" not in url:
        url = "http://" + url
    left = int(options.get("retry", 0))
    delay = float(options.get("retry_delay", 1))
    while True:
        try:
            return _transfer(process, options, url)
        except CurlError as error:
            again = error.transient or options.get("retry_all") or (error.code == 7 and options.get("retry_refused"))
            if not left or not again or process.cancelled.is_set():
                raise
            left -= 1
            if not options_silent(process.argv):
                text = f"Warning: Problem: {error}. Will retry in {delay:g} seconds. {left + 1} retries left.\r\n"
                process.write_stderr(text.encode())
            process.machine.clock.work(delay, process.cancelled)


def _target(process: Process, options: dict[str, Any], url: str) -> str | None:
    if options.get("remote_name"):
        name = file_name(url)
        if not name:
            raise CurlError(23, "Remote file name has no length")
    elif "output" in options:
        name = options["output"]
    else:
        return None
    if name in ("-", "NUL", "nul"):
        return None if name == "-" else "NUL"
    if "output_dir" in options:
        name = ntpath.join(options["output_dir"], name)
    return ntpath.normpath(ntpath.join(process.cwd, name.replace("/", "\\")))


def _transfer(process: Process, options: dict[str, Any], url: str) -> int:
    files, target = process.machine.files, _target(process, options, url)
    existing: Content | None = None
    start = 0
    if options.get("continue") is not None and target not in (None, "NUL"):
        node = files.get(target)
        existing = node.content if node else None
        offset = options["continue"]
        start = (existing.size if existing else 0) if offset == "-" else int(offset)
        if offset not in ("-", "0") and start != (existing.size if existing else 0):
            raise SimulatorError("curl: --continue-at with a number other than the size of the file is not known")
    answer = _ask(process, options, url, start)
    if answer.status == 416:
        # the server says that there is nothing left; curl -f ends with 22, without it the file is as it was
        if options.get("fail"):
            raise CurlError(22, "The requested URL returned error: 416")
        _write_out(process, options, answer)
        return 0
    if answer.status >= 400 and options.get("fail"):
        raise CurlError(22, f"The requested URL returned error: {answer.status}", transient=answer.status in _TRANSIENT)
    if start and answer.start == 0 and answer.status == 200:
        raise CurlError(33, "HTTP server does not seem to support byte ranges. Cannot resume.")
    if options.get("head"):
        tunnel = url.startswith("https:") and _proxy(process, options, url)
        blocks = ["200 Connection established\r\n"] if tunnel else []
        blocks += ["302 Found\r\nContent-Length: 0\r\n"] * answer.redirects
        status = f"{answer.status} {responses.get(answer.status, '')}"
        blocks.append(f"{status}\r\nContent-Length: {answer.content.size}\r\n")
        process.write_stdout("".join(f"HTTP/1.1 {block}\r\n" for block in blocks).encode())
    _receive(process, options, target, existing if start else None, answer)
    if answer.status in _TRANSIENT and int(options.get("retry", 0)):
        raise CurlError(0, f"HTTP error {answer.status}", transient=True)
    if answer.broken == "closed":
        left = answer.expected - answer.delivered
        raise CurlError(18, f"end of response with {left} bytes missing", transient=False)
    if answer.broken == "timeout":
        raise CurlError(28, "Operation too slow. Less than 1 bytes/sec transferred the last 30 seconds", transient=True)
    _write_out(process, options, answer)
    return 0


class Killed(Exception):
    """The program was ended from outside."""


def _receive(
    process: Process, options: dict[str, Any], target: str | None, existing: Content | None, answer: Response
) -> None:
    """Let the bytes arrive in steps, so that the file grows and a killed transfer leaves what it had."""
    clock, whole, slow = process.machine.clock, answer.delivered, answer.bytes_per_second
    steps = 20 if whole > 2**20 and target not in (None, "NUL") else 1
    if slow:
        steps = max(steps, round(whole / slow / 0.2))
    guard = process.machine.files.in_use(target) if target not in (None, "NUL") else nullcontext()
    with guard:
        for step in range(1, steps + 1):
            part = replace(answer, delivered=whole * step // steps)
            if step < steps:
                part.broken = part.broken or "closed"
            _store(process, options, target, join_parts(existing, part) if existing else part.body())
            seconds = whole / steps / (slow or max(1, process.machine.network.rate))
            if not (clock.spend if slow else clock.work)(seconds, process.cancelled):
                raise Killed


def _check_revocation(process: Process, options: dict[str, Any], url: str) -> None:
    """Ask for the revocation list of the server's certificate, as Schannel does: through WinHTTP's proxy, not curl's.

    Raises:
        CurlError: nobody could be asked, and curl was not told to go on then.
    """
    if (
        not url.startswith("https:")
        or options.get("no_revoke")
        or options.get("insecure")
        or options.get("best_effort")
    ):
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


def _ask(process: Process, options: dict[str, Any], url: str, start: int) -> Response:
    proxy = _proxy(process, options, url)
    try:
        with suppress(NetworkError):  # without a connection there is no certificate; fetch says so
            process.machine.network.reaches(urlsplit(url).hostname or "", proxy)
            _check_revocation(process, options, url)
        return process.machine.network.fetch(
            url,
            proxy=proxy,
            start=start,
            method="HEAD" if options.get("head") else "GET",
            agent=options.get("agent", "curl/8.13.0"),
            redirects=int(options.get("max_redirs", 50)) if options.get("location") else 0,
            pace=False,
        )
    except NetworkError as error:
        seconds = float(options.get("connect_timeout", 21))
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
            process.machine.clock.work(seconds, process.cancelled)
            code, text = 28, f"Failed to connect to {error.host} port {error.port} after {seconds:g} s: Timed out"
        raise CurlError(code, text, transient=code in (6, 28)) from error


def _store(process: Process, options: dict[str, Any], target: str | None, content: Content) -> None:
    if target == "NUL":
        return
    if options.get("head"):
        if target is not None:
            raise SimulatorError("curl: --head with --output is not known")
        return
    if target is None:
        if content.blob is None:
            raise SimulatorError("curl: the bytes of this URL are not held; give --output")
        process.write_stdout(content.blob)
        return
    files = process.machine.files
    if options.get("create_dirs"):
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


def _write_out(process: Process, options: dict[str, Any], answer: Response) -> None:
    if "write_out" not in options:
        return
    text = options["write_out"].replace("\\n", "\r\n").replace("\\t", "\t")
    for name, value in (
        ("http_code", f"{answer.status:03d}"),
        ("response_code", f"{answer.status:03d}"),
        ("size_download", str(answer.delivered)),
        ("url_effective", answer.url),
        ("num_redirects", str(answer.redirects)),
        ("exitcode", "0"),
    ):
        text = text.replace("%{" + name + "}", value)
    if "%{" in text:
        raise SimulatorError(f"curl: --write-out variable not known: {options['write_out']}")
    process.write_stdout(text.encode())
