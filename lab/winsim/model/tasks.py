"""The task scheduler: when tasks run, and the processes that they are."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING, Any

from lab.winsim.command_line import join_command_line, split_command_line
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import run_captured
from lab.winsim.model import wsl
from lab.winsim.model.software import AT_BOOT
from lab.winsim.model.system import ScheduledTask
from lab.winsim.model.users import system_account
from lab.winsim.process import Session

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

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


def find(machine: Pc, path: str, name: str) -> ScheduledTask | None:
    """A task in a folder, or None."""
    return machine.tasks.get((_folder(path) + name).lower())


def add(machine: Pc, path: str, name: str, definition: dict[str, Any]) -> ScheduledTask:
    """Register a task."""
    task = ScheduledTask(_folder(path), name, definition)
    machine.tasks[(task.path + name).lower()] = task
    machine.log("task registered", name=name, path=path)
    return task


def remove(machine: Pc, task: ScheduledTask) -> None:
    """Delete a task; what it runs goes on, as on Windows, but nobody starts it again."""
    machine.tasks.pop((task.path + task.name).lower(), None)
    machine.log("task removed", name=task.name)


def _folder(path: str) -> str:
    return "\\" + path.strip("\\") + ("\\" if path.strip("\\") else "")


def seconds(duration: str | None) -> float:
    """An XML duration (``PT5M``) in seconds; 0 for none.

    Raises:
        SimulatorError: one that is longer than days.
    """
    match = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", duration or "PT0S")
    if match is None:
        raise SimulatorError(f"scheduled task: duration {duration} is not known")
    return sum(int(number or 0) * unit for number, unit in zip(match.groups(), (86400, 3600, 60, 1), strict=True))


def fire(machine: Pc, task: ScheduledTask, kind: str) -> None:
    """A trigger of a kind (``boot``, ``logon``, ``registration`` …) fires: the task starts after its delay, and again and again."""
    wanted, now = f"TASK_TRIGGER_{kind.upper()}", machine.clock.now()
    task.due = [entry for entry in task.due if entry["why"] != kind]
    for trigger in task.definition.get("triggers", []):
        if trigger["type"] != wanted or not trigger.get("enabled", True):
            continue
        repetition = trigger.get("repetition") or {}
        if repetition.get("duration"):
            raise SimulatorError(f"scheduled task {task.name}: a repetition that ends is not known")
        first = now + seconds(trigger.get("delay"))
        task.due.append({"why": kind, "at": first, "interval": seconds(repetition.get("interval"))})
    catch_up(machine, task)


def catch_up(machine: Pc, only: ScheduledTask | None = None) -> None:
    """Start what the clock has made due; of several missed times one counts."""
    now = machine.clock.now()
    for task in [only] if only else list(machine.tasks.values()):
        for entry in list(task.due):
            if entry["at"] > now:
                continue
            if entry["interval"]:
                entry["at"] += entry["interval"] * (1 + (now - entry["at"]) // entry["interval"])
            else:
                task.due.remove(entry)
            start(machine, task, entry["why"])


def sign_in(machine: Pc, user: str) -> None:
    """A person signs in at the PC."""
    with machine.lock:
        machine.extra.setdefault("signed_in", [])
        if user not in machine.extra["signed_in"]:
            machine.extra["signed_in"].append(user)
        for task in list(machine.tasks.values()):
            if (task.definition["principal"].get("user_id") or "").lower() == user.lower():
                fire(machine, task, "logon")


def sign_out(machine: Pc, user: str) -> None:
    """The person signs out: the programs of that session end, and what WSL began there."""
    with machine.lock:
        machine.extra["signed_in"] = [name for name in machine.extra.get("signed_in", []) if name != user]
        for key, task in machine.tasks.items():
            if _interactive(task) and key in machine.running_tasks:
                machine.running_tasks.pop(key).set()
        wsl.session_ended(machine, 1)


def _interactive(task: ScheduledTask) -> bool:
    return task.definition["principal"].get("logon_type") == "TASK_LOGON_INTERACTIVE_TOKEN"


def start(machine: Pc, task: ScheduledTask, why: str) -> bool:
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
    logon = "service" if system_account(user) else "interactive" if _interactive(task) else "batch"
    if logon == "interactive" and user not in machine.extra.get("signed_in", []):
        machine.log("task not started", name=task.name, why=why, reason=f"{user} is not signed in")
        return False
    session = Session(machine, user, principal.get("run_level") == "TASK_RUNLEVEL_HIGHEST", logon)
    session.number = int(logon == "interactive")
    session.environment, session.cwd = machine.environment_for(user), "C:\\Windows\\System32"
    task.running, task.last_run = True, machine.clock.now()
    task.runs += 1
    machine.log("task started", name=task.name, why=why, user=user)
    cancelled = threading.Event()
    machine.running_tasks[(task.path + task.name).lower()] = cancelled
    thread = threading.Thread(target=_run, args=(machine, task, session, cancelled), daemon=True, name=task.name)
    thread.start()
    return True


def _run(machine: Pc, task: ScheduledTask, session: Session, cancelled: threading.Event) -> None:
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


def stop_all(machine: Pc) -> None:
    """End what tasks run (a reboot)."""
    for event in machine.running_tasks.values():
        event.set()
    machine.running_tasks.clear()
    for task in machine.tasks.values():
        task.running, task.due = False, []


@AT_BOOT.append
def _boot(machine: Pc) -> None:
    stop_all(machine)
    for task in list(machine.tasks.values()):
        fire(machine, task, "boot")


def resume(machine: Pc) -> None:
    """After a restart of the simulator: run again what ran when the state was saved."""
    for task in machine.tasks.values():
        if task.running:
            task.running = False
            start(machine, task, "the simulator was started again")
