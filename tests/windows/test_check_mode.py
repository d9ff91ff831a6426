"""--check --diff on a bare and on a finished PC: it ends well and changes nothing."""

from __future__ import annotations

import pytest

from lab.compare import differences


@pytest.mark.parametrize("machine", ["windows11-zh-cn", "already-done"])
def test_check_mode_ends_well_and_changes_nothing(new_pc, machine):
    pc = new_pc(machine)
    before = pc.state()
    run = pc.play("--check", "--diff")
    assert run.code == 0, run.output[-4000:]
    assert differences(pc.state(), before) == []
    assert pc.events("request", "boot") == []
