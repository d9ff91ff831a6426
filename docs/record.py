#!/usr/bin/env python3
"""Run a command and save the end of what it prints as an SVG picture of a terminal.

usage: docs/record.py OUTPUT.svg LINES COMMAND…      (LINES: how many of the last lines to show)
"""

import subprocess
import sys

from rich.console import Console
from rich.text import Text


def main(output: str, lines: int, command: list[str]) -> int:
    """Run, show and save; return the command's exit code."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    shown = [line for line in done.stdout.splitlines() if line.strip()][-lines:]
    with open("/dev/null", "w") as nowhere:
        console = Console(record=True, width=100, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {' '.join(command)}", style="bold green"))
        console.print(Text("…", style="dim"))
        for line in shown:
            console.print(Text.from_ansi(line))
        console.save_svg(output, title=" ".join(command))
    print("\n".join(shown))
    return done.returncode


raise SystemExit(main(sys.argv[1], int(sys.argv[2]), sys.argv[3:]))
