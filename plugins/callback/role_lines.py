"""Show a run as one line a role, for people who do not know Ansible."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible import context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible.plugins.loader import callback_loader
from ansible.utils.color import stringc

DOCUMENTATION = r"""
name: role_lines
type: stdout
short_description: Show a run as one line a role, for people who do not know Ansible
author: wsl-dl-playbook contributors
description:
  - A role gets one line on each host when it is finished, with what came of it and its time if that is long. In a
    terminal a line below says what runs just now and for how long, one line a host.
  - A task is named only where it fails, with what it said. A failure that is rescued or ignored is not one. What a task
    tells people on purpose (C(ansible.builtin.debug)) is shown.
  - What the stdout callback C(default) shows, and Ansible's warnings, go into Ansible's log, if there is one
    (C(ANSIBLE_LOG_PATH)). With C(-v) they are shown as usual, in place of the lines.
  - The callback C(progress) adds what takes long, and the screen at the end.
  - The lines are those of all strategies; hosts may be in different roles.
extends_documentation_fragment: [default_callback, result_format_callback]
options:
  language:
    description: The language of what it says, and of what the callback progress says; auto is that of the environment.
    type: str
    choices: [auto, en, zh]
    default: auto
    env: [{name: ANSIBLE_PROGRESS_LANGUAGE}]
    ini: [{section: callback_progress, key: language}]
requirements:
  - selected by C(stdout_callback) in C(ansible.cfg), or by C(ANSIBLE_STDOUT_CALLBACK)
  - the callback plugin progress beside it
"""

LIVE = 4
"""Hosts that have a line of their own while something runs on them; others are counted."""
TICK = 1.0
"""Seconds between two looks of the lines that are rewritten in a terminal."""
HOST = 20
"""Columns of a host's name at most."""

progress = sys.modules[callback_loader.get("progress", class_only=True).__module__]
say = progress.say


# --- where it is written -----------------------------------------------------------------------------------------


class LogDisplay:
    """Ansible's display, of which only the log is left."""

    def __init__(self, display: Any) -> None:
        self._real = display

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        return types.MethodType(found.__func__, self) if isinstance(found, types.MethodType) else found

    def display(self, msg: str, *args: Any, screen_only: bool = False, **options: Any) -> None:
        """Write to the log what is not for the screen only."""
        if not screen_only:
            self._real.display(msg, *args, **options | {"log_only": True})


def translate(display: Any) -> None:
    """Let what actions tell while they work, behind "…", be said in the language that is spoken."""
    write = display.display

    def write_translated(msg: str, *args: Any, **options: Any) -> None:
        write(progress.translated(msg) if msg.startswith("… ") else msg, *args, **options)

    display.display = write_translated


class Live:
    """Lines at the bottom of a terminal that are written anew, below everything that Ansible's display writes.

    The cursor stands below them all the time, so a run that is killed leaves a terminal as it should be. Everything is
    written while the display is locked, as Ansible's workers are started: none of them inherits half a line.

    :param lines: returns the lines as they are at this moment.
    """

    def __init__(self, display: Any, lines: Callable[[], list[str]]) -> None:
        self._display, self._lines = display, lines
        self._write = display.display
        self._shown = 0
        self._end = threading.Event()
        display.display = self.display
        atexit.register(self.stop)
        threading.Thread(target=self._tick, name="role_lines", daemon=True).start()

    def display(self, *args: Any, **options: Any) -> None:
        """Write in place of Ansible's display, above the lines."""
        if self._display._final_q is not None or options.get("log_only"):  # a worker hands it to this process
            self._write(*args, **options)
            return
        with self._display._lock:
            self._clear()
            self._write(*args, **options)
            if options.get("newline", True) and not self._end.is_set():
                self._draw()

    def draw(self) -> None:
        """Write the lines anew."""
        with self._display._lock:
            self._draw(f"\x1b[{self._shown}A" if self._shown else "")

    def stop(self) -> None:
        """Take the lines away and write no more; safe to call more than once."""
        with self._display._lock:
            if not self._end.is_set():
                self._end.set()
                self._clear()
                self._display.display = self._write

    def _tick(self) -> None:
        while not self._end.wait(TICK):
            with self._display._lock:
                if not self._end.is_set():
                    self.draw()

    def _clear(self) -> None:
        if self._shown:
            sys.stdout.write(f"\x1b[{self._shown}A\x1b[J")
            sys.stdout.flush()
        self._shown = 0

    def _draw(self, before: str = "") -> None:
        try:
            width = os.get_terminal_size(sys.stdout.fileno()).columns
        except OSError:
            width = progress.WIDTH
        lines = [stringc(progress.cut(line, width - 2), C.COLOR_VERBOSE) for line in self._lines()]
        sys.stdout.write(before + "".join(f"\x1b[K{line}\n" for line in lines) + "\x1b[J")
        sys.stdout.flush()
        self._shown = len(lines)


