"""What goes wrong, what the run must say about it, and which cases follow each other on one machine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.faults.machines import Machine, Outcome

CASES = Path(__file__).with_name("cases.yml")
SIDES = ("windows", "wsl")
KINDS = {
    "lost": "the connection is lost during",
    "killed": "the control node is killed during",
    "restarted": "Windows restarts by itself during",
}
CHAIN = 12
"""At most so many cases follow each other on one machine."""
CONNECTION = "The connection to Windows broke off|Nothing answers at the address of the PC"


@dataclass
class Case:
    """One thing that goes wrong; the fields are those of cases.yml, ``kind`` is one of KINDS."""

    name: str
    side: str
    at: str = ""
    start: int = 1
    do: list[dict[str, Any]] = field(default_factory=list)
    recover: list[dict[str, Any]] = field(default_factory=list)
    cause: str = ""
    remedy: str = ""
    names: list[str] = field(default_factory=list)
    tags: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    fetched: list[str] = field(default_factory=list)
    survives: bool = False
    kind: str = ""

    @property
    def title(self) -> str:
        """The side and the name: the test's id, and what ``--only`` looks at."""
        return f"{self.side}: {self.name}"

    def injection(self, machine: Machine) -> dict[str, Any] | None:
        """Return what the callback does at the start of a task, None where nothing is to happen there."""
        here = {"task": self.at, "start": self.start}
        if self.kind == "killed":
            return here | {"kill": 0.5}
        if self.kind == "lost":
            fault = {"kind": "cut", "command": 1, "phase": "running", "refuse_seconds": 3}
        elif self.kind == "restarted":
            fault = {"kind": "reboot", "command": 1, "phase": "running"}
        elif self.at:
            return here | {"argv": machine.injecting(self.do)}
        else:
            return None
        return here | {"argv": machine.injecting([{"winsim": fault}])}

    def met(self, first: Outcome) -> bool:
        """Tell whether the fault had anything to disturb; what a run survives and names, it names only then."""
        return first.injected if self.at else first.code != 0 or (self.survives and not self.untold(first))

    def untold(self, first: Outcome) -> list[str]:
        """Return which names the output of a run does not have."""
        told = " ".join(first.output.split())
        return [name for name in self.names if name not in told]

    def faults(self, first: Outcome) -> list[str]:
        """Return what the disturbed run shows that should not be, empty when all is well."""
        found = []
        said = first.error[:900] or f"no message; the end of its output: {first.output[-1500:]}"
        if first.code is None:
            found.append("the run hangs")
        if self.at and not first.injected:
            found.append("the task was not reached")
        if self.survives and first.code != 0:
            found.append(f"the run should have ended well: {said}")
        if self.survives and (missing := self.untold(first)):
            found.append(f"the run does not say {missing}")
        if not self.survives and first.code == 0 and self.kind == "":
            found.append("the run should have failed")
        if self.kind != "killed" and first.code not in (0, None):
            if not re.search(self.cause, first.first_line):
                found.append(f"the first line of the error does not name the cause ({self.cause}): {said}")
            if not re.search(self.remedy, first.error):
                found.append(f"the error does not name the remedy ({self.remedy}): {said}")
            if missing := [name for name in self.names if name not in first.error]:
                found.append(f"the error does not name {missing}: {said}")
        return found


def written() -> list[Case]:
    """Return the cases of cases.yml.

    :raises ValueError: an entry has a side that there is not.
    :raises TypeError: an entry has a key that there is not.
    """
    cases = [Case(**entry) for entry in yaml.safe_load(CASES.read_text(encoding="utf-8"))["cases"]]
    for case in cases:
        if case.side not in SIDES:
            raise ValueError(f"{CASES.name}: {case.name}: side {case.side!r}; there are {', '.join(SIDES)}")
        case.cause, case.remedy = str(case.cause), str(case.remedy)
    return cases


def made(side: str, changed: dict[str, int], everything: bool) -> list[Case]:
    """Return a case for each task that changed something at a start of it; with ``everything`` one of each kind."""
    kinds = yaml.safe_load(CASES.read_text(encoding="utf-8"))["every"]
    cases = []
    for number, (task, start) in enumerate(changed.items()):
        for kind in kinds if everything else [kinds[number % len(kinds)]]:
            cause = "" if kind == "killed" else CONNECTION
            title = f'{KINDS[kind]} "{task}"'
            cases.append(Case(title, side, at=task, start=start, kind=kind, cause=cause, remedy="run again"))
    return cases


def tampered() -> list[str]:
    """Return the patterns of all addresses whose files a case changes, or of which cases.yml says why none has to."""
    harmless = yaml.safe_load(CASES.read_text(encoding="utf-8"))["no file"]
    return [*harmless, *(pattern for case in written() for pattern in case.fetched)]


def chains(cases: list[Case], apart: bool) -> list[list[Case]]:
    """Return which cases follow each other on one machine; with ``apart`` each case has one of its own.

    What the run survives comes last, since nothing is left to disturb afterwards.
    """
    if apart:
        return [[case] for case in cases]
    found = []
    for side in SIDES:
        for injected in (False, True):
            row = [case for case in cases if case.side == side and bool(case.kind) == injected]
            tampering = [case for case in row if case.fetched]
            rest = sorted((case for case in row if not case.fetched), key=lambda case: case.survives)
            found += [tampering, *(rest[at : at + CHAIN] for at in range(0, len(rest), CHAIN))]
    return sorted(filter(None, found), key=len, reverse=True)
