"""The fault campaign: something goes wrong while the site is set up; a second run must end like an undisturbed one.

``make faults`` runs test_undisturbed.py first: its result says which tasks there are to disturb.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import internet
from lab.settings import ROOT, campaign_lab
from tests.faults.chain import Chain
from tests.faults.matrix import Matrix


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what chooses cases."""
    group = parser.getgroup("faults")
    group.addoption("--only", default="", help="expression for 'side: name of the case'")
    group.addoption("--everything", action="store_true", help="each changing task with each kind, not in turns")
    group.addoption("--apart", action="store_true", help="each case on a machine of its own, which takes longer")


def pytest_configure(config: pytest.Config) -> None:
    """Let the process that gets the reports of all workers write the matrix."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Matrix(ROOT / "reports" / "faults.md"))


@pytest.fixture(scope="session", autouse=True)
def network(worker_id: str) -> Iterator[None]:
    """A lab of this worker's own, named after the one that the campaign was started in."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_ID", campaign_lab(worker_id.removeprefix("gw").replace("master", "0")))
        try:
            internet.up()
            yield
        finally:
            internet.down()


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, Chain]]:
    """The chains that have begun; after a run that was broken off they are stopped here."""
    chains: dict[str, Chain] = {}
    yield chains
    for chain in chains.values():
        chain.stop()
