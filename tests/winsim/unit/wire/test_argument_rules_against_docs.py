"""The rules read from every module's source agree with its documentation."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from lab.winsim import argspec, handlers
from lab.winsim.psliteral import DYNAMIC

handlers.load_handlers()
# Not described by a .ps1 of its own: the name under which ansible-core's action calls ansible.windows.async_status.
MODULES = sorted(
    name for name in handlers.MODULES if name.split(".")[0] != "ansible" or name.split(".")[1] == "windows"
)
# Where source and documentation really differ: module -> option -> why.
DIFFERENCES: dict[str, dict[str, str]] = {
    "ansible.windows.win_copy": {
        "content": "used up by the action plugin",
        "decrypt": "used up by the action plugin",
        "local_follow": "used up by the action plugin",
        "remote_src": "used up by the action plugin",
        "directories": "set by the action plugin",
        "files": "set by the action plugin",
    },
    "community.windows.win_firewall_rule": {
        "edge": "not documented",
        "interfacetypes": "not documented",
        "security": "not documented",
    },
    "community.windows.win_scheduled_task": {
        "compatibility": "the module does not check the documented choices",
        "logon_type": "the module does not check the documented choices",
        "multiple_instances": "the module does not check the documented choices",
    },
}


@cache
def documentation() -> dict[str, Any]:
    program = Path(sys.executable).with_name("ansible-doc")
    done = subprocess.run([program, "-j", "-t", "module", *MODULES], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def source(name: str) -> str:
    namespace, collection, module = name.split(".")
    for root in sys.path:
        path = Path(root) / "ansible_collections" / namespace / collection / "plugins" / "modules" / f"{module}.ps1"
        if path.exists():
            return path.read_text(encoding="utf-8")
    raise FileNotFoundError(name)


def rules(option: dict[str, Any]) -> dict[str, Any]:
    """What can be compared: type, choices, required."""
    kind = option.get("type", "str")
    kind = "raw" if kind is DYNAMIC else kind  # a converter of the module's own
    choices = sorted(str(choice).lower() for choice in option.get("choices") or [])
    return {"type": kind, "choices": choices, "required": bool(option.get("required", False))}


def test_there_are_modules_to_compare() -> None:
    assert "ansible.windows.win_ping" in MODULES
    assert len(MODULES) >= 24


@pytest.mark.parametrize("name", MODULES)
def test_rules_equal_the_documentation(name: str) -> None:
    spec = argspec.extract(name, source(name))
    documented = {option: rules(value) for option, value in documentation()[name]["doc"].get("options", {}).items()}
    documented.pop("free_form", None)  # what older collections call _raw_params in their documentation
    documented = {option: value for option, value in documented.items() if not option.startswith("_")}
    found = {option: rules(value) for option, value in spec.options.items() if not option.startswith("_")}
    if spec.legacy:
        for option, value in found.items():
            if value["type"] == "raw":
                value["type"] = documented.get(option, value)["type"]
    wrong = {
        option: (found.get(option), documented.get(option))
        for option in sorted({*found, *documented})
        if found.get(option) != documented.get(option)
    }
    assert sorted(wrong) == sorted(DIFFERENCES.get(name, {})), wrong
