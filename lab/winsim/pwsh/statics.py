"""Static members of the few .NET types that the PowerShell subset knows."""

from __future__ import annotations

import base64
import datetime
import ntpath
import re
import uuid
from collections.abc import Callable
from typing import Any

from lab.winsim.pwsh.automatic import version
from lab.winsim.pwsh.dotnet import encoding_object, file_path
from lab.winsim.pwsh.operators import format_string
from lab.winsim.pwsh.values import (
    ErrorRecord,
    PSObject,
    Terminating,
    filetime_to_datetime,
    listed,
    number,
    text_of,
    truth,
)
from lab.winsim.transfer import expand_variables

_MACHINE_ENVIRONMENT = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"

# --- static members --------------------------------------------------------------------------------------------------


def _environment_variable(interpreter: Any, name: Any, target: Any = None) -> Any:
    level = text_of(target).lower()
    view = interpreter.machine.registry.view(interpreter.session.user)
    if level == "machine":
        return view.get(_MACHINE_ENVIRONMENT, text_of(name))
    if level == "user":
        return view.get("HKCU\\Environment", text_of(name))
    return interpreter.environment.get(text_of(name))


def _set_environment_variable(interpreter: Any, name: Any, value: Any, target: Any = None) -> None:
    level, name, text = text_of(target).lower(), text_of(name), text_of(value)
    if level in ("", "process"):
        interpreter.assign("env:" + name, text)
        return
    view = interpreter.machine.registry.view(interpreter.session.user)
    path = _MACHINE_ENVIRONMENT if level == "machine" else "HKCU\\Environment"
    if text:
        view.set(path, name, text, "REG_EXPAND_SZ" if "%" in text else "REG_SZ")
    else:
        view.remove(path, name)


def _folder(interpreter: Any, name: Any) -> str:
    variables = {
        "userprofile": "USERPROFILE",
        "applicationdata": "APPDATA",
        "localapplicationdata": "LOCALAPPDATA",
        "programfiles": "ProgramFiles",
        "commonapplicationdata": "ProgramData",
        "windows": "SystemRoot",
    }
    key = text_of(name).lower()
    if key == "system":
        return interpreter.environment.get("SystemRoot", "C:\\Windows") + "\\system32"
    if key not in variables:
        raise Terminating(ErrorRecord(f"simulator: PowerShell not understood: folder {name}", "Folder"))
    return interpreter.environment.get(variables[key], "")


def _full_name(interpreter: Any) -> str:
    return interpreter.machine.full_name(interpreter.session.user)


def _identity(interpreter: Any) -> PSObject:
    sid = PSObject("SecurityIdentifier", {"Value": interpreter.machine.sid(interpreter.session.user)})
    sid.text = sid.properties["Value"]
    return PSObject("System.Security.Principal.WindowsIdentity", {"Name": _full_name(interpreter), "User": sid})


def _guid() -> PSObject:
    value = str(uuid.uuid4())
    return PSObject("System.Guid", {"Guid": value}, text=value)


def _read_text(interpreter: Any, path: Any, codec: Any = None) -> str:
    return interpreter.machine.files.read_bytes(file_path(interpreter, path)).decode("utf-8-sig")


def _write_text(interpreter: Any, path: Any, text: Any, codec: Any = None) -> None:
    name = codec.properties["WebName"] if isinstance(codec, PSObject) else "utf-8"
    interpreter.machine.files.write_bytes(file_path(interpreter, path), text_of(text).encode(name))


def _os_version(interpreter: Any) -> PSObject:
    return PSObject(
        "System.OperatingSystem", {"Version": version(f"10.0.{interpreter.machine.build}.0"), "Platform": "Win32NT"}
    )


def _round(value: Any, digits: Any = 0) -> int | float:
    result = round(number(value), int(number(digits)))
    return int(result) if result == int(result) else result


