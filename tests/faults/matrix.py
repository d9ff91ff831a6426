"""The matrix of what came out, in reports/faults.md."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest


class Matrix:
    """Collects what the tests recorded, in the process that all reports come to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = time.monotonic()
        self.rows: dict[str, dict[str, Any]] = {}
        self.ends: dict[str, list[Any]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of a test; what its machine was in the end stands in the report of the last case on it."""
        title = re.search(r"::test_the_site\[(\w+: .*)\]", report.nodeid)
        if not title:
            return
        row = self.rows.setdefault(title[1], {"bad": False})
        row["bad"] |= report.failed and report.when != "teardown"
        for name, value in report.user_properties:
            if name == "end":
                self.ends[value[0]] = value[1:]
            else:
                row[name] = value

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        if self.rows:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(matrix(self.rows, self.ends, time.monotonic() - self.begun), encoding="utf-8")


def matrix(rows: dict[str, dict[str, Any]], ends: dict[str, list[Any]], seconds: float) -> str:
    """Return the results as a Markdown table.

    :param rows: for each case ``chain``, ``first`` (how the disturbed run ended), ``error``, and whether it is ``bad``.
    :param ends: for each chain how the run without a fault ended, the number of differences, and whether that is bad.
    """
    lines = [
        "| side | case | disturbed run | first line of its error | run without the fault | different |",
        "|---|---|---|---|---|---|",
    ]
    bad = 0
    for title, row in sorted(rows.items()):
        second, different, at_the_end = ends.get(row.get("chain"), ("?", "?", True))
        bad += row["bad"] or at_the_end
        side, _, name = title.replace("|", "\\|").partition(": ")
        error = row.get("error", "").replace("|", "\\|")
        error = error if len(error) < 160 else f"{error[:157]}…"
        lines.append(f"| {side} | {name} | {row.get('first', '?')} | {error} | {second} | {different or 'no'} |")
    total = f"{len(rows)} cases in {seconds / 60:.0f} min, {len(rows) - bad} as they should be, {bad} not."
    return "\n".join([*lines, "", total, ""])
