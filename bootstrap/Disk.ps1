<#
.SYNOPSIS
The part of Install.ps1 that looks after the disk of the distribution: -Backup, -Restore, -Move, -Shrink. It uses the functions there.

.DESCRIPTION
Restore, move and shrink are one thing: a second disk is made, the distribution is told to take it, and the former one goes when a
program in the distribution has answered. What is under way is noted in the registry, so that the next start of Install.ps1, with
whatever parameters, ends it: with the new disk where the distribution has it and starts, else with the former one.

"wsl --manage NAME --move" deletes the former disk before the new one has started, and what breaks off between its two halves
leaves a distribution without a disk (microsoft/WSL#40716). So a copy is made, and the place written where WSL notes it.
#>

$Unfinished = '.wsl-dl-playbook' # the folder in which a disk is made
$Job = 'HKCU\Software\wsl-dl-playbook\disk' # what is under way: name, old, stamp, job, new, made

# --- what is there -----------------------------------------------------------------------------------------------

function Get-Disk($Found) {
    $name = if ($Found['VhdFileName']) { $Found['VhdFileName'] } else { 'ext4.vhdx' }
    return ($Found.BasePath -replace '^\\\\\?\\', '') + "\$name"
}

# Not Split-Path, whose result depends on the system. The root of a drive keeps its backslash.
function Get-Parent([string] $Path) { return $Path.Substring(0, [math]::Max($Path.LastIndexOf('\'), 3)).TrimEnd('\') -replace ':$', ':\' }

function Get-Size([string] $Path) { return (Get-Item -LiteralPath $Path -Force).Length }

function Get-Gigabytes([long] $Bytes) { return [math]::Ceiling($Bytes / 1e9) }

# Changes when something was written to the disk.
function Get-Stamp([string] $Path) {
    if (-not (Test-Path -LiteralPath $Path)) { return '' }
    return "$(Get-Size $Path) $((Get-Item -LiteralPath $Path -Force).LastWriteTimeUtc.Ticks)"
}

function Test-Answer([string] $Name) {
    return "$((Invoke-Program $Wsl @('-d', $Name, '-u', 'root', '--cd', '/', '--exec', 'id', '-u')).Lines)".Trim() -eq '0'
}

# --- what would stop us ------------------------------------------------------------------------------------------

function Assert-Present {
    if (-not (Test-Package)) {
        Add-Finding (Text 'WSL is not installed, or too old.' '没有安装 WSL，或版本过旧。') (Text 'Start Install.cmd without parameters first.' '请先不带参数运行 Install.cmd。')
        return
    }
    $found, $name = (Get-Distribution), $Answers['distribution']
    if (-not $found -and $Restore) { return }
    if (-not $found -or $found.State -ne 1 -or $found.Version -ne 2 -or -not (Test-Path -LiteralPath (Get-Disk $found))) {
        $known = @(Get-Distributions | ForEach-Object { $_.DistributionName }) -join ', '
        Add-Finding (Text "There is no distribution $name of WSL 2 with a disk. WSL knows: $known." "没有带磁盘的 WSL 2 发行版 $name。WSL 中有：$known。") `
            (Text 'Name one with -Distribution; one that is not finished, Install.cmd finishes.' '请用 -Distribution 指定；未完成的发行版请用 Install.cmd 完成。')
    }
}

function Assert-DiskRoom([string] $Letter, [long] $Bytes, $Room) {
    if (-not $Room.ContainsKey($Letter)) {
        Add-Finding (Text "There is no drive ${Letter}: that can hold the disk; WSL's must be NTFS." "没有能存放磁盘的 ${Letter}: 盘，WSL 的盘必须是 NTFS。") `
            (Text "Choose one of $(@($Room.Keys | Sort-Object) -join ', ')." "请从 $(@($Room.Keys | Sort-Object) -join '、') 中选择。")
    } elseif ($Room[$Letter] -lt $Bytes + 1e9) {
        Add-Finding (Text "Drive ${Letter}: has $([math]::Floor($Room[$Letter] / 1e9)) GB left, and $(Get-Gigabytes ($Bytes + 1e9)) GB are needed." `
                "${Letter}: 盘剩余 $([math]::Floor($Room[$Letter] / 1e9)) GB，需要 $(Get-Gigabytes ($Bytes + 1e9)) GB。") `
            (Text 'Free space there, or take another drive; the disk itself goes to one with -Move D.' '请清理空间，或换一个盘；可用 -Move D 把磁盘移到别的盘。')
    }
}

function Assert-File([string] $Path, [bool] $There) {
    if ($Path -notmatch '^[A-Za-z]:\\.+\.vhdx$') {
        Add-Finding (Text "$Path is not the full name of a file that ends in .vhdx." "$Path 不是以 .vhdx 结尾的完整文件名。") `
            (Text 'For example D:\backup\ubuntu.vhdx; on a network drive, copy it afterwards.' '例如 D:\backup\ubuntu.vhdx；网络位置请事后复制。')
    } elseif ($There -and -not (Test-Path -LiteralPath $Path -PathType Leaf)) {
        Add-Finding (Text "There is no file $Path." "没有文件 $Path。") (Text 'Name a file that -Backup has made.' '请指定 -Backup 生成的文件。')
    } elseif ($There -and -not (Test-VirtualDisk $Path)) {
        Add-Finding (Text "$Path is no virtual disk." "$Path 不是虚拟磁盘。") (Text 'Name a file that -Backup has made, and copy it again if it came over a network.' '请指定 -Backup 生成的文件；如果是从网络复制来的，请重新复制。')
    } elseif (-not $There -and (Test-Path -LiteralPath $Path)) {
        Add-Finding (Text "$Path exists already." "$Path 已经存在。") (Text 'Choose another name; nothing is overwritten.' '请换一个名称，不会覆盖任何文件。')
    }
}

# Every VHDX begins with these letters.
function Test-VirtualDisk([string] $Path) {
    $bytes = New-Object byte[] 8
    $stream = (Get-Item -LiteralPath $Path -Force).OpenRead()
    try { [void] $stream.Read($bytes, 0, 8) } finally { $stream.Dispose() }
    return [Text.Encoding]::ASCII.GetString($bytes) -eq 'vhdxfile'
}

function Confirm-Job([string] $English, [string] $Chinese) {
    Say (Text $English $Chinese) White
    if ($Yes) { return }
    $answer = Read-Host (Text 'WSL is stopped for it: finish first what works there. Go on? yes or no [no]' '期间会停止 WSL，请先结束其中的工作。继续吗？yes 或 no [no]')
    if ("$answer".Trim() -match '^y(es)?$') { return }
    Say (Text 'Nothing was changed.' '没有任何更改。')
    Close-Script 0
}

# --- one step each -----------------------------------------------------------------------------------------------

function Stop-Wsl { [void] (Invoke-Program $Wsl @('--shutdown')) }

function Remove-Disk([string] $Path) {
    $around = Get-Parent $Path
    try {
        foreach ($one in "$Path$Unfinished", $Path) { if (Test-Path -LiteralPath $one) { Remove-Item -LiteralPath $one -Recurse -Force } }
        if ((Test-Path -LiteralPath $around) -and -not (Get-ChildItem -LiteralPath $around -Force)) { Remove-Item -LiteralPath $around -Force }
    } catch {
        Stop-Script (Text "$Path cannot be deleted: $_" "无法删除 $Path：$_") (Text 'Close what uses it, and start this again.' '请关闭正在使用它的程序，然后重新运行。')
    }
}

# WSL starts nothing in the distribution while it copies the disk.
function Copy-Disk([string] $Into) { Show-Program $Wsl @('--export', $Answers['distribution'], "$Into\disk.vhdx", '--vhd') }

function Copy-File([string] $Into) {
    Show-Program "$System\robocopy.exe" @((Get-Parent $Restore), $Into, (Split-Path -Leaf $Restore), '/J', '/A-:R', '/R:2', '/W:5', '/NJH', '/NJS', '/NDL')
    if ($Code -ge 0 -and $Code -lt 8) { $script:Code = 0 }
}

function Compress-Disk([string] $Into) {
    Set-Content -LiteralPath "$Folder\compact.txt" -Value "select vdisk file=""$Into\disk.vhdx""", 'compact vdisk' -Encoding Default # the ANSI code page
    Show-Program "$System\diskpart.exe" @('/s', "$Folder\compact.txt")
    Remove-Item -LiteralPath "$Folder\compact.txt"
}

# The file is at its place whole or not at all, and on the disk before anything relies on it.
function New-DiskFile([string] $Path, [string] $Source, [string[]] $Ways) {
    $part, $size = "$Path$Unfinished", (Get-Size $Source)
    New-Item -ItemType Directory -Path $part -Force | Out-Null
    foreach ($way in $Ways) {
        & $way $part
        $made = @(Get-ChildItem -LiteralPath $part -Force)
        if ($Code -ne 0 -or $made.Count -ne 1 -or ($way -ne 'Compress-Disk' -and $made[0].Length -ne $size)) {
            Remove-Disk $Path
            Remove-Value $Job
            Stop-Script (Text "$Path was not made ($way ended with $Code)." "$Path 未能生成（$way 返回 $Code）。") `
                (Text 'The cause stands above. Nothing else was changed; start this again afterwards.' '原因见上文。其他没有任何更改，处理后请重新运行。')
        }
    }
    $stream = $made[0].Open('Open', 'ReadWrite')
    try { $stream.Flush($true) } finally { $stream.Dispose() }
    Move-Item -LiteralPath $made[0].FullName -Destination $Path
    Remove-Item -LiteralPath $part
}

function Set-Disk([string] $Id, [string] $Path) {
    Set-Value "HKCU\$Lxss\$Id" 'VhdFileName' (Split-Path -Leaf $Path)
    Set-Value "HKCU\$Lxss\$Id" 'BasePath' (Get-Parent $Path)
}

# Windows writes the registry to its disk when it has time; here it has to be there before the former disk goes.
function Save-Registry {
    try { [Microsoft.Win32.Registry]::CurrentUser.Flush() } catch { Write-Log "registry: $_" }
}

function Set-Note([string] $What, [string] $Old, [string] $Stamp, [string] $New) {
    Set-Value $Job 'name' $Answers['distribution']
    if ($Old) { Set-Value $Job 'old' $Old }
    if ($Stamp) { Set-Value $Job 'stamp' $Stamp }
    Set-Value $Job 'job' $What
    Set-Value $Job 'new' $New # last: without it nothing has begun
}

# Its own account instead of the administrators': else WSL may not open it for whoever is not elevated.
function Set-Owner([string] $Path) {
    [void] (Invoke-Program "$System\icacls.exe" @($Path, '/setowner', "*$(Get-Sid)"))
}

# --- the whole ---------------------------------------------------------------------------------------------------

# Ends what is under way, and returns what that was if it ended with the new disk. One that was in use before this run is never deleted.
function Complete-Disk([switch] $InThisRun) {
    $note = @{ name = ''; old = ''; stamp = ''; job = ''; new = ''; made = '' }
    foreach ($value in @(Read-Values (Invoke-Program "$System\reg.exe" @('query', $Job)).Lines)) { $note[$value.Name] = $value.Data }
    if (-not $note.name) { return '' }
    $failed = $false
    $found = Get-Distributions | Where-Object { $_.DistributionName -eq $note.name } | Select-Object -First 1
    if ($found -and (Get-Disk $found) -eq $note.old -and -not (Test-Path -LiteralPath $note.old) -and (Test-Path -LiteralPath $note.new)) {
        Set-Disk $found.Id $note.new # the power failed before Windows had written the registry to its disk
        $found = Get-Distributions | Where-Object { $_.DistributionName -eq $note.name } | Select-Object -First 1
    }
    if ($found -and (Get-Disk $found) -eq $note.new) {
        if ($found.State -eq 1 -and (Test-Answer $note.name)) {
            Save-Registry
            if (-not $note.stamp -or (Get-Stamp $note.old) -in '', $note.stamp) { if ($note.old) { Remove-Disk $note.old } } else {
                Say (Text "The former disk $($note.old) was written to since it was copied; it stays." "原磁盘 $($note.old) 在复制后有改动，予以保留。") Yellow
            }
            if (Test-Key $Key) { Set-Value $Key 'drive' $note.new.Substring(0, 1) }
            Remove-Value $Job
            return $note.job
        }
        $failed = $found.State -eq 1
        if ($failed -and -not $InThisRun -and (Get-Stamp $note.new) -ne $note.made) {
            if ($Remove) { return '' }
            $former = if ($note.old -and (Test-Path -LiteralPath $note.old)) { Text " Its former disk is $($note.old)." "原磁盘是 $($note.old)。" } else { '' }
            Stop-Script (Text "$($note.name) does not start from $($note.new), where it worked before." "$($note.name) 曾从 $($note.new) 启动成功，现在无法启动。") `
                (Text "Restart Windows, and start this again. Nothing was deleted.$former" "请重启 Windows 后重新运行。没有删除任何东西。$former")
        }
        Stop-Wsl
        if ($note.old) { Set-Disk $found.Id $note.old } else { [void] (Invoke-Program $Wsl @('--unregister', $note.name)) }
    }
    if ($note.new -and ($failed -or -not $found -or $found.State -ne 1 -or (Get-Disk $found) -eq $note.old)) { Remove-Disk $note.new }
    Remove-Value $Job
    if ($failed) {
        $kept = if ($note.old) { Text " It has its former disk again: $($note.old)." "已恢复使用原磁盘：$($note.old)。" } else { '' }
        Stop-Script (Text "$($note.name) does not start from $($note.new).$kept" "$($note.name) 无法从 $($note.new) 启动。$kept") `
            (Text 'See that the file or drive is sound, and that its folder is neither compressed nor encrypted.' '请确认文件或盘完好，其文件夹没有压缩或加密。')
    }
    return ''
}

# The distribution gets another disk, made in these ways.
function Switch-Disk([string] $What, [string] $New, [string[]] $Ways) {
    $found = Get-Distribution
    $old = Get-Disk $found
    Stop-Wsl
    $stamp = if ($Ways -contains 'Copy-Disk') { Get-Stamp $old } else { '' }
    Set-Note $What $old $stamp $New
    New-DiskFile $New $(if ($stamp) { $old } else { $Restore }) $Ways
    Set-Owner $New
    Set-Value $Job 'made' (Get-Stamp $New)
    Set-Disk $found.Id $New
    Stop-Wsl
    if ($stamp -and (Get-Stamp $old) -ne $stamp) {
        Set-Disk $found.Id $old
        [void] (Complete-Disk -InThisRun)
        Stop-Script (Text 'The distribution was started while its disk was copied, so the copy is not the newest.' '复制磁盘期间发行版被启动，副本不是最新的。') `
            (Text 'Close terminals and editors that work in it, and start this again.' '请关闭正在使用它的终端和编辑器，然后重新运行。')
    }
    if ((Complete-Disk -InThisRun) -ne $What) { throw "$New was made, and is not in use" }
}

function Backup-Disk {
    Assert-File $Backup $false
    Stop-OnFinding
    $letter = $Backup.Substring(0, 1).ToUpperInvariant()
    $disk = Get-Disk (Get-Distribution)
    $size = Get-Size $disk
    $kind = "$((Invoke-Program "$System\fsutil.exe" @('fsinfo', 'volumeinfo', "${letter}:")).Lines)"
    Assert-DiskRoom $letter $size (Get-AllRoom)
    if ($size -ge 4GB -and $kind -match '[:：] *FAT(32)?\b') {
        Add-Finding (Text "Drive ${letter}: is FAT, where no file is larger than 4 GB." "${letter}: 盘是 FAT，文件不能超过 4 GB。") (Text 'Take one with NTFS or exFAT.' '请用 NTFS 或 exFAT 的盘。')
    }
    Stop-OnFinding
    Confirm-Job "The disk of $($Answers['distribution']) is copied to $Backup, which needs $(Get-Gigabytes $size) GB there." `
        "把 $($Answers['distribution']) 的磁盘复制到 $Backup，需要 $(Get-Gigabytes $size) GB。"
    Stop-Wsl
    New-DiskFile $Backup $disk 'Copy-Disk'
    Say (Text "Done: $Backup. To go back to it: Install.cmd -Restore ""$Backup""" "完成：$Backup。恢复方法：Install.cmd -Restore ""$Backup""") Green
}

function Restore-Disk {
    Assert-File $Restore $true
    Stop-OnFinding
    $found, $size, $name = (Get-Distribution), (Get-Size $Restore), $Answers['distribution']
    $letter = if ($Drive) { $Drive.Substring(0, 1).ToUpperInvariant() } elseif (Get-Value $Key 'drive') { Get-Value $Key 'drive' } else { 'C' }
    $new = if ($found) { Get-OtherName $found } elseif ($letter -eq 'C') { "$env:USERPROFILE\AppData\Local\wsl\$name\ext4.vhdx" } else { "${letter}:\wsl\$name\ext4.vhdx" }
    Assert-DiskRoom $new.Substring(0, 1).ToUpperInvariant() $size (Get-Room)
    if (Test-Path -LiteralPath $new) { Add-Finding (Text "$new exists already." "$new 已经存在。") (Text 'Move it away, and start this again.' '请将它移走，然后重新运行。') }
    Stop-OnFinding
    $lost = if ($found) { Text " What has changed in $name since then is lost when it has started." "启动成功后，$name 此后的改动会丢失。" } else { '' }
    Confirm-Job "$name gets the disk in $Restore, which needs $(Get-Gigabytes $size) GB on $($new.Substring(0, 2)).$lost" `
        "$name 将使用 $Restore 中的磁盘，需要 $($new.Substring(0, 2)) 上 $(Get-Gigabytes $size) GB。$lost"
    if ($found) { Switch-Disk "restore $Restore" $new 'Copy-File' } else {
        Set-Note "restore $Restore" '' '' $new
        New-DiskFile $new $Restore 'Copy-File'
        Set-Owner $new
        $done = Invoke-Program $Wsl @('--import-in-place', $name, $new)
        if (-not (Get-Distribution)) {
            [void] (Complete-Disk -InThisRun)
            Stop-Script (Text "WSL has not taken the disk (wsl ended with $($done.Code)): $($done.Lines -join ' ')" "WSL 未接受该磁盘（wsl 返回 $($done.Code)）：$($done.Lines -join ' ')") `
                (Text 'See that the file is a sound backup; it was not changed.' '请确认文件是完好的备份，文件没有改动。')
        }
        [void] (Complete-Disk -InThisRun)
    }
    Say (Text "Done: $name has the disk of $Restore." "完成：$name 已恢复为 $Restore 中的内容。") Green
}

# In the folder of the present disk, with another name.
function Get-OtherName($Found) {
    $disk = Get-Disk $Found
    $name = if ((Split-Path -Leaf $disk) -eq 'ext4.vhdx') { 'ext4-2.vhdx' } else { 'ext4.vhdx' }
    return (Get-Parent $disk) + "\$name"
}

function Move-Disk {
    $place = if ($Move -match '^(?<letter>[A-Za-z]):?\\?$') { "$($Matches['letter'].ToUpperInvariant()):\wsl\$($Answers['distribution'])" } else { $Move.TrimEnd('\') }
    if ($place -notmatch '^[A-Za-z]:\\.') {
        Stop-Script (Text "$Move is neither a drive nor the full name of a folder." "$Move 既不是盘符，也不是完整的文件夹名。") (Text 'For example -Move D, or -Move D:\linux.' '例如 -Move D 或 -Move D:\linux。')
    }
    $disk = Get-Disk (Get-Distribution)
    $new, $size = "$place\$(Split-Path -Leaf $disk)", (Get-Size $disk)
    if ($new -eq $disk) {
        Say (Text "The disk is in $place already." "磁盘已经在 $place。") Green
        return
    }
    Assert-DiskRoom $place.Substring(0, 1).ToUpperInvariant() $size (Get-Room)
    if (Test-Path -LiteralPath $new) { Add-Finding (Text "$new exists already." "$new 已经存在。") (Text 'Choose another folder; nothing is overwritten.' '请换一个文件夹，不会覆盖任何文件。') }
    Stop-OnFinding
    Confirm-Job "The disk of $($Answers['distribution']) moves to $place, which needs $(Get-Gigabytes $size) GB there; the former one goes when the new one has started." `
        "把 $($Answers['distribution']) 的磁盘移到 $place，需要 $(Get-Gigabytes $size) GB；新磁盘启动成功后才删除原磁盘。"
    Switch-Disk "move $place" $new 'Copy-Disk'
    Say (Text "Done: the disk is in $place." "完成：磁盘已在 $place。") Green
}

function Optimize-Disk {
    $found = Get-Distribution
    $disk, $new = (Get-Disk $found), (Get-OtherName $found)
    $size = Get-Size $disk
    Assert-DiskRoom $disk.Substring(0, 1).ToUpperInvariant() $size (Get-Room)
    if (Test-Path -LiteralPath $new) { Add-Finding (Text "$new exists already." "$new 已经存在。") (Text 'Move it away, and start this again.' '请将它移走，然后重新运行。') }
    Stop-OnFinding
    Confirm-Job "A copy of the disk of $($Answers['distribution']) is made smaller and takes its place, which needs $(Get-Gigabytes $size) GB on $($disk.Substring(0, 2)) meanwhile." `
        "复制 $($Answers['distribution']) 的磁盘并压缩，再替换原磁盘，期间需要 $($disk.Substring(0, 2)) 上 $(Get-Gigabytes $size) GB。"
    [void] (Invoke-Program $Wsl @('-d', $Answers['distribution'], '-u', 'root', '--cd', '/', '--exec', 'fstrim', '/'))
    Switch-Disk 'shrink' $new 'Copy-Disk', 'Compress-Disk'
    Say (Text "Done: $([math]::Round($size / 1e9, 1)) GB before, $([math]::Round((Get-Size $new) / 1e9, 1)) GB now." `
            "完成：原来 $([math]::Round($size / 1e9, 1)) GB，现在 $([math]::Round((Get-Size $new) / 1e9, 1)) GB。") Green
}

function Invoke-DiskJob {
    $Answers['distribution'] = if ($Distribution) { $Distribution } elseif (Get-Value $Key 'distribution') { Get-Value $Key 'distribution' } else { Get-DefaultDistribution }
    if (@($Backup, $Restore, $Move, $(if ($Shrink) { 'yes' }) | Where-Object { $_ }).Count -gt 1) {
        Add-Finding (Text 'Backup, restore, move and shrink are done one at a time.' '备份、恢复、移动和压缩一次只能做一项。') (Text 'Give one of the four.' '请只指定其中一项。')
    }
    Assert-Account
    Stop-OnFinding
    $wanted = if ($Restore) { "restore $Restore" } elseif ($Shrink) { 'shrink' } else { 'neither' } # a second move finds its disk there
    if ((Complete-Disk) -eq $wanted) {
        Say (Text 'Done: what had broken off is finished.' '完成：上次中断的操作已经完成。') Green
        return
    }
    Assert-Present
    Stop-OnFinding
    if ($Backup) { Backup-Disk } elseif ($Restore) { Restore-Disk } elseif ($Move) { Move-Disk } else { Optimize-Disk }
}
