"""Each case: the disturbed run names cause and remedy, and the next run ends like an undisturbed one."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.faults.cases import SIDES, Case, chains, made, written
from tests.faults.chain import Chain
from tests.faults.machines import reference


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each case; those of a chain stay on one worker."""
    only, apart, everything = (metafunc.config.getoption(name) for name in ("only", "apart", "everything"))
    cases = []
    for side in SIDES:
        if reference(side).exists():
            cases += made(side, json.loads(reference(side).read_text(encoding="utf-8"))["changed"], everything)
    cases = [case for case in cases + written() if re.search(only, case.title)]
    rows = [(f"faults-{number}", row) for number, row in enumerate(chains(cases, apart))]
    metafunc.parametrize(
        ("row", "case"),
        [
            pytest.param((name, row), case, id=case.title, marks=pytest.mark.xdist_group(name))
            for name, row in rows
            for case in row
        ],
    )


@pytest.fixture
def chain(request: pytest.FixtureRequest, row: tuple[str, list[Case]], running: dict[str, Chain]) -> Iterator[Chain]:
    """The machine of a case; the last case that is run on it ends with a run without a fault and the comparison."""
    name, cases = row
    request.node.user_properties.append(("chain", name))
    if name not in running:
        running[name] = Chain(name, cases)
    yield running[name]
    if request.node is [item for item in request.session.items if item.callspec.params["row"] == row][-1]:
        complain(finish(running.pop(name), request.node))


def finish(chain: Chain, item: pytest.Item) -> list[str]:
    """Run without a fault, compare, write it into the test's report, remove the machine; return what should not be."""
    try:
        second, differences, faults = chain.finish()
    finally:
        chain.stop()
    item.user_properties.append(("end", [chain.name, second.word, len(differences), bool(faults)]))
    return faults and [*faults, f"the cases on this machine: {', '.join(case.name for case in chain.cases)}"]


def complain(faults: list[str]) -> None:
    """Fail with the whole text, which is what somebody reads."""
    if faults:
        pytest.fail("\n".join(faults), pytrace=False)


def test_the_site(case, chain, request):
    first, ends = chain.disturbed(case), []
    if first is None:
        alone = Chain(f"{chain.name}-alone", [case])
        request.node.user_properties.append(("chain", alone.name))
        first = alone.disturbed(case)
        ends = finish(alone, request.node)
    request.node.user_properties += [("first", first.word), ("error", first.first_line)]
    complain(case.faults(first) + ends)
