"""The few .NET types that the PowerShell subset knows; any other member fails loudly."""

from __future__ import annotations

import datetime
import ntpath
import re
import time
from collections.abc import Callable
from typing import Any

from lab.winsim.pwsh import nodes as n
from lab.winsim.pwsh.automatic import version
from lab.winsim.pwsh.operators import format_string
from lab.winsim.pwsh.values import (
    Block,
    ErrorRecord,
    Hashtable,
    PSObject,
    Table,
    Terminating,
    TypeRef,
    datetime_to_filetime,
    listed,
    number,
    text_of,
    truth,
)
from lab.winsim.transfer import expand_variables

_HIVES = {
    "localmachine": "HKLM",
    "currentuser": "HKCU",
    "users": "HKU",
    "classesroot": "HKCR",
    "currentconfig": "HKCC",
}


def file_path(interpreter: Any, path: Any) -> str:
    """Return a file system path as an absolute one."""
    text = text_of(path).replace("/", "\\")
    if text.lower().startswith("microsoft.powershell.core\\filesystem::"):
        text = text.split("::", 1)[1]
    if text == "~" or text.startswith("~\\"):
        text = interpreter.environment.get("USERPROFILE", "C:\\") + text[1:]
    return ntpath.normpath(ntpath.join(interpreter.location, text))


def encoding(name: str) -> str:
    """Return the Python codec of a .NET or PowerShell encoding name.

    Raises:
        Terminating: the encoding is not known.
    """
    known = {
        "utf8": "utf-8",
        "utf8encoding": "utf-8",
        "unicode": "utf-16-le",
        "unicodeencoding": "utf-16-le",
        "ascii": "ascii",
        "default": "cp1252",
        "oem": "cp437",
        "bigendianunicode": "utf-16-be",
    }
    if name.lower() not in known:
        raise Terminating(ErrorRecord(f"simulator: PowerShell not understood: encoding {name}", "Encoding"))
    return known[name.lower()]


def encoding_object(name: str) -> PSObject:
    """Return a System.Text.Encoding."""
    codec = encoding(name)
    return PSObject(
        f"System.Text.{name}Encoding",
        {"BodyName": codec, "WebName": codec},
        {
            "GetBytes": lambda text: list(text_of(text).encode(codec, "replace")),
            "GetString": lambda data: bytes(listed(data)).decode(codec, "replace"),
        },
    )


def registry_key(interpreter: Any, path: str) -> PSObject:
    """Return a Microsoft.Win32.RegistryKey for a path such as ``HKLM\\SOFTWARE``."""
    view = interpreter.machine.registry.view(interpreter.session.user)

    def value(name: Any, default: Any = None, options: Any = None) -> Any:
        found = view.value(path, text_of(name))
        if found is None:
            return default
        if found.type == "REG_EXPAND_SZ" and "donotexpand" not in text_of(options).lower():
            return expand_variables(found.data, interpreter.environment)
        return list(found.data) if isinstance(found.data, bytes) else found.data

    def open_key(name: Any, writable: Any = False) -> Any:
        below = f"{path}\\{text_of(name)}" if text_of(name) else path
        return registry_key(interpreter, below) if view.exists(below) else None

    def create(name: Any, writable: Any = True) -> Any:
        view.create(f"{path}\\{text_of(name)}")
        return registry_key(interpreter, f"{path}\\{text_of(name)}")

    def set_value(name: Any, data: Any, kind: Any = None) -> None:
        view.set(path, text_of(name), registry_data(data, text_of(kind)), registry_type(text_of(kind)))

    def delete_value(name: Any, throw: Any = True) -> None:
        if not view.remove(path, text_of(name)) and truth(throw):
            raise Terminating(ErrorRecord("No value exists with that name.", "ArgumentException"))

    def delete_tree(name: Any, throw: Any = True) -> None:
        if not view.delete(f"{path}\\{text_of(name)}") and truth(throw):
            raise Terminating(ErrorRecord("Cannot delete a subkey tree because the subkey does not exist.", "Argument"))

    full = re.sub(
        r"^(HK\w+)",
        lambda match: {
            "HKLM": "HKEY_LOCAL_MACHINE",
            "HKCU": "HKEY_CURRENT_USER",
            "HKU": "HKEY_USERS",
            "HKCR": "HKEY_CLASSES_ROOT",
            "HKCC": "HKEY_CURRENT_CONFIG",
        }.get(match[1].upper(), match[1]),
        path,
    )
    names = [item.name for item in view.values(path)]
    return PSObject(
        "Microsoft.Win32.RegistryKey",
        {
            "Name": full,
            "PSPath": f"Microsoft.PowerShell.Core\\Registry::{full}",
            "PSChildName": path.rsplit("\\", 1)[-1],
            "Property": [name or "(default)" for name in names],
            "ValueCount": len(names),
            "SubKeyCount": len(view.subkeys(path)),
        },
        {
            "GetValue": value,
            "OpenSubKey": open_key,
            "CreateSubKey": create,
            "SetValue": set_value,
            "DeleteValue": delete_value,
            "DeleteSubKeyTree": delete_tree,
            "DeleteSubKey": delete_tree,
            "GetValueNames": lambda: names,
            "GetSubKeyNames": lambda: view.subkeys(path),
            "GetValueKind": lambda name: _KIND_NAMES[view.value(path, text_of(name)).type],
            "Close": lambda: None,
            "Dispose": lambda: None,
            "Flush": lambda: None,
        },
        text=full,
    )


