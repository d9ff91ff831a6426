"""Fetch a file on Windows by curl.exe, verify it, and note for the progress display how far it is."""

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
GONE = re.compile(r"returned error: (404|410)\b")
"""curl's words when the server has no such file."""
CAUSES = {
    5: "The name of the proxy is not known. Correct it in your inventory, then run again.",
    6: "The name of the server is not known here. Check the proxy and the address, then run again.",
    7: "Nothing answers there. Start the proxy program on Windows, then run again.",
    18: "The connection broke off, five times. Run again when the line is better.",
    22: "The server or the proxy answers with an error. Look at the proxy program (node, sign-in) and at the address, "
    "then run again.",
    23: "The file cannot be written; the disk may be full. Free space, then run again.",
    28: "The answer takes too long. Look at the proxy program (node), then run again.",
    33: "The server cannot go on in the middle of a file. Delete {dest}, then run again.",
    35: "The encrypted connection cannot be made. Look at the proxy program and at the clock of Windows, then run "
    "again. If curl names a revocation check (CRYPT_E_REVOKED, 0x80092010), the certificate was withdrawn; if it could "
    "not be made (CRYPT_E_REVOCATION_OFFLINE, CRYPT_E_NO_REVOCATION_CHECK), Windows asks by WinHTTP's proxy, which "
    '"netsh winhttp show proxy" shows.',
    56: "The connection broke off, five times. Run again when the line is better.",
    60: "The certificate is not trusted; a proxy or a login page may answer in the server's place. Open the address in "
    "a browser on Windows, then run again.",
}
"""What curl's exit code means (curl's own manual, EXIT CODES), and what to do."""


def cause(code: int | None, said: str, dest: str) -> str:
    """Return why curl failed to fetch a file and what to do, by its exit code and its words."""
    if GONE.search(said):
        return (
            'The vendor has removed this file. "make pins" on the control node looks for the newer one and its '
            "checksum (or fetch a newer version of this project); then run again."
        )
    return CAUSES.get(code or 0, "Look at what curl says, then run again.").format(dest=dest)


IMPATIENT = ("--connect-timeout", "10", "--speed-limit", "1", "--speed-time", "30")
"""Options of curl for the cache in the room: where it is off or dies, the vendor has the file, too."""


