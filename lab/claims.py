"""What the lab claims about the real world: ``python -m lab claims`` writes docs/trust.md from claims.yml."""

from __future__ import annotations

from typing import NamedTuple

import yaml

from lab.settings import ROOT

DATA = ROOT / "lab" / "claims.yml"
PAGE = ROOT / "docs" / "trust.md"
CONFIDENCE = ("assumed", "reported", "proved")  # what to doubt first comes first


class Claim(NamedTuple):
    """One statement about the real world that the lab takes for true."""

    area: str
    id: str
    statement: str
    source: str
    confidence: str
    tests: list[str]
    probe: list[str] = []  # the questions of playbooks/vars/probe.yml whose answers tell whether it holds


def read(text: str) -> list[Claim]:
    """Return the claims of a file like claims.yml.

    Raises:
        TypeError: a claim lacks a field, or has one that is not known.
    """
    return [Claim(area=area, **fields) for area, claims in yaml.safe_load(text).items() for fields in claims]


def page(claims: list[Claim]) -> str:
    """Return the page for people."""
    counts = {word: sum(claim.confidence == word for claim in claims) for word in CONFIDENCE}
    lines = [
        "# How far to trust it",
        "",
        "Made by `python -m lab claims` from [lab/claims.yml](../lab/claims.yml), which also names the tests.",
        "",
        f"The lab takes {len(claims)} statements about real machines for true: {counts['proved']} were read in the",
        f"program's source or seen when it ran, {counts['reported']} are reported by others, {counts['assumed']} are",
        "assumed. If one does not hold on your PC, please open an issue.",
    ]
    titles = {"assumed": "Assumed: nobody has looked yet", "reported": "Reported", "proved": "Proved"}
    for word in CONFIDENCE:
        rows = [claim for claim in claims if claim.confidence == word]
        if rows:
            lines += ["", f"## {titles[word]}", "", "| Area | Statement | Source |", "|---|---|---|"]
            lines += [f"| {row.area} | {_cell(row.statement)} | {_cell(row.source)} |" for row in rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def write() -> None:
    """Write the page."""
    PAGE.write_text(page(read(DATA.read_text(encoding="utf-8"))), encoding="utf-8")
