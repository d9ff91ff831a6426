"""Values of the PowerShell subset: objects, hashtables, conversions, comparisons, display and JSON."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from lab.winsim.pwsh import nodes as n

EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)


class Table(MutableMapping[Any, Any]):
    """An ordered dictionary whose text keys compare without case."""

    def __init__(self, items: Any = ()) -> None:
        self._items: dict[Any, tuple[Any, Any]] = {}
        self.update(items)

    @staticmethod
    def _fold(key: Any) -> Any:
        return key.lower() if isinstance(key, str) else key

    def __getitem__(self, key: Any) -> Any:
        return self._items[self._fold(key)][1]

    def __setitem__(self, key: Any, value: Any) -> None:
        known = self._items.get(self._fold(key))
        self._items[self._fold(key)] = (known[0] if known else key, value)

    def __delitem__(self, key: Any) -> None:
        del self._items[self._fold(key)]

    def __contains__(self, key: object) -> bool:
        return self._fold(key) in self._items

    def __iter__(self) -> Iterator[Any]:
        return iter([key for key, _ in self._items.values()])

    def __len__(self) -> int:
        return len(self._items)


class Hashtable(Table):
    """``@{}``."""


class PSObject:
    """An object: a type name, properties, methods, and what ToString gives."""

    def __init__(
        self,
        type_name: str,
        properties: Any = (),
        methods: dict[str, Callable[..., Any]] | None = None,
        text: str | None = None,
        setter: Callable[[str, Any], None] | None = None,
    ) -> None:
        self.type_name = type_name
        self.properties = Table(properties)
        self.methods = Table(methods or {})
        self.text = text
        self.setter = setter


class ErrorRecord(PSObject):
    """An error as ``$_`` and ``$Error`` show it."""

    def __init__(
        self, message: str, error_id: str = "", category: str = "NotSpecified", target: Any = None, source: str = ""
    ) -> None:
        exception = PSObject("System.Management.Automation.RuntimeException", {"Message": message}, text=message)
        exception.properties["InnerException"] = None
        super().__init__(
            "System.Management.Automation.ErrorRecord",
            {
                "Exception": exception,
                "FullyQualifiedErrorId": error_id,
                "TargetObject": target,
                "CategoryInfo": PSObject("CategoryInfo", {"Category": category}, text=category),
                "InvocationInfo": PSObject("InvocationInfo", {"PositionMessage": ""}),
                "ScriptStackTrace": "",
            },
            text=message,
        )
        self.message, self.error_id, self.category, self.source = message, error_id, category, source

    def display(self) -> str:
        """Return the text that powershell.exe shows (without the position lines)."""
        head = f"{self.source} : {self.message}" if self.source else self.message
        target = f"({text_of(self.properties['TargetObject'])}:)" if self.properties["TargetObject"] else "(:)"
        return (
            f"{head}\r\n    + CategoryInfo          : {self.category}: {target} [{self.source}], Exception\r\n"
            f"    + FullyQualifiedErrorId : {self.error_id}\r\n \r\n"
        )


class Terminating(Exception):
    """A terminating error travels up until a ``catch``.

    Without a ``catch`` it ends the script if ``script`` is true (``throw``, ErrorAction Stop), else its statement.
    """

    def __init__(self, record: ErrorRecord, script: bool = False) -> None:
        super().__init__(record.message)
        self.record = record
        self.script = script


class TypeRef:
    """``[Some.Type]`` as a value; the name is lower case without ``system.``."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.key = re.sub(r"\s", "", name).lower().removeprefix("system.")


class Block:
    """A script block as a value."""

    def __init__(self, node: n.ScriptBlock) -> None:
        self.node = node


class FileTime(int):
    """A 64-bit count of 100 ns since 1601, as ToFileTime gives."""


def filetime_to_datetime(value: int) -> datetime.datetime:
    """Return the UTC time of a FILETIME."""
    return EPOCH + datetime.timedelta(microseconds=value // 10)


def datetime_to_filetime(value: datetime.datetime) -> int:
    """Return the FILETIME of a time."""
    delta = value.astimezone(datetime.UTC) - EPOCH
    return (delta.days * 86400 + delta.seconds) * 10_000_000 + delta.microseconds * 10


def listed(value: Any) -> list[Any]:
    """Return what ``@( )`` makes of a value."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def text_of(value: Any) -> str:
    """Return the text that a value has inside a string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, (list, tuple)):
        return " ".join(text_of(item) for item in value)
    if isinstance(value, (bytes, bytearray)):
        return " ".join(str(item) for item in value)
    if isinstance(value, Hashtable):
        return "System.Collections.Hashtable"
    if isinstance(value, datetime.datetime):
        return value.strftime("%m/%d/%Y %H:%M:%S")
    if isinstance(value, TypeRef):
        return value.name
    if isinstance(value, Block):
        return value.node.text
    if isinstance(value, PSObject):
        if value.text is not None:
            return value.text
        if value.type_name == "PSCustomObject":
            return "@{" + "; ".join(f"{key}={text_of(item)}" for key, item in value.properties.items()) + "}"
        return value.type_name
    return str(value)


def truth(value: Any) -> bool:
    """Return the boolean that PowerShell makes of a value."""
    if isinstance(value, (list, tuple)):
        return truth(value[0]) if len(value) == 1 else len(value) > 1
    if isinstance(value, (str, bytes)):
        return len(value) > 0
    if isinstance(value, (PSObject, Table, TypeRef, Block, datetime.datetime)):
        return True
    return bool(value)


