"""What holds for all unit tests."""

from __future__ import annotations

import os
import shutil

import pytest


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
