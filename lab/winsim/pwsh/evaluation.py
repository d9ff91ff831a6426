"""Evaluates the expressions of the PowerShell subset."""

from __future__ import annotations

from typing import Any

from lab.winsim.pwsh import nodes as n
from lab.winsim.pwsh.values import (
    Block,
    ErrorRecord,
    Hashtable,
    PSObject,
    Table,
    Terminating,
    TypeRef,
    listed,
    number,
    text_of,
    truth,
)


class ExpressionMixin:
    """The part of the interpreter that evaluates expressions."""

    # --- expressions -------------------------------------------------------------------------------------------

    def value(self, node: n.Node) -> Any:
        """Return the value of an expression."""
        method = getattr(self, "_value_" + type(node).__name__.lower(), None)
        if method is None:
            return self.collect(node)
        return method(node)

    def _value_literal(self, node: n.Literal) -> Any:
        return node.value

    def _value_expandable(self, node: n.Expandable) -> str:
        return "".join(part if isinstance(part, str) else text_of(self.value(part)) for part in node.parts)

    def _value_variable(self, node: n.Variable) -> Any:
        return self.lookup(node.name)

    def _value_typename(self, node: n.TypeName) -> TypeRef:
        return TypeRef(node.name)

    def _value_arrayliteral(self, node: n.ArrayLiteral) -> list[Any]:
        return [self.value(item) for item in node.items]

    def _value_arrayexpression(self, node: n.ArrayExpression) -> list[Any]:
        output: list[Any] = []
        if len(node.body) == 1 and isinstance(node.body[0], n.ArrayLiteral):
            return self._value_arrayliteral(node.body[0])
        self.run(node.body, output.append)
        return output

    def _value_subexpression(self, node: n.SubExpression) -> Any:
        output: list[Any] = []
        self.run(node.body, output.append)
        return None if not output else output[0] if len(output) == 1 else output

    def _value_paren(self, node: n.Paren) -> Any:
        if isinstance(node.inner, n.Assign):
            self.statement(node.inner, lambda value: None)
            return self.value(node.inner.target)
        return self.collect(node.inner)

    def _value_hashliteral(self, node: n.HashLiteral) -> Hashtable:
        return Hashtable([(self.value(key), self.collect(value)) for key, value in node.pairs])

    def _value_scriptblock(self, node: n.ScriptBlock) -> Block:
        return Block(node)

    def _value_cast(self, node: n.Cast) -> Any:
        from lab.winsim.pwsh import dotnet

        return dotnet.cast(self, node.type, self.value(node.operand), node)

    def _value_member(self, node: n.Member) -> Any:
        from lab.winsim.pwsh import dotnet

        owner, name = self.value(node.target), text_of(self.value(node.name))
        if node.static:
            return dotnet.get_static(self, owner, name, node)
        return dotnet.get_member(self, owner, name, node)

    def _value_call(self, node: n.Call) -> Any:
        from lab.winsim.pwsh import dotnet

        owner, name = self.value(node.target), text_of(self.value(node.name))
        arguments = [self.value(argument) for argument in node.arguments]
        if node.static:
            return dotnet.call_static(self, owner, name, arguments, node)
        return dotnet.call_method(self, owner, name, arguments, node)

    def _value_index(self, node: n.Index) -> Any:
        container, index = self.value(node.target), self.value(node.index)
        if isinstance(container, Table):
            return container.get(index)
        if container is None:
            raise Terminating(ErrorRecord("Cannot index into a null array.", "NullArray", "InvalidOperation"))
        if isinstance(index, list):
            return [
                container[int(number(item))] for item in index if -len(container) <= int(number(item)) < len(container)
            ]
        if isinstance(container, (list, str, bytes)):
            position = int(number(index))
            return container[position] if -len(container) <= position < len(container) else None
        if isinstance(container, PSObject) and "Item" in container.methods:
            return container.methods["Item"](index)
        raise self.fail("an index of this object", node)

    def _value_unary(self, node: n.Unary) -> Any:
        if node.operator in ("++", "--", "post++", "post--"):
            before = number(self.value(node.operand))
            after = before + (1 if "+" in node.operator else -1)
            self._store(node.operand, after)
            return before if node.operator.startswith("post") else after
        value = self.value(node.operand)
        if node.operator == "not":
            return not truth(value)
        if node.operator == "-":
            return -number(value)
        if node.operator == "+":
            return number(value)
        if node.operator == "join":
            return "".join(text_of(item) for item in listed(value))
        if node.operator == "split":
            return text_of(value).split()
        if node.operator == "bnot":
            return ~int(number(value))
        raise self.fail(f"operator {node.operator}", node)

    def _value_binary(self, node: n.Binary) -> Any:
        if node.operator == "and":
            return truth(self.value(node.left)) and truth(self.value(node.right))
        if node.operator == "or":
            return truth(self.value(node.left)) or truth(self.value(node.right))
        return self.binary(node.operator, self.value(node.left), self.value(node.right), node)

    def binary(self, operator: str, left: Any, right: Any, node: n.Node) -> Any:
        """Apply a binary operator."""
        from lab.winsim.pwsh import operators

        return operators.apply(self, operator, left, right, node)
