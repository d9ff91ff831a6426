"""pywinrm's own integration tests, as they ship in its wheel, against the simulator."""

from __future__ import annotations

import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from simulator_process import PASSWORD, Simulator

PASSED = [
    "test_get_command_output",
    "test_open_shell_and_close_shell",
    "test_run_command_with_arguments_and_cleanup_command",
    "test_run_command_with_env",
    "test_run_command_without_arguments_and_cleanup_command",
]
# These need PowerShell, of which winsim knows only what the product sends.
NOT_SUPPORTED = ["test_run_command_taking_more_than_operation_timeout_sec", "test_unicode_roundtrip"]
# These raise NotImplementedError in pywinrm itself.
NOT_WRITTEN = ["test_run_cmd", "test_set_locale", "test_set_max_env_size", "test_set_timeout"]


@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
def test_pywinrm_integration_tests_pass_but_those_that_need_powershell(
    simulator: Simulator, tmp_path: Path, transport: str
) -> None:
    report = tmp_path / "report.xml"
    environment = {
        **os.environ,
        "WINRM_ENDPOINT": f"http://127.0.0.1:{simulator.client.info['http_port']}/wsman",
        "WINRM_TRANSPORT": transport,
        "WINRM_USERNAME": "student",
        "WINRM_PASSWORD": PASSWORD,
    }
    modules = ["winrm.tests.test_integration_protocol", "winrm.tests.test_integration_session"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", "--pyargs", *modules],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    cases = ET.parse(report).getroot().findall(".//testcase")
    assert sorted(case.get("name") for case in cases if not list(case)) == PASSED, done.stdout
    assert sorted(case.get("name") for case in cases if case.find("skipped") is not None) == NOT_WRITTEN
    assert sorted(case.get("name") for case in cases if case.find("failure") is not None) == NOT_SUPPORTED
    assert len(cases) == 11