def number(value: Any) -> int | float:
    """Return the number of a value.

    Raises:
        Terminating: it is none.
    """
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        return value
    if value is None or value == "":
        return 0
    text = text_of(value).strip()
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            message = f'Cannot convert value "{text}" to type "System.Int32". Error: "Input string was not in a correct format."'
            raise Terminating(ErrorRecord(message, "InvalidCastFromStringToInteger", "InvalidArgument")) from None


def same(left: Any, right: Any, case: bool = False) -> bool:
    """Return ``left -eq right`` for single values; the right side is converted to the type of the left."""
    if isinstance(left, str):
        a, b = left, text_of(right)
        return right is not None and (a == b if case else a.lower() == b.lower())
    if isinstance(left, bool):
        return left == truth(right)
    if isinstance(left, (int, float)):
        try:
            return right is not None and left == number(right)
        except Terminating:
            return False
    if left is None or right is None:
        return left is right
    return left == right


def compare(left: Any, right: Any) -> int:
    """Return -1, 0 or 1 as the order of two values."""
    if isinstance(left, str):
        a, b = left.lower(), text_of(right).lower()
    elif isinstance(left, datetime.datetime):
        a, b = left, right
    elif isinstance(left, PSObject) and left.type_name == "System.Version":
        a, b = version_key(left), version_key(right)
    else:
        a, b = number(left), number(right)
    return (a > b) - (a < b)


def version_key(value: Any) -> tuple[int, ...]:
    """Return the numbers of a version."""
    return tuple(int(part) for part in text_of(value).split("."))


def wildcard(pattern: str) -> re.Pattern[str]:
    """Return the regular expression of a ``-like`` pattern."""
    parts = []
    for token in re.findall(r"`.|\[[^\]]+\]|.", pattern, re.DOTALL):
        if token == "*":
            parts.append(".*")
        elif token == "?":
            parts.append(".")
        elif token.startswith("[") and len(token) > 1:
            parts.append(token)
        else:
            parts.append(re.escape(token.removeprefix("`") if len(token) > 1 else token))
    return re.compile("".join(parts) + r"\Z", re.IGNORECASE | re.DOTALL)


def plain(value: Any, depth: int = 99) -> Any:
    """Return a value as JSON can hold it; what lies deeper than ``depth`` becomes text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, datetime.datetime):
        return f"/Date({int(value.timestamp() * 1000)})/"
    if isinstance(value, (bytes, bytearray)):
        return list(value)
    if depth < 0:
        return text_of(value)
    if isinstance(value, (list, tuple)):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, Table):
        return {text_of(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, PSObject):
        if value.properties:
            return {key: plain(item, depth - 1) for key, item in value.properties.items()}
        return text_of(value)
    return text_of(value)


def to_json(value: Any, depth: int = 2, compress: bool = False) -> str:
    """Return the JSON that Windows PowerShell 5.1 writes."""
    data = plain(value, depth)
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False) if compress else _pretty(data, 0)
    return re.sub(r"[<>&']", lambda match: f"\\u{ord(match[0]):04x}", text)


def _pretty(data: Any, indent: int) -> str:
    pad = " " * (indent + 4)
    if isinstance(data, dict):
        if not data:
            return "{\r\n\r\n" + " " * indent + "}"
        rows = []
        for key, value in data.items():
            head = f"{pad}{json.dumps(key, ensure_ascii=False)}:  "
            rows.append(head + _pretty(value, len(head)))
        return "{\r\n" + ",\r\n".join(rows) + "\r\n" + " " * indent + "}"
    if isinstance(data, list):
        if not data:
            return "[\r\n\r\n" + " " * indent + "]"
        rows = [pad + _pretty(item, indent + 4) for item in data]
        return "[\r\n" + ",\r\n".join(rows) + "\r\n" + " " * indent + "]"
    return json.dumps(data, ensure_ascii=False)


def from_json(data: Any) -> Any:
    """Return what ConvertFrom-Json makes of parsed JSON."""
    if isinstance(data, dict):
        return PSObject("PSCustomObject", {key: from_json(value) for key, value in data.items()})
    if isinstance(data, list):
        return [from_json(item) for item in data]
    return data


def from_python(value: Any) -> Any:
    """Return a module argument as a PowerShell value: dictionaries become hashtables."""
    if isinstance(value, dict):
        return Hashtable({key: from_python(item) for key, item in value.items()})
    if isinstance(value, (list, tuple)):
        return [from_python(item) for item in value]
    return value


def display(values: list[Any]) -> str:
    """Return what the host shows of output objects. Objects are shown as a list of their properties."""
    lines: list[str] = []
    for value in values:
        if value is None:
            continue
        if isinstance(value, Hashtable):
            lines += ["", f"{'Name':<30} {'Value':<50}", f"{'----':<30} {'-----':<50}"]
            lines += [f"{text_of(key):<30} {text_of(item):<50}" for key, item in value.items()]
            lines.append("")
        elif isinstance(value, PSObject) and value.text is None and value.properties:
            width = max(len(key) for key in value.properties)
            lines += ["", *(f"{key:<{width}} : {text_of(item)}" for key, item in value.properties.items()), ""]
        else:
            lines.append(text_of(value))
    return "".join(line + "\r\n" for line in lines)
