<#
.SYNOPSIS
Makes this PC reachable for Ansible over WinRM (HTTPS, NTLM), or takes that back with -Remove.

.DESCRIPTION
Run it once in Windows PowerShell as administrator:

    powershell -ExecutionPolicy Bypass -File Enable-WinRM.ps1 -ControlNode 192.168.1.10

or, where Ansible runs inside the WSL distribution of this PC:

    powershell -ExecutionPolicy Bypass -File Enable-WinRM.ps1 -ControlNode "172.16.0.0/12,127.0.0.1"

It starts the WinRM service, makes a self-signed certificate and an HTTPS listener, opens the firewall for the given
addresses and nobody else, allows NTLM as the only way to log on, writes the certificate for the control node to trust,
and prints the inventory's settings to paste. Running it again changes nothing that is right already. What it changed is
noted in the registry, and -Remove puts exactly that back.

The account that Ansible uses must be the person who will work in WSL, because distributions belong to an account.
It needs a password, not only a PIN. A domain account is written DOMAIN\name. An Entra (Azure AD) account cannot log on
with NTLM, so a local administrator is needed there.

What stands in the way, group policies too, is told at once, before anything is changed.

For many PCs it is one file that a group policy (a start-up script) or Intune runs as the system, which asks nothing: name the
account with -User, and see bootstrap/README.md. What the last such run said is in C:\ProgramData\wsl-dl-playbook\Enable-WinRM.log.

.PARAMETER ControlNode
Addresses (or networks such as 192.168.1.0/24) that may connect. "Any" has to be said and is not the default. WSL's own
network is 172.16.0.0/12 in NAT mode; in mirrored mode the distribution has the address 127.0.0.1.

.PARAMETER User
The account in the inventory lines; the one that runs this script by default. It must be an administrator. "name" is an
account of this PC, "DOMAIN\name" one of a domain.

.PARAMETER Port
TCP port of the listener.

.PARAMETER CertificateIssuer
Take the certificate that the house's own CA has issued to this PC, instead of a self-signed one: the CA's name as in
"CN=House CA". Of several the one that is valid longest; run it again after it was renewed, for example at each start.

.PARAMETER CertificateFile
Where the certificate is written, or a folder for it; winrm-NAME.pem on the desktop by default (run by the system: in
C:\ProgramData\wsl-dl-playbook). With -CertificateIssuer none is written, because the control node trusts the CA.

.PARAMETER Remove
Take everything back.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string[]] $ControlNode = @(),
    [string] $User = '',
    [int] $Port = 5986,
    [string] $CertificateIssuer = '',
    [string] $CertificateFile = '',
    [switch] $Remove
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$Key = 'HKLM:\SOFTWARE\wsl-dl-playbook\Enable-WinRM'
$RuleName = 'wsl-dl-playbook-winrm-https'
$FriendlyName = 'wsl-dl-playbook WinRM'
$PolicyKey = 'HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System'
$AuthPath = 'WSMan:\localhost\Service\Auth'
$WinRmPolicy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service'
$FirewallPolicy = 'HKLM:\SOFTWARE\Policies\Microsoft\WindowsFirewall'
$NtlmPolicy = 'HKLM:\SYSTEM\CurrentControlSet\Control\Lsa\MSV1_0'
$Findings = New-Object Collections.ArrayList
$Folder = Join-Path "$env:ProgramData" 'wsl-dl-playbook'
$Methods = 'Basic', 'Kerberos', 'Negotiate', 'Certificate', 'CredSSP'

function Write-Step([string] $Text) {
    Write-Host "  $Text"
}

function Add-Finding([string] $Cause, [string] $Remedy) {
    [void] $Findings.Add(@{ Cause = $Cause; Remedy = $Remedy })
}

# All at once, so that nobody has to come back for the next one.
function Stop-OnFinding {
    if ($Findings.Count -eq 0) {
        return
    }
    foreach ($finding in $Findings) {
        Write-Host ''
        Write-Host "Stopped: $($finding.Cause)" -ForegroundColor Red
        Write-Host "What to do: $($finding.Remedy)" -ForegroundColor Yellow
    }
    exit 1
}

function Stop-Script([string] $Cause, [string] $Remedy) {
    Add-Finding $Cause $Remedy
    Stop-OnFinding
}

