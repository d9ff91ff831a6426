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
It needs a password, not only a PIN.

.PARAMETER ControlNode
Addresses (or networks such as 192.168.1.0/24) that may connect. "Any" has to be said and is not the default. WSL's own
network is 172.16.0.0/12 in NAT mode; in mirrored mode the distribution has the address 127.0.0.1.

.PARAMETER User
The account in the inventory lines; the one that runs this script by default. It must be an administrator.

.PARAMETER Port
TCP port of the listener.

.PARAMETER CertificateFile
Where the certificate is written; winrm-NAME.pem on the desktop by default.

.PARAMETER Remove
Take everything back.
#>
[CmdletBinding(SupportsShouldProcess = $true)]
param(
    [string[]] $ControlNode = @(),
    [string] $User = $env:USERNAME,
    [int] $Port = 5986,
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
$Methods = 'Basic', 'Kerberos', 'Negotiate', 'Certificate', 'CredSSP'

function Write-Step([string] $Text) {
    Write-Host "  $Text"
}

function Stop-Script([string] $Cause, [string] $Remedy) {
    Write-Host ''
    Write-Host "Stopped: $Cause" -ForegroundColor Red
    Write-Host "What to do: $Remedy" -ForegroundColor Yellow
    exit 1
}

function Test-Administrator {
    $identity = [Security.Principal.WindowsIdentity]::GetCurrent()
    $principal = New-Object Security.Principal.WindowsPrincipal $identity
    return $principal.IsInRole([Security.Principal.WindowsBuiltInRole]::Administrator)
}

function Get-Note([string] $Name) {
    $item = Get-ItemProperty -Path $Key -Name $Name -ErrorAction SilentlyContinue
    if ($item) {
        return $item.$Name
    }
    return $null
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

# --- what would stop us ------------------------------------------------------------------------------------------

function Assert-Account([string] $Name) {
    $account = Get-LocalUser -Name $Name -ErrorAction SilentlyContinue
    if (-not $account) {
        if ($env:USERDOMAIN -ne $env:COMPUTERNAME) {
            Write-Step "$Name is no local account; a domain account logs on as DOMAIN\name."
            return
        }
        Stop-Script "There is no account '$Name' on this PC." 'Name one with -User; "Get-LocalUser" lists them.'
    }
    if (-not $account.Enabled) {
        Stop-Script "The account '$Name' is disabled." `
            "Enable it (Enable-LocalUser '$Name'), or name another one with -User."
    }
    if ("$($account.PrincipalSource)" -eq 'MicrosoftAccount') {
        Write-Warning "'$Name' is a Microsoft account. Ansible logs on as $Name with its password, not the PIN."
        Write-Warning 'That works after somebody has signed in to this PC once with the password: Settings, Accounts,'
        Write-Warning 'Sign-in options, switch off "only allow Windows Hello sign-in", sign out, sign in with it.'
        Write-Warning 'If the account has no password: set one at account.microsoft.com, or change to a local account'
        Write-Warning '(Settings, Accounts, Your info).'
    } elseif ($null -eq $account.PasswordLastSet) {
        Stop-Script "The account '$Name' has no password (or only a PIN), and Windows refuses that over the network." `
            "Set a password (Ctrl+Alt+Del, Change a password; or: net user $Name *) and run this again. The PIN stays."
    }
    $sid = New-Object Security.Principal.SecurityIdentifier 'S-1-5-32-544'
    $members = $null
    try {
        $members = Get-LocalGroupMember -SID $sid
    } catch {
        Write-Step 'the list of administrators can not be read; it may hold accounts that are gone'
    }
    if ($members -and -not ($members | Where-Object { "$($_.SID)" -eq "$($account.SID)" })) {
        Stop-Script "The account '$Name' is no administrator, so Ansible could not install anything." `
            "Add it (Add-LocalGroupMember -SID S-1-5-32-544 -Member '$Name'), or name another account with -User."
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
        if ($names -contains $env:COMPUTERNAME) {
            return $certificate
        }
    }
    return $null
}

function New-OurCertificate {
    $addresses = Get-NetIPAddress -AddressFamily IPv4 -ErrorAction SilentlyContinue |
        Where-Object { $_.IPAddress -notlike '169.254.*' } |
        ForEach-Object { $_.IPAddress }
    $text = @("DNS=$env:COMPUTERNAME", "DNS=$($env:COMPUTERNAME).local", 'DNS=localhost')
    foreach ($address in $addresses) {
        $text += "IPAddress=$address"
    }
    $names = '2.5.29.17={text}' + ($text -join '&')
    $arguments = @{
        Subject           = "CN=$env:COMPUTERNAME"
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
        $thumbprint = "$(Get-ListenerValue $listener 'CertificateThumbprint')" -replace ' ', ''
        $sameport = [int] (Get-ListenerValue $listener 'Port') -eq $Port
        if ($thumbprint -eq $Certificate.Thumbprint -and $sameport) {
            return
        }
        $ours = Get-ChildItem Cert:\LocalMachine\My |
            Where-Object { $_.Thumbprint -eq $thumbprint -and $_.FriendlyName -eq $FriendlyName }
        if ($thumbprint -and -not $ours) {
            Stop-Script 'This PC has an HTTPS listener for WinRM with a certificate of somebody else.' `
                'Use it as it is; or remove it with "winrm delete winrm/config/Listener?Address=*+Transport=HTTPS".'
        }
        Remove-HttpsListener $listener
    }
    New-Item -Path WSMan:\localhost\Listener -Transport HTTPS -Address '*' -Port $Port `
        -CertificateThumbPrint $Certificate.Thumbprint -Force | Out-Null
    Set-Note 'Listener' 'made'
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
        if ($current -ne $wanted) {
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

function Show-Inventory {
    $routes = Get-NetRoute -DestinationPrefix '0.0.0.0/0' -ErrorAction SilentlyContinue | Sort-Object RouteMetric
    $address = $env:COMPUTERNAME
    if ($routes) {
        $index = @($routes)[0].InterfaceIndex
        $found = Get-NetIPAddress -AddressFamily IPv4 -InterfaceIndex $index -ErrorAction SilentlyContinue
        if ($found) {
            $address = @($found)[0].IPAddress
        }
    }
    $file = Split-Path -Leaf $CertificateFile
    Write-Host ''
    Write-Host "Copy $CertificateFile into the folder of your inventory (inventory/mine),"
    Write-Host 'and these lines into its group_vars/workstation/settings.yml, instead of the ones of the same names:'
    Write-Host ''
    Write-Host "windows_address: $address"
    if ($Port -ne 5986) {
        Write-Host "windows_port: $Port"
    }
    Write-Host "windows_certificate: `"{{ inventory_dir }}/$file`""
    Write-Host "windows_user: $User"
    Write-Host ''
    Write-Host 'Where Ansible runs inside the distribution of this PC, nothing has to be copied, and'
    Write-Host '"control_node: distribution" replaces windows_address and windows_certificate.'
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
        if ($listener) {
            Remove-HttpsListener $listener
            Write-Step 'HTTPS listener removed'
        }
    }
    foreach ($method in $Methods) {
        $before = Get-Note ('Auth' + $method)
        if ($null -ne $before) {
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
if (-not $CertificateFile) {
    $desktop = [Environment]::GetFolderPath('Desktop')
    $CertificateFile = Join-Path $desktop "winrm-$env:COMPUTERNAME.pem"
}
Assert-Account $User
if (-not $PSCmdlet.ShouldProcess($env:COMPUTERNAME, "open WinRM (HTTPS, port $Port) for $($ControlNode -join ', ')")) {
    exit 0
}
Write-Host "Ansible over WinRM on $($env:COMPUTERNAME):"
Enable-Service
$certificate = Get-OurCertificate
if (-not $certificate) {
    $certificate = New-OurCertificate
}
Enable-Listener $certificate
Set-Authentication
Set-FullToken
Set-Firewall
Export-OurCertificate $certificate
Show-Network
Write-Step 'ready'
Show-Inventory
