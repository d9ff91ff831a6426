"""ansible.windows.win_service and win_service_info."""

from __future__ import annotations

import fnmatch
from dataclasses import asdict, replace
from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.machine import Machine
from lab.winsim.model.system import Service
from lab.winsim.model.users import system_account
from lab.winsim.process import ModuleCall

# option -> field of the service
_FIELDS = {
    "description": "description",
    "display_name": "display_name",
    "error_control": "error_control",
    "failure_actions_on_non_crash_failure": "failure_actions_on_non_crash_failure",
    "failure_command": "failure_command",
    "failure_reboot_msg": "failure_reboot_msg",
    "load_order_group": "load_order_group",
    "path": "path",
    "required_privileges": "required_privileges",
    "service_type": "service_type",
    "sid_info": "sid_info",
    "start_mode": "start_mode",
}
_NUMBERS = {"failure_reset_period_sec": "failure_reset_period_sec", "pre_shutdown_timeout_ms": "pre_shutdown_timeout"}
_STATES = {"started": "running", "stopped": "stopped", "paused": "paused", "restarted": "running"}


def find(machine: Machine, name: str) -> Service | None:
    """A service by its name, or its display name."""
    for service in machine.services.values():
        if name.lower() in (service.name.lower(), service.display_name.lower()):
            return service
    return None


def dependents(machine: Machine, service: Service) -> list[Service]:
    """Services that need this one."""
    wanted = service.name.lower()
    return [item for item in machine.services.values() if wanted in (name.lower() for name in item.dependencies)]


@module("ansible.windows.win_service")
def win_service(call: ModuleCall) -> dict[str, Any]:
    """Make, change, start, stop or remove a service."""
    machine, arguments, name = call.machine, call.args, call.args["name"]
    state = arguments.get("state")
    service = find(machine, name)
    before = _diff(service) if service else ""
    result: dict[str, Any] = {"changed": False, "exists": service is not None and state != "absent"}
    if state == "absent":
        if service is not None:
            result["changed"] = True
            if not call.check_mode:
                _stop(call, service)
                machine.services.pop(service.name.lower())
                machine.log("service removed", name=service.name)
        if call.diff:
            result["diff"] = {"before": before, "after": ""}
        return {**result, "exists": False}
    ignored = {"name", "dependency_action", "desktop_interact", "force_dependent_services", "update_password"}
    asked = any(value is not None for key, value in arguments.items() if key not in ignored and not key.startswith("_"))
    if service is None:
        if not asked:
            return {**result, "exists": False}
        if not arguments.get("path"):
            raise ModuleFailure(
                f"Service '{name}' is not installed, need to set 'path' to create a new service", **result
            )
        service = Service(name, name, arguments["path"], "auto")
        result["changed"] = True
        if not call.check_mode:
            machine.services[name.lower()] = service
    target = service if not call.check_mode else replace(service)
    _configure(call, target, result)
    _set_state(call, target, state, result)
    after = _diff(target)
    if call.diff:
        result["diff"] = {"before": before, "after": after}
    result.update(
        exists=True,
        name=target.name,
        display_name=target.display_name,
        description=target.description or None,
        path=target.path,
        start_mode=target.start_mode,
        username="LocalSystem" if _is_system(target.username) else target.username,
        dependencies=target.dependencies,
        depended_by=[item.name for item in dependents(machine, target)],
        desktop_interact=target.desktop_interact,
        can_pause_and_continue=target.can_pause,
        state=target.state,
    )
    return result


def _is_system(account: str) -> bool:
    special = system_account(account)
    return special is not None and special[1] == "S-1-5-18"


def _diff(service: Service) -> dict[str, Any]:
    out = asdict(service)
    out.pop("can_pause")
    return out