# whoami tells the identity by SIDs, which are the same in every language.
function Get-Whoami([string] $What) {
    return & "$env:SystemRoot\System32\whoami.exe" "/$What" /fo csv /nh
}

function Test-Administrator {
    # S-1-16-12288: the high integrity level that "Run as administrator" gives
    return [bool] ((Get-Whoami 'groups') -match 'S-1-16-(12288|16384)')
}

# What a group policy or Intune starts runs as the system, which is nobody who could be asked.
function Test-System {
    return [bool] ((Get-Whoami 'user') -match '"S-1-5-18"')
}

function Get-RegistryValue([string] $Path, [string] $Name) {
    $item = Get-ItemProperty -Path $Path -Name $Name -ErrorAction SilentlyContinue
    if ($item) {
        return $item.$Name
    }
    return $null
}

function Get-Note([string] $Name) {
    return Get-RegistryValue $Key $Name
}

# The first value that is noted is the one from before this script; later runs keep it.
function Set-Note([string] $Name, [string] $Value) {
    if (-not (Test-Path $Key)) {
        New-Item -Path $Key -Force | Out-Null
    }
    if ($null -eq (Get-Note $Name)) {
        New-ItemProperty -Path $Key -Name $Name -Value $Value -PropertyType String | Out-Null
    }
}

function Get-HttpsListener {
    return Get-ChildItem WSMan:\localhost\Listener |
        Where-Object { $_.Keys -contains 'Transport=HTTPS' } |
        Select-Object -First 1
}

function Get-ListenerValue($Listener, [string] $Name) {
    $path = Join-Path 'WSMan:\localhost\Listener' $Listener.Name
    return (Get-ChildItem $path | Where-Object { $_.Name -eq $Name }).Value
}

function Remove-HttpsListener($Listener) {
    $path = Join-Path 'WSMan:\localhost\Listener' $Listener.Name
    Remove-Item $path -Recurse -Force
}

function Get-ListenerThumbprint($Listener) {
    return "$(Get-ListenerValue $Listener 'CertificateThumbprint')" -replace ' ', ''
}

# Ours is a certificate that this script made, or the one of the house's CA that it gave the listener.
function Test-OurThumbprint([string] $Thumbprint) {
    return $Thumbprint -eq (Get-Note 'Thumbprint') -or [bool] (Get-ChildItem Cert:\LocalMachine\My |
            Where-Object { $_.Thumbprint -eq $Thumbprint -and $_.FriendlyName -eq $FriendlyName })
}

# A certificate holds names in ASCII; those of another script are written as IDNA does.
function Get-AsciiName {
    if ($env:COMPUTERNAME -match '^[\x21-\x7e]+$') {
        return $env:COMPUTERNAME
    }
    return (New-Object Globalization.IdnMapping).GetAscii($env:COMPUTERNAME.ToLowerInvariant())
}

# --- what would stop us ------------------------------------------------------------------------------------------

# "name" and ".\name" and "THIS-PC\name" are accounts of this PC; anything else belongs to a domain or to Entra.
function Split-Account([string] $Name) {
    $domain, $short = $env:COMPUTERNAME, $Name
    if ($Name -match '^(?<domain>[^\\]+)\\(?<short>.+)$') {
        $domain, $short = $Matches['domain'], $Matches['short']
        if ($domain -eq '.') {
            $domain = $env:COMPUTERNAME
        }
    } elseif ($Name -like '*@*') {
        $domain = ($Name -split '@', 2)[1]
    }
    return @{ Domain = $domain; Short = $short; Local = ($domain -eq $env:COMPUTERNAME) }
}

function Test-Entra([string] $Name) {
    if ($Name -like 'AzureAD\*') {
        return $true
    }
    # S-1-12-1: Entra's accounts
    return $Name -eq "$env:USERDOMAIN\$env:USERNAME" -and [bool] ((Get-Whoami 'user') -match 'S-1-12-1-')
}

