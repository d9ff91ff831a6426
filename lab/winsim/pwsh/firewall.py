"""Get-NetFirewallRule and Set-NetFirewallRule, as far as switching rules on and off by their id goes."""

from __future__ import annotations

from lab.winsim.errors import SimulatorError
from lab.winsim.model import firewall
from lab.winsim.pwsh.cmdlets import Invocation, cmdlet
from lab.winsim.pwsh.values import PSObject, text_of

_TYPE = "Microsoft.Management.Infrastructure.CimInstance#root/standardcimv2/MSFT_NetFirewallRule"


@cmdlet("Get-NetFirewallRule", "", "PolicyStore")
def get_net_firewall_rule(call: Invocation) -> None:
    """Every rule of the computer itself."""
    if call.text("PolicyStore", "PersistentStore") != "PersistentStore":
        raise SimulatorError(f"Get-NetFirewallRule: store not known: {call.text('PolicyStore')}")
    for rule in firewall.rules(call.interpreter.machine):
        shown = {"InstanceID": rule.id, "Name": rule.id, "DisplayName": rule.name, "Enabled": str(rule.enabled)}
        call.emit(PSObject(_TYPE, shown | {"Action": rule.action.capitalize()}))


@cmdlet("Set-NetFirewallRule", "", "InputObject Enabled")
def set_net_firewall_rule(call: Invocation) -> None:
    """Switch the rules that come down the pipeline on or off."""
    machine, enabled = call.interpreter.machine, call.text("Enabled")
    if enabled not in ("True", "False"):
        raise SimulatorError(f"Set-NetFirewallRule: -Enabled {enabled!r} is not known")
    wanted = {text_of(item.properties["InstanceID"]) for item in call.items()}
    for rule in firewall.rules(machine):
        if rule.id in wanted:
            rule.enabled = enabled == "True"
            firewall.store(machine, rule)
            machine.log("firewall rule", name=rule.name, action=rule.action, enabled=rule.enabled)
