"""The cmdlets for files, the registry, and what Windows tells about itself."""

from __future__ import annotations

import datetime
import ntpath
import re
from typing import Any

from lab.winsim.pwsh import dotnet
from lab.winsim.pwsh.cmdlets import Invocation, cmdlet, write_file
from lab.winsim.pwsh.dotnet import file_path, registry_data, registry_key, registry_type
from lab.winsim.pwsh.values import PSObject, filetime_to_datetime, listed, text_of, truth, wildcard

_REGISTRY = re.compile(
    r"(?i)^(?:(?:Microsoft\.PowerShell\.Core\\)?Registry::)?(HKLM|HKCU|HKU|HKCR|HKCC|HKEY_\w+):?(?:\\|/|$)(.*)"
)
_SHORT = {
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_USERS": "HKU",
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
}


def registry_path(path: Any) -> str | None:
    """Return ``HKLM\\...`` for a path of the registry provider, None for any other path."""
    match = _REGISTRY.match(text_of(path))
    if not match or ":" not in text_of(path)[: match.end(1) + 1]:
        return None
    root = _SHORT.get(match[1].upper(), match[1].upper())
    rest = match[2].replace("/", "\\").strip("\\")
    return f"{root}\\{rest}" if rest else root


def _registry(call: Invocation) -> Any:
    return call.interpreter.machine.registry.view(call.interpreter.session.user)


def _paths(call: Invocation) -> list[str]:
    given = call.get("LiteralPath") if "LiteralPath" in call.arguments else call.get("Path")
    if given is None and call.input is not None:
        given = [
            item.properties.get("PSPath", text_of(item)) if isinstance(item, PSObject) else item for item in call.input
        ]
    found: list[str] = []
    for path in listed(given):
        text = text_of(path)
        if "LiteralPath" not in call.arguments and re.search(r"[*?]", text) and registry_path(text) is None:
            found += call.interpreter.machine.files.glob(file_path(call.interpreter, text))
        else:
            found.append(text)
    return found


def _not_found(call: Invocation, path: str) -> None:
    name = call.name.replace("-", "")
    shown = registry_path(path)
    text = re.sub(r"^(HK\w+)\\", r"\1:\\", shown) if shown else file_path(call.interpreter, path)
    message = f"Cannot find path '{text}' because it does not exist."
    call.error(message, f"PathNotFound,Microsoft.PowerShell.Commands.{name}Command", "ObjectNotFound", text)


def file_item(call: Invocation, path: str) -> PSObject:
    """Return a FileInfo or DirectoryInfo."""
    files = call.interpreter.machine.files
    full = files.true_path(path)
    node = files.get(full)
    written = datetime.datetime.fromtimestamp(node.written, datetime.UTC)
    properties: dict[str, Any] = {
        "FullName": full,
        "Name": node.name,
        "PSPath": f"Microsoft.PowerShell.Core\\FileSystem::{full}",
        "PSIsContainer": node.is_dir,
        "Exists": True,
        "Extension": "" if node.is_dir else ntpath.splitext(node.name)[1],
        "BaseName": node.name if node.is_dir else ntpath.splitext(node.name)[0],
        "LastWriteTime": written,
        "LastWriteTimeUtc": written,
        "Attributes": node.attribute_text(),
    }
    if not node.is_dir:
        properties |= {"Length": files.size(full), "DirectoryName": ntpath.dirname(full)}
    kind = "System.IO.DirectoryInfo" if node.is_dir else "System.IO.FileInfo"
    return PSObject(kind, properties, {"Delete": lambda: files.remove(full)}, text=full)


def _item(call: Invocation, path: str) -> PSObject | None:
    key = registry_path(path)
    if key is not None:
        return registry_key(call.interpreter, key) if _registry(call).exists(key) else None
    if text_of(path).lower().startswith("env:"):
        name = path[4:].lstrip("\\/")
        value = call.interpreter.environment.get(name)
        return (
            None
            if value is None
            else PSObject("DictionaryEntry", {"Name": name, "Key": name, "Value": value}, text=value)
        )
    full = file_path(call.interpreter, path)
    return file_item(call, full) if call.interpreter.machine.files.exists(full) else None