function Assert-Account([string] $Name) {
    if (Test-Entra $Name) {
        Add-Finding "'$Name' is an Entra (Azure AD) account. Windows asks Entra for its password at the PC only, so it cannot log on over WinRM with NTLM." `
            ('Make a local administrator and name it with -User: net user NAME * /add, then ' +
            'Add-LocalGroupMember -SID S-1-5-32-544 -Member NAME. Sign in to the PC as NAME for WSL, since distributions belong to an account.')
        return
    }
    $parts = Split-Account $Name
    if ($parts.Local) {
        Assert-LocalAccount $parts.Short
        return
    }
    Write-Step "$Name is a domain account. NTLM works while this PC reaches a domain controller, and if the domain allows NTLM."
    Write-Step 'It must be an administrator of this PC (Add-LocalGroupMember -SID S-1-5-32-544), which is not checked here.'
}

function Assert-LocalAccount([string] $Name) {
    $account = Get-LocalUser -Name $Name -ErrorAction SilentlyContinue
    if (-not $account) {
        Add-Finding "There is no account '$Name' on this PC." 'Name one with -User; "Get-LocalUser" lists them. A domain account is written DOMAIN\name.'
        return
    }
    if (-not $account.Enabled) {
        Add-Finding "The account '$Name' is disabled." `
            "Enable it (Enable-LocalUser '$Name'), or name another one with -User."
    }
    if ("$($account.PrincipalSource)" -eq 'MicrosoftAccount') {
        Write-Warning "'$Name' is a Microsoft account. Ansible logs on as $Name with its password, not the PIN."
        Write-Warning 'That works after somebody has signed in to this PC once with the password: Settings, Accounts,'
        Write-Warning 'Sign-in options, switch off "only allow Windows Hello sign-in", sign out, sign in with it.'
        Write-Warning 'If the account has no password: set one at account.microsoft.com, or change to a local account'
        Write-Warning '(Settings, Accounts, Your info).'
    } elseif ($null -eq $account.PasswordLastSet) {
        Add-Finding "The account '$Name' has no password (or only a PIN), and Windows refuses that over the network." `
            "Set a password (Ctrl+Alt+Del, Change a password; or: net user $Name *) and run this again. The PIN stays."
    }
    $members = $null
    try {
        $members = Get-LocalGroupMember -SID S-1-5-32-544
    } catch {
        Write-Step 'the list of administrators can not be read; it may hold accounts that are gone'
    }
    if ($members -and -not ($members | Where-Object { "$($_.SID)" -eq "$($account.SID)" })) {
        Add-Finding "The account '$Name' is no administrator, so Ansible could not install anything." `
            "Add it (Add-LocalGroupMember -SID S-1-5-32-544 -Member '$Name'), or name another account with -User."
    }
}

# What a group policy decides, nobody can change on the PC.
function Assert-Policy {
    $ask = 'Ask those who look after this PC to change it (gpresult /h report.html shows where it comes from).'
    if ((Get-RegistryValue $WinRmPolicy 'AllowAutoConfig') -eq 0) {
        Add-Finding 'A group policy forbids remote management ("Allow remote server management through WinRM" is disabled: AllowAutoConfig = 0).' $ask
    }
    if ((Get-RegistryValue $WinRmPolicy 'AllowNegotiate') -eq 0) {
        Add-Finding 'A group policy forbids NTLM for WinRM ("Disallow Negotiate authentication": AllowNegotiate = 0).' $ask
    }
    if ((Get-RegistryValue "$WinRmPolicy\WinRS" 'AllowRemoteShellAccess') -eq 0) {
        Add-Finding 'A group policy forbids remote shells ("Allow Remote Shell Access" is disabled: AllowRemoteShellAccess = 0).' $ask
    }
    $ntlm = Get-RegistryValue $NtlmPolicy 'RestrictReceivingNTLMTraffic'
    if ($ntlm -eq 2 -or ($ntlm -eq 1 -and -not (Split-Account $User).Local)) {
        Add-Finding "A policy refuses incoming NTLM (`"Restrict NTLM: Incoming NTLM traffic`": RestrictReceivingNTLMTraffic = $ntlm)." $ask
    }
    $profiles = @{ DomainAuthenticated = 'DomainProfile'; Private = 'StandardProfile'; Public = 'PublicProfile' }
    $unmerged = @(Get-NetConnectionProfile | ForEach-Object { "$($_.NetworkCategory)" } | Sort-Object -Unique |
            Where-Object { (Get-RegistryValue "$FirewallPolicy\$($profiles[$_])" 'AllowLocalPolicyMerge') -eq 0 })
    if ($unmerged -and ($ControlNode | Where-Object { $_ -notlike '127.*' })) {
        Add-Finding ("A group policy lets the firewall ignore the rules of this PC in networks of the kind $($unmerged -join ', ') " +
            "(AllowLocalPolicyMerge = 0), so that port $Port would stay closed.") `
            "Ask those who look after this PC for a rule by policy: inbound, TCP $Port, from the control node."
    }
    if ((Get-RegistryValue $WinRmPolicy 'DisableRunAs') -eq 1) {
        Write-Step 'a group policy forbids WinRM to store RunAs credentials (DisableRunAs = 1); Ansible does not need them'
    }
}

