"""The cmdlets of the PowerShell subset: how they are declared and bound, and those for objects and text."""

from __future__ import annotations

import datetime
import json
import ntpath
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from lab.winsim.pwsh import dotnet, statics
from lab.winsim.pwsh import nodes as n
from lab.winsim.pwsh.calls import Parameter
from lab.winsim.pwsh.dotnet import file_path
from lab.winsim.pwsh.values import (
    Block,
    ErrorRecord,
    Hashtable,
    PSObject,
    Table,
    Terminating,
    compare,
    display,
    from_json,
    listed,
    number,
    same,
    text_of,
    to_json,
    truth,
    wildcard,
)

_COMMON = {"erroraction": "ErrorAction", "ea": "ErrorAction", "warningaction": "WarningAction", "wa": "WarningAction"}
_COMMON |= {"errorvariable": "ErrorVariable", "outvariable": "OutVariable", "informationaction": "InformationAction"}
_COMMON_SWITCHES = {"verbose": "Verbose", "debug": "Debug", "confirm": "Confirm", "whatif": "WhatIf"}


@dataclass
class Cmdlet:
    """A cmdlet: positional parameters, further ones, switches, and the work."""

    name: str
    positional: list[str]
    named: list[str]
    switches: list[str]
    work: Callable[[Invocation], None]
    aliases: dict[str, str] = field(default_factory=dict)

    def bind(self, interpreter: Any, node: n.Node, positional: list[Any], named: dict[str, Any]) -> Table:
        """Pair parameters and values.

        Raises:
            SimulatorError: a parameter that is not known.
        """
        bound = Table()
        for name, value in named.items():
            bound[self._full(interpreter, node, name)] = value
        values, rest = list(positional), []
        while values:
            value = values.pop(0)
            if not isinstance(value, Parameter):
                rest.append(value)
                continue
            full = self._full(interpreter, node, value.name)
            if full in self.switches or full in _COMMON_SWITCHES.values():
                bound[full] = True
            elif not values or isinstance(values[0], Parameter):
                message = f"Missing an argument for parameter '{full}'. Specify a parameter and try again."
                raise Terminating(ErrorRecord(message, "MissingArgument", "InvalidArgument", source=self.name))
            else:
                bound[full] = values.pop(0)
        free = [name for name in self.positional if name not in bound]
        for value in rest:
            if free:
                bound[free.pop(0)] = value
            elif self.positional and self.positional[-1].endswith("*"):
                bound["*"] = [*bound.get("*", []), value]
            else:
                message = f"A positional parameter cannot be found that accepts argument '{text_of(value)}'."
                raise Terminating(
                    ErrorRecord(message, "PositionalParameterNotFound", "InvalidArgument", source=self.name)
                )
        return bound

    def _full(self, interpreter: Any, node: n.Node, name: str) -> str:
        lowered = name.lower()
        names = [*self.positional, *self.named, *self.switches]
        exact = [full for full in names if full.lower() == lowered]
        if exact:
            return exact[0]
        if lowered in self.aliases:
            return self.aliases[lowered]
        common = {**_COMMON, **_COMMON_SWITCHES}
        if lowered in common:
            return common[lowered]
        found = [full for full in names if full.lower().startswith(lowered)]
        found += [full for short, full in common.items() if short.startswith(lowered) and len(lowered) > 2]
        if len(set(found)) == 1:
            return found[0]
        raise interpreter.fail(f"parameter -{name} of {self.name}", node)