@cmdlet("Get-Item", "Path", "LiteralPath Filter", "Force")
def get_item(call: Invocation) -> None:
    """Emit a file, a folder, a registry key or an environment variable."""
    for path in _paths(call):
        item = _item(call, path)
        if item is None:
            _not_found(call, path)
        else:
            call.emit(item)


@cmdlet("Get-ChildItem", "Path Filter", "LiteralPath Include Exclude Depth", "Recurse Force File Directory Name")
def get_child_item(call: Invocation) -> None:
    """Emit what is in a folder or below a registry key."""
    paths = _paths(call) or [call.interpreter.location]
    for path in paths:
        key = registry_path(path)
        if key is not None:
            if not _registry(call).exists(key):
                _not_found(call, path)
                continue
            call.emit_all(registry_key(call.interpreter, f"{key}\\{name}") for name in _registry(call).subkeys(key))
            continue
        if path.lower().rstrip("\\") == "env:":
            for name, value in call.interpreter.environment.items():
                call.emit(PSObject("DictionaryEntry", {"Name": name, "Key": name, "Value": value}))
            continue
        _folder(call, file_path(call.interpreter, path))


def _folder(call: Invocation, path: str) -> None:
    files = call.interpreter.machine.files
    if not files.exists(path):
        _not_found(call, path)
        return
    if not files.is_dir(path):
        call.emit(file_item(call, path))
        return
    walked = (
        files.walk(path)
        if call.flag("Recurse")
        else [(ntpath.join(path, node.name), node) for node in files.listdir(path)]
    )
    masks = [wildcard(text_of(mask)) for mask in (*listed(call.get("Filter")), *listed(call.get("Include")))]
    for full, node in walked:
        if masks and not any(mask.match(node.name) for mask in masks):
            continue
        if (call.flag("File") and node.is_dir) or (call.flag("Directory") and not node.is_dir):
            continue
        call.emit(node.name if call.flag("Name") else file_item(call, full))


@cmdlet("Test-Path", "Path", "LiteralPath PathType", "IsValid")
def test_path(call: Invocation) -> None:
    """Emit whether something is there."""
    given = listed(call.get("LiteralPath") if "LiteralPath" in call.arguments else call.get("Path"))
    if not given and call.input:
        given = call.input
    for path in given:
        text, kind = text_of(path), call.text("PathType", "Any").lower()
        if call.flag("IsValid"):
            call.emit(not re.search(r'[<>"|]', text))
            continue
        if "LiteralPath" not in call.arguments and re.search(r"[*?]", text) and registry_path(text) is None:
            call.emit(bool(call.interpreter.machine.files.glob(file_path(call.interpreter, text))))
            continue
        item = _item(call, text)
        container = item is not None and (item.properties.get("PSIsContainer", registry_path(text) is not None))
        call.emit(item is not None and {"container": bool(container), "leaf": not container}.get(kind, True))


@cmdlet("New-Item", "Path", "Name ItemType Value", "Force", type="ItemType")
def new_item(call: Invocation) -> None:
    """Make a file, a folder or a registry key."""
    path = text_of(call.get("Path") or call.interpreter.location)
    if "Name" in call.arguments:
        path = ntpath.join(path, call.text("Name"))
    key = registry_path(path)
    if key is not None:
        if _registry(call).exists(key) and not call.flag("Force"):
            call.error("A key in this path already exists.", "System.IO.IOException", "ResourceExists", path)
            return
        _registry(call).create(key)
        if "Value" in call.arguments:
            _registry(call).set(key, "", call.text("Value"))
        call.emit(registry_key(call.interpreter, key))
        return
    full, files, kind = file_path(call.interpreter, path), call.interpreter.machine.files, call.text("ItemType").lower()
    if files.exists(full) and not call.flag("Force"):
        message = f"An item with the specified name {full} already exists."
        call.error(message, "DirectoryExist,Microsoft.PowerShell.Commands.NewItemCommand", "ResourceExists", full)
        return
    if kind in ("directory", "container"):
        dotnet.guarded("New-Item", files.mkdir, full)
    elif kind in ("", "file"):
        if call.flag("Force"):
            files.mkdir(ntpath.dirname(full))
        dotnet.guarded("New-Item", files.write_bytes, full, call.text("Value").encode())
    else:
        raise call.interpreter.fail(f"New-Item -ItemType {kind}", call.node)
    call.emit(file_item(call, full))


