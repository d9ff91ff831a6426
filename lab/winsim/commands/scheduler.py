"""schtasks.exe: runs tasks, makes them from XML, deletes them."""

from __future__ import annotations

import ntpath
import xml.etree.ElementTree as ET

from lab.winsim.commands.output import complain, either, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import tasks
from lab.winsim.process import Process

SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
_SETTINGS = {
    "DisallowStartIfOnBatteries": "disallow_start_if_on_batteries",
    "StopIfGoingOnBatteries": "stop_if_going_on_batteries",
    "ExecutionTimeLimit": "execution_time_limit",
}


@command("schtasks.exe")
def schtasks(process: Process) -> int:
    """``/run /tn NAME``, ``/create /tn NAME /xml FILE [/f]``, ``/delete /tn NAME /f``."""
    words, options = list(process.argv[1:]), {}
    action = words.pop(0).lower() if words else ""
    while words:
        word = words.pop(0).lower()
        options[word] = words.pop(0) if word in ("/tn", "/fo", "/xml") else ""
    known = {"/run": {"/tn", "/fo", "/f", "/i"}, "/create": {"/tn", "/xml", "/f"}, "/delete": {"/tn", "/f"}}
    if action not in known or "/tn" not in options or set(options) - known[action]:
        raise SimulatorError(f"schtasks: arguments not known: {process.argv[1:]}")
    label = options["/tn"]
    folder, name = ntpath.split(label)
    with process.machine.lock:
        if action == "/create":
            return _create(process, folder, name, options["/xml"])
        task = tasks.find(process.machine, folder or "\\", name)
        if task is None:
            english = "ERROR: The system cannot find the file specified."
            complain(process, either(process, "错误: 系统找不到指定的文件。", english))
            return 1
        if action == "/delete":
            tasks.remove(process.machine, task)
            text = either(
                process, f'成功删除计划的任务 "{label}"。', f'The scheduled task "{label}" was successfully deleted.'
            )
        else:
            tasks.start(process.machine, task, "schtasks")
            text = either(process, f'尝试运行 "{label}"。', f'Attempted to run the scheduled task "{label}".')
        say(process, (either(process, "成功: ", "SUCCESS: ")) + text)
    return 0


def _create(process: Process, folder: str, name: str, file: str) -> int:
    machine = process.machine
    tree = ET.fromstring(machine.files.read_bytes(file).decode("utf-16"))
    _only(tree, {"Triggers", "Principals", "Settings", "Actions"})
    definition = {
        "triggers": [_trigger(process, item) for item in tree.find(f"{SPACE}Triggers")],
        "principal": _principal(process, tree.find(f"{SPACE}Principals/{SPACE}Principal")),
        "settings": tasks.SETTINGS | {_SETTINGS[_tag(item)]: _value(item) for item in tree.find(f"{SPACE}Settings")},
        "actions": [
            {
                "type": "TASK_ACTION_EXEC",
                "path": item.findtext(f"{SPACE}Command"),
                "arguments": item.findtext(f"{SPACE}Arguments"),
            }
            for item in tree.find(f"{SPACE}Actions")
        ],
        "registration_info": {},
    }
    if not is_elevated(process):
        complain(process, either(process, "错误: 拒绝访问。", "ERROR: Access is denied."))
        return 1
    tasks.add(machine, folder or "\\", name, definition)
    english = f'SUCCESS: The scheduled task "{name}" has successfully been created.'
    say(process, either(process, f'成功: 成功创建计划任务 "{name}"。', english))
    return 0


def _tag(item: ET.Element) -> str:
    return item.tag.removeprefix(SPACE)


def _only(item: ET.Element, known: set[str]) -> None:
    unknown = {_tag(child) for child in item} - known
    if unknown:
        raise SimulatorError(f"schtasks /xml: {_tag(item)} has {sorted(unknown)}, which is not known")


def _value(item: ET.Element) -> bool | str:
    return {"true": True, "false": False}.get(item.text or "", item.text or "")


def _account(process: Process, item: ET.Element) -> str:
    text = item.findtext(f"{SPACE}UserId") or ""
    known = process.machine.users.find(text)
    if known is None:
        raise SimulatorError(f"schtasks /xml: no account {text!r}")
    return known.name


def _trigger(process: Process, item: ET.Element) -> dict[str, object]:
    if _tag(item) != "LogonTrigger":
        raise SimulatorError(f"schtasks /xml: trigger not known: {_tag(item)}")
    _only(item, {"Enabled", "UserId"})
    return {
        "type": "TASK_TRIGGER_LOGON",
        "enabled": item.findtext(f"{SPACE}Enabled") == "true",
        "user_id": _account(process, item),
    }


def _principal(process: Process, item: ET.Element) -> dict[str, object]:
    _only(item, {"UserId", "LogonType", "RunLevel"})
    words = item.findtext(f"{SPACE}LogonType"), item.findtext(f"{SPACE}RunLevel")
    if words != ("InteractiveToken", "HighestAvailable"):
        raise SimulatorError(f"schtasks /xml: principal not known: {words}")
    return {
        "user_id": _account(process, item),
        "logon_type": "TASK_LOGON_INTERACTIVE_TOKEN",
        "run_level": "TASK_RUNLEVEL_HIGHEST",
        "group_id": None,
    }
