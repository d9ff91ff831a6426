"""Simulated PCs for tests that run whole playbooks."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import yaml

from lab import windows
from tests.windows.pc import Run, SimulatedPc


@pytest.fixture(scope="session")
def new_pc(tmp_path_factory) -> Iterator[Callable[..., SimulatedPc]]:
    """Return a function that starts a PC from a description's name, with parts of it changed."""
    names: list[str] = []
    folder = tmp_path_factory.mktemp("pcs")

    def start(machine: str = windows.DEFAULT_MACHINE, **changes: object) -> SimulatedPc:
        name = f"test-{os.getpid()}-{len(names)}-{machine}"
        names.append(name)
        description = yaml.safe_load((windows.MACHINES / f"{machine}.yml").read_text(encoding="utf-8"))
        path = folder / f"{name}.yml"
        path.write_text(yaml.safe_dump(description | changes), encoding="utf-8")
        windows.up(name, str(path))
        inventory = folder / f"{name}-hosts.yml"
        groups = {"lab_windows": {"hosts": {name: None}}, "windows": {"hosts": {name: None}}}
        inventory.write_text(yaml.safe_dump({"all": {"children": groups}}), encoding="utf-8")
        return SimulatedPc(name, inventory)

    yield start
    for name in names:
        windows.down(name)


@pytest.fixture(scope="session")
def finished(new_pc) -> tuple[SimulatedPc, Run, Run]:
    """Return a bare Windows 11 PC in Chinese after two runs, the first with ``-vvv``, and both runs."""
    pc = new_pc()
    return pc, pc.play("-vvv"), pc.play()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests that share a finished PC follow each other, on one worker; they take longest and come first.

    The one that takes everything back is the last of them.
    """
    sharing = [item for item in items if "finished" in getattr(item, "fixturenames", ())]
    for item in sharing:
        item.add_marker(pytest.mark.xdist_group("finished"))
    items.sort(key=lambda item: (item not in sharing, item in sharing and "takes_everything_back" in item.name))