@cmdlet("mkdir", "Path", "", "Force")
def make_directory(call: Invocation) -> None:
    """``New-Item -ItemType Directory``."""
    call.arguments["ItemType"] = "Directory"
    new_item(call)


@cmdlet("Remove-Item", "Path", "LiteralPath Include", "Force Recurse")
def remove_item(call: Invocation) -> None:
    """Remove files, folders, registry keys."""
    for path in _paths(call):
        key = registry_path(path)
        if key is not None:
            if not _registry(call).delete(key):
                _not_found(call, path)
            continue
        if path.lower().startswith("env:"):
            call.interpreter.environment.pop(path[4:].lstrip("\\/"), None)
            continue
        full, files = file_path(call.interpreter, path), call.interpreter.machine.files
        if not files.exists(full):
            _not_found(call, path)
        elif files.is_dir(full) and files.listdir(full) and not call.flag("Recurse"):
            message = (
                f"Cannot remove item {full}: the folder is not empty, and a confirmation can not be asked for "
                "in NonInteractive mode."
            )
            raise call.terminate(message, "InvalidOperation,Microsoft.PowerShell.Commands.RemoveItemCommand")
        else:
            files.remove(full)


def _copy_tree(files: Any, source: str, target: str) -> None:
    if not files.is_dir(source):
        files.copy(source, target)
        return
    files.mkdir(target)
    for node in files.listdir(source):
        _copy_tree(files, ntpath.join(source, node.name), ntpath.join(target, node.name))


def _into(files: Any, source: str, target: str) -> str:
    return ntpath.join(target, ntpath.basename(source)) if files.is_dir(target) else target


@cmdlet("Copy-Item", "Path Destination", "LiteralPath", "Force Recurse PassThru")
def copy_item(call: Invocation) -> None:
    """Copy files and folders."""
    files = call.interpreter.machine.files
    for path in _paths(call):
        source = file_path(call.interpreter, path)
        if not files.exists(source):
            _not_found(call, path)
            continue
        target = _into(files, source, file_path(call.interpreter, call.get("Destination")))
        if files.is_dir(source) and not call.flag("Recurse"):
            files.mkdir(target)
        else:
            dotnet.guarded("Copy-Item", _copy_tree, files, source, target)


@cmdlet("Move-Item", "Path Destination", "LiteralPath", "Force PassThru")
def move_item(call: Invocation) -> None:
    """Move files and folders."""
    files = call.interpreter.machine.files
    for path in _paths(call):
        source = file_path(call.interpreter, path)
        if not files.exists(source):
            _not_found(call, path)
            continue
        target = _into(files, source, file_path(call.interpreter, call.get("Destination")))
        dotnet.guarded("Move-Item", files.move, source, target)


@cmdlet("Get-Content", "Path", "LiteralPath Encoding TotalCount Tail ReadCount", "Raw")
def get_content(call: Invocation) -> None:
    """Emit the lines of a file, or its text."""
    for path in _paths(call):
        full = file_path(call.interpreter, path)
        if not call.interpreter.machine.files.exists(full):
            _not_found(call, path)
            continue
        data = dotnet.guarded("Get-Content", call.interpreter.machine.files.read_bytes, full)
        if call.text("Encoding").lower() == "byte":
            call.emit_all(list(data))
            continue
        if data.startswith(b"\xff\xfe"):
            text = data[2:].decode("utf-16-le")
        else:
            text = data.decode(dotnet.encoding(call.text("Encoding", "utf8")), "replace").removeprefix("\ufeff")
        if call.flag("Raw"):
            call.emit(text)
            continue
        lines = text.splitlines()
        if "TotalCount" in call.arguments:
            lines = lines[: int(call.get("TotalCount"))]
        if "Tail" in call.arguments:
            lines = lines[-int(call.get("Tail")) :]
        call.emit_all(lines)


