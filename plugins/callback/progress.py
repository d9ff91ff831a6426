"""Say what takes long while it runs, and at the end what was done and what to do next."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import sys
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml
from ansible import constants as C
from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader

DOCUMENTATION = r"""
name: progress
type: aggregate
short_description: Say what takes long while it runs, and at the end what was done and what to do next
author: wsl-dl-playbook contributors
description:
  - It adds lines to those of the stdout callback, in plain text and through Ansible's display; so a terminal, a log
    of CI and ansible-runner show the same.
  - A host that was not reached over WinRM gets a line with the cause and the remedy.
  - A task that takes long gets a line with the time so far, after O(first) seconds, then at twice that time, and so on;
    at least every five minutes, every minute where the bytes are known (the action win_fetch tells them).
  - After the recap comes a summary, if a play of the run has the variable C(progress_next), a list of sentences on what
    to do after it. A role adds sentences of its own with C(ansible.builtin.set_stats), under the same name.
  - A sentence that fits only after some of the roles is a dictionary, C(text) with C(after), the names of these roles.
    It is said where one of them was brought into C(state), C(present) by default or C(absent), and with C(changed)
    where it had to change something for that.
  - A task that fails on purpose, because somebody has to do something that it may not do, has the variable
    C(progress_pauses). Its host is called paused.
  - In the summary a role is named with the description in its C(meta/main.yml).
  - It speaks Chinese where O(language) says so, and says what roles refuse and why they fail in Chinese, too. A
    vendor's own words stay as they are.
  - Under the stdout callback C(role_lines) it leaves to that what Ansible's own lines need explained.
options:
  language:
    description: The language of its words. Empty is what the stdout callback role_lines speaks, else English.
    type: str
    choices: ["", auto, en, zh]
    default: ""
    env: [{name: ANSIBLE_PROGRESS_LANGUAGE}]
    ini: [{section: callback_progress, key: language}]
  first:
    description: Seconds after which a task that still runs gets its first line; 0 for none at all.
    type: float
    default: 15
    env: [{name: ANSIBLE_PROGRESS_FIRST}]
    ini: [{section: callback_progress, key: first}]
requirements:
  - enabled in C(ansible.cfg) by C(callbacks_enabled)
"""

PAUSE = 300
"""Seconds between two lines at most, of a task of which only the time is known."""
PAUSE_BYTES = 60
"""The same where the bytes are known."""
LONG = 10
"""Seconds from which on the summary names the time of a role."""
SINGLE = 2
"""Hosts up to which each has its own part of the summary: one PC, Windows and its distribution."""
NAMED = 3
"""Hosts that a line names before it counts."""
NOTHING_CHANGED, GOES_ON = "Nothing was changed.", "It goes on from there."
SORTS = 4
"""Different failures that the summary of many hosts lists before it counts."""
HEAD, TAIL = 24, 12
"""Lines of a failure's message that are always shown: its beginning, where the cause stands, and its end."""
WIDTH = 80
"""Columns where the output is no terminal."""
HIDDEN = "Its message is hidden, since it may hold a password. Ansible's own lines above name the cause."
"""What stands for a message that Ansible hides."""
HANGS = (
    "The program that it runs had not ended after {} s and was stopped: it hangs. Restart that machine, then run again."
)
"""What is said of a task that took longer than it may."""


# --- words -------------------------------------------------------------------------------------------------------

CATALOGUE = Path(__file__).resolve().with_name("zh_CN.yml")
"""What this program says in Chinese: each English text with its translation."""
WIDE = "\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef"
"""Characters of two columns, between which a line may end."""
PIECE = re.compile(f" ?[（《【]*(?:[{WIDE}]|[^\\s{WIDE}]+)[，。、；：）》】！？]*")
"""What stays together at the end of a line: a word, or one Chinese character, with its punctuation."""
_chinese: dict[str, str] = {}


def speak(language: str) -> None:
    """Say everything from now on in a language: ``en``, ``zh``, or ``auto``, which is that of the environment."""
    if language == "auto":
        found = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
        language = found[:2]
    _chinese.clear()
    if language == "zh":
        _chinese.update(yaml.safe_load(CATALOGUE.read_text(encoding="utf-8")))


def say(text: str) -> str:
    """Return a text in the language that is spoken; English where there is no translation."""
    return _chinese.get(text, text)


# --- what roles say ----------------------------------------------------------------------------------------------

