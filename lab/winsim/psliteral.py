"""Reads the literals of a PowerShell script: hashtables, arrays, strings, numbers, constants.

Only what argument specifications consist of. Anything that would have to be computed becomes :data:`DYNAMIC`.
"""

from __future__ import annotations

import re
from typing import Any


class _Dynamic:
    def __repr__(self) -> str:
        return "DYNAMIC"


DYNAMIC = _Dynamic()
_CONSTANTS = {"true": True, "false": False, "null": None}
_NUMBER = re.compile(r"[+-]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?)(?:[kmgtp]b|[ldLD])?(?![\w.])", re.IGNORECASE)
_OPERATOR = re.compile(
    r"[ \t]*(?:-(?:f|join|split|replace|as|is|in|eq|ne|gt|lt|ge|le|like|match|contains|and|or|band|bor|not\w+)\b"
    r"|[+*/%](?!=)|\||-(?=[ \t]))",
    re.IGNORECASE,
)
_UNITS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_OPENING = {"{": "}", "(": ")", "[": "]"}


class LiteralReader:
    """Reads literals from a script text, beginning at ``position``; ``variables`` are known literal variables."""

    def __init__(self, text: str, position: int = 0, variables: dict[str, Any] | None = None) -> None:
        self.text = text
        self.position = position
        self.variables = variables if variables is not None else {}

    def skip_space(self, newlines: bool) -> None:
        """Skip blanks, comments and line continuations; line feeds too if ``newlines``."""
        pattern = r"(?:[ \t\r\n;]|`\r?\n|#[^\n]*|<#.*?#>)*" if newlines else r"(?:[ \t]|`\r?\n|<#.*?#>)*"
        match = re.compile(pattern, re.DOTALL).match(self.text, self.position)
        self.position = match.end()

    def _peek(self, count: int = 1) -> str:
        return self.text[self.position : self.position + count]

    def read_value(self, commas: bool = True) -> Any:
        """Read one expression; a comma list becomes a Python list if ``commas``."""
        self.skip_space(False)
        if self._peek() == ",":  # unary comma: an array of one element
            self.position += 1
            return [self.read_value(commas=False)]
        first = self._read_operand()
        values = [first]
        while commas:
            mark = self.position
            self.skip_space(False)
            if self._peek() != ",":
                self.position = mark
                break
            self.position += 1
            self.skip_space(True)
            values.append(self._read_operand())
        return values if len(values) > 1 else first

    def _read_operand(self) -> Any:
        self.skip_space(False)
        value = self._read_primary()
        mark = self.position
        while True:
            member = re.compile(r"(?:\.|::)\w+|\[").match(self.text, self.position)
            if member:
                value = DYNAMIC
                if member[0] == "[":
                    self._skip_block()
                else:
                    self.position = member.end()
                    if self._peek() == "(":
                        self._skip_block()
                continue
            operator = _OPERATOR.match(self.text, self.position)
            if operator is None:
                break
            self.position = operator.end()
            if operator[0].strip() == "+":
                value = self._sum(value, self._read_added())
            else:
                value = DYNAMIC
                self.skip_space(True)
                self._read_primary()
            mark = self.position
        self.position = max(mark, self.position)
        return value

    def _read_added(self) -> Any:
        self.skip_space(True)
        return self._read_primary()

    @staticmethod
    def _sum(left: Any, right: Any) -> Any:
        if left is DYNAMIC or right is DYNAMIC:
            return DYNAMIC
        if isinstance(left, list):
            return left + (right if isinstance(right, list) else [right])
        if isinstance(left, str):
            return left + str(right)
        return DYNAMIC

    def _read_primary(self) -> Any:
        char = self._peek()
        if self._peek(2) == "@{":
            return self.read_hashtable()
        if self._peek(2) == "@(":
            return self._read_array()
        if char == "'":
            return self._read_single()
        if char == '"':
            return self._read_double()
        number = _NUMBER.match(self.text, self.position)
        if number:
            self.position = number.end()
            return _number(number[0])
        if char == "$":
            return self._read_variable()
        if char == "[":
            self._skip_block()
            self.skip_space(False)
            if self._peek() in ("'", '"', "$", "@", "[", "-") or self._peek().isdigit():
                return self._read_primary()
            if self._peek() == "{":
                self._skip_block()
            return DYNAMIC
        if char in _OPENING:
            self._skip_block()
            return DYNAMIC
        word = re.compile(r"[^\s;,)}\]|]+").match(self.text, self.position)
        if word:
            self.position = word.end()
        else:
            self.position += 1
        return DYNAMIC

    def read_hashtable(self) -> dict[str, Any]:
        """Read ``@{ ... }`` at the current position."""
        self.position += 2
        table: dict[str, Any] = {}
        while True:
            self.skip_space(True)
            if self._peek() in ("}", ""):
                self.position += 1
                return table
            key = self._read_key()
            self.skip_space(True)
            if self._peek() != "=":
                self._skip_statement()
                continue
            self.position += 1
            self.skip_space(True)
            table[key] = self.read_value()
            self._skip_statement()

    def _read_key(self) -> str:
        if self._peek() == "'":
            return self._read_single()
        if self._peek() == '"':
            value = self._read_double()
            return value if isinstance(value, str) else repr(value)
        word = re.compile(r"[^\s=]+").match(self.text, self.position)
        self.position = word.end() if word else self.position + 1
        return word[0] if word else ""

    def _read_array(self) -> list[Any]:
        self.position += 2
        items: list[Any] = []
        while True:
            self.skip_space(True)
            if self._peek() in (")", ""):
                self.position += 1
                return items
            value = self.read_value()
            items.extend(value if isinstance(value, list) else [value])
            # a single array inside @() is unrolled, a list of arrays is not
            mark = self.position
            self.skip_space(False)
            if self._peek() not in (")", "\n", "\r", ";", "#", ","):
                self._skip_statement(stop=")")
                items = [DYNAMIC]
            elif self._peek() != ",":
                self.position = mark

    def _read_single(self) -> str:
        match = re.compile(r"'((?:[^']|'')*)'").match(self.text, self.position)
        self.position = match.end() if match else len(self.text)
        return match[1].replace("''", "'") if match else ""

    def _read_double(self) -> Any:
        match = re.compile(r'"((?:[^"`]|`.|"")*)"', re.DOTALL).match(self.text, self.position)
        self.position = match.end() if match else len(self.text)
        text = match[1] if match else ""
        if "$" in re.sub(r"`.", "", text):
            return DYNAMIC
        return re.sub(r"`(.)", lambda item: {"n": "\n", "t": "\t", "r": "\r"}.get(item[1], item[1]), text)

    def _read_variable(self) -> Any:
        match = re.compile(r"\$(\w+(?::\w+)?|\{[^}]*\})").match(self.text, self.position)
        if not match:
            self._skip_block() if self._peek(2) == "$(" else None
            self.position += 1
            return DYNAMIC
        self.position = match.end()
        name = match[1].lower()
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        return self.variables.get(name, DYNAMIC)

    def _skip_block(self) -> None:
        """Skip a bracketed block with everything in it."""
        stack: list[str] = []
        while self.position < len(self.text):
            char = self._peek()
            if char in ("'", '"'):
                self._read_single() if char == "'" else self._read_double()
                continue
            if char == "#" and stack and self.text[self.position - 1] in " \t\n(":
                self.skip_space(True)
                continue
            if char == "`":
                self.position += 2
                continue
            if char in _OPENING:
                stack.append(_OPENING[char])
            elif stack and char == stack[-1]:
                stack.pop()
            self.position += 1
            if not stack:
                return

    def _skip_statement(self, stop: str = "}") -> None:
        """Skip the rest of a statement: to the end of the line, a semicolon or ``stop``."""
        while self.position < len(self.text):
            char = self._peek()
            if char in "\n;" or char == stop:
                return
            if char in ("'", '"'):
                self._read_single() if char == "'" else self._read_double()
            elif char == "`":
                self.position += 2
            elif char == "#":
                self.skip_space(True)
                return
            elif char in _OPENING:
                self._skip_block()
            else:
                self.position += 1


def _number(text: str) -> int | float:
    lowered = text.lower()
    unit = 1
    if lowered[-2:] in _UNITS:
        unit, lowered = _UNITS[lowered[-2:]], lowered[:-2]
    if lowered.startswith("0x"):
        return int(lowered, 16) * unit
    lowered = lowered.rstrip("ld")
    return float(lowered) * unit if "." in lowered else int(lowered) * unit


def literal_variables(text: str, before: int) -> dict[str, Any]:
    """Return the variables that are set to a literal at the beginning of a line before an offset."""
    found: dict[str, Any] = {}
    for match in re.finditer(r"^\$(\w+)\s*=[ \t]*", text[:before], re.MULTILINE):
        reader = LiteralReader(text, match.end(), found)
        value = reader.read_value()
        name = match[1].lower()
        if value is DYNAMIC:
            found.pop(name, None)
        else:
            found[name] = value
    return found
