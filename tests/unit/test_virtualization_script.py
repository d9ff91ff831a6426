"""The PowerShell of wsl_enable, run by a real PowerShell; Windows' cmdlet is a function of the test."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PWSH = os.environ.get("PWSH") or shutil.which("pwsh")
SCRIPT = Path(__file__).resolve().parents[2] / "roles" / "wsl_enable" / "files" / "virtualization.ps1"
STUB = """
function Get-CimInstance {{
    param([string]$ClassName, [string[]]$Property, [uint32]$OperationTimeoutSec)
    if ($OperationTimeoutSec -lt 1) {{ throw 'no time limit' }}
    switch ($ClassName) {{
        Win32_ComputerSystem {{ [pscustomobject]@{{ HypervisorPresent = {hypervisor} }} }}
        Win32_Processor {{
            foreach ($value in {processors}) {{ [pscustomobject]@{{ VirtualizationFirmwareEnabled = $value }} }}
        }}
    }}
}}
"""


def run(stub: str) -> subprocess.CompletedProcess:
    argv = [PWSH, "-NoProfile", "-NonInteractive", "-Command", stub + SCRIPT.read_text()]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.skipif(not PWSH, reason="no PowerShell here; set PWSH to one")
@pytest.mark.parametrize(
    ("hypervisor", "processors", "answer"),
    [
        ("$false", "@($false)", {"hypervisor_missing": True, "firmware_off": True}),
        ("$false", "@($false, $false)", {"hypervisor_missing": True, "firmware_off": True}),
        ("$false", "@($false, $true)", {"hypervisor_missing": True, "firmware_off": False}),
        ("$true", "@($false)", {"hypervisor_missing": False, "firmware_off": True}),
        ("$null", "@(1)", {"hypervisor_missing": False, "firmware_off": False}),
    ],
)
def test_the_answer_is_one_json_document(hypervisor, processors, answer):
    done = run(STUB.format(hypervisor=hypervisor, processors=processors))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == answer
    assert done.stdout.count("\n") == 1


@pytest.mark.skipif(not PWSH, reason="no PowerShell here; set PWSH to one")
def test_a_windows_that_does_not_answer_gives_no_document():
    done = run("function Get-CimInstance { throw 'the time is over' }\n")
    assert done.returncode == 1
    assert done.stdout == ""
