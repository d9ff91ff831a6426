"""A simulated PC for tests of Install.ps1, and a distribution for tests of install.sh."""

from __future__ import annotations

import socket

import pytest

from tests.unit.bootstrap.distribution import Distribution
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


@pytest.fixture
def distribution(tmp_path):
    return Distribution(tmp_path)


@pytest.fixture
def copied(distribution):
    distribution.unpack()
    distribution.run("copy", cwd=distribution.zip)
    return distribution


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])
