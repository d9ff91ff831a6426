"""Cases, one after the other or side by side, and the matrix of what came out."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml

from lab import internet
from lab.faults.machines import FOLDER, Machine, Outcome
from lab.settings import ROOT, LabError, campaign_lab

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
    do: list[dict[str, Any]] = field(default_factory=list)
    recover: list[dict[str, Any]] = field(default_factory=list)
    cause: str = ""
    remedy: str = ""
    names: list[str] = field(default_factory=list)
    tags: str = ""
    fetched: list[str] = field(default_factory=list)
    survives: bool = False
    kind: str = ""

    def injection(self, machine: Machine) -> dict[str, Any] | None:
        """Return what the callback does at the start of a task, None where nothing is to happen there."""
        if self.kind == "killed":
            return {"task": self.at, "kill": 0.5}
        if self.kind == "lost":
            fault = {"kind": "cut", "command": 1, "phase": "running", "refuse_seconds": 3}
        elif self.kind == "restarted":
            fault = {"kind": "reboot", "command": 1, "phase": "running"}
        elif self.at:
            return {"task": self.at, "argv": machine.injecting(self.do)}
        else:
            return None
        return {"task": self.at, "argv": machine.injecting([{"winsim": fault}])}


@dataclass
class Result:
    """What came out of one case."""

    case: str
    side: str
    first: str
    error: str
    second: str
    differences: list[str]
    faults: list[str]
    seconds: float


def written() -> list[Case]:
    """Return the cases of cases.yml.

    :raises LabError: an entry has a key or a side that there is not.
    """
    cases = []
    for entry in yaml.safe_load(CASES.read_text(encoding="utf-8"))["cases"]:
        try:
            case = Case(**entry)
        except TypeError as error:
            raise LabError(f"{CASES.name}: {entry.get('name')}: {error}") from error
        if case.side not in SIDES:
            raise LabError(f"{CASES.name}: {case.name}: side {case.side!r}; there are {', '.join(SIDES)}")
        case.cause, case.remedy = str(case.cause), str(case.remedy)
        cases.append(case)
    return cases


def made(references: dict[str, dict[str, Any]], everything: bool) -> list[Case]:
    """Return a case for each task that changed something; with ``everything`` one of each kind."""
    kinds = yaml.safe_load(CASES.read_text(encoding="utf-8"))["every"]
    cases = []
    for side, reference in references.items():
        for number, task in enumerate(reference["changed"]):
            for kind in kinds if everything else [kinds[number % len(kinds)]]:
                cause = "" if kind == "killed" else CONNECTION
                cases.append(Case(f"{KINDS[kind]} “{task}”", side, at=task, kind=kind, cause=cause, remedy="run again"))
    return cases


def chain(cases: list[Case], reference: dict[str, Any], name: str) -> list[Result | None]:
    """Run cases one after the other on one machine, finish it without a fault, compare it with an undisturbed one.

    :return: a result for each case; None for one that met nothing on this machine any more, since an earlier case of
        the chain had already got beyond the place. Such a case needs a machine of its own.
    """
    machine = Machine(name, cases[0].side)
    machine.start()
    results: list[Result | None] = []
    try:
        since = time.time()
        for case in cases:
            begun = time.monotonic()
            first = disturbed(case, machine)
            if results and not met(case, first):
                results.append(None)
                continue
            line = next((text for text in first.error.splitlines() if text.strip()), "")
            result = Result(case.name, case.side, _word(first.code), line, "?", [], faults(case, first, line), 0)
            result.seconds = round(time.monotonic() - begun)
            results.append(result)
        second = machine.play()
        wanted, found = set(reference["state"]), set(machine.state())
        differences = [f"- {line}" for line in sorted(wanted - found)] + [
            f"+ {line}" for line in sorted(found - wanted)
        ]
        known = tampered()
        untampered = [url for url in machine.fetched(since) if not any(fnmatch(url, one) for one in known)]
    finally:
        internet.fault("none")
        machine.stop()
    for result in filter(None, results):
        result.second, result.differences = _word(second.code), differences
        if second.code != 0:
            result.faults.append(f"the run without a fault said: {second.error[:600]}")
        if differences:
            result.faults.append(f"{len(differences)} differences from an undisturbed machine: {differences[:6]}")
        if any(case.fetched for case in cases) and untampered:
            result.faults.append(f"fetched, but changed by no case: {untampered}")
    return results


def disturbed(case: Case, machine: Machine) -> Outcome:
    """Run the playbook with the fault of a case, and recover the fault."""
    if not case.at:
        for action in case.do:
            machine.act(action)
    outcome = machine.play(case.injection(machine), case.tags)
    for action in case.recover:
        machine.act(action)
    machine.act({"winsim": {"kind": "clear"}})
    internet.fault("none")
    machine.settle()
    return outcome


def met(case: Case, first: Outcome) -> bool:
    """Tell whether the fault of a case had anything to disturb."""
    return first.injected if case.at else first.code != 0 or case.survives


def tampered() -> list[str]:
    """Return the patterns of all addresses whose files a case changes, or of which cases.yml says why none has to."""
    harmless = yaml.safe_load(CASES.read_text(encoding="utf-8"))["no file"]
    return [*harmless, *(pattern for case in written() for pattern in case.fetched)]


def _word(code: int | None) -> str:
    return {None: "hangs", 0: "ok"}.get(code, "killed" if code is not None and code < 0 else f"error {code}")


def faults(case: Case, first: Outcome, line: str) -> list[str]:
    """Return what the disturbed run shows that should not be, empty when all is well."""
    found = []
    said = first.error[:900] or f"no message; the end of its output: {first.output[-1500:]}"
    if first.code is None:
        found.append("the run hangs")
    if case.at and not first.injected:
        found.append("the task was not reached")
    if case.survives and first.code != 0:
        found.append(f"the run should have ended well: {said}")
    if not case.survives and first.code == 0 and case.kind == "":
        found.append("the run should have failed")
    if case.kind != "killed" and first.code not in (0, None):
        if not re.search(case.cause, line):
            found.append(f"the first line of the error does not name the cause ({case.cause}): {said}")
        if not re.search(case.remedy, first.error):
            found.append(f"the error does not name the remedy ({case.remedy}): {said}")
        if missing := [name for name in case.names if name not in first.error]:
            found.append(f"the error does not name {missing}: {said}")
    return found


def reference(side: str, thorough: bool) -> dict[str, Any]:
    """Set up an undisturbed machine; return which tasks changed something and what it is made of.

    :raises LabError: the undisturbed run failed, or, with ``thorough``, a second one changed something.
    """
    machine = Machine(f"faults-{side}", side)
    machine.start()
    try:
        first = machine.play()
        second = machine.play() if thorough else Outcome(0, [], "")
        if first.code or second.code or second.changed():
            raise LabError(f"The undisturbed run of the {side} side is not in order:\n{first.output}\n{second.output}")
        return {"changed": first.changed(), "state": machine.state()}
    finally:
        machine.stop()


def in_lab(number: int, *words: str) -> str:
    """Run ``python -m lab campaign …`` in a lab of its own, named after this one, and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", "campaign", *words],
        cwd=ROOT,
        env={**os.environ, "LAB_ID": campaign_lab(number)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LabError(f"{words[0]}: {done.stdout[-3000:]}{done.stderr[-6000:]}")
    return done.stdout


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


def campaign(pattern: str, jobs: int, everything: bool, apart: bool, report: Path) -> list[Result]:
    """Run the cases whose name matches the pattern, ``jobs`` chains side by side, and write the matrix."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    begun = time.monotonic()
    try:
        for number in range(jobs):
            in_lab(number, "network", "up")
        sides = _sides(pattern)
        with ThreadPoolExecutor(jobs) as pool:
            extent = "some" if pattern else "all"
            known = pool.map(lambda job: in_lab(job[0] % jobs, "reference", job[1], extent), enumerate(sides))
            references = {side: json.loads(text.splitlines()[-1]) for side, text in zip(sides, known, strict=True)}
        (FOLDER / "references.json").write_text(json.dumps(references), encoding="utf-8")
        cases = [case for case in made(references, everything) + written() if re.search(pattern, _title(case))]
        todo = deque(enumerate(chains(cases, apart)))
        numbers = itertools.count(len(todo))
        lock = threading.Lock()

        def work(job: int) -> None:
            while True:
                with lock:
                    if not todo:
                        return
                    index, row = todo.popleft()
                try:
                    text = in_lab(job, "chain", f"faults-{index}", json.dumps([asdict(case) for case in row]))
                    answers = [one and Result(**one) for one in json.loads(text.splitlines()[-1])]
                except (LabError, ValueError) as error:
                    why = f"the campaign itself failed: {error}"
                    answers = [Result(case.name, case.side, "?", "", "?", [], [why], 0) for case in row]
                with lock:
                    todo.extend((next(numbers), [case]) for case, one in zip(row, answers, strict=True) if one is None)
                    for one in filter(None, answers):
                        results.append(one)
                        print(f"{'FAULT' if one.faults else 'ok   '} {len(results):3}/{len(cases)} ", end="")
                        print(f"{one.side:7} {one.case} ({one.seconds} s)", *one.faults, sep="\n        ", flush=True)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for number in range(jobs):
            in_lab(number, "network", "down")
    results.sort(key=lambda result: (result.side, result.case))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(matrix(results, time.monotonic() - begun), encoding="utf-8")
    report.with_suffix(".json").write_text(
        json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8"
    )
    return results


def _title(case: Case) -> str:
    return f"{case.side}: {case.name}"


def _sides(pattern: str) -> list[str]:
    """Return the sides that a pattern names, all where it names none."""
    return [side for side in SIDES if f"{side}:" in pattern] or list(SIDES)


def matrix(results: list[Result], seconds: float) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| side | case | disturbed run | first line of its error | run without the fault | different |",
        "|---|---|---|---|---|---|",
    ]
    for one in results:
        name, error = one.case.replace("|", "\\|"), one.error.replace("|", "\\|")
        error = error if len(error) < 160 else f"{error[:157]}…"
        different = len(one.differences) or "no"
        lines.append(f"| {one.side} | {name} | {one.first} | {error} | {one.second} | {different} |")
    bad = sum(bool(one.faults) for one in results)
    total = f"{len(results)} cases in {seconds / 60:.0f} min, {len(results) - bad} as they should be, {bad} not."
    return "\n".join([*lines, "", total, ""])
