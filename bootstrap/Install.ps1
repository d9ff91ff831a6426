<#
.SYNOPSIS
Makes this PC a deep-learning workstation: WSL, a distribution, CUDA, Docker and GPU containers; or takes all of it back with -Remove.

.DESCRIPTION
Double-click Install.cmd in the unpacked ZIP, or paste one line into PowerShell:

    powershell -ExecutionPolicy Bypass -File Install.ps1

It asks for the rights of an administrator, puts at most six questions, looks at everything that could stop it before it changes
anything, restarts Windows once and goes on by itself when you sign in again. Inside the distribution Ansible does the rest, in the
same window. Every step looks at what is done already: stop it anywhere, start it again, and it goes on.

No password of Windows is asked for, no remote management is switched on, and nothing but this PC is needed.

.PARAMETER Yes
Ask nothing: the answers are those given here, and the defaults.

.PARAMETER ProxyPort
Port of the HTTP proxy of your proxy program on this PC. 0: there is none. By default the first known port on which something listens.

.PARAMETER Drive
Letter of the drive for the distribution. By default C, or the one with the most room where C has too little.

.PARAMETER LinuxUser
Name of the Linux user; "dev" by default, in an existing distribution its default user.

.PARAMETER Compilers
yes or no: Visual Studio and CUDA on Windows, too (24 GB on C:). Containers and Linux do not need them.

.PARAMETER ComputerName
A new name for this PC; "keep", the default, leaves it as it is.

.PARAMETER PackageIndex
Address of an index of Python packages. By default pip's own.

.PARAMETER Distribution
Name of the distribution. By default an Ubuntu that is there already, else Ubuntu-24.04.

.PARAMETER NoRestart
Do not restart Windows; the set-up goes on at the sign-in after you have.

.PARAMETER Backup
Copy the disk of the distribution to this file, for example D:\ubuntu.vhdx.

.PARAMETER Restore
Give the distribution the disk in this file again. The present one goes when that one has started.

.PARAMETER Move
Move the disk of the distribution to another drive (D) or folder (D:\linux).

.PARAMETER Shrink
Give room back to Windows that files once took which are no longer in the distribution.

.PARAMETER Remove
Take everything back that the set-up has brought, the distribution with its files included.

.PARAMETER Report
Write a report for a bug report, without personal details, and nothing else.
#>
[CmdletBinding()]
param(
    [switch] $Yes,
    [int] $ProxyPort = -1,
    [string] $Drive = '',
    [string] $LinuxUser = '',
    [ValidateSet('', 'yes', 'no')] [string] $Compilers = '',
    [string] $ComputerName = '',
    [string] $PackageIndex = '',
    [string] $Distribution = '',
    [string] $Backup = '',
    [string] $Restore = '',
    [string] $Move = '',
    [switch] $Shrink,
    [switch] $NoRestart,
    [switch] $Remove,
    [switch] $Report,
    [switch] $Continue, # for the task that goes on after the restart
    [string] $StartedBy = '', # who asked for the rights of an administrator
    [switch] $OwnWindow # the window closes with this script
)

Set-StrictMode -Version 2.0
$ErrorActionPreference = 'Stop'

$System = "$env:SystemRoot\System32"
$Wsl = "$env:ProgramFiles\WSL\wsl.exe" # the one in System32 is a stub that may know no WSL
$Root = Split-Path -Parent $PSScriptRoot
$Folder = "$env:ProgramData\wsl-dl-playbook"
$Log = "$Folder\install.log"
$Base = 'HKLM\SOFTWARE\wsl-dl-playbook'
$Key = "$Base\install"
$OwnMachine = "$Base\wsl_enable" # where the roles wsl_enable and wsl_distribution note what they brought, so that they take this for their own
$OwnUser = 'HKCU\Software\wsl-dl-playbook\wsl_enable'
$Task = 'wsl-dl-playbook install'
$Inside = '/opt/wsl-dl-playbook/code/bootstrap/install.sh'
$CurrentVersion = 'HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion'
$Lxss = 'Software\Microsoft\Windows\CurrentVersion\Lxss'
$Names = 'HKLM\SYSTEM\CurrentControlSet\Control\ComputerName'
$KnownPorts = 7890, 7897, 10809, 10808, 20171, 1080, 8080 # Clash, Clash Verge, v2rayN (HTTP, mixed), v2rayA, others
$Findings = New-Object Collections.ArrayList
$AnswerNames = 'distribution', 'proxy', 'drive', 'user', 'compilers', 'name', 'index', 'password'
$Answers = @{}
$Stored = @{} # answers of an earlier start
$Administrator = $false
$Code = 0 # of the last program that wrote to this window

# --- words -------------------------------------------------------------------------------------------------------

function Text([string] $English, [string] $Chinese) {
    if ($script:Chinese) { return $Chinese }
    return $English
}

function Write-Log([string] $Text) {
    if (-not $Administrator) { return } # the folder is to belong to the administrators
    if (-not (Test-Path -LiteralPath $Folder)) { New-Item -ItemType Directory -Path $Folder -Force | Out-Null }
    Add-Content -LiteralPath $Log -Value "$(Get-Date -Format s) $Text" -Encoding UTF8
}

function Say([string] $Text, [string] $Color = 'Gray') {
    Write-Host $Text -ForegroundColor $Color
    Write-Log $Text
}

function Add-Finding([string] $Cause, [string] $Remedy) {
    [void] $Findings.Add(@{ Cause = $Cause; Remedy = $Remedy })
}

# All at once, so that nobody has to come back for the next one.
function Stop-OnFinding {
    if ($Findings.Count -eq 0) { return }
    foreach ($finding in $Findings) {
        Say ''
        Say "$(Text 'Stopped:' '已停止：') $($finding.Cause)" Red
        Say "$(Text 'What to do:' '处理办法：') $($finding.Remedy)" Yellow
    }
    Say ''
    Say (Text "The log is $Log. For a bug report: Install.cmd -Report" "日志：$Log。报告问题：Install.cmd -Report")
    Close-Script 1
}

function Stop-Script([string] $Cause, [string] $Remedy) {
    Add-Finding $Cause $Remedy
    Stop-OnFinding
}

function Close-Script([int] $ExitCode, [switch] $Quiet) {
    if ($OwnWindow -and -not $Yes -and -not $Quiet) { [void] (Read-Host (Text 'Press Enter to close this window' '按回车键关闭窗口')) }
    [Console]::OutputEncoding = $Encoding
    exit $ExitCode
}

# --- programs and the registry -----------------------------------------------------------------------------------

