"""Wait for a download on Windows, or run one, and note for the progress display how far it is."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any
from urllib.parse import quote

from ansible import constants as C
from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

Answer = dict[str, Any]
"""What a module answers."""

SILENCE = 300
"""Seconds until a transfer that writes nothing counts as dead: curl tries that long to connect (its manual)."""
QUIET = 30
"""The same of one that has written before: its file is open until it ends, so a file that is free again says enough."""
MISSES = 3
"""Looks in a row that may fail, because the connection to Windows broke, before the task does."""
NOTHING_LEFT = re.compile(r"\(22\).*\b416\b")
"""curl's words when the server says that the file has all its bytes already."""


def seconds(value: float) -> str:
    """Return a number of seconds for curl's line, without a needless fraction."""
    return f"{value:g} s"


class Meter:
    """How far one file is: bytes, bytes per second, and a note of it for the progress display.

    :param path: where the note is kept; it goes with the meter.
    :param what: name of the file, for people.
    """

    def __init__(self, path: Path, what: str) -> None:
        self.path, self.what, self.total = path, what, 0
        self._looks: deque[tuple[float, int]] = deque(maxlen=6)

    def look(self, moment: float, size: int) -> bool:
        """Note a size in bytes at a moment in seconds; return whether the file has grown."""
        grown = not self._looks or size > self._looks[-1][1]
        self._looks.append((moment, size))
        (since, first), elapsed = self._looks[0], moment - self._looks[0][0]
        rate = (size - first) / elapsed if elapsed > 0 and moment > since else 0
        note = {"what": self.what, "bytes": size, "total": self.total, "bytes_per_second": max(0, round(rate))}
        with contextlib.suppress(OSError):  # a note that cannot be written is no reason to stop a download
            fresh = self.path.with_suffix(".new")
            fresh.write_text(json.dumps(note), encoding="utf-8")
            fresh.replace(self.path)
        return grown

    def close(self) -> None:
        """Take the note away."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


class ActionModule(ActionBase):
    """See plugins/modules/windows_transfer.py for the options."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> Answer:
        """Wait for the transfer that goes on, or run one until the file is whole."""
        super().run(tmp, task_vars)
        _, self._options = self.validate_argument_spec(
            argument_spec={
                "path": {"type": "str", "required": True},
                "argv": {"type": "list", "elements": "str"},
                "size_argv": {"type": "list", "elements": "str", "required": True},
                "busy_argv": {"type": "list", "elements": "str", "required": True},
                "delay": {"type": "float", "default": 10},
                "timeout": {"type": "float", "default": 21600},
                "tries": {"type": "int", "default": 6},
            }
        )
        self._task_vars, self._deadline = task_vars, time.monotonic() + self._options["timeout"]
        self._host = str((task_vars or {}).get("inventory_hostname", ""))
        note = Path(C.DEFAULT_LOCAL_TMP) / f"progress-{quote(self._host, safe='')}.json"
        self._meter = Meter(note, PureWindowsPath(self._options["path"]).name)
        try:
            if not self._options["argv"]:
                return self._watch(lambda: None if self._busy() else {}) | {"changed": False}
            if self._task.check_mode:
                return {"changed": False, "skipped": True, "msg": "skipped, running in check mode"}
            return self._fetch()
        finally:
            self._meter.close()

    # --- one transfer after the other --------------------------------------------------------------------------

    def _fetch(self) -> Answer:
        """Run curl until it has everything; a try that breaks is no failure, the next one goes on where it stopped."""
        tries = self._options["tries"]
        for attempt in range(1, tries + 1):
            job = self._start()
            time.sleep(min(1, self._options["delay"]))
            answer = self._watch(lambda job=job: self._ended(job))
            said = str(answer.get("stderr") or answer.get("msg") or "").strip()
            result = {key: answer[key] for key in ("rc", "stdout", "stderr", "msg") if key in answer}
            result |= {"changed": True, "attempts": attempt}
            if answer.get("rc") == 0:
                return result
            if NOTHING_LEFT.search(said):  # without curl's exit code, which Ansible would take for a failure
                return {"changed": True, "attempts": attempt}
            if answer.get("rc") is None or attempt == tries or time.monotonic() > self._deadline:
                break
            Display().display(
                f"… {self._host}  {self._meter.what}: {said}; it goes on where it stopped, in "
                f"{seconds(self._options['delay'])} (try {attempt + 1} of {tries})"
            )
            time.sleep(self._options["delay"])
        return result | {"failed": True, "msg": result.get("msg") or said}

    def _watch(self, end: Callable[[], Answer | None]) -> Answer:
        """Look how far the transfer is until ``end`` answers.

        A file that grows is a transfer that goes on: one look is one round trip.
        """
        self._quiet_since, self._written, misses, before = time.monotonic(), False, 0, None
        answer = end()
        if answer is None:
            self._meter.total = self._total()
        while answer is None:
            if time.monotonic() > self._deadline:
                raise AnsibleActionFail(
                    f"{self._options['path']} is still being fetched after {seconds(self._options['timeout'])}. "
                    "Run again; it goes on from there. On a slow line raise windows_download_timeout."
                )
            try:
                size = self._size()
                self._written = self._written or (before is not None and size > before)
                before = size
                if self._meter.look(time.monotonic(), size) and size != self._meter.total:
                    self._quiet_since = time.monotonic()
                else:
                    answer = end()
                misses = 0
            except AnsibleConnectionFailure:
                misses += 1
                if misses > MISSES:
                    raise
                with contextlib.suppress(Exception):
                    self._connection.reset()
            if answer is None:
                time.sleep(self._options["delay"])
        return answer

    # --- what Windows is asked ---------------------------------------------------------------------------------

    def _ask(self, module: str, **arguments: Any) -> Answer:
        return self._execute_module(module_name=module, module_args=arguments, task_vars=self._task_vars)

    def _start(self) -> str:
        """Start curl in the background and return its job."""
        self._task.async_val = int(self._options["timeout"])
        try:
            answer = self._ask("ansible.windows.win_command", argv=self._options["argv"])
        finally:
            self._task.async_val = 0
        if "ansible_job_id" not in answer:
            raise AnsibleActionFail(str(answer.get("msg", "curl.exe was not started")), result=answer)
        return answer["ansible_job_id"]

    def _ended(self, job: str) -> Answer | None:
        """Return how the job ended, None while it runs."""
        folder = self.get_shell_option("async_dir", default="~/.ansible_async")
        answer = self._ask("ansible.windows.async_status", jid=job, mode="status", _async_dir=folder)
        if answer.get("finished"):
            return answer
        silence = QUIET if self._written else SILENCE
        if time.monotonic() - self._quiet_since < silence or self._busy():
            return None
        return {"rc": 1, "stderr": f"curl.exe has written nothing for {silence} s, or was ended from outside"}

    def _busy(self) -> bool:
        """Tell whether somebody writes the file."""
        options = self._options
        answer = self._ask("ansible.windows.win_command", argv=options["busy_argv"], removes=options["path"])
        if answer.get("failed") and "rc" not in answer:
            raise AnsibleActionFail(str(answer.get("msg", "")), result=answer)
        return bool(answer.get("rc", 0))

    def _size(self) -> int:
        """Return how many bytes have arrived."""
        answer = self._ask("ansible.windows.win_stat", path=self._options["path"], get_checksum=False)
        return int(answer.get("stat", {}).get("size", 0))

    def _total(self) -> int:
        """Return how many bytes the file will have, 0 if the server does not tell."""
        answer = self._ask("ansible.windows.win_command", argv=self._options["size_argv"])
        lengths = re.findall(r"(?im)^content-length: *(\d+)", answer.get("stdout", "") if not answer.get("rc") else "")
        return int(lengths[-1]) if lengths else 0
