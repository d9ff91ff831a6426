# Switches firewall rules on or off by their ids. Names will not do: Windows' own question makes an Allow and a Block rule of one name.
param([string[]] $Id, [string] $Enabled)

Get-NetFirewallRule -PolicyStore PersistentStore | Where-Object InstanceID -In $Id | Set-NetFirewallRule -Enabled $Enabled
