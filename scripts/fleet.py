#!/usr/bin/env python3
"""Set up many simulated PCs in one run: fleet.py N [M]. The last M of the N have a real distribution too (default 1).

Prints the wall time of one PC and of all of them, each PC from bare to finished, and the peak memory of the control
node's processes. The other PCs only remember their distribution, since a container for each would measure this machine.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import internet, windows  # noqa: E402 - found through the line above

FORKS = 10


def inventory(folder: Path, names: list[str], linux: list[str]) -> Path:
    """Write the inventory of these PCs; it is inventory/lab with other hosts."""
    pcs, distributions = {name: {} for name in names}, {f"{name}-wsl": {} for name in linux}
    groups = {"lab": pcs | distributions, "windows": pcs, "lab_windows": pcs}
    groups |= dict.fromkeys(("wsl", "wsl_in_windows", "lab_origins"), distributions)
    path = folder / "hosts.yml"
    path.write_text(json.dumps({"all": {"children": {group: {"hosts": hosts} for group, hosts in groups.items()}}}))
    return path


def memory(pid: int) -> int:
    """Return the proportional memory of a process and its children, in bytes."""
    total, todo = 0, [pid]
    while todo:
        one = todo.pop()
        try:
            total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{one}/smaps_rollup").read_text(), re.M)[1]) * 1024
            todo += map(int, Path(f"/proc/{one}/task/{one}/children").read_text().split())
        except OSError:
            continue  # it has just ended
    return total


def play(hosts: Path, limit: str = "all") -> tuple[float, int, str]:
    """Run the site; return wall time in seconds, peak memory in bytes, and the recap.

    :raises SystemExit: the run failed.
    """
    argv = ["ansible-playbook", "-i", "inventory/lab", "-i", str(hosts), "--forks", str(FORKS), "playbooks/site.yml"]
    log = hosts.with_suffix(".log")
    start, peak = time.monotonic(), 0
    with log.open("w") as output:
        run = subprocess.Popen(
            [*argv, "--limit", limit],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        while run.poll() is None:
            peak = max(peak, memory(run.pid))
            time.sleep(1)
    text = log.read_text()
    if run.returncode:
        sys.exit(f"{text[-6000:]}\nfleet: the run ended with {run.returncode}")
    return time.monotonic() - start, peak, text.partition("PLAY RECAP")[2]


def main() -> None:
    """Run one PC, then all."""
    count, real = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1
    names = [f"fleet-{number:03}" for number in range(count + 1)]
    linux = [names[0], *names[1:][count - real :]]
    internet.up()
    try:
        with ThreadPoolExecutor(4) as pool:
            for job in [pool.submit(windows.up, name, linux=name in linux) for name in names]:
                job.result()
        with tempfile.TemporaryDirectory() as folder:
            hosts = inventory(Path(folder), names, linux)
            one, one_peak, _ = play(hosts, f"{names[0]},{names[0]}-wsl")
            everybody = ",".join([*names[1:], *(f"{name}-wsl" for name in linux[1:])])
            many, peak, recap = play(hosts, everybody)
    finally:
        for name in names:
            windows.down(name)
    print(f"one PC        {one:7.0f} s   {one_peak / 2**20:6.0f} MiB at most")
    print(f"{count:3} PCs       {many:7.0f} s   {peak / 2**20:6.0f} MiB at most, {FORKS} forks")
    print(f"              {many / one:7.1f} times one PC")
    print(f"  of them {len(re.findall('failed=0', recap)) - len(linux[1:])} finished; {real} with a real distribution")


main()
