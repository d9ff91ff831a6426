"""Write down what a run does, and let something go wrong when a task starts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import callback_loader

DOCUMENTATION = r"""
name: inject
type: aggregate
short_description: Write down what a run does, and let something go wrong when a task starts
author: wsl-dl-playbook contributors
description:
  - Part of the lab's fault campaign (C(make faults)); of no use elsewhere.
  - E(LAB_RECORD) is a file that gets one JSON object for each result of a task. E(LAB_INJECT) is a JSON object with the
    name of a task and what happens when it starts, C(kill) (seconds until this run is killed) or C(argv) (a command);
    C(start) tells at which of its starts, 1 where it is not said.
requirements:
  - enabled by E(ANSIBLE_CALLBACKS_ENABLED)
"""


class CallbackModule(CallbackBase):
    """Records and injects; displays nothing."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "inject"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._record = os.environ["LAB_RECORD"]
        progress = callback_loader.get("progress", class_only=True)
        self._explained = lambda result: progress.explained(progress.answer_of(result))  # what the user reads
        self._inject = json.loads(os.environ.get("LAB_INJECT") or "{}")
        self._injected = ""
        self._starts: Counter[str] = Counter()

    def _write(self, event: str, result) -> None:
        answer = result.result
        self._append(
            {
                "event": event,
                "host": result.host.get_name(),
                "task": (name := result.task.get_name().strip()),
                "start": self._starts[name],
                "changed": bool(answer.get("changed")),
                "message": self._explained(result) if event != "ok" else "",
            }
        )

    def _append(self, entry: dict) -> None:
        with open(self._record, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")

    def v2_playbook_on_task_start(self, task, is_conditional) -> None:
        """Inject at the first start of the task, or a later one; messages of its name, which foresee it, do not count.

        A file of tasks that two roles include is started by both, and the first may have nothing to do for it.
        """
        name = task.get_name().strip()
        if task.action in ("debug", "ansible.builtin.debug"):
            return
        self._starts[name] += 1
        if (name, self._starts[name]) != (self._inject.get("task"), self._inject.get("start", 1)):
            return
        inject, self._inject = self._inject, {}
        self._injected = task._uuid
        self._append({"event": "injected", "task": inject["task"], "changed": False})
        if "argv" in inject:
            subprocess.run(inject["argv"], check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        if "kill" in inject:
            threading.Timer(inject["kill"], os.killpg, (0, signal.SIGKILL)).start()

    def v2_runner_on_ok(self, result) -> None:
        """Write down a task that went well."""
        self._write("ok", result)

    def v2_runner_on_skipped(self, result) -> None:
        """Write down that the task had nothing to do on this machine, so that something else met what was injected."""
        if result.task._uuid == self._injected:
            self._append({"event": "skipped", "task": result.task.get_name().strip(), "changed": False})

    def v2_runner_on_failed(self, result, ignore_errors=False) -> None:
        """Write down a task that failed."""
        if not ignore_errors:
            self._write("failed", result)

    def v2_runner_on_unreachable(self, result) -> None:
        """Write down a host that could not be reached."""
        self._write("unreachable", result)
