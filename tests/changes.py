"""What a run says that it changed, to hold --check against the run."""

from __future__ import annotations

import re

TASK = re.compile(r"(?:TASK|RUNNING HANDLER) \[(.*)\] \*+")
CHANGED = re.compile(r"changed: \[[^]]+\]")


def changed(output: str) -> list[str]:
    """Return the tasks and handlers that say "changed" in the output of ansible-playbook, each once, in their order."""
    names: list[str] = []
    task = ""
    for line in output.splitlines():
        if named := TASK.fullmatch(line):
            task = named[1]
        elif CHANGED.match(line):
            names.append(task)
    return list(dict.fromkeys(names))