def _write(call: Invocation, append: bool) -> None:
    values = listed(call.get("Value")) if "Value" in call.arguments else (call.input or [])
    codec = call.text("Encoding", "default").lower()
    end = "" if call.flag("NoNewline") else "\r\n"
    if codec == "byte":
        data = bytes(int(item) for item in values)
    else:
        data = "".join(text_of(item) + end for item in values).encode(dotnet.encoding(codec), "replace")
        mark = {"utf8": b"\xef\xbb\xbf", "unicode": b"\xff\xfe"}.get(codec, b"")
        data = data if append else mark + data
    for path in _paths_without_input(call):
        write_file(call.interpreter, path, data, append)


def _paths_without_input(call: Invocation) -> list[Any]:
    return listed(call.get("LiteralPath") if "LiteralPath" in call.arguments else call.get("Path"))


@cmdlet("Set-Content", "Path Value", "LiteralPath Encoding", "Force NoNewline PassThru")
def set_content(call: Invocation) -> None:
    """Write lines to a file."""
    _write(call, append=False)


@cmdlet("Add-Content", "Path Value", "LiteralPath Encoding", "Force NoNewline PassThru")
def add_content(call: Invocation) -> None:
    """Append lines to a file."""
    _write(call, append=True)


# --- registry values -------------------------------------------------------------------------------------------------


def _properties(call: Invocation, key: str) -> PSObject:
    view = _registry(call)
    result = PSObject("PSCustomObject")
    for value in view.values(key):
        data: Any = value.data
        if value.type == "REG_EXPAND_SZ":
            data = dotnet.expand_variables(value.data, call.interpreter.environment)
        elif isinstance(data, bytes):
            data = list(data)
        result.properties[value.name or "(default)"] = data
    return result


@cmdlet("Get-ItemProperty", "Path Name", "LiteralPath")
def get_item_property(call: Invocation) -> None:
    """Emit the values of a registry key, or the properties of a file."""
    for path in _paths(call):
        key = registry_path(path)
        item = _item(call, path)
        if item is None:
            _not_found(call, path)
            continue
        found = _properties(call, key) if key is not None else item
        names = [text_of(name) for name in listed(call.get("Name"))]
        missing = [name for name in names if name not in found.properties]
        for name in missing:
            message = f"Property {name} does not exist at path {item.properties.get('Name')}."
            call.error(message, "System.Management.Automation.PSArgumentException", "InvalidArgument", name)
        if missing:
            continue
        if names:
            found = PSObject("PSCustomObject", {name: found.properties[name] for name in names})
        if key is not None:
            found.properties["PSPath"] = item.properties["PSPath"]
            found.properties["PSChildName"] = item.properties["PSChildName"]
        call.emit(found)


@cmdlet("Get-ItemPropertyValue", "Path Name", "LiteralPath")
def get_item_property_value(call: Invocation) -> None:
    """Emit one value of a registry key."""
    for path in _paths(call):
        key = registry_path(path)
        found = _properties(call, key) if key is not None and _registry(call).exists(key) else None
        if found is None:
            _not_found(call, path)
        elif call.text("Name") not in found.properties:
            message = f"Property {call.text('Name')} does not exist at path {path}."
            call.error(message, "System.Management.Automation.PSArgumentException", "InvalidArgument")
        else:
            call.emit_all(listed(found.properties[call.text("Name")]))


def _value_name(call: Invocation) -> str:
    return "" if call.text("Name").lower() == "(default)" else call.text("Name")