class Curl:
    """The command lines that Windows gets.

    Windows asks for the revocation list of a certificate by WinHTTP's proxy, whatever ``--proxy`` says, and curl
    refuses where that fails; with best effort it goes on, and the checksum tells whose file it is. The option came with
    curl 7.70; Windows 10 22H2 began with 7.83.

    :param proxy: empty for none; curl then does not ask the environment for one either.
    :param limits: more options; a cache that says nothing is given up sooner than the vendor.
    """

    PROGRAM = "C:\\Windows\\System32\\curl.exe"

    def __init__(self, url: str, dest: str, proxy: str, limits: tuple[str, ...] = ()) -> None:
        self.url, self.dest, self.route = (
            url,
            dest,
            ["--location", "--silent", "--ssl-revoke-best-effort", "--proxy", proxy, *limits],
        )

    def fetch(self) -> list[str]:
        """Return what fetches the file, or the rest of it."""
        file = ["--create-dirs", "--continue-at", "-", "--output", self.dest]
        return [self.PROGRAM, "--fail", "--show-error", *self.route, *file, self.url]

    def size(self) -> list[str]:
        """Return what prints the header fields, for the progress display; no answer is no failure."""
        return [self.PROGRAM, "--head", "--max-time", "30", *self.route, self.url]

    def busy(self) -> list[str]:
        """Return what fails while somebody writes the file: Windows refuses to rename it, also to its own name."""
        name = PureWindowsPath(self.dest).name
        return ["C:\\Windows\\System32\\cmd.exe", "/d", "/c", "ren", self.dest, name]


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
    """See plugins/modules/win_fetch.py for the options."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> Answer:
        """Begin the transfer in the background, or see to it that the file is there as a whole."""
        super().run(tmp, task_vars)
        _, self._options = self.validate_argument_spec(
            argument_spec={
                "url": {"type": "str", "required": True},
                "dest": {"type": "str", "required": True},
                "checksum": {"type": "str", "default": ""},
                "proxy_url": {"type": "str", "default": ""},
                "cache": {"type": "str", "default": ""},
                "background": {"type": "bool", "default": False},
                "delay": {"type": "float", "default": 10},
                "timeout": {"type": "float", "default": 21600},
                "tries": {"type": "int", "default": 6},
            }
        )
        options = self._options
        self._algorithm, _, self._digest = options["checksum"].lower().partition(":")
        if options["checksum"] and not self._digest or options["background"] and not options["checksum"]:
            raise AnsibleActionFail('checksum has to be "sha256:…"; without one nothing is fetched in the background.')
        self._curl = Curl(options["url"], options["dest"], options["proxy_url"])
        self._cache = options["cache"] if self._digest else ""  # what it gives is as good as its checksum
        self._task_vars, self._deadline = task_vars, time.monotonic() + options["timeout"]
        self._host = str((task_vars or {}).get("inventory_hostname", ""))
        note = Path(C.DEFAULT_LOCAL_TMP) / f"progress-{quote(self._host, safe='')}.json"
        self._meter = Meter(note, PureWindowsPath(options["dest"]).name)
        try:
            return self._begin() if options["background"] else self._finish()
        finally:
            self._meter.close()

    # --- the file -------------------------------------------------------------------------------------------------

    def _begin(self) -> Answer:
        """Start curl where something is missing and nobody fetches it yet."""
        if self._busy() or self._file().get("checksum") == self._digest:
            return {"changed": False}
        if not self._task.check_mode:
            self._start()
        return {"changed": True, "msg": f"{self._options['url']} will be fetched in the background."}

    def _finish(self) -> Answer:
        """Wait for a transfer that goes on, fetch what is missing, and verify the file.

        In check mode it foresees nothing: what is missing may be what the one in the background has foreseen.
        """
        self._watch(lambda: None if self._busy() else {})
        before = self._file()
        if self._task.check_mode or self._digest and before.get("checksum") == self._digest:
            return {"changed": False}
        if before["exists"] and not self._digest:
            self._remove()
        result, wrong = self._verified()
        if wrong and (before["exists"] or self._cache):  # a login page, say: what was fetched is the rest of it
            self._leave_cache(f"gives another file (its {self._algorithm} is {wrong})")
            result, wrong = self._verified()
        if wrong:
            said = (
                f"{self._options['url']} has the {self._algorithm} {wrong}, expected was {self._digest}. The file has "
                "been removed. Run again; if it stays so, compare the checksum in your inventory with the vendor's."
            )
            return {"failed": True, "changed": True, "msg": said}
        return result

    def _verified(self) -> tuple[Answer, str]:
        """Fetch the file; return how that went, and its checksum where that is a wrong one and the file was removed."""
        result = self._fetch()
        found = "" if result.get("failed") or not self._digest else str(self._file().get("checksum", "none"))
        if found in ("", self._digest):
            return result, ""
        self._remove()
        return result, found

    # --- one transfer after the other --------------------------------------------------------------------------

    def _fetch(self) -> Answer:
        """Run curl until it has everything; a try that breaks is no failure, the next one goes on where it stopped."""
        options, attempt = self._options, 0
        while True:
            attempt += 1
            job = self._start()
            time.sleep(min(1, options["delay"]))
            answer = self._watch(lambda job=job: self._ended(job))
            code, said = answer.get("rc"), str(answer.get("stderr") or answer.get("msg") or "").strip()
            if code == 0 or NOTHING_LEFT.search(said):
                return {"changed": True, "attempts": attempt}
            if code is None or attempt == options["tries"] or time.monotonic() > self._deadline:
                break
            self._leave_cache("broke off")
            Display().display(
                f"… {self._host}  {self._meter.what}: {said}; it goes on where it stopped, in "
                f"{seconds(options['delay'])} (try {attempt + 1} of {options['tries']})"
            )
            time.sleep(options["delay"])
        way = f"through {options['proxy_url']}" if options["proxy_url"] else "directly"
        url, why = options["url"], cause(code, said, options["dest"])
        if self._digest:
            said = (
                f"{url} could not be fetched {way}. {why} What has arrived is kept, and the next run goes on there. "
                f"(curl says: {said})"
            )
        else:
            said = f"{url} could not be fetched {way}. {why} (curl says: {said})"
        return {"failed": True, "changed": True, "attempts": attempt, "rc": code, "msg": said}

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
                    f"{self._options['dest']} is still being fetched after {seconds(self._options['timeout'])}. "
                    "Run again; it goes on from there."
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
        name = f"ansible.windows.{module}"
        answer = self._execute_module(module_name=name, module_args=arguments, task_vars=self._task_vars)
        if answer.get("failed") and "rc" not in answer and "finished" not in answer:
            raise AnsibleActionFail(str(answer.get("msg", "")), result=answer)
        return answer

    def _source(self) -> Curl:
        """Return the way to fetch now: the cache in the room as long as it has the file, else the vendor."""
        if not self._cache:
            return self._curl
        url = f"{self._cache.rstrip('/')}/{self._options['url'].partition('://')[2]}"
        cached = Curl(url, self._options["dest"], "", IMPATIENT)
        answer = self._ask("win_command", argv=cached.size())
        status = re.findall(r"(?m)^HTTP/[\d.]+ (\d+)", answer.get("stdout", ""))
        if not answer.get("rc") and status[-1:] == ["200"]:
            return cached
        self._leave_cache(f"has not got it (HTTP {status[-1]})" if status else "does not answer")
        return self._curl

    def _leave_cache(self, why: str) -> None:
        """Say why the file comes from the vendor from now on."""
        if self._cache:
            said = f"the cache in the room, {self._cache}, {why}; it comes from the vendor"
            Display().display(f"… {self._host}  {self._meter.what}: {said}")
        self._cache = ""

    def _start(self) -> str:
        """Start curl in the background and return its job."""
        argv = self._source().fetch()
        self._task.async_val = int(self._options["timeout"])
        try:
            answer = self._ask("win_command", argv=argv)
        finally:
            self._task.async_val = 0
        if "ansible_job_id" not in answer:
            raise AnsibleActionFail(str(answer.get("msg", "curl.exe was not started")), result=answer)
        return answer["ansible_job_id"]

    def _ended(self, job: str) -> Answer | None:
        """Return how the job ended, None while it runs."""
        folder = self.get_shell_option("async_dir", default="~/.ansible_async")
        answer = self._ask("async_status", jid=job, mode="status", _async_dir=folder)
        if answer.get("finished"):
            return answer
        silence = QUIET if self._written else SILENCE
        if time.monotonic() - self._quiet_since < silence or self._busy():
            return None
        return {"rc": 1, "stderr": f"curl.exe has written nothing for {silence} s, or was ended from outside"}

    def _busy(self) -> bool:
        """Tell whether somebody writes the file."""
        answer = self._ask("win_command", argv=self._curl.busy(), removes=self._options["dest"])
        return bool(answer.get("rc", 0))

    def _file(self) -> Answer:
        """Return what there is of the file, with its checksum where one is expected."""
        wanted = {"checksum_algorithm": self._algorithm} if self._digest else {}
        path = self._options["dest"]
        return self._ask("win_stat", path=path, get_checksum=bool(self._digest), **wanted)["stat"]

    def _remove(self) -> None:
        self._ask("win_file", path=self._options["dest"], state="absent")

    def _size(self) -> int:
        """Return how many bytes have arrived."""
        answer = self._ask("win_stat", path=self._options["dest"], get_checksum=False)
        return int(answer["stat"].get("size", 0))

    def _total(self) -> int:
        """Return how many bytes the file will have, 0 if the server does not tell."""
        answer = self._ask("win_command", argv=self._curl.size())
        lengths = re.findall(r"(?im)^content-length: *(\d+)", answer.get("stdout", "") if not answer.get("rc") else "")
        return int(lengths[-1]) if lengths else 0