function Invoke-Program([string] $Path, [string[]] $Arguments) {
    $ErrorActionPreference = 'Continue' # what a program says on stderr does not end this script
    $lines = @(& $Path @Arguments 2>$null)
    $said = "$Arguments" -replace '(?<=/v password .*/d )\S+', '***'
    Write-Log "$(Split-Path -Leaf $Path) $said -> $LASTEXITCODE"
    return @{ Code = $LASTEXITCODE; Lines = $lines }
}

# A program that writes to this window while it runs. Nothing may capture what calls this. Its exit code is in $Code.
function Show-Program([string] $Path, [string[]] $Arguments) {
    & $Path @Arguments
    $script:Code = $LASTEXITCODE
    Write-Log "$(Split-Path -Leaf $Path) $Arguments -> $Code"
}

function Read-Values([string[]] $Lines) {
    foreach ($line in $Lines) {
        if ($line -match '^ {4}(?<name>.+?) {4}REG_(?<kind>\w+) {4}(?<data>.*)$') {
            $data = $Matches['data']
            if ($Matches['kind'] -eq 'DWORD') { $data = [Convert]::ToInt64($data, 16) }
            @{ Name = $Matches['name']; Data = $data }
        }
    }
}

function Get-Value([string] $Path, [string] $Name) {
    $found = Invoke-Program "$System\reg.exe" @('query', $Path, '/v', $Name)
    $value = @(Read-Values $found.Lines)
    if ($value.Count -eq 0) { return $null }
    return $value[0].Data
}

function Set-Value([string] $Path, [string] $Name, [string] $Data) {
    $done = Invoke-Program "$System\reg.exe" @('add', $Path, '/v', $Name, '/t', 'REG_SZ', '/d', $Data, '/f')
    if ($done.Code -ne 0) { throw "reg add $Path /v $Name ended with $($done.Code)" }
}

function Remove-Value([string[]] $Words) {
    [void] (Invoke-Program "$System\reg.exe" (@('delete') + $Words + '/f'))
}

function Test-Key([string] $Path) {
    return (Invoke-Program "$System\reg.exe" @('query', $Path)).Code -eq 0
}

# What a role of this repository has decided, read where it stands.
function Get-RoleValue([string] $File, [string] $Name) {
    $found = Select-String -LiteralPath "$Root\roles\$File" -Pattern "^${Name}: (?<value>.+)$" -Encoding UTF8
    if (-not $found) { throw "roles\$File has no $Name" }
    return $found.Matches[0].Groups['value'].Value
}

function Get-Pins {
    return Get-Content -LiteralPath "$Root\pins.json" -Raw -Encoding UTF8 | ConvertFrom-Json
}

# --- what is there -----------------------------------------------------------------------------------------------

function Test-Administrator {
    # S-1-16-12288: the high integrity level that "Run as administrator" gives
    return [bool] ((Invoke-Program "$System\whoami.exe" @('/groups', '/fo', 'csv', '/nh')).Lines -match 'S-1-16-(12288|16384)')
}

function Get-Sid {
    $found = "$((Invoke-Program "$System\whoami.exe" @('/user', '/fo', 'csv', '/nh')).Lines)" -match 'S-1-[0-9-]+'
    if (-not $found) { throw 'whoami /user names no SID' }
    return $Matches[0]
}

function Get-Build { return [int] (Get-Value $CurrentVersion 'CurrentBuildNumber') }

function Test-Package {
    $version = Get-Value "HKLM\$Lxss\MSI" 'Version'
    return [bool] $version -and [version] $version -ge [version] (Get-RoleValue 'wsl_enable\vars\main.yml' '__wsl_enable_minimum_version')
}

# The registry of the person is the truth; the words of wsl.exe are in the language of Windows.
function Get-Distributions {
    $found = Invoke-Program "$System\reg.exe" @('query', "HKCU\$Lxss", '/s')
    $default, $one = '', $null
    $all = foreach ($line in @($found.Lines) + 'HKEY_END') {
        if ($line -like 'HKEY_*') {
            if ($one -and $one.ContainsKey('DistributionName')) { $one }
            $one = @{ Id = ($line -split '\\')[-1]; Version = 2; State = 0 }
        }
        foreach ($value in @(Read-Values $line)) {
            if ($value.Name -eq 'DefaultDistribution') { $default = $value.Data }
            $one[$value.Name] = $value.Data
        }
    }
    return @($all | Sort-Object @{ Expression = { $_.Id -ne $default } })
}

function Get-Distribution { return Get-Distributions | Where-Object { $_.DistributionName -eq $Answers['distribution'] } | Select-Object -First 1 }

function Test-Distribution {
    $found = Get-Distribution
    return [bool] ($found -and $found.State -eq 1)
}

function Test-OwnDistribution { return (Get-Value $OwnUser 'distribution') -eq $Answers['distribution'] }

function Get-FeatureState([string] $Name) {
    $lines = (Invoke-Program "$System\dism.exe" @('/online', '/english', '/get-featureinfo', "/featurename:$Name")).Lines
    foreach ($line in $lines) { if ($line -match '^State : (?<state>.+?)\s*$') { return $Matches['state'] } }
    return 'Unknown'
}

function Get-Features {
    if ((Get-Build) -ge 22000) { return 'VirtualMachinePlatform' }
    return 'VirtualMachinePlatform', 'Microsoft-Windows-Subsystem-Linux'
}

# Free bytes of each drive.
function Get-AllRoom {
    $room = @{}
    $drives = "$((Invoke-Program "$System\fsutil.exe" @('fsinfo', 'drives')).Lines)"
    foreach ($found in [regex]::Matches($drives, '([A-Z]):\\')) {
        $letter = $found.Groups[1].Value
        $said = "$((Invoke-Program "$System\fsutil.exe" @('volume', 'diskfree', "${letter}:")).Lines)" # the free bytes come first
        if ($said -match '(?<bytes>[0-9][0-9,.\s]{3,})') { $room[$letter] = [long] ($Matches['bytes'] -replace '[^0-9]', '') }
    }
    return $room
}

# The same of NTFS drives only; WSL does not work on others.
function Get-Room {
    $room = Get-AllRoom
    foreach ($letter in @($room.Keys)) {
        if ((Invoke-Program "$System\fsutil.exe" @('fsinfo', 'ntfsinfo', "${letter}:")).Code -ne 0) { $room.Remove($letter) }
    }
    return $room
}

