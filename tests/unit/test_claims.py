"""What the lab claims about the real world is complete, tested, and told to people."""

import ast
from functools import cache
from pathlib import Path

import pytest

from lab import claims

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = claims.read(claims.DATA.read_text(encoding="utf-8"))


@cache
def functions(path: str) -> set[str]:
    """Return the names of the test functions of a file; none where there is no such file."""
    if not (ROOT / path).is_file():
        return set()
    nodes = ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8")))
    return {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_each_claim_has_an_id_of_its_own():
    ids = [claim.id for claim in CLAIMS]
    assert sorted(ids) == sorted(set(ids))


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_a_claim_is_complete_and_each_of_its_tests_exists(claim):
    assert claim.id.replace("-", "").isalnum() and claim.id == claim.id.lower()
    assert claim.statement.endswith(".")
    assert claim.source
    assert claim.confidence in ("proved", "reported", "assumed")
    assert claim.tests
    paths = [name.partition("::") for name in claim.tests]
    assert [f"{path}::{name}" for path, _, name in paths if name not in functions(path)] == []


def test_the_page_lists_the_assumed_ones_first():
    rows = [
        claims.Claim("wsl", "a", "It is | so.", "somewhere", "proved", []),
        claims.Claim("apt", "b", "Perhaps.", "nowhere", "assumed", []),
    ]
    lines = claims.page(rows).splitlines()
    assert lines.index("| apt | Perhaps. | nowhere |") < lines.index("| wsl | It is \\| so. | somewhere |")
    assert "The lab takes 2 statements about real machines for true: 1 were read in the" in lines


def test_a_claim_with_another_field_is_refused():
    with pytest.raises(TypeError):
        claims.read("wsl: [{id: a, says: b}]")


def test_the_page_for_people_is_made_of_the_claims():
    told = claims.PAGE.read_text(encoding="utf-8")
    assert told == claims.page(CLAIMS), "docs/trust.md is not what lab/claims.yml says: run python -m lab claims"
