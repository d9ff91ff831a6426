"""The binary operators of the PowerShell subset."""

from __future__ import annotations

import re
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
    compare,
    listed,
    number,
    same,
    text_of,
    truth,
    wildcard,
)


def apply(interpreter: Any, operator: str, left: Any, right: Any, node: n.Node) -> Any:
    """Return the value of ``left operator right``.

    Raises:
        Terminating: the values do not fit the operator.
    """
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](left, right)
    if operator == "f":
        return format_string(text_of(left), listed(right))
    if operator == "..":
        first, last = int(number(left)), int(number(right))
        return list(range(first, last + 1)) if first <= last else list(range(first, last - 1, -1))
    if operator == "xor":
        return truth(left) != truth(right)
    if operator in ("band", "bor", "bxor", "shl", "shr"):
        return _bits(operator, int(number(left)), int(number(right)))
    case = operator.startswith("c") and operator not in ("contains",)
    name = operator if operator in _COMPARISONS or operator in _OTHERS else operator[1:]
    if name in _COMPARISONS:
        test = _COMPARISONS[name]
        if isinstance(left, list):
            return [item for item in left if test(item, right, case)]
        if name in ("match", "notmatch"):
            return _match(interpreter, text_of(left), text_of(right), case, name == "notmatch")
        return test(left, right, case)
    if name in _OTHERS:
        return _OTHERS[name](interpreter, left, right, case, node)
    raise interpreter.fail(f"operator -{operator}", node)


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, list):
        return left + listed(right) if right is not None else [*left, None]
    if isinstance(left, str):
        return left + text_of(right)
    if isinstance(left, Hashtable) and isinstance(right, Hashtable):
        return Hashtable([*left.items(), *right.items()])
    if left is None:
        return right
    return number(left) + number(right)


def _multiply(left: Any, right: Any) -> Any:
    if isinstance(left, (str, list)):
        return left * int(number(right))
    return number(left) * number(right)


def _divide(left: Any, right: Any) -> Any:
    a, b = number(left), number(right)
    if b == 0:
        raise Terminating(ErrorRecord("Attempted to divide by zero.", "RuntimeException"))
    value = a / b
    return int(value) if value == int(value) and not isinstance(a, float) else value


_ARITHMETIC = {
    "+": _add,
    "-": lambda left, right: number(left) - number(right),
    "*": _multiply,
    "/": _divide,
    "%": lambda left, right: number(left) - number(right) * int(number(left) / number(right)),
}


def _bits(operator: str, left: int, right: int) -> int:
    return {
        "band": left & right,
        "bor": left | right,
        "bxor": left ^ right,
        "shl": left << right,
        "shr": left >> right,
    }[operator]


def _like(left: Any, right: Any, case: bool) -> bool:
    pattern = wildcard(text_of(right))
    return (re.compile(pattern.pattern, re.DOTALL) if case else pattern).match(text_of(left)) is not None


def _matches(left: Any, right: Any, case: bool) -> bool:
    return dotnet_regex(text_of(right), case).search(text_of(left)) is not None


def dotnet_regex(pattern: str, case: bool) -> re.Pattern[str]:
    """Return a .NET pattern as a Python one (named groups are the difference that matters).

    Raises:
        Terminating: the pattern is not valid.
    """
    try:
        return re.compile(re.sub(r"\(\?<(?=[A-Za-z_])", "(?P<", pattern), 0 if case else re.IGNORECASE)
    except re.error as error:
        raise Terminating(ErrorRecord(f'parsing "{pattern}" - {error}', "RuntimeException")) from error


def _match(interpreter: Any, text: str, pattern: str, case: bool, negative: bool) -> bool:
    found = dotnet_regex(pattern, case).search(text)
    if found is None:
        return negative
    groups = Hashtable({0: found[0]})
    for index, group in enumerate(found.groups(), 1):
        if group is not None:
            groups[index] = group
    for name, group in found.groupdict().items():
        if group is not None:
            groups[name] = group
    interpreter.scopes[-1]["Matches"] = groups
    return not negative


_COMPARISONS: dict[str, Any] = {
    "eq": same,
    "ne": lambda left, right, case: not same(left, right, case),
    "gt": lambda left, right, case: compare(left, right) > 0,
    "ge": lambda left, right, case: compare(left, right) >= 0,
    "lt": lambda left, right, case: compare(left, right) < 0,
    "le": lambda left, right, case: compare(left, right) <= 0,
    "like": _like,
    "notlike": lambda left, right, case: not _like(left, right, case),
    "match": _matches,
    "notmatch": lambda left, right, case: not _matches(left, right, case),
}


