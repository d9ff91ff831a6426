"""ansible.windows.win_find."""

from __future__ import annotations

import fnmatch
import ntpath
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import module
from lab.winsim.model.files import Node
from lab.winsim.modules.common import absolute, checksum, link_facts
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_find")
def win_find(call: ModuleCall) -> dict[str, Any]:
    """Files and folders below the paths that fit every filter, sorted by path."""
    files = call.machine.files
    result: dict[str, Any] = {"changed": False, "examined": 0, "files": [], "matched": 0}
    for option in ("age", "size", "depth", "use_regex", "follow", "case_sensitive"):
        if call.args.get(option):
            raise SimulatorError(f"win_find: option {option} is not modelled")
    seen: set[str] = set()

    def search(folder: str) -> None:
        for node in files.listdir(folder):
            path = ntpath.join(folder, node.name)
            if node.is_dir and call.args.get("recurse") and not node.target:
                search(path)
            if path.lower() in seen:
                continue
            seen.add(path.lower())
            result["examined"] += 1
            if _fits(call, node):
                result["files"].append(_describe(call, path, node))

    for given in call.args["paths"]:
        folder = absolute(call, given)
        if not files.exists(folder):
            result.setdefault("warnings", []).append(
                f"Argument path '{folder}' does not exist or is not accessible, skipping"
            )
        elif not files.is_dir(folder):
            result.setdefault("warnings", []).append(f"Argument path '{folder}' is a file not a directory, skipping")
        else:
            search(files.true_path(folder))
    result["files"].sort(key=lambda item: item["path"].lower())
    result["matched"] = len(result["files"])
    return result


def _fits(call: ModuleCall, node: Node) -> bool:
    kind = call.args.get("file_type", "file")
    if (kind == "file" and node.is_dir) or (kind == "directory" and not node.is_dir):
        return False
    if "Hidden" in node.attributes and not call.args.get("hidden"):
        return False
    patterns = call.args.get("patterns") or ["*"]
    return any(fnmatch.fnmatchcase(node.name.lower(), pattern.lower()) for pattern in patterns)


def _describe(call: ModuleCall, path: str, node: Node) -> dict[str, Any]:
    out: dict[str, Any] = {
        "attributes": node.attribute_text(),
        "checksum": None,
        "creationtime": node.created,
        "exists": True,
        "extension": None,
        "filename": node.name,
        "isarchive": "Archive" in node.attributes,
        "isdir": node.is_dir,
        "ishidden": "Hidden" in node.attributes,
        "isreadonly": "ReadOnly" in node.attributes,
        "isreg": not node.is_dir,
        "isshared": False,
        "lastaccesstime": node.accessed,
        "lastwritetime": node.written,
        "owner": node.owner,
        "path": path,
        "sharename": None,
        "size": None,
        "isjunction": False,
        "islnk": False,
        "nlink": 1,
        "lnk_source": None,
        "lnk_target": None,
        "hlnk_targets": [],
    }
    if node.content is not None:
        out.update(extension=ntpath.splitext(node.name)[1], size=node.content.size)
        if call.args.get("get_checksum", True):
            out["checksum"] = checksum(node, call.args.get("checksum_algorithm") or "sha1")
    out.update(link_facts(path, node, node))
    return out