ROLES, TASKS = (Path(__file__).resolve().with_name(f"zh_CN_{name}.yml") for name in ("roles", "tasks"))
"""What roles say, and how their tasks are called: each English text with its translation."""
MESSAGES = [ROLES]
"""The catalogues that messages are looked through for; the folder verify adds its own."""
HOLE = r"( ?\{\d*\}|\b[a-z0-9]+(?:_[a-z0-9]+)+\b)"
"""What is another word each time: {} and, since the inventory has its own, the name of a variable."""
BEGIN = re.compile(r"""[.:;!?)…"'|] """)
"""After which another text may begin."""
STOPS = {".": "。", ";": "；"}
LATIN, IDEOGRAPH = re.compile(r"[A-Za-z0-9]"), re.compile("[\u4e00-\u9fff]")
"""Between which a blank stands."""


class Text:
    """A text with its translation, and how it is found in a message; without the full stop at its end."""

    def __init__(self, english: str, other: str) -> None:
        self.other = other.removesuffix("。")
        self._parts = re.split(HOLE, english.removesuffix("."))
        self.begins_late = not self._parts[0]
        self._open = not self._parts[-1] and self.other.endswith("}")  # what stands for its last hole may be long
        self.literal = max(self._parts[::2], key=len)
        self.weight = len("".join(self._parts[::2]))

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Return the regular expression of the text. A hole may be empty, but not one that begins the text."""
        words = [re.escape(part) for part in self._parts]
        for place in range(1, len(words), 2):
            part, before, after = self._parts[place], self._parts[place - 1], self._parts[place + 1]
            words[place] = "([a-z0-9_]+)"
            if part.endswith("}") and before.rfind("(") > before.rfind(")") and after.startswith(")"):
                words[place] = part[:-2] + r"((?:[^()]|\([^()]*\))*|.*?)"
            elif part == "{}":
                words[place] = "(.*?)" if place > 1 or before else r"((?:(?!\. ).)+?)"
            elif part == " {}":
                words[place] = "(?: (.+?))?" if after[:1] in ("", " ") else " (.*?)"
        ends = "" if self._open else r"|[.;]$|[.;] " + "| " * self._parts[-1].endswith((":", "!", "?", ")", '"', "'"))
        return re.compile("".join(words) + rf"(?=$| {NOTHING_CHANGED}$" + ends + ")")

    def filled(self, found: re.Match[str]) -> str:
        """Return the translation with what stands in the message for the holes."""
        said = list(zip(self._parts[1::2], found.groups(), strict=True))
        names = dict(said)
        words = [_translated_part(word or "") for name, word in said if name.endswith("}")]
        text, count = "", 0
        for place, part in enumerate(re.split(HOLE, self.other)):
            if place % 2 and part.endswith("}"):
                number = part.strip(" {}")
                text = joined(text + part[: part.index("{")], words[int(number) if number else count])
                count += 1
            else:
                text = joined(text, (names.get(part) or part) if place % 2 else part)
        return text


def _translated_part(word: str) -> str:
    """Return what stands for a hole: a sentence without the blanks around it, anything else as it is."""
    other = translated(word.strip())
    return word if other == word.strip() else other


def joined(text: str, other: str) -> str:
    """Return two texts as one, with a blank between a Chinese character and a Latin letter or a number."""
    if LATIN.match(other) and IDEOGRAPH.match(text[-1:]):
        return f"{text} {other}"
    if IDEOGRAPH.match(other) and re.match(r"[A-Za-z0-9.:;,)]", text[-1:]):
        return f"{text} {other}"
    return text + other


@functools.cache
def texts(catalogue: Path) -> dict[str, Text]:
    """Return the texts of a catalogue; read when the first of them is asked for."""
    loaded = yaml.load(catalogue.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {english: Text(english, other) for english, other in loaded.items()}


def pieces(message: str) -> Iterator[tuple[str, str | None]]:
    """Return what a message is made of: each text that is known with its translation, and what is between them."""
    known = [text for catalogue in MESSAGES for text in texts(catalogue).values() if text.literal in message]
    at = 0
    while at < len(message):
        found = [(text, match) for text in known if (match := text.pattern.match(message, at))]
        if found:
            text, match = min(found, key=lambda one: (one[0].begins_late and len(one[1][1]), -one[0].weight))
            end, other = match.end(), text.filled(match)
            if stop := message[end : end + 1].strip():
                other, end = other + STOPS[stop] * (other[-1] not in "。；：！？"), end + 1
        else:
            later = BEGIN.search(message, at)
            end, other = later.end() - 1 if later else len(message), None
        yield message[at:end], other
        at = end + len(message[end:]) - len(message[end:].lstrip())


def translated(message: str) -> str:
    """Return a message of a role in the language that is spoken, as far as its texts are known."""
    if not _chinese:
        return message
    text = ""
    for piece, other in pieces(message):
        other = piece if other is None else other
        text += " " * bool(text and text[-1] not in "。；：！？）" and other[0] not in "（，") + other
    return text


def columns(text: str) -> int:
    """Return how many columns a text has on a screen."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def left(text: str, width: int) -> str:
    """Return a text filled up with blanks to so many columns."""
    return text + " " * (width - columns(text))


