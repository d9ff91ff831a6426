"""What plays the Linux distributions behind wsl.exe.

``wsl.exe`` and the registry are the machine's business; a backend holds what is *inside* a distribution. The one here
keeps users and files in memory and knows the few commands that roles use; another one can be handed to the machine,
for example the lab's containers. Anything unknown is a :class:`~lab.winsim.errors.SimulatorError`.
"""

from __future__ import annotations

import base64
import threading
from typing import Any, Protocol

from lab.winsim.model import linux_commands
from lab.winsim.model.files import Content
from lab.winsim.model.guest import Guest, LinuxProcess, LinuxUser
from lab.winsim.model.wsl import Distro


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
