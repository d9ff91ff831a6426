"""One simulated Windows PC: its model, what is remembered between starts, and its event log."""

from __future__ import annotations

import json
import ntpath
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.winsim.interop import Interop
from lab.winsim.model import describe, tasks
from lab.winsim.model.blank import (
    COMPUTER_NAME,
    CURRENT_VERSION,
    SYSTEM32,
    TCPIP,
    WINDOWS_CURRENT,
    WINLOGON,
    install_windows,
    make_profile,
)
from lab.winsim.model.clock import Clock
from lab.winsim.model.environment import environment_for
from lab.winsim.model.files import Content, FileSystem
from lab.winsim.model.network import Network
from lab.winsim.model.registry import Registry, RegistryView
from lab.winsim.model.system import Features, FirewallRule, ScheduledTask
from lab.winsim.model.texts import win32
from lab.winsim.model.users import SYSTEM_ACCOUNTS, Users, bare_name, system_account
from lab.winsim.process import CaseInsensitiveDict, Process
from lab.winsim.wsl_backend import MemoryBackend

SESSION_MANAGER = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"
CBS = WINDOWS_CURRENT + "\\Component Based Servicing"
REBOOT_REQUIRED = WINDOWS_CURRENT + "\\WindowsUpdate\\Auto Update\\RebootRequired"
ALIASES = "\\microsoft\\windowsapps\\"  # the folder of app execution aliases in a profile
_SECRET_FIELDS = ("password", "hash", "stdin", "credential", "secret")


