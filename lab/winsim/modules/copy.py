"""ansible.windows.win_copy: the part that runs on the host, in its four modes."""

from __future__ import annotations

import base64
import io
import ntpath
import zipfile
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.modules.common import absolute, backup, checksum, error_text
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_copy", "ansible.builtin.copy", "ansible.legacy.copy")
def win_copy(call: ModuleCall) -> dict[str, Any]:
    """Compare (``query``), place what was sent (``single``, ``explode``) or copy on the host (``remote``)."""
    mode = call.args.get("_copy_mode") or "single"
    handler = {
        "query": _query,
        "single": _single,
        "explode": _explode,
        "remote": _remote,
    }.get(mode)
    if handler is None:
        raise SimulatorError(f"win_copy: mode {mode!r} not known")
    result: dict[str, Any] = {"changed": False}
    if call.diff:
        result["diff"] = {}
    try:
        handler(call, result)
    except OSError as error:
        raise ModuleFailure(error_text(error), **result) from error
    return result


def _query(call: ModuleCall, result: dict[str, Any]) -> None:
    files, dest = call.machine.files, absolute(call, call.args["dest"])
    force = call.args.get("force", True)
    changed_files, changed_folders = [], []
    for entry in call.args.get("files") or []:
        path = ntpath.join(dest, entry["dest"].replace("/", "\\"))
        if files.is_dir(path):
            path = ntpath.join(path, ntpath.basename(entry["src"].replace("/", "\\")))
        if files.is_dir(path):
            raise ModuleFailure(
                f"cannot copy file to dest '{path}': object at path is already a directory",
                **result,
            )
        node = files.get(path)
        if node is None or (force and checksum(node) != entry.get("checksum")):
            changed_files.append(entry)
    for entry in call.args.get("directories") or []:
        path = ntpath.join(dest, entry["dest"].replace("/", "\\"))
        parent = ntpath.dirname(path.rstrip("\\"))
        if files.is_file(parent):
            raise ModuleFailure(
                f"cannot copy folder to dest '{path}': object at parent directory path is already a file",
                **result,
            )
        if files.is_file(path):
            raise ModuleFailure(
                f"cannot copy folder to dest '{path}': object at path is already a file",
                **result,
            )
        if not files.is_dir(path):
            changed_folders.append(entry)
    result.update(files=changed_files, directories=changed_folders, symlinks=[])


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
    path = _target(
        call,
        absolute(call, call.args["dest"]),
        call.args.get("_original_basename"),
        result,
    )
    if call.args.get("backup"):
        result["backup_file"] = backup(call, path)
    files.copy(src, path)
    files.get(path).owner = call.machine.full_name(call.user)
    result["changed"] = True


def _explode(call: ModuleCall, result: dict[str, Any]) -> None:
    files, src = call.machine.files, absolute(call, call.args["src"])
    dest = absolute(call, call.args["dest"])
    if not files.is_file(src):
        raise ModuleFailure(f"Cannot expand src zip file: '{src}' as it does not exist", **result)
    with zipfile.ZipFile(io.BytesIO(files.read_bytes(src))) as archive:
        for entry in archive.infolist():
            name, folder = entry.filename, len(entry.filename) % 4 == 1
            decoded = base64.b64decode(name.rstrip("/\\") if folder else name).decode().replace("/", "\\")
            path = ntpath.join(dest, decoded)
            if call.check_mode:
                continue
            if folder:
                files.mkdir(path)
            else:
                files.write_bytes(path, archive.read(entry), parents=True)
    result["changed"] = True


def _remote(call: ModuleCall, result: dict[str, Any]) -> None:
    files = call.machine.files
    given, dest = call.args.get("src"), absolute(call, call.args["dest"])
    result.update(src=given, dest=call.args["dest"])
    if not given or not files.exists(absolute(call, given)):
        raise ModuleFailure(f"Cannot copy src file: '{given}' as it does not exist", **result)
    src = absolute(call, given)
    diff: list[str] = []
    if files.is_dir(src):
        result["operation"] = "folder_copy"
        target = dest
        if src.endswith("\\"):
            for node in files.listdir(src):
                _copy_tree(
                    call,
                    ntpath.join(src, node.name),
                    ntpath.join(dest, node.name),
                    result,
                    diff,
                )
        else:
            target = result["dest"] = ntpath.join(dest, files.get(src).name)
            _copy_tree(call, src, target, result, diff)
    else:
        result["operation"] = "file_copy"
        result["original_basename"] = files.get(src).name
        target = result["dest"] = _target(call, dest, files.get(src).name, result)
        result["checksum"] = _copy_file(call, src, target, result, diff)
    known = files.is_file(target) or not call.check_mode
    result["size"] = files.size(target) if known else None
    if call.diff:
        result["diff"]["prepared"] = "".join(diff)


def _copy_file(call: ModuleCall, src: str, dest: str, result: dict[str, Any], diff: list[str]) -> str | None:
    files, force = call.machine.files, call.args.get("force", True)
    wrong = f"cannot copy file from '{src}' to '{dest}': "
    digest = checksum(files.get(src)) if force else None
    if files.is_dir(dest):
        raise ModuleFailure(wrong + "dest is already a folder", **result)
    existing = files.get(dest)
    if existing is not None and not (force and checksum(existing) != digest):
        return digest
    parent = ntpath.dirname(dest)
    if files.is_file(parent):
        raise ModuleFailure(wrong + "object at dest parent dir is not a folder", **result)
    if not files.is_dir(parent):
        diff.append(f"+{parent}\\\n")
        if not call.check_mode:
            files.mkdir(parent)
    if call.args.get("backup"):
        result["backup_file"] = backup(call, dest)
    if existing is not None:
        diff.append(f"-{dest}\n")
    diff.append(f"+{dest}\n")
    if not call.check_mode:
        files.copy(src, dest)
    result["changed"] = True
    return digest


def _copy_tree(call: ModuleCall, src: str, dest: str, result: dict[str, Any], diff: list[str]) -> None:
    files = call.machine.files
    if not files.is_dir(src):
        _copy_file(call, src, dest, result, diff)
        return
    if not files.is_dir(dest):
        if files.is_file(ntpath.dirname(dest)):
            raise ModuleFailure(
                f"cannot copy file from '{src}' to '{dest}': object at dest parent dir is not a folder",
                **result,
            )
        if files.is_file(dest):
            raise ModuleFailure(
                f"cannot copy folder from '{src}' to '{dest}': dest is already a file",
                **result,
            )
        diff.append(f"+{dest}\\\n")
        result["changed"] = True
        if not call.check_mode:
            files.mkdir(dest)
    for node in files.listdir(src):
        _copy_tree(
            call,
            ntpath.join(src, node.name),
            ntpath.join(dest, node.name),
            result,
            diff,
        )