# A listener that somebody else made stays theirs. Only a running service tells; else Enable-Listener looks.
function Assert-Listener {
    if ("$((Get-Service WinRM).Status)" -ne 'Running') {
        return
    }
    $listener = Get-HttpsListener
    if (-not $listener) {
        return
    }
    $thumbprint = Get-ListenerThumbprint $listener
    if ($thumbprint -and -not (Test-OurThumbprint $thumbprint)) {
        Add-Finding 'This PC has an HTTPS listener for WinRM with a certificate of somebody else.' `
            "Use it as it is; or remove it with: Remove-Item 'WSMan:\localhost\Listener\$($listener.Name)' -Recurse"
    }
}

function Assert-Certificate {
    if ($CertificateIssuer -and -not (Get-HouseCertificate)) {
        Add-Finding "There is no certificate of '$CertificateIssuer' for $($env:COMPUTERNAME) that WinRM could use." `
            ('It has to be in Cert:\LocalMachine\My, with its private key, valid today, for Server Authentication, and with this PC among its names. ' +
            'Let the CA issue one (a template that computers enrol automatically; "certutil -pulse" asks for it now), then run this again.')
    }
}

function Show-Network {
    $public = Get-NetConnectionProfile | Where-Object { "$($_.NetworkCategory)" -eq 'Public' }
    foreach ($network in $public) {
        $index = $network.InterfaceIndex
        Write-Warning "The network '$($network.Name)' is Public. The firewall rule covers it as well."
        Write-Warning 'If this is your own network, better make it private:'
        Write-Warning "  Set-NetConnectionProfile -InterfaceIndex $index -NetworkCategory Private"
    }
}

# --- the parts ---------------------------------------------------------------------------------------------------

function Enable-Service {
    $service = Get-Service WinRM
    Set-Note 'ServiceStartType' "$($service.StartType)"
    Set-Note 'ServiceStatus' "$($service.Status)"
    if ("$($service.StartType)" -ne 'Automatic') {
        Set-Service WinRM -StartupType Automatic
        Write-Step 'the WinRM service starts with Windows'
    }
    if ("$($service.Status)" -ne 'Running') {
        Start-Service WinRM
        Write-Step 'the WinRM service runs'
    }
}

function Get-OurCertificate {
    $limit = (Get-Date).AddDays(30)
    $found = Get-ChildItem Cert:\LocalMachine\My |
        Where-Object { $_.FriendlyName -eq $FriendlyName -and $_.NotAfter -gt $limit -and $_.HasPrivateKey } |
        Sort-Object NotAfter -Descending
    foreach ($certificate in $found) {
        $names = @($certificate.DnsNameList | ForEach-Object { $_.Unicode })
        if ($names -contains $env:COMPUTERNAME -or $names -contains (Get-AsciiName)) {
            return $certificate
        }
    }
    return $null
}

# Of the house's CA, for this PC under its name alone or with its domain: WinRM takes one for Server Authentication only.
function Get-HouseCertificate {
    $now = Get-Date
    $found = Get-ChildItem Cert:\LocalMachine\My | Where-Object {
        ($_.Issuer -eq $CertificateIssuer -or ($_.Issuer -split ',\s*') -contains $CertificateIssuer) -and
        $_.HasPrivateKey -and $_.NotBefore -le $now -and $_.NotAfter -gt $now -and
        (@($_.EnhancedKeyUsageList | ForEach-Object { $_.ObjectId }) -contains '1.3.6.1.5.5.7.3.1') -and (Get-NameForUs $_)
    }
    return $found | Sort-Object NotAfter -Descending | Select-Object -First 1
}

function Get-NameForUs($Certificate) {
    $names = @($Certificate.DnsNameList | ForEach-Object { $_.Unicode })
    return $names | Where-Object { ($_ -split '\.')[0] -in $env:COMPUTERNAME, (Get-AsciiName) } | Select-Object -First 1
}