def _contains(interpreter: Any, left: Any, right: Any, case: bool, node: n.Node) -> bool:
    return any(same(item, right, case) for item in listed(left))


def _join(interpreter: Any, left: Any, right: Any, case: bool, node: n.Node) -> str:
    return text_of(right).join(text_of(item) for item in listed(left))


def _split(interpreter: Any, left: Any, right: Any, case: bool, node: n.Node) -> list[str]:
    pattern, *more = listed(right)
    count = int(number(more[0])) if more else 0
    result: list[str] = []
    for item in listed(left):
        result += dotnet_regex(text_of(pattern), case).split(text_of(item), max(count - 1, 0))
    return result


def _replace(interpreter: Any, left: Any, right: Any, case: bool, node: n.Node) -> Any:
    pattern, *more = listed(right)
    text = text_of(more[0]) if more else ""
    replacement = re.sub(
        r"\$(?:\{(\w+)\}|(\d+)|\$)",
        lambda m: rf"\g<{m[1] or m[2]}>" if m[1] or m[2] else "$",
        text.replace("\\", "\\\\"),
    )
    regex = dotnet_regex(text_of(pattern), case)
    if isinstance(left, list):
        return [regex.sub(replacement, text_of(item)) for item in left]
    return regex.sub(replacement, text_of(left))


def type_test(value: Any, target: TypeRef) -> bool | None:
    """Return whether a value is of a type; None if the type is not known."""
    key = target.key.rsplit(".", 1)[-1]
    tests: dict[str, Any] = {
        "string": str,
        "int": int,
        "int32": int,
        "int64": int,
        "long": int,
        "double": float,
        "hashtable": Hashtable,
        "idictionary": Table,
        "scriptblock": Block,
        "pscustomobject": PSObject,
        "psobject": PSObject,
        "array": list,
        "object[]": list,
    }
    if key in ("bool", "boolean"):
        return isinstance(value, bool)
    if key not in tests:
        return None
    return isinstance(value, tests[key]) and not (tests[key] is int and isinstance(value, bool))


def _is(interpreter: Any, left: Any, right: Any, case: bool, node: n.Node) -> bool:
    result = type_test(left, right) if isinstance(right, TypeRef) else None
    if result is None:
        raise interpreter.fail(f"-is with {text_of(right)}", node)
    return result


def _as(interpreter: Any, left: Any, right: Any, case: bool, node: n.Node) -> Any:
    from lab.winsim.pwsh import dotnet

    try:
        return dotnet.cast(interpreter, right.name, left, node)
    except Terminating:
        return None


_OTHERS: dict[str, Any] = {
    "contains": _contains,
    "notcontains": lambda *args: not _contains(*args),
    "in": lambda interpreter, left, right, case, node: _contains(interpreter, right, left, case, node),
    "notin": lambda interpreter, left, right, case, node: not _contains(interpreter, right, left, case, node),
    "join": _join,
    "split": _split,
    "replace": _replace,
    "is": _is,
    "isnot": lambda *args: not _is(*args),
    "as": _as,
}


def format_string(template: str, values: list[Any]) -> str:
    """Return the result of the ``-f`` operator ({0}, {0,5}, {0:N2}, {0:D3}, {0:X2} and date formats of digits).

    Raises:
        Terminating: an index without a value, or a format that is not known.
    """

    def fill(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        index = int(match[1])
        if index >= len(values):
            message = "Error formatting a string: Index (zero based) must be greater than or equal to zero and less than the size of the argument list.."
            raise Terminating(ErrorRecord(message, "FormatError", "InvalidOperation", template))
        text = _formatted(values[index], match[3] or "")
        width = int(match[2] or 0)
        return text.rjust(width) if width >= 0 else text.ljust(-width)

    return re.sub(r"\{\{|\}\}|\{(\d+)(?:,(-?\d+))?(?::([^}]*))?\}", fill, template)


def _formatted(value: Any, spec: str) -> str:
    if not spec:
        return text_of(value)
    match = re.fullmatch(r"([NDXFnxf])(\d*)", spec)
    if match and isinstance(value, (int, float)):
        digits = int(match[2] or (2 if match[1] in "NnFf" else 0))
        kind = match[1].upper()
        if kind == "N":
            return f"{value:,.{digits}f}"
        if kind == "F":
            return f"{value:.{digits}f}"
        return f"{int(value):0{digits}d}" if kind == "D" else f"{int(value):0{digits}{match[1]}}"
    raise Terminating(ErrorRecord(f"simulator: PowerShell not understood: format {spec!r}", "FormatError"))
