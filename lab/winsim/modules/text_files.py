"""community.windows.win_lineinfile and win_unzip."""

from __future__ import annotations

import io
import ntpath
import re
import zipfile
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.modules.common import absolute, backup, error_text
from lab.winsim.process import ModuleCall


@module("community.windows.win_lineinfile")
def win_lineinfile(call: ModuleCall) -> dict[str, Any]:
    """Make sure that a line is in a file, or that none like it is."""
    arguments, files = call.args, call.machine.files
    path, state = absolute(call, arguments["path"]), arguments.get("state", "present")
    regex, line = arguments.get("regex") or arguments.get("regexp"), arguments.get("line")
    if arguments.get("validate"):
        raise SimulatorError("win_lineinfile: validate is not known")
    if files.is_dir(path):
        raise ModuleFailure(f"Path {arguments['path']} is a directory")
    encoding = {"auto": "utf-8", "utf-8": "utf-8", "utf-16": "utf-16", "ascii": "ascii", "us-ascii": "ascii"}.get(
        (arguments.get("encoding") or "auto").lower()
    )
    if encoding is None:
        raise SimulatorError(f"win_lineinfile: encoding {arguments['encoding']} is not known")
    newline = "\n" if arguments.get("newline") == "unix" else "\r\n"
    if state == "present" and regex is None and line is None:
        raise ModuleFailure("line= is required with state=present")
    if state == "absent" and regex is None and line is None:
        raise ModuleFailure("one of line= or regex= is required with state=absent")
    result: dict[str, Any] = {"changed": False, "msg": "", "backup": "", "encoding": encoding}
    if not files.exists(path):
        if state == "absent":
            return {**result, "msg": "file not present"}
        if not arguments.get("create"):
            raise ModuleFailure(f"Path {arguments['path']} does not exist !", **result)
        before: list[str] = []
    else:
        before = files.read_bytes(path).decode(encoding).removeprefix("\ufeff").splitlines()
    after = (
        _without(before, regex, line, result) if state == "absent" else _with(before, regex, line, arguments, result)
    )
    if after != before or (state == "present" and not files.exists(path)):
        result["changed"] = True
        if arguments.get("backup"):
            result["backup_file"] = result["backup"] = backup(call, path)
        if not call.check_mode:
            try:
                text = newline.join(after) + (newline if after else "")
                files.write_bytes(path, text.encode(encoding), parents=bool(arguments.get("create")))
            except OSError as error:
                raise ModuleFailure(error_text(error), **result) from error
    if call.diff:
        result["diff"] = {"before": "\n".join(before), "after": "\n".join(after)}
    return result


def _without(before: list[str], regex: str | None, line: str | None, result: dict[str, Any]) -> list[str]:
    if regex is not None:
        kept = [item for item in before if not re.search(regex, item)]
    else:
        kept = [item for item in before if item != line]
    result["found"] = len(before) - len(kept)
    if result["found"]:
        result["msg"] = f"{result['found']} line(s) removed"
    return kept


def _with(
    before: list[str], regex: str | None, line: str, arguments: dict[str, Any], result: dict[str, Any]
) -> list[str]:
    after = list(before)
    matches = [index for index, item in enumerate(before) if (re.search(regex, item) if regex else item == line)]
    if matches:
        at = matches[-1]
        text = re.sub(regex, _python_groups(line), before[at]) if arguments.get("backrefs") and regex else line
        if after[at] != text:
            after[at] = text
            result["msg"] = "line replaced"
        return after
    if arguments.get("backrefs"):
        return after
    before_mark, after_mark = arguments.get("insertbefore"), arguments.get("insertafter")
    result["msg"] = "line added"
    if before_mark == "BOF":
        return [line, *after]
    mark = before_mark or (after_mark if after_mark not in (None, "EOF") else None)
    found = [index for index, item in enumerate(before) if mark and re.search(mark, item)]
    if found:
        at = found[-1] + (0 if before_mark else 1)
        return [*after[:at], line, *after[at:]]
    return [*after, line]


def _python_groups(text: str) -> str:
    return re.sub(r"\$(\d+)", r"\\\1", text)


@module("community.windows.win_unzip")
def win_unzip(call: ModuleCall) -> dict[str, Any]:
    """Unpack a .zip file."""
    files, arguments = call.machine.files, call.args
    src, dest = absolute(call, arguments["src"]), absolute(call, arguments["dest"])
    result: dict[str, Any] = {"changed": False, "dest": arguments["dest"], "src": arguments["src"], "removed": False}
    creates = arguments.get("creates")
    if creates and files.exists(absolute(call, creates)):
        return {**result, "skipped": True, "msg": f"The file or directory '{creates}' already exists."}
    if not files.exists(src):
        raise ModuleFailure(f"File '{arguments['src']}' does not exist.", **result)
    if ntpath.splitext(src)[1].lower() != ".zip" or arguments.get("recurse") or arguments.get("password"):
        raise ModuleFailure(
            "PowerShellCommunityExtensions PowerShell Module (PSCX) is required for non-'.zip' compressed archive types.",
            **result,
        )
    try:
        with zipfile.ZipFile(io.BytesIO(files.read_bytes(src))) as archive:
            for entry in archive.infolist():
                path = ntpath.normpath(ntpath.join(dest, entry.filename.replace("/", "\\")))
                if not path.lower().startswith(dest.lower().rstrip("\\") + "\\"):
                    raise ModuleFailure(
                        f"Error unzipping '{src}' to '{dest}'!. Filename contains relative paths", **result
                    )
                result["changed"] = True
                if call.check_mode:
                    continue
                if entry.is_dir():
                    files.mkdir(path)
                else:
                    files.write_bytes(path, archive.read(entry), parents=True)
    except (OSError, zipfile.BadZipFile) as error:
        raise ModuleFailure(
            f"Error unzipping '{src}' to '{dest}'!. Method: System.IO.Compression.ZipFile, Exception: {error}", **result
        ) from error
    if arguments.get("delete_archive"):
        result["removed"] = True
        if not call.check_mode:
            files.remove(src)
    return result