# An address that other machines do not reach: link-local, of a TUN adapter (198.18.0.0/15, 28.0.0.0/8), of an overlay (100.64.0.0/10).
function Test-LanAddress([string] $Address) {
    $bytes = @($Address -split '\.' | ForEach-Object { [int] $_ })
    return -not ($bytes[0] -in 0, 28, 127 -or ($bytes[0] -eq 169 -and $bytes[1] -eq 254) -or
        ($bytes[0] -eq 198 -and $bytes[1] -in 18, 19) -or ($bytes[0] -eq 100 -and $bytes[1] -ge 64 -and $bytes[1] -le 127))
}

# The addresses under which the control node may find this PC, the likeliest first: those with a default route, network
# cards before virtual adapters (VPN), then by metric. An adapter of WSL or Hyper-V has no default route.
function Get-LanAddress {
    $cards = @(Get-NetAdapter -Physical -ErrorAction SilentlyContinue | ForEach-Object { $_.InterfaceIndex })
    $routes = @(Get-NetRoute -DestinationPrefix '0.0.0.0/0' -ErrorAction SilentlyContinue |
            Sort-Object { -not ($cards -contains $_.InterfaceIndex) }, { $_.RouteMetric + $_.InterfaceMetric })
    foreach ($route in $routes) {
        Get-NetIPAddress -AddressFamily IPv4 -InterfaceIndex $route.InterfaceIndex -ErrorAction SilentlyContinue |
            Where-Object { Test-LanAddress $_.IPAddress } | ForEach-Object { $_.IPAddress }
    }
}

function New-OurCertificate {
    $name = Get-AsciiName
    $text = @("DNS=$name", "DNS=$name.local", 'DNS=localhost')
    foreach ($address in Get-LanAddress) {
        $text += "IPAddress=$address"
    }
    $names = '2.5.29.17={text}' + ($text -join '&')
    $arguments = @{
        Subject           = "CN=$name"
        FriendlyName      = $FriendlyName
        CertStoreLocation = 'Cert:\LocalMachine\My'
        KeyAlgorithm      = 'RSA'
        KeyLength         = 3072
        HashAlgorithm     = 'SHA256'
        NotAfter          = (Get-Date).AddYears(5)
        TextExtension     = @($names, '2.5.29.37={text}1.3.6.1.5.5.7.3.1')
    }
    $certificate = New-SelfSignedCertificate @arguments
    Write-Step "certificate $($certificate.Thumbprint) for $($text -join ', ')"
    return $certificate
}

