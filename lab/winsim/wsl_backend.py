"""What plays the Linux distributions behind wsl.exe.

``wsl.exe`` and the registry are the machine's business; a backend holds what is *inside* a distribution. The one here
keeps users and files in memory and knows the few commands that roles use; another one with the same public methods can
be handed to the machine, for example the lab's containers. One that also has ``save`` and ``load`` keeps what is inside
on the virtual disk. Anything unknown is a :class:`~lab.winsim.errors.SimulatorError`.
"""

from __future__ import annotations

import base64
import copy
import threading
import uuid
from pathlib import Path
from typing import Any

from lab.winsim.model import linux_commands
from lab.winsim.model.files import Content
from lab.winsim.model.guest import Guest, LinuxProcess, LinuxUser
from lab.winsim.model.wsl import Distribution


class MemoryBackend:
    """Distributions that are only remembered."""

    def __init__(self, machine: Any) -> None:
        self.machine = machine
        self.guests: dict[str, Guest] = {}
        self.disks: dict[str, Guest] = {}  # what is on disks that are not in use
        self._inserted: dict[str, str] = {}  # distribution -> its disk as it was saved last
        self._running: dict[str, list[threading.Event]] = {}

    def create(self, distribution: Distribution, image: Content) -> None:
        """Make the inside of a fresh distribution."""
        self.guests[distribution.id] = Guest.fresh(image.data.get("distribution", {}).get("version", "24.04"))

    def destroy(self, distribution: Distribution) -> None:
        """Forget a distribution."""
        self.stop(distribution)
        self.guests.pop(distribution.id, None)

    def start(self, distribution: Distribution) -> None:
        """Read /etc/wsl.conf, which counts from now on."""
        guest = self.guests[distribution.id]
        guest.conf = guest.files.get("/etc/wsl.conf", b"")

    def stop(self, distribution: Distribution) -> None:
        """End every process in a distribution."""
        for event in self._running.pop(distribution.id, []):
            event.set()

    def save(self, distribution: Distribution, disk: str | None) -> str:
        """Put the inside of a distribution on its disk, unless that is one which it has not read yet."""
        if disk and disk != self._inserted.get(distribution.id):
            return disk
        self._inserted[distribution.id] = key = str(uuid.uuid4())
        self.disks[key] = copy.deepcopy(self.guests[distribution.id])
        return key

    def load(self, distribution: Distribution, disk: str | None) -> None:
        """Read another disk than the one that was in use; what was saved before this process began is not known."""
        if disk in self.disks and disk != self._inserted.get(distribution.id):
            self._inserted[distribution.id] = disk
            self.guests[distribution.id] = copy.deepcopy(self.disks[disk])

    def stop_all(self) -> None:
        """End every process everywhere."""
        for identity in list(self._running):
            for event in self._running.pop(identity, []):
                event.set()

    def run(self, process: LinuxProcess) -> int:
        """Run one of the known commands."""
        ended = threading.Event()
        self._running.setdefault(process.distribution.id, []).append(ended)
        return linux_commands.run(self.machine, self.guests[process.distribution.id], process, ended)

    def uid(self, distribution: Distribution, user: str) -> int | None:
        """The uid of a user."""
        known = self.guests[distribution.id].users.get(user)
        return known.uid if known else None

    def user_of(self, distribution: Distribution, uid: int) -> str | None:
        """The name of a uid."""
        return next((user.name for user in self.guests[distribution.id].users.values() if user.uid == uid), None)

    def add_user(self, distribution: Distribution, user: str, uid: int) -> None:
        """Make a user with a home."""
        guest = self.guests[distribution.id]
        guest.users[user] = LinuxUser(user, uid, uid, ["adm", "cdrom", "sudo", "dip", "plugdev"], f"/home/{user}")
        guest.groups[user] = uid
        guest.folders.add(f"/home/{user}")

    def default_user(self, distribution: Distribution) -> str | None:
        """``default`` in section ``[user]`` of the wsl.conf that the distribution started with."""
        section = ""
        for line in self.guests[distribution.id].conf.decode().splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line.strip("[]").lower()
            elif section == "user" and line.partition("=")[0].strip().lower() == "default":
                return line.partition("=")[2].strip() or None
        return None

    def interop_folder(self, distribution: Distribution) -> Path | None:
        """None: what is only remembered starts nothing."""
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
