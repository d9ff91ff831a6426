"""What the product's own PowerShell scripts do, told again in Python.

A script is recognised by its text, without comments and blanks at the ends of lines. A script that was changed is not
known any more: read here whether the function still does what it does, then write its new digest beside it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.model import firewall

Script = Callable[[Any, dict[str, Any]], list[Any]]
SCRIPTS: dict[str, Script] = {}


def digest(text: str) -> str:
    """Return what a script is known by."""
    lines = (line.strip() for line in text.splitlines())
    kept = "\n".join(line for line in lines if line and not line.startswith("#"))
    return hashlib.sha256(kept.encode()).hexdigest()


def script(known_by: str) -> Callable[[Script], Script]:
    """Register a function: it takes the machine and the script's parameters, and returns the objects it puts out."""

    def register(function: Script) -> Script:
        SCRIPTS[known_by] = function
        return function

    return register


def run(machine: Any, text: str, parameters: dict[str, Any] | None = None) -> list[Any]:
    """Do what a script of the product does and return its output.

    Raises:
        SimulatorError: the text is none of them.
    """
    found = SCRIPTS.get(digest(text))
    if found is None:
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        raise SimulatorError(
            f"PowerShell not known: {first[:200]!r}; there is no interpreter. A script of the product has a function in "
            f"lab/winsim/product_scripts.py; this one has the digest {digest(text)}"
        )
    return found(machine, parameters or {})


@script("e4ddca2366ea8b54c7cb0b499ac282d55fe4c5413a699871331a7bc4eb87b1eb")
def virtualization(machine: Any, parameters: dict[str, Any]) -> list[str]:
    """roles/wsl_enable/files/virtualization.ps1: a running hypervisor hides from Windows what the firmware says."""
    on = bool(machine.description["hardware"]["virtualization"])
    running = on and machine.features.is_on("VirtualMachinePlatform")
    answer = {"hypervisor_missing": not running, "firmware_off": not on or running}
    return [json.dumps(answer, separators=(",", ":"))]


@script("2a19c36556e5f08ce80a716bebf0be17a653d234c1405e97bfc86019e21f1a22")
def firewall_rules(machine: Any, parameters: dict[str, Any]) -> list[Any]:
    """roles/windows_proxy/files/firewall_rules.ps1: switch rules on or off by their ids."""
    if parameters["Enabled"] not in ("True", "False"):
        raise SimulatorError(f"Set-NetFirewallRule: -Enabled {parameters['Enabled']!r} is not known")
    for rule in firewall.rules(machine):
        if rule.id in parameters["Id"]:
            rule.enabled = parameters["Enabled"] == "True"
            firewall.store(machine, rule)
            machine.log("firewall rule", name=rule.name, action=rule.action, enabled=rule.enabled)
    return []