_KINDS = {
    "string": "REG_SZ",
    "expandstring": "REG_EXPAND_SZ",
    "dword": "REG_DWORD",
    "qword": "REG_QWORD",
    "multistring": "REG_MULTI_SZ",
    "binary": "REG_BINARY",
    "none": "REG_NONE",
}
_KIND_NAMES = {
    "REG_SZ": "String",
    "REG_EXPAND_SZ": "ExpandString",
    "REG_DWORD": "DWord",
    "REG_QWORD": "QWord",
    "REG_MULTI_SZ": "MultiString",
    "REG_BINARY": "Binary",
    "REG_NONE": "None",
}


def registry_type(kind: str) -> str | None:
    """Return the registry type of a PowerShell property type; None to derive it from the data."""
    if not kind or kind.lower() == "unknown":
        return None
    if kind.lower() not in _KINDS:
        raise Terminating(ErrorRecord(f"Cannot bind parameter 'PropertyType' to {kind}.", "CannotConvertArgument"))
    return _KINDS[kind.lower()]


def registry_data(data: Any, kind: str) -> Any:
    """Return data as the registry model holds it."""
    name = kind.lower()
    if name in ("dword", "qword"):
        return int(number(data)) & (0xFFFFFFFF if name == "dword" else 0xFFFFFFFFFFFFFFFF)
    if name in ("binary", "none"):
        return bytes(int(number(item)) for item in listed(data))
    if name == "multistring" or isinstance(data, list):
        return [text_of(item) for item in listed(data)]
    if isinstance(data, int) and not isinstance(data, bool) and not name:
        return data & 0xFFFFFFFF
    return text_of(data)


def _type_key(owner: Any, interpreter: Any, node: n.Node) -> str:
    if not isinstance(owner, TypeRef):
        raise interpreter.fail("'::' after a value", node)
    return owner.key


def get_static(interpreter: Any, owner: Any, name: str, node: n.Node) -> Any:
    """Return a static property or an enumeration value (as its name)."""
    key = _type_key(owner, interpreter, node)
    if key == "microsoft.win32.registry" and name.lower() in _HIVES:
        return registry_key(interpreter, _HIVES[name.lower()])
    from lab.winsim.pwsh.statics import STATIC_VALUES

    found = STATIC_VALUES.get((key, name.lower()))
    if found is not None:
        return found(interpreter)
    if key.rsplit(".", 1)[-1] in _ENUMS:
        return name
    raise interpreter.fail(f"[{owner.name}]::{name}", node)


_ENUMS = {
    "registryvaluekind",
    "registryvalueoptions",
    "environmentvariabletarget",
    "specialfolder",
    "environment+specialfolder",
    "filemode",
    "fileaccess",
    "stringcomparison",
    "registryhive",
    "registryview",
}


def set_static(interpreter: Any, owner: TypeRef, name: str, value: Any, node: n.Node) -> None:
    """Set a static property: only the console's encodings can be set, and that changes nothing."""
    if (owner.key, name.lower()) in (("console", "outputencoding"), ("console", "inputencoding")):
        return
    if owner.key == "net.servicepointmanager":
        return
    raise interpreter.fail(f"[{owner.name}]::{name} = ...", node)


