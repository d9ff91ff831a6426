"""Sort the lines of a script that tells one finding a line by their first words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

DOCUMENTATION = """
name: by_word
short_description: Sort lines "WORD REST" by their first words
description:
  - For what a role's C(facts.sh) tells, one finding a line. A line whose word is not asked for is left out.
positional: words
options:
  _input: {description: The lines., type: list, elements: str, required: true}
  words: {description: The words that are asked for., type: list, elements: str, required: true}
"""
EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ ['free 12', 'key /a', 'key /b', 'begun'] | by_word('free', 'key', 'begun', 'gpu') }}"
  # {"free": ["12"], "key": ["/a", "/b"], "begun": [""], "gpu": []}
"""
RETURN = """
_value: {description: "For each word the rests of its lines, an empty list where there is none.", type: dict}
"""


def by_word(lines: Iterable[str], *words: str) -> dict[str, list[str]]:
    """Return for each word the rests of its lines.

    :raises AnsibleFilterError: what is given is a text and no list of lines, or no word is asked for.
    """
    if isinstance(lines, str) or not words:
        raise AnsibleFilterError("by_word takes a list of lines and the words that are asked for")
    found: dict[str, list[str]] = {word: [] for word in words}
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in found:
            found[word].append(rest)
    return found


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return it by its name."""
        return {"by_word": by_word}