function Enable-Listener($Certificate) {
    $listener = Get-HttpsListener
    if ($listener) {
        $thumbprint = Get-ListenerThumbprint $listener
        $sameport = [int] (Get-ListenerValue $listener 'Port') -eq $Port
        if ($thumbprint -eq $Certificate.Thumbprint -and $sameport) {
            return
        }
        Assert-Listener
        Stop-OnFinding
        Remove-HttpsListener $listener
    }
    New-Item -Path WSMan:\localhost\Listener -Transport HTTPS -Address '*' -Port $Port `
        -CertificateThumbPrint $Certificate.Thumbprint -Force | Out-Null
    Set-Note 'Listener' 'made'
    New-ItemProperty -Path $Key -Name 'Thumbprint' -Value $Certificate.Thumbprint -PropertyType String -Force | Out-Null
    Write-Step "HTTPS listener on port $Port"
}

function Set-Authentication {
    foreach ($method in $Methods) {
        $wanted = 'false'
        if ($method -eq 'Negotiate') {
            $wanted = 'true'
        }
        $current = "$((Get-Item "$AuthPath\$method").Value)"
        Set-Note "Auth$method" $current
        if ($current -ne $wanted -and $null -ne (Get-RegistryValue $WinRmPolicy "Allow$method")) {
            Write-Step "log on by $($method): $current, as a group policy says"
        } elseif ($current -ne $wanted) {
            Set-Item "$AuthPath\$method" -Value $wanted -Force
            Write-Step "log on by $($method): $wanted"
        }
    }
}

# Without it a local administrator has no administrator's rights over the network.
function Set-FullToken {
    $item = Get-ItemProperty -Path $PolicyKey -Name LocalAccountTokenFilterPolicy -ErrorAction SilentlyContinue
    $current = ''
    if ($item) {
        $current = "$($item.LocalAccountTokenFilterPolicy)"
    }
    Set-Note 'LocalAccountTokenFilterPolicy' $current
    if ($current -ne '1') {
        New-ItemProperty -Path $PolicyKey -Name LocalAccountTokenFilterPolicy -Value 1 -PropertyType DWord -Force |
            Out-Null
        Write-Step 'local administrators keep their rights over the network (LocalAccountTokenFilterPolicy = 1)'
    }
}

function Set-Firewall {
    # This PC reaches itself without a rule, and mirrored WSL is this PC.
    $remote = @($ControlNode | Where-Object { $_ -notlike '127.*' })
    # Windows writes networks its own way, so what was asked for is kept in the description.
    $description = "TCP $Port for $($remote -join ', ')"
    $rule = Get-NetFirewallRule -Name $RuleName -ErrorAction SilentlyContinue
    if ($rule) {
        if ($rule.Description -eq $description -and "$($rule.Enabled)" -eq 'True') {
            return
        }
        $rule | Remove-NetFirewallRule
    }
    if (-not $remote) {
        return
    }
    New-NetFirewallRule -Name $RuleName -DisplayName 'WinRM over HTTPS for wsl-dl-playbook' -Direction Inbound `
        -Action Allow -Protocol TCP -LocalPort $Port -RemoteAddress $remote -Profile Any `
        -Description $description | Out-Null
    Write-Step "firewall: open, $description"
}

function Export-OurCertificate($Certificate) {
    $text = [Convert]::ToBase64String($Certificate.RawData) -replace '(.{64})', "`$1`n"
    $pem = "-----BEGIN CERTIFICATE-----`n$($text.TrimEnd())`n-----END CERTIFICATE-----`n"
    $before = ''
    if (Test-Path -LiteralPath $CertificateFile) {
        $before = [IO.File]::ReadAllText($CertificateFile)
    }
    if ($before -ne $pem) {
        [IO.File]::WriteAllText($CertificateFile, $pem)
        Write-Step "certificate for the control node: $CertificateFile"
    }
}

