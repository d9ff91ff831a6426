"""``python -m lab.faults``: the fault campaign; "make faults" calls it."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "lab"))  # winsim

from lab import internet  # noqa: E402 - found through the line above
from lab.faults import campaign  # noqa: E402
from lab.faults.machines import FOLDER, Machine  # noqa: E402
from lab.settings import LabError  # noqa: E402


def main() -> int:
    """Run one command; 1 when a case is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m lab.faults", description=campaign.__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    run = verbs.add_parser("run", help="run the cases and write the matrix")
    run.add_argument("--only", default="", help="expression for 'half: name of the case'")
    run.add_argument("--jobs", type=int, default=2)
    run.add_argument("--everything", action="store_true", help="each changing task with each kind, not in turns")
    run.add_argument("--apart", action="store_true", help="each case on a machine of its own, which takes longer")
    run.add_argument("--report", type=Path, default=ROOT / "reports" / "faults.md")
    for verb, words in {
        "network": ["what"],
        "reference": ["half", "cases"],
        "chain": ["name", "cases"],
        "act": ["name", "half", "actions"],
    }.items():
        internal = verbs.add_parser(verb, help="used by the campaign itself")
        for word in words:
            internal.add_argument(word)
    options = parser.parse_args()
    try:
        if options.verb == "run":
            results = campaign.campaign(options.only, options.jobs, options.everything, options.apart, options.report)
            bad = sum(bool(one.faults) for one in results)
            print(f"{options.report}: {len(results)} cases, {bad} not as they should be")
            return int(not results or bad > 0)
        if options.verb == "network":
            {"up": internet.up, "down": internet.down}[options.what]()
        elif options.verb == "reference":
            print(json.dumps(campaign.reference(options.half, options.cases == "all")))
        elif options.verb == "chain":
            cases = [campaign.Case(**case) for case in json.loads(options.cases)]
            known = json.loads((FOLDER / "references.json").read_text(encoding="utf-8"))[cases[0].half]
            print(json.dumps([one and asdict(one) for one in campaign.chain(cases, known, options.name)]))
        else:
            machine = Machine(options.name, options.half)
            for action in json.loads(options.actions):
                machine.act(action)
    except LabError as error:
        print(f"lab.faults: {error}", file=sys.stderr)
        return 1
    return 0


sys.exit(main())
