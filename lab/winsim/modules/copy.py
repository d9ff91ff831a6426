"""ansible.windows.win_copy: the part that runs on the host, as far as single files go."""

from __future__ import annotations

import ntpath
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.modules.common import absolute, checksum, error_text
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_copy")
def win_copy(call: ModuleCall) -> dict[str, Any]:
    """Compare (``query``), place what was sent (``single``), or copy on the host (``remote``, ``remote_src``)."""
    mode = call.args.get("_copy_mode") or "single"
    handler = {"query": _query, "single": _single, "remote": _remote}.get(mode)
    if handler is None:
        raise SimulatorError(f"win_copy: mode {mode!r} not known")
    result: dict[str, Any] = {"changed": False}
    try:
        handler(call, result)
    except OSError as error:
        raise ModuleFailure(error_text(error), **result) from error
    return result


def _query(call: ModuleCall, result: dict[str, Any]) -> None:
    files, dest = call.machine.files, absolute(call, call.args["dest"])
    force = call.args.get("force", True)
    changed_files = []
    for entry in call.args.get("files") or []:
        path = ntpath.join(dest, entry["dest"].replace("/", "\\"))
        if files.is_dir(path):
            path = ntpath.join(path, ntpath.basename(entry["src"].replace("/", "\\")))
        if files.is_dir(path):
            raise ModuleFailure(f"cannot copy file to dest '{path}': object at path is already a directory", **result)
        node = files.get(path)
        if node is None or (force and checksum(node) != entry.get("checksum")):
            changed_files.append(entry)
    if call.args.get("directories"):
        raise SimulatorError("win_copy: folders are not modelled")
    result.update(files=changed_files, directories=[], symlinks=[])


def _target(call: ModuleCall, dest: str, name: str | None, result: dict[str, Any]) -> str:
    """The full path a file is to get, its folder made where the module makes it."""
    files = call.machine.files
    path = dest
    if dest.endswith("\\") or files.is_dir(dest):
        path = ntpath.join(dest, name or "")
    parent = ntpath.dirname(path)
    if files.is_file(parent):
        raise ModuleFailure(f"object at destination parent dir '{parent}' is currently a file", **result)
    if not files.is_dir(parent):
        if path == dest:
            raise ModuleFailure(f"Destination directory '{parent}' does not exist", **result)
        files.mkdir(parent, owner=call.machine.full_name(call.user))
    return path


def _single(call: ModuleCall, result: dict[str, Any]) -> None:
    files, src = call.machine.files, absolute(call, call.args["src"])
    if not files.is_file(src):
        raise ModuleFailure(f"Cannot copy src file: '{src}' as it does not exist", **result)
    path = _target(call, absolute(call, call.args["dest"]), call.args.get("_original_basename"), result)
    files.copy(src, path)
    files.get(path).owner = call.machine.full_name(call.user)
    result["changed"] = True


def _remote(call: ModuleCall, result: dict[str, Any]) -> None:
    files, source = call.machine.files, call.args["src"]
    src, dest = absolute(call, source), absolute(call, call.args["dest"])
    if not files.exists(src):
        raise ModuleFailure(f"Cannot copy src file: '{source}' as it does not exist", **result)
    if not files.is_dir(src) or not source.endswith(("/", "\\")):
        raise SimulatorError("win_copy: with remote_src only the content of a folder is known, SRC\\")
    result.update(src=source, dest=call.args["dest"], operation="folder_copy")
    for node in files.listdir(src):
        here, there = ntpath.join(src, node.name), ntpath.join(dest, node.name)
        if files.is_dir(here):
            raise SimulatorError("win_copy: folders in folders are not known with remote_src")
        former = files.get(there)
        if former is not None and (not call.args.get("force", True) or checksum(node) == checksum(former)):
            continue
        result["changed"] = True
        if not call.check_mode:
            files.mkdir(dest, owner=call.machine.full_name(call.user))
            files.copy(here, there)
