"""ansible.windows.win_user."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.model.users import GROUP_SIDS, User
from lab.winsim.process import ModuleCall

# option -> (field, turn the value round)
_FIELDS = {
    "fullname": ("full_name", False),
    "description": ("description", False),
    "home_directory": ("home_directory", False),
    "login_script": ("login_script", False),
    "account_disabled": ("disabled", False),
    "password_never_expires": ("password_never_expires", False),
    "password_expired": ("password_expired", False),
    "user_cannot_change_password": ("may_change_password", True),
}


@module("ansible.windows.win_user")
def win_user(call: ModuleCall) -> dict[str, Any]:
    """Make, change, query or remove a local account."""
    machine, arguments, name = call.machine, call.args, call.args["name"]
    for option in ("account_expires", "profile"):
        if arguments.get(option):
            raise SimulatorError(f"win_user: option {option} is not known")
    state = arguments.get("state", "present")
    user = machine.users.find(name)
    result: dict[str, Any] = {"changed": False, "name": name}
    if state == "absent":
        if user is not None:
            result["changed"] = True
            if not call.check_mode:
                machine.users.remove(name)
        return {
            **result,
            "state": "absent",
            "msg": f"User '{name}' {'deleted successfully' if user else 'was not found'}",
        }
    if state == "query":
        return {
            **result,
            **(_facts(call, user) if user else {"state": "absent", "msg": f"User '{name}' was not found"}),
        }
    if user is None:
        result["changed"] = True
        if call.check_mode:
            return {**result, "state": "present"}
        user = machine.users.add(name, groups=[])
        _password(call, user, created=True)
    elif _password(call, user, created=False):
        result["changed"] = True
    for option, (field, turned) in _FIELDS.items():
        value = arguments.get(option)
        if value is None:
            continue
        value = not value if turned else value
        if getattr(user, field) != value:
            result["changed"] = True
            if not call.check_mode:
                setattr(user, field, value)
    if arguments.get("account_locked") is not None:
        if arguments["account_locked"]:
            raise ModuleFailure("account_locked must be set to 'no' if provided", **result)
        result["changed"] = result["changed"] or user.locked
        if not call.check_mode:
            user.locked = False
    _groups(call, user, result)
    return {**result, **_facts(call, user)}


def _password(call: ModuleCall, user: User, *, created: bool) -> bool:
    """Set the password if it is to be set; whether it differs."""
    wanted = call.args.get("password")
    if wanted is None or wanted == user.password or (not created and call.args.get("update_password") == "on_create"):
        return False
    if not call.check_mode:
        user.password, user.password_expired = wanted, False
    return True


def _groups(call: ModuleCall, user: User, result: dict[str, Any]) -> None:
    wanted = call.args.get("groups")
    if wanted is None:
        return
    names = []
    for group in wanted:
        known = GROUP_SIDS.get(group.lower())
        if known is None:
            raise ModuleFailure(f"group '{group}' not found", **result)
        names.append(known[0])
    action, now = call.args.get("groups_action", "replace"), user.groups
    if action == "add":
        new = now + [name for name in names if name not in now]
    elif action == "remove":
        new = [name for name in now if name not in names]
    else:
        new = names
    if sorted(new) != sorted(now):
        result["changed"] = True
        if not call.check_mode:
            user.groups = new


def _facts(call: ModuleCall, user: User) -> dict[str, Any]:
    place = f"WinNT://WORKGROUP/{call.machine.host_name.upper()}"
    return {
        "state": "present",
        "account_disabled": user.disabled,
        "account_expires": None,
        "account_locked": user.locked,
        "description": user.description,
        "fullname": user.full_name,
        "groups": [{"name": group, "path": f"{place}/{group}"} for group in user.groups],
        "home_directory": user.home_directory,
        "login_script": user.login_script,
        "password_expired": user.password_expired,
        "password_never_expires": user.password_never_expires,
        "path": f"{place}/{user.name}",
        "profile": "",
        "sid": call.machine.sid(user.name),
        "user_cannot_change_password": not user.may_change_password,
    }
