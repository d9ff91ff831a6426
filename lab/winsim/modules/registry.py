"""ansible.windows.win_regedit and win_reg_stat."""

from __future__ import annotations

import re
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.model.environment import expand
from lab.winsim.model.registry import RegistryData, RegistryView, Value
from lab.winsim.process import ModuleCall

_KINDS = {
    "none": "REG_NONE",
    "binary": "REG_BINARY",
    "dword": "REG_DWORD",
    "expandstring": "REG_EXPAND_SZ",
    "multistring": "REG_MULTI_SZ",
    "string": "REG_SZ",
    "qword": "REG_QWORD",
}
_DOTNET = {
    "REG_NONE": "None",
    "REG_BINARY": "Binary",
    "REG_DWORD": "DWord",
    "REG_EXPAND_SZ": "ExpandString",
    "REG_MULTI_SZ": "MultiString",
    "REG_SZ": "String",
    "REG_QWORD": "QWord",
}
_PATH = re.compile(r"^HK(CC|CR|CU|LM|U):\\", re.IGNORECASE)


@module("ansible.windows.win_regedit", "path", "name", "data", "type", "state", "delete_key")
def win_regedit(call: ModuleCall) -> dict[str, Any]:
    """Make, change or remove a key or value."""
    path, name = call.args["path"], call.args.get("name")
    result: dict[str, Any] = {"changed": False, "data_changed": False, "data_type_changed": False}
    kind = call.args.get("type") or "string"
    if name is None and kind != "string":
        result["warnings"] = [
            "the data type when name is not specified can only be 'string', the type has automatically been converted"
        ]
        kind = "string"
    if not _PATH.match(path):
        raise ModuleFailure(
            f"path: {path} is not a valid powershell path, see module documentation for examples.", **result
        )
    name = name or None
    data = convert(call.args.get("data"), kind, name)
    view: RegistryView = call.machine.registry.view(call.user)
    diff: dict[str, Any] = {"before": "", "after": ""}
    if call.args.get("state", "present") == "present":
        _present(call, view, path, name, data, _KINDS[kind], result, diff)
    else:
        _absent(call, view, path, name, result, diff)
    if call.diff:
        result["diff"] = diff
    return result


def _present(
    call: ModuleCall,
    view: RegistryView,
    path: str,
    name: str | None,
    data: RegistryData | None,
    kind: str,
    result: dict[str, Any],
    diff: dict[str, Any],
) -> None:
    if not view.exists(path):
        if not call.check_mode:
            view.create(path)
        result["changed"] = True
        diff.update(before={}, after={path: {}})
        if call.check_mode:
            return
    else:
        diff.update(before={path: {}}, after={path: {}})
    if data is None:
        return
    label = name or ""
    existing = view.value(path, label)
    new = Value(label, kind, data)
    if existing is not None:
        differs = existing.data != new.data
        result["data_type_changed"] = existing.type != kind
        result["data_changed"] = differs
        change = differs or existing.type != kind
        diff["before"][path][label] = show(existing)
        diff["after"][path][label] = show(new if change else existing)
    else:
        change = True
        diff["after"][path][label] = show(new)
    if change:
        result["changed"] = True
        if not call.check_mode:
            view.set(path, label, data, kind)


def _absent(
    call: ModuleCall, view: RegistryView, path: str, name: str | None, result: dict[str, Any], diff: dict[str, Any]
) -> None:
    if not view.exists(path):
        return
    if call.args.get("delete_key", True) and name is None:
        if not call.check_mode:
            view.delete(path)
        result["changed"] = True
        diff.update(before={path: {}}, after={})
        return
    value = view.value(path, name or "")
    if value is None:
        return
    if not call.check_mode:
        view.remove(path, name or "")
    result["changed"] = True
    diff.update(before={path: {name or "": show(value)}}, after={path: {}})


def show(value: Value) -> dict[str, Any]:
    """A value as the module's diff shows it."""
    data: Any = value.data
    if value.type in ("REG_BINARY", "REG_NONE"):
        data = [f"0x{byte:02x}" for byte in data]
    elif value.type == "REG_DWORD":
        data = f"0x{data:08x}"
    elif value.type == "REG_QWORD":
        data = f"0x{data:016x}"
    return {"type": _DOTNET[value.type], "value": data}


def convert(data: Any, kind: str, name: str | None) -> RegistryData | None:
    """The option ``data`` as typed registry data; None if nothing is to be written.

    Raises:
        ModuleFailure: the data do not fit the type.
    """
    if kind in ("binary", "none", "qword"):
        raise SimulatorError(f"win_regedit: type {kind} is not modelled")
    if kind == "dword":
        return int(str(data or 0), 0)
    if kind == "multistring":
        if data is None:
            return []
        return [_text(item) for item in data] if isinstance(data, list) else [_text(data)]
    if data is None:
        return "" if name else None
    return _text(data)


def _text(data: Any) -> str:
    if isinstance(data, bool):
        return "True" if data else "False"
    return str(data)


@module("ansible.windows.win_reg_stat")
def win_reg_stat(call: ModuleCall) -> dict[str, Any]:
    """Tell about a key or value."""
    path, name = call.args["path"], call.args.get("name")
    if not _PATH.match(path):
        raise ModuleFailure(f"path: {path} is not a valid registry path, see module documentation for examples.")
    view = call.machine.registry.view(call.user)
    result: dict[str, Any] = {"changed": False, "exists": view.exists(path)}
    if not result["exists"]:
        return result
    environment = call.session.environment
    if name is None:
        result["properties"] = {value.name: _stat(value, environment) for value in view.values(path)}
        result["sub_keys"] = view.subkeys(path)
        return result
    value = view.value(path, name)
    result["exists"] = value is not None
    if value is not None:
        result.update(_stat(value, environment))
    return result


def _stat(value: Value, environment: Any) -> dict[str, Any]:
    raw: Any = value.data
    data: Any = value.data
    if isinstance(raw, bytes):
        raw, data = [f"0x{byte:02x}" for byte in raw], list(raw)
    if value.type == "REG_EXPAND_SZ":
        data = expand(str(raw), environment)
    return {"type": value.type, "value": data, "raw_value": raw}
