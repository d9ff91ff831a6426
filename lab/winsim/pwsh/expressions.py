"""Reads the expressions of the PowerShell subset."""

from __future__ import annotations

import re

from lab.winsim.errors import SimulatorError
from lab.winsim.pwsh import nodes as n

_COMPARISONS = [
    "eq",
    "ne",
    "gt",
    "ge",
    "lt",
    "le",
    "like",
    "notlike",
    "match",
    "notmatch",
    "contains",
    "notcontains",
    "in",
    "notin",
    "is",
    "isnot",
    "as",
    "replace",
    "split",
    "join",
]
_OPERATORS: dict[str, int] = {"and": 1, "or": 1, "xor": 1, "band": 2, "bor": 2, "bxor": 2, "shl": 2, "shr": 2}
for _name in _COMPARISONS:
    for _prefix in ("", "c", "i"):
        _OPERATORS.setdefault(_prefix + _name, 3)
_FORMAT, _RANGE, _COMMA = 6, 7, 8
NUMBER = re.compile(r"(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)[lLdD]?(?:[kKmMgGtTpP][bB])?(?![\w])")
_UNITS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
VARIABLE = re.compile(r"\$(?:\{([^}]+)\}|((?:[A-Za-z]\w*:(?!:))?\w+|[$?^_])(?!\w))")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}


