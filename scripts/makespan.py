#!/usr/bin/env python3
"""Time the whole site where things take as long as on a real PC, in slow motion: makespan.py [SECONDS].

A minute of a real PC takes SECONDS (default 6) here. Prints one table: one half after the other, both at once, and the
longest chain of what waits for each other (the critical path). The logs are in reports/.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import internet, windows  # noqa: E402 - found through the line above

MINUTE = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
LINE = 12.5e6
"""Bytes per second of 100 Mbit/s."""
MINUTES = {
    "vs_bootstrapper.exe": 20,  # Visual Studio with C++, download included: assumed, Microsoft gives no number
    "cuda_installer.exe": 8,  # assumed
}
IN_WSL = {"cuda": 9, "docker-ce": 2, "nvidia-container-toolkit": 1}
"""Minutes that apt takes with these packages, assumed; NVIDIA's are 3 GB, so 4 minutes of it are the line."""
REPORTS = ROOT / "reports"
HOOK = """#!/bin/sh
packages=$(cat)
{cases}
exit 0
"""


def hook() -> str:
    """Return what apt runs before it unpacks: it waits as long as a real PC would work."""
    cases = "\n".join(
        f'case "$packages" in *{package}*) sleep {minutes * MINUTE:.0f};; esac' for package, minutes in IN_WSL.items()
    )
    return HOOK.format(cases=cases)


def plant(pc: str, end: threading.Event) -> None:
    """Put the hook into the PC's distribution as soon as there is one."""
    script = (
        "cat > /usr/local/bin/slow-apt && chmod +x /usr/local/bin/slow-apt && "
        "echo 'DPkg::Pre-Install-Pkgs {\"/usr/local/bin/slow-apt\";};' > /etc/apt/apt.conf.d/99slow"
    )
    while not end.wait(1):
        for container in windows.containers_of(pc):
            argv = ["docker", "exec", "-i", container, "sh", "-c", script]
            done = subprocess.run(argv, input=hook(), text=True, capture_output=True, timeout=60, check=False)
            if done.returncode == 0:
                return


def play(pc: str, *playbooks: str) -> list[float]:
    """Run playbooks on one PC, one after the other; return the seconds of each.

    :raises SystemExit: one failed.
    """
    hosts = REPORTS / f"{pc}.json"
    groups = {"lab": [pc, f"{pc}-wsl"], "windows": [pc], "lab_windows": [pc]}
    groups |= dict.fromkeys(("wsl", "wsl_in_windows", "lab_origins"), [f"{pc}-wsl"])
    named = {group: {"hosts": dict.fromkeys(members, {})} for group, members in groups.items()}
    hosts.write_text(json.dumps({"all": {"children": named}}))
    limits = {f"{role}_timeout": 3600 for role in ("visual_studio", "cuda_windows")}
    took = []
    for playbook in playbooks:
        log = REPORTS / f"{pc}-{playbook}.log"
        log.with_suffix(".times").unlink(missing_ok=True)
        argv = ["ansible-playbook", "-i", "inventory/lab", "-i", str(hosts), "--limit", f"{pc},{pc}-wsl"]
        argv += ["-e", json.dumps(limits), f"playbooks/{playbook}.yml"]
        start = time.monotonic()
        with log.open("w") as output:
            environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_LOG_PATH": str(log.with_suffix(".times"))}
            done = subprocess.run(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, check=False
            )
        if done.returncode:
            sys.exit(f"{log.read_text()[-6000:]}\nmakespan: {playbook} ended with {done.returncode}")
        took.append(time.monotonic() - start)
    return took


def fresh(pc: str, *playbooks: str) -> list[float]:
    """Run playbooks on a bare PC with the slow programs and the slow line."""
    programs = [{"program": name, "seconds": minutes * MINUTE} for name, minutes in MINUTES.items()]
    line = {"url": "*", "kind": "slow", "bytes_per_second": LINE * 60 / MINUTE}
    windows.up(pc, linux=True)
    end = threading.Event()
    threading.Thread(target=plant, args=(pc, end), daemon=True).start()
    try:
        done = windows.command("fault", pc, "machine", "--set", json.dumps({"programs": programs, "downloads": [line]}))
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return play(pc, *playbooks)
    finally:
        end.set()
        windows.down(pc)


def last_play(pc: str, playbook: str) -> float:
    """Return the seconds that the last play of a run took, by Ansible's log."""
    lines = (REPORTS / f"{pc}-{playbook}.times").read_text().splitlines()
    moments = {word: line[:23] for line in lines for word in ("PLAY [", "PLAY RECAP") if f"| {word}" in line}
    begin, end = (datetime.strptime(moments[word], "%Y-%m-%d %H:%M:%S,%f") for word in ("PLAY [", "PLAY RECAP"))
    return (end - begin).total_seconds()


def main() -> None:
    """Measure both orders on a bare PC each."""
    REPORTS.mkdir(exist_ok=True)
    internet.up()
    whole, in_wsl = fresh("makespan-apart", "windows", "wsl")
    (together,) = fresh("makespan-site", "site")
    on_windows = last_play("makespan-apart", "windows")
    ready, serial = whole - on_windows, whole + in_wsl
    critical = ready + max(on_windows, in_wsl)
    print(f"A minute of a real PC takes {MINUTE:g} s here.")
    print(f"until the distribution is there       {ready:6.0f} s")
    print(f"Visual Studio and CUDA on Windows     {on_windows:6.0f} s")
    print(f"the distribution                      {in_wsl:6.0f} s")
    print(f"one after the other                   {serial:6.0f} s  {serial / critical:.2f} of the critical path")
    print(f"critical path                         {critical:6.0f} s  1.00")
    print(f"site.yml                              {together:6.0f} s  {together / critical:.2f}")


main()
