"""The filter that reads what a role's facts.sh tells, and that both know the same words."""

import re
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from tests.unit import loaded

ROLES = Path(__file__).resolve().parents[2] / "roles"
by_word = loaded.module("plugins/filter/by_word.py").by_word


def test_lines_are_sorted_by_their_first_word():
    lines = ["free 12", "key /a b", "begun", "noise of a program", "key /c", "keys /d", ""]
    assert by_word(lines, "free", "key", "begun", "gpu") == {
        "free": ["12"],
        "key": ["/a b", "/c"],
        "begun": [""],
        "gpu": [],
    }


@pytest.mark.parametrize(("lines", "words"), [("free 12", ["free"]), (["free 12"], [])])
def test_a_text_or_no_words_are_refused(lines, words):
    with pytest.raises(AnsibleFilterError, match="takes a list of lines"):
        by_word(lines, *words)


@pytest.mark.parametrize("role", ["cuda_wsl", "devcontainer", "nvidia_ctk", "room_cache", "wsl_proxy"])
def test_each_word_that_a_role_asks_for_is_told_by_its_script_and_used(role):
    variables = (ROLES / role / "vars" / "main.yml").read_text()
    (asked,) = re.findall(r"by_word\(([^)]*)\)", variables)
    words = set(re.findall(r"'([a-z]+)'", asked))
    lines = (ROLES / role / "files" / "facts.sh").read_text().splitlines()
    script = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    tells = r"(?:echo \"?|printf '|print\(? *\"|[/,#^]|versions |lines \"\$file\" )"
    assert {word for word in words if not re.search(rf"{tells}{word}\b", script)} == set()
    text = variables + "".join(path.read_text() for path in (ROLES / role / "tasks").glob("*.yml"))
    assert set(re.findall(rf"__{role}_facts[.]([a-z]+)", text)) == words
