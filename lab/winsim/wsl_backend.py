"""What plays the Linux distributions behind wsl.exe.

``wsl.exe`` and the registry are the machine's business; a backend holds what is *inside* a distribution. The one here
keeps users and files in memory and knows the few commands that roles use; another one can be handed to the machine,
for example the lab's containers. Anything unknown is a :class:`~lab.winsim.errors.SimulatorError`.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from lab.winsim.model.files import Content
from lab.winsim.model.wsl import Distro
from lab.winsim.process import InputStream


@dataclass
class LinuxProcess:
    """One command inside a distribution. ``argv`` goes to exec; ``shell`` is a line for the user's shell instead."""

    distro: Distro
    argv: list[str]
    user: str
    cwd: str = "~"
    shell: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    stdin: Any = field(default_factory=InputStream)
    write_stdout: Callable[[bytes], Any] = lambda data: None
    write_stderr: Callable[[bytes], Any] = lambda data: None
    cancelled: threading.Event = field(default_factory=threading.Event)


class WslBackend(Protocol):
    """What a backend has to offer."""

    def create(self, distro: Distro, image: Content) -> None:
        """Unpack an image."""

    def destroy(self, distro: Distro) -> None:
        """Delete a distribution with everything in it."""

    def start(self, distro: Distro) -> None:
        """Boot it."""

    def stop(self, distro: Distro) -> None:
        """Stop it with all its processes."""

    def stop_all(self) -> None:
        """Stop all of them (shutdown, reboot)."""

    def run(self, process: LinuxProcess) -> int:
        """Run a command and return its exit code."""

    def uid(self, distro: Distro, user: str) -> int | None:
        """The uid of a user, None if there is none."""

    def user_of(self, distro: Distro, uid: int) -> str | None:
        """The name of a uid."""

    def add_user(self, distro: Distro, user: str, uid: int) -> None:
        """Make a user (machine descriptions)."""

    def default_user(self, distro: Distro) -> str | None:
        """``[user] default`` of /etc/wsl.conf."""

    def dump(self) -> dict[str, Any]:
        """State for the snapshot."""

    def restore(self, data: dict[str, Any]) -> None:
        """The reverse of dump."""

    def summary(self) -> dict[str, Any]:
        """State for people: no password hashes."""


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


class MemoryBackend:
    """Distributions that are only remembered."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.guests: dict[str, Guest] = {}
        self._running: dict[str, list[threading.Event]] = {}

    def create(self, distro: Distro, image: Content) -> None:
        """Make the inside of a fresh distribution."""
        self.guests[distro.id] = Guest.fresh(image.data.get("distro", {}).get("version", "24.04"))

    def destroy(self, distro: Distro) -> None:
        """Forget a distribution."""
        self.stop(distro)
        self.guests.pop(distro.id, None)

    def start(self, distro: Distro) -> None:
        """Read /etc/wsl.conf, which counts from now on."""
        guest = self.guests[distro.id]
        guest.conf = guest.files.get("/etc/wsl.conf", b"")

    def stop(self, distro: Distro) -> None:
        """End every process in a distribution."""
        for event in self._running.pop(distro.id, []):
            event.set()

    def stop_all(self) -> None:
        """End every process everywhere."""
        for identity in list(self._running):
            for event in self._running.pop(identity, []):
                event.set()

    def run(self, process: LinuxProcess) -> int:
        """Run one of the known commands."""
        from lab.winsim.model import linux_commands

        ended = threading.Event()
        self._running.setdefault(process.distro.id, []).append(ended)
        return linux_commands.run(self.machine, self.guests[process.distro.id], process, ended)

    def uid(self, distro: Distro, user: str) -> int | None:
        """The uid of a user."""
        known = self.guests[distro.id].users.get(user)
        return known.uid if known else None

    def user_of(self, distro: Distro, uid: int) -> str | None:
        """The name of a uid."""
        return next((user.name for user in self.guests[distro.id].users.values() if user.uid == uid), None)

    def add_user(self, distro: Distro, user: str, uid: int) -> None:
        """Make a user with a home."""
        guest = self.guests[distro.id]
        guest.users[user] = LinuxUser(user, uid, uid, ["adm", "cdrom", "sudo", "dip", "plugdev"], f"/home/{user}")
        guest.groups[user] = uid
        guest.folders.add(f"/home/{user}")

    def default_user(self, distro: Distro) -> str | None:
        """``default`` in section ``[user]`` of the wsl.conf that the distribution started with."""
        section = ""
        for line in self.guests[distro.id].conf.decode().splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line.strip("[]").lower()
            elif section == "user" and line.partition("=")[0].strip().lower() == "default":
                return line.partition("=")[2].strip() or None
        return None

    def dump(self) -> dict[str, Any]:
        """State for the snapshot."""
        out = {}
        for identity, guest in list(self.guests.items()):
            out[identity] = {
                "users": [dict(user.__dict__) for user in list(guest.users.values())],
                "groups": dict(guest.groups),
                "files": {path: base64.b64encode(data).decode() for path, data in list(guest.files.items())},
                "folders": sorted(guest.folders),
                "modes": dict(guest.modes),
                "owners": dict(guest.owners),
                "conf": base64.b64encode(guest.conf).decode(),
                "release": guest.release,
            }
        return out

    def restore(self, data: dict[str, Any]) -> None:
        """The reverse of :meth:`dump`."""
        self.guests = {}
        for identity, fields in data.items():
            guest = Guest(release=fields["release"], groups=fields["groups"], modes=fields["modes"])
            guest.users = {user["name"]: LinuxUser(**user) for user in fields["users"]}
            guest.files = {path: base64.b64decode(text) for path, text in fields["files"].items()}
            guest.folders, guest.owners = set(fields["folders"]), fields["owners"]
            guest.conf = base64.b64decode(fields["conf"])
            self.guests[identity] = guest

    def summary(self) -> dict[str, Any]:
        """Users and file names, without password hashes."""
        return {
            identity: {
                "release": guest.release,
                "users": {
                    user.name: {"uid": user.uid, "groups": user.groups, "password_set": user.hash not in ("!", "*")}
                    for user in guest.users.values()
                },
                "files": {path: data.decode("utf-8", "replace") for path, data in list(guest.files.items())},
            }
            for identity, guest in self.guests.items()
        }
