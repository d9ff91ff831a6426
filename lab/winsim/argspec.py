"""Argument rules of modules: what their documentation in the installed collections says, applied by Ansible's validator.

What only a module's source says (which options exclude each other or need each other) is not checked here.
"""

from __future__ import annotations

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_collections
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from lab.winsim.process import CaseInsensitiveDict
from lab.winsim.transfer import expand_variables

UNDOCUMENTED = {
    "ansible.windows.async_status": {"_async_dir": {"type": "str", "path": True}},
    "ansible.windows.win_copy": dict.fromkeys(("directories", "files", "symlinks"), {"type": "raw"}),
}
"""Options that an action plugin adds."""
NEWER = {"ansible.windows.win_package": {"verify_signature": {"type": "bool"}}}
"""Options that roles use where the collection has them: that of a distribution may be newer than this machine's."""


class ArgumentError(Exception):
    """The module refuses its arguments."""


class Skipped(Exception):
    """The module does not support check mode and is skipped in it."""


@dataclass
class Checked:
    """The outcome of a check: typed arguments, modes, and what the result says of the call."""

    args: dict[str, Any]
    given: set[str]
    check_mode: bool
    diff: bool
    invocation: dict[str, Any] | None


def check(name: str, script: str, raw: dict[str, Any], environment: CaseInsensitiveDict) -> Checked:
    """Check the arguments of a module call.

    Raises:
        ArgumentError: they do not fit the documentation.
        Skipped: check mode, and the module does not support it.
    """
    check_mode = bool(raw.get("_ansible_check_mode"))
    if check_mode and not re.search(r"supports_check_mode\s*[=:]?\s*\$true", script, re.IGNORECASE):
        raise Skipped(f"remote module ({name}) does not support check mode")
    options = rules(name)
    given = {key: value for key, value in raw.items() if key in options or not key.startswith("_")}
    validated = ArgumentSpecValidator(options).validate(_with_defaults(options, given))
    if validated.error_messages:
        said = f"Unsupported parameters for ({name}) module: " if validated.unsupported_parameters else ""
        raise ArgumentError(said + "; ".join(validated.error_messages))
    args = {key: value for key, value in raw.items() if key.startswith("_") and not key.startswith("_ansible_")}
    args |= validated.validated_parameters
    for option, rule in options.items():
        if rule.get("path") and args[option] is not None and not str(args[option]).startswith("\\\\?\\"):
            args[option] = expand_variables(args[option], environment)
    tells = "Ansible.Basic" in script and raw.get("_ansible_inject_invocation", True)  # since core 2.21 only on demand
    named = {option for option, rule in options.items() if given.keys() & {option, *rule.get("aliases", [])}}
    return Checked(args, named, check_mode, bool(raw.get("_ansible_diff")), dict(args) if tells else None)


def _with_defaults(options: dict[str, dict[str, Any]], given: dict[str, Any]) -> dict[str, Any]:
    """Add the defaults, which the validator would not convert."""
    return {option: rule["default"] for option, rule in options.items() if "default" in rule} | given


@functools.cache
def rules(name: str) -> dict[str, dict[str, Any]]:
    """Return the options of a module as the validator wants them."""
    namespace, collection, module = name.split(".")
    places = [Path(place, namespace, collection, "plugins") for place in ansible_collections.__path__]
    plugins = next(place for place in places if place.is_dir())  # Ansible's own loader puts another place first
    documentation = _documentation(plugins / "modules" / module)
    options = _specification(documentation.get("options") or {})
    for fragment in documentation.get("extends_documentation_fragment") or []:
        if fragment == "ansible.windows.web_request":
            more = _documentation(plugins / "doc_fragments" / "web_request")["options"]
            options = _specification(more) | options
    return NEWER.get(name, {}) | options | UNDOCUMENTED.get(name, {})


def _documentation(path: Path) -> dict[str, Any]:
    """Return the documentation in a plugin's file, which is Python or, for some, YAML."""
    if path.with_suffix(".yml").exists():
        return yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["DOCUMENTATION"]
    for node in ast.walk(ast.parse(path.with_suffix(".py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Assign) and node.targets[0].id == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise ValueError(f"{path} has no documentation")


def _specification(documented: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    specification = {}
    for option, described in documented.items():
        if option in ("free_form", "_raw_params"):
            continue
        keys = ("type", "elements", "choices", "default", "required", "aliases")
        rule = {key: described[key] for key in keys if key in described}
        rule["path"] = rule.get("type") == "path"
        for key in ("type", "elements"):
            if rule.get(key) in ("path", "sid"):
                rule[key] = "str"
        if "suboptions" in described:
            rule.setdefault("type", "dict")
            rule["options"] = _specification(described["suboptions"])
        specification[option] = rule
    return specification
