"""The roles' PowerShell scripts, run by a real PowerShell; functions stand in for what only Windows has."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROLES = Path(__file__).resolve().parents[2] / "roles"
PWSH = os.environ.get("PWSH") or shutil.which("pwsh")

RULES = """
function Get-NetFirewallRule([string] $PolicyStore) {
    if ($PolicyStore -ne 'PersistentStore') { throw $PolicyStore }
    'TCP Query User{1}C:\\a [x].exe', 'TCP Query User{2}C:\\a [x].exe', '{3}' | ForEach-Object {
        [pscustomobject] @{ InstanceID = $_; DisplayName = 'clash' }
    }
}
function Set-NetFirewallRule([Parameter(ValueFromPipeline)] $InputObject, [string] $Enabled) {
    process { "$($InputObject.InstanceID) $Enabled" }
}
"""


@pytest.mark.skipif(PWSH is None, reason="no PowerShell here: put pwsh on the PATH, or its path into PWSH")
@pytest.mark.parametrize(
    ("ids", "said"),
    [
        (["TCP Query User{2}C:\\a [x].exe"], ["TCP Query User{2}C:\\a [x].exe False"]),
        (["{3}", "TCP Query User{1}C:\\a [x].exe"], ["TCP Query User{1}C:\\a [x].exe False", "{3} False"]),
        (["{gone}"], []),
    ],
)
def test_rules_are_switched_by_their_ids_and_no_other_of_the_same_name(tmp_path, ids, said):
    listed = ", ".join(f"'{word}'" for word in ids)
    script = ROLES / "windows_proxy" / "files" / "firewall_rules.ps1"
    (tmp_path / "run.ps1").write_text(f"{RULES}\n& '{script}' -Id {listed} -Enabled False\n")
    argv = [PWSH, "-NoProfile", "-NonInteractive", "-File", tmp_path / "run.ps1"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == said
