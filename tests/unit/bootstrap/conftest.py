"""A simulated PC for tests of Install.ps1."""

from __future__ import annotations

import pytest

from tests.unit.bootstrap.install_pc import InstallPc


@pytest.fixture
def make_pc(tmp_path):
    """Return a function that makes a PC by the name of its description, with changes."""
    made = []

    def make(machine="windows11-zh-cn", **changes):
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(InstallPc(folder, machine, **changes))
        return made[-1]

    yield make
    for pc in made:
        pc.close()