@dataclass
class Invocation:
    """One call of a cmdlet."""

    interpreter: Any
    node: n.Node
    name: str
    arguments: Table
    input: list[Any] | None
    emit: Callable[[Any], None]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a parameter."""
        return self.arguments.get(name, default)

    def flag(self, name: str) -> bool:
        """Return whether a switch is set."""
        return truth(self.arguments.get(name, False))

    def text(self, name: str, default: str = "") -> str:
        """Return a parameter as text."""
        return text_of(self.arguments[name]) if name in self.arguments else default

    def items(self, name: str = "InputObject") -> list[Any]:
        """Return the pipeline input, or the value of a parameter."""
        if name in self.arguments:
            return listed(self.arguments[name])
        return self.input if self.input is not None else []

    def emit_all(self, values: Iterable[Any]) -> None:
        """Emit every value."""
        for value in values:
            self.emit(value)

    def error(self, message: str, error_id: str, category: str = "NotSpecified", target: Any = None) -> None:
        """Report a non-terminating error under the ErrorAction of this call."""
        record = ErrorRecord(message, error_id, category, target, self.name)
        self.interpreter.error(record, self.text("ErrorAction"))

    def terminate(self, message: str, error_id: str, category: str = "InvalidOperation") -> Terminating:
        """Return a terminating error to raise."""
        return Terminating(ErrorRecord(message, error_id, category, None, self.name))


CMDLETS: dict[str, Cmdlet] = {}
ALIASES: dict[str, str] = {
    "%": "ForEach-Object", "foreach": "ForEach-Object", "?": "Where-Object", "where": "Where-Object",
    "select": "Select-Object", "sort": "Sort-Object", "echo": "Write-Output", "write": "Write-Output",
    "gc": "Get-Content", "cat": "Get-Content", "type": "Get-Content", "gci": "Get-ChildItem", "ls": "Get-ChildItem",
    "dir": "Get-ChildItem", "gi": "Get-Item", "ni": "New-Item", "ri": "Remove-Item", "rm": "Remove-Item",
    "del": "Remove-Item", "cp": "Copy-Item", "copy": "Copy-Item", "mv": "Move-Item", "cd": "Set-Location",
    "sl": "Set-Location", "pwd": "Get-Location", "sleep": "Start-Sleep", "gp": "Get-ItemProperty",
    "sp": "Set-ItemProperty", "gcim": "Get-CimInstance", "gwmi": "Get-WmiObject", "measure": "Measure-Object",
    "group": "Group-Object", "tee": "Tee-Object", "gv": "Get-Variable", "sv": "Set-Variable", "gcm": "Get-Command",
    "gsv": "Get-Service", "md": "mkdir",
}  # fmt: skip


def cmdlet(
    name: str, positional: str = "", named: str = "", switches: str = "", **aliases: str
) -> Callable[[Callable[[Invocation], None]], Callable[[Invocation], None]]:
    """Declare a cmdlet; parameter names are separated by blanks."""

    def register(work: Callable[[Invocation], None]) -> Callable[[Invocation], None]:
        CMDLETS[name.lower()] = Cmdlet(name, positional.split(), named.split(), switches.split(), work, aliases)
        return work

    return register


def write_file(interpreter: Any, path: Any, data: bytes, append: bool = False) -> None:
    """Write bytes to a file of the machine."""
    full, files = file_path(interpreter, path), interpreter.machine.files
    if append and files.exists(full):
        data = files.read_bytes(full) + data.removeprefix(b"\xff\xfe")
    dotnet.guarded("Write", files.write_bytes, full, data)


# --- output ----------------------------------------------------------------------------------------------------------


@cmdlet("Write-Output", "InputObject *", switches="NoEnumerate")
def write_output(call: Invocation) -> None:
    """Emit objects."""
    values = call.items()
    call.emit_all([*values, *call.get("*", [])])


@cmdlet("Write-Host", "Object *", "ForegroundColor BackgroundColor Separator", "NoNewline")
def write_host(call: Invocation) -> None:
    """Write to the console; redirected, the line ends with a bare line feed."""
    values = [*call.items("Object"), *call.get("*", [])]
    text = call.text("Separator", " ").join(text_of(value) for value in values)
    call.interpreter.streams.setdefault("host", []).append(text)
    call.interpreter.process.write_stdout(text.encode() + (b"" if call.flag("NoNewline") else b"\n"))


@cmdlet("Write-Error", "Message", "Exception Category ErrorId ErrorRecord TargetObject")
def write_error(call: Invocation) -> None:
    """Report an error."""
    message = call.text("Message") or text_of((call.items("ErrorRecord") or [""])[0])
    error_id = call.text("ErrorId") or "Microsoft.PowerShell.Commands.WriteErrorException"
    call.error(message, error_id, call.text("Category") or "NotSpecified")


def _stream(name: str) -> Callable[[Invocation], None]:
    def work(call: Invocation) -> None:
        call.interpreter.streams.setdefault(name, []).append(call.text("Message"))
        if name == "warning" and not call.interpreter.collecting:
            call.interpreter.process.write_stdout(f"WARNING: {call.text('Message')}\n".encode())

    return work


for _name in ("Warning", "Verbose", "Debug", "Information"):
    cmdlet(f"Write-{_name}", "Message", "Tags", messagedata="Message")(_stream(_name.lower()))


@cmdlet("Write-Progress", "Activity Status", "PercentComplete Id", "Completed")
def write_progress(call: Invocation) -> None:
    """Do nothing."""


@cmdlet("Out-Null", "", "InputObject")
def out_null(call: Invocation) -> None:
    """Drop the input."""


@cmdlet("Out-String", "", "InputObject Width", "Stream")
def out_string(call: Invocation) -> None:
    """Emit the display as one string."""
    text = display(call.items())
    call.emit_all(text.splitlines() if call.flag("Stream") else [text])


@cmdlet("Out-File", "FilePath", "Encoding InputObject Width LiteralPath", "Append Force NoNewline")
def out_file(call: Invocation) -> None:
    """Write the display to a file (UTF-16 unless told otherwise)."""
    codec = call.text("Encoding", "unicode").lower()
    mark = {"unicode": b"\xff\xfe", "utf8": b"\xef\xbb\xbf"}.get(codec, b"")
    data = mark + display(call.items()).encode(dotnet.encoding(codec))
    write_file(call.interpreter, call.get("FilePath") or call.get("LiteralPath"), data, call.flag("Append"))


@cmdlet("ConvertTo-Json", "InputObject", "Depth", "Compress")
def convert_to_json(call: Invocation) -> None:
    """Emit JSON as Windows PowerShell writes it."""
    if "InputObject" in call.arguments:
        value = call.get("InputObject")
    else:
        values = call.items()
        value = values[0] if len(values) == 1 else values
    call.emit(to_json(value, int(number(call.get("Depth", 2))), call.flag("Compress")))


@cmdlet("ConvertFrom-Json", "InputObject")
def convert_from_json(call: Invocation) -> None:
    """Emit the objects of a JSON text."""
    try:
        value = json.loads("\n".join(text_of(item) for item in call.items()))
    except ValueError as error:
        raise call.terminate(f"Invalid JSON primitive: {error}", "ArgumentException", "NotSpecified") from error
    call.emit_all(listed(from_json(value)))


# --- pipeline --------------------------------------------------------------------------------------------------------


@cmdlet("ForEach-Object", "Process", "Begin End MemberName InputObject ArgumentList")
def for_each_object(call: Invocation) -> None:
    """Run a block, or read or call a member, for every object."""
    interpreter, process = call.interpreter, call.get("Process")
    begin, end = call.get("Begin"), call.get("End")
    if begin is not None:
        call.emit_all(listed(interpreter.invoke(begin, [], {}, new_scope=False)))
    before = interpreter.scopes[-1].get("_")
    for item in call.items():
        if isinstance(process, Block):
            interpreter.scopes[-1]["_"] = item
            interpreter.invoke_into(process, [], {}, None, call.emit, new_scope=False)
        else:
            name = text_of(process or call.get("MemberName"))
            if name.lower() in ("tostring", "trim", "toupper", "tolower", "gettype", "dispose", "close"):
                value = dotnet.call_method(interpreter, item, name, [], call.node)
            else:
                value = dotnet.get_member(interpreter, item, name, call.node)
            call.emit_all(listed(value))
    interpreter.scopes[-1]["_"] = before
    if end is not None:
        call.emit_all(listed(interpreter.invoke(end, [], {}, new_scope=False)))


_TESTS = "EQ NE GT GE LT LE Like NotLike Match NotMatch Contains NotContains In NotIn"


@cmdlet("Where-Object", "FilterScript Value", "InputObject Property " + _TESTS, "Not")
def where_object(call: Invocation) -> None:
    """Keep the objects for which a block, or a comparison of a property, is true."""
    interpreter, test = call.interpreter, call.get("FilterScript")
    operator = next((name for name in _TESTS.split() if name in call.arguments), None)
    before = interpreter.scopes[-1].get("_")
    for item in call.items():
        if isinstance(test, Block):
            interpreter.scopes[-1]["_"] = item
            keep = truth(interpreter.invoke(test, [], {}, new_scope=False))
        else:
            name = text_of(test if test is not None else call.get("Property"))
            keep = truth(dotnet.get_member(interpreter, item, name, call.node))
            if operator is not None:
                value = dotnet.get_member(interpreter, item, name, call.node)
                keep = truth(interpreter.binary(operator.lower(), value, call.get(operator), call.node))
        if keep:
            call.emit(item)
    interpreter.scopes[-1]["_"] = before


@cmdlet("Select-Object", "Property", "InputObject ExpandProperty First Last Skip Index ExcludeProperty", "Unique")
def select_object(call: Invocation) -> None:
    """Choose objects or properties."""
    values = call.items()
    if call.flag("Unique"):
        values = [item for at, item in enumerate(values) if not any(same(item, other) for other in values[:at])]
    if "Skip" in call.arguments:
        values = values[int(number(call.get("Skip"))) :]
    if "First" in call.arguments:
        values = values[: int(number(call.get("First")))]
    if "Last" in call.arguments:
        count = int(number(call.get("Last")))
        values = values[len(values) - count :] if count < len(values) else values
    if "Index" in call.arguments:
        values = [values[int(number(call.get("Index")))]]
    for item in values:
        if "ExpandProperty" in call.arguments:
            call.emit_all(listed(dotnet.get_member(call.interpreter, item, call.text("ExpandProperty"), call.node)))
        elif "Property" in call.arguments:
            call.emit(_selected(call, item))
        else:
            call.emit(item)


def _selected(call: Invocation, item: Any) -> PSObject:
    chosen = PSObject("PSCustomObject")
    for entry in listed(call.get("Property")):
        if isinstance(entry, Hashtable):
            name = text_of(entry.get("Name") or entry.get("Label") or entry.get("n") or entry.get("l"))
            source = entry.get("Expression") or entry.get("e")
            call.interpreter.scopes[-1]["_"] = item
            chosen.properties[name] = (
                call.interpreter.invoke(source, [], {}, new_scope=False)
                if isinstance(source, Block)
                else dotnet.get_member(call.interpreter, item, text_of(source), call.node)
            )
            continue
        pattern = text_of(entry)
        if "*" in pattern and isinstance(item, PSObject):
            matches = wildcard(pattern)
            chosen.properties.update({key: item.properties[key] for key in item.properties if matches.match(key)})
        else:
            strict, call.interpreter.strict = call.interpreter.strict, False
            chosen.properties[pattern] = dotnet.get_member(call.interpreter, item, pattern, call.node)
            call.interpreter.strict = strict
    return chosen


@cmdlet("Sort-Object", "Property", "InputObject", "Descending Unique CaseSensitive")
def sort_object(call: Invocation) -> None:
    """Sort by value or by one or more properties."""
    import functools

    names = [text_of(name) for name in listed(call.get("Property"))]

    def keys(item: Any) -> list[Any]:
        return [dotnet.get_member(call.interpreter, item, name, call.node) for name in names] if names else [item]

    def order(left: Any, right: Any) -> int:
        return next((sign for a, b in zip(keys(left), keys(right), strict=True) if (sign := compare(a, b))), 0)

    values = sorted(call.items(), key=functools.cmp_to_key(order), reverse=call.flag("Descending"))
    if call.flag("Unique"):
        values = [item for at, item in enumerate(values) if at == 0 or order(values[at - 1], item)]
    call.emit_all(values)


@cmdlet("Measure-Object", "Property", "InputObject", "Sum Minimum Maximum Average Line")
def measure_object(call: Invocation) -> None:
    """Count, and sum if asked."""
    values = call.items()
    if "Property" in call.arguments:
        values = [dotnet.get_member(call.interpreter, item, call.text("Property"), call.node) for item in values]
    result = {"Count": len(values)}
    if call.flag("Sum"):
        result["Sum"] = sum(number(item) for item in values)
    if values and call.flag("Minimum"):
        result["Minimum"] = min(number(item) for item in values)
    if values and call.flag("Maximum"):
        result["Maximum"] = max(number(item) for item in values)
    call.emit(PSObject("GenericMeasureInfo", result))


# --- the session -----------------------------------------------------------------------------------------------------


@cmdlet("Set-StrictMode", "", "Version", "Off")
def set_strict_mode(call: Invocation) -> None:
    """Switch strict mode."""
    call.interpreter.strict = not call.flag("Off")


@cmdlet("Get-Variable", "Name", "Scope", "ValueOnly")
def get_variable(call: Invocation) -> None:
    """Emit a variable."""
    name = call.text("Name")
    if not call.interpreter.has_variable(name):
        call.error(f"Cannot find a variable with the name '{name}'.", "VariableNotFound", "ObjectNotFound", name)
        return
    value = call.interpreter.lookup(name)
    call.emit(value if call.flag("ValueOnly") else PSObject("PSVariable", {"Name": name, "Value": value}))


@cmdlet("Set-Variable", "Name Value", "Scope Option", "Force")
def set_variable(call: Invocation) -> None:
    """Set a variable, from the pipeline if no value is given."""
    value = call.get("Value")
    if "Value" not in call.arguments and call.input is not None:
        value = call.input[0] if len(call.input) == 1 else (list(call.input) or None)
    scope = call.text("Scope").lower()
    call.interpreter.assign(("script:" if scope in ("global", "script") else "") + call.text("Name"), value)


@cmdlet("Remove-Variable", "Name", "Scope", "Force")
def remove_variable(call: Invocation) -> None:
    """Remove a variable."""
    call.interpreter.scopes[-1].pop(call.text("Name"), None)


@cmdlet("New-Object", "TypeName ArgumentList", "Property ComObject")
def new_object(call: Invocation) -> None:
    """Create an object."""
    if "ComObject" in call.arguments:
        raise call.interpreter.fail(f"New-Object -ComObject {call.text('ComObject')}", call.node)
    value = dotnet.new_object(call.interpreter, call.text("TypeName"), listed(call.get("ArgumentList")), call.node)
    if isinstance(value, PSObject) and isinstance(call.get("Property"), Table):
        value.properties.update(call.get("Property"))
    call.emit(value)


@cmdlet("Start-Sleep", "Seconds", "Milliseconds", s="Seconds", m="Milliseconds")
def start_sleep(call: Invocation) -> None:
    """Wait in real time."""
    seconds = float(number(call.get("Seconds", 0))) + float(number(call.get("Milliseconds", 0))) / 1000
    dotnet.sleep(call.interpreter, seconds)


@cmdlet("Get-Date", "Date", "Format UFormat")
def get_date(call: Invocation) -> None:
    """Emit the time of the machine."""
    value = datetime.datetime.fromtimestamp(call.interpreter.machine.clock.now(), datetime.UTC)
    call.emit(dotnet.format_time(value, call.text("Format")) if "Format" in call.arguments else value)


@cmdlet("Get-Location", "", "PSProvider")
def get_location(call: Invocation) -> None:
    """Emit the current folder."""
    call.emit(call.interpreter.lookup("pwd"))


@cmdlet("Set-Location", "Path", "LiteralPath")
def set_location(call: Invocation) -> None:
    """Change the current folder."""
    path = file_path(call.interpreter, call.get("Path") or call.get("LiteralPath"))
    if not call.interpreter.machine.files.is_dir(path):
        message = f"Cannot find path '{path}' because it does not exist."
        call.error(message, "PathNotFound,Microsoft.PowerShell.Commands.SetLocationCommand", "ObjectNotFound", path)
        return
    call.interpreter.location = path


@cmdlet("Get-Command", "Name", "CommandType Module", "All")
def get_command(call: Invocation) -> None:
    """Emit a cmdlet of the subset, a function or a program of the machine."""
    name = call.text("Name")
    known = CMDLETS.get(ALIASES.get(name, name).lower())
    if known is not None or name in call.interpreter.functions:
        call.emit(PSObject("CommandInfo", {"Name": known.name if known else name, "Source": ""}, text=name))
        return
    interpreter = call.interpreter
    path = interpreter.machine.find_program(name, interpreter.environment, interpreter.location)
    if path is not None:
        properties = {"Name": ntpath.basename(path), "Source": path, "Path": path, "CommandType": "Application"}
        call.emit(PSObject("ApplicationInfo", properties, text=ntpath.basename(path)))
        return
    message = (
        f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program."
    )
    call.error(message, "CommandNotFoundException", "ObjectNotFound", name)


@cmdlet("New-Guid")
def new_guid(call: Invocation) -> None:
    """Emit a new GUID."""
    call.emit(statics.STATIC_METHODS[("guid", "newguid")](call.interpreter))


@cmdlet("Import-Module", "Name", "", "Force PassThru DisableNameChecking")
def import_module(call: Invocation) -> None:
    """Accept the modules whose cmdlets the subset has; any other is not understood."""
    if call.text("Name").lower() not in ("dism", "cimcmdlets", "microsoft.powershell.management"):
        raise call.interpreter.fail(f"Import-Module {call.text('Name')}", call.node)