_now = datetime.datetime.now
STATIC_VALUES: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("environment", "newline"): lambda i: "\r\n",
    ("environment", "machinename"): lambda i: i.environment.get("COMPUTERNAME"),
    ("environment", "username"): lambda i: i.environment.get("USERNAME"),
    ("environment", "userdomainname"): lambda i: i.environment.get("USERDOMAIN"),
    ("environment", "currentdirectory"): lambda i: i.location,
    ("environment", "osversion"): _os_version,
    ("environment", "is64bitprocess"): lambda i: True,
    ("environment", "is64bitoperatingsystem"): lambda i: True,
    ("environment", "processorcount"): lambda i: 8,
    ("console", "outputencoding"): lambda i: encoding_object("UTF8"),
    ("console", "inputencoding"): lambda i: encoding_object("UTF8"),
    ("console", "out"): lambda i: _writer(i, i.process.write_stdout),
    ("console", "error"): lambda i: _writer(i, i.process.write_stderr),
    ("string", "empty"): lambda i: "",
    ("int", "maxvalue"): lambda i: 2147483647,
    ("int32", "maxvalue"): lambda i: 2147483647,
    ("int64", "maxvalue"): lambda i: 2**63 - 1,
    ("datetime", "now"): lambda i: _now().astimezone(),
    ("datetime", "utcnow"): lambda i: _now(datetime.UTC),
    ("text.encoding", "utf8"): lambda i: encoding_object("UTF8"),
    ("text.encoding", "unicode"): lambda i: encoding_object("Unicode"),
    ("text.encoding", "ascii"): lambda i: encoding_object("ASCII"),
    ("text.encoding", "default"): lambda i: encoding_object("Default"),
    ("guid", "empty"): lambda i: "00000000-0000-0000-0000-000000000000",
    ("io.path", "directoryseparatorchar"): lambda i: "\\",
}
STATIC_METHODS: dict[tuple[str, str], Callable[..., Any]] = {
    ("environment", "expandenvironmentvariables"): lambda i, text: expand_variables(text_of(text), i.environment),
    ("environment", "getenvironmentvariable"): _environment_variable,
    ("environment", "setenvironmentvariable"): _set_environment_variable,
    ("environment", "getfolderpath"): _folder,
    ("console", "writeline"): lambda i, text="": i.process.write_stdout(f"{text_of(text)}\r\n".encode()),
    ("console", "write"): lambda i, text="": i.process.write_stdout(text_of(text).encode()),
    ("gc", "collect"): lambda i: None,
    ("gc", "waitforpendingfinalizers"): lambda i: None,
    ("string", "isnullorempty"): lambda i, text: not text_of(text),
    ("string", "isnullorwhitespace"): lambda i, text: not text_of(text).strip(),
    ("string", "join"): lambda i, separator, *items: text_of(separator).join(
        text_of(item) for item in (listed(items[0]) if len(items) == 1 else items)
    ),
    ("string", "format"): lambda i, template, *items: format_string(text_of(template), list(items)),
    ("string", "equals"): lambda i, left, right: text_of(left) == text_of(right),
    ("string", "compare"): lambda i, left, right: (text_of(left) > text_of(right)) - (text_of(left) < text_of(right)),
    ("convert", "tobase64string"): lambda i, data: base64.b64encode(bytes(listed(data))).decode(),
    ("convert", "frombase64string"): lambda i, text: list(base64.b64decode(text_of(text))),
    ("convert", "toint32"): lambda i, value, base=10: int(text_of(value), int(base)),
    ("convert", "tostring"): lambda i, value: text_of(value),
    ("convert", "toboolean"): lambda i, value: truth(value),
    ("math", "round"): lambda i, value, digits=0: _round(value, digits),
    ("math", "floor"): lambda i, value: int(number(value) // 1),
    ("math", "ceiling"): lambda i, value: int(-(-number(value) // 1)),
    ("math", "max"): lambda i, left, right: max(number(left), number(right)),
    ("math", "min"): lambda i, left, right: min(number(left), number(right)),
    ("math", "abs"): lambda i, value: abs(number(value)),
    ("math", "pow"): lambda i, left, right: float(number(left)) ** number(right),
    ("guid", "newguid"): lambda i: _guid(),
    ("datetime", "fromfiletime"): lambda i, value: filetime_to_datetime(int(value)).astimezone(),
    ("datetime", "fromfiletimeutc"): lambda i, value: filetime_to_datetime(int(value)),
    ("threading.thread", "sleep"): lambda i, milliseconds: (
        i.process.cancelled.wait(number(milliseconds) / 1000) and None
    ),
    ("io.path", "combine"): lambda i, *parts: ntpath.join(*[text_of(part) for part in parts]),
    ("io.path", "gettemppath"): lambda i: i.environment.get("TEMP", "C:\\Windows\\Temp").rstrip("\\") + "\\",
    ("io.path", "getfilename"): lambda i, path: ntpath.basename(text_of(path)),
    ("io.path", "getextension"): lambda i, path: ntpath.splitext(text_of(path))[1],
    ("io.path", "getdirectoryname"): lambda i, path: ntpath.dirname(text_of(path)),
    ("io.path", "getfilenamewithoutextension"): lambda i, path: ntpath.splitext(ntpath.basename(text_of(path)))[0],
    ("io.path", "getfullpath"): file_path,
    ("io.path", "ispathrooted"): lambda i, path: bool(ntpath.splitdrive(text_of(path))[0]),
    ("io.file", "exists"): lambda i, path: i.machine.files.is_file(file_path(i, path)),
    ("io.file", "readalltext"): _read_text,
    ("io.file", "readalllines"): lambda i, path, codec=None: _read_text(i, path).splitlines(),
    ("io.file", "readallbytes"): lambda i, path: list(i.machine.files.read_bytes(file_path(i, path))),
    ("io.file", "writealltext"): _write_text,
    ("io.file", "writeallbytes"): lambda i, path, data: _void(
        i.machine.files.write_bytes(file_path(i, path), bytes(listed(data)))
    ),
    ("io.file", "delete"): lambda i, path: _void(
        i.machine.files.exists(file_path(i, path)) and i.machine.files.remove(file_path(i, path))
    ),
    ("io.directory", "exists"): lambda i, path: i.machine.files.is_dir(file_path(i, path)),
    ("io.directory", "createdirectory"): lambda i, path: _void(i.machine.files.mkdir(file_path(i, path))),
    ("security.principal.windowsidentity", "getcurrent"): _identity,
    ("text.encoding", "getencoding"): lambda i, name: encoding_object(
        "UTF8" if text_of(name) in ("65001", "utf-8") else text_of(name)
    ),
    ("regex", "escape"): lambda i, text: re.escape(text_of(text)),
    ("text.regularexpressions.regex", "escape"): lambda i, text: re.escape(text_of(text)),
    ("management.automation.security.systempolicy", "getsystemlockdownpolicy"): lambda i: "None",
}
for _prefix in ("int", "int32", "int64", "long"):
    STATIC_METHODS[(_prefix, "parse")] = lambda i, text: int(text_of(text))


def _void(value: Any) -> None:
    return None


def _writer(interpreter: Any, write: Callable[[bytes], Any]) -> PSObject:
    return PSObject(
        "System.IO.TextWriter",
        {},
        {
            "WriteLine": lambda text="": _void(write(f"{text_of(text)}\r\n".encode())),
            "Write": lambda text="": _void(write(text_of(text).encode())),
            "Flush": lambda: None,
        },
    )
