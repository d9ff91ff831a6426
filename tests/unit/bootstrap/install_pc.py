"""A PC for bootstrap/Install.ps1: a real PowerShell runs it, the programs below C:\\Windows\\System32 are winsim's.

PowerShell sees drives that are folders here. A program is a script that hands its command line and its input to the
simulated machine in this process, and gives back what that says. Of files, what lies in the script's own folder is the
same for both sides; what winsim only declares (downloads) is a small placeholder here.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from lab.winsim.handlers import load_handlers, run_process
from lab.winsim.machine import Machine
from lab.winsim.model import describe, firewall, wsl
from lab.winsim.model.guest import LinuxProcess
from lab.winsim.process import InputStream, Process, Session
from lab.winsim.wsl_backend import MemoryBackend

ROOT = Path(__file__).resolve().parents[3]
PWSH = os.environ.get("PWSH") or shutil.which("pwsh")
OWN = "C:\\ProgramData\\wsl-dl-playbook"
# Bash, because it starts in no time: words and input go over, the exit code and what was said come back.
PROGRAM = r"""#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/@PORT@
words=$0 input=
for word; do words+=$'\x1f'$word; done
[[ $0 != */wsl.exe ]] || input=$(base64 -w0)
printf '%s\x1e%s\x1e%s\n' "$(base64 -w0 <<<"$words")" "$WSL_UTF8" "$input" >&3
read -r code out err <&3 || { echo "$0: the simulated PC did not answer" >&2; exit 99; }
[[ $out == - ]] || base64 -d <<<"$out"
[[ $err == - ]] || base64 -d <<<"$err" >&2
exit $((code % 256))
"""
INSIDE = "/opt/wsl-dl-playbook/code/bootstrap/install.sh"
STALE = "HKCU\\Software\\wsl-dl-playbook\\wsl_enable"


class Inside(MemoryBackend):
    """Distributions in which bootstrap/install.sh is only written down, with what the rest relies on."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.calls: list[list[str]] = []
        self.fails: dict[str, int] = {}
        self.renames = False  # the site renames the PC

    def run(self, process: LinuxProcess) -> int:
        """Do what a word of install.sh leaves behind; everything else is winsim's."""
        guest, argv = self.guests[process.distribution.id], process.argv
        if argv[:2] == ["test", "-e"]:
            return 0 if argv[2] in guest.files else 1
        if argv[:1] != ["/bin/sh"]:
            return super().run(process)
        script, word, words = argv[1], argv[2], argv[3:]
        folder = "/mnt/c/Users/student/Downloads/wsl-dl-playbook"
        expected = ("bootstrap/install.sh", folder) if word == "copy" else (INSIDE, "/")
        assert (script, process.cwd, process.user) == (*expected, "root"), (argv, process.cwd)
        assert word == "copy" or INSIDE in guest.files, f"{word} before copy"
        self.calls.append([word, *words])
        process.write_stdout(f"inside: {word} {' '.join(words)}\n".encode())
        if self.fails.get(word):
            return self.fails[word]
        return getattr(self, f"_{word}")(process, guest, words) or 0

    def _copy(self, process: LinuxProcess, guest: Any, words: list[str]) -> None:
        guest.files[INSIDE] = b"..."

    def _settings(self, process: LinuxProcess, guest: Any, words: list[str]) -> None:
        guest.files["settings"] = "\n".join(sorted(words)).encode()

    def _password(self, process: LinuxProcess, guest: Any, words: list[str]) -> None:
        guest.files["password"] = process.stdin.read(-1).strip()

    def _python(self, process: LinuxProcess, guest: Any, words: list[str]) -> int:
        open_ports = [rule.localport for rule in firewall.rules(self.machine) if rule.action == "allow"]
        if words[0] not in ("0", *open_ports):
            process.write_stderr(b"The proxy does not answer here.\n")
            return 1
        guest.files["venv"] = words[1].encode()
        return 0

    def _run(self, process: LinuxProcess, guest: Any, words: list[str]) -> int:
        """As the roles do: WSL has to stop once after .wslconfig was written, and once after it was given back."""
        assert "venv" in guest.files
        view, boot = self.machine.registry.view(process.distribution.user), str(wsl.runtime(self.machine)["starts"])
        stale, wanted = view.get(STALE, "stale"), words[0].encode()
        if stale == boot or (stale is None and guest.files.get("state") != wanted):
            view.set(STALE, "stale", boot)
            guest.files["state"] = wanted
            return 2
        view.remove(STALE, "stale")
        if (
            words[0] == "site"
            and view.get(STALE, "distribution") == process.distribution.name
            and "dev" not in guest.users
        ):
            self.add_user(process.distribution, "dev", 1000)
            guest.users["dev"].hash = "$6$hash" if "password" in guest.files else "!"
        if self.renames and self.machine.host_name != "NEW" and words[0] == "site":
            self.machine.rename("NEW")
            return 2
        return 0

    def _proof(self, process: LinuxProcess, guest: Any, words: list[str]) -> int:
        return 0 if guest.files.get("state") == b"site" else 1

    def _forget(self, process: LinuxProcess, guest: Any, words: list[str]) -> None:
        for name in (INSIDE, "settings", "password", "venv", "state"):
            guest.files.pop(name, None)


