"""WSL distributions that are containers of the lab: the life of the container is the life of the virtual machine.

A container is made at ``--install`` or ``--import``, starts on first use, stops on ``--terminate``, ``--shutdown``,
when idle and when Windows reboots, and comes back with another gateway, as a WSL machine does. Its name is made of the
lab's and the PC's.
"""

from __future__ import annotations

import configparser
import contextlib
import io
import re
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any

from lab import distribution as containers
from lab import docker_exec
from lab.settings import SUITES, lab_id
from lab.winsim.errors import SimulatorError
from lab.winsim.interop import Server
from lab.winsim.model.files import Content
from lab.winsim.model.guest import LinuxProcess
from lab.winsim.model.wsl import HKLM_LXSS, Distribution, networking_mode, package_version

SUITE_OF = {version: suite for suite, version in SUITES.items()}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/usr/games:/usr/local/games:/usr/lib/wsl/lib"
NETWORKING = "/etc/lab-networking"  # read by the container's own start: the mode
NAME = "/etc/lab-distribution"  # read by it and by wslpath: the name in Windows
# The lab's image has a user, as ready-made distributions have. One that was just installed has none.
FORGET_USER = """set -e
if id dev >/dev/null 2>&1; then userdel --force --remove dev >/dev/null 2>&1; fi
rm -f /etc/sudoers.d/lab-dev
printf '[boot]\\nsystemd=true\\n' >/etc/wsl.conf
"""
PIECE = 64 * 1024


