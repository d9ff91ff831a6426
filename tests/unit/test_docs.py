"""The pages: every link leads somewhere, every page is found from the README, and the Chinese pages say as much."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.splitlines()
    if (ROOT / name).is_file()
)  # fmt: skip
LINK = re.compile(r"\]\(([^)\s]+)\)")
ENGLISH_ONLY = {"trust.md", "faults.md"}
"""Pages that programs write, or that are for those who work on this repository."""


def words_of(page: Path) -> str:
    """Return a page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def headings(page: Path) -> list[str]:
    return re.findall(r"^#+ (.+)$", words_of(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub makes of a page's headings."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings(page)}


def links(page: Path) -> list[tuple[Path, str]]:
    """Return the files, and the anchors in them, that a page leads to; without those on the Internet."""
    found = [link.partition("#") for link in LINK.findall(words_of(page)) if not re.match(r"https?://|mailto:", link)]
    return [(Path(os.path.normpath(page.parent / path)) if path else page, anchor) for path, _, anchor in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    found = links(page)
    assert [str(target) for target, _ in found if not target.exists()] == []
    assert [(target.name, anchor) for target, anchor in found if anchor and anchor not in anchors(target)] == []


@pytest.mark.parametrize(("start", "folder"), [("README.md", "docs"), ("README.zh-CN.md", "docs/zh-CN")])
def test_every_page_is_found_from_the_readme(start, folder):
    seen, todo = set(), [ROOT / start]
    while todo:
        page = todo.pop()
        if page not in seen and page.suffix == ".md" and page.exists():
            seen.add(page)
            todo += [target for target, _ in links(page)]
    assert [path.name for path in sorted((ROOT / folder).glob("*.md")) if path not in seen] == []


TRANSLATED = [("README.md", "README.zh-CN.md")] + [
    (f"docs/{path.name}", f"docs/zh-CN/{path.name}")
    for path in sorted((ROOT / "docs").glob("*.md"))
    if path.name not in ENGLISH_ONLY
]


@pytest.mark.parametrize(("english", "chinese"), TRANSLATED)
def test_the_chinese_page_has_the_same_parts(english, chinese):
    def parts(name: str) -> dict[str, int]:
        text = (ROOT / name).read_text(encoding="utf-8")
        patterns = {"headings": r"^#+ ", "rows": r"^\|", "blocks": r"^ *```", "steps": r"^\d+\. ", "images": r"^!\["}
        return {part: len(re.findall(pattern, text, re.MULTILINE)) for part, pattern in patterns.items()}

    assert parts(chinese) == parts(english)


@pytest.mark.parametrize(("english", "chinese"), TRANSLATED)
def test_both_pages_name_the_same_commands(english, chinese):
    def commands(name: str) -> set[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        return set(re.findall(r"playbooks/\w+\.yml|make [a-z-]+|\w+_\w+: [a-z0-9]+|inventory/\w+", text))

    assert commands(chinese) == commands(english)


def test_every_command_of_make_that_a_page_names_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {
        word
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for word in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(encoding="utf-8"))
    }
    assert named - targets == set()
