"""Check the values of all options of several roles, before anything looks at the machine or changes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import filter_loader
from jinja2 import Environment, TemplateSyntaxError, nodes

Variables = Mapping[str, Any]
Finding = dict[str, Any]

MAGIC = re.compile(
    r"ansible_\w+|inventory_\w+|playbook_dir|role_path|groups|group_names|hostvars|play_hosts|omit|undef|lookup|query|q"
)
"""Variables that no inventory sets."""
FACTS = {"ansible_facts", "hostvars"}
"""Variables that are empty until the machine was looked at."""
JINJA = Environment()
TYPES = {
    "str": "a text",
    "int": "a whole number",
    "bool": "true or false",
    "list": "a list, one entry a line with a hyphen before it",
    "dict": "a dictionary, keys with their values",
    "path": "a path",
}
"""Types of argument_specs in words."""


class ActionModule(ActionBase):
    """Ask argument_specs and the checks of each role that name an option."""

    def run(self, tmp: str | None = None, task_vars: Variables | None = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(
            {
                "roles": {"type": "list", "elements": "str", "required": True},
                "path": {"type": "str", "required": True},
                "settings": {"type": "str", "default": ""},
                "quiet": {"type": "list", "elements": "str", "default": []},
            }
        )
        values = Values(self._templar, self._loader, dict(task_vars or {}))
        findings: list[Finding] = []
        if given["settings"]:
            findings += values.of_settings(Path(given["settings"]))
        for role in given["roles"]:
            findings += values.of_role(Path(given["path"]) / role, role in given["quiet"])
        return result | {"changed": False, "findings": values.told_once(findings), "settings": values.behind}


class Values:
    """The values of one host.

    :param templar: the action's.
    :param loader: the action's, which decrypts vaults.
    :param known: the host's variables, not templated yet.
    """

    def __init__(self, templar: Any, loader: Any, known: dict[str, Any]) -> None:
        self._templar, self._loader, self._known = templar, loader, known
        self.host = str(known.get("inventory_hostname", ""))
        self.behind: dict[str, list[str]] = {}
        """Option of a role -> the variables that the person sets, where they have other names."""

    def of_role(self, folder: Path, quiet: bool) -> list[Finding]:
        """Return what is wrong with a role's options.

        :param quiet: whether to check the types alone, because the role is not asked for.
        """
        role = folder.name
        options = self._load(folder / "meta" / "argument_specs.yml")["argument_specs"]["main"].get("options", {})
        self.behind |= {name: found for name in options if (found := self._settings(name)) != [name]}
        defaults, constants = (self._load(folder / part / "main.yml") or {} for part in ("defaults", "vars"))
        variables = defaults | self._known | constants
        findings = self._of_types(role, options, variables)
        if f"{role}_state" in {finding["variable"] for finding in findings}:
            return findings
        state = self._value(f"{role}_state", variables) if f"{role}_state" in options else "present"
        if quiet or state == "ignore":
            return findings
        tables = [table for name, table in constants.items() if name.startswith("__") and name.endswith("_checks")]
        checks = [check for table in tables for check in table if "option" in check]
        asked = [check for check in checks if state == "present" or "always" in check]
        return findings + self._of_checks(role, asked, options, variables, findings)

    def of_settings(self, path: Path) -> list[Finding]:
        """Return what is wrong with variables of no role, as the C(options) and C(checks) of a file have it."""
        content = self._load(path)
        options = {name: option for name, option in content["options"].items() if name in self._known}
        findings = self._of_types("", options, self._known, undefined=False)
        asked = [check for check in content["checks"] if check["option"] in options]
        return findings + self._of_checks("", asked, options, self._known, findings)

    def told_once(self, findings: list[Finding]) -> list[Finding]:
        """Return the findings without those that a setting with a finding of its own explains."""
        kept: list[Finding] = []
        for finding in findings:
            told = {setting for one in kept for setting in one["settings"]}
            if not told.intersection(finding["settings"]) or finding["settings"] == [finding["variable"]]:
                kept.append(finding)
        return kept

    # --- types ---------------------------------------------------------------------------------------------------

    def _of_types(self, role: str, options: Variables, variables: Variables, undefined: bool = True) -> list[Finding]:
        findings: list[Finding] = []
        for name, option in options.items():
            if name not in variables:
                continue
            try:
                value = self._value(name, variables)
            except AnsibleError as error:
                reached = self._reached(name, variables)
                if undefined and not reached & (FACTS | {one["variable"] for one in findings}):
                    why = str(error).strip().splitlines()[0]
                    said = f"{name} has no value: {why.rstrip('.')}. Set that, or correct the name."
                    findings.append(self._finding(role, name, options, None, "", said))
                continue
            if not self._fits(name, option, value):
                allowed = allowed_type(option, value)
                what = "has no value" if value is None else f"is {self._shown(option, value)}"
                said = f"{name} {what}. Set it to {allowed}."
                findings.append(self._finding(role, name, options, value, allowed, said))
        return findings

    @staticmethod
    def _fits(name: str, option: Variables, value: Any) -> bool:
        """Tell whether a value is what an option takes, without the conversions of Ansible's validator."""
        kind = option.get("type", "str")
        if value is None or kind in ("str", "path") and isinstance(value, bool | float | list | dict):
            return False
        if kind == "int" and isinstance(value, bool | float) or kind in ("list", "dict") and isinstance(value, str):
            return False
        entries = value if isinstance(value, list) and option.get("elements", "str") in ("str", "path") else []
        if any(not isinstance(item, str | int) or isinstance(item, bool) for item in entries):
            return False
        spec = {key: option[key] for key in ("type", "choices", "elements") if key in option}
        return not ArgumentSpecValidator({name: spec}).validate({name: value}).error_messages

    # --- checks --------------------------------------------------------------------------------------------------

    def _of_checks(
        self, role: str, checks: list[Variables], options: Variables, variables: Variables, before: list[Finding]
    ) -> list[Finding]:
        """Return what checks find.

        :param before: findings of types, after which a value cannot be checked.
        """
        findings = []
        wrong = {one["variable"] for one in before}
        for check in checks:
            name = check["option"]
            if name in wrong:
                continue
            first = {key: item for key, item in check.items() if key != "because"}
            try:
                asked = self._template(first, variables)
                if "because" in check and asked["refuse"]:
                    asked["because"] = self._template(check["because"], variables)
                told = words("refusal", asked)
                value = self._value(name, variables) if told["message"] else None
            except AnsibleError as error:
                if not role or self._reached(name, variables) & (FACTS | wrong):
                    continue  # it is asked again when the machine was looked at, or what it needs was corrected
                value, why = variables[name], str(error).strip().splitlines()[0]
                said = f"{name} is {self._shown(options[name], value)}, which cannot be used: {why}"
                findings.append(self._finding(role, name, options, value, "", said))
                continue
            if told["message"]:
                findings.append(self._finding(role, name, options, value, told["allowed"], told["message"]))
        return findings

    def _finding(self, role: str, name: str, options: Variables, value: Any, allowed: str, message: str) -> Finding:
        """Return a finding, with the names that the person has written in place of the role's."""
        settings = self._settings(name)
        remedy = f"Set {' or '.join(settings)} to {allowed}." if allowed else ""
        return {
            "kind": "value",
            "host": self.host,
            "role": role,
            "variable": name,
            "settings": settings,
            "value": None if value is None else self._shown(options[name], value, "plain_value"),
            "allowed": self._in_their_words(allowed, options) or None,
            "message": self._in_their_words(" ".join(message.split()), options),
            "remedy": self._in_their_words(remedy, options) or None,
        }

    def _in_their_words(self, text: str, options: Variables) -> str:
        """Return a text with the setting in place of each option that has its value from one setting."""
        for name in options:
            settings = self._settings(name) if re.search(rf"\b{name}\b", text) else [name]
            if len(settings) == 1:
                text = re.sub(rf"\b{name}\b", settings[0], text)
        return text

    @staticmethod
    def _shown(option: Variables, value: Any, how: str = "shown_value") -> str:
        return "(secret)" if option.get("no_log") else words(how, value)

    # --- what a person has written -------------------------------------------------------------------------------

    def _settings(self, name: str, seen: frozenset[str] = frozenset()) -> list[str]:
        """Return the variables of the inventory that an option has its value from, or the option itself."""
        raw = self._known.get(name)
        inner = [
            one for one in sorted(names_in(raw)) if one in self._known and one not in seen and not MAGIC.fullmatch(one)
        ]
        found = [setting for one in inner for setting in self._settings(one, seen | {name})]
        return sorted(set(found)) or [name]

    def _reached(self, name: str, variables: Variables, seen: frozenset[str] = frozenset()) -> set[str]:
        """Return all variables that a value depends on."""
        inner = names_in(variables.get(name)) - seen - {name}
        return inner.union(*(self._reached(one, variables, seen | inner | {name}) for one in inner))

    # --- files and templates -------------------------------------------------------------------------------------

    def _load(self, path: Path) -> Any:
        if not path.is_file():
            if path.parent.name == "vars":
                return {}
            raise AnsibleActionFail(f"{path} is missing, so the values of {path.parents[1].name} cannot be checked.")
        return self._loader.load_from_file(
            str(path), unsafe=True, trusted_as_template=True
        )  # not copied; it is only read

    def _value(self, name: str, variables: Variables) -> Any:
        return self._template(variables[name], variables)

    def _template(self, raw: Any, variables: Variables) -> Any:
        return self._templar.copy_with_new_env(available_variables=variables).template(raw)


def names_in(raw: Any) -> set[str]:
    """Return the names that the templates in a value read."""
    if isinstance(raw, Mapping):
        return set().union(*map(names_in, raw.values()))
    if isinstance(raw, list | tuple):
        return set().union(*map(names_in, raw))
    return _names(str(raw)) if isinstance(raw, str) and ("{{" in raw or "{%" in raw) else set()


@cache
def _names(text: str) -> frozenset[str]:
    try:
        return frozenset(node.name for node in JINJA.parse(text).find_all(nodes.Name))
    except TemplateSyntaxError:
        return frozenset()


def allowed_type(option: Variables, value: Any) -> str:
    """Return in words what argument_specs allow in place of a value."""
    if choices := option.get("choices"):
        *first, last = map(str, choices)
        return f"{', '.join(first)} or {last}" if first else last
    number = option.get("type") == "str" and isinstance(value, float)
    return f'a text in quotes, for example "{value}"' if number else TYPES[option.get("type", "str")]


def words(name: str, value: Any) -> Any:
    """Return what a filter of refusals.py makes of a value."""
    return filter_loader.get(name).j2_function(value)
