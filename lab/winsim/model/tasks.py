"""The task scheduler: when tasks run, and the processes that they are."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ..runtime import Session, SimulatorError, join_command_line, run_captured, split_command_line
from .software import AT_BOOT
from .system import ScheduledTask
from .users import system_account

if TYPE_CHECKING:
    from ..machine import Machine

SETTINGS: dict[str, Any] = {
    "allow_demand_start": True,
    "allow_hard_terminate": True,
    "compatibility": 2,
    "delete_expired_task_after": None,
    "disallow_start_if_on_batteries": True,
    "enabled": True,
    "execution_time_limit": "PT72H",
    "hidden": False,
    "multiple_instances": 2,
    "priority": 7,
    "restart_count": 0,
    "restart_interval": None,
    "run_only_if_idle": False,
    "run_only_if_network_available": False,
    "start_when_available": False,
    "stop_if_going_on_batteries": True,
    "wake_to_run": False,
}


def find(machine: Machine, path: str, name: str) -> ScheduledTask | None:
    """A task in a folder, or None."""
    return machine.tasks.get((_folder(path) + name).lower())


def add(machine: Machine, path: str, name: str, definition: dict[str, Any]) -> ScheduledTask:
    """Register a task."""
    task = ScheduledTask(_folder(path), name, definition)
    machine.tasks[(task.path + name).lower()] = task
    machine.log("task registered", name=name, path=path)
    return task


def remove(machine: Machine, task: ScheduledTask) -> None:
    """Delete a task; what it runs goes on, as on Windows, but nobody starts it again."""
    machine.tasks.pop((task.path + task.name).lower(), None)
    machine.log("task removed", name=task.name)


def _folder(path: str) -> str:
    return "\\" + path.strip("\\") + ("\\" if path.strip("\\") else "")


def has_trigger(task: ScheduledTask, kind: str) -> bool:
    """Whether a task has an enabled trigger of a kind (``boot``, ``logon``, ``registration`` …)."""
    wanted = f"TASK_TRIGGER_{kind.upper()}"
    return any(item["type"] == wanted and item.get("enabled", True) for item in task.definition.get("triggers", []))


def start(machine: Machine, task: ScheduledTask, why: str) -> bool:
    """Run a task in the background; False if it is disabled or runs already (multiple_instances 2)."""
    if not task.definition["settings"]["enabled"]:
        return False
    if task.running:
        policy = task.definition["settings"]["multiple_instances"]
        if policy != 2:
            raise SimulatorError(f"scheduled task {task.name}: multiple_instances {policy} is not known")
        return False
    principal = task.definition["principal"]
    user = principal.get("user_id") or "SYSTEM"
    logon = "service" if system_account(user) else "batch"
    session = Session(machine, user, principal.get("run_level") == "TASK_RUNLEVEL_HIGHEST", logon)
    session.environment, session.cwd = machine.environment_for(user), "C:\\Windows\\System32"
    task.running, task.last_run = True, machine.clock.now()
    task.runs += 1
    machine.log("task started", name=task.name, why=why, user=user)
    cancelled = threading.Event()
    machine.running_tasks.append(cancelled)
    thread = threading.Thread(target=_run, args=(machine, task, session, cancelled), daemon=True, name=task.name)
    thread.start()
    return True


def _run(machine: Machine, task: ScheduledTask, session: Session, cancelled: threading.Event) -> None:
    for action in task.definition["actions"]:
        words = [action["path"], *split_command_line("x " + (action.get("arguments") or ""))[1:]]
        try:
            line = join_command_line([action["path"]]) + " " + (action.get("arguments") or "")
            done = run_captured(session, words, command_line=line, cancelled=cancelled)
            task.last_result = done.rc & 0xFFFFFFFF
        except FileNotFoundError:
            task.last_result = 0x80070002
        except Exception as error:
            machine.log("simulator_error", text=f"task {task.name}: {error}")
            task.last_result = 1
    task.running = False
    machine.log("task ended", name=task.name, result=task.last_result)


def stop_all(machine: Machine) -> None:
    """End what tasks run (a reboot)."""
    for event in machine.running_tasks:
        event.set()
    machine.running_tasks.clear()
    for task in machine.tasks.values():
        task.running = False


@AT_BOOT.append
def _boot(machine: Machine) -> None:
    stop_all(machine)
    for task in list(machine.tasks.values()):
        if has_trigger(task, "boot"):
            start(machine, task, "boot")


def resume(machine: Machine) -> None:
    """After a restart of the simulator: run again what ran when the state was saved."""
    for task in machine.tasks.values():
        if task.running:
            task.running = False
            start(machine, task, "the simulator was started again")
