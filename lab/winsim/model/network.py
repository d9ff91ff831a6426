"""The network as the machine sees it: who can be reached how, what URLs give, what breaks on the way.

Nothing leaves the simulator: URLs come from a catalogue. Sizes are true, the bytes of large files are not held.

Faults of downloads are entries of ``machine.faults["downloads"]``: ``kind`` (one of ``FAULTS``) and what it needs
(``seconds``, ``status``, ``signer``, ``bytes``), ``url`` (a pattern, else all), ``skip`` (how often it is passed over
first), ``times`` (how often it happens, else for ever). ``bytes_per_second`` makes a transfer take real time, so that
its file can be seen growing: the kind ``slow`` does nothing else, and every other kind may have it too.
``no_revocation`` gives the server a certificate that names no revocation list, as a proxy that looks into TLS makes them.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from lab.winsim.errors import SimulatorError
from lab.winsim.model.clock import Clock
from lab.winsim.model.files import Content

FAULTS = ("refuse", "no_answer", "status", "corrupt", "signer", "break", "timeout", "slow", "no_revocation")
"""Kinds of ``machine.faults["downloads"]``."""


CACHE = "cache.lab"
"""A cache in the room: http://cache.lab:PORT/HOST/PATH gives what https://HOST/PATH leads to. It has every file."""


class NetworkError(Exception):
    """No answer. ``kind``: resolve, resolve_proxy, connect, connect_proxy, timeout, tls, reset."""

    def __init__(self, kind: str, host: str, port: int) -> None:
        super().__init__(f"{kind} {host}:{port}")
        self.kind, self.host, self.port = kind, host, port


@dataclass
class Resource:
    """What a URL gives. ``redirect`` is another URL; ``filename`` what Content-Disposition names."""

    url: str
    content: Content = field(default_factory=lambda: Content.of(b""))
    redirect: str | None = None
    filename: str | None = None
    status: int = 200
    modified: float = 1_760_000_000.0
    ranges: bool = True


@dataclass
class Response:
    """An answer. ``delivered`` bytes of the body arrive; if that is less than asked for, ``broken`` says how it ends."""

    url: str
    status: int
    content: Content
    start: int = 0
    delivered: int = 0
    broken: str | None = None  # closed | timeout
    filename: str | None = None
    modified: float = 0.0
    redirects: int = 0
    bytes_per_second: float = 0.0  # of real time; 0: not slowed

    @property
    def expected(self) -> int:
        """Bytes of the body if nothing broke."""
        return max(0, self.content.size - self.start)

    def body(self) -> Content:
        """The part that arrived, as content of a file."""
        if self.broken is None and self.start == 0:
            return self.content
        if self.content.blob is not None:
            return Content.of(self.content.blob[self.start : self.start + self.delivered])
        return part_of(self.content, self.url, self.start, self.delivered)


def part_of(whole: Content, url: str, start: int, length: int) -> Content:
    """A piece of a file whose bytes are not held."""
    return Content(length, origin=url, complete=False, data={"start": start, "of": whole.digest("sha256")})


def join_parts(first: Content, response: Response) -> Content:
    """The file that ``curl --continue-at`` makes: what was there and what arrived after it."""
    whole = response.content
    if first.blob is not None and whole.blob is not None:
        return Content.of(first.blob + whole.blob[response.start : response.start + response.delivered])
    size = first.size + response.delivered
    fits = first.data.get("of") == whole.digest("sha256") and not first.data.get("start") and not first.data.get("bad")
    if not fits or first.size != response.start:
        return Content(size, origin=response.url, complete=False, data={"bad": True, "was": first.digest("sha256")})
    return whole if size == whole.size else part_of(whole, response.url, 0, size)


