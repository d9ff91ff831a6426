"""ansible.windows.win_environment."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.model.blank import MACHINE_ENVIRONMENT
from lab.winsim.model.environment import USER_ENVIRONMENT, expand
from lab.winsim.process import ModuleCall


def _key(level: str) -> str:
    return MACHINE_ENVIRONMENT if level == "machine" else USER_ENVIRONMENT


def read(call: ModuleCall, level: str, name: str) -> str | None:
    """A variable at ``machine`` or ``user`` level, expanded; None if it is not set."""
    value = call.machine.registry.view(call.user).value(_key(level), name)
    if value is None or not isinstance(value.data, str):
        return None
    return expand(value.data, call.session.environment) if value.type == "REG_EXPAND_SZ" else value.data


def write(call: ModuleCall, level: str, name: str, text: str | None) -> None:
    """Set a variable, or remove it (None)."""
    view = call.machine.registry.view(call.user)
    if text is None:
        view.remove(_key(level), name)
        return
    existing = view.value(_key(level), name)
    view.set(_key(level), existing.name if existing else name, text, "REG_SZ")


@module("ansible.windows.win_environment")
def win_environment(call: ModuleCall) -> dict[str, Any]:
    """Set or remove environment variables."""
    level, state = call.args["level"], call.args.get("state")
    if level == "process":
        raise SimulatorError("win_environment: level process is not modelled")
    variables = call.args.get("variables")
    if not variables:
        variables = {call.args["name"]: call.args.get("value")}
    result: dict[str, Any] = {"changed": False, "values": {}, "env_values": {}}
    diff: dict[str, Any] = {"before": {level: {}}, "after": {level: {}}}
    for name, given in variables.items():
        value = None if given is None else str(given)
        if state == "present" and not value:
            raise ModuleFailure(
                "When state=present, value must be defined and not an empty string, "
                "if you wish to remove the envvar, set state=absent"
            )
        wanted = state or ("present" if value else "absent")
        before = read(call, level, name)
        after = value if value is not None else ""
        status = {"changed": False, "before": before, "after": after}
        if (wanted == "present" and (before is None or before.lower() != (value or "").lower())) or (
            wanted == "absent" and before is not None
        ):
            status["changed"] = result["changed"] = True
            if not call.check_mode:
                write(call, level, name, value if wanted == "present" else None)
        if before:
            diff["before"][level][name] = before
        if after:
            diff["after"][level][name] = after
        result["values"][name] = result["env_values"][name] = status
        result["before_value"], result["value"] = before, after
    if call.diff:
        result["diff"] = diff
    return result