def call_static(interpreter: Any, owner: Any, name: str, arguments: list[Any], node: n.Node) -> Any:
    """Call a static method."""
    key = _type_key(owner, interpreter, node)
    if name.lower() == "new":
        return new_object(interpreter, owner.name, arguments, node)
    if (key, name.lower()) == ("microsoft.win32.registrykey", "openbasekey"):
        hive = text_of(arguments[0]).lower()
        return registry_key(interpreter, _HIVES[hive])
    from lab.winsim.pwsh.statics import STATIC_METHODS

    work = STATIC_METHODS.get((key, name.lower()))
    if work is None:
        raise interpreter.fail(f"[{owner.name}]::{name}()", node)
    return guarded(name, work, interpreter, *arguments)


def guarded(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
    """Call a method; a Python error becomes the PowerShell one."""
    try:
        return work(*arguments)
    except (OSError, ValueError, TypeError, KeyError) as error:
        text = str(error.args[-1]) if isinstance(error, OSError) and error.args else str(error)
        if text.startswith("simulator: "):
            raise
        message = f'Exception calling "{name}" with "{len(arguments)}" argument(s): "{text}"'
        raise Terminating(ErrorRecord(message, type(error).__name__, "NotSpecified")) from error


def new_object(interpreter: Any, type_name: str, arguments: list[Any], node: n.Node) -> Any:
    """Create an object of one of the known types."""
    key = type_name.lower().removeprefix("system.")
    if key in ("psobject", "pscustomobject", "management.automation.psobject"):
        return PSObject("PSCustomObject")
    if key in ("text.utf8encoding", "text.unicodeencoding", "text.asciiencoding"):
        return encoding_object(key.removeprefix("text.").removesuffix("encoding"))
    if key in ("collections.arraylist",) or key.startswith("collections.generic.list["):
        return list(listed(arguments[0])) if arguments else []
    if key in ("hashtable", "collections.hashtable", "collections.specialized.ordereddictionary"):
        return Hashtable()
    if key in ("version",):
        return version(text_of(arguments[0]))
    if key == "datetime":
        return datetime.datetime(*[int(number(item)) for item in arguments], tzinfo=datetime.UTC)
    raise interpreter.fail(f"New-Object {type_name}", node)


def _void(value: Any) -> None:
    return None


# --- instance members ------------------------------------------------------------------------------------------------

_STRING_METHODS: dict[str, Callable[..., Any]] = {
    "trim": lambda s, *chars: s.strip("".join(text_of(item) for item in chars) or None),
    "trimstart": lambda s, *chars: s.lstrip("".join(text_of(item) for item in chars) or None),
    "trimend": lambda s, *chars: s.rstrip("".join(text_of(item) for item in chars) or None),
    "toupper": lambda s: s.upper(),
    "tolower": lambda s: s.lower(),
    "toupperinvariant": lambda s: s.upper(),
    "tolowerinvariant": lambda s: s.lower(),
    "contains": lambda s, part: text_of(part) in s,
    "startswith": lambda s, part, *more: (
        s.lower().startswith(text_of(part).lower()) if more else s.startswith(text_of(part))
    ),
    "endswith": lambda s, part, *more: s.lower().endswith(text_of(part).lower()) if more else s.endswith(text_of(part)),
    "replace": lambda s, old, new: s.replace(text_of(old), text_of(new)),
    "split": lambda s, *chars: (
        re.split("[" + re.escape("".join(text_of(item) for item in chars)) + "]", s) if chars else s.split()
    ),
    "substring": lambda s, start, length=None: (
        s[int(start) :] if length is None else s[int(start) : int(start) + int(length)]
    ),
    "indexof": lambda s, part: s.find(text_of(part)),
    "lastindexof": lambda s, part: s.rfind(text_of(part)),
    "padleft": lambda s, width, char=" ": s.rjust(int(width), text_of(char)),
    "padright": lambda s, width, char=" ": s.ljust(int(width), text_of(char)),
    "insert": lambda s, at, part: s[: int(at)] + text_of(part) + s[int(at) :],
    "remove": lambda s, at, count=None: s[: int(at)] + ("" if count is None else s[int(at) + int(count) :]),
    "equals": lambda s, other: s == text_of(other),
    "tochararray": lambda s: list(s),
}
_TABLE_METHODS: dict[str, Callable[..., Any]] = {
    "containskey": lambda t, key: key in t,
    "contains": lambda t, key: key in t,
    "add": lambda t, key, value: t.__setitem__(key, value),
    "remove": lambda t, key: _void(t.pop(key, None)),
    "clear": lambda t: t.clear(),
    "getenumerator": lambda t: [PSObject("DictionaryEntry", {"Key": k, "Name": k, "Value": v}) for k, v in t.items()],
}
_LIST_METHODS: dict[str, Callable[..., Any]] = {
    "add": lambda items, value: (items.append(value), len(items) - 1)[1],
    "addrange": lambda items, values: items.extend(listed(values)),
    "contains": lambda items, value: value in items,
    "indexof": lambda items, value: items.index(value) if value in items else -1,
    "remove": lambda items, value: items.remove(value) if value in items else None,
    "clear": lambda items: items.clear(),
    "toarray": lambda items: list(items),
    "getenumerator": lambda items: list(items),
}


def _time_members(value: datetime.datetime) -> dict[str, Any]:
    return {
        "year": value.year,
        "month": value.month,
        "day": value.day,
        "hour": value.hour,
        "minute": value.minute,
        "second": value.second,
        "ticks": datetime_to_filetime(value) + 504911232000000000,
    }


def get_member(interpreter: Any, owner: Any, name: str, node: n.Node) -> Any:
    """Return a property; of a list, that of its items."""
    key = name.lower()
    if isinstance(owner, Table):
        if name in owner:
            return owner[name]
        if key in ("keys", "values", "count"):
            return {"keys": list(owner), "values": list(owner.values()), "count": len(owner)}[key]
        return None
    if isinstance(owner, PSObject):
        if name in owner.properties:
            value = owner.properties[name]
            return value() if callable(value) else value
        if key in ("length", "count"):
            return 1
        if key == "psobject":
            entries = [PSObject("PSNoteProperty", {"Name": k, "Value": v}) for k, v in owner.properties.items()]
            return PSObject("PSMemberSet", {"Properties": entries})
        return _missing(interpreter, owner, name)
    if isinstance(owner, list):
        if key in ("length", "count"):
            return len(owner)
        found = [item for entry in owner for item in listed(get_member(interpreter, entry, name, node))]
        return None if not found else found[0] if len(found) == 1 else found
    if isinstance(owner, datetime.datetime):
        members = _time_members(owner)
        if key in members:
            return members[key]
    elif isinstance(owner, str) and key == "length":
        return len(owner)
    elif owner is not None and key in ("length", "count"):
        return 1
    elif isinstance(owner, TypeRef) and key in ("name", "fullname"):
        return owner.name.rsplit(".", 1)[-1] if key == "name" else owner.name
    if owner is None:
        if interpreter.strict:
            message = f"The property '{name}' cannot be found on this object. Verify that the property exists."
            raise Terminating(ErrorRecord(message, "PropertyNotFoundStrict"))
        return 0 if key == "count" else None
    raise interpreter.fail(f"member {name!r} of {type(owner).__name__}", node)


def _missing(interpreter: Any, owner: PSObject, name: str) -> Any:
    if interpreter.strict:
        message = f"The property '{name}' cannot be found on this object. Verify that the property exists."
        raise Terminating(ErrorRecord(message, "PropertyNotFoundStrict"))
    return None


def call_method(interpreter: Any, owner: Any, name: str, arguments: list[Any], node: n.Node) -> Any:
    """Call an instance method."""
    key = name.lower()
    if owner is None:
        message = "You cannot call a method on a null-valued expression."
        raise Terminating(ErrorRecord(message, "InvokeMethodOnNull", "InvalidOperation"))
    if isinstance(owner, PSObject) and name in owner.methods:
        return guarded(name, owner.methods[name], *arguments)
    if key == "tostring":
        if isinstance(owner, datetime.datetime) and arguments:
            return format_time(owner, text_of(arguments[0]))
        if arguments:
            return format_string("{0:" + text_of(arguments[0]) + "}", [owner])
        return text_of(owner)
    if key == "gettype":
        return type_of(owner)
    if isinstance(owner, Block) and key in ("invoke", "invokereturnasis"):
        return interpreter.invoke(owner, arguments, {})
    if isinstance(owner, datetime.datetime):
        return _time_call(interpreter, owner, key, arguments, node)
    methods = (
        _STRING_METHODS
        if isinstance(owner, str)
        else _TABLE_METHODS
        if isinstance(owner, Table)
        else _LIST_METHODS
        if isinstance(owner, list)
        else {}
    )
    if key in methods:
        return guarded(name, methods[key], owner, *arguments)
    if isinstance(owner, list):
        return [call_method(interpreter, item, name, arguments, node) for item in owner]
    raise interpreter.fail(f"method {name!r} of {type(owner).__name__}", node)


def _time_call(interpreter: Any, value: datetime.datetime, key: str, arguments: list[Any], node: n.Node) -> Any:
    if key in ("tofiletime", "tofiletimeutc"):
        return datetime_to_filetime(value)
    if key == "touniversaltime":
        return value.astimezone(datetime.UTC)
    steps = {"adddays": "days", "addhours": "hours", "addminutes": "minutes", "addseconds": "seconds"}
    if key in steps:
        return value + datetime.timedelta(**{steps[key]: float(number(arguments[0]))})
    raise interpreter.fail(f"method {key!r} of a date", node)


def format_time(value: datetime.datetime, spec: str) -> str:
    """Return a date in a .NET format made of yyyy MM dd HH mm ss fff, ``o`` and ``s``."""
    if spec in ("o", "O"):
        return value.strftime("%Y-%m-%dT%H:%M:%S.%f0") + value.strftime("%z")
    if spec == "s":
        return value.strftime("%Y-%m-%dT%H:%M:%S")
    codes = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "mm": "%M", "ss": "%S", "ffffff": "%f"}
    return value.strftime(re.sub("|".join(codes), lambda match: codes[match[0]], spec))


