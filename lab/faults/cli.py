"""The verbs of ``python -m lab campaign``; "make faults" calls it."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from lab import internet
from lab.settings import ROOT


def add_verbs(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser of the command."""
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run the cases and write the matrix")
    run.add_argument("--only", default="", help="expression for 'side: name of the case'")
    run.add_argument("--jobs", type=int, default=2)
    run.add_argument("--everything", action="store_true", help="each changing task with each kind, not in turns")
    run.add_argument("--apart", action="store_true", help="each case on a machine of its own, which takes longer")
    run.add_argument("--report", type=Path, default=ROOT / "reports" / "faults.md")
    run.set_defaults(run=_run)
    for verb, words in {
        "network": ["what"],
        "reference": ["side", "cases"],
        "chain": ["pc", "cases"],
        "act": ["pc", "side", "actions"],
    }.items():
        internal = verbs.add_parser(verb, help="used by the campaign itself")
        internal.set_defaults(run=_internal)
        for word in words:
            internal.add_argument(word)


def _run(options: argparse.Namespace) -> int:
    from lab.faults import campaign  # needs what "make venv" installs

    results = campaign.campaign(options.only, options.jobs, options.everything, options.apart, options.report)
    bad = sum(bool(one.faults) for one in results)
    print(f"{options.report}: {len(results)} cases, {bad} not as they should be")
    return int(not results or bad > 0)


def _internal(options: argparse.Namespace) -> None:
    from lab.faults import campaign
    from lab.faults.machines import FOLDER, Machine

    if options.verb == "network":
        {"up": internet.up, "down": internet.down}[options.what]()
    elif options.verb == "reference":
        print(json.dumps(campaign.reference(options.side, options.cases == "all")))
    elif options.verb == "chain":
        cases = [campaign.Case(**case) for case in json.loads(options.cases)]
        known = json.loads((FOLDER / "references.json").read_text(encoding="utf-8"))[cases[0].side]
        print(json.dumps([one and asdict(one) for one in campaign.chain(cases, known, options.pc)]))
    else:
        machine = Machine(options.pc, options.side)
        for action in json.loads(options.actions):
            machine.act(action)
