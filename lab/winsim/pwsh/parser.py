"""Reads the PowerShell subset into a tree; what it does not know it names with its position."""

from __future__ import annotations

import re

from winsim.pwsh import nodes as n
from winsim.runtime import SimulatorError

_COMPARISONS = (
    "eq ne gt ge lt le like notlike match notmatch contains notcontains in notin is isnot as replace split join"
).split()
_OPERATORS: dict[str, int] = {"and": 1, "or": 1, "xor": 1, "band": 2, "bor": 2, "bxor": 2, "shl": 2, "shr": 2}
for _name in _COMPARISONS:
    for _prefix in ("", "c", "i"):
        _OPERATORS.setdefault(_prefix + _name, 3)
_FORMAT, _RANGE, _COMMA = 6, 7, 8
_STATEMENT_WORDS = {"if", "foreach", "for", "while", "do", "try", "switch", "function", "filter", "param", "trap"}
_FLOW_WORDS = {"return", "exit", "throw", "break", "continue"}
_ASSIGN = re.compile(r"(\+|-|\*|/|%|\?\?)?=(?!=)")
_NUMBER = re.compile(r"(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:e[+-]?\d+)?)[lLdD]?(?:[kKmMgGtTpP][bB])?(?![\w])")
_UNITS = {"kb": 2**10, "mb": 2**20, "gb": 2**30, "tb": 2**40, "pb": 2**50}
_VARIABLE = re.compile(r"\$(?:\{([^}]+)\}|((?:[A-Za-z]\w*:(?!:))?\w+|[$?^_])(?!\w))")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_WORD_END = set(" \t\r\n;|&(){}<>,")


