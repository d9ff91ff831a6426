"""What goes wrong at the simulated Windows host and behind its proxy; runs in the internet container.

``proxy KIND`` changes what listens on the proxy's port, ``tamper KIND GLOB`` what the origins give, ``none`` ends both.
"""

from __future__ import annotations

import datetime
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SRV = Path("/srv/lab")
WWW, KEYS, GNUPG = SRV / "www", SRV / "keys", SRV / "gnupg"
FAULT, SWITCH, KEPT = Path("/run/lab-fault"), Path("/run/lab-switch"), Path("/run/lab-kept")
PORT = int("@PROXY_PORT@")
PROXY_KINDS = {
    "hang": "the port is open and nothing answers",
    "refuse": "nothing listens",
    "502": "the proxy program has lost its own upstream",
    "captive": "every page is a login page, and tunnels are refused",
}
TAMPER_KINDS = {
    "corrupt": "one byte in the middle is another one; an empty file gets one",
    "layer": "the same, of compressed files only: the layers of an image, not its manifest",
    "truncate": "the second half is missing",
    "foreign": "a Release file signed by somebody else",
    "later": "a Release file dated in two days, as a clock sees it that is two days behind",
    "key": "another key in place of a signing key",
}


class Broken(BaseHTTPRequestHandler):
    """Answers every request wrongly."""

    kind = ""

    def do_GET(self) -> None:
        """Answer with the error, or with the login page."""
        tunnel = self.command == "CONNECT"
        status = 502 if self.kind == "502" else 511 if tunnel else 200
        body = b"<html><body>Please log in to use this network.</body></html>\n" if self.kind == "captive" else b""
        self.send_response(status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    do_HEAD = do_POST = do_CONNECT = do_GET

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent."""


def serve(kind: str) -> None:
    """Stand on the proxy's port until ended; called by the container's entrypoint."""
    if kind == "refuse":
        signal.pause()
    Broken.kind = kind
    ThreadingHTTPServer.allow_reuse_address = True
    ThreadingHTTPServer(("0.0.0.0", PORT), Broken).serve_forever()


def proxy(kind: str) -> None:
    """Put a fault in the proxy's place, or the proxy again (``none``)."""
    subprocess.run(["pkill", "-CONT", "-x", "tinyproxy"], check=False)
    if kind == "hang":
        subprocess.run(["pkill", "-STOP", "-x", "tinyproxy"], check=True)
        return
    if kind == "none" and not FAULT.exists():
        return
    SWITCH.touch()
    FAULT.unlink(missing_ok=True)
    if kind != "none":
        FAULT.write_text(kind)
    subprocess.run(["pkill", "-x", "tinyproxy"], check=False)
    subprocess.run(["pkill", "-f", "faults.py serve"], check=False)
    for _ in range(100):  # the entrypoint starts what comes next
        if not SWITCH.exists():
            time.sleep(0.2)
            return
        time.sleep(0.1)
    sys.exit("the entrypoint did not start what should listen now")


def gpg(home: Path, *argv: str) -> None:
    """Run gpg with a key ring."""
    subprocess.run(["gpg", "--homedir", str(home), "--batch", "--quiet", "--yes", *argv], check=True)


def foreign_ring(folder: str) -> Path:
    """Make a key ring with one key that nobody trusts."""
    home = Path(folder, "ring")
    home.mkdir(mode=0o700)
    gpg(home, "--passphrase", "", "--quick-generate-key", "somebody else", "ed25519", "sign", "never")
    return home


def resign(path: Path, home: Path, *options: str) -> None:
    """Sign the Release file that belongs to an InRelease or Release.gpg anew."""
    release = path.with_name("Release")
    if path.name == "InRelease":
        gpg(home, *options, "--clearsign", "--output", str(path), str(release))
    else:
        gpg(home, *options, "--armor", "--detach-sign", "--output", str(path), str(release))


def owner_of(path: Path) -> str:
    """Return the fingerprint of the key that signs a repository, by the folder it is in."""
    name = path.relative_to(WWW).parts[0]
    return (KEYS / f"{name}.fingerprint").read_text().strip()


def keep(path: Path) -> None:
    """Keep a file before it is changed."""
    kept = KEPT / path.relative_to(SRV)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, kept)


def tamper(kind: str, pattern: str) -> None:
    """Change what the origins give for the files that match the pattern below their root folder, or registry/…"""
    root = SRV if pattern.startswith("registry/") else WWW
    found = sorted(path for path in root.glob(pattern) if path.is_file())
    if kind == "layer":
        found = [path for path in found if path.read_bytes()[:2] == b"\x1f\x8b"]
    if not found:
        sys.exit(f"no origin has a file {pattern}")
    with tempfile.TemporaryDirectory() as folder:
        home = foreign_ring(folder) if kind in ("foreign", "key") else GNUPG
        for path in found:
            keep(path)
            if kind in ("corrupt", "layer"):
                data = bytearray(path.read_bytes() or b"\0")
                data[len(data) // 2] ^= 0xFF
                path.write_bytes(data)
            elif kind == "truncate":
                os.truncate(path, path.stat().st_size // 2)
            elif kind == "foreign":
                resign(path, home)
            elif kind == "later":
                release = path.with_name("Release")
                keep(release)
                date = format_datetime(datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=2), usegmt=True)
                lines = [line for line in release.read_text().splitlines() if not line.startswith("Date:")]
                release.write_text("\n".join([f"Date: {date.replace('GMT', 'UTC')}", *lines, ""]))
                resign(path, home, "--local-user", owner_of(path), "--digest-algo", "SHA512")
            elif kind == "key":
                gpg(
                    home, *(["--armor"] if b"BEGIN PGP" in path.read_bytes() else []), "--output", str(path), "--export"
                )


def recover() -> None:
    """Give the proxy and all files back."""
    proxy("none")
    for kept in sorted(KEPT.rglob("*")):
        if kept.is_file():
            shutil.copy2(kept, SRV / kept.relative_to(KEPT))
    shutil.rmtree(KEPT, ignore_errors=True)


def main(verb: str, *words: str) -> None:
    """Run one verb."""
    if verb == "none":
        recover()
    elif verb == "proxy" and words[0] in PROXY_KINDS:
        proxy(words[0])
    elif verb == "tamper" and words[0] in TAMPER_KINDS:
        tamper(*words)
    elif verb == "serve":
        serve(words[0])
    else:
        sys.exit(f"no fault {verb} {' '.join(words)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
