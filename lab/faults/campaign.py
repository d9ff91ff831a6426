"""Cases, one after the other or side by side, and the matrix of what came out."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lab import internet
from lab.faults.machines import FOLDER, Machine
from lab.settings import ROOT, LabError

CASES = Path(__file__).with_name("cases.yml")
HALVES = ("windows", "wsl")
STRIKES = {
    "lost": "the connection is lost during",
    "killed": "the control node is killed during",
    "restarted": "Windows restarts by itself during",
}
CONNECTION = r"(?i)connect|reach|closed|abort|refused|reset|timed out|remote end"


@dataclass
class Case:
    """One thing that goes wrong; the fields are those of cases.yml, ``kind`` is one of STRIKES."""

    name: str
    half: str
    at: str = ""
    do: list[dict[str, Any]] = field(default_factory=list)
    mend: list[dict[str, Any]] = field(default_factory=list)
    cause: str = ""
    remedy: str = ""
    survives: bool = False
    kind: str = ""

    def strike(self, machine: Machine) -> dict[str, Any] | None:
        """Return what the callback does at the start of a task, None where nothing is to happen there."""
        if self.kind == "killed":
            return {"task": self.at, "kill": 0.5}
        if self.kind == "lost":
            fault = {"kind": "cut", "command": 1, "phase": "running", "refuse_seconds": 3}
        elif self.kind == "restarted":
            fault = {"kind": "reboot", "command": 1, "phase": "running"}
        elif self.at:
            return {"task": self.at, "argv": machine.striking(self.do)}
        else:
            return None
        return {"task": self.at, "argv": machine.striking([{"winsim": fault}])}


@dataclass
class Result:
    """What came out of one case."""

    case: str
    half: str
    first: str
    error: str
    second: str
    differences: list[str]
    faults: list[str]
    seconds: float


def written() -> list[Case]:
    """Return the cases of cases.yml.

    :raises LabError: an entry has a key or a half that there is not.
    """
    cases = []
    for entry in yaml.safe_load(CASES.read_text(encoding="utf-8"))["cases"]:
        try:
            case = Case(**entry)
        except TypeError as error:
            raise LabError(f"{CASES.name}: {entry.get('name')}: {error}") from error
        if case.half not in HALVES:
            raise LabError(f"{CASES.name}: {case.name}: half {case.half!r}; there are {', '.join(HALVES)}")
        case.cause, case.remedy = str(case.cause), str(case.remedy)
        cases.append(case)
    return cases


def made(references: dict[str, dict[str, Any]], everything: bool) -> list[Case]:
    """Return a case for each task that changed something; with ``everything`` one of each kind."""
    kinds = yaml.safe_load(CASES.read_text(encoding="utf-8"))["every"]
    cases = []
    for half, reference in references.items():
        for number, task in enumerate(reference["changed"]):
            for kind in kinds if everything else [kinds[number % len(kinds)]]:
                cause = "" if kind == "killed" else CONNECTION
                cases.append(Case(f"{STRIKES[kind]} “{task}”", half, at=task, kind=kind, cause=cause))
    return cases


def run(case: Case, reference: dict[str, Any], name: str) -> Result:
    """Run one case on a machine of its own."""
    begun = time.monotonic()
    machine = Machine(name, case.half)
    machine.start()
    try:
        if not case.at:
            for action in case.do:
                machine.act(action)
        first = machine.play(case.strike(machine))
        for action in case.mend:
            machine.act(action)
        internet.fault("none")
        second = machine.play()
        wanted, found = set(reference["state"]), set(machine.state())
        differences = [f"- {line}" for line in sorted(wanted - found)] + [
            f"+ {line}" for line in sorted(found - wanted)
        ]
    finally:
        internet.fault("none")
        machine.stop()
    line = next((text for text in first.error.splitlines() if text.strip()), "")
    result = Result(
        case.name,
        case.half,
        _word(first.code),
        line,
        _word(second.code),
        differences,
        [],
        round(time.monotonic() - begun),
    )
    result.faults = _faults(case, first.code, first.error, line, second.code, differences)
    if second.code != 0:
        result.faults.append(f"the second run said: {second.error[:600]}")
    return result


def _word(code: int | None) -> str:
    return {None: "hangs", 0: "ok"}.get(code, "killed" if code is not None and code < 0 else f"error {code}")


def _faults(
    case: Case, first: int | None, error: str, line: str, second: int | None, differences: list[str]
) -> list[str]:
    """Return what a case shows that should not be, empty when all is well."""
    found = []
    if first is None or second is None:
        found.append("a run hangs")
    if case.survives and first != 0:
        found.append("the first run should have ended well")
    if not case.survives and first == 0 and case.kind == "":
        found.append("the first run should have failed")
    if case.kind != "killed" and first not in (0, None):
        if not re.search(case.cause, line):
            found.append(f"the first line of the error does not name the cause ({case.cause})")
        if not re.search(case.remedy, error):
            found.append(f"the error does not name the remedy ({case.remedy})")
    if second != 0:
        found.append("the second run failed")
    if differences:
        found.append(f"{len(differences)} differences from an undisturbed machine")
    return found


def reference(half: str) -> dict[str, Any]:
    """Set up an undisturbed machine; return which tasks changed something and what it is made of.

    :raises LabError: the undisturbed run failed, or a second one changed something.
    """
    machine = Machine(f"faults-{half}", half)
    machine.start()
    try:
        first = machine.play()
        second = machine.play()
        if first.code or second.code or second.changed():
            raise LabError(f"The undisturbed run of the {half} half is not in order:\n{first.output}\n{second.output}")
        return {"changed": first.changed(), "state": machine.state()}
    finally:
        machine.stop()


def in_lab(number: int, *words: str) -> str:
    """Run ``python -m lab.faults …`` in a lab of its own and return its output."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.faults", *words],
        cwd=ROOT,
        env={**os.environ, "LAB_ID": f"faults{number}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise LabError(f"{' '.join(words)}: {done.stdout[-3000:]}{done.stderr[-6000:]}")
    return done.stdout


def campaign(pattern: str, jobs: int, everything: bool, report: Path) -> list[Result]:
    """Run the cases whose name matches the pattern, ``jobs`` side by side, and write the matrix."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    try:
        for number in range(jobs):
            in_lab(number, "network", "up")
        references = {half: json.loads(in_lab(0, "reference", half).splitlines()[-1]) for half in _halves(pattern)}
        (FOLDER / "references.json").write_text(json.dumps(references), encoding="utf-8")
        cases = [case for case in made(references, everything) + written() if re.search(pattern, _title(case))]
        waiting: queue.SimpleQueue[tuple[int, Case]] = queue.SimpleQueue()
        for job in enumerate(sorted(cases, key=lambda case: case.half != "wsl")):  # the long ones first
            waiting.put(job)
        lock = threading.Lock()

        def work(number: int) -> None:
            while True:
                try:
                    index, case = waiting.get_nowait()
                except queue.Empty:
                    return
                try:
                    text = in_lab(number, "one", f"faults-{index}", json.dumps(asdict(case)))
                    result = Result(**json.loads(text.splitlines()[-1]))
                except (LabError, ValueError) as error:
                    result = Result(case.name, case.half, "?", "", "?", [], [f"the campaign itself failed: {error}"], 0)
                with lock:
                    results.append(result)
                    mark = "FAULT" if result.faults else "ok   "
                    print(
                        f"{mark} {len(results):3}/{len(cases)} {result.half:7} {result.case} ({result.seconds:.0f} s)",
                        flush=True,
                    )
                    for fault in result.faults:
                        print(f"        {fault}", flush=True)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for number in range(jobs):
            in_lab(number, "network", "down")
    results.sort(key=lambda result: (result.half, result.case))
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(matrix(results), encoding="utf-8")
    report.with_suffix(".json").write_text(
        json.dumps([asdict(result) for result in results], indent=1), encoding="utf-8"
    )
    return results


def _title(case: Case) -> str:
    return f"{case.half}: {case.name}"


def _halves(pattern: str) -> list[str]:
    """Return the halves that a pattern can mean: all, unless it begins with the name of one."""
    return [half for half in HALVES if pattern.startswith(f"{half}:")] or list(HALVES)


def matrix(results: list[Result]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| half | case | first run | first line of its error | second run | different |",
        "|---|---|---|---|---|---|",
    ]
    for one in results:
        error = one.error.replace("|", "\\|")
        error = error if len(error) < 160 else f"{error[:157]}…"
        different = len(one.differences) or "no"
        lines.append(f"| {one.half} | {one.case} | {one.first} | {error} | {one.second} | {different} |")
    bad = sum(bool(one.faults) for one in results)
    return "\n".join([*lines, "", f"{len(results)} cases, {len(results) - bad} as they should be, {bad} not.", ""])
