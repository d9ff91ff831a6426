"""ansible.windows.win_find: the files of a folder."""

from __future__ import annotations

import fnmatch
import ntpath
from typing import Any

from lab.winsim.handlers import module
from lab.winsim.modules.common import absolute
from lab.winsim.process import ModuleCall


@module("ansible.windows.win_find", "paths", "patterns")
def win_find(call: ModuleCall) -> dict[str, Any]:
    """Return the files that fit a pattern, sorted by path."""
    files, found = call.machine.files, []
    result: dict[str, Any] = {"changed": False, "files": found}
    patterns = [pattern.lower() for pattern in call.args.get("patterns") or ["*"]]
    for folder in (absolute(call, given) for given in call.args["paths"]):
        if not files.is_dir(folder):
            text = f"Argument path '{folder}' does not exist or is not accessible, skipping"
            result.setdefault("warnings", []).append(text)
            continue
        for node in files.listdir(folder):
            if not node.is_dir and any(fnmatch.fnmatchcase(node.name.lower(), pattern) for pattern in patterns):
                path = ntpath.join(files.true_path(folder), node.name)
                found.append({"path": path, "filename": node.name, "lastwritetime": node.written})
    found.sort(key=lambda item: item["path"].lower())
    return {**result, "matched": len(found)}