class ContainerBackend:
    """Distributions in containers; ``lab`` makes, starts, stops and removes them.

    ``users`` is a folder of this machine with what lies below C:\\Users, for those who read it as /mnt/c/Users.
    """

    def __init__(self, machine: Any, lab: Any = containers, users: Path | None = None) -> None:
        self.machine = machine
        self.lab = lab
        self.users = users
        self.names: dict[str, str] = {}
        self._place = machine.state_dir
        self._servers: dict[str, Server] = {}
        self._pids: dict[str, int] = {}
        self._default_users: dict[str, str | None] = {}

    # --- life --------------------------------------------------------------------------------------------------

    def create(self, distribution: Distribution, image: Content) -> None:
        """Make the container as a fresh Ubuntu finds it, and leave it stopped."""
        version = image.data.get("distribution", {}).get("version", "24.04")
        if version not in SUITE_OF:
            raise SimulatorError(f"no container for Ubuntu {version}; there are {', '.join(SUITE_OF)}")
        name = self._free_name()
        gpu = bool(self.machine.description.get("gpu"))
        with contextlib.redirect_stdout(io.StringIO()):  # the lab tells when it builds an image
            self.lab.up(name, suite=SUITE_OF[version], gpu=gpu, interop=self._shared(name), users=self.users)
        self.names[distribution.id] = name
        self._write(name, NAME, f"{distribution.name}\n".encode())
        self._docker("exec", name, "sh", "-c", FORGET_USER)
        self._stopped(distribution)
        self.lab.stop(name)
        self.machine.log("container made", container=name, distribution=distribution.name)

    def destroy(self, distribution: Distribution) -> None:
        """Remove the container with its volumes."""
        self._stopped(distribution)
        name = self.names.pop(distribution.id, None)
        if name is not None:
            self.lab.down(name)
            self.machine.log("container removed", container=name, distribution=distribution.name)

    def start(self, distribution: Distribution) -> None:
        """Start the container in the other network, and tell the registry the new gateway."""
        name, mode = self.names[distribution.id], networking_mode(self.machine, distribution.user)
        self._write(name, NETWORKING, f"{mode}\n".encode())
        self.lab.restart(name)
        self._began(distribution)
        gateway = self._read(distribution, "/run/lab/windows").decode().strip()
        if gateway:
            self.machine.registry.set(HKLM_LXSS, "NatGatewayIpAddress", gateway)
            self.machine.registry.set(HKLM_LXSS, "NatNetwork", gateway.rpartition(".")[0] + ".0/24")
        self.machine.log(
            "container started", container=name, distribution=distribution.name, windows=gateway, networking=mode
        )

    def _began(self, distribution: Distribution) -> None:
        name = self.names[distribution.id]
        running, pid = self._docker("inspect", "-f", "{{.State.Running}} {{.State.Pid}}", name).decode().split()
        if running != "true":
            raise SimulatorError(f"the container {name} does not run")
        self._pids[distribution.id] = int(pid)
        self._default_users[distribution.id] = _default_user(self._read(distribution, "/etc/wsl.conf"))
        self._serve(distribution)

    def _serve(self, distribution: Distribution) -> None:
        """Serve what no session of a terminal has started: with the ordinary token of the distribution's owner."""
        folder = self.interop_folder(distribution)
        if (
            folder
            and distribution.id not in self._servers
            and distribution.user in self.machine.extra.get("signed_in", [])
        ):
            session = self.machine.interop.session(distribution.user, elevated=False)
            self._servers[distribution.id] = self.machine.interop.serve(folder, "1_interop", session)

    def interop_folder(self, distribution: Distribution) -> Path | None:
        """The folder that is its /run/WSL; None where the machine has no folder of its own."""
        return self._shared(self.names[distribution.id])

    def _shared(self, name: str) -> Path | None:
        if self._place is None:
            return None
        folder = self._place / "interop" / name
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o777)  # everybody in the distribution may name a session
        return folder

    def stop(self, distribution: Distribution) -> None:
        """Stop the container with all its processes."""
        if distribution.id in self.names:
            self._stopped(distribution)
            self.lab.stop(self.names[distribution.id])
            self.machine.log("container stopped", container=self.names[distribution.id], distribution=distribution.name)

    def stop_all(self) -> None:
        """Stop all of them, as a shutdown or a reboot of Windows does."""
        for identity, name in self.names.items():
            self._pids.pop(identity, None)
            if server := self._servers.pop(identity, None):
                server.close()
            self.lab.stop(name)
            self.machine.log("container stopped", container=name)

    def _stopped(self, distribution: Distribution) -> None:
        self._pids.pop(distribution.id, None)
        if server := self._servers.pop(distribution.id, None):
            server.close()

    # --- what is inside ----------------------------------------------------------------------------------------

    def run(self, process: LinuxProcess) -> int:
        """Run a command in the container: input and output are streams of bytes, the exit code is the command's."""
        if not Path(f"/proc/{self._pids.get(process.distribution.id, 0)}").exists():
            self._began(process.distribution)  # somebody restarted the container behind our back
        user = self._passwd(process.distribution)[process.user]
        home, shell = user[5], user[6].strip() or "/bin/sh"
        argv = process.argv
        if process.shell is not None:
            argv = [shell, "-c", process.shell]
        elif not argv:
            argv = [shell, "-l"]
        environment = {
            "HOME": home,
            "USER": process.user,
            "LOGNAME": process.user,
            "SHELL": shell,
            "PATH": PATH,
            "LANG": "C.UTF-8",
            "HOSTTYPE": "x86_64",
            "NAME": self.machine.host_name,
            "WSL_DISTRO_NAME": process.distribution.name,
            "WSL_INTEROP": "/run/WSL/1_interop",
            **process.environment,
        }
        if process.interop:
            argv = ["/usr/lib/lab/session", process.interop, *argv]
        container, cwd = self.names[process.distribution.id], home if process.cwd == "~" else process.cwd
        if socket := docker_exec.socket_path():
            return docker_exec.run(socket, container, argv, process.user, cwd, environment, process)
        command = ["docker", "exec", "-i", "-u", process.user, "-w", cwd]
        for name, value in environment.items():
            command += ["-e", f"{name}={value}"]
        return stream([*command, container, *argv], process)

    def uid(self, distribution: Distribution, user: str) -> int | None:
        """The uid of a user."""
        entry = self._passwd(distribution).get(user)
        return int(entry[2]) if entry else None

    def user_of(self, distribution: Distribution, uid: int) -> str | None:
        """The name of a uid."""
        return next((name for name, entry in self._passwd(distribution).items() if int(entry[2]) == uid), None)

    def add_user(self, distribution: Distribution, user: str, uid: int) -> None:
        """Make a user (machine descriptions)."""
        name, groups = self.names[distribution.id], "adm,cdrom,sudo,dip,plugdev"
        self.lab.restart(name)
        self._docker("exec", name, "useradd", "-m", "-s", "/bin/bash", "-u", str(uid), "-G", groups, user)
        self._stopped(distribution)
        self.lab.stop(name)

    def default_user(self, distribution: Distribution) -> str | None:
        """``[user] default`` of /etc/wsl.conf as it was when the distribution started."""
        return self._default_users.get(distribution.id)

    def _passwd(self, distribution: Distribution) -> dict[str, list[str]]:
        lines = self._read(distribution, "/etc/passwd").decode("utf-8", "replace").splitlines()
        return {line.split(":")[0]: line.split(":") for line in lines if line.count(":") == 6}

    def _read(self, distribution: Distribution, path: str) -> bytes:
        """A regular file of the container, running or not; ``b""`` without it."""
        with contextlib.suppress(OSError):
            if pid := self._pids.get(distribution.id):
                return Path(f"/proc/{pid}/root{path}").read_bytes()
        done = subprocess.run(["docker", "cp", f"{self.names[distribution.id]}:{path}", "-"], capture_output=True)
        if done.returncode:
            return b""
        with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
            member = archive.extractfile(archive.getmembers()[0])
            return member.read() if member else b""

    @staticmethod
    def _write(name: str, path: str, data: bytes) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo(path.rpartition("/")[2])
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
        folder = path.rpartition("/")[0] or "/"
        subprocess.run(["docker", "cp", "-", f"{name}:{folder}"], input=buffer.getvalue(), check=True)

    # --- names and memory --------------------------------------------------------------------------------------

    def _free_name(self) -> str:
        place = self.machine.place or self.machine.host_name
        lab = f"{lab_id()}-"
        base = lab + re.sub(r"[^a-z0-9]+", "-", place.lower()).strip("-").removeprefix(lab)
        taken, number = set(self.names.values()), 1
        while (name := base if number == 1 else f"{base}-{number}") in taken:
            number += 1
        return name

    @staticmethod
    def _docker(*arguments: str) -> bytes:
        done = subprocess.run(["docker", *arguments], capture_output=True)
        if done.returncode:
            raise SimulatorError(f"docker {' '.join(arguments[:2])}: {done.stderr.decode('utf-8', 'replace').strip()}")
        return done.stdout

    def dump(self) -> dict[str, Any]:
        """State for the snapshot: which container is which distribution."""
        return {"containers": self.names, "default_users": self._default_users}

    def restore(self, data: dict[str, Any]) -> None:
        """The reverse of :meth:`dump`."""
        self.names = data.get("containers", {})
        self._default_users = data.get("default_users", {})

    def summary(self) -> dict[str, Any]:
        """State for people."""
        running = {identity: identity in self._pids for identity in self.names}
        return {
            "wsl_version": package_version(self.machine),
            "containers": {
                identity: {"container": name, "running": running[identity]} for identity, name in self.names.items()
            },
        }


