"""Every script of the product is one that Windows PowerShell 5.1 can run; a real PowerShell parses it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CHECK = Path(__file__).with_name("windows_powershell.ps1")
PWSH = os.environ.get("PWSH") or shutil.which("pwsh")
PRODUCT = [path for folder in ("bootstrap", "playbooks", "plugins", "roles") for path in (ROOT / folder).rglob("*.ps1")]
needs_pwsh = pytest.mark.skipif(not PWSH, reason="needs PowerShell 7: pwsh on the PATH, or its path in PWSH")


def unknown(path: Path) -> list[str]:
    """What of a script Windows PowerShell 5.1 does not have."""
    argv = [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(CHECK), "-Path", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_there_are_scripts():
    assert ROOT / "bootstrap" / "Enable-WinRM.ps1" in PRODUCT


@needs_pwsh
@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: path.name)
def test_a_script_of_the_product_runs_on_windows_powershell(path):
    assert unknown(path) == []


@needs_pwsh
def test_what_windows_powershell_does_not_have_is_found(tmp_path):
    script = tmp_path / "new.ps1"
    script.write_text(
        """$a = $b ? 1 : 2
$a ?? 3
$a ??= 3
Get-Date && Get-Date
Get-Date || Get-Date
${a}?.Length
1..3 | ForEach-Object -Parallel { $_ }
Join-Path a b c
'{}' | ConvertFrom-Json -AsHashtable
if ($IsWindows) { 1 }
Set-Content x -Value y -Encoding utf8NoBOM
Test-Json '{}'
Split-Path -LeafBase x
whoami 2>&1
Get-Date &
"`u{1F600}"
Get-Content x -AsByteStream
Join-Path -Path a -ChildPath b
whoami 2>$null
function Good { $ErrorActionPreference = 'Continue'; whoami 2>$null }
[IO.Path]::GetRelativePath('a', 'b')
[Environment]::ProcessPath
& "$env:SystemRoot\\System32\\reg.exe" add '' 'a"b' good
Get-Date -AsUTC
$PSStyle
$c = '\u00e9'
""",
        encoding="utf-8",
    )
    assert unknown(script) == [
        "1: letters outside of ASCII without a byte order mark, read in the ANSI code page",
        "2: the operator ??",
        "3: the operator ??=",
        "4: the operator &&",
        "5: the operator ||",
        "6: the operator ?.",
        "16: the escape `u{",
        "1: the operator ?:",
        "7: ForEach-Object -Parallel",
        "8: Join-Path with three parts",
        "9: ConvertFrom-Json -AsHashtable",
        "10: $IsWindows",
        "11: -Encoding utf8NoBOM",
        "12: the command Test-Json",
        "13: Split-Path -LeafBase",
        "14: 2>&1, which ends a script under ErrorActionPreference Stop",
        "15: & at the end of a line",
        "17: Get-Content -AsByteStream",
        "19: 2> without ErrorActionPreference Continue in its function, which ends a script",
        "21: [IO.Path]::GetRelativePath()",
        "22: [Environment]::ProcessPath",
        "23: an empty argument, which a program does not get",
        "23: a double quote in an argument, which a program does not get",
        "24: Get-Date -AsUTC",
        "25: $PSStyle",
    ]
