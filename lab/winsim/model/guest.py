"""The inside of a WSL distribution, as far as it is only remembered, and a command that runs in one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lab.winsim.model.wsl import Distribution
from lab.winsim.process import InputStream


@dataclass
class LinuxProcess:
    """One command inside a distribution. ``argv`` goes to exec; ``shell`` is a line for the user's shell instead."""

    distribution: Distribution
    argv: list[str]
    user: str
    cwd: str = "~"
    shell: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    stdin: Any = field(default_factory=InputStream)
    write_stdout: Callable[[bytes], Any] = lambda data: None
    write_stderr: Callable[[bytes], Any] = lambda data: None
    cancelled: threading.Event = field(default_factory=threading.Event)
    interop: str = ""  # the server of its session, a name in the backend's folder for them


@dataclass
class LinuxUser:
    """An account inside a distribution."""

    name: str
    uid: int
    gid: int
    groups: list[str] = field(default_factory=list)
    home: str = "/"
    shell: str = "/bin/bash"
    hash: str = "!"


@dataclass
class Guest:
    """The inside of one distribution: users, groups, files (path -> text, owner, mode)."""

    users: dict[str, LinuxUser] = field(default_factory=dict)
    groups: dict[str, int] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    modes: dict[str, str] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    conf: bytes = b""  # /etc/wsl.conf as it was when the distribution started
    release: str = "24.04"

    @classmethod
    def fresh(cls, release: str) -> Guest:
        """What is in an Ubuntu image."""
        codename = {"22.04": "jammy", "24.04": "noble", "26.04": "resolute"}.get(release, "noble")
        guest = cls(release=release)
        names = ("root", "daemon", "adm", "cdrom", "sudo", "dip", "plugdev", "users", "netdev")
        guest.groups = dict(zip(names, (0, 1, 4, 24, 27, 30, 46, 100, 103), strict=True))
        guest.users["root"] = LinuxUser("root", 0, 0, [], "/root")
        guest.folders = {
            "/",
            "/etc",
            "/root",
            "/home",
            "/usr",
            "/usr/bin",
            "/var",
            "/tmp",
            "/mnt",
            "/mnt/c",
            "/etc/apt",
        }
        guest.files = {
            "/etc/wsl.conf": b"[boot]\nsystemd=true\n",
            "/etc/wsl-distribution.conf": b"[oobe]\ncommand = /usr/lib/wsl/wsl-setup\ndefaultUid = 1000\n",
            "/etc/os-release": (
                f'PRETTY_NAME="Ubuntu {release} LTS"\nNAME="Ubuntu"\nVERSION_ID="{release}"\nID=ubuntu\n'
                f"VERSION_CODENAME={codename}\n"
            ).encode(),
        }
        return guest