def right(text: str, width: int) -> str:
    """Return a text with blanks before it, so many columns in all."""
    return " " * (width - columns(text)) + text


def cut(text: str, width: int) -> str:
    """Return what of a text fits into so many columns."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrap(text: str, width: int, first: str, other: str) -> list[str]:
    """Return a text in lines, with what stands before the first and the others; no word is broken in two."""
    lines, begun = [first], False
    for piece in PIECE.findall(" ".join(text.split())):
        if begun and columns(lines[-1] + piece) > width:
            lines.append(other + piece.lstrip())
        else:
            lines[-1] += piece
        begun = True
    return [line.rstrip() for line in lines]


def duration(seconds: float) -> str:
    """Return seconds for people: ``50 s``, ``1 min 30 s``, ``2 h 5 min``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    if hours:
        return say("{} h {} min" if minutes else "{} h").format(hours, minutes)
    if minutes:
        return say("{} min {} s" if rest else "{} min").format(minutes, rest)
    return say("{} s").format(rest)


def timed(text: str, seconds: float) -> str:
    """Return a text with the time that it took, if that is long."""
    return text + say(" ({})").format(duration(seconds)) if seconds >= LONG else text


def amount(size: float, like: float | None = None) -> tuple[str, str]:
    """Return a number of bytes and its unit, the unit that suits ``like``: ``("1.2", "GB")``."""
    scale = size if like is None else like
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if scale >= factor:
            value = size / factor
            return (f"{value:.1f}" if unit == "GB" or 0 < value < 10 else f"{value:.0f}"), unit
    return f"{size:.0f}", "bytes"


def how_far(note: dict[str, Any]) -> str:
    """Return a note of a transfer for people: ``1.2 of 3.9 GB, 31 %, 24 MB/s, 1 min 52 s left``."""
    size, total, rate = note["bytes"], note["total"], note["bytes_per_second"]
    if total:
        parts = amount(size, total)[0], " ".join(amount(total))
        words = [say("{} of {}").format(*parts), f"{min(100, size * 100 // total)} %"]
    else:
        words = [" ".join(amount(size))]
    if rate:
        words.append(" ".join(amount(rate)) + "/s")
        if total > size:
            words.append(say("{} left").format(duration((total - size) / rate)))
    return say(", ").join(words)