def stream(command: list[str], process: LinuxProcess) -> int:
    """Run a local command with the streams of a Linux process and return its exit code; ended when it is cancelled."""
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )

    def feed() -> None:
        with contextlib.suppress(OSError):
            while data := process.stdin.read(PIECE):
                child.stdin.write(data)
                child.stdin.flush()
        with contextlib.suppress(OSError):
            child.stdin.close()

    def drain(pipe: Any, write: Any) -> None:
        while data := pipe.read1(PIECE):
            write(data)

    threading.Thread(target=feed, daemon=True).start()
    readers = [
        threading.Thread(target=drain, args=pair, daemon=True)
        for pair in ((child.stdout, process.write_stdout), (child.stderr, process.write_stderr))
    ]
    for reader in readers:
        reader.start()
    ended = threading.Event()
    threading.Thread(target=_end_when_cancelled, args=(child, process.cancelled, ended), daemon=True).start()
    for reader in readers:
        reader.join()
    code = child.wait()
    ended.set()
    return code if code >= 0 else 128 - code


def _end_when_cancelled(child: subprocess.Popen[bytes], cancelled: threading.Event, ended: threading.Event) -> None:
    while not ended.is_set():
        if cancelled.wait(0.2):
            child.kill()
            return


def _default_user(conf: bytes) -> str | None:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    with contextlib.suppress(configparser.Error):
        parser.read_string(conf.decode("utf-8", "replace"))
    sections = {name.lower(): name for name in parser.sections()}
    return parser.get(sections["user"], "default", fallback=None) if "user" in sections else None
