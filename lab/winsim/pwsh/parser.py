"""Reads the PowerShell subset into a tree; what it does not know it names with its position."""

from __future__ import annotations

import re

from lab.winsim.pwsh import nodes as n
from lab.winsim.pwsh.expressions import NUMBER, VARIABLE, ExpressionParser, number_of

_STATEMENT_WORDS = {"if", "foreach", "for", "while", "do", "try", "switch", "function", "filter", "param", "trap"}
_FLOW_WORDS = {"return", "exit", "throw", "break", "continue"}
_ASSIGN = re.compile(r"(\+|-|\*|/|%|\?\?)?=(?!=)")
_WORD_END = set(" \t\r\n;|&(){}<>,")
_COMMA = 8


class Parser(ExpressionParser):
    """Parses one script text."""

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
            match = VARIABLE.match(self.text, self.at)
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
        match = VARIABLE.match(self.text, self.at)
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
        if char and (char in "$('\"@{[!" or NUMBER.match(self.text, self.at) or self.starts_expression()):
            start = self.at
            value = self.expression()
            self.skip()
            redirects = self.redirections()
            return n.Redirected(value, redirects, at=start) if redirects else value
        return self.command("")

    def starts_expression(self) -> bool:
        """True for unary operators."""
        return (
            re.match(
                r"-(?:not|bnot|join|split)\b|--|\+\+|[-+](?=[\d$(.])|!|,",
                self.text[self.at : self.at + 8],
                re.IGNORECASE,
            )
            is not None
        )

    def command(self, operator: str) -> n.Node:
        """Parse a command with its arguments."""
        start = self.at
        name: n.Node
        expression = operator and self.peek() in "$({'\"[@"
        name = self.primary() if expression else self.bare_value()
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
        number = NUMBER.match(self.text, self.at)
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
            elif char == "$" and VARIABLE.match(self.text, self.at) or char == "$" and self.peek(2) == "$(":
                parts.append(self.primary())
            else:
                parts.append(char)
                self.at += 1
        if self.at == start:
            raise self.fail(repr(self.peek(12)))
        if all(isinstance(part, str) for part in parts):
            return n.Literal("".join(parts), at=start)
        return n.Expandable(parts, at=start)