# Port -> the addresses on which something listens; who listens has no peer, in every language.
function Get-Listeners {
    $ports = @{}
    foreach ($line in (Invoke-Program "$System\netstat.exe" @('-a', '-n', '-o')).Lines) {
        if ($line -match '^\s*TCP\s+(?<address>\S+):(?<port>\d+)\s+(0\.0\.0\.0|\[::\]):0\s') {
            $ports[[int] $Matches['port']] = @($ports[[int] $Matches['port']]) + $Matches['address']
        }
    }
    return $ports
}

# The networking mode of WSL that the person has set: the first line counts.
function Get-NetworkingMode {
    $file = "$env:USERPROFILE\.wslconfig"
    if (Test-Path -LiteralPath $file) {
        foreach ($line in Get-Content -LiteralPath $file) {
            if ($line -match '^\s*networkingMode\s*=\s*(?<mode>\w+)') { return $Matches['mode'].ToLowerInvariant() }
        }
    }
    return 'nat'
}

# --- questions ---------------------------------------------------------------------------------------------------

function Read-Answer([string] $Name, [string] $Question, [string] $Default, [string] $Pattern) {
    if ($Answers[$Name]) { return }
    $answer = $Default
    while (-not $Yes) {
        $answer = "$(Read-Host "$Question [$Default]")".Trim()
        if ($answer -eq '') { $answer = $Default }
        if ($answer -cmatch $Pattern) { break }
        Write-Host (Text "That does not fit ($Pattern)." "格式不符（$Pattern）。") -ForegroundColor Yellow
    }
    $Answers[$Name] = $answer
}