def note_of(host: str, folder: Path) -> dict[str, Any] | None:
    """Return how far a host's download is, None where none is known; win_fetch writes it into the folder."""
    try:
        return json.loads((folder / f"progress-{quote(host, safe='')}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def names(hosts: Iterable[str]) -> str:
    """Return names of hosts, the many only counted: ``pc001, pc002, pc003 and 47 others``."""
    known = sorted(hosts)
    if len(known) <= NAMED + 1:
        return ", ".join(known)
    return say("{} and {} others").format(", ".join(known[:NAMED]), len(known) - NAMED)


def in_order(hosts: dict[str, Any], order: list[str]) -> list[tuple[str, Any]]:
    """Return the hosts in the order of the inventory; behind them those that it does not name (localhost)."""
    places = {name: place for place, name in enumerate(order)}
    return sorted(hosts.items(), key=lambda item: places.get(item[0], len(places)))


def first_bad(answer: dict[str, Any]) -> dict[str, Any]:
    """Return the answer of the first bad item of a loop, else the answer itself."""
    bad = [item for item in answer.get("results") or [] if item.get("failed") or item.get("unreachable")]
    return bad[0] if bad else answer


def answer_of(result: Any) -> dict[str, Any]:
    """Return what a task answered. Of one with C(no_log), whose message Ansible hides, why the connection broke."""
    answer = result.result
    if "censored" not in answer or answer.get("results"):
        return answer
    said, event = [], getattr(result.exception, "event", None)
    while event is not None:
        said.append(event.msg)
        event = event.chain.event if event.chain else None
    text = " ".join(said)
    return answer | {"msg": text if why_unreachable({"msg": text}) else say(HIDDEN)}


def message_of(answer: dict[str, Any]) -> str:
    """Return what a failed task said; of a loop what its first bad item said."""
    answer = first_bad(answer)
    message = answer.get("msg") or answer.get("module_stderr") or "no message"
    return "\n".join(map(str, message)) if isinstance(message, list) else str(message)


def why_unreachable(answer: dict[str, Any]) -> str:
    """Return cause and remedy of a broken WinRM in the words of the filter C(why_unreachable), else nothing."""
    found = filter_loader.get("why_unreachable")
    return found.j2_function(message_of(answer)) if found else ""


def explained(answer: dict[str, Any]) -> str:
    """Return why a task failed: what it said, after the cause and the remedy where WinRM broke or a program hung."""
    why = why_unreachable(answer)
    if limit := first_bad(answer).get("timedout"):
        why = say(HANGS).format(limit["period"])
    message = re.sub(r"^Task failed: ((Action|Module) failed: )?", "", message_of(answer))
    message = translated(" ".join(message.split())) if _chinese else message
    return say("{} ({})").format(why, message) if why else message


def said(answer: dict[str, Any]) -> str:
    """Return in one line why a task failed."""
    return " ".join(explained(answer).split())


def title(name: str) -> str:
    """Return the name of a task without the name of its file: ``role : file | Do it`` is ``role : Do it``."""
    if name.strip() == "Gathering Facts":  # Ansible's own name
        return say("Look at the machine")
    return re.sub(r"^((?:.* : )?)\w+ \| ", r"\1", name.strip())


def named(title: str) -> str:
    """Return the title of a task in the language that is spoken."""
    role, colon, name = title.rpartition(" : ")
    tasks = texts(TASKS) if _chinese else {}
    for text in [tasks[name]] if name in tasks else tasks.values():
        if found := text.pattern.fullmatch(name):
            return role + colon + text.filled(found)
    return title


# --- while it runs -----------------------------------------------------------------------------------------------


@dataclass
class Running:
    """A task that runs: its name, when it began, on which hosts it still runs, and when it gets its next line."""

    name: str
    since: float
    due: float
    hosts: set[str] = field(default_factory=set)


class Heartbeat:
    """Says from a thread what runs for long.

    The main process owns it. It holds no lock while it looks: names and numbers that are read while they change are at
    worst a second old. Ansible forks workers while the display is locked, so a worker never inherits a line half
    written; it does not use anything of this object.

    :param say: takes a line.
    :param first: seconds until the first line of a task.
    :param notes: folder where the tasks that know it note how far they are.
    """

    def __init__(self, say: Any, first: float, notes: Path) -> None:
        self.first = first
        self._say, self._notes = say, notes
        self._tasks: dict[str, Running] = {}
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, task: str, name: str, host: str) -> None:
        """A task begins on a host."""
        if self.first <= 0:
            return
        if self._thread is None and not self._end.is_set():
            self._thread = threading.Thread(target=self._beat, name="progress", daemon=True)
            self._thread.start()
        now = time.monotonic()
        self._tasks.setdefault(task, Running(name, now, self.first)).hosts.add(host)

    def finish(self, task: str, host: str) -> None:
        """A task has ended on a host."""
        running = self._tasks.get(task)
        if running is not None:
            running.hosts.discard(host)
            if not running.hosts:
                self._tasks.pop(task, None)

    def stop(self) -> None:
        """End the thread; safe to call more than once."""
        self._end.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(5)

    def _beat(self) -> None:
        with contextlib.suppress(Exception):  # whatever is wrong here must not disturb the run
            while not self._end.wait(min(0.5, self.first / 2)):
                for line in self.lines(time.monotonic()):
                    if not self._end.is_set():
                        self._say(line)

    def lines(self, now: float) -> list[str]:
        """Return the lines that are due."""
        lines: list[str] = []
        for task in list(self._tasks.values()):
            age, hosts = now - task.since, list(task.hosts)
            if age < task.due or not hosts:
                continue
            notes = {host: note for host in hosts if (note := note_of(host, self._notes))}
            while task.due <= age:
                task.due += min(task.due, PAUSE_BYTES if notes else PAUSE)
            time_so_far = f"… {duration(age)}"
            if notes and len(hosts) <= NAMED:
                lines += [
                    f"{time_so_far}  {host}  {note['what']}  {how_far(note)}" for host, note in sorted(notes.items())
                ]
                hosts = [host for host in hosts if host not in notes]
            elif notes:
                files = ", ".join(sorted({note["what"] for note in notes.values()}))
                shares = sorted(note["bytes"] * 100 // note["total"] for note in notes.values() if note["total"])
                far = "  " + say("at {} to {} %").format(shares[0], shares[-1]) if shares else ""
                lines.append(f"{time_so_far}  {names(notes)}  {files}{far}")
                hosts = [host for host in hosts if host not in notes]
            if hosts:
                lines.append(f"{time_so_far}  {names(hosts)}  {named(task.name)}")
        return lines


# --- at the end --------------------------------------------------------------------------------------------------


@dataclass
class Part:
    """What a role has done on a host."""

    listed: bool = False  # in "roles" of a play and not only asked for its preflight
    ok: int = 0
    changed: int = 0
    absent: bool = False
    seconds: float = 0.0

    @property
    def outcome(self) -> str:
        """Return what came of a role that did not fail; nothing where it did nothing."""
        if not self.listed or not self.ok + self.changed:
            return ""
        if self.absent:
            return "taken back" if self.changed else "not there"
        return "done" if self.changed else "already so"


@dataclass
class Host:
    """What a run has done on a host.

    ``failure``: the role, the task's title and its message. ``paused``: on purpose, for somebody has to do something.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    failure: tuple[str, str, str] | None = None
    left_out: bool = False  # it was not reached, and the run went on without it
    paused: bool = False

    def roles(self, outcome: str) -> list[str]:
        """Return the roles with an outcome: done, taken back, already so, not there (nothing to take back), failed."""
        return [role for role, part in self.parts.items() if self._outcome(role, part) == outcome]

    def _outcome(self, role: str, part: Part) -> str:
        if self.failure is not None and self.failure[0] == role:
            return "failed"
        return part.outcome


class Record:
    """What a run has done so far on each host: ``hosts``, and where each role lies: ``paths``."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self.paths: dict[str, Path] = {}
        self._starts: dict[tuple[str, str], float] = {}

    def begin(self, host: str, task: Any) -> None:
        """A task begins on a host."""
        self._starts[host, task._uuid] = time.monotonic()

    def included(self, file: Any) -> None:
        """A role that includes its absent.yml takes back what it did."""
        path, role = Path(str(file._filename)), top_role(file._task)
        if role is not None and path.name == "absent.yml" and path.parent.parent.name == role.get_name():
            for host in file._hosts:
                self.part(host.get_name(), role).absent = True

    def went_well(self, result: Any) -> None:
        """A task went well."""
        part = self.ended(result)
        if part is None or only_asked(top_role(result.task)) or "validate_argument_spec" in str(result.task.action):
            return  # a role that is only asked what it needs, or whose arguments are checked whatever the tags are
        part.ok += 1
        part.changed += bool(result.result.get("changed"))

    def ended(self, result: Any) -> Part | None:
        """A task has ended; return what its role has done, nothing outside of roles."""
        host, task = result.host.get_name(), result.task
        seconds = time.monotonic() - self._starts.pop((host, task._uuid), time.monotonic())
        role = top_role(task)
        if role is None:
            self.hosts.setdefault(host, Host())
            return None
        part = self.part(host, role)
        part.seconds += seconds
        return part

    def part(self, host: str, role: Any) -> Part:
        """Return what a role has done on a host."""
        self.paths[role.get_name()] = Path(role.get_role_path())
        parts = self.hosts.setdefault(host, Host()).parts
        part = parts.setdefault(role.get_name(), Part())
        if not part.listed and not only_asked(role):
            part.listed = True
            parts[role.get_name()] = parts.pop(role.get_name())  # the order of the summary is the playbook's
        return part


@dataclass
class Advice:
    """What to do after a run. With ``after`` it is said only where one of these roles came into the state."""

    text: str
    after: tuple[str, ...] = ()
    state: str = "present"
    changed: bool = False

    @classmethod
    def read(cls, item: Any) -> Advice:
        """Return an item of C(progress_next): a sentence, or a dictionary with the fields of this class."""
        if not isinstance(item, dict):
            return cls(str(item))
        return cls(**{**item, "after": tuple(item.get("after", ()))})

    def fits(self, hosts: Iterable[Host]) -> bool:
        """Tell whether the hosts are in the state that it is about."""
        outcomes = {
            ("present", False): ("done", "already so"),
            ("present", True): ("done",),
            ("absent", False): ("taken back", "not there"),
            ("absent", True): ("taken back",),
        }[self.state, self.changed]
        roles = {role for host in hosts for outcome in outcomes for role in host.roles(outcome)}
        return not self.after or not roles.isdisjoint(self.after)


def word(outcome: str, check: bool) -> str:
    """Return an outcome for people; in check mode what would come of it."""
    future = {"done": "would do", "taken back": "would take"}
    return say(future.get(outcome, outcome) if check else outcome)


@dataclass
class Summary:
    """The screen at the end of a run.

    :param width: columns. Messages are wrapped, not cut: the cause and the remedy may stand anywhere in them.
    """

    hosts: dict[str, Host]
    seconds: float
    check: bool
    following: list[Advice]
    descriptions: dict[str, str]
    width: int = WIDTH

    def lines(self) -> list[tuple[str, str | None]]:
        """Return the lines, each with its colour; none if there is nothing to say."""
        if not any(host.parts or host.failure or host.left_out for host in self.hosts.values()):
            return []
        body = self._each() if len(self.hosts) <= SINGLE else self._all()
        return [*body, (say("next"), None), *((line, None) for item in self._next() for line in self._bullet(item))]

    def _word(self, outcome: str) -> str:
        return word(outcome, self.check)

    @property
    def _column(self) -> int:
        """How much room the name of a role has, with the space behind it."""
        return 1 + max(14, *(len(role) for host in self.hosts.values() for role in [*host.parts, ""]))

    def _each(self) -> list[tuple[str, str | None]]:
        lines: list[tuple[str, str | None]] = []
        for name, host in self.hosts.items():
            lines.append((name, None))
            for outcome in ("done", "taken back"):
                roles = host.roles(outcome)
                for index, role in enumerate(roles):
                    head = self._word(outcome) if index == 0 else ""
                    part = host.parts[role]
                    first = f"  {left(head, 12)}{role:<{self._column}}"
                    what = self._wrap(timed(self.descriptions.get(role, ""), part.seconds), first, " " * columns(first))
                    lines += [(line, C.COLOR_CHANGED) for line in what]
            for outcome in ("already so", "not there"):
                if same := host.roles(outcome):
                    lines += [(line, C.COLOR_OK) for line in self._block(say(outcome), ", ".join(same))]
            if host.left_out:
                lines.append((f"  {left(say('left out'), 12)}{say('it was not reached')}", C.COLOR_SKIP))
            if host.failure:
                role, task, message = host.failure
                head, text = (
                    ("paused", message) if host.paused else ("failed", say("{}: {}").format(named(task), message))
                )
                color = C.COLOR_WARN if host.paused else C.COLOR_ERROR
                lines += [(line, color) for line in self._block(say(head), text)]
            if len(lines) and lines[-1] == (name, None):
                lines.append((f"  {say('nothing to do')}", None))
        return lines

    def _all(self) -> list[tuple[str, str | None]]:
        roles = list(dict.fromkeys(role for host in self.hosts.values() for role in host.parts))
        outcomes = ("taken back" if any(host.roles("taken back") for host in self.hosts.values()) else "done",)
        outcomes += ("already so", "failed")
        same = ("already so", "not there")
        heads = "".join(right(self._word(outcome), 12) for outcome in outcomes)
        lines: list[tuple[str, str | None]] = [
            (left(say("{} hosts").format(len(self.hosts)), 2 + self._column) + heads, None)
        ]
        for role in roles:
            found = {outcome: [name for name, host in self.hosts.items() if role in host.roles(outcome)]
                     for outcome in ("done", "taken back", *same, "failed")}  # fmt: skip
            if not any(found.values()):
                continue
            changed = found["done"] + found["taken back"]
            counts = (len(changed), sum(len(found[outcome]) for outcome in same), len(found["failed"]))
            longest = max(changed, key=lambda name: self.hosts[name].parts[role].seconds, default="")
            seconds = self.hosts[longest].parts[role].seconds if longest else 0
            took = "   " + say("longest: {}, {}").format(duration(seconds), longest) if seconds >= LONG else ""
            color = C.COLOR_ERROR if counts[2] else C.COLOR_CHANGED if counts[0] else C.COLOR_OK
            lines.append((f"  {role:<{self._column}}{''.join(f'{count:>12}' for count in counts)}{took}", color))
        return lines + self._failures()

    def _failures(self) -> list[tuple[str, str | None]]:
        sorts: dict[tuple[str, str], list[str]] = {}
        for name, host in self.hosts.items():
            if host.failure:
                _, task, message = host.failure
                sorts.setdefault((task, message.replace(name, "")), []).append(name)  # it may name the host
        if not sorts:
            return []
        lines = [say("failed")]
        for (task, _), hosts in list(sorts.items())[:SORTS]:
            failure = self.hosts[hosts[0]].failure
            lines += self._wrap(
                say("{}: {}").format(f"{names(hosts)}: {named(task)}", failure[2] if failure else ""), "  ", "    "
            )
        if len(sorts) > SORTS:
            lines.append("  " + say("and {} other failures; the run above has them all").format(len(sorts) - SORTS))
        return [(line, C.COLOR_ERROR) for line in lines]

    def _next(self) -> list[str]:
        hosts = self.hosts.values()
        failed = [host for host in hosts if host.failure]
        if failed and all(host.paused for host in failed) and len(self.hosts) <= SINGLE:
            return [say(" ").join((say('Do what stands under "paused", then run the same again.'), say(GOES_ON)))]
        if failed:
            again = NOTHING_CHANGED if self.check else GOES_ON
            return [say(" ").join((say('Fix the error under "failed", then run the same again.'), say(again)))]
        if self.check and any(host.roles(outcome) for host in hosts for outcome in ("done", "taken back")):
            return [say(" ").join((say(NOTHING_CHANGED), say("Run the same without --check to do it.")))]
        if self.check:
            words = ["Nothing: a run without --check would change nothing."]
            words += ["What was left out was not looked at."] if any(host.left_out for host in hosts) else []
            return [say(" ").join(map(say, words))]
        return [translated(advice.text) for advice in self.following if advice.fits(hosts)] or [say("Nothing.")]

    def _block(self, head: str, text: str) -> list[str]:
        """Return a text beside its heading."""
        return self._wrap(text, f"  {left(head, 12)}", " " * 14)

    def _bullet(self, text: str) -> list[str]:
        return self._wrap(text, "  - ", "    ")

    def _wrap(self, text: str, first: str, other: str) -> list[str]:
        """Return a text in lines; of a very long one the beginning and the end, and how much is left out."""
        lines = wrap(text, self.width, first, other)
        if len(lines) > HEAD + TAIL + 1:
            left_out = say("… {} lines, which the run above has …").format(len(lines) - HEAD - TAIL)
            lines = [*lines[:HEAD], other + left_out, *lines[-TAIL:]]
        return lines


class CallbackModule(CallbackBase):
    """See DOCUMENTATION above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "progress"
    CALLBACK_NEEDS_ENABLED = True
    answer_of, explained = staticmethod(answer_of), staticmethod(explained)

    def __init__(self, display: Any = None, options: Any = None) -> None:
        super().__init__(display=display, options=options)
        self._began = time.monotonic()
        self._heart: Heartbeat | None = None
        self._names: dict[str, str] = {}
        self._record = Record()
        self._order: list[str] = []
        self._next_of_play: list[Advice] | None = None
        self._next: list[Advice] | None = None

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        """Choose the language, where it is given."""
        super().set_options(*args, **kwargs)
        if language := self.get_option("language"):
            speak(language)

    @property
    def _alone(self) -> bool:
        """Tell whether the stdout callback says itself what fails, without Ansible's words that need an explanation."""
        return C.DEFAULT_STDOUT_CALLBACK == "role_lines" and not self._display.verbosity

    def _say(self, line: str, color: str | None = C.COLOR_VERBOSE) -> None:
        self._display.display(line, color=color)

    # --- while it runs -----------------------------------------------------------------------------------------

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Note what is to be done after this play."""
        self._order = list(play.get_variable_manager()._inventory.hosts)
        following = play.get_vars().get("progress_next")
        self._next_of_play = None if following is None else [Advice.read(item) for item in following]

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Note the name of a task; only now its templates are filled in."""
        self._names[task._uuid] = title(task.get_name())

    def v2_playbook_on_handler_task_start(self, task: Any) -> None:
        """Note the name of a handler."""
        self._names[task._uuid] = title(task.get_name())

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A task begins on a host."""
        if self._next_of_play is not None:
            self._next, self._next_of_play = self._next_of_play, None
        if self._heart is None:
            self._heart = Heartbeat(self._say, float(self.get_option("first")), Path(C.DEFAULT_LOCAL_TMP))
            atexit.register(self._heart.stop)
        name = self._names.setdefault(task._uuid, title(task.get_name()))
        self._record.begin(host.get_name(), task)
        self._heart.begin(task._uuid, name, host.get_name())

    def v2_runner_retry(self, result: Any) -> None:
        """Say under Ansible's "FAILED - RETRYING" that it is none yet, and why."""
        if self._alone:
            return
        answer, delay = result.result, result.task_fields.get("delay")
        why = f"exit code {answer['rc']}" if answer.get("rc") else _first_line(answer.get("msg"))
        again = f"tried again in {duration(float(delay))}" if delay else "tried again"
        self._say(f"… {result.host.get_name()}  not a failure yet ({why or 'not ready'}): {again}")

    # --- what came out -----------------------------------------------------------------------------------------

    def v2_playbook_on_include(self, included_file: Any) -> None:
        """A role takes back what it did."""
        self._record.included(included_file)

    def v2_runner_on_ok(self, result: Any) -> None:
        """A task went well."""
        self._finish(result)
        self._record.went_well(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        """A task was skipped."""
        self._finish(result)
        self._record.ended(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """A task failed; whether the host did, is known at the end."""
        self._finish(result)
        self._record.ended(result)
        if not ignore_errors:
            self._failed(result)
            self._explain(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """A host was not reached."""
        self._finish(result)
        self._record.ended(result)
        self._failed(result)
        if result.task_fields.get("ignore_unreachable"):
            self._record.hosts[result.host.get_name()].left_out = True
        else:
            self._explain(result)

    def _explain(self, result: Any) -> None:
        """Say in words what pywinrm has said, below it."""
        if not self._alone and (why := why_unreachable(answer_of(result))):
            self._say(f"… {result.host.get_name()}  {why}", C.COLOR_ERROR)

    def _finish(self, result: Any) -> None:
        if self._heart is not None:
            self._heart.finish(result.task._uuid, result.host.get_name())

    def _failed(self, result: Any) -> None:
        role = top_role(result.task)
        name = self._names.get(result.task._uuid) or title(result.task.get_name())
        failure = (role.get_name() if role else "", name, said(answer_of(result)))
        host = self._record.hosts.setdefault(result.host.get_name(), Host())
        host.failure, host.paused = failure, pauses(result.task)

    # --- at the end --------------------------------------------------------------------------------------------

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Stop the thread and give the summary."""
        if self._heart is not None:
            self._heart.stop()
        if self._next is None:
            return
        self._settle(stats)
        seconds = time.monotonic() - self._began
        lines = Summary(
            dict(in_order(self._record.hosts, self._order)),
            seconds,
            bool(context.CLIARGS.get("check")),
            [*self._next, *map(Advice, dict.fromkeys(map(str, stats.custom.get("_run", {}).get("progress_next", []))))],
            {role: description(path) for role, path in self._record.paths.items()},
            max(WIDTH - 1, min(120, self._display.columns)) if sys.stdout.isatty() else WIDTH,
        ).lines()
        if lines:
            self._display.banner(say("SUMMARY ({})").format(duration(seconds)))
            for line, color in lines:
                self._say(line, color)

    def _settle(self, stats: Any) -> None:
        """Forget failures that were rescued or ignored."""
        for name, host in self._record.hosts.items():
            counts = stats.summarize(name)
            if not counts["failures"] and not counts["unreachable"]:
                host.failure = None


def _first_line(message: Any) -> str:
    return str(message or "").strip().partition("\n")[0]


def pauses(task: Any) -> bool:
    """Tell whether a task fails on purpose, because somebody has to do something: its variable ``progress_pauses``."""
    return bool(task.vars.get("progress_pauses"))


def top_role(task: Any) -> Any:
    """Return the role that the playbook names, also for a task of a role that it includes; None outside of roles."""
    role, node = None, task
    while node is not None:
        role, node = getattr(node, "_role", None) or role, getattr(node, "_parent", None)
    return role


def only_asked(role: Any) -> bool:
    """Tell whether a role is not applied, but only asked what it needs or knows (C(tasks_from))."""
    return role._from_files.get("tasks", "main") != "main"


def description(path: Path) -> str:
    """Return what a role is for, by its meta/main.yml; nothing where that does not say it."""
    try:
        text = (path / "meta" / "main.yml").read_text(encoding="utf-8")
        return say(str(yaml.safe_load(text)["galaxy_info"]["description"]))
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return ""
