"""What each side is made of when nothing goes wrong, and which of its tasks change something."""

import json

import pytest

from tests.faults.cases import SIDES
from tests.faults.machines import Machine, reference


@pytest.mark.parametrize("side", SIDES)
def test_the_site(side, pytestconfig):
    only = pytestconfig.getoption("only")
    if any(f"{one}:" in only for one in SIDES) and f"{side}:" not in only:
        pytest.skip("no case of this side was asked for")
    machine = Machine(f"faults-{side}", side)
    try:
        machine.start()
        first = machine.play()
        assert first.code == 0, first.output
        if not only:  # all of the campaign
            second = machine.play()
            assert (second.code, second.changed()) == (0, {}), second.output
        known = {"changed": first.changed(), "state": machine.state()}
        reference(side).write_text(json.dumps(known), encoding="utf-8")
    finally:
        machine.stop()
