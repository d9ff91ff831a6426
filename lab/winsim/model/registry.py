"""The registry: a tree of keys with typed values.

Value types are the names of the Windows headers (``REG_SZ`` …). Data are ``str`` (SZ, EXPAND_SZ), unsigned ``int``
(DWORD, QWORD), ``list[str]`` (MULTI_SZ) or ``bytes`` (BINARY, NONE).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

RegistryData = str | int | list[str] | bytes

_TEXT = ("REG_SZ", "REG_EXPAND_SZ")
_NUMBERS = {"REG_DWORD": 32, "REG_QWORD": 64}
TYPES = (*_TEXT, *_NUMBERS, "REG_MULTI_SZ", "REG_BINARY", "REG_NONE")

_ROOTS = {
    "HKLM": "HKLM",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKU": "HKU",
    "HKEY_USERS": "HKU",
    "HKCU": "HKCU",
    "HKEY_CURRENT_USER": "HKCU",
}


@dataclass
class Value:
    """One named value; the default value has the name ``""``."""

    name: str
    type: str
    data: RegistryData

    def __post_init__(self) -> None:
        if self.type in _TEXT:
            good = isinstance(self.data, str)
        elif self.type in _NUMBERS:
            good = isinstance(self.data, int) and 0 <= self.data < 2 ** _NUMBERS[self.type]
        elif self.type == "REG_MULTI_SZ":
            good = isinstance(self.data, list) and all(isinstance(item, str) for item in self.data)
        elif self.type in ("REG_BINARY", "REG_NONE"):
            good = isinstance(self.data, bytes)
        else:
            raise ValueError(f"no registry type: {self.type}")
        if not good:
            raise ValueError(f"{self.data!r} is no {self.type} (value {self.name!r})")


@dataclass
class Key:
    """One key. A volatile key is gone after a reboot."""

    name: str
    values: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, Key] = field(default_factory=dict)
    volatile: bool = False

    def dump(self) -> dict[str, Any]:
        """A form that fits into JSON."""
        out: dict[str, Any] = {"name": self.name}
        if self.values:
            out["values"] = [
                [value.name, value.type, value.data.hex() if isinstance(value.data, bytes) else value.data]
                for value in list(self.values.values())
            ]
        if self.keys:
            out["keys"] = [key.dump() for key in list(self.keys.values())]
        if self.volatile:
            out["volatile"] = True
        return out

    @classmethod
    def load(cls, data: dict[str, Any]) -> Key:
        """The reverse of :meth:`dump`."""
        key = cls(data["name"], volatile=data.get("volatile", False))
        for name, kind, raw in data.get("values", []):
            value = bytes.fromhex(raw) if kind in ("REG_BINARY", "REG_NONE") else raw
            key.values[name.lower()] = Value(name, kind, value)
        for child in data.get("keys", []):
            loaded = cls.load(child)
            key.keys[loaded.name.lower()] = loaded
        return key


def split_path(path: str) -> tuple[str, list[str]]:
    """Take ``HKLM:\\SOFTWARE\\X``, ``HKEY_LOCAL_MACHINE\\…`` or ``Registry::HKLM\\…`` apart.

    Raises:
        ValueError: the path names no root key.
    """
    text = re.sub(r"^(?:Microsoft\.PowerShell\.Core\\)?Registry::", "", path, flags=re.IGNORECASE)
    head, _, rest = text.replace("/", "\\").partition("\\")
    root = _ROOTS.get(head.rstrip(":").upper())
    if root is None:
        raise ValueError(f"no registry path: {path}")
    return root, [part for part in rest.split("\\") if part]


class RegistryView:
    """The registry as one user sees it. ``sid`` None: a view without HKCU."""

    def __init__(self, registry: Registry, sid: str | None) -> None:
        self._registry = registry
        self.sid = sid

    def _resolve(self, path: str) -> list[str]:
        root, parts = split_path(path)
        if root == "HKCU":
            if self.sid is None:
                raise ValueError(f"no user for {path}")
            return ["HKU", self.sid, *parts]
        return [root, *parts]

    def key(self, path: str) -> Key | None:
        """The key at ``path``, or None."""
        return self._registry.find(self._resolve(path))

    def exists(self, path: str) -> bool:
        """Whether the key exists."""
        return self.key(path) is not None

    def create(self, path: str, *, volatile: bool = False) -> Key:
        """The key at ``path``, made with its parents if need be."""
        return self._registry.make(self._resolve(path), volatile)

    def delete(self, path: str) -> bool:
        """Remove a key with everything below; False if it was not there."""
        parts = self._resolve(path)
        parent = self._registry.find(parts[:-1]) if len(parts) > 2 else None
        return parent is not None and parent.keys.pop(parts[-1].lower(), None) is not None

    def value(self, path: str, name: str) -> Value | None:
        """The typed value, or None."""
        key = self.key(path)
        return key.values.get(name.lower()) if key else None

    def get(self, path: str, name: str, default: Any = None) -> Any:
        """The data of a value, or ``default``."""
        value = self.value(path, name)
        return default if value is None else value.data

    def set(self, path: str, name: str, data: RegistryData, kind: str | None = None) -> None:
        """Write a value, making the key if need be; the type follows from the data unless given.

        Raises:
            ValueError: type and data do not fit.
        """
        if kind is None:
            kind = {str: "REG_SZ", int: "REG_DWORD", list: "REG_MULTI_SZ", bytes: "REG_BINARY"}[type(data)]
        value = Value(name, kind, data)
        self.create(path).values[name.lower()] = value

    def remove(self, path: str, name: str) -> bool:
        """Remove a value; False if it was not there."""
        key = self.key(path)
        return key is not None and key.values.pop(name.lower(), None) is not None

    def values(self, path: str) -> list[Value]:
        """All values of a key; empty if there is no such key."""
        key = self.key(path)
        return list(key.values.values()) if key else []

    def subkeys(self, path: str) -> list[str]:
        """Names of the keys below; empty if there is no such key."""
        key = self.key(path)
        return [child.name for child in key.keys.values()] if key else []


class Registry(RegistryView):
    """The whole registry. ``machine.registry.view(user)`` is what a user sees.

    Args:
        sid_of: turns an account name into its SID.
    """

    def __init__(self, sid_of: Callable[[str], str] = str) -> None:
        super().__init__(self, None)
        self._sid_of = sid_of
        self.roots = {"hklm": Key("HKLM"), "hku": Key("HKU")}

    def view(self, user: str) -> RegistryView:
        """The registry as ``user`` sees it (HKCU is the user's own)."""
        return RegistryView(self, self._sid_of(user))

    def find(self, parts: list[str]) -> Key | None:
        """The key at root, name, name …, or None."""
        key: Key | None = self.roots[parts[0].lower()]
        for part in parts[1:]:
            key = key.keys.get(part.lower()) if key else None
        return key

    def make(self, parts: list[str], volatile: bool = False) -> Key:
        """The key at root, name, name …, made if need be."""
        key = self.roots[parts[0].lower()]
        for part in parts[1:]:
            if part.lower() not in key.keys:
                key.keys[part.lower()] = Key(part, volatile=volatile)
            key = key.keys[part.lower()]
        return key

    def drop_volatile(self) -> None:
        """What a reboot does to volatile keys."""

        def prune(key: Key) -> None:
            for name, child in list(key.keys.items()):
                if child.volatile:
                    del key.keys[name]
                else:
                    prune(child)

        for root in self.roots.values():
            prune(root)

    def dump(self) -> dict[str, Any]:
        """A form that fits into JSON."""
        return {"roots": {name: key.dump() for name, key in self.roots.items()}}

    def restore(self, data: dict[str, Any]) -> None:
        """The reverse of :meth:`dump`."""
        self.roots = {name: Key.load(tree) for name, tree in data["roots"].items()}
