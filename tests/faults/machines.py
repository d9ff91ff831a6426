"""The machines of the campaign: one side of a PC each, set up by that side's playbook."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lab import compare, engine, internet, windows
from lab.settings import ROOT, LabError
from lab.winsim.client import Client

FOLDER = ROOT / ".cache" / "faults"
PLAYBOOKS = {"windows": "playbooks/windows.yml", "wsl": "playbooks/wsl.yml"}
DONE_BY_WINDOWS = [
    {"name": "windows-terminal"},
    {"name": "winget"},
    {"name": "wsl"},
    {"name": "distribution", "distribution": "Ubuntu-24.04", "version": "24.04", "default_user": "dev"},
]
TOO_LONG = 1200
"""Seconds after which a run counts as hanging."""


def reference(side: str) -> Path:
    """Return the file that tells what an undisturbed machine of a side is; test_undisturbed.py writes it."""
    return FOLDER / f"reference-{side}.json"


@dataclass
class Outcome:
    """One run: exit code (None: it hung and was ended), what it recorded, and its output."""

    code: int | None
    events: list[dict[str, Any]]
    output: str

    @property
    def error(self) -> str:
        """The message of the last task that failed."""
        return next((one["message"] for one in reversed(self.events) if one["event"] in ("failed", "unreachable")), "")

    @property
    def first_line(self) -> str:
        """What the user reads first of it."""
        return next((line for line in self.error.splitlines() if line.strip()), "")

    @property
    def word(self) -> str:
        """How it ended, for the matrix."""
        return {None: "hangs", 0: "ok"}.get(self.code, "killed" if (self.code or 0) < 0 else f"error {self.code}")

    @property
    def injected(self) -> bool:
        """Whether the run came to the task where something was to happen, and did not skip it."""
        events = [one["event"] for one in self.events]
        return "injected" in events and "skipped" not in events

    def changed(self) -> dict[str, int]:
        """Return the names of the tasks that changed something, in order, and at which of its starts each did."""
        found: dict[str, int] = {}
        for one in self.events:
            if one["changed"]:
                found.setdefault(one["task"], one["start"])
        return found


class Machine:
    """A simulated PC whose Windows side, or whose distribution, is set up."""

    def __init__(self, name: str, side: str) -> None:
        self.name, self.side = name, side
        self.host = name if side == "windows" else f"{name}-wsl"
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.inventory = FOLDER / f"{name}.yml"

    def start(self) -> None:
        """Start it: a bare Windows 11, or one that has a fresh distribution."""
        windows.down(self.name)
        description = yaml.safe_load((windows.MACHINES / "windows11-zh-cn.yml").read_text(encoding="utf-8"))
        if self.side == "wsl":
            description |= {"features": {"VirtualMachinePlatform": "Enabled"}, "installed": DONE_BY_WINDOWS}
        path = FOLDER / f"{self.name}-machine.yml"
        path.write_text(yaml.safe_dump(description), encoding="utf-8")
        windows.up(self.name, str(path), linux=self.side == "wsl")
        pc, distribution = {self.name: None}, {f"{self.name}-wsl": None}
        groups = {"lab": pc | distribution, "windows": pc, "lab_windows": pc}
        groups |= dict.fromkeys(("wsl", "wsl_in_windows", "lab_origins"), distribution)
        children = {group: {"hosts": hosts} for group, hosts in groups.items()}
        self.inventory.write_text(yaml.safe_dump({"all": {"children": children}}), encoding="utf-8")

    def play(
        self, inject: dict[str, Any] | None = None, tags: str = "", settings: dict[str, Any] | None = None
    ) -> Outcome:
        """Run the playbook of this side, or the roles of some tags; ``inject`` is the callback's."""
        record = FOLDER / f"{self.name}.jsonl"
        record.unlink(missing_ok=True)
        log = FOLDER / f"{self.name}.log"
        argv = ["ansible-playbook", "-i", "inventory/lab", "-i", str(self.inventory), "--limit", self.host]
        argv += ["--tags", tags] if tags else []
        argv += ["--extra-vars", json.dumps(settings)] if settings else []
        environment = {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT}/plugins/callback:{ROOT}/tests/faults/callback",
            "ANSIBLE_CALLBACKS_ENABLED": "preload,inject",
            "ANSIBLE_NOCOLOR": "1",
            "LAB_RECORD": str(record),
            "LAB_INJECT": json.dumps(inject or {}),
        }
        with log.open("a", encoding="utf-8") as output:
            start = output.tell()
            run = subprocess.Popen(
                [*argv, PLAYBOOKS[self.side]], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                code = run.wait(TOO_LONG)
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                run.wait()
                code = None
        events = [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []
        return Outcome(code, events, log.read_text(encoding="utf-8")[start:])

    def act(self, action: dict[str, Any]) -> None:
        """Do one thing: ``winsim`` (a fault), ``internet`` (words of ``lab fault``) or ``distribution`` (a command)."""
        for kind, what in action.items():
            if kind == "winsim":
                Client(windows.state_of(self.name)).fault(**what)
            elif kind == "internet":
                internet.fault(*what)
            elif kind == "distribution":
                engine.docker("exec", self.container, "sh", "-c", what)
            else:
                raise ValueError(f"no action {kind!r}; there are winsim, internet, distribution")

    def injecting(self, actions: list[dict[str, Any]]) -> list[str]:
        """Return the command that does these things to this machine from another process."""
        return [sys.executable, "-m", "tests.faults.machines", self.name, self.side, json.dumps(actions)]

    @property
    def container(self) -> str:
        """The container of the distribution."""
        Client(windows.state_of(self.name)).call("POST", "/save", {})
        return windows.containers_of(self.name)[0]

    def state(self) -> list[str]:
        """Return what makes up this side, as lines that can be compared."""
        if self.side == "windows":
            return sorted(compare.traces(compare.windows_state(self.name)))
        return sorted(compare.distribution_state(self.container))

    def settle(self) -> None:
        """Wait until Windows answers again, as a user does before the next run.

        :raises LabError: it does not come back.
        """
        for _ in range(240):
            port = json.loads((windows.state_of(self.name) / "winsim.json").read_text(encoding="utf-8"))["https_port"]
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
                return
            time.sleep(0.25)
        raise LabError(f"{self.name} does not come back after its restart.")

    def fetched(self, since: float) -> list[str]:
        """Return the addresses, without the scheme, that were asked for since then; sorted, each once."""
        if self.side == "windows":
            urls = [one["url"] for one in windows.events(self.name) if one["event"] == "request"]
            return sorted({url.partition("://")[2] for url in urls})
        found = {f"{one['host']}{one['path']}" for one in internet.requests(since) if one["via"] != "proxy"}
        return sorted(found)

    def stop(self) -> None:
        """Remove the machine."""
        windows.down(self.name)


def main(name: str, side: str, actions: str) -> None:
    """Do what the callback asks for, in a process of its own."""
    for action in json.loads(actions):
        Machine(name, side).act(action)


if __name__ == "__main__":
    main(*sys.argv[1:])