class ExpressionParser:
    """Reads characters and expressions; statements come from the subclass."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    # --- reading characters ------------------------------------------------------------------------------------

    def fail(self, construct: str, at: int | None = None) -> SimulatorError:
        """Return the error that names a construct and its position."""
        at = self.at if at is None else at
        line = self.text.count("\n", 0, at) + 1
        column = at - (self.text.rfind("\n", 0, at) + 1) + 1
        return SimulatorError(f"PowerShell not understood: {construct} at line {line}, column {column}")

    def peek(self, count: int = 1) -> str:
        """Return the next characters."""
        return self.text[self.at : self.at + count]

    def skip(self, newlines: bool = False) -> None:
        """Skip blanks, comments, line continuations; newlines too if asked."""
        blank = r"[ \t\r\n]" if newlines else r"[ \t]|\r(?!\n)"
        match = re.compile(rf"(?:{blank}|`\r?\n|<#.*?#>|#[^\n\r]*)*", re.DOTALL).match(self.text, self.at)
        self.at = match.end()

    def skip_separators(self) -> None:
        """Skip newlines and semicolons between statements."""
        while True:
            self.skip(newlines=True)
            if self.peek() != ";":
                return
            self.at += 1

    def take(self, text: str) -> bool:
        """Take a fixed text if it is next."""
        if self.text.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def expect(self, text: str) -> None:
        """Take a fixed text or fail."""
        self.skip(newlines=True)
        if not self.take(text):
            raise self.fail(f"{self.peek(12)!r} where {text!r} is due")

    def word(self) -> str:
        """Return the bare word that is next, in lower case, without taking it."""
        match = re.compile(r"[A-Za-z][\w-]*").match(self.text, self.at)
        return match[0].lower() if match else ""

    def statement(self) -> n.Node:
        """Parse one statement."""
        raise NotImplementedError

    def statements(self, end: str) -> list[n.Node]:
        """Parse statements up to ``end``."""
        raise NotImplementedError

    def block_body(self, end: str) -> n.ScriptBlock:
        """Parse what is inside a script block."""
        raise NotImplementedError

    # --- expressions -------------------------------------------------------------------------------------------

    def operator(self) -> tuple[str, int, int] | None:
        """Return name, precedence and end of the binary operator that is next."""
        self.skip()
        match = re.compile(r"-([a-z]+)(?![\w])", re.IGNORECASE).match(self.text, self.at)
        if match:
            name = match[1].lower()
            if name == "f":
                return "f", _FORMAT, match.end()
            if name in _OPERATORS:
                return name, _OPERATORS[name], match.end()
            return None
        pair = self.peek(2)
        if pair == "..":
            return "..", _RANGE, self.at + 2
        char = self.peek()
        if char in ("+", "-") and pair not in ("++", "--", "+=", "-="):
            return char, 4, self.at + 1
        if char in ("*", "/", "%") and pair[1:] != "=":
            return char, 5, self.at + 1
        if char == ",":
            return ",", _COMMA, self.at + 1
        return None

    def expression(self, minimum: int = 1) -> n.Node:
        """Parse an expression whose operators bind at least as tightly as ``minimum``."""
        start = self.at
        left = self.unary()
        while True:
            mark = self.at
            found = self.operator()
            if found is None or found[1] < minimum:
                self.at = mark
                return left
            name, precedence, end = found
            self.at = end
            self.skip(newlines=True)
            right = self.expression(precedence + 1)
            if name == ",":
                if isinstance(left, n.ArrayLiteral) and left.at == start:
                    left.items.append(right)
                else:
                    left = n.ArrayLiteral([left, right], at=start)
            else:
                left = n.Binary(name, left, right, at=start)

    def unary(self) -> n.Node:
        """Parse unary operators and casts."""
        start = self.at
        match = re.compile(r"-(not|bnot|join|split)\b|!|--|\+\+|[-+](?=[^\s])|,", re.IGNORECASE).match(
            self.text, self.at
        )
        if match:
            operator = (match[1] or match[0]).lower()
            if operator in "+-" and NUMBER.match(self.text, match.end()):
                number = NUMBER.match(self.text, match.end())
                self.at = number.end()
                value = number_of(number[0])
                return self.postfix(n.Literal(-value if operator == "-" else value, at=start))
            self.at = match.end()
            self.skip(newlines=True)
            if operator == ",":
                return n.ArrayLiteral([self.expression(_COMMA + 1)], at=start)
            return n.Unary("not" if operator == "!" else operator, self.unary(), at=start)
        if self.peek() == "[":
            name = self.type_name()
            if self.peek(2) == "::" or self.peek() == ".":
                return self.postfix(n.TypeName(name, at=start))
            mark = self.at
            self.skip()
            if self.peek() and (self.peek() in "$('\"@[{-!" or self.peek().isdigit()) and self.operator() is None:
                return n.Cast(name, self.unary(), at=start)
            self.at = mark
            return n.TypeName(name, at=start)
        return self.postfix(self.primary())

    def type_name(self) -> str:
        """Parse ``[Type.Name]`` (also arrays, generics, attributes) and return what is inside."""
        start, depth = self.at + 1, 0
        while self.at < len(self.text):
            char = self.peek()
            depth += (char == "[") - (char == "]")
            self.at += 1
            if depth == 0:
                return self.text[start : self.at - 1].strip()
        raise self.fail("a type that does not end", start)

    def postfix(self, node: n.Node) -> n.Node:
        """Parse members, calls and indexes."""
        while True:
            start = self.at
            if self.peek() == "[":
                self.at += 1
                self.skip(newlines=True)
                index = self.expression()
                self.expect("]")
                node = n.Index(node, index, at=start)
                continue
            static = self.peek(2) == "::"
            if not static and not re.match(r"\.[\w'\"$({]", self.peek(2)):
                for operator in ("++", "--"):
                    if isinstance(node, (n.Variable, n.Member, n.Index)) and self.take(operator):
                        return n.Unary("post" + operator, node, at=start)
                return node
            self.at += 2 if static else 1
            self.skip(newlines=static)
            match = re.compile(r"\w+").match(self.text, self.at)
            if match:
                self.at = match.end()
                name: n.Node = n.Literal(match[0], at=start)
            else:
                name = self.primary()
            if self.peek() == "(":
                self.at += 1
                node = n.Call(node, name, self.call_arguments(), static, at=start)
            else:
                node = n.Member(node, name, static, at=start)

    def call_arguments(self) -> list[n.Node]:
        """Parse ``a, b)``."""
        arguments = []
        while True:
            self.skip(newlines=True)
            if self.take(")"):
                return arguments
            arguments.append(self.expression(_COMMA + 1) if True else None)
            self.skip(newlines=True)
            if not self.take(",") and self.peek() != ")":
                found = self.operator()
                raise self.fail(f"{self.peek(12)!r} in the arguments of a call" if found is None else repr(found[0]))

    def primary(self) -> n.Node:
        """Parse a literal, a variable, or something in brackets."""
        start, char = self.at, self.peek()
        if char == "$":
            if self.peek(2) == "$(":
                self.at += 2
                body = self.statements(")")
                self.expect(")")
                return n.SubExpression(body, at=start)
            match = VARIABLE.match(self.text, self.at)
            if not match:
                raise self.fail(repr(self.peek(12)))
            self.at = match.end()
            return n.Variable(match[1] or match[2], at=start)
        if char == "'":
            return n.Literal(self.single_quoted(), at=start)
        if char == '"':
            return self.double_quoted()
        if char == "(":
            self.at += 1
            self.skip(newlines=True)
            inner = self.statement()
            self.expect(")")
            return n.Paren(inner, at=start)
        if char == "{":
            self.at += 1
            block = self.block_body("}")
            self.expect("}")
            block.text = self.text[start + 1 : self.at - 1]
            return block
        if self.peek(2) == "@(":
            self.at += 2
            body = self.statements(")")
            self.expect(")")
            return n.ArrayExpression(body, at=start)
        if self.peek(2) == "@{":
            return self.hash_literal()
        if self.peek(2) in ("@'", '@"'):
            return self.here_string()
        number = NUMBER.match(self.text, self.at)
        if number:
            self.at = number.end()
            return n.Literal(number_of(number[0]), at=start)
        if char == "[":
            return n.TypeName(self.type_name(), at=start)
        raise self.fail(repr(self.peek(12)))

    def hash_literal(self) -> n.Node:
        """Parse ``@{ key = value; ... }``."""
        start = self.at
        self.at += 2
        pairs = []
        while True:
            self.skip_separators()
            if self.take("}"):
                return n.HashLiteral(pairs, at=start)
            match = re.compile(r"[\w-]+(?=\s*=)").match(self.text, self.at)
            if match:
                self.at = match.end()
                key: n.Node = n.Literal(match[0], at=start)
            else:
                key = self.primary()
            self.expect("=")
            self.skip(newlines=True)
            pairs.append((key, self.statement()))

    def here_string(self) -> n.Node:
        """Parse ``@'...'@`` and ``@"..."@``."""
        start, quote = self.at, self.text[self.at + 1]
        match = re.compile(rf"@{quote}[ \t]*\r?\n(.*?)\r?\n{quote}@", re.DOTALL).match(self.text, self.at)
        if not match:
            raise self.fail("a here-string that does not end")
        self.at = match.end()
        return n.Literal(match[1], at=start) if quote == "'" else self.expand(match[1], start, here=True)

    def single_quoted(self) -> str:
        """Parse ``'...'``."""
        match = re.compile(r"'((?:[^']|'')*)'").match(self.text, self.at)
        if not match:
            raise self.fail("a string that does not end")
        self.at = match.end()
        return match[1].replace("''", "'")

    def double_quoted(self) -> n.Node:
        """Parse ``"..."``; ``$( )`` in it may hold quotes."""
        start = self.at
        self.at += 1
        depth = 0
        while True:
            char = self.peek()
            if not char:
                raise self.fail("a string that does not end", start)
            if char == "`":
                self.at += 2
                continue
            if self.peek(2) == "$(" or (depth and char == "("):
                depth += 1
                self.at += 2 if char == "$" else 1
                continue
            if depth and char == ")":
                depth -= 1
            elif char == '"' and not depth:
                if self.peek(2) == '""':
                    self.at += 2
                    continue
                break
            self.at += 1
        self.at += 1
        return self.expand(self.text[start + 1 : self.at - 1], start)

    def expand(self, text: str, start: int, here: bool = False) -> n.Node:
        """Split the inside of a double-quoted string into texts and nodes."""
        parts: list[n.Node | str] = []
        inner = type(self)(text)
        while inner.at < len(text):
            char = inner.peek()
            if char == "`":
                follower = text[inner.at + 1 : inner.at + 2]
                parts.append(_ESCAPES.get(follower, follower))
                inner.at += 2
            elif char == '"' and not here:
                parts.append('"')
                inner.at += 2
            elif char == "$" and (inner.peek(2) == "$(" or VARIABLE.match(text, inner.at)):
                parts.append(inner.primary())
            else:
                parts.append(char)
                inner.at += 1
        if all(isinstance(part, str) for part in parts):
            return n.Literal("".join(parts), at=start)
        return n.Expandable(parts, at=start)


def number_of(text: str) -> int | float:
    """Return the value of a number literal."""
    lowered, unit = text.lower(), 1
    if lowered[-2:] in _UNITS and not lowered.startswith("0x"):
        unit, lowered = _UNITS[lowered[-2:]], lowered[:-2]
    if lowered.startswith("0x"):
        return int(lowered.rstrip("l"), 16)
    lowered = lowered.rstrip("ld")
    return float(lowered) * unit if "." in lowered or "e" in lowered else int(lowered) * unit