# --- what is written ---------------------------------------------------------------------------------------------


@dataclass
class Unit:
    """What a host is busy with: a role of the play, or what the play does outside of its roles."""

    key: str
    title: str
    since: float
    role: Any = None


class CallbackModule(Default):
    """See DOCUMENTATION above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "role_lines"

    def __init__(self) -> None:
        super().__init__()
        self._screen = self._display
        self._record = progress.Record()
        self._units: dict[str, Unit] = {}
        self._written: set[tuple[str, str]] = set()
        self._told: list[tuple[str, Any]] = []
        self._title = ""
        self._width = 0
        self._order: list[str] = []
        self._live: Live | None = None

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        """Choose the language."""
        super().set_options(*args, **kwargs)
        progress.speak(self.get_option("language"))

    @property
    def _brief(self) -> bool:
        return not self._screen.verbosity

    # --- when ---

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """Let Ansible's own lines go to the log, unless somebody wants to see them."""
        if self._brief:
            self._display = LogDisplay(self._screen)
            for name in ("_warning", "_deprecated"):  # of everything else in Ansible, in the workers, too
                setattr(self._screen, name, getattr(self._display, name))
            translate(self._screen)
            if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
                self._live = Live(self._screen, self._now)
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """What was busy is finished."""
        super().v2_playbook_on_play_start(play)
        self._finish_all()
        self._written.clear()
        roles = [role for role in play.get_roles() if not progress.only_asked(role)]
        self._title = say("Preparation") if roles else say(play.get_name().strip())
        self._order = list(play.get_variable_manager()._inventory.hosts)
        self._width = min(HOST, max(map(progress.columns, self._order), default=0))

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A host goes on with its role, or begins another one."""
        super().v2_runner_on_start(host, task)
        name, role = host.get_name(), progress.top_role(task)
        self._record.begin(name, task)
        if role is not None and progress.only_asked(role):
            role = None
        key = role.get_name() if role else ""
        unit = self._units.get(name)
        if unit is None or unit.key != key:
            if unit is not None:
                self._finish(name)
            about = progress.description(Path(role.get_role_path())) if role else ""
            self._units[name] = Unit(key, about or key or self._title, time.monotonic(), role)
            if self._live is not None:
                self._live.draw()

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """A role may take back what it did."""
        self._record.included(included_file)
        super().v2_playbook_on_include(included_file)

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well; show what it tells on purpose."""
        self._record.went_well(result)
        told = result.result.get("msg") if result.task.action in C.add_internal_fqcns(("debug",)) else None
        super().v2_runner_on_ok(result)
        name = result.host.get_name()
        if not told or (name, told) in self._told:  # a role that is asked what it needs, and applied, says it twice
            return
        self._told.append((name, told))
        if isinstance(told, list):
            self._tell(name, say("{}:").format(self._units[name].title), None)
            for item in told:
                self._tell("", progress.translated(str(item)), None, "- ")
        else:
            for line in str(told).splitlines():
                self._tell(name, progress.translated(line), None)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was skipped."""
        self._record.ended(result)
        super().v2_runner_on_skipped(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed."""
        self._record.ended(result)
        said = progress.said(progress.answer_of(result))
        super().v2_runner_on_failed(result, ignore_errors)
        if not ignore_errors and not rescued(result.task):
            self._failed(result, said)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host was not reached."""
        self._record.ended(result)
        said = progress.said(progress.answer_of(result))
        super().v2_runner_on_unreachable(result)
        if not result.task_fields.get("ignore_unreachable"):
            self._failed(result, said)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """The run is over."""
        self._finish_all()
        if self._live is not None:
            self._live.stop()
        super().v2_playbook_on_stats(stats)

    # --- what ---

    def _now(self) -> list[str]:
        now = time.monotonic()
        busy = progress.in_order(dict(self._units), self._order)
        lines = [self._line(name, say("running"), self._doing(name, unit, now)) for name, unit in busy[:LIVE]]
        if len(busy) > LIVE:
            lines.append(say("and {} others").format(len(busy) - LIVE))
        return lines

    def _doing(self, name: str, unit: Unit, now: float) -> str:
        """Return what a host is busy with: a download with what is left of it, else its role and since when."""
        if note := progress.note_of(name, Path(C.DEFAULT_LOCAL_TMP)):
            return f"{note['what']}  {progress.how_far(note)}"
        return unit.title + say(" ({})").format(progress.duration(now - unit.since))

    def _finish_all(self) -> None:
        for name in list(self._units):
            self._finish(name)

    def _finish(self, name: str) -> None:
        """Write the line of a role, once in a play: its handlers may come after other roles."""
        unit = self._units.pop(name)
        if unit.role is None or (name, unit.key) in self._written:
            return
        part = self._record.part(name, unit.role)
        if outcome := part.outcome:
            self._written.add((name, unit.key))
            color = C.COLOR_CHANGED if outcome in ("done", "taken back") else C.COLOR_OK
            word = progress.word(outcome, bool(context.CLIARGS.get("check")))
            self._say(name, word, unit.title, part.seconds, color)

    def _failed(self, result: Any, said: str) -> None:
        """Write the line of what failed, and below it the task with what it said."""
        name, role = result.host.get_name(), progress.top_role(result.task)
        unit = self._units.pop(name, None) or Unit("", self._title, time.monotonic())
        part = self._record.part(name, role) if role is not None and role is unit.role else progress.Part()
        self._written.add((name, unit.key))
        if progress.pauses(result.task):
            self._say(name, say("paused"), unit.title, part.seconds, C.COLOR_WARN)
            self._tell("", said, C.COLOR_WARN)
            return
        self._say(name, say("failed"), unit.title, part.seconds, C.COLOR_ERROR)
        task = progress.named(progress.title(result.task.get_name()).rpartition(" : ")[2])
        self._tell("", say("{}: {}").format(task, said), C.COLOR_ERROR)
        if C.DEFAULT_LOG_PATH:
            self._tell("", say("All that was said and done is in {}.").format(C.DEFAULT_LOG_PATH), C.COLOR_ERROR)

    def _line(self, name: str, head: str, text: str) -> str:
        return f"{progress.left(progress.cut(name, self._width), self._width)}  {progress.left(head, 12)}{text}"

    def _say(self, name: str, head: str, title: str, seconds: float, color: str | None) -> None:
        """Write the line of a role; its title is cut before its time is."""
        line, took = self._line(name, head, title), progress.timed("", seconds)
        self._write([progress.cut(line, self._columns - progress.columns(took)) + took], color)

    def _tell(self, name: str, text: str, color: str | None, mark: str = "") -> None:
        """Write a text in as many lines as it needs, beside a host or nothing."""
        first = progress.left(name, self._width + 2) + mark
        self._write(progress.wrap(text, self._columns, first, " " * progress.columns(first)), color)

    @property
    def _columns(self) -> int:
        return min(120, self._screen.columns) if sys.stdout.isatty() else progress.WIDTH

    def _write(self, lines: list[str], color: str | None) -> None:
        if self._brief:
            for line in lines:
                self._screen.display(line, color=color)
            sys.stdout.flush()


def rescued(task: Any) -> bool:
    """Tell whether a block around a task has something to do where it fails."""
    node = task
    while node is not None:
        block = getattr(node, "_parent", None)
        inside = any(one._uuid == node._uuid for one in getattr(block, "block", None) or [])
        if inside and block.rescue:
            return True
        node = block
    return False
