"""community.windows.win_scheduled_task and win_scheduled_task_stat."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.model import tasks
from lab.winsim.model.system import ScheduledTask
from lab.winsim.process import ModuleCall

_INFO = ("author", "date", "description", "display_name", "source", "version")
_DURATION = re.compile(r"P(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?:\d+H)?(?:\d+M)?(?:\d+S)?)?")


def _sid(call: ModuleCall, account: str) -> str:
    try:
        return call.machine.sid(account)
    except KeyError as error:
        raise ModuleFailure(
            f"account_name {account} is not a valid account, cannot get SID: Some or all identity references could not "
            "be translated."
        ) from error


def _check(call: ModuleCall) -> None:
    """Refuse what the module refuses."""
    user, logon = call.args.get("username"), call.args.get("logon_type")
    if user:
        _sid(call, user)
    if logon == "s4u" and call.args.get("password") is None:
        raise ModuleFailure("password must be set when logon_type=s4u")
    for trigger in call.args.get("triggers") or []:
        for key in ("execution_time_limit", "delay", "random_delay"):
            if trigger.get(key) is not None and not _DURATION.fullmatch(str(trigger[key])):
                raise ModuleFailure(
                    f"trigger option '{key}' must be in the XML duration format but was '{trigger[key]}'"
                )


def _action(action: dict[str, Any]) -> dict[str, Any]:
    return {
        "arguments": action.get("arguments"),
        "id": None,
        "path": action["path"],
        "type": "TASK_ACTION_EXEC",
        "working_directory": action.get("working_directory"),
    }


def _trigger(trigger: dict[str, Any]) -> dict[str, Any]:
    base = {
        "enabled": True,
        "end_boundary": None,
        "execution_time_limit": None,
        "id": None,
        "repetition": {"duration": None, "interval": None, "stop_at_duration_end": False},
        "start_boundary": None,
    }
    trigger = _given(trigger)
    if "repetition" in trigger:
        trigger["repetition"] = base["repetition"] | _given(trigger["repetition"])
    return {**base, **trigger, "type": f"TASK_TRIGGER_{trigger['type'].upper()}"}


def _given(options: dict[str, Any]) -> dict[str, Any]:
    return {option: value for option, value in options.items() if value is not None}


def _wanted(call: ModuleCall) -> dict[str, dict[str, Any]]:
    """Principal, registration information and settings that were given."""
    arguments = call.args
    principal: dict[str, Any] = {}
    if arguments.get("username") is not None:
        principal["user_id"] = call.machine.full_name(arguments["username"]).rpartition("\\")[2]
    if arguments.get("logon_type") is not None:
        principal["logon_type"] = f"TASK_LOGON_{arguments['logon_type'].upper()}"
    if arguments.get("run_level") is not None:
        principal["run_level"] = f"TASK_RUNLEVEL_{'LUA' if arguments['run_level'] == 'limited' else 'HIGHEST'}"
    info = {key: arguments[key] for key in _INFO if arguments.get(key) is not None}
    settings = {key: arguments[key] for key in tasks.SETTINGS if arguments.get(key) is not None}
    return {"principal": principal, "registration_info": info, "settings": settings}


@module("community.windows.win_scheduled_task")
def win_scheduled_task(call: ModuleCall) -> dict[str, Any]:
    """Make, change or remove a task."""
    machine, path, name = call.machine, call.args.get("path", "\\"), call.args["name"]
    _check(call)
    with machine.lock:
        task = tasks.find(machine, path, name)
        if call.args.get("state", "present") == "absent":
            if task is not None and not call.check_mode:
                tasks.remove(machine, task)
            return {"changed": task is not None}
        return {"changed": _present(call, task, path, name)}


def _present(call: ModuleCall, task: ScheduledTask | None, path: str, name: str) -> bool:
    arguments = call.args
    created = task is None
    if created:
        if not arguments.get("actions"):
            raise ModuleFailure(
                "cannot create a task with no actions, set at least one action with a path to an executable"
            )
        definition: dict[str, Any] = {
            "actions": [],
            "principal": {"user_id": call.user, "logon_type": "TASK_LOGON_INTERACTIVE_TOKEN",
                          "run_level": "TASK_RUNLEVEL_LUA", "group_id": None},
            "registration_info": dict.fromkeys(_INFO),
            "settings": dict(tasks.SETTINGS),
            "triggers": [],
        }  # fmt: skip
        task = ScheduledTask(path, name, definition)
    changes = _compare(call, task.definition)
    # a password can not be compared: it is set again, and the task registered again, every time
    again = arguments.get("password") is not None and arguments.get("update_password", True)
    if call.check_mode or not (created or changes or again):
        return bool(created or changes or again)
    definition = task.definition
    for section, key, _, new in changes:
        if key is None:
            definition[section] = new
        else:
            definition[section][key] = new
    if created:
        task = tasks.add(call.machine, path, name, definition)
    tasks.fire(call.machine, task, "registration")
    return True


def _compare(call: ModuleCall, definition: dict[str, Any]) -> list[tuple[str, str | None, Any, Any]]:
    """What differs: section, key (None for a whole list), old and new value."""
    changes: list[tuple[str, str | None, Any, Any]] = []
    for section, make in (("actions", _action), ("triggers", _trigger)):
        given = call.args.get(section)
        if given is not None:
            new = [make(item) for item in given]
            if new != definition[section]:
                changes.append((section, None, definition[section], new))
    for section, values in _wanted(call).items():
        for key, value in values.items():
            old = definition[section].get(key)
            same = old.lower() == value.lower() if isinstance(old, str) and isinstance(value, str) else old == value
            if not same:
                changes.append((section, key, old, value))
    return changes


@module("community.windows.win_scheduled_task_stat")
def win_scheduled_task_stat(call: ModuleCall) -> dict[str, Any]:
    """Tell about a folder of tasks, or one task."""
    machine, path, name = call.machine, call.args.get("path", "\\"), call.args.get("name")
    tasks.catch_up(machine)
    folder = "\\" + path.strip("\\") + ("\\" if path.strip("\\") else "")
    inside = [task for task in machine.tasks.values() if task.path.lower() == folder.lower()]
    result: dict[str, Any] = {"changed": False, "folder_exists": folder == "\\" or bool(inside)}
    if not result["folder_exists"]:
        if name is not None:
            result["task_exists"] = False
        return result
    result.update(folder_task_names=[task.name for task in inside], folder_task_count=len(inside))
    if name is None:
        return result
    task = next((task for task in inside if task.name.lower() == name.lower()), None)
    result["task_exists"] = task is not None
    if task is not None:
        never = "1999-11-30T00:00:00"
        last = (
            dt.datetime.fromtimestamp(task.last_run, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S") if task.last_run else never
        )
        enabled = task.definition["settings"]["enabled"]
        status = "RUNNING" if task.running else ("READY" if enabled else "DISABLED")
        result["state"] = {
            "last_run_time": last,
            "last_task_result": 267011 if task.last_result is None else task.last_result,
            "next_run_time": "1899-12-30T00:00:00",
            "number_of_missed_runs": 0,
            "status": f"TASK_STATE_{status}",
        }
        result.update(task.definition)
    return result
