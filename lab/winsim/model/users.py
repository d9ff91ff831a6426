"""Accounts, their SIDs, groups, passwords and profile folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

SYSTEM_ACCOUNTS = {
    "system": ("NT AUTHORITY\\SYSTEM", "S-1-5-18", "C:\\Windows\\system32\\config\\systemprofile"),
    "localservice": ("NT AUTHORITY\\LOCAL SERVICE", "S-1-5-19", "C:\\Windows\\ServiceProfiles\\LocalService"),
    "networkservice": ("NT AUTHORITY\\NETWORK SERVICE", "S-1-5-20", "C:\\Windows\\ServiceProfiles\\NetworkService"),
}

GROUP_SIDS = {
    "administrators": ("Administrators", "S-1-5-32-544"),
    "users": ("Users", "S-1-5-32-545"),
    "guests": ("Guests", "S-1-5-32-546"),
    "remote desktop users": ("Remote Desktop Users", "S-1-5-32-555"),
    "remote management users": ("Remote Management Users", "S-1-5-32-580"),
    "hyper-v administrators": ("Hyper-V Administrators", "S-1-5-32-578"),
}


@dataclass
class User:
    """One local account. ``password`` None: it can not log on."""

    name: str
    rid: int
    password: str | None = None
    full_name: str = ""
    description: str = ""
    groups: list[str] = field(default_factory=lambda: ["Users"])
    disabled: bool = False
    profile: str = ""
    profile_exists: bool = False


def bare_name(account: str) -> str:
    """The account without domain: of ``HOST\\me``, ``.\\me`` or ``me@host`` it is ``me``."""
    name = account.rpartition("\\")[2] or account
    return name.partition("@")[0]


def system_account(account: str) -> tuple[str, str, str] | None:
    """Full name, SID and profile folder of SYSTEM and its like; None for anyone else."""
    name = bare_name(account).replace(" ", "").lower()
    return SYSTEM_ACCOUNTS.get({"localsystem": "system"}.get(name, name))


class Users:
    """The local accounts of a machine.

    Args:
        machine_sid: for example ``S-1-5-21-1-2-3``.
    """

    def __init__(self, machine_sid: str) -> None:
        self.machine_sid = machine_sid
        self.accounts: dict[str, User] = {}
        self.next_rid = 1001

    def __iter__(self) -> Iterator[str]:
        return iter([user.name for user in self.accounts.values()])

    def add(self, name: str, rid: int | None = None, **fields: Any) -> User:
        """Make an account; the RID is the next one unless given."""
        if rid is None:
            rid, self.next_rid = self.next_rid, self.next_rid + 1
        user = User(name=name, rid=rid, **fields)
        user.profile = user.profile or f"C:\\Users\\{name}"
        self.accounts[name.lower()] = user
        return user

    def find(self, account: str) -> User | None:
        """The local account of this name, domain ignored, or SID; None if there is none."""
        if account.upper().startswith("S-1-5-21-"):
            return next((user for user in self.accounts.values() if self.sid(user.name) == account.upper()), None)
        return self.accounts.get(bare_name(account).lower())

    def remove(self, account: str) -> bool:
        """Delete an account; False if it was not there."""
        return self.accounts.pop(bare_name(account).lower(), None) is not None

    def authenticate(self, account: str) -> str | None:
        """The password of an account that may log on, else None."""
        user = self.find(account)
        if user is None or user.disabled or not user.password:
            return None
        return user.password

    def sid(self, account: str) -> str:
        """The SID of an account or built-in group.

        Raises:
            KeyError: there is no such account.
        """
        special = system_account(account)
        if special:
            return special[1]
        if account.upper().startswith("S-1-"):
            return account.upper()
        group = GROUP_SIDS.get(bare_name(account).lower())
        user = self.accounts.get(bare_name(account).lower())
        if user is None and group is None:
            raise KeyError(account)
        return f"{self.machine_sid}-{user.rid}" if user else group[1]

    def is_admin(self, account: str) -> bool:
        """Whether the account is SYSTEM or in Administrators."""
        special = system_account(account)
        if special:
            return special[1] == "S-1-5-18"
        user = self.find(account)
        return user is not None and "administrators" in (group.lower() for group in user.groups)

    def dump(self) -> dict[str, Any]:
        """A form that fits into JSON; it holds the passwords."""
        return {"next_rid": self.next_rid, "accounts": [asdict(user) for user in self.accounts.values()]}

    def restore(self, data: dict[str, Any]) -> None:
        """The reverse of :meth:`dump`."""
        self.next_rid = data["next_rid"]
        self.accounts = {fields["name"].lower(): User(**fields) for fields in data["accounts"]}