@cmdlet("Set-ItemProperty", "Path Name Value", "LiteralPath Type", "Force PassThru", propertytype="Type")
def set_item_property(call: Invocation) -> None:
    """Write a registry value; an existing one keeps its type."""
    for path in _paths_without_input(call):
        key = registry_path(path)
        if key is None:
            raise call.interpreter.fail("Set-ItemProperty on something that is no registry key", call.node)
        view, kind = _registry(call), call.text("Type")
        if not view.exists(key):
            _not_found(call, text_of(path))
            continue
        known = view.value(key, _value_name(call))
        if not kind and known is not None:
            kind = dotnet._KIND_NAMES[known.type]
        view.set(key, _value_name(call), registry_data(call.get("Value"), kind), registry_type(kind))


@cmdlet("New-ItemProperty", "Path", "Name Value LiteralPath PropertyType", "Force", type="PropertyType")
def new_item_property(call: Invocation) -> None:
    """Create a registry value."""
    for path in _paths_without_input(call):
        key, view = registry_path(path), _registry(call)
        if key is None or not view.exists(key):
            _not_found(call, text_of(path))
            continue
        if view.value(key, _value_name(call)) is not None and not call.flag("Force"):
            call.error("The property already exists.", "System.IO.IOException", "ResourceExists", path)
            continue
        kind = call.text("PropertyType")
        view.set(key, _value_name(call), registry_data(call.get("Value"), kind), registry_type(kind))
        call.emit(PSObject("PSCustomObject", {call.text("Name"): call.get("Value")}))


@cmdlet("Remove-ItemProperty", "Path Name", "LiteralPath", "Force")
def remove_item_property(call: Invocation) -> None:
    """Remove a registry value."""
    for path in _paths_without_input(call):
        key = registry_path(path)
        if key is None or not _registry(call).remove(key, _value_name(call)):
            message = f"Property {call.text('Name')} does not exist at path {text_of(path)}."
            call.error(message, "System.Management.Automation.PSArgumentException", "InvalidArgument")


# --- paths and Windows -----------------------------------------------------------------------------------------------


@cmdlet("Join-Path", "Path ChildPath", "", "Resolve")
def join_path(call: Invocation) -> None:
    """Join two parts of a path."""
    for path in listed(call.get("Path")):
        call.emit(text_of(path).rstrip("\\") + "\\" + call.text("ChildPath").lstrip("\\"))


@cmdlet("Split-Path", "Path", "LiteralPath", "Leaf Parent Qualifier NoQualifier")
def split_path(call: Invocation) -> None:
    """Emit a part of a path."""
    for path in listed(call.get("Path") or call.get("LiteralPath") or call.input):
        text = text_of(path)
        if call.flag("Leaf"):
            call.emit(ntpath.basename(text.rstrip("\\")))
        elif call.flag("Qualifier"):
            call.emit(ntpath.splitdrive(text)[0])
        else:
            call.emit(ntpath.dirname(text.rstrip("\\")))


@cmdlet("Resolve-Path", "Path", "LiteralPath", "Relative")
def resolve_path(call: Invocation) -> None:
    """Emit the full path of something that exists."""
    for path in _paths(call):
        item = _item(call, path)
        if item is None:
            _not_found(call, path)
        else:
            full = item.properties.get("FullName", text_of(item))
            call.emit(PSObject("PathInfo", {"Path": full, "ProviderPath": full}, text=full))


def _operating_system(call: Invocation) -> PSObject:
    machine = call.interpreter.machine
    current = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
    caption = "Microsoft " + str(machine.description["windows"]["product"])
    edition = {"Professional": "Pro", "Core": "Home"}.get(str(machine.registry.get(current, "EditionID", "")), "")
    return PSObject(
        "CimInstance#root/cimv2/Win32_OperatingSystem",
        {
            "Caption": f"{caption} {edition}".strip(),
            "Version": f"10.0.{machine.build}",
            "BuildNumber": str(machine.build),
            "OSArchitecture": "64-bit",
            "CSName": machine.host_name.upper()[:15],
            "ProductType": 1,
            "LastBootUpTime": filetime_to_datetime(machine.last_boot),
            "LocalDateTime": datetime.datetime.fromtimestamp(machine.clock.now(), datetime.UTC),
        },
    )