# Parameters, then what was answered before the restart, then the question.
function Read-Answers {
    foreach ($name in $AnswerNames) { $Answers[$name] = '' }
    foreach ($value in @(Read-Values (Invoke-Program "$System\reg.exe" @('query', $Key)).Lines)) { $Stored[$value.Name] = $Answers[$value.Name] = $value.Data }
    if ($ProxyPort -ge 0) { $Answers['proxy'] = "$ProxyPort" }
    if ($Drive) { $Answers['drive'] = $Drive.Substring(0, 1).ToUpperInvariant() }
    if ($LinuxUser) { $Answers['user'] = $LinuxUser }
    if ($Compilers) { $Answers['compilers'] = $Compilers }
    if ($ComputerName) { $Answers['name'] = $ComputerName }
    if ($PackageIndex) { $Answers['index'] = $PackageIndex }
    if ($Distribution) { $Answers['distribution'] = $Distribution }
    if ($Yes -and -not $Answers['password']) { $Answers['password'] = '-' }
    $asked = -not $Yes -and -not $Answers['password']
    if ($asked) { Say (Text 'Six questions; Enter takes what stands in brackets.' '共六个问题，直接回车即用方括号中的值。') White }

    if (-not $Answers['distribution']) { $Answers['distribution'] = Get-DefaultDistribution }
    $listening = @($KnownPorts | Where-Object { $Listeners.ContainsKey($_) })
    $port = if ($listening) { $listening[0] } else { 0 }
    Read-Answer 'proxy' (Text '1. Port of your HTTP proxy on this PC, 0 for none' '1. 本机 HTTP 代理的端口，没有则填 0') $port '^\d{1,5}$'
    $best = $Room.Keys | Sort-Object { - $Room[$_] } | Select-Object -First 1
    $letter = if ($Room['C'] -ge $Needed['distribution'] -or -not $best) { 'C' } else { $best }
    Read-Answer 'drive' (Text '2. Drive for the distribution' '2. 发行版放在哪个盘') $letter '^[A-Z]$'
    Read-Answer 'user' (Text '3. Your Linux user name' '3. Linux 用户名') (Get-DefaultUser) '^[a-z_][a-z0-9_-]{0,31}$'
    $left = $Room['C'] - $(if ($Answers['drive'] -eq 'C' -and -not (Test-Distribution)) { $Needed['distribution'] } else { 0 })
    $enough = if ($left -ge $Needed['compilers']) { 'yes' } else { 'no' }
    Read-Answer 'compilers' (Text '4. Visual Studio and CUDA on Windows too, 24 GB on C: (containers need neither): yes or no' `
            '4. 是否也在 Windows 上安装 Visual Studio 和 CUDA，占 C 盘 24 GB（容器不需要）：yes 或 no') $enough '^(yes|no)$'
    Read-Answer 'name' (Text '5. Name of this PC, keep to leave it as it is' '5. 这台电脑的名称，keep 表示不改') 'keep' (Get-NamePattern)
    if (-not $Answers['index']) { $Answers['index'] = '-' } # pip's own
    if ($asked) {
        $secret = Read-Host (Text '6. Password of the Linux user, for sudo (empty: none yet)' '6. Linux 用户的密码，供 sudo 使用（留空则暂不设置）') -AsSecureString
        $Answers['password'] = if ($secret.Length) { ConvertFrom-SecureString $secret } else { '-' } # only this person can read it
    }
}

function Get-DefaultDistribution {
    $old = Get-Distributions | Where-Object { $_.DistributionName -match '^Ubuntu(-2[246]\.04)?$' -and $_.Version -eq 2 } | Select-Object -First 1
    if ($old) { return $old.DistributionName }
    return 'Ubuntu-24.04'
}

function Get-DefaultUser {
    if (-not (Test-Distribution)) { return 'dev' }
    $name = "$((Invoke-Program $Wsl @('-d', $Answers['distribution'], '--exec', 'id', '-un')).Lines)".Trim()
    if ($name -match '^[a-z_][a-z0-9_-]*$' -and $name -ne 'root') { return $name }
    return 'dev'
}

function Get-NamePattern { return Get-RoleValue 'windows_base\vars\main.yml' '__windows_base_hostname_pattern' } # "keep" fits it

function Save-Answers {
    foreach ($name in $AnswerNames) { if ($Stored[$name] -ne $Answers[$name]) { Set-Value $Key $name $Answers[$name] } }
}

# --- what would stop us ------------------------------------------------------------------------------------------

function Assert-Folder {
    if ((Test-Path -LiteralPath "$Root\pins.json") -and (Test-Path -LiteralPath "$Root\roles") -and (Test-Path -LiteralPath "$PSScriptRoot\Disk.ps1")) { return }
    Stop-Script (Text 'The other files of the ZIP are not beside this script.' '脚本旁边没有压缩包里的其他文件。') `
        (Text 'Unpack the whole ZIP (right-click, "Extract all"), and start Install.cmd in the folder that comes of it.' `
            '请完整解压压缩包（右键“全部解压缩”），再运行解压后文件夹里的 Install.cmd。')
}

function Assert-Windows {
    $build, $revision = (Get-Build), [int] (Get-Value $CurrentVersion 'UBR')
    $oldest = [int] ((Get-RoleValue 'windows_base\vars\main.yml' '__windows_base_minimum') -split '\.')[-1]
    $update = Text 'Run Windows Update until it offers nothing more, and start this again.' '请运行 Windows 更新直到没有可用更新，然后重新运行。'
    if ($build -lt $oldest) {
        Add-Finding (Text "Windows is too old: build $build, and WSL 2 with a GPU needs $oldest." "Windows 版本过旧：内部版本 $build，带 GPU 的 WSL 2 需要 $oldest。") $update
        return
    }
    $revisions = Get-RoleValue 'wsl_enable\vars\main.yml' '__wsl_enable_first_revisions' | ConvertFrom-Json
    $first = $revisions.PSObject.Properties | Where-Object { $_.Name -eq "$build" } | Select-Object -First 1
    if (-not (Test-Package) -and $build -lt 26100 -and (-not $first -or $revision -lt $first.Value)) {
        $wanted = if ($first) { "$build.$($first.Value)" } else { '26100' }
        Add-Finding (Text "Windows $build.$revision cannot install today's WSL, which needs $wanted." "Windows $build.$revision 无法安装当前的 WSL，需要 $wanted。") $update
    }
}

function Assert-Hardware {
    if ($env:PROCESSOR_ARCHITECTURE -ne 'AMD64') {
        Add-Finding (Text "The processor is $env:PROCESSOR_ARCHITECTURE; NVIDIA's driver for WSL exists for x64 only." `
                "处理器是 $env:PROCESSOR_ARCHITECTURE，NVIDIA 的 WSL 驱动只支持 x64。") (Text 'Use a PC with an Intel or AMD processor.' '请使用 Intel 或 AMD 处理器的电脑。')
    }
    $virtual = $null
    try { $virtual = & "$Root\roles\wsl_enable\files\virtualization.ps1" | ConvertFrom-Json } catch { Write-Log "virtualization: $_" } # no answer is no refusal
    if ($virtual -and $virtual.hypervisor_missing -and $virtual.firmware_off) {
        Add-Finding (Text 'Virtualization is switched off in the firmware of the PC.' '电脑固件中没有打开虚拟化。') `
            (Text 'Switch on Intel VT-x, AMD-V or SVM in the firmware (BIOS), and start this again.' '请在固件（BIOS）中打开 Intel VT-x、AMD-V 或 SVM，再重新运行。')
    }
    $smi = "$System\nvidia-smi.exe"
    if (-not (Test-Path -LiteralPath $smi) -or (Invoke-Program $smi @('-L')).Code -ne 0) {
        Add-Finding (Text 'No NVIDIA driver answers (nvidia-smi).' 'NVIDIA 驱动没有响应（nvidia-smi）。') `
            (Text 'Install the newest driver for your GPU from nvidia.com, on Windows only, and start this again.' `
                '请从 nvidia.com 安装最新的显卡驱动（只装在 Windows 上），再重新运行。')
    }
}

function Assert-Name {
    if ($Answers['name'] -cmatch (Get-NamePattern)) { return }
    Add-Finding (Text "$($Answers['name']) is no name for a PC." "$($Answers['name']) 不能作为电脑的名称。") `
        (Text '1 to 15 letters, digits and hyphens, not only digits, no hyphen at either end: -ComputerName NAME.' `
            '1 到 15 个字母、数字和连字符，不能只有数字，连字符不能在首尾：-ComputerName 名称。')
}

# A restart or a sleep in the middle costs hours. A PC without a battery does not know this class; where nothing is known nothing is said.
function Assert-Power {
    if ($Stored['done']) { return }
    $batteries = @()
    try { $batteries = @(Get-CimInstance -Namespace 'root/wmi' -ClassName BatteryStatus -Property PowerOnline -OperationTimeoutSec 20) } catch { Write-Log "battery: $_" }
    if ($batteries.Count -eq 0 -or @($batteries | Where-Object { $_.PowerOnline -ne $false }).Count) { return }
    Add-Finding (Text 'The PC runs on its battery, which may be empty before this is done.' '电脑正在使用电池，电量可能不够用到安装完成。') `
        (Text 'Plug it in, and start this again.' '请接通电源，然后重新运行。')
}

function Assert-Account {
    if ((Get-Sid) -eq 'S-1-5-18') {
        Add-Finding (Text 'This runs as SYSTEM, which WSL does not serve.' '当前以 SYSTEM 运行，WSL 不支持。') (Text 'Start it as the person who will work in WSL.' '请用将来使用 WSL 的账户运行。')
    }
    if ($StartedBy -and $StartedBy -ne (Get-Sid)) {
        Add-Finding (Text 'Another account''s password was given to become administrator; the distribution would belong to that account.' `
                '提升权限时用了另一个账户，发行版会属于那个账户。') `
            (Text 'Make your own account an administrator (Settings, Accounts, Other users), sign out and in, and start this again.' `
                '请把自己的账户设为管理员（设置，账户，其他用户），注销后重新登录再运行。')
    }
}

function Assert-Room {
    $parts = @{ 'C' = $(if ((Test-Package) -and (Test-Distribution)) { 0 } else { 2e9 }) } # the files that are fetched
    if (-not (Test-Distribution)) { $parts[$Answers['drive']] = [long] $parts[$Answers['drive']] + $Needed['distribution'] }
    if ($Answers['compilers'] -eq 'yes' -and -not $Stored['done']) { $parts['C'] += $Needed['compilers'] }
    foreach ($letter in $parts.Keys) {
        if (-not $Room.ContainsKey($letter)) {
            Add-Finding (Text "There is no NTFS drive ${letter}:." "没有 NTFS 盘 ${letter}:。") (Text "Choose one of $($Room.Keys -join ', ') with -Drive." "请用 -Drive 从 $($Room.Keys -join '、') 中选择。")
        } elseif ($Room[$letter] -lt $parts[$letter]) {
            $have, $want = [math]::Floor($Room[$letter] / 1e9), [math]::Ceiling($parts[$letter] / 1e9)
            Add-Finding (Text "Drive ${letter}: has $have GB left, and $want GB are needed." "${letter}: 盘剩余 $have GB，需要 $want GB。") `
                (Text 'Free space there; or put the distribution on another drive (-Drive D), or leave Visual Studio and CUDA on Windows out (-Compilers no).' `
                    '请清理空间；或把发行版放到别的盘（-Drive D），或不在 Windows 上装 Visual Studio 和 CUDA（-Compilers no）。')
        }
    }
}

function Assert-Proxy {
    $port = [int] $Answers['proxy']
    $start = Text 'Start the proxy program, or name its HTTP port with -ProxyPort (0: there is none).' '请启动代理软件，或用 -ProxyPort 指定它的 HTTP 端口（0 表示没有）。'
    if ($port -and -not $Listeners.ContainsKey($port)) {
        Add-Finding (Text "Nothing listens on port $port of this PC." "本机端口 $port 没有程序在监听。") $start
        return
    }
    if ($port -and (Get-NetworkingMode) -eq 'nat' -and -not ($Listeners[$port] | Where-Object { $_ -and $_ -notmatch '^(127\.|\[::1\])' })) {
        Add-Finding (Text "The proxy on port $port listens on 127.0.0.1 only, where WSL cannot reach it." "端口 $port 的代理只监听 127.0.0.1，WSL 无法访问。") `
            (Text 'Switch on "Allow LAN" in the proxy program.' '请在代理软件中打开“允许局域网连接”（Allow LAN）。')
    }
    if ((Test-Package) -and (Test-Distribution)) { return }
    $words = @('--silent', '--fail', '--head', '--connect-timeout', '30', '--ssl-revoke-best-effort') + (Get-ProxyWords)
    $answer = Invoke-Program "$System\curl.exe" ($words + (Get-Pins).wsl.url)
    if ($answer.Code -ne 0) {
        $way = if ($port) { Text "through the proxy on port $port" "通过端口 $port 的代理" } else { Text 'without a proxy' '不用代理' }
        Add-Finding (Text "$((Get-Pins).wsl.url) cannot be reached $way (curl ended with $($answer.Code))." "$way 无法访问 $((Get-Pins).wsl.url)（curl 返回 $($answer.Code)）。") `
            (Text "$start Then see that the address opens in the browser." "$start 然后确认浏览器能打开该网址。")
    }
}

function Assert-Distribution {
    $found = Get-Distribution
    if ($found -and $found.Version -ne 2) {
        Add-Finding (Text "The distribution $($Answers['distribution']) is one of WSL 1." "发行版 $($Answers['distribution']) 属于 WSL 1。") `
            (Text "Convert it: wsl --set-version $($Answers['distribution']) 2; or name a new one: -Distribution Ubuntu-24.04." `
                "请转换：wsl --set-version $($Answers['distribution']) 2；或新建一个：-Distribution Ubuntu-24.04。")
    }
    $known = @((Get-Pins).ubuntu.PSObject.Properties | ForEach-Object { $_.Name })
    if (-not $found -and $known -notcontains $Answers['distribution']) {
        Add-Finding (Text "There is no distribution $($Answers['distribution']), and no image of it is known." "没有发行版 $($Answers['distribution'])，也没有它的映像。") `
            (Text "Name one of $($known -join ', ') with -Distribution." "请用 -Distribution 指定 $($known -join '、') 之一。")
    }
    if (-not $found -or (Test-OwnDistribution) -or (Get-FeatureState 'VirtualMachinePlatform') -ne 'Enabled') { return }
    if ((Invoke-Program $Wsl @('-d', $Answers['distribution'], '-u', 'root', '--exec', 'id', '-u', $Answers['user'])).Code -ne 0) {
        Add-Finding (Text "The distribution $($Answers['distribution']) has no user $($Answers['user'])." "发行版 $($Answers['distribution']) 没有用户 $($Answers['user'])。") `
            (Text "Name another one with -LinuxUser, or make it: wsl -d $($Answers['distribution']) -u root adduser $($Answers['user'])" `
                "请用 -LinuxUser 指定，或新建：wsl -d $($Answers['distribution']) -u root adduser $($Answers['user'])")
    }
}

function Show-Notes {
    $servicing = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending'
    $update = 'HKLM\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired'
    if ((Test-Key $servicing) -or (Test-Key $update)) {
        Say (Text 'Note: Windows waits for a restart already. If something fails, restart first.' '注意：Windows 正等待重新启动。如果出错，请先重新启动。') Yellow
    }
    if (Test-Path -LiteralPath "$env:ProgramFiles\Docker\Docker\Docker Desktop.exe") {
        Say (Text 'Note: Docker Desktop is installed. Switch its WSL integration off for this distribution, which gets a Docker of its own.' `
                '注意：已安装 Docker Desktop。请关闭它对此发行版的 WSL 集成，发行版会有自己的 Docker。') Yellow
    }
    Say (Text 'Keep the PC plugged in and awake until it is done.' '完成之前请接通电源，不要让电脑睡眠。')
}

# --- the steps; each finds out what is done already --------------------------------------------------------------

function Enable-Features {
    foreach ($feature in Get-Features) {
        if ((Get-FeatureState $feature) -like 'Enable*') { continue }
        Set-Value $OwnMachine 'features' ((Get-Features) -join ',')
        $done = Invoke-Program "$System\dism.exe" @('/online', '/english', '/enable-feature', "/featurename:$feature", '/all', '/norestart')
        if ((Get-FeatureState $feature) -notlike 'Enable*') {
            Stop-Script (Text "Windows has not switched on $feature (dism ended with $($done.Code))." "Windows 未能打开 $feature（dism 返回 $($done.Code)）。") `
                (Text "The log is $env:SystemRoot\Logs\DISM\dism.log. Let Windows Update finish, restart Windows, and start this again." `
                    "日志：$env:SystemRoot\Logs\DISM\dism.log。请等 Windows 更新完成并重启，再重新运行。")
        }
    }
}

function Get-ProxyWords {
    if ($Answers['proxy'] -eq '0') { return @() }
    return '--proxy', "http://127.0.0.1:$($Answers['proxy'])"
}

function Get-Sha256([string] $File) {
    foreach ($line in (Invoke-Program "$System\certutil.exe" @('-hashfile', $File, 'SHA256')).Lines) {
        if (($line -replace '\s', '') -match '^[0-9a-fA-F]{64}$') { return $Matches[0].ToLowerInvariant() }
    }
    return ''
}

# What has arrived is kept: the next try goes on behind it. A file that is whole and wrong is fetched once more from the beginning.
function Get-File($Pin) {
    $file = "$Folder\downloads\$(($Pin.url -split '/')[-1])"
    New-Item -ItemType Directory -Path "$Folder\downloads" -Force | Out-Null
    for ($try = 1; (Get-Sha256 $file) -ne $Pin.sha256; $try++) {
        if ($try -gt 3) {
            Stop-Script (Text "$($Pin.url) did not arrive as it should (curl ended with $Code)." "$($Pin.url) 下载不正确（curl 返回 $Code）。") `
                (Text 'Check the proxy program and the network, and start this again; it goes on where it stopped.' '请检查代理软件和网络后重新运行，会从中断处继续。')
        }
        if ($try -eq 3 -and (Test-Path -LiteralPath $file)) { Remove-Item -LiteralPath $file }
        Show-Program "$System\curl.exe" (@('--fail', '--location', '--continue-at', '-', '--output', $file, '--progress-bar', '--retry', '5', '--retry-delay', '5',
                '--connect-timeout', '30', '--speed-limit', '1000', '--speed-time', '60', '--ssl-revoke-best-effort') + (Get-ProxyWords) + $Pin.url)
    }
    $script:File = $file
}

function Install-Package {
    if (Test-Package) { return }
    $pin = (Get-Pins).wsl
    Get-File $pin
    if (-not (Get-Value "HKLM\$Lxss\MSI" 'Version')) { Set-Value $OwnMachine 'package' $pin.version }
    $done = Invoke-Program "$System\msiexec.exe" @('/i', $File, '/qn', '/norestart', '/l*v', "$Folder\wsl-msi.log")
    if (-not (Test-Package)) {
        Stop-Script (Text "The installer of WSL ended with $($done.Code)." "WSL 安装程序返回 $($done.Code)。") `
            (Text "Its log is $Folder\wsl-msi.log. Restart Windows, so that no other installer runs, and start this again." "日志：$Folder\wsl-msi.log。请重启 Windows 后重新运行。")
    }
}

function Get-Image {
    if (Test-Distribution) { return }
    $name = $Answers['distribution']
    Get-File (Get-Pins).ubuntu.$name
}

function Restart-ForFeatures {
    if (@(Get-Features | Where-Object { (Get-FeatureState $_) -ne 'Enabled' }).Count) { Restart-Windows }
}

function Register-Distribution {
    if (Test-Distribution) { return }
    $name = $Answers['distribution']
    Get-File (Get-Pins).ubuntu.$name
    if ((Get-Distribution) -and (Test-OwnDistribution)) { [void] (Invoke-Program $Wsl @('--unregister', $name)) } # broken off half-way
    Set-Value $OwnUser 'distribution' $name
    $place = if ($Answers['drive'] -eq 'C') { @() } else { '--location', "$($Answers['drive']):\wsl\$name" }
    $done = Invoke-Program $Wsl (@('--install', '--from-file', $File, '--name', $name, '--no-launch') + $place)
    if (-not (Test-Distribution)) {
        Stop-Script (Text "WSL has not registered $name (wsl ended with $($done.Code)): $($done.Lines -join ' ')" "WSL 未能注册 $name（wsl 返回 $($done.Code)）：$($done.Lines -join ' ')") `
            (Text "Restart Windows and start this again. More is in $env:SystemRoot\Temp\wsl-install-log.txt." "请重启 Windows 后重新运行。详情见 $env:SystemRoot\Temp\wsl-install-log.txt。")
    }
}

function Invoke-Inside([string[]] $Words, [string] $Script = $Inside, [string] $At = '/') {
    Show-Program $Wsl (@('-d', $Answers['distribution'], '-u', 'root', '--cd', $At, '--exec', '/bin/sh', $Script) + $Words)
}

function Stop-OnFailure([string] $English, [string] $Chinese) {
    if ($Code -eq 0) { return }
    Stop-Script (Text "$English (exit code $Code)." "$Chinese（退出码 $Code）。") (Text 'The cause stands above. Start this again afterwards; it goes on from here.' '原因见上文。处理后重新运行，会从这里继续。')
}

function Copy-Repository {
    Invoke-Inside @('copy', (Text 'en' 'zh')) 'bootstrap/install.sh' $Root
    Stop-OnFailure 'The files were not copied into the distribution' '文件未能复制到发行版'
    $state = if ($Answers['compilers'] -eq 'yes') { 'present' } else { 'ignore' }
    $settings = "wsl_distribution=$($Answers['distribution'])", "wsl_user=$($Answers['user'])", "wsl_networking_mode=$(Get-NetworkingMode)",
    "proxy_state=$(if ($Answers['proxy'] -eq '0') { 'absent' } else { 'present' })", "proxy_port=$(if ($Answers['proxy'] -eq '0') { 7890 } else { $Answers['proxy'] })",
    "visual_studio_state=$state", "cuda_windows_state=$state", "windows_base_hostname=$(if ($Answers['name'] -ne 'keep') { $Answers['name'] })"
    Invoke-Inside (@('settings') + $settings)
    Stop-OnFailure 'The settings were not written' '设置未能写入'
    if ($Answers['password'] -eq '-') { return }
    $secret = New-Object Management.Automation.PSCredential 'x', (ConvertTo-SecureString $Answers['password'])
    $secret.GetNetworkCredential().Password | & $Wsl -d $Answers['distribution'] -u root --cd / --exec /bin/sh $Inside password
    $script:Code = $LASTEXITCODE
    Stop-OnFailure 'The Linux password was not written' 'Linux 密码未能写入'
    $Answers['password'] = '-'
    Set-Value $Key 'password' '-'
}

# WSL reaches the proxy only through a door in the firewall. It is the rule of the role windows_proxy, which keeps it and takes it back.
function Open-Firewall {
    if ($Answers['proxy'] -eq '0' -or (Get-NetworkingMode) -ne 'nat') { return }
    $rule = 'name=' + (Get-RoleValue 'windows_proxy\vars\main.yml' '__windows_proxy_rule').Trim('"')
    if ((Invoke-Program "$System\netsh.exe" @('advfirewall', 'firewall', 'show', 'rule', $rule)).Code -eq 0) { return }
    [void] (Invoke-Program "$System\netsh.exe" @('advfirewall', 'firewall', 'add', 'rule', $rule, 'dir=in', 'action=allow', 'protocol=TCP',
            "localport=$($Answers['proxy'])", 'remoteip=172.16.0.0/12,192.168.0.0/16'))
}

function Install-Ansible {
    Open-Firewall
    Invoke-Inside 'python', $Answers['proxy'], $Answers['index']
    Stop-OnFailure 'Ansible was not installed in the distribution' 'Ansible 未能安装到发行版'
}

function Install-Site {
    Invoke-Playbook 'site'
    Set-Value $Key 'done' (Get-Date -Format s)
}

# --- what next ---------------------------------------------------------------------------------------------------

# The roles note in the registry what they wait for: that WSL stops (stale), that a new name of the computer counts.
function Get-Next {
    if (Get-Value $OwnUser 'stale') { return 'shutdown' }
    if ((Get-Value "$Names\ActiveComputerName" 'ComputerName') -ne (Get-Value "$Names\ComputerName" 'ComputerName')) { return 'restart' }
    return 'failed'
}

function Invoke-Playbook([string] $Name) {
    for ($round = 1; $true; $round++) {
        Invoke-Inside 'run', $Name, $Answers['proxy']
        if ($Code -eq 0) { return }
        $next = Get-Next
        if ($next -eq 'restart') { Restart-Windows }
        if ($next -eq 'failed' -or $round -ge 3) { Stop-OnFailure "playbooks/$Name.yml did not end well" "playbooks/$Name.yml 未能完成" }
        Say (Text 'WSL is stopped, so that its new settings count, and the run goes on.' '停止 WSL 使新设置生效，然后继续。') White
        [void] (Invoke-Program $Wsl @('--shutdown'))
    }
}

function Get-TaskText {
    $words = '-NoProfile -ExecutionPolicy Bypass -File "{0}" {1} -OwnWindow' -f $PSCommandPath, $(if ($Remove) { '-Remove -Yes' } elseif ($Yes) { '-Continue -Yes' } else { '-Continue' })
    return @"
<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <Triggers><LogonTrigger><Enabled>true</Enabled><UserId>$(Get-Sid)</UserId></LogonTrigger></Triggers>
  <Principals><Principal id="Author"><UserId>$(Get-Sid)</UserId><LogonType>InteractiveToken</LogonType><RunLevel>HighestAvailable</RunLevel></Principal></Principals>
  <Settings><DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries><StopIfGoingOnBatteries>false</StopIfGoingOnBatteries><ExecutionTimeLimit>PT0S</ExecutionTimeLimit></Settings>
  <Actions Context="Author"><Exec><Command>$System\WindowsPowerShell\v1.0\powershell.exe</Command><Arguments>$([Security.SecurityElement]::Escape($words))</Arguments></Exec></Actions>
</Task>
"@
}

# Goes on at the next sign-in, whenever that is; nobody's password is kept for it.
function Restart-Windows {
    Set-Content -LiteralPath "$Folder\continue.xml" -Value (Get-TaskText) -Encoding Unicode
    $made = Invoke-Program "$System\schtasks.exe" @('/create', '/tn', $Task, '/xml', "$Folder\continue.xml", '/f')
    if ($made.Code -ne 0) { Say (Text 'Start Install.cmd again after the restart.' '重启后请再次运行 Install.cmd。') Yellow }
    $now = $Yes
    if (-not $Yes -and -not $NoRestart) {
        $now = "$(Read-Host (Text 'Windows has to be restarted. Now? Save your work first. yes or later [yes]' '需要重新启动 Windows。请先保存工作。现在重启？yes 或 later [yes]'))".Trim() -notmatch '^[ln]'
    }
    if ($NoRestart -or -not $now) {
        Say (Text 'Restart Windows when it suits you; this goes on when you sign in again.' '请在方便时重启 Windows，再次登录后会自动继续。') White
        Close-Script 0
    }
    $seconds = if ($Yes) { '60' } else { '10' }
    $text = Text 'wsl-dl-playbook restarts this PC and goes on when you sign in again.' 'wsl-dl-playbook 将重新启动电脑，再次登录后自动继续。'
    Say $text White
    [void] (Invoke-Program "$System\shutdown.exe" @('/r', '/t', $seconds, '/c', $text))
    Close-Script 0 -Quiet
}

# --- the whole ---------------------------------------------------------------------------------------------------

$Steps = @(
    @{ Run = 'Enable-Features'; Text = 'Windows features', 'Windows 功能' }
    @{ Run = 'Install-Package'; Text = 'the WSL package', 'WSL 安装包' }
    @{ Run = 'Get-Image'; Text = 'the image of the distribution', '发行版映像' }
    @{ Run = 'Restart-ForFeatures'; Text = 'one restart', '重启一次' }
    @{ Run = 'Register-Distribution'; Text = 'the distribution', '发行版' }
    @{ Run = 'Copy-Repository'; Text = 'this folder, copied into it', '复制本文件夹' }
    @{ Run = 'Install-Ansible'; Text = 'Ansible in it', '发行版中的 Ansible' }
    @{ Run = 'Install-Site'; Text = 'everything else, by Ansible', '其余部分由 Ansible 完成' }
)

function Install-All {
    $script:Needed = @{
        distribution = 1e9 * (Get-RoleValue 'wsl_distribution\defaults\main.yml' 'wsl_distribution_min_free_gb')
        compilers = 1e9 * (Get-RoleValue 'visual_studio\defaults\main.yml' 'visual_studio_min_free_gb') + 1e9 * (Get-RoleValue 'cuda_windows\defaults\main.yml' 'cuda_windows_min_free_gb')
    }
    $script:Listeners = Get-Listeners
    $script:Room = Get-Room
    Read-Answers
    foreach ($check in 'Assert-Account', 'Assert-Windows', 'Assert-Hardware', 'Assert-Power', 'Assert-Name', 'Assert-Room', 'Assert-Proxy', 'Assert-Distribution') { & $check }
    Stop-OnFinding
    Show-Notes
    Save-Answers
    $number = 0
    foreach ($step in $Steps) {
        $number++
        Say "[$number/$($Steps.Count)] $(Text $step.Text[0] $step.Text[1])" Cyan
        & $step.Run
    }
    Remove-Item -LiteralPath "$Folder\downloads" -Recurse -Force -ErrorAction SilentlyContinue
    Invoke-Inside 'proof', $Answers['user']
    Stop-OnFailure 'The proof, nvidia-smi in a container, failed' '验证失败：容器中的 nvidia-smi'
    $password = (Invoke-Program $Wsl @('-d', $Answers['distribution'], '-u', 'root', '--exec', 'passwd', '-S', $Answers['user'])).Lines
    if ("$password" -notmatch '^\S+ P') {
        $line = "wsl -d $($Answers['distribution']) -u root passwd $($Answers['user'])"
        Say (Text "$($Answers['user']) has no password for sudo yet. To set one: $line" "$($Answers['user']) 还没有 sudo 密码。设置方法：$line") Yellow
    }
    Say (Text "Done. Open ""$($Answers['distribution'])"" in the Start menu. To take it all back: Install.cmd -Remove" `
            "完成。请在开始菜单打开 $($Answers['distribution'])。要全部撤销：Install.cmd -Remove") Green
}

# Last first. What was there before stays: the roles and this script noted what is theirs.
function Remove-All {
    $name = Get-Value $Key 'distribution'
    $Answers['distribution'] = if ($name) { $name } else { "$(Get-Value $OwnUser 'distribution')" }
    $Answers['proxy'] = "0$(Get-Value $Key 'proxy')" -replace '^0(?=.)', ''
    if (-not (Test-Key $Key) -and -not $Answers['distribution']) {
        Say (Text 'There is nothing to take back.' '没有需要撤销的内容。')
        return
    }
    $own = Test-OwnDistribution
    if ($own -and -not $Yes) {
        $typed = Read-Host (Text "The distribution $($Answers['distribution']) goes with ALL files in it. Type its name to agree" "发行版 $($Answers['distribution']) 及其中所有文件都会删除。输入它的名字以确认")
        if ("$typed".Trim() -ne $Answers['distribution']) {
            Say (Text 'Nothing was changed.' '没有任何更改。')
            return
        }
    }
    if (Test-Distribution) {
        $there = Invoke-Program $Wsl @('-d', $Answers['distribution'], '-u', 'root', '--cd', '/', '--exec', 'test', '-e', $Inside)
        if ($there.Code -eq 0) {
            Invoke-Playbook 'remove'
            Invoke-Inside 'forget'
        }
        if ($own) { [void] (Invoke-Program $Wsl @('--unregister', $Answers['distribution'])) }
    }
    $product = Get-Value "HKLM\$Lxss\MSI" 'ProductCode'
    if ($product -and (Get-Value $OwnMachine 'package')) { [void] (Invoke-Program "$System\msiexec.exe" @('/x', $product, '/qn', '/norestart')) }
    foreach ($feature in @("$(Get-Value $OwnMachine 'features')" -split ',' | Where-Object { $_ })) {
        [void] (Invoke-Program "$System\dism.exe" @('/online', '/english', '/disable-feature', "/featurename:$feature", '/norestart'))
    }
    foreach ($path in $OwnUser, $OwnMachine, $Key, $Job) { Remove-Value $path }
    foreach ($path in $Base, 'HKCU\Software\wsl-dl-playbook') {
        if (@((Invoke-Program "$System\reg.exe" @('query', $path)).Lines | Where-Object { $_ }).Count -eq 0) { Remove-Value $path }
    }
    Say (Text 'Taken back. Restart Windows when it suits you, so that its features go too.' '已全部撤销。请在方便时重启 Windows，使功能更改生效。') Green
    Remove-Item -LiteralPath $Folder -Recurse -Force
}

# Nobody's name, PC, address or password is in it.
function Hide-Person([string] $Line) {
    $Line = $Line -replace '//[^/@\s]+@', '//<hidden>@' -replace 'S-1-5-21-[0-9-]+', '<sid>' -replace '(?i)(\\Users\\|/home/)[^\\/\s"]+', '$1<user>'
    foreach ($name in $env:USERNAME, $env:COMPUTERNAME, $env:USERDOMAIN, $Answers['user']) {
        if ($name -and $name -ne 'dev') { $Line = $Line -replace "(?i)\b$([regex]::Escape($name))\b", '<name>' }
    }
    return $Line -replace '(?<!wsl[. ])\b(?!127\.0\.0\.1)(\d{1,3}\.){3}\d{1,3}\b', '<address>'
}

function Write-Report {
    $Answers['user'] = Get-Value $Key 'user'
    $lines = @("Windows $(Get-Build).$(Get-Value $CurrentVersion 'UBR') $(Get-Value $CurrentVersion 'DisplayVersion')", "WSL $(Get-Value "HKLM\$Lxss\MSI" 'Version')")
    $lines += Get-Distributions | ForEach-Object { "distribution $($_.DistributionName) version $($_.Version) state $($_.State)" }
    $lines += Get-Features | ForEach-Object { "feature $_ $(Get-FeatureState $_)" }
    foreach ($name in 'proxy', 'drive', 'compilers', 'index', 'done') { $lines += "$name $(Get-Value $Key $name)" }
    if (Test-Path -LiteralPath $Log) { $lines += Get-Content -LiteralPath $Log -Encoding UTF8 | Select-Object -Last 200 }
    $file = "$Folder\report.txt"
    Set-Content -LiteralPath $file -Value @($lines | ForEach-Object { Hide-Person $_ }) -Encoding UTF8
    Write-Host (Text "Written: $file. Look through it before you hand it on." "已写入：$file。发送前请自己看一遍。")
}

# Windows asks; the answer opens a window of its own.
function Start-AsAdministrator {
    $words = '-NoProfile -ExecutionPolicy Bypass -File "{0}" -StartedBy {1} -OwnWindow' -f $PSCommandPath, (Get-Sid)
    foreach ($name in $Given.Keys) {
        $words += if ($Given[$name] -is [switch]) { " -$name" } else { " -$name ""$("$($Given[$name])".TrimEnd('\'))""" } # \" would be a quote
    }
    try {
        Start-Process -FilePath "$System\WindowsPowerShell\v1.0\powershell.exe" -ArgumentList $words -Verb RunAs
    } catch {
        Stop-Script (Text 'Windows was not allowed to give this script the rights of an administrator.' '未获准以管理员身份运行。') `
            (Text 'Start Install.cmd again and answer "Yes".' '请重新运行 Install.cmd 并选择“是”。')
    }
    Close-Script 0 -Quiet
}

$Given = $PSBoundParameters
$env:WSL_UTF8 = '1'
$Encoding = [Console]::OutputEncoding
[Console]::OutputEncoding = [Text.Encoding]::UTF8
$OutputEncoding = New-Object Text.UTF8Encoding $false
$Chinese = (Get-Value 'HKLM\SYSTEM\CurrentControlSet\Control\Nls\Language' 'InstallLanguage') -eq '0804' -or $PSUICulture -like 'zh*'
Assert-Folder
$Administrator = Test-Administrator
if (-not $Administrator) { Start-AsAdministrator }
. "$PSScriptRoot\Disk.ps1"
$disk = $Backup -or $Restore -or $Move -or $Shrink
if (-not $disk -and -not $Report) { [void] (Invoke-Program "$System\schtasks.exe" @('/delete', '/tn', $Task, '/f')) } # it goes on now
if ($Report) { Write-Report } elseif ($disk) { Invoke-DiskJob } else {
    [void] (Complete-Disk)
    if ($Remove) { Remove-All } else { Install-All }
}
Close-Script 0
