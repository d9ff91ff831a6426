"""What holds for all unit tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

APT = Path("/etc/apt")


def apt_files() -> dict[str, int]:
    """Return the files of this machine's own apt, with the time of their last change in nanoseconds."""
    return {str(path): path.lstat().st_mtime_ns for path in APT.rglob("*") if not path.is_dir()}


@pytest.fixture(scope="module", autouse=True)
def apt_of_this_machine() -> Iterator[None]:
    """Fail where a test has written to this machine's apt: an apt of its own is made by apt_root."""
    before = apt_files()
    yield
    assert apt_files() == before


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what was not tested because there is no PowerShell."""
    if os.environ.get("PWSH") or shutil.which("pwsh"):
        return
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "PowerShell" in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(
            f"No PowerShell here (pwsh on the PATH, or PWSH=...), so {len(skipped)} tests of its scripts and of "
            "wsl_interop with a real one were left out."
        )