function Show-Inventory($Certificate) {
    $address = @(Get-LanAddress) + (Get-AsciiName) | Select-Object -First 1
    Write-Host ''
    if ($CertificateIssuer) {
        $address = Get-NameForUs $Certificate
        Write-Host "The control node trusts $CertificateIssuer by one file for all PCs (PEM), as windows_certificate. This PC in the inventory:"
    } else {
        Write-Host "Copy $CertificateFile into the folder of your inventory (inventory/mine),"
        Write-Host 'and these lines into its group_vars/workstation/settings.yml, instead of the ones of the same names:'
    }
    Write-Host ''
    Write-Host "windows_address: $address"
    if ($Port -ne 5986) {
        Write-Host "windows_port: $Port"
    }
    if (-not $CertificateIssuer) {
        Write-Host "windows_certificate: `"{{ inventory_dir }}/$(Split-Path -Leaf $CertificateFile)`""
    }
    Write-Host "windows_user: '$($User -replace "'", "''")'"
    if ($CertificateIssuer) {
        return
    }
    Write-Host ''
    Write-Host 'Where Ansible runs inside the distribution of this PC, nothing has to be copied, and'
    Write-Host '"control_node: wsl" replaces windows_address and windows_certificate.'
    Write-Host "The password of $User belongs into vault.yml beside settings.yml, as windows_password."
}

function Remove-Everything {
    if (-not (Test-Path $Key)) {
        Write-Host 'There is nothing to take back.'
        return
    }
    Get-NetFirewallRule -Name $RuleName -ErrorAction SilentlyContinue | Remove-NetFirewallRule
    Write-Step 'firewall rule removed'
    Start-Service WinRM
    if ((Get-Note 'Listener') -eq 'made') {
        $listener = Get-HttpsListener
        if ($listener -and (Test-OurThumbprint (Get-ListenerThumbprint $listener))) {
            Remove-HttpsListener $listener
            Write-Step 'HTTPS listener removed'
        }
    }
    foreach ($method in $Methods) {
        $before = Get-Note ('Auth' + $method)
        if ($null -ne $before -and "$((Get-Item "$AuthPath\$method").Value)" -ne $before) {
            Set-Item "$AuthPath\$method" -Value $before -Force
        }
    }
    Write-Step 'ways to log on are as before'
    Get-ChildItem Cert:\LocalMachine\My | Where-Object { $_.FriendlyName -eq $FriendlyName } | Remove-Item
    Write-Step 'certificate removed'
    $policy = Get-Note 'LocalAccountTokenFilterPolicy'
    if ($policy -eq '') {
        Remove-ItemProperty -Path $PolicyKey -Name LocalAccountTokenFilterPolicy -ErrorAction SilentlyContinue
    } elseif ($null -ne $policy) {
        Set-ItemProperty -Path $PolicyKey -Name LocalAccountTokenFilterPolicy -Value ([int] $policy)
    }
    $type = Get-Note 'ServiceStartType'
    if ($type) {
        Set-Service WinRM -StartupType $type
    }
    if ((Get-Note 'ServiceStatus') -eq 'Stopped') {
        Stop-Service WinRM
    }
    Write-Step 'WinRM service as before'
    Remove-Item $Key -Recurse -Force
    Write-Host 'Everything is as it was. The certificate file that was written can be deleted.'
}

# --- main --------------------------------------------------------------------------------------------------------

if (-not (Test-Administrator)) {
    Stop-Script 'This needs the rights of an administrator.' `
        'Start menu, type "powershell", choose "Run as administrator".'
}
if ([Environment]::Is64BitOperatingSystem -and -not [Environment]::Is64BitProcess) {
    Stop-Script 'This is a 32-bit PowerShell, which sees another registry than Windows itself.' `
        ('Run the 64-bit one; where a 32-bit program such as Intune''s agent starts it, that is ' +
        '%SystemRoot%\Sysnative\WindowsPowerShell\v1.0\powershell.exe, and for a script of Intune the setting "64-bit PowerShell host".')
}
if (Test-System) {
    [void] [IO.Directory]::CreateDirectory($Folder)
    Start-Transcript -Path (Join-Path $Folder 'Enable-WinRM.log') -Force | Out-Null
}
if ($Remove) {
    if ($PSCmdlet.ShouldProcess($env:COMPUTERNAME, 'close WinRM for Ansible')) {
        Remove-Everything
    }
    exit 0
}
$ControlNode = @($ControlNode -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ })
if (-not $ControlNode) {
    Stop-Script 'Nobody was named who may connect.' `
        ('Give the addresses of the control node: -ControlNode 192.168.1.10, or -ControlNode ' +
        '"192.168.1.10,10.0.0.0/24"; where Ansible runs inside WSL on this PC, -ControlNode "172.16.0.0/12,127.0.0.1"')
}
$file = "winrm-$(Get-AsciiName).pem"
if ($CertificateFile -and (Test-Path -LiteralPath $CertificateFile -PathType Container)) {
    $CertificateFile = Join-Path $CertificateFile $file
} elseif (-not $CertificateFile -and -not $CertificateIssuer) {
    $desktop = [Environment]::GetFolderPath('Desktop')
    if (Test-System) {
        $desktop = $Folder
    }
    $CertificateFile = Join-Path $desktop $file
}
if (-not $User -and (Test-System)) {
    Stop-Script 'This runs as the system, and nobody said which account Ansible is to use.' `
        'Name it with -User: a local account of all PCs, or DOMAIN\name.'
}
if (-not $User) {
    $User = $env:USERNAME
    if ($env:USERDOMAIN -and $env:USERDOMAIN -ne $env:COMPUTERNAME) {
        $User = "$env:USERDOMAIN\$env:USERNAME"
    }
}
Assert-Account $User
Assert-Policy
Assert-Certificate
Assert-Listener
Stop-OnFinding
if (-not $PSCmdlet.ShouldProcess($env:COMPUTERNAME, "open WinRM (HTTPS, port $Port) for $($ControlNode -join ', ')")) {
    exit 0
}
Write-Host "Ansible over WinRM on $($env:COMPUTERNAME):"
Enable-Service
if ($CertificateIssuer) {
    $certificate = Get-HouseCertificate
} else {
    $certificate = Get-OurCertificate
}
if (-not $certificate) {
    $certificate = New-OurCertificate
}
Enable-Listener $certificate
Set-Authentication
Set-FullToken
Set-Firewall
if ($CertificateFile) {
    Export-OurCertificate $certificate
}
Set-Note 'Ready' 'yes' # what Intune looks for
Show-Network
Write-Step 'ready'
Show-Inventory $certificate
