"""bootstrap/Install.ps1 is killed after each step and started again; it ends as if nobody had disturbed it."""

from __future__ import annotations

import pytest

from tests.unit.bootstrap.install_pc import PWSH

pytestmark = pytest.mark.skipif(not PWSH, reason="needs PowerShell 7: pwsh on the PATH, or its path in PWSH")
CHANGES = ("/enable-feature", "--output", "/i", "/create", "/r", "advfirewall", "--install", "--shutdown")


@pytest.mark.campaign
def test_it_is_killed_after_each_step_and_goes_on(make_pc):
    quiet = make_pc()
    quiet.finish()
    expected = quiet.state()
    pc, seen = make_pc(), []

    def kill(argv):
        """Answer once with yes for all that changes something: programs, notes of what is ours, words of install.sh."""
        changes = set(CHANGES) & set(argv) or (argv[1] == "add" and "install" not in argv[2]) or "/bin/sh" in argv
        if not changes or argv in seen:
            return False
        seen.append(argv)
        return True

    pc.kill = kill
    code, said = pc.start(Yes=True)
    while code == -9:
        waits = pc.machine.pending_shutdown or len(pc.machine.boots) > 1
        code, said = pc.restart_and_sign_in() if waits and pc.state()["tasks"] else pc.start(Yes=True)
    if not pc.inside.calls:
        code, said = pc.restart_and_sign_in()
    assert code == 0, said
    assert len(seen) == 18
    state = pc.state()
    for one in (state, expected):
        assert one["machine"]["install"].pop("done")
    assert state == expected
