"""One word for one thing: former words of this repository do not come back (docs/glossary.md has those of today)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit import loaded

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).name
TOLD = {"CHANGELOG.md", "check_inputs.py", "test_wrong_inputs.py", "wrong_inputs.yml", "wrong_values.yml", HERE}
"""Files that tell former names."""
OTHERS = re.compile(r"WSL_DISTRO_NAME|WSL_E_\w*DISTRO\w*|<Distro>|InstallDistro|RegisterDistro|systemDistro")
"""Words of WSL's own."""


def files() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.splitlines() if Path(name).name not in TOLD]
    found = {}
    for path in paths:
        if path.is_file() and not path.is_symlink():
            found[str(path.relative_to(ROOT))] = path.read_bytes().decode("utf-8", "replace")
    return found


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    return files()


@pytest.mark.parametrize(
    "former",
    [
        r"\bsome-faults\b|\bmake (cuts|more)\b|\bred\.py\b",
        r"\bstrik(e|es|ing)\b|\bstruck\b|\bLAB_STRIKE\b|\bfault swap\b|\bmend(s|ed|ing)?\b",
        r"\blook\.(sh|yml)\b|__\w+_look\b|\btasks_from: look\b",
        r"\bfresh_service\b|\bgive_back\b|\boriginals\b",
        r"(tasks: |tasks/)(own|renew|renew_later|proof|remember|explain)\.yml\b",
        r"control_node: (elsewhere|distribution)|control_node=(elsewhere|distribution)",
        r"\b\w+_(disk_gb|min_disk_gib)\b|\bcuda_wsl_free_space\b|\bproxy_(download|windows)_url\b",
        r"\b[Dd]istros?\b",
        r"\b[Ll]og-ins?\b|\b[Tt]ime-outs?\b",
        r"\bBelieve \w+( registry)? rather\b|\bwants a log|\bcontradicts? it\b|\bis no time zone\b",
    ],
)
def test_a_former_word_does_not_come_back(texts, former):
    found = {name: re.search(former, OTHERS.sub("", text)) for name, text in texts.items()}
    assert {name: match[0] for name, match in found.items() if match} == {}


def test_each_mutant_finds_the_line_that_it_changes():
    mutation = loaded.module("scripts/mutation.py")
    changing = [one for one in mutation.MUTANTS if one.file]
    assert len(changing) >= 5
    assert [one.name for one in changing if one.old not in (ROOT / one.file).read_text(encoding="utf-8")] == []
