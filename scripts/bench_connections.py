#!/usr/bin/env python3
"""Time a task through wsl_winrm, through Docker itself, and locally: seconds for one, and the ratio to Docker.

The same distribution is reached both ways; all are measured in one run of one playbook, the ways in turn.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab import internet, windows  # noqa: E402 - found through the line above

PC = "bench-pc"
TASKS, REPEAT = 6, 3
MODULES = {
    "ping": {"ansible.builtin.ping": {}},
    "copy": {"ansible.builtin.copy": {"content": "the same\n" * 100, "dest": "/var/tmp/bench-copy", "mode": "0644"}},
    "template": {"ansible.builtin.template": {"src": "bench.j2", "dest": "/var/tmp/bench-template", "mode": "0644"}},
    "apt": {"ansible.builtin.apt": {"name": ["bash", "coreutils"]}},
}
WAYS = ["wsl_winrm", "docker", "local"]


def inventory(folder: Path) -> Path:
    """Write the inventory of the three ways."""
    state = windows.state_of(PC)
    endpoint = json.loads((state / "winsim.json").read_text())
    values = {  # as a workstation's inventory has them; inventory/lab looks them up in files, several times for a task
        "wsl_distribution": "Ubuntu-24.04",
        "windows_port": endpoint["https_port"],
        "windows_certificate": endpoint["certificate"],
        "windows_password": (state / "password").read_text(),
    }
    hosts = {
        f"{PC}-wsl": values,
        "docker": {"ansible_connection": "community.docker.docker", "ansible_host": windows.containers_of(PC)[0]},
        "local": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
    }
    groups = {name: {"hosts": {f"{PC}-wsl": {}}} for name in ("lab", "wsl", "wsl_in_windows")}
    path = folder / "hosts.yml"
    path.write_text(json.dumps({"all": {"hosts": hosts, "children": groups}}))
    return path


def measure(folder: Path) -> dict[tuple[str, str], list[float]]:
    """Run one playbook, the ways and modules in turn; return the seconds of each task but the first of each play."""
    (folder / "bench.j2").write_text("the same\n")
    kinds = [(way, module) for module in MODULES for way in WAYS if (way, module) != ("local", "apt")]
    plays = [
        {
            "name": f"{way} {module}",
            "hosts": f"{PC}-wsl" if way == "wsl_winrm" else way,
            "gather_facts": False,
            "tasks": [MODULES[module]] * (TASKS + 1),
        }
        for way, module in kinds * REPEAT
    ]
    path = folder / "play.yml"
    path.write_text(json.dumps(plays))
    argv = ["ansible-playbook", "-i", "inventory/lab", "-i", str(folder / "hosts.yml"), str(path)]
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **settings})
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr)
    times: dict[tuple[str, str], list[float]] = {}
    for play in json.loads(done.stdout)["plays"]:
        way, module = play["play"]["name"].split()
        for task in play["tasks"][1:]:  # the first one pays for what the others find ready
            begin, end = (datetime.fromisoformat(task["task"]["duration"][word]) for word in ("start", "end"))
            times.setdefault((way, module), []).append((end - begin).total_seconds())
    return times


def main() -> None:
    """Measure and print."""
    internet.up()
    windows.up(PC, "already-done", linux=True)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            inventory(folder)
            times = measure(folder)
    finally:
        windows.down(PC)
    print(f"seconds for a task with nothing to do (medians of {REPEAT * TASKS} tasks), and the ratio to docker")
    for module in MODULES:
        cells = []
        base = statistics.median(times["docker", module])
        for way in WAYS:
            value = statistics.median(times.get((way, module), [0]))
            cells.append(f"{way} {value:5.2f} ({value / base:4.2f})" if value else f"{way}     -       ")
        print(f"  {module:<9} " + "   ".join(cells))


main()
