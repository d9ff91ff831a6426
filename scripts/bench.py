#!/usr/bin/env python3
"""Time the Docker roles in the lab: the first run, the run that has nothing to do, and as many ping tasks beside it.

The ratio is what counts: the three are measured in one run, on the same machine, minutes apart.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import distribution, internet  # noqa: E402 - found through the line above
from lab.settings import container  # noqa: E402

ROLES = ["docker_engine", "docker_proxy"]
BEFORE = ["wsl_proxy", "apt_mirror"]
REPEAT = 3
INVENTORY = Path(tempfile.mkdtemp(), "hosts.yml")
"""One more distribution, reached by Docker itself: the roles are measured, not the way to them."""
HOST = {"bench": {"ansible_connection": "community.docker.docker"}}
INVENTORY.write_text(
    json.dumps({"all": {"children": {name: {"hosts": HOST} for name in ("lab", "lab_origins", "wsl", "bench_hosts")}}})
)


def play(name: str, tasks: list[dict] | None = None, roles: list[str] | None = None) -> tuple[float, int, int]:
    """Run a play on the bench distribution; return wall time in seconds, how many tasks ran and how many changed."""
    content = [
        {
            "hosts": "bench_hosts",
            "become": True,
            "gather_facts": bool(roles),
            "gather_subset": ["min"],
            "roles": roles or [],
            "tasks": tasks or [],
        }
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".yml", dir=ROOT / "playbooks", prefix=".bench-") as file:
        json.dump(content, file)
        file.flush()
        inventories = ["-i", "inventory/lab", "-i", str(INVENTORY)]
        argv = ["ansible-playbook", *inventories, "-e", f"ansible_host={name}", file.name]
        start = time.monotonic()
        done = subprocess.run(
            argv, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"}
        )
        seconds = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr)
    recap = re.search(r"ok=(\d+) +changed=(\d+)", done.stdout)
    return seconds, int(recap[1]), int(recap[2])


def median_of(action) -> float:
    """Return the median wall time of some runs, in seconds."""
    return statistics.median(action()[0] for _ in range(REPEAT))


def main() -> None:
    """Measure and print."""
    name = container("bench")
    internet.up()
    distribution.up(name)
    try:
        play(name, roles=BEFORE)
        first, first_tasks, changed = play(name, roles=ROLES)
        _, tasks, changed_again = play(name, roles=ROLES)
        if changed_again:
            sys.exit(f"the second run changed {changed_again} tasks; there is nothing to compare")
        nothing = median_of(lambda: play(name, roles=ROLES))
        pings = median_of(lambda: play(name, tasks=[{"ansible.builtin.ping": {}}] * tasks))
        fourteen = median_of(lambda: play(name, tasks=[{"ansible.builtin.ping": {}}] * 14))
        start = median_of(lambda: play(name, tasks=[{"ansible.builtin.ping": {}}]))
    finally:
        distribution.down(name)
    one = (fourteen - start) / 13
    print(f"{' + '.join(ROLES)}, times in seconds, medians of {REPEAT} but for the first run")
    print(f"  first run              {first:6.1f}   {first_tasks} tasks, {changed} changed")
    print(f"  nothing to do          {nothing:6.1f}   {tasks} tasks (includes and asserts on the controller counted)")
    print(f"  {tasks:2} ping tasks          {pings:6.1f}   ratio {nothing / pings:.2f}")
    print(f"  14 ping tasks          {fourteen:6.1f}   ratio {nothing / fourteen:.2f}; one costs {one:.2f}")
    print(
        f"  no-op in ping tasks    {nothing / one:6.1f}   (the best-known Docker role: 6.2 s / 0.29 s = 21.4; aim 14.3)"
    )


main()