class Network:
    """Connections of one machine.

    ``direct``: which hosts answer without a proxy, as patterns (``*`` all). ``proxies``: ``host:port`` -> whether a
    proxy listens there and which hosts it reaches.
    """

    def __init__(self, log: Callable[..., None], clock: Clock, faults: dict[str, Any]) -> None:
        self.direct: list[str] = ["*"]
        self.proxies: dict[str, dict[str, Any]] = {}
        self.rate = 100_000_000 // 8
        self.addresses: list[str] = ["192.168.1.20"]
        self.catalogue: dict[str, Resource] = {}
        self.requests: list[dict[str, Any]] = []
        self._log, self._clock, self._faults = log, clock, faults

    # --- the catalogue -----------------------------------------------------------------------------------------

    def publish(self, entry: dict[str, Any]) -> Resource:
        """Add one URL from its description.

        Keys: ``url``, and ``text``, or ``size`` with ``sha256`` (and other digests); ``signer``, ``program``,
        ``data``, ``redirect``, ``filename``, ``status``, ``ranges``.
        """
        known = {"url", "text", "size", "sha256", "md5", "sha1", "signer", "program", "data", "redirect", "filename"}
        unknown = set(entry) - known - {"status", "ranges", "modified"}
        if unknown:
            raise SimulatorError(f"catalogue entry {entry.get('url')}: unknown keys {sorted(unknown)}")
        more = {key: entry[key] for key in ("signer", "program", "data") if entry.get(key)}
        if "text" in entry:
            content = Content.of(entry["text"].encode(), **more)
        else:
            digests = {key: entry[key].lower() for key in ("sha256", "md5", "sha1") if key in entry}
            if "sha256" not in digests:
                digests["sha256"] = hashlib.sha256(entry["url"].encode()).hexdigest()
            content = Content(entry.get("size", 0), digests, origin=entry["url"], **more)
        fields = {key: entry[key] for key in ("redirect", "filename", "status", "ranges", "modified") if key in entry}
        resource = Resource(entry["url"], content, **fields)
        self.catalogue[entry["url"]] = resource
        return resource

    def _find(self, url: str) -> Resource:
        clean = url.partition("#")[0]
        if urlsplit(url).hostname == CACHE:
            found = Resource(url, redirect=f"https:/{urlsplit(url).path}")
            while found and found.redirect:
                found = self.catalogue.get(found.redirect)
            return replace(found, url=url, filename=None) if found else Resource(url, Content.of(b""), status=404)
        resource = self.catalogue.get(clean) or self.catalogue.get(unquote(clean))
        if resource is not None:
            return resource
        host = urlsplit(url).hostname
        if any(urlsplit(known).hostname == host for known in self.catalogue):
            return Resource(url, Content.of(b"Not Found\n"), status=404)
        raise SimulatorError(f"URL not in the catalogue: {clean}")

    # --- requests ----------------------------------------------------------------------------------------------

    def reaches(self, host: str, proxy: str | None) -> None:
        """Check the way to a host.

        Raises:
            NetworkError: there is none.
        """
        if proxy is None:
            if not _matches(host, [*self.direct, CACHE]):
                raise NetworkError("connect", host, 443)
            return
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        name, port = ((parts.hostname or "").replace("localhost", "127.0.0.1"), parts.port or 1080)
        known = self.proxies.get(f"{name}:{port}")
        if known is None and not name.replace(".", "").isdigit():
            raise NetworkError("resolve_proxy", name, port)
        if known is None or not known.get("running", True):
            raise NetworkError("connect_proxy", name, port)
        if not _matches(host, known.get("reaches", ["*"])):
            raise NetworkError("connect", host, 443)

    def fetch(
        self,
        url: str,
        *,
        proxy: str | None = None,
        start: int = 0,
        method: str = "GET",
        agent: str = "",
        redirects: int = 20,
        pace: bool = True,
    ) -> Response:
        """Ask for a URL and follow redirects (``redirects`` of them at most; 0 gives the redirect itself).

        Args:
            proxy: ``http://host:port`` or ``host:port``, None for a direct connection.
            start: first byte wanted (an HTTP range).
            pace: take the time that the bytes need; False if the caller does that itself, in steps.

        Raises:
            NetworkError: no answer.
            SimulatorError: the URL is not in the catalogue.
        """
        followed = 0
        while True:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https"):
                raise SimulatorError(f"URL scheme not known: {url}")
            host = parts.hostname or ""
            try:
                self.reaches(host, proxy)
                fault = self._fault(url)
                if fault and fault["kind"] == "refuse":
                    raise NetworkError("connect", host, parts.port or 443)
                if fault and fault["kind"] == "no_answer":
                    self._clock.work(float(fault.get("seconds", 30)))
                    raise NetworkError("timeout", host, parts.port or 443)
            except NetworkError as error:
                self._record(method, url, proxy, start, 0, 0, agent, error.kind)
                raise
            resource = self._find(url)
            if resource.redirect and followed < redirects and not (fault and fault["kind"] == "status"):
                self._record(method, url, proxy, start, 302, 0, agent, None)
                url = urljoin(url, resource.redirect)
                followed += 1
                continue
            return self._answer(resource, url, proxy, start, method, agent, fault, followed, pace)

    def _answer(
        self,
        resource: Resource,
        url: str,
        proxy: str | None,
        start: int,
        method: str,
        agent: str,
        fault: dict[str, Any] | None,
        followed: int,
        pace: bool,
    ) -> Response:
        content, status, broken = (resource.content, 302 if resource.redirect else resource.status, None)
        if fault and fault["kind"] == "status":
            status, content = int(fault["status"]), Content.of(b"<html>error</html>\n")
        elif fault and fault["kind"] == "corrupt":
            content = Content(content.size, {"sha256": hashlib.sha256(b"corrupt" + url.encode()).hexdigest()})
        elif fault and fault["kind"] == "signer":
            content = Content(
                content.size,
                {"sha256": hashlib.sha256(b"signed by somebody else" + url.encode()).hexdigest()},
                signer=fault.get("signer"),
                program=content.program,
                data=content.data,
            )
        if status != 200 or start and not resource.ranges:
            start = 0
        elif start > content.size or (start and start == content.size):
            self._record(method, url, proxy, start, 416, 0, agent, None)
            return Response(url, 416, Content.of(b""), filename=resource.filename)
        elif start:
            status = 206
        delivered = 0 if method == "HEAD" else max(0, content.size - start)
        if fault and fault["kind"] in ("break", "timeout") and method != "HEAD":
            delivered = min(delivered, int(fault.get("bytes", 0)))
            broken = "closed" if fault["kind"] == "break" else "timeout"
        slow = float(fault.get("bytes_per_second", 0)) if fault else 0.0
        if pace and slow:
            self._clock.spend(delivered / slow)
        elif pace and delivered and not self._clock.work(delivered / max(1, self.rate)):
            delivered, broken = delivered // 2, "closed"
        self._record(method, url, proxy, start, status, delivered, agent, broken)
        return Response(
            url,
            status,
            content,
            start,
            delivered,
            broken,
            resource.filename,
            resource.modified,
            redirects=followed,
            bytes_per_second=slow,
        )

    def hides_revocation(self, url: str) -> bool:
        """Whether the certificate that a client sees for a URL names no revocation list."""
        faults = self._faults.get("downloads", [])
        return any(
            item.get("kind") == "no_revocation" and fnmatch.fnmatch(url, item.get("url", "*")) for item in faults
        )

    def _fault(self, url: str) -> dict[str, Any] | None:
        """The first fault that is meant for the URL; one with ``times`` is used up."""
        for fault in list(self._faults.get("downloads", [])):
            if fault.get("kind") not in FAULTS or (fault["kind"] == "slow" and not fault.get("bytes_per_second")):
                raise SimulatorError(f"fault of downloads not known: {fault}")
            if fault["kind"] == "no_revocation" or not fnmatch.fnmatch(url, fault.get("url", "*")):
                continue
            if fault.get("skip", 0) > 0:
                fault["skip"] -= 1
                continue
            if "times" in fault:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    self._faults["downloads"].remove(fault)
            return fault
        return None

    def _record(
        self,
        method: str,
        url: str,
        proxy: str | None,
        start: int,
        status: int,
        size: int,
        agent: str,
        error: str | None,
    ) -> None:
        parts = urlsplit(proxy if proxy is None or "://" in proxy else f"http://{proxy}") if proxy else None
        entry = {
            "method": method,
            "url": url,
            "proxy": f"{parts.hostname}:{parts.port}" if parts else None,
            "start": start,
            "status": status,
            "bytes": size,
            "agent": agent,
            "error": error,
        }
        self.requests.append(entry)
        self._log("request", **entry)

    def bytes_downloaded(self) -> int:
        """Body bytes of all requests so far."""
        return sum(entry["bytes"] for entry in self.requests)


def _matches(host: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(host.lower(), pattern.lower()) for pattern in patterns)


def bypassed(host: str, rules: str) -> bool:
    """Whether a ``no_proxy`` or ProxyOverride list (``,`` or ``;``) exempts a host."""
    for rule in rules.replace(";", ",").split(","):
        rule = rule.strip().lower()
        if not rule:
            continue
        if rule == "<local>" and "." not in host:
            return True
        if rule == "*" or fnmatch.fnmatch(host.lower(), rule) or host.lower().endswith("." + rule.lstrip(".")):
            return True
    return False
