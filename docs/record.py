#!/usr/bin/env python3
"""Run a command and save what it prints, or a part of it, as an SVG picture of a terminal.

usage: docs/record.py OUTPUT.svg LINES [--only PATTERN] COMMAND…

LINES: how many of the last lines to show. --only: of the lines before PLAY RECAP, those that match; ⋮ stands for the
others.
"""

import re
import subprocess
import sys

from rich.console import Console
from rich.text import Text


def chosen(printed: list[str], pattern: str) -> list[str]:
    """Return the lines that match, and everything from Ansible's recap on."""
    shown: list[str] = []
    for number, line in enumerate(printed):
        plain = Text.from_ansi(line).plain
        if plain.startswith("PLAY RECAP"):
            return [*shown, *printed[number:]]
        if re.search(pattern, plain):
            shown.append(line)
        elif shown[-1:] != ["⋮"]:
            shown.append("⋮")
    return shown


def main(output: str, lines: int, *command: str) -> int:
    """Run, show and save; return the command's exit code."""
    pattern = ""
    if command[0] == "--only":
        _, pattern, *command = command
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = [line for line in done.stdout.splitlines() if line.strip()]
    shown = (chosen(printed, pattern) if pattern else printed)[-lines:]
    with open("/dev/null", "w") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {' '.join(command)}", style="bold green"))
        if not pattern:
            console.print(Text("…", style="dim"))
        for line in shown:
            console.print(Text("⋮", style="dim") if line == "⋮" else Text.from_ansi(line))
        console.save_svg(output, title=" ".join(command))
    print("\n".join(shown))
    return done.returncode


raise SystemExit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
