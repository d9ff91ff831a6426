<#
Runs a script for Windows on a Windows of a few hashtables: functions stand in for the cmdlets that this PowerShell does
not have. -World is a JSON file, read before and written after; a cmdlet or a path that nobody knows here is an error.
#>
param([string] $World, [string] $Script, [string] $Arguments)

$ErrorActionPreference = 'Stop'
$global:W = Get-Content -Raw -LiteralPath $World | ConvertFrom-Json -AsHashtable
$env:COMPUTERNAME, $env:USERDOMAIN, $env:USERNAME = $W.computer, $W.domain, $W.user
$env:SystemRoot = 'C:\Windows'
$env:ProgramData = "$($W.drive)/ProgramData"
$null = New-PSDrive -Name C -PSProvider FileSystem -Root $W.drive -Scope Global

function Stop-Unknown([string] $What) { throw "stand-in: not known: $What" }
function New-View([hashtable] $Values) { [pscustomobject] $Values }

# --- the registry, WSMan: and Cert: ---
function global:Get-ItemProperty {
    param($Path, $Name, $ErrorAction)
    if (-not $Path.StartsWith('HKLM:')) { Stop-Unknown $Path }
    if ($W.registry.Contains($Path) -and $W.registry[$Path].Contains($Name)) { New-View @{ $Name = $W.registry[$Path][$Name] } }
}
function global:New-ItemProperty {
    param($Path, $Name, $Value, $PropertyType, [switch] $Force)
    if (-not $W.registry.Contains($Path)) { throw "no key $Path" }
    $W.registry[$Path][$Name] = $Value
}
function global:Set-ItemProperty { param($Path, $Name, $Value) $W.registry[$Path][$Name] = $Value }
function global:Remove-ItemProperty { param($Path, $Name, $ErrorAction) $W.registry[$Path].Remove($Name) }
function global:Test-Path {
    param($Path, $LiteralPath, $PathType = 'Any')
    if ($LiteralPath) { return Microsoft.PowerShell.Management\Test-Path -LiteralPath $LiteralPath -PathType $PathType }
    if (-not $Path.StartsWith('HKLM:')) { Stop-Unknown $Path }
    return $W.registry.Contains($Path)
}
function global:New-Item {
    param($Path, $Transport, $Address, $Port, $CertificateThumbPrint, [switch] $Force)
    if ($Path.StartsWith('HKLM:')) { $W.registry[$Path] = @{}; return }
    if ($Path -ne 'WSMan:\localhost\Listener') { Stop-Unknown $Path }
    $W.listeners += @(@{ name = "Listener_$Port"; transport = $Transport; port = "$Port"; thumbprint = $CertificateThumbPrint })
}
function global:Remove-Item {
    param($Path, [switch] $Recurse, [switch] $Force, [Parameter(ValueFromPipeline = $true)] $InputObject)
    process {
        if ($InputObject) { $W.certificates = @($W.certificates | Where-Object { $_.Thumbprint -ne $InputObject.Thumbprint }) }
        elseif ($Path.StartsWith('HKLM:')) { $W.registry.Remove($Path) }
        elseif ($Path.StartsWith('WSMan:\localhost\Listener\')) { $W.listeners = @($W.listeners | Where-Object { $_.name -ne ($Path -split '\\')[-1] }) }
        else { Stop-Unknown $Path }
    }
}
function global:Join-Path {
    param($Path, $ChildPath)
    if ($Path -like 'WSMan:*') { return "$Path\$ChildPath" }
    return Microsoft.PowerShell.Management\Join-Path $Path $ChildPath
}
function global:Get-ChildItem {
    param($Path)
    if ($W.service.Status -ne 'Running' -and $Path -like 'WSMan:*') { throw 'the WinRM service does not run; WSMan: asks whether to start it' }
    if ($Path -eq 'WSMan:\localhost\Listener') {
        $W.listeners | ForEach-Object { New-View @{ Name = $_.name; Keys = @("Transport=$($_.transport)", 'Address=*') } }
    } elseif ($Path -like 'WSMan:\localhost\Listener\*') {
        $item = $W.listeners | Where-Object { $_.name -eq ($Path -split '\\')[-1] }
        New-View @{ Name = 'Port'; Value = $item.port }
        New-View @{ Name = 'CertificateThumbprint'; Value = $item.thumbprint }
    } elseif ($Path -eq 'Cert:\LocalMachine\My') {
        $W.certificates | ForEach-Object {
            $names = @($_.DnsNames | ForEach-Object { New-View @{ Unicode = (New-Object Globalization.IdnMapping).GetUnicode($_) } })
            $view = @{ Thumbprint = $_.Thumbprint; FriendlyName = $_.FriendlyName; HasPrivateKey = $true; Issuer = "$($_['Issuer'] ?? $_['Subject'])" }
            $view += @{ NotBefore = (Get-Date).AddDays(-1); NotAfter = (Get-Date).AddDays($_['Days'] ?? 1460) }
            $view += @{ EnhancedKeyUsageList = @(New-View @{ ObjectId = "$($_['Usage'] ?? '1.3.6.1.5.5.7.3.1')" }) }
            New-View ($view + @{ DnsNameList = $names; RawData = [Text.Encoding]::ASCII.GetBytes($_.Thumbprint) })
        }
    } else { Stop-Unknown $Path }
}
function global:Get-Item {
    param($Path)
    if ($Path -notlike 'WSMan:\localhost\Service\Auth\*') { Stop-Unknown $Path }
    New-View @{ Value = $W.auth[($Path -split '\\')[-1]] }
}
function global:Set-Item {
    param($Path, $Value, [switch] $Force)
    $method = ($Path -split '\\')[-1]
    $policy = 'HKLM:\SOFTWARE\Policies\Microsoft\Windows\WinRM\Service'
    if ($W.registry.Contains($policy) -and $W.registry[$policy].Contains("Allow$method")) { throw 'the setting is controlled by policy' }
    $W.auth[$method] = $Value
}

# --- services, accounts, network ---
function global:Get-Service { param($Name) New-View $W.service }
function global:Set-Service { param($Name, $StartupType) $W.service.StartType = $StartupType }
function global:Start-Service { param($Name) $W.service.Status = 'Running' }
function global:Stop-Service { param($Name) $W.service.Status = 'Stopped' }
function global:Get-LocalUser { param($Name, $ErrorAction) $W.accounts | Where-Object { $_.Name -eq $Name } | ForEach-Object { New-View $_ } }
function global:Get-LocalGroupMember { param($SID) $W.administrators | ForEach-Object { New-View @{ SID = $_ } } }
function global:Get-NetAdapter { param([switch] $Physical, $ErrorAction) $W.adapters | Where-Object { $_.Physical } | ForEach-Object { New-View $_ } }
function global:Get-NetRoute {
    param($DestinationPrefix, $ErrorAction)
    $W.adapters | Where-Object { $null -ne $_.RouteMetric } | ForEach-Object { New-View $_ }
}
function global:Get-NetIPAddress {
    param($AddressFamily, $InterfaceIndex, $ErrorAction)
    $W.adapters | Where-Object { $null -eq $InterfaceIndex -or $_.InterfaceIndex -eq $InterfaceIndex } |
        ForEach-Object { $_.Addresses } | ForEach-Object { New-View @{ IPAddress = $_ } }
}
function global:Get-NetConnectionProfile { $W.networks | ForEach-Object { New-View $_ } }
function global:Get-NetFirewallRule {
    param($Name, $ErrorAction)
    $W.rules | Where-Object { $_.Name -eq $Name } | ForEach-Object { New-View $_ }
}
function global:New-NetFirewallRule {
    param($Name, $DisplayName, $Direction, $Action, $Protocol, $LocalPort, $RemoteAddress, $Profile, $Description)
    $W.rules += @(@{ Name = $Name; Description = $Description; Enabled = 'True'; LocalPort = $LocalPort; RemoteAddress = $RemoteAddress })
}
function global:Remove-NetFirewallRule {
    param([Parameter(ValueFromPipeline = $true)] $Rule)
    process { $W.rules = @($W.rules | Where-Object { $_.Name -ne $Rule.Name }) }
}
function global:New-SelfSignedCertificate {
    param($Subject, $FriendlyName, $CertStoreLocation, $KeyAlgorithm, $KeyLength, $HashAlgorithm, $NotAfter, $TextExtension)
    $names = $TextExtension[0]
    if ("$Subject$names" -match '[^\x20-\x7e]') { throw 'a name of a certificate that is not ASCII (IA5String)' }
    $dns = @([regex]::Matches($names, 'DNS=([^&]+)') | ForEach-Object { $_.Groups[1].Value })
    $made = @{ Thumbprint = "AA$($W.certificates.Count)"; FriendlyName = $FriendlyName; Subject = $Subject; Names = $names; DnsNames = $dns }
    $W.certificates += @($made)
    New-View @{ Thumbprint = $made.Thumbprint; RawData = [Text.Encoding]::ASCII.GetBytes($made.Thumbprint) }
}

$given = $Arguments | ConvertFrom-Json -AsHashtable
& $Script @given
$code = $LASTEXITCODE
$W | ConvertTo-Json -Depth 9 | Set-Content -LiteralPath $World
exit $code
