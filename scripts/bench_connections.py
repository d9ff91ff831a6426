#!/usr/bin/env python3
"""Time a task through the ways to a distribution (wsl_winrm, Docker, locally) and its Windows (wsl_interop, winrm).

The same machine is reached all ways; what is compared is measured in one run of one playbook, the ways in turn.
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

import yaml  # noqa: E402

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
WINDOWS_MODULES = {
    "win_ping": {"ansible.windows.win_ping": {}},
    "win_command": {"ansible.windows.win_command": "whoami"},
    "win_copy": {"ansible.windows.win_copy": {"content": "the same\n" * 100, "dest": "C:\\Windows\\Temp\\bench"}},
    "win_regedit": {"ansible.windows.win_regedit": {"path": "HKCU:\\Software\\bench", "name": "a", "data": "b"}},
}
WINDOWS_WAYS = ["wsl_interop", "winrm"]


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


def play(folder: Path, plays: list[dict], *options: str, **environment: str) -> dict[tuple[str, str], list[float]]:
    """Run one playbook; return the seconds of each task but the first of each play, by the two words of its name."""
    path = folder / "play.yml"
    path.write_text(json.dumps(plays))
    settings = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "ANSIBLE_CALLBACKS_ENABLED": "preload", **environment}
    argv = ["ansible-playbook", *options, str(path)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, env={**os.environ, **settings})
    if done.returncode:
        sys.exit(done.stdout[-3000:] + done.stderr)
    times: dict[tuple[str, str], list[float]] = {}
    for one in json.loads(done.stdout)["plays"]:
        way, module = one["play"]["name"].split()
        for task in one["tasks"][1:]:  # the first one pays for what the others find ready
            begin, end = (datetime.fromisoformat(task["task"]["duration"][word]) for word in ("start", "end"))
            times.setdefault((way, module), []).append((end - begin).total_seconds())
    return times


def measure(folder: Path) -> dict[tuple[str, str], list[float]]:
    """Run the modules in the distribution, the ways in turn."""
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
    return play(folder, plays, "-i", "inventory/lab", "-i", str(folder / "hosts.yml"))


def measure_windows(folder: Path) -> dict[tuple[str, str], list[float]]:
    """Run the modules in Windows, by WinRM as from another machine, and as from inside the distribution."""
    state = windows.state_of(PC)
    endpoint = json.loads((state / "winsim.json").read_text())
    remote = {
        "ansible_connection": "winrm",
        "ansible_host": "127.0.0.1",
        "ansible_port": endpoint["https_port"],
        "ansible_winrm_transport": "ntlm",
        "ansible_winrm_ca_trust_path": endpoint["certificate"],
        "ansible_user": "student",
        "ansible_password": (state / "password").read_text(),
    }
    hosts = {"winrm": remote, "wsl_interop": {"ansible_connection": "wsl_interop"}}
    (folder / "windows.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    stand_in = windows.INTEROP.parents[2]
    system32 = folder / "mnt" / "c" / "Windows" / "System32"
    for name in ("cmd.exe", "reg.exe", "taskkill.exe", "whoami.exe", "WindowsPowerShell/v1.0/powershell.exe"):
        (system32 / name).parent.mkdir(parents=True, exist_ok=True)
        (system32 / name).write_text(f"#!{windows.INTEROP}\n")
        (system32 / name).chmod(0o755)
    waits = [
        "wsl.exe",
        "-d",
        "Ubuntu-24.04",
        "--cd",
        "/",
        "--exec",
        "sh",
        "-c",
        'readlink "$WSL_INTEROP"; read -r line',
    ]
    terminal = subprocess.Popen(
        [sys.executable, "-m", "lab", "pc", "terminal", PC, "--", *waits],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        server = state / "interop" / windows.containers_of(PC)[0] / terminal.stdout.readline().strip()
        environment = {
            "LAB_MNT": str(folder / "mnt"),
            "WSL_INTEROP": str(server),
            "WSL_DISTRO_NAME": "Ubuntu-24.04",
            "PATH": f"{stand_in}/bin:{os.environ['PATH']}",
        }
        kinds = [(way, module) for module in WINDOWS_MODULES for way in WINDOWS_WAYS]
        plays = [
            {
                "name": f"{way} {module}",
                "hosts": way,
                "gather_facts": False,
                "tasks": [WINDOWS_MODULES[module]] * (TASKS + 1),
            }
            for way, module in kinds * REPEAT
        ]
        return play(folder, plays, "-i", str(folder / "windows.yml"), **environment)
    finally:
        terminal.kill()
        terminal.wait()


def table(times: dict[tuple[str, str], list[float]], modules: list[str], ways: list[str], base: str) -> None:
    """Print the medians, and their ratios to one way."""
    print(f"seconds for a task with nothing to do (medians of {REPEAT * TASKS} tasks), and the ratio to {base}")
    for module in modules:
        cells, one = [], statistics.median(times[base, module])
        for way in ways:
            value = statistics.median(times.get((way, module), [0]))
            cells.append(f"{way} {value:5.2f} ({value / one:4.2f})" if value else f"{way}     -       ")
        print(f"  {module:<11} " + "   ".join(cells))


def main() -> None:
    """Measure and print; with a word ``linux`` or ``windows`` only that."""
    internet.up()
    description = yaml.safe_load((windows.MACHINES / "already-done.yml").read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        machine = folder / "machine.yml"
        machine.write_text(yaml.safe_dump(description | {"signed_in": ["student"]}), encoding="utf-8")
        windows.up(PC, str(machine), linux=True)
        try:
            if sys.argv[1:] != ["windows"]:
                inventory(folder)
                table(measure(folder), list(MODULES), WAYS, "docker")
            if sys.argv[1:] != ["linux"]:
                table(measure_windows(folder), list(WINDOWS_MODULES), WINDOWS_WAYS, "winrm")
        finally:
            windows.down(PC)


main()
