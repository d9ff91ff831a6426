"""ansible.windows.win_file, win_stat, slurp and win_tempfile."""

from __future__ import annotations

import base64
import ntpath
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.machine import Machine
from lab.winsim.modules.common import absolute, checksum, error_text, link_facts
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_file")
def win_file(call: ModuleCall) -> dict[str, Any]:
    """Make a folder, or remove a file or folder."""
    if call.args.get("state") == "touch":
        raise SimulatorError("win_file: state touch is not modelled")
    files = call.machine.files
    path, state = absolute(call, call.args["path"]), call.args.get("state")
    if call.args.get("_original_basename") is not None and files.is_dir(path):
        path = ntpath.join(path, call.args["_original_basename"])
    result: dict[str, Any] = {"changed": False}
    try:
        node = files.get(path, follow=False)
        if node is not None:
            if state == "absent":
                result["changed"] = True
                if not call.check_mode:
                    files.remove(path)
            elif state == "directory" and not files.is_dir(path):
                raise ModuleFailure(f"path {path} is not a directory", **result)
            elif state == "file" and files.is_dir(path):
                raise ModuleFailure(f"path {path} is not a file", **result)
            return result
        state = state or ("file" if ntpath.basename(path) else "directory")
        if state == "directory":
            result["changed"] = True
            if not call.check_mode:
                files.mkdir(path, owner=call.machine.full_name(call.user))
        elif state == "file":
            raise ModuleFailure(f"path {path} will not be created", **result)
    except FileExistsError as error:
        raise ModuleFailure(f"path {path} is not a directory", **{**result, "changed": False}) from error
    except OSError as error:
        raise ModuleFailure(error_text(error), **result) from error
    return result


@module("ansible.windows.win_stat")
def win_stat(call: ModuleCall) -> dict[str, Any]:
    """Tell about a file, folder or link."""
    machine: Machine = call.machine
    files, path = machine.files, absolute(call, call.args["path"])
    plain = files.get(path, follow=False)
    if plain is not None and call.args.get("follow") and plain.target:
        path = plain.target
        plain = files.get(path, follow=False)
    if plain is None:
        return {"changed": False, "stat": {"exists": False}}
    node = files.get(path) or plain
    full = files.true_path(path)
    attributes = plain.attribute_text()
    stat: dict[str, Any] = {
        "exists": True,
        "attributes": attributes,
        "isarchive": "Archive" in plain.attributes,
        "isdir": plain.is_dir,
        "ishidden": "Hidden" in plain.attributes,
        "isjunction": False,
        "islnk": False,
        "isreadonly": "ReadOnly" in plain.attributes,
        "isreg": not plain.is_dir,
        "isshared": False,
        "nlink": 1,
        "hlnk_targets": [],
        "creationtime": plain.created,
        "lastaccesstime": plain.accessed,
        "lastwritetime": plain.written,
        "owner": plain.owner,
        "path": full,
        "filename": plain.name,
    }
    if node.is_dir:
        if call.args.get("get_size", True):
            stat["size"] = files.size(path)
    else:
        stat["extension"] = ntpath.splitext(plain.name)[1]
        if call.args.get("get_checksum", True):
            stat["checksum"] = checksum(node, call.args.get("checksum_algorithm") or "sha1")
        if call.args.get("get_size", True):
            stat["size"] = node.content.size
    stat.update(link_facts(full, node, plain))
    return {"changed": False, "stat": stat}


@module("ansible.windows.slurp")
def slurp(call: ModuleCall) -> dict[str, Any]:
    """The bytes of a file in base64."""
    files, path = call.machine.files, absolute(call, call.args["src"])
    if files.is_dir(path):
        raise ModuleFailure(f"Path {path} is a directory")
    if not files.is_file(path):
        raise ModuleFailure(f"Path {path} is not found")
    try:
        data = files.read_bytes(path)
    except OSError as error:
        raise ModuleFailure(str(error)) from error
    return {"changed": False, "content": base64.b64encode(data).decode(), "encoding": "base64"}