def _configure(call: ModuleCall, service: Service, result: dict[str, Any]) -> None:
    arguments = call.args

    def put(field: str, value: Any) -> None:
        if getattr(service, field) != value:
            setattr(service, field, value)
            result["changed"] = True

    for option, field in _FIELDS.items():
        if arguments.get(option) is not None:
            put(field, arguments[option])
    for option, field in _NUMBERS.items():
        if arguments.get(option) is not None:
            put(field, int(arguments[option]))
    if arguments.get("failure_actions") is not None:
        put("failure_actions", [{"delay_ms": 0, **dict(item)} for item in arguments["failure_actions"]])
    if arguments.get("dependencies") is not None:
        given, action = list(arguments["dependencies"]), arguments.get("dependency_action", "set")
        if action == "add":
            given = service.dependencies + [item for item in given if item not in service.dependencies]
        elif action == "remove":
            given = [item for item in service.dependencies if item not in given]
        put("dependencies", given)
    account = arguments.get("username")
    if account is not None:
        try:
            same = call.machine.sid(account) == call.machine.sid(service.username)
        except KeyError as error:
            raise ModuleFailure(f"Failed to translate account '{account}' to a SID", **result) from error
        if not same:
            special = system_account(account)
            put(
                "username",
                special[0] if special and not _is_system(account) else ("LocalSystem" if special else account),
            )
    elif arguments.get("password") is not None and arguments.get("update_password") != "on_create":
        result["changed"] = True
    interact = bool(arguments.get("desktop_interact"))
    if interact and not _is_system(service.username):
        raise ModuleFailure("Can only set 'desktop_interact' to true when 'username' equals 'SYSTEM'", **result)
    put("desktop_interact", interact)


def _set_state(call: ModuleCall, service: Service, state: str | None, result: dict[str, Any]) -> None:
    if state is None:
        return
    if state == "paused" and service.state != "paused" and not service.can_pause:
        raise ModuleFailure(f"failed to pause service {service.name}: The service does not support pausing", **result)
    if state == "started" and service.state != "running" and service.start_mode == "disabled":
        raise ModuleFailure(
            f"Unhandled exception while executing module: Service '{service.display_name} ({service.name})' cannot be "
            f"started due to the following error: Cannot start service {service.name} on computer '.'.",
            **result,
        )
    wanted = _STATES[state]
    if service.state == wanted and state != "restarted":
        return
    result["changed"] = True
    if wanted == "stopped" or state == "restarted":
        _stop(call, service)
    service.state = wanted
    if not call.check_mode:
        call.machine.log("service", name=service.name, state=wanted)


def _stop(call: ModuleCall, service: Service) -> None:
    running = [item for item in dependents(call.machine, service) if item.state == "running"]
    if running and not call.args.get("force_dependent_services"):
        raise ModuleFailure(
            f"Unhandled exception while executing module: Cannot stop service '{service.display_name} ({service.name})' "
            "because it has dependent services. It can only be stopped if the Force flag is set."
        )
    for item in running if not call.check_mode else []:
        item.state = "stopped"
    service.state = "stopped"


@module("ansible.windows.win_service_info")
def win_service_info(call: ModuleCall) -> dict[str, Any]:
    """Tell about services whose name or display name matches (``*`` is allowed)."""
    pattern = (call.args.get("name") or "*").lower()
    if "[" in pattern:
        raise SimulatorError("win_service_info: character classes in a name are not known")
    found = [
        service
        for service in call.machine.services.values()
        if fnmatch.fnmatch(service.name.lower(), pattern) or fnmatch.fnmatch(service.display_name.lower(), pattern)
    ]
    return {
        "changed": False,
        "exists": bool(found),
        "services": [
            {
                "checkpoint": 0,
                "controls_accepted": ["stop", "shutdown"] if service.state == "running" else [],
                "dependencies": service.dependencies,
                "depended_by": [item.name for item in dependents(call.machine, service)],
                "description": service.description,
                "desktop_interact": service.desktop_interact,
                "display_name": service.display_name,
                "error_control": service.error_control,
                "failure_actions": service.failure_actions,
                "failure_actions_on_non_crash_failure": service.failure_actions_on_non_crash_failure,
                "failure_command": service.failure_command,
                "failure_reboot_msg": service.failure_reboot_msg,
                "failure_reset_period_sec": service.failure_reset_period_sec,
                "launch_protection": "none",
                "load_order_group": service.load_order_group,
                "name": service.name,
                "path": service.path,
                "pre_shutdown_timeout": service.pre_shutdown_timeout,
                "preferred_node": None,
                "process_id": 1200 if service.state == "running" else 0,
                "required_privileges": service.required_privileges,
                "service_exit_code": 0,
                "service_flags": [],
                "service_type": service.service_type,
                "sid_info": service.sid_info,
                "start_mode": service.start_mode,
                "state": {"running": "started"}.get(service.state, service.state),
                "triggers": [],
                "username": "NT AUTHORITY\\SYSTEM" if _is_system(service.username) else service.username,
                "wait_hint_ms": 0,
                "win32_exitcode": 0,
            }
            for service in found
        ],
    }