class InstallPc:
    """A simulated PC with a person who runs Install.ps1 on it.

    ``patience`` is how many seconds the script may take.
    """

    patience = 120

    def __init__(self, folder: Path, machine: str = "windows11-zh-cn", **changes: Any) -> None:
        load_handlers()
        given = yaml.safe_load((describe.MACHINES / f"{machine}.yml").read_text(encoding="utf-8"))
        for name, value in changes.items():
            given[name] = {**given.get(name, {}), **value} if isinstance(value, dict) else value
        description = folder / "machine.yml"
        description.write_text(yaml.safe_dump(given), encoding="utf-8")
        self.folder, self.user, self.elevated = folder, "student", True
        self.machine = self._machine(description)
        self.inside: Any = self.machine.wsl_backend
        self.calls: list[list[str]] = []
        self.kill: Callable[[list[str]], bool] = lambda argv: False  # PowerShell is killed when a program has done this
        self.world: dict[str, Any] = {}
        self._mirrored: dict[str, tuple[int, int]] = {}  # name -> time of its last change here, and its number
        self._process: subprocess.Popen | None = None
        self._lock = threading.Lock()
        self.drives = {letter[0]: folder / letter[0] for letter in self.machine.files.drives}
        for drive in self.drives.values():
            drive.mkdir(exist_ok=True)
        # the folders that PowerShell and the machine both see
        self.roots = [OWN, "C:\\wsl", "C:\\Users\\student\\AppData\\Local\\wsl"]
        self.roots += [f"{letter}:\\" for letter in self.drives if letter != "C"]
        self._programs()
        self.home = self.drives["C"] / "Users" / self.user / "Downloads" / "wsl-dl-playbook"
        self._unpack()

    def _machine(self, description: Path) -> Machine:
        return Machine.load(description, None, Inside)

    def _unpack(self) -> None:
        """Put what Install.ps1 reads where the person has unpacked the ZIP."""
        (self.home / "bootstrap").mkdir(parents=True)
        for name in ("Install.ps1", "Disk.ps1"):
            shutil.copy(ROOT / "bootstrap" / name, self.home / "bootstrap")
        for name in ("roles", "pins.json"):
            (self.home / name).symlink_to(ROOT / name)

    # --- the programs ------------------------------------------------------------------------------------------

    def _programs(self) -> None:
        pc = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                words, utf8, text = self.rfile.readline().decode().rstrip("\n").split("\x1e")
                argv = base64.b64decode(words).decode().removesuffix("\n").split("\x1f")
                with pc._lock:
                    try:
                        answer = pc._call(argv, utf8, base64.b64decode(text))
                    except Exception:  # ends the test loudly
                        pc.machine.log("simulator_error", text=f"{argv}: {traceback.format_exc()}")
                        return
                    with contextlib.suppress(OSError):  # PowerShell was killed
                        self.wfile.write(answer)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        system = self.machine.files.get("C:\\Windows\\System32")
        for node in system.children.values():
            if node.name.endswith(".exe"):
                self._program(f"C:\\Windows\\System32\\{node.name}")

    def close(self) -> None:
        """Stop serving programs."""
        self._server.shutdown()
        self._server.server_close()

    def _program(self, path: str) -> None:
        file = self._here(path)
        if file.exists():  # Bash may be reading it just now
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(PROGRAM.replace("@PORT@", str(self._server.server_address[1])), encoding="utf-8")
        file.chmod(0o755)

    def _here(self, path: str) -> Path:
        return self.drives[path[0]] / path[3:].replace("\\", "/")

    def _windows(self, text: str) -> str:
        """A path of this machine below a drive, as Windows writes it (PowerShell gives its own script's path so)."""
        for letter, drive in self.drives.items():
            found = re.compile(re.escape(str(drive)) + r"""([^"&<]*)""")
            text = found.sub(lambda match, letter=letter: f"{letter}:" + match[1].replace("/", "\\"), text)
        return text

    def _call(self, argv: list[str], utf8: str, text: bytes) -> bytes:
        argv = [self._windows(word) for word in argv]
        self.calls.append(argv)
        self._take()
        session = Session(self.machine, self.user, self.elevated, "interactive", 1)
        session.environment, session.cwd = self.machine.environment_for(self.user), "C:\\Windows"
        session.environment["WSL_UTF8"] = utf8
        out, err = io.BytesIO(), io.BytesIO()
        process = Process(
            session, argv, environment=session.environment, write_stdout=out.write, write_stderr=err.write
        )
        process.stdin = InputStream(text)
        try:
            rc = run_process(process)
        except Exception as error:  # what winsim does not know ends the test loudly
            self.machine.log("simulator_error", text=f"{argv}: {error}")
            rc = 99
        self._give()
        if self.kill(argv) and self._process:
            os.killpg(self._process.pid, signal.SIGKILL)
        said = [base64.b64encode(stream.getvalue()).decode() or "-" for stream in (out, err)]
        return f"{rc} {said[0]} {said[1]}\n".encode()

    def kill_once(self) -> bool:
        """From now on nothing is killed any more; for an answer of ``kill``."""
        self.kill = lambda argv: False
        return True

    # --- files that both sides see -----------------------------------------------------------------------------

    def _take(self) -> None:
        """What PowerShell has written, changed, moved or removed in the folders that both see, but its log."""
        files, found = self.machine.files, {}
        for root in self.roots:
            for path in self._here(root).rglob("*"):
                if path.name != "install.log":
                    found[self._windows(str(path))] = path
        gone = set(self._mirrored) - set(found)
        moved = {self._mirrored[name][1]: name for name in gone if name.endswith(".vhdx")}
        for name, path in sorted(found.items()):
            known = (path.stat().st_mtime_ns, path.stat().st_ino)
            if self._mirrored.get(name) == known:
                continue
            self._mirrored[name] = known
            if path.is_dir():
                files.mkdir(name)
            elif name.endswith(".vhdx"):
                files.move(moved.pop(known[1]), name)
            else:
                data = path.read_bytes()
                if data.startswith(b"\xff\xfe"):
                    data = self._windows(data.decode("utf-16")).encode("utf-16")
                files.write_bytes(name, data, parents=True)
        for name in sorted(gone, reverse=True):  # what is in a folder goes before it
            del self._mirrored[name]
            if files.exists(name):
                files.remove(name)

    def _give(self) -> None:
        """What programs have written or removed there, as placeholders, and the program of the WSL package."""
        files, seen = self.machine.files, set()

        def walk(name: str) -> None:
            for child in files.listdir(name):
                below = f"{name.rstrip(chr(92))}\\{child.name}"
                seen.add(below)
                path = self._here(below)
                if child.is_dir:
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    self._place(path, child)
                self._mirrored[below] = (path.stat().st_mtime_ns, path.stat().st_ino)
                if child.is_dir:
                    walk(below)

        for root in self.roots:
            if files.is_dir(root):
                self._here(root).mkdir(parents=True, exist_ok=True)
                walk(root)
        for name in sorted(set(self._mirrored) - seen, reverse=True):
            del self._mirrored[name]
            path = self._here(name)
            path.rmdir() if path.is_dir() else path.unlink()
        program = f"{wsl.FOLDER}\\wsl.exe"
        if files.is_file(program):
            self._program(program)
        else:
            self._here(program).unlink(missing_ok=True)

    @staticmethod
    def _place(path: Path, node: Any) -> None:
        """A virtual disk has its size, and the time at which it was written to."""
        if not node.name.endswith(".vhdx"):
            if not path.exists():
                path.write_text(f"{node.content.size} bytes of {node.content.origin}\n", encoding="utf-8")
            return
        if not path.exists() or path.stat().st_size != node.content.size:
            path.write_bytes(b"vhdxfile" if node.content.blob is None else node.content.blob)
            os.truncate(path, node.content.size)
        os.utime(path, ns=(int(node.written * 1e9),) * 2)

    # --- the person --------------------------------------------------------------------------------------------

    def start(self, *, answers: list[str] | None = None, **arguments: Any) -> tuple[int, str]:
        """Run Install.ps1 with these parameters; return its exit code and what stood in the window."""
        profile = self.machine.profile_of(self.user)
        self._here(profile).mkdir(parents=True, exist_ok=True)
        self.world = {
            "environment": {
                "SystemRoot": "C:\\Windows", "ProgramFiles": "C:\\Program Files", "ProgramData": "C:\\ProgramData",
                "USERPROFILE": profile, "USERNAME": self.user, "COMPUTERNAME": self.machine.host_name,
                "USERDOMAIN": self.machine.host_name, "PROCESSOR_ARCHITECTURE": "AMD64",
            },
            "drives": {letter: str(drive) for letter, drive in self.drives.items()},
            "script": "C:\\Users\\student\\Downloads\\wsl-dl-playbook\\bootstrap\\Install.ps1",
            "arguments": arguments, "answers": answers or [], "asked": [], "elevated": [],
            "refuses_elevation": False, "hypervisor": self.machine.features.is_on("VirtualMachinePlatform"),
            "firmware": self.machine.description["hardware"]["virtualization"], "plugged": None,
        } | self.world  # fmt: skip
        self.world |= {"arguments": arguments, "answers": answers or [], "asked": [], "elevated": []}
        path = self.folder / "world.json"
        path.write_text(json.dumps(self.world), encoding="utf-8")
        harness = Path(__file__).with_name("install.ps1")
        self._process = subprocess.Popen(
            [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(harness), str(path)],
            env={**os.environ, "HOME": str(self.folder), "NO_COLOR": "1", "POWERSHELL_TELEMETRY_OPTOUT": "1"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        said = self._process.communicate(timeout=self.patience)[0].decode("utf-8", "replace")
        self.world = json.loads(path.read_text(encoding="utf-8"))
        with self._lock:
            self._take()
        errors = [event for event in self.machine.events if event["event"] == "simulator_error"]
        assert not errors, errors
        return self._process.returncode, said

    def finish(self, **given: Any) -> str:
        """Start it without questions, restart, sign in, and expect that it is done."""
        code, said = self.start(Yes=True, **given)
        assert code == 0, said
        code, more = self.restart_and_sign_in()
        assert code == 0, more
        return said + more

    def restart_and_sign_in(self) -> tuple[int, str]:
        """Let the restart that was asked for happen, sign in, and let the task of that sign-in run."""
        boots = len(self.machine.boots)
        deadline = time.monotonic() + 10
        while len(self.machine.boots) == boots and self.machine.pending_shutdown and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.machine.boots[-1]["reason"] == "power on":
            self.machine.reboot()
        return self.sign_in()

    def sign_in(self) -> tuple[int, str]:
        """Run what the task scheduler runs at the sign-in of the person."""
        (task,) = [task for task in self.machine.tasks.values() if "install" in task.name]
        (action,) = task.definition["actions"]
        assert action["path"] == "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe"
        assert task.definition["principal"]["user_id"] == self.user
        head = f'-NoProfile -ExecutionPolicy Bypass -File "{self.script}" '
        assert action["arguments"].startswith(head), action
        words = action["arguments"].removeprefix(head).split()
        return self.start(answers=[""], **{word.lstrip("-"): True for word in words})

    @property
    def script(self) -> str:
        """Install.ps1 as Windows names it."""
        return "C:\\Users\\student\\Downloads\\wsl-dl-playbook\\bootstrap\\Install.ps1"

    def state(self) -> dict[str, Any]:
        """What is left on the PC: of the registry, features, tasks, rules, files and distributions."""
        machine, view = self.machine, self.machine.registry.view(self.user)

        def tree(path: str) -> dict[str, Any]:
            below = {name: tree(f"{path}\\{name}") for name in view.subkeys(path)}
            return {value.name: value.data for value in view.values(path)} | below

        return {
            "machine": tree("HKLM\\SOFTWARE\\wsl-dl-playbook"),
            "person": tree("HKCU\\Software\\wsl-dl-playbook"),
            "wsl": wsl.package_version(machine),
            "features": {name: machine.features.find(name).state for name in (wsl.VM_PLATFORM, wsl.SUBSYSTEM)},
            "tasks": sorted(task.name for task in machine.tasks.values()),
            "rules": sorted(rule.name for rule in firewall.rules(machine)),
            "files": sorted(str(path.relative_to(self._here(OWN))) for path in self._here(OWN).rglob("*"))
            if self._here(OWN).exists()
            else None,
            "distributions": {
                item.name: (item.state, item.base_path.rpartition("\\")[0], self.inside.guests[item.id].files)
                for item in wsl.distributions(machine, self.user)
            },
        }