def _computer_system(call: Invocation) -> PSObject:
    machine = call.interpreter.machine
    return PSObject(
        "CimInstance#root/cimv2/Win32_ComputerSystem",
        {
            "Name": machine.host_name.upper()[:15],
            "DNSHostName": machine.host_name,
            "Domain": "WORKGROUP",
            "Workgroup": "WORKGROUP",
            "PartOfDomain": False,
            "HypervisorPresent": _virtualization(machine)[1],
        },
    )


def _virtualization(machine: Any) -> tuple[bool, bool]:
    """Whether the firmware has it switched on, and whether Windows' own hypervisor runs."""
    on = bool(machine.description["hardware"]["virtualization"])
    return on, on and machine.features.is_on("VirtualMachinePlatform")


def _processor(call: Invocation) -> PSObject:
    machine = call.interpreter.machine
    on, running = _virtualization(machine)
    return PSObject(
        "CimInstance#root/cimv2/Win32_Processor",
        {
            "Name": machine.description["hardware"]["cpu"],
            # a running hypervisor hides it from Windows
            "VirtualizationFirmwareEnabled": on and not running,
        },
    )


_CLASSES = {
    "win32_operatingsystem": _operating_system,
    "win32_computersystem": _computer_system,
    "win32_processor": _processor,
}


@cmdlet(
    "Get-CimInstance", "ClassName", "Property Namespace Filter Query OperationTimeoutSec", "KeyOnly", class_="ClassName"
)
def get_cim_instance(call: Invocation) -> None:
    """Emit one of the few CIM classes that the subset knows."""
    name = call.text("ClassName")
    work = _CLASSES.get(name.lower())
    if work is None or "Filter" in call.arguments or "Query" in call.arguments:
        raise call.interpreter.fail(f"Get-CimInstance {name}", call.node)
    call.emit(work(call))


@cmdlet("Get-WmiObject", "Class", "Property Namespace Filter Query")
def get_wmi_object(call: Invocation) -> None:
    """As Get-CimInstance."""
    call.arguments["ClassName"] = call.get("Class")
    get_cim_instance(call)


@cmdlet("Get-WindowsOptionalFeature", "", "FeatureName", "Online")
def get_windows_optional_feature(call: Invocation) -> None:
    """Emit optional features and their state."""
    features = call.interpreter.machine.features
    names = [text_of(name) for name in listed(call.get("FeatureName"))]
    found = [features.find(name) for name in names] if names else list(features.items.values())
    for feature in found:
        if feature is not None:
            properties = {"FeatureName": feature.name, "State": feature.state, "Online": True}
            call.emit(PSObject("Microsoft.Dism.Commands.AdvancedFeatureObject", properties))


@cmdlet("Get-Service", "Name", "DisplayName")
def get_service(call: Invocation) -> None:
    """Emit services of the model."""
    services = call.interpreter.machine.services
    names = [text_of(name) for name in listed(call.get("Name"))] or ["*"]
    for name in names:
        found = [item for item in services.values() if wildcard(name).match(item.name)]
        if not found and not re.search(r"[*?]", name):
            message = f"Cannot find any service with service name '{name}'."
            call.error(message, "NoServiceFoundForGivenName", "ObjectNotFound", name)
        for item in found:
            status = str(item.state).capitalize()
            call.emit(PSObject("System.ServiceProcess.ServiceController", {"Name": item.name, "Status": status}))


@cmdlet("Restart-Computer", "ComputerName", "Delay Timeout", "Force Wait")
def restart_computer(call: Invocation) -> None:
    """Restart the machine."""
    if truth(call.get("ComputerName")) or call.flag("Wait"):
        raise call.interpreter.fail("Restart-Computer of another machine", call.node)
    call.interpreter.machine.schedule_shutdown(0, restart=True, reason="Restart-Computer")
