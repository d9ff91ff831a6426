"""An apt of its own below a folder: the real programs of this machine, which read and write nothing else."""

from __future__ import annotations

import functools
import hashlib
import http.server
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest

FOLDERS = [
    "etc/apt/sources.list.d",
    "etc/apt/apt.conf.d",
    "etc/apt/preferences.d",
    "etc/apt/trusted.gpg.d",
    "etc/apt/keyrings",
    "var/lib/apt/lists/partial",
    "var/cache/apt/archives/partial",
    "var/lib/dpkg/updates",
]
needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")


def make(folder: Path, monkeypatch, archive: Archive | None = None) -> Path:
    """Make it, let every apt that this test starts use it, and let it trust the key of an archive."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "var/lib/dpkg/status").touch()
    configuration = folder / "apt.conf"
    configuration.write_text(
        f'Dir "{folder}";\nDir::State::status "{folder}/var/lib/dpkg/status";\n'
        'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Sandbox::User "";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(configuration))
    if archive:
        (folder / "etc/apt/trusted.gpg.d/archive.gpg").write_bytes(archive.key.read_bytes())
    return folder


HOLD = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print(flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(path: Path, seconds: float) -> subprocess.Popen:
    """Let another process hold a lock of apt for some seconds."""
    argv = [sys.executable, "-c", HOLD, str(path), str(seconds)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


class Archive:
    """A web server with signed repositories, one folder each: what apt meets outside."""

    def __init__(self, folder: Path):
        self.folder, self.home = folder / "www", folder / "gnupg"
        self.folder.mkdir()
        self.home.mkdir(mode=0o700)
        self.key = folder / "archive.gpg"
        self.gpg("--quick-gen-key", "--passphrase", "", "archive", "ed25519", "sign", "never")
        self.gpg("--export", "--output", str(self.key))
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), functools.partial(Quiet, directory=str(self.folder))
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def gpg(self, *arguments: str) -> None:
        argv = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--pinentry-mode", "loopback"]
        subprocess.run([*argv, *arguments], check=True, capture_output=True, timeout=60)

    def publish(self, name: str, suite: str, origin: str = "Ubuntu") -> None:
        """Publish a repository with one package in component main."""
        package = f"Package: {name}\nVersion: 1\nArchitecture: amd64\nFilename: x.deb\nSize: 1\nSHA256: {'0' * 64}\n"
        packages = package.encode()
        where = self.folder / name / "dists" / suite
        (where / "main/binary-amd64").mkdir(parents=True)
        (where / "main/binary-amd64/Packages").write_bytes(packages)
        line = f" {hashlib.sha256(packages).hexdigest()} {len(packages)} main/binary-amd64/Packages"
        (where / "Release").write_text(
            f"Origin: {origin}\nLabel: {origin}\nSuite: {suite}\nCodename: {suite}\nComponents: main\n"
            f"Architectures: amd64\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{line}\n"
        )
        self.gpg("--clearsign", "--output", str(where / "InRelease"), str(where / "Release"))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False, timeout=60)


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""
