"""ansible.windows.win_environment and win_path."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.model.blank import MACHINE_ENVIRONMENT
from lab.winsim.model.environment import USER_ENVIRONMENT, expand
from lab.winsim.process import ModuleCall


def _key(level: str) -> str:
    return MACHINE_ENVIRONMENT if level == "machine" else USER_ENVIRONMENT


def read(call: ModuleCall, level: str, name: str) -> str | None:
    """A variable at ``machine``, ``user`` or ``process`` level, expanded; None if it is not set."""
    if level == "process":
        return call.session.environment.get(name)
    value = call.machine.registry.view(call.user).value(_key(level), name)
    if value is None or not isinstance(value.data, str):
        return None
    return expand(value.data, call.session.environment) if value.type == "REG_EXPAND_SZ" else value.data


def write(call: ModuleCall, level: str, name: str, text: str | None) -> None:
    """Set a variable, or remove it (None)."""
    if level == "process":
        if text is None:
            call.session.environment.pop(name, None)
        else:
            call.session.environment[name] = text
        return
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
    variables = call.args.get("variables")
    if not variables:
        variables = {call.args["name"]: call.args.get("value")}
    result: dict[str, Any] = {"changed": False, "values": {}, "env_values": {}}
    diff: dict[str, Any] = {"before": {level: {}}, "after": {level: {}}}
    for name, given in variables.items():
        value = None if given is None else str(given)
        if state == "absent" and value:
            result.setdefault("warnings", []).append(
                f"When removing environment variable '{name}' it should not have a value '{value}' set"
            )
        elif state == "present" and not value:
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
