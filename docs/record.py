#!/usr/bin/env python3
"""Run a command and save what it prints, or a part of it, as an SVG picture of a terminal.

usage: docs/record.py [--only PATTERN] [--width COLUMNS] [--title TEXT] OUTPUT.svg LINES COMMAND…

LINES: how many of the last lines to show. --only: of the lines before PLAY RECAP, those that match; ⋮ stands for the
others. --title: what the picture shows as its command, where the real one ("cat FILE" of an output that was kept) says
nothing.
"""

import argparse
import re
import subprocess
import sys
from html import unescape

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

TEXT = re.compile(r'<text (class="[^"]*-r\d+") x="([\d.]+)" (y="[\d.]+") textLength="([\d.]+)" ([^>]*)>([^<]*)</text>')
COLUMN = 12.2
"""Width of a column in Rich's pictures."""


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


def placed(svg: str) -> str:
    """Return a picture in which each word stands in its column.

    Rich fills the columns with blanks, which some programs that draw SVG leave out at the beginning of a text, and it
    counts a Chinese character as one column. Here no text has blanks at its edges or more than one in a row.
    """

    def words(found: re.Match) -> str:
        kind, x, y, _, rest, content = found.groups()
        said = unescape(content).replace("\N{NO-BREAK SPACE}", " ")
        return "".join(
            f'<text {kind} x="{float(x) + COLUMN * cell_len(said[: part.start()]):.1f}" {y}'
            f' textLength="{COLUMN * cell_len(part[0]):.1f}" {rest}>{escaped(part[0])}</text>\n'
            for part in re.finditer(r"\S+(?: \S+)*", said)
        )

    return TEXT.sub(words, svg)


def escaped(text: str) -> str:
    """Return a text for XML, its blanks as Rich writes them."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace(" ", "&#160;")


def picture(shown: list[str], title: str, width: int, whole: bool) -> str:
    """Return lines as a picture of a terminal; ``whole``: nothing before them was left out on purpose."""
    with open("/dev/null", "w") as nowhere:
        console = Console(record=True, width=width, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {title}", style="bold green"))
        if whole:
            console.print(Text("…", style="dim"))
        for line in shown:
            console.print(Text("⋮", style="dim") if line == "⋮" else Text.from_ansi(line))
        return placed(console.export_svg(title=title))


def main() -> int:
    """Run, show and save; return the command's exit code."""
    parser = argparse.ArgumentParser(usage=str(__doc__).partition("usage: ")[2])
    parser.add_argument("output")
    parser.add_argument("lines", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--width", type=int, default=100)
    parser.add_argument("--title", default="")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    asked = parser.parse_args()
    done = subprocess.run(asked.command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    printed = [line for line in done.stdout.splitlines() if line.strip()]
    shown = (chosen(printed, asked.only) if asked.only else printed)[-asked.lines :]
    cut = len(shown) < len(printed) and not asked.only
    with open(asked.output, "w", encoding="utf-8") as file:
        file.write(picture(shown, asked.title or " ".join(asked.command), asked.width, cut))
    print("\n".join(shown))
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
