"""The syntax tree of the PowerShell subset."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Node:
    """A piece of a script; ``at`` is its offset in the text."""

    at: int = field(default=0, kw_only=True)


@dataclass
class Literal(Node):
    value: Any


@dataclass
class Expandable(Node):
    """A string with parts to fill in: texts and nodes."""

    parts: list[Any]


@dataclass
class Variable(Node):
    name: str  # with scope or drive, for example env:Path
    splat: bool = False


@dataclass
class TypeName(Node):
    name: str


@dataclass
class ArrayLiteral(Node):
    items: list[Node]


@dataclass
class ArrayExpression(Node):
    body: list[Node]


@dataclass
class SubExpression(Node):
    body: list[Node]


@dataclass
class Paren(Node):
    inner: Node


@dataclass
class HashLiteral(Node):
    pairs: list[tuple[Node, Node]]


@dataclass
class ScriptBlock(Node):
    body: list[Node]
    parameters: list[tuple[str, Node | None]]
    text: str = ""


@dataclass
class Member(Node):
    target: Node
    name: Node
    static: bool = False


@dataclass
class Call(Node):
    """A method call."""

    target: Node
    name: Node
    arguments: list[Node]
    static: bool = False


@dataclass
class Index(Node):
    target: Node
    index: Node


@dataclass
class Unary(Node):
    operator: str
    operand: Node


@dataclass
class Binary(Node):
    operator: str
    left: Node
    right: Node


@dataclass
class Cast(Node):
    type: str
    operand: Node


@dataclass
class Argument(Node):
    """One argument of a command: a parameter name, a value, or both (``-Name:value``)."""

    parameter: str | None
    value: Node | None
    raw: str = ""


@dataclass
class Redirect(Node):
    stream: str  # 1 2 3 4 5 6 *
    target: Node | None  # None: merge into 1
    append: bool = False


@dataclass
class Command(Node):
    name: Node
    arguments: list[Argument]
    redirects: list[Redirect]
    operator: str = ""  # & or .


@dataclass
class Pipeline(Node):
    elements: list[Node]


@dataclass
class Redirected(Node):
    """An expression with redirections."""

    inner: Node
    redirects: list[Redirect]


@dataclass
class Assign(Node):
    target: Node
    operator: str
    value: Node


@dataclass
class If(Node):
    branches: list[tuple[Node, list[Node]]]
    otherwise: list[Node]


@dataclass
class Foreach(Node):
    variable: str
    items: Node
    body: list[Node]


@dataclass
class For(Node):
    start: Node | None
    test: Node | None
    step: Node | None
    body: list[Node]


@dataclass
class While(Node):
    test: Node
    body: list[Node]
    until: bool = False
    first: bool = False  # do ... while: the body runs first


@dataclass
class Try(Node):
    body: list[Node]
    catches: list[tuple[list[str], list[Node]]]
    final: list[Node]


@dataclass
class Switch(Node):
    subject: Node
    cases: list[tuple[Node | None, list[Node]]]


@dataclass
class Function(Node):
    name: str
    block: ScriptBlock


@dataclass
class Flow(Node):
    """return, exit, throw, break, continue."""

    kind: str
    value: Node | None = None
