"""One machine on which cases follow each other, and which in the end must be like an undisturbed one."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatch

from lab import internet
from tests.faults.cases import Case, tampered
from tests.faults.machines import Machine, Outcome, reference


class Chain:
    """The machine, from its start to the comparison."""

    def __init__(self, name: str, cases: list[Case]) -> None:
        self.name, self.cases = name, cases
        self.machine = Machine(name, cases[0].side)
        self.undisturbed = set(json.loads(reference(self.machine.side).read_text(encoding="utf-8"))["state"])
        self.tried = 0
        self.machine.start()
        self.since = time.time()

    def disturbed(self, case: Case) -> Outcome | None:
        """Run the playbook with the fault of a case, and recover the fault.

        :return: None where the fault met nothing on this machine any more, since an earlier case had already got beyond
            the place. Such a case needs a machine of its own.
        """
        self.tried += 1
        try:
            if not case.at:
                for action in case.do:
                    self.machine.act(action)
            first = self.machine.play(case.injection(self.machine), case.tags, case.settings)
            for action in case.recover:
                self.machine.act(action)
        finally:
            self.machine.act({"winsim": {"kind": "clear"}})
            internet.fault("none")
        self.machine.settle()
        return first if self.tried == 1 or case.met(first) else None

    def finish(self) -> tuple[Outcome, list[str], list[str]]:
        """Run the playbook without a fault; return that run, what then differs, and all that should not be."""
        second = self.machine.play()
        found = set(self.machine.state())
        differences = [f"- {line}" for line in sorted(self.undisturbed - found)]
        differences += [f"+ {line}" for line in sorted(found - self.undisturbed)]
        faults = [f"the run without a fault said: {second.error[:600]}"] if second.code != 0 else []
        if differences:
            faults.append(f"{len(differences)} differences from an undisturbed machine: {differences[:6]}")
        if any(case.fetched for case in self.cases):
            known = tampered()
            fetched = self.machine.fetched(self.since)
            if other := [url for url in fetched if not any(fnmatch(url, pattern) for pattern in known)]:
                faults.append(f"fetched, but changed by no case: {other}")
        return second, differences, faults

    def stop(self) -> None:
        """Remove the machine."""
        self.machine.stop()