def type_of(value: Any) -> PSObject:
    """Return what GetType gives."""
    names = {bool: "Boolean", int: "Int32", float: "Double", str: "String", list: "Object[]", Hashtable: "Hashtable"}
    name = names.get(type(value)) or (value.type_name if isinstance(value, PSObject) else type(value).__name__)
    short = name.rsplit(".", 1)[-1]
    return PSObject("System.RuntimeType", {"Name": short, "FullName": name}, text=name)


def cast(interpreter: Any, name: str, value: Any, node: n.Node) -> Any:
    """Convert a value to a type."""
    key = re.sub(r"\s", "", name).lower().removeprefix("system.")
    if key in ("string",):
        return text_of(value)
    if key in ("int", "int32", "int64", "long", "uint32", "uint64", "byte", "uint16", "int16"):
        if isinstance(value, str) and key == "byte" and len(value) == 1 and not value.isdigit():
            return ord(value)
        return round(number(value))
    if key in ("double", "float", "single", "decimal"):
        return float(number(value))
    if key in ("bool", "boolean", "switch", "management.automation.switchparameter"):
        return truth(value)
    if key == "char":
        return chr(int(value)) if isinstance(value, int) else text_of(value)
    if key in ("array", "object[]"):
        return listed(value)
    if key in ("string[]",):
        return [text_of(item) for item in listed(value)]
    if key in ("int[]", "byte[]", "int32[]"):
        return [round(number(item)) for item in listed(value)]
    if key in ("object", "hashtable", "collections.idictionary", "ordered", "collections.hashtable"):
        return value
    if key in ("pscustomobject", "psobject"):
        return PSObject("PSCustomObject", value) if isinstance(value, Table) else value
    if key == "void":
        return None
    if key in ("version",):
        return value if isinstance(value, PSObject) else version(text_of(value))
    if key == "guid":
        return PSObject("System.Guid", {"Guid": text_of(value)}, text=text_of(value))
    if key == "datetime" and isinstance(value, datetime.datetime):
        return value
    if key == "scriptblock" and isinstance(value, Block):
        return value
    if key == "type":
        return TypeRef(text_of(value))
    raise interpreter.fail(f"a cast to [{name}]", node)


def sleep(interpreter: Any, seconds: float) -> None:
    """Wait in real time, or until the command is cancelled."""
    deadline = time.monotonic() + seconds
    interpreter.process.cancelled.wait(max(0.0, deadline - time.monotonic()))
