<#
Runs Install.ps1 on a Windows whose programs are those of winsim (install_pc.py). What PowerShell lacks on Linux stands here;
what is not told beforehand is an error.
#>
param([string] $World)

$ErrorActionPreference = 'Stop'
$global:W = Get-Content -Raw -LiteralPath $World | ConvertFrom-Json -AsHashtable
foreach ($name in $W.environment.Keys) { Set-Item "env:$name" $W.environment[$name] }
foreach ($drive in $W.drives.Keys) { $null = New-PSDrive -Name $drive -PSProvider FileSystem -Root $W.drives[$drive] -Scope Global }

function Save-World { $W | ConvertTo-Json -Depth 9 | Set-Content -LiteralPath $World }
function global:Start-Process {
    param($FilePath, $ArgumentList, $Verb)
    $W.elevated += @(@{ FilePath = $FilePath; ArgumentList = $ArgumentList; Verb = $Verb })
    Save-World
    if ($W.refuses_elevation) { throw 'The operation was canceled by the user.' }
}
function global:Get-CimInstance {
    param($Namespace, $ClassName, $Property, $OperationTimeoutSec)
    if ($ClassName -eq 'Win32_ComputerSystem') { return [pscustomobject] @{ HypervisorPresent = $W.hypervisor } }
    if ($ClassName -eq 'Win32_Processor') { return [pscustomobject] @{ VirtualizationFirmwareEnabled = $W.firmware } }
    if ("$Namespace $ClassName" -eq 'root/wmi BatteryStatus') {
        if ($null -eq $W.plugged) { throw 'Not supported' } # a PC without a battery
        return $W.plugged | ForEach-Object { [pscustomobject] @{ PowerOnline = $_ } }
    }
    throw "stand-in: not known: $ClassName"
}
function global:Read-Host {
    param($Prompt, [switch] $AsSecureString)
    $W.asked += @($Prompt)
    if ($W.asked.Count -gt $W.answers.Count) { Save-World; throw "stand-in: a question that nobody answers: $Prompt" }
    $answer = $W.answers[$W.asked.Count - 1]
    Save-World
    if (-not $AsSecureString) { return $answer }
    $secret = New-Object Security.SecureString
    foreach ($letter in $answer.ToCharArray()) { $secret.AppendChar($letter) }
    return $secret
}

$given = $W.arguments
& $W.script @given
exit $LASTEXITCODE