class Parser:
    """Parses one script text."""

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
        match = re.compile(rf"(?:{blank}|`\r?\n|<#.*?#>|#[^\n\r]*)*", re.S).match(self.text, self.at)
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

    # --- statements --------------------------------------------------------------------------------------------

    def parse(self) -> n.ScriptBlock:
        """Parse the whole text."""
        block = self.block_body("")
        if self.at < len(self.text):
            raise self.fail(repr(self.peek(12)))
        return block

    def block_body(self, end: str) -> n.ScriptBlock:
        """Parse an optional param block and statements up to ``end``."""
        start = self.at
        parameters: list[tuple[str, n.Node | None]] = []
        self.skip_separators()
        while self.take("[CmdletBinding()]"):
            self.skip_separators()
        if self.word() == "param":
            self.at += 5
            self.expect("(")
            parameters = self.parameter_list()
        body = self.statements(end)
        return n.ScriptBlock(body, parameters, self.text[start : self.at], at=start)

    def parameter_list(self) -> list[tuple[str, n.Node | None]]:
        """Parse ``[type]$name = default, ...)``."""
        parameters = []
        while True:
            self.skip(newlines=True)
            if self.take(")"):
                return parameters
            while self.peek() == "[":
                self.type_name()
                self.skip(newlines=True)
            match = _VARIABLE.match(self.text, self.at)
            if not match:
                raise self.fail(f"parameter {self.peek(12)!r}")
            self.at = match.end()
            self.skip(newlines=True)
            default = None
            if self.take("="):
                self.skip(newlines=True)
                default = self.expression(_COMMA + 1)
                self.skip(newlines=True)
            parameters.append((match[1] or match[2], default))
            self.take(",")

    def statements(self, end: str) -> list[n.Node]:
        """Parse statements up to ``end`` (not taken) or the end of the text."""
        found = []
        while True:
            self.skip_separators()
            if self.at >= len(self.text) or (end and self.peek() == end):
                return found
            found.append(self.statement())
            self.skip()
            if self.at < len(self.text) and self.peek() not in "\r\n;" and self.peek() != end and not self.ended():
                raise self.fail(repr(self.peek(12)))

    def ended(self) -> bool:
        """True after a closing brace, which needs no separator."""
        return self.text[self.at - 1 : self.at] in ("}", "\n") or self.text[: self.at].rstrip(" \t").endswith("}")

    def braces(self) -> list[n.Node]:
        """Parse ``{ statements }``."""
        self.expect("{")
        body = self.statements("}")
        self.expect("}")
        return body

    def condition(self) -> n.Node:
        """Parse ``( pipeline )``."""
        self.expect("(")
        self.skip(newlines=True)
        inner = self.statement()
        self.expect(")")
        return inner

    def statement(self) -> n.Node:
        """Parse one statement."""
        start, word = self.at, self.word()
        if word in _STATEMENT_WORDS and self.text[self.at + len(word) : self.at + len(word) + 1] in " \t\r\n({":
            handler = getattr(self, f"_{word}", None)
            if handler is None:
                raise self.fail(f"statement {word!r}")
            self.at += len(word)
            node = handler()
            node.at = start
            return node
        if word in _FLOW_WORDS:
            self.at += len(word)
            self.skip()
            value = None
            if self.peek() not in ("", "\n", "\r", ";", "}", ")"):
                value = self.statement()
            return n.Flow(word, value, at=start)
        return self.pipeline()

    def _if(self) -> n.Node:
        branches = [(self.condition(), self.braces())]
        while True:
            mark = self.at
            self.skip(newlines=True)
            if self.word() == "elseif":
                self.at += 6
                branches.append((self.condition(), self.braces()))
            elif self.word() == "else":
                self.at += 4
                return n.If(branches, self.braces())
            else:
                self.at = mark
                return n.If(branches, [])

    def _foreach(self) -> n.Node:
        self.expect("(")
        self.skip(newlines=True)
        match = _VARIABLE.match(self.text, self.at)
        if not match:
            raise self.fail("foreach without a variable")
        self.at = match.end()
        self.skip(newlines=True)
        if self.word() != "in":
            raise self.fail("foreach without 'in'")
        self.at += 2
        self.skip(newlines=True)
        items = self.statement()
        self.expect(")")
        return n.Foreach(match[2] or match[1], items, self.braces())

    def _for(self) -> n.Node:
        self.expect("(")
        parts: list[n.Node | None] = []
        for end in (";", ";", ")"):
            self.skip(newlines=True)
            parts.append(None if self.peek() == end else self.statement())
            self.expect(end)
        return n.For(parts[0], parts[1], parts[2], self.braces())

    def _while(self) -> n.Node:
        return n.While(self.condition(), self.braces())

    def _do(self) -> n.Node:
        body = self.braces()
        self.skip(newlines=True)
        word = self.word()
        if word not in ("while", "until"):
            raise self.fail("do without while")
        self.at += len(word)
        return n.While(self.condition(), body, until=word == "until", first=True)

    def _try(self) -> n.Node:
        body = self.braces()
        catches: list[tuple[list[str], list[n.Node]]] = []
        final: list[n.Node] = []
        while True:
            mark = self.at
            self.skip(newlines=True)
            word = self.word()
            if word == "catch":
                self.at += 5
                types = []
                self.skip(newlines=True)
                while self.peek() == "[":
                    types.append(self.type_name())
                    self.skip(newlines=True)
                    self.take(",")
                    self.skip(newlines=True)
                catches.append((types, self.braces()))
            elif word == "finally":
                self.at += 7
                final = self.braces()
            else:
                self.at = mark
                return n.Try(body, catches, final)

    def _switch(self) -> n.Node:
        subject = self.condition()
        self.expect("{")
        cases: list[tuple[n.Node | None, list[n.Node]]] = []
        while True:
            self.skip_separators()
            if self.take("}"):
                return n.Switch(subject, cases)
            if self.word() == "default":
                self.at += 7
                cases.append((None, self.braces()))
                continue
            test = self.bare_value() if self.peek().isalpha() else self.expression()
            cases.append((test, self.braces()))

    def _function(self) -> n.Node:
        self.skip()
        match = re.compile(r"[\w:-]+").match(self.text, self.at)
        if not match:
            raise self.fail("function without a name")
        self.at = match.end()
        self.skip(newlines=True)
        parameters = []
        if self.take("("):
            parameters = self.parameter_list()
        self.expect("{")
        block = self.block_body("}")
        self.expect("}")
        block.parameters = parameters or block.parameters
        return n.Function(match[0], block)

    # --- pipelines and commands --------------------------------------------------------------------------------

    def pipeline(self) -> n.Node:
        """Parse an assignment or a pipeline."""
        start = self.at
        first = self.pipeline_element()
        self.skip()
        assign = _ASSIGN.match(self.text, self.at)
        if assign and isinstance(first, (n.Variable, n.Member, n.Index, n.Cast, n.ArrayLiteral)):
            self.at = assign.end()
            self.skip(newlines=True)
            return n.Assign(first, assign[0], self.statement(), at=start)
        elements = [first]
        while self.peek() == "|" and self.peek(2) != "||":
            self.at += 1
            self.skip(newlines=True)
            elements.append(self.pipeline_element())
            self.skip()
        if self.peek(2) in ("&&", "||"):
            raise self.fail(f"operator {self.peek(2)!r} (no such operator in Windows PowerShell)")
        return elements[0] if len(elements) == 1 else n.Pipeline(elements, at=start)

    def pipeline_element(self) -> n.Node:
        """Parse a command or an expression."""
        char, pair = self.peek(), self.peek(2)
        if pair == "&&":
            raise self.fail("operator '&&'")
        if char == "&" or (char == "." and re.match(r"\.[ \t{$('\"]", self.text[self.at : self.at + 2])):
            self.at += 1
            self.skip()
            return self.command(char)
        if char and (char in "$('\"@{[!" or _NUMBER.match(self.text, self.at) or self.starts_expression()):
            start = self.at
            value = self.expression()
            self.skip()
            redirects = self.redirections()
            return n.Redirected(value, redirects, at=start) if redirects else value
        return self.command("")

    def starts_expression(self) -> bool:
        """True for unary operators."""
        return re.match(r"-(?:not|bnot|join|split)\b|--|\+\+|[-+](?=[\d$(.])|!|,", self.text[self.at : self.at + 8], re.I) is not None

    def command(self, operator: str) -> n.Node:
        """Parse a command with its arguments."""
        start = self.at
        name: n.Node
        if operator:
            name = self.primary() if self.peek() in "$({'\"[@" else self.bare_value()
        else:
            name = self.bare_value()
        arguments: list[n.Argument] = []
        redirects: list[n.Redirect] = []
        while True:
            self.skip()
            found = self.redirections()
            if found:
                redirects += found
                continue
            char = self.peek()
            if char in ("", "\n", "\r", ";", "|", ")", "}"):
                return n.Command(name, arguments, redirects, operator, at=start)
            if char == "&":
                raise self.fail("operator '&' after a command")
            arguments.append(self.argument())

    def redirections(self) -> list[n.Redirect]:
        """Parse redirections, if any are next."""
        found = []
        while True:
            self.skip()
            match = re.compile(r"([1-6*])?>(>)?(?:&(1))?").match(self.text, self.at)
            if not match:
                return found
            self.at = match.end()
            self.skip()
            target = None if match[3] else self.argument_value()
            found.append(n.Redirect(match[1] or "1", target, bool(match[2])))

    def argument(self) -> n.Argument:
        """Parse one argument of a command."""
        start = self.at
        match = re.compile(r"-([A-Za-z_?][\w-]*)(:)?(?=$|[\s;|)}(,'\"$@{]|:)").match(self.text, self.at)
        if match:
            self.at = match.end()
            value = None
            if match[2]:
                self.skip()
                value = self.argument_list()
            return n.Argument(match[1], value, self.text[start : self.at], at=start)
        value = self.argument_list()
        return n.Argument(None, value, self.text[start : self.at], at=start)

    def argument_list(self) -> n.Node:
        """Parse ``value, value, ...``."""
        start = self.at
        items = [self.argument_value()]
        while True:
            mark = self.at
            self.skip()
            if not self.take(","):
                self.at = mark
                return items[0] if len(items) == 1 else n.ArrayLiteral(items, at=start)
            self.skip(newlines=True)
            items.append(self.argument_value())

    def argument_value(self) -> n.Node:
        """Parse one value of a command line: an expression without operators, or a bare word."""
        char, mark = self.peek(), self.at
        if char == "@" and re.match(r"@\w", self.text[self.at : self.at + 2]):
            match = re.compile(r"@(\w+)").match(self.text, self.at)
            self.at = match.end()
            return n.Variable(match[1], splat=True, at=mark)
        if char in "$('\"@{":
            value = self.postfix(self.primary())
            if not self.peek() or self.peek() in _WORD_END:
                return value
            if char in "$\"'":  # $x\more: one string
                self.at = mark
                return self.bare_value()
            raise self.fail(f"argument {self.text[mark : self.at + 8]!r}", mark)
        number = _NUMBER.match(self.text, self.at)
        if number and self.text[number.end() : number.end() + 1] in ("", *_WORD_END):
            self.at = number.end()
            return n.Literal(number_of(number[0]), at=mark)
        return self.bare_value()

    def bare_value(self) -> n.Node:
        """Parse a bare word; variables in it are filled in."""
        start, parts = self.at, []
        while self.at < len(self.text):
            char = self.peek()
            if char in _WORD_END and not (char == "," and not parts):
                break
            if char == "`":
                parts.append(self.text[self.at + 1 : self.at + 2])
                self.at += 2
            elif char == "'":
                parts.append(self.single_quoted())
            elif char == '"':
                quoted = self.double_quoted()
                parts += quoted.parts if isinstance(quoted, n.Expandable) else [quoted.value]
            elif char == "$" and _VARIABLE.match(self.text, self.at):
                parts.append(self.primary())
            elif char == "$" and self.peek(2) == "$(":
                parts.append(self.primary())
            else:
                parts.append(char)
                self.at += 1
        if self.at == start:
            raise self.fail(repr(self.peek(12)))
        if all(isinstance(part, str) for part in parts):
            return n.Literal("".join(parts), at=start)
        return n.Expandable(parts, at=start)

    # --- expressions -------------------------------------------------------------------------------------------

    def operator(self) -> tuple[str, int, int] | None:
        """Return name, precedence and end of the binary operator that is next."""
        self.skip()
        match = re.compile(r"-([a-z]+)(?![\w])", re.I).match(self.text, self.at)
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
        match = re.compile(r"-(not|bnot|join|split)\b|!|--|\+\+|[-+](?=[^\s])|,", re.I).match(self.text, self.at)
        if match:
            operator = (match[1] or match[0]).lower()
            if operator in "+-" and _NUMBER.match(self.text, match.end()):
                number = _NUMBER.match(self.text, match.end())
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
            match = _VARIABLE.match(self.text, self.at)
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
        number = _NUMBER.match(self.text, self.at)
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
        match = re.compile(rf"@{quote}[ \t]*\r?\n(.*?)\r?\n{quote}@", re.S).match(self.text, self.at)
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
        inner = Parser(text)
        while inner.at < len(text):
            char = inner.peek()
            if char == "`":
                follower = text[inner.at + 1 : inner.at + 2]
                parts.append(_ESCAPES.get(follower, follower))
                inner.at += 2
            elif char == '"' and not here:
                parts.append('"')
                inner.at += 2
            elif char == "$" and (inner.peek(2) == "$(" or _VARIABLE.match(text, inner.at)):
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