class Machine:
    """A Windows PC.

    Attributes:
        lock: held by whoever changes or reads the model.
        faults: what is to go wrong: ``downloads`` (see ``model/network.py``), ``programs`` (see
            ``model/software.py``), ``reboot`` (``mode``: soft or real).
        reboot_listener: called with ``soft`` when the machine has rebooted.
        wsl_backend: plays the Linux distributions.
        interop: the programs that were started at a terminal, or from inside a distribution.
    """

    def __init__(
        self,
        description: dict[str, Any],
        state_dir: Path | None = None,
        wsl_backend: Callable[[Machine], Any] = MemoryBackend,
    ) -> None:
        self.description = description
        self.state_dir = Path(state_dir) if state_dir else None
        self.place = self.state_dir.name if self.state_dir else ""  # tells this PC from others of its description
        self.lock = threading.RLock()
        self.faults: dict[str, Any] = {}
        self.reboot_listener: Callable[[bool], Any] | None = None
        self.clock = Clock(scale=float(description.get("time_scale", 0.0)))
        machine_id = uuid.uuid5(uuid.NAMESPACE_DNS, description["hostname"]).int
        numbers = [(machine_id >> shift) & 0xFFFFFFFF for shift in (0, 32, 64)]
        self.users = Users("S-1-5-21-" + "-".join(str(number) for number in numbers))
        self.registry = Registry(self.users.sid)
        blobs = self.state_dir / "blobs" if self.state_dir else None
        free = {f"{letter}:": 2**50 for letter in description["disks"]}  # the true figures follow in describe.apply
        self.files = FileSystem(self.clock.now, free, blobs)
        self.features = Features()
        self.firewall: list[FirewallRule] = []
        self.tasks: dict[str, ScheduledTask] = {}
        self.running_tasks: dict[str, threading.Event] = {}
        self.network = Network(self.log, self.clock, self.faults)
        self.boots: list[dict[str, Any]] = []
        self.pending_shutdown: dict[str, Any] | None = None
        self.busy_installer: str | None = None
        self.extra: dict[str, Any] = {}  # state of single programs (WSL, Visual Studio, CUDA)
        self._timer: threading.Timer | None = None
        self._log_lock = threading.Lock()
        self.events: list[dict[str, Any]] = []
        self.wsl_backend: Any = wsl_backend(self)
        self.interop = Interop(self)

    # --- a life on disk ----------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        description_path: str | Path,
        state_dir: str | Path | None = None,
        wsl_backend: Callable[[Machine], Any] = MemoryBackend,
    ) -> Machine:
        """Read a machine description, and the state that an earlier run left in ``state_dir``.

        Raises:
            ValueError: the description has unknown keys or wrong types.
            OSError: a file can not be read.
        """
        description = describe.read(Path(description_path))
        machine = cls(description, Path(state_dir) if state_dir else None, wsl_backend)
        snapshot = machine.state_dir / "state.json" if machine.state_dir else None
        describe.connect(machine)
        if snapshot is not None and snapshot.exists():
            machine._restore(json.loads(snapshot.read_text(encoding="utf-8")))
            tasks.resume(machine)
        else:
            machine.state_dir, folder = None, machine.state_dir  # what was there before is no event
            install_windows(machine)
            machine._first_boot()
            describe.apply(machine)
            machine.state_dir = folder
            machine.save()
        return machine

    def _first_boot(self) -> None:
        name = self.description["hostname"]
        for key in ("ComputerName", "ActiveComputerName"):
            self.registry.set(f"{COMPUTER_NAME}\\{key}", "ComputerName", name.upper())
        self.registry.set(TCPIP, "Hostname", name)
        self.registry.set(TCPIP, "NV Hostname", name)
        uptime = float(self.description.get("uptime_hours", 5)) * 3600
        self.boots.append({"time": self.clock.now() - uptime, "reason": "power on", "soft": False})

    def save(self) -> None:
        """Write the state to disk, all or nothing. Without a state folder this does nothing."""
        if self.state_dir is None:
            return
        with self.lock:
            text = json.dumps(self._dump())
        self.state_dir.mkdir(parents=True, exist_ok=True)
        target = self.state_dir / "state.json"
        partial = target.with_suffix(f".{threading.get_ident()}.new")
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        partial.replace(target)

    def _dump(self) -> dict[str, Any]:
        return {
            "clock": self.clock.offset,
            "users": self.users.dump(),
            "registry": self.registry.dump(),
            "files": self.files.dump(),
            "features": self.features.dump(),
            "firewall": [asdict(rule) for rule in self.firewall],
            "tasks": [asdict(task) for task in self.tasks.values()],
            "boots": self.boots,
            "requests": self.network.requests,
            "proxies": self.network.proxies,
            "faults": self.faults,
            "extra": self.extra,
            "wsl": self.wsl_backend.dump(),
        }

    def _restore(self, data: dict[str, Any]) -> None:
        self.clock.offset = data["clock"]
        self.users.restore(data["users"])
        self.registry.restore(data["registry"])
        self.files.restore(data["files"])
        self.features.restore(data["features"])
        self.firewall = [FirewallRule(**fields) for fields in data["firewall"]]
        self.tasks = {(fields["path"] + fields["name"]).lower(): ScheduledTask(**fields) for fields in data["tasks"]}
        self.boots = data["boots"]
        self.network.requests = data["requests"]
        self.network.proxies = data["proxies"]
        self.faults.clear()
        self.faults.update(data["faults"])
        self.extra = data["extra"]
        self.wsl_backend.restore(data["wsl"])

    # --- who it is ---------------------------------------------------------------------------------------------

    @property
    def build(self) -> int:
        """Build number of Windows, for example 26100."""
        return int(self.description["windows"]["build"])

    @property
    def language(self) -> str:
        """Display language, for example ``zh-CN``."""
        return str(self.description["windows"]["language"])

    @property
    def caption(self) -> str:
        """The name of Windows in its own language, for example ``Microsoft Windows 11 专业版``."""
        windows = self.description["windows"]
        chinese = {"Professional": "专业版", "Core": "家庭中文版", "Enterprise": "企业版", "Education": "教育版"}
        english = {"Professional": "Pro", "Core": "Home"}
        names = chinese if self.language == "zh-CN" else english
        return f"Microsoft {windows['product']} {names.get(windows['edition'], windows['edition'])}"

    @property
    def host_name(self) -> str:
        """The computer's name as it is now (a new one counts after a reboot)."""
        return str(self.registry.get(TCPIP, "Hostname", self.description["hostname"]))

    def rename(self, name: str) -> None:
        """Set the name that the next boot takes over."""
        self.registry.set(TCPIP, "NV Hostname", name)
        self.registry.set(f"{COMPUTER_NAME}\\ComputerName", "ComputerName", name.upper()[:15])
        self.log("hostname", name=name)

    @property
    def new_host_name(self) -> str | None:
        """The name that waits for a reboot, if there is one."""
        name = self.registry.get(TCPIP, "NV Hostname")
        return name if name and name.lower() != self.host_name.lower() else None

    @property
    def last_boot(self) -> int:
        """Time of the last boot as FILETIME (100 ns since 1601)."""
        return self.clock.filetime(self.boots[-1]["time"])

    def authenticate(self, user: str) -> str | None:
        """The password of an account that may log on, or None."""
        return self.users.authenticate(user)

    def sid(self, user: str) -> str:
        """The SID of an account.

        Raises:
            KeyError: there is no such account.
        """
        return self.users.sid(user)

    def full_name(self, user: str) -> str:
        """``HOST\\name`` of an account, ``NT AUTHORITY\\SYSTEM`` of SYSTEM."""
        special = system_account(user)
        if special:
            return special[0]
        known = self.users.find(user)
        return f"{self.host_name.upper()}\\{known.name if known else bare_name(user)}"

    def profile_of(self, user: str) -> str:
        """The profile folder of an account, made if this is its first log-on.

        Raises:
            KeyError: there is no such account.
        """
        special = system_account(user)
        if special:
            return special[2]
        known = self.users.find(user)
        if known is None:
            raise KeyError(user)
        make_profile(self, known.name)
        return known.profile

    def environment_for(self, user: str) -> CaseInsensitiveDict:
        """The environment that a new session of ``user`` starts with."""
        with self.lock:
            self.profile_of(user)
            return environment_for(self, user)

    def registry_for(self, user: str) -> RegistryView:
        """The registry as ``user`` sees it."""
        return self.registry.view(user)

    # --- reboots -----------------------------------------------------------------------------------------------

    def reboot_reasons(self) -> list[str]:
        """What waits for a reboot: ``component servicing``, ``windows update``, ``file rename``, ``computer name``."""
        reasons = []
        if self.registry.exists(CBS + "\\RebootPending"):
            reasons.append("component servicing")
        if self.registry.exists(REBOOT_REQUIRED):
            reasons.append("windows update")
        if self.registry.get(SESSION_MANAGER, "PendingFileRenameOperations"):
            reasons.append("file rename")
        if self.new_host_name:
            reasons.append("computer name")
        return reasons

    def need_reboot(self, reason: str) -> None:
        """Remember that ``component servicing`` or ``windows update`` waits for a reboot."""
        key = {"component servicing": CBS + "\\RebootPending", "windows update": REBOOT_REQUIRED}[reason]
        self.registry.create(key, volatile=True)

    def reboot(self, soft: bool = True, reason: str = "") -> None:
        """Restart: what was pending happens, what is volatile goes.

        A soft reboot only switches the state; with a real one the ports go away first (``reboot_listener``) and come back
        after a while, so that nobody sees the new boot time before the outage.
        """
        if self.reboot_listener is not None and not soft:
            self.reboot_listener(soft)
        with self.lock:
            self.cancel_shutdown()
            self.interop.close_all()
            self.wsl_backend.stop_all()
            settled = self.features.settle()
            self._rename_files()
            self.registry.drop_volatile()
            self.registry.create(WINLOGON + "\\AutoLogonChecked", volatile=True)
            name = self.registry.get(TCPIP, "NV Hostname", self.host_name)
            self.registry.set(TCPIP, "Hostname", name)
            self.registry.set(f"{COMPUTER_NAME}\\ActiveComputerName", "ComputerName", name.upper()[:15])
            self.busy_installer = None
            self.clock.advance(30 if soft else 0)
            self.boots.append({"time": self.clock.now(), "reason": reason, "soft": soft})
            self.log("boot", reason=reason, soft=soft, number=len(self.boots), features=settled)
            describe.at_boot(self)
        self.save()
        if self.reboot_listener is not None and soft:
            self.reboot_listener(soft)

    def _rename_files(self) -> None:
        operations = self.registry.get(SESSION_MANAGER, "PendingFileRenameOperations", [])
        for source, target in zip(operations[::2], operations[1::2], strict=False):
            source, target = (source.removeprefix("\\??\\"), target.lstrip("!").removeprefix("\\??\\"))
            if self.files.exists(source):
                if target:
                    self.files.move(source, target)
                else:
                    self.files.remove(source)
        self.registry.remove(SESSION_MANAGER, "PendingFileRenameOperations")

    def schedule_shutdown(self, delay: float, *, restart: bool, reason: str) -> bool:
        """Restart in ``delay`` seconds; False if that is already under way.

        Nobody waits for long: a soft reboot comes at once if that is at most five, else after one real second (long enough
        to call it off), a real one after five at most.
        """
        with self.lock:
            if self.pending_shutdown is not None:
                return False
            self.pending_shutdown = {"delay": delay, "restart": restart, "reason": reason}
            self.log("shutdown requested", delay=delay, restart=restart, reason=reason)
            soft = self.faults.get("reboot", {}).get("mode", self.description.get("reboot", "soft")) == "soft"
            if soft and delay <= 5:
                self.reboot(soft=True, reason=reason)
                return True
            waits = 1 if soft else min(delay, 5)
            self.clock.advance(delay - waits)
            self._timer = threading.Timer(waits, self.reboot, kwargs={"soft": soft, "reason": reason})
            self._timer.daemon = True
            self._timer.start()
            return True

    def cancel_shutdown(self) -> bool:
        """Call a scheduled restart off; False if there was none."""
        with self.lock:
            pending, self.pending_shutdown = self.pending_shutdown, None
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            return pending is not None

    # --- programs ----------------------------------------------------------------------------------------------

    def find_program(self, name: str, environment: CaseInsensitiveDict, cwd: str) -> str | None:
        """The full path of the program that Windows would start for ``name``, or None."""
        text = name.strip('"').replace("/", "\\")
        extensions = [""] if ntpath.splitext(text)[1] else [".exe", ".com", ".cmd", ".bat", ""]
        if "\\" in text or text[1:2] == ":":
            folders = [""]
            text = text if ntpath.isabs(text) and text[1:2] == ":" else ntpath.join(cwd, text)
        else:
            path = [part.strip('" ') for part in environment.get("PATH", "").split(";")]
            folders = [cwd, SYSTEM32, "C:\\Windows", *[part for part in path if part]]
        for folder in folders:
            for extension in extensions:
                candidate = ntpath.join(folder, text + extension) if folder else text + extension
                if self.files.is_file(candidate):
                    return self.files.true_path(candidate)
        return None

    def resolve_program(self, process: Process) -> str:
        """Where the program of a process is; the last part is the name of its handler, even of a renamed file.

        Sets ``process.image`` to the real path.

        Raises:
            FileNotFoundError: Windows would not find it.
            OSError: the file is no program (error 193).
        """
        with self.lock:
            path = self.find_program(process.argv[0], process.environment, process.cwd)
            if path is None:
                raise FileNotFoundError(2, "The system cannot find the file specified", process.argv[0])
            process.image = path
            content = self.files.get(path).content
            if process.session.number == 0 and ALIASES in path.lower():
                raise OSError(1312, win32(1312, self.language), path)
            if content.program is not None:
                return ntpath.join(ntpath.dirname(path), content.program)
            if content.blob is not None and path.lower().endswith((".cmd", ".bat")):
                return path
            raise OSError(193, "%1 is not a valid Win32 application", path)

    def program_file(self, process: Process) -> Content:
        """The content of the file that a process runs: signer, data, digests."""
        path = getattr(process, "image", None) or self.find_program(process.argv[0], process.environment, process.cwd)
        return self.files.get(path).content

    # --- the log -----------------------------------------------------------------------------------------------

    def log(self, event: str, **fields: Any) -> None:
        """Append one line to ``events.jsonl``; fields whose name says that they are secret are blotted out."""
        entry = {"time": self.clock.local().isoformat(timespec="milliseconds") + "Z", "event": event}
        for key, value in fields.items():
            secret = any(word in key.lower() for word in _SECRET_FIELDS) and value is not None
            entry[key] = "***" if secret else value
        with self._log_lock:
            self.events.append(entry)
            if self.state_dir is not None:
                self.state_dir.mkdir(parents=True, exist_ok=True)
                with (self.state_dir / "events.jsonl").open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry, ensure_ascii=False, default=str) + "\n")

    def summary(self) -> dict[str, Any]:
        """The state for people and tests, without passwords."""
        with self.lock:
            data = self._dump()
        for account in data["users"]["accounts"]:
            account["password"] = "***" if account["password"] else None
        data["wsl"] = self.wsl_backend.summary()
        data["host_name"] = self.host_name
        data["reboot_reasons"] = self.reboot_reasons()
        data["bytes_downloaded"] = self.network.bytes_downloaded()
        data["display_version"] = self.registry.get(CURRENT_VERSION, "DisplayVersion")
        data["system_accounts"] = sorted(SYSTEM_ACCOUNTS)
        return data
