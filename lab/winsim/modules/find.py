"""ansible.windows.win_find."""

from __future__ import annotations

import fnmatch
import ntpath
import re
from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.model.files import Node
from lab.winsim.modules.common import absolute, checksum, link_facts
from lab.winsim.process import ModuleCall

_AGE = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SIZE = {"b": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def _measure(text: str | None, units: dict[str, int], what: str) -> int | None:
    if text is None:
        return None
    match = re.fullmatch(rf"(-?\d+)({'|'.join(units)})?", str(text))
    if match is None:
        raise ModuleFailure(
            f"Invalid {what} pattern specified",
            changed=False,
            examined=0,
            files=[],
            matched=0,
        )
    return int(match[1]) * units[match[2] or next(iter(units))]


@module("ansible.windows.win_find")
def win_find(call: ModuleCall) -> dict[str, Any]:
    """Files and folders below the paths that fit every filter, sorted by path."""
    files = call.machine.files
    result: dict[str, Any] = {
        "changed": False,
        "examined": 0,
        "files": [],
        "matched": 0,
    }
    age = _measure(call.args.get("age"), _AGE, "age")
    size = _measure(call.args.get("size"), _SIZE, "size")
    depth = call.args.get("depth")
    seen: set[str] = set()

    def search(folder: str, left: int | None) -> None:
        for node in files.listdir(folder):
            path = ntpath.join(folder, node.name)
            enter = node.is_dir and call.args.get("recurse") and left != 1
            if enter and (call.args.get("follow") or not node.target):
                search(path, left - 1 if left else None)
            if path.lower() in seen:
                continue
            seen.add(path.lower())
            result["examined"] += 1
            if _fits(call, node, age, size):
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
            search(files.true_path(folder), depth)
    result["files"].sort(key=lambda item: item["path"].lower())
    result["matched"] = len(result["files"])
    return result


def _fits(call: ModuleCall, node: Node, age: int | None, size: int | None) -> bool:
    arguments = call.args
    kind = arguments.get("file_type", "file")
    if (kind == "file" and node.is_dir) or (kind == "directory" and not node.is_dir):
        return False
    if "Hidden" in node.attributes and not arguments.get("hidden"):
        return False
    patterns = arguments.get("patterns")
    if patterns is not None:
        sensitive = arguments.get("case_sensitive")
        if arguments.get("use_regex"):
            flags = 0 if sensitive else re.IGNORECASE
            named = any(re.search(pattern, node.name, flags) for pattern in patterns)
        else:
            named = any(fnmatch.fnmatchcase(node.name.lower(), pattern.lower()) for pattern in patterns)
        if not named:
            return False
    if age is not None:
        stamp = {"mtime": node.written, "ctime": node.created, "atime": node.accessed}
        elapsed = call.machine.clock.now() - stamp[arguments.get("age_stamp", "mtime")]
        if not (elapsed >= age if age >= 0 else elapsed <= -age):
            return False
    if size is not None:
        length = node.content.size if node.content else 0
        return length >= size if size >= 0 else length <= -size
    return True


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
