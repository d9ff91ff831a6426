"""The environment of a session, built from the registry as Windows does at log-on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.winsim.model.blank import MACHINE_ENVIRONMENT
from lab.winsim.model.registry import Value
from lab.winsim.model.users import bare_name, system_account
from lab.winsim.process import CaseInsensitiveDict

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

USER_ENVIRONMENT = "HKCU\\Environment"


def expand(text: str, environment: Mapping[str, str]) -> str:
    """Replace ``%NAME%`` as ExpandEnvironmentStrings does; unknown names stay."""
    return re.sub(r"%([^%]+)%", lambda match: environment.get(match[1], match[0]), text)


def environment_for(machine: Pc, user: str) -> CaseInsensitiveDict:
    """The variables that a new session of ``user`` starts with: fixed, machine, user, in that order."""
    profile = machine.profile_of(user)
    special = system_account(user)
    known = machine.users.find(user)
    name = f"{machine.host_name.upper()[:15]}$" if special else (known.name if known else bare_name(user))
    out = CaseInsensitiveDict(
        ALLUSERSPROFILE="C:\\ProgramData",
        APPDATA=f"{profile}\\AppData\\Roaming",
        CommonProgramFiles="C:\\Program Files\\Common Files",
        COMPUTERNAME=machine.host_name.upper()[:15],
        HOMEDRIVE="C:",
        HOMEPATH=profile[2:],
        LOCALAPPDATA=f"{profile}\\AppData\\Local",
        ProgramData="C:\\ProgramData",
        ProgramFiles="C:\\Program Files",
        ProgramW6432="C:\\Program Files",
        PUBLIC="C:\\Users\\Public",
        SystemDrive="C:",
        SystemRoot="C:\\WINDOWS",
        USERDOMAIN=machine.host_name.upper()[:15],
        USERPROFILE=profile,
    )
    out["ProgramFiles(x86)"] = "C:\\Program Files (x86)"
    out["CommonProgramFiles(x86)"] = "C:\\Program Files (x86)\\Common Files"
    out["CommonProgramW6432"] = "C:\\Program Files\\Common Files"
    machine_values = machine.registry.values(MACHINE_ENVIRONMENT)
    user_values = machine.registry.view(user).values(USER_ENVIRONMENT) if not special else []
    _merge(out, machine_values, join_path=False)
    out["USERNAME"] = name
    _merge(out, user_values, join_path=True)
    return out


def _merge(out: CaseInsensitiveDict, values: list[Value], *, join_path: bool) -> None:
    """Plain values first, so that expandable ones can use them; a user's PATH is appended to the machine's."""
    for value in sorted(values, key=lambda item: item.type == "REG_EXPAND_SZ"):
        if value.type not in ("REG_SZ", "REG_EXPAND_SZ"):
            continue
        text = expand(value.data, out) if value.type == "REG_EXPAND_SZ" else value.data
        if join_path and value.name.lower() == "path" and out.get("Path"):
            text = out["Path"].rstrip(";") + ";" + text
        out[value.name] = text
