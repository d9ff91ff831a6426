"""Show what a PC has answered to playbooks/probe.yml beside what the simulated one answers: ``python -m lab probe``."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lab import claims, windows
from lab.settings import ROOT, LabError

PC = "compare-pc"
WIDTH = 60
SAME, FORM, DIFFERS, MISSING = "same", "same but for numbers", "DIFFERS", "not in the report"


def read(path: Path) -> dict[str, Any]:
    """Return the answers of a report by their ids.

    Raises:
        LabError: it is none.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"{path} can not be read: {error}") from error
    if not isinstance(report, dict) or report.get("format") != 1 or not isinstance(report.get("answers"), dict):
        raise LabError(f"{path} is no report of playbooks/probe.yml.")
    return report["answers"]


def verdict(real: Any, simulated: Any) -> str:
    """Tell how two answers compare."""
    if real == simulated:
        return SAME
    codes = [answer.get("rc") if isinstance(answer, dict) else None for answer in (real, simulated)]
    if type(real) is type(simulated) and codes[0] == codes[1] and _form(real) == _form(simulated):
        return FORM
    return DIFFERS


def _form(answer: Any) -> str:
    """Return an answer without its numbers; what is true or false is no number."""
    text = answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
    return re.sub(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)*", "0", text)


def table(real: dict[str, Any], simulated: dict[str, Any], known: list[claims.Claim]) -> list[str]:
    """Return one line for each question: verdict, answers that are not the same, and the claims that they touch."""
    rows, touched = [], []
    for name in sorted(simulated):
        how = verdict(real[name], simulated[name]) if name in real else MISSING
        rows.append((how, name, how in (FORM, DIFFERS)))
        if how in (DIFFERS, MISSING):
            touched += [(name, how, claim) for claim in known if name in claim.probe]
    order = [DIFFERS, MISSING, FORM, SAME]
    lines = [f"{'answer':<22}{'question':<34}"]
    for how, name, shown in sorted(rows, key=lambda row: (order.index(row[0]), row[1])):
        lines.append(f"{how:<22}{name}")
        if shown:
            lines += [f"    this PC   {line}" for line in _lines(real[name])]
            lines += [f"    the lab   {line}" for line in _lines(simulated[name])]
    counts = ", ".join(f"{sum(row[0] == how for row in rows)} {how}" for how in order)
    lines += ["", f"{len(rows)} questions: {counts}."]
    for name, how, claim in touched:
        lines.append(
            f"{name} ({how}) is how this claim can be checked: {claim.id} ({claim.confidence}): {claim.statement}"
        )
    return lines


def _lines(answer: Any) -> list[str]:
    if isinstance(answer, dict):
        return [f"{key}: {line}" for key, value in answer.items() for line in str(value).splitlines() if line]
    return [json.dumps(answer, ensure_ascii=False)]


def simulated_answers(machine: str) -> dict[str, Any]:
    """Run the probe on a simulated PC."""
    windows.down(PC)
    windows.up(PC, machine)
    try:
        with tempfile.TemporaryDirectory() as folder:
            inventory, report = Path(folder) / "hosts.json", Path(folder) / "report.json"
            groups = {name: {"hosts": {PC: None}} for name in ("lab", "lab_windows", "windows")}
            inventory.write_text(json.dumps({"all": {"children": groups}}), encoding="utf-8")
            argv = [
                "ansible-playbook",
                "-i",
                "inventory/lab",
                "-i",
                str(inventory),
                "--limit",
                PC,
                "playbooks/probe.yml",
            ]
            done = subprocess.run(
                [str(Path(sys.executable).parent / argv[0]), *argv[1:], "-e", f"probe_report={report}"],
                cwd=ROOT,
                env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise LabError(f"the probe fails on the simulated PC:\n{done.stdout}{done.stderr}")
            return read(report)
    finally:
        windows.down(PC)


def compare(report: Path, machine: str) -> None:
    """Print a report beside the answers of a simulated PC.

    Raises:
        LabError: the report can not be read.
    """
    real = read(report)
    known = claims.read(claims.DATA.read_text(encoding="utf-8"))
    print("\n".join(table(real, simulated_answers(machine), known)))
