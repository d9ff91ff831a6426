# Prints one line for each thing in a script that Windows PowerShell 5.1 does not have: "LINE: what".
param([Parameter(Mandatory = $true)] [string] $Path)

$parameters = @{
    'ConvertFrom-Json'  = 'AsHashtable', 'Depth', 'NoEnumerate', 'DateKind'
    'ConvertTo-Json'    = 'AsArray', 'EnumsAsStrings', 'EscapeHandling'
    'ForEach-Object'    = 'Parallel', 'ThrottleLimit', 'TimeoutSeconds', 'AsJob'
    'Get-ChildItem'     = , 'FollowSymlink'
    'Get-Content'       = , 'AsByteStream'
    'Set-Content'       = , 'AsByteStream'
    'Add-Content'       = , 'AsByteStream'
    'Invoke-RestMethod' = 'Authentication', 'SkipCertificateCheck', 'SkipHttpErrorCheck', 'NoProxy', 'Resume', 'MaximumRetryCount', 'Form', 'SslProtocol', 'Token'
    'Invoke-WebRequest' = 'Authentication', 'SkipCertificateCheck', 'SkipHttpErrorCheck', 'NoProxy', 'Resume', 'MaximumRetryCount', 'Form', 'SslProtocol', 'Token'
    'Join-Path'         = 'AdditionalChildPath', 'Extension'
    'New-Service'       = , 'SecurityDescriptorSddl'
    'Select-Object'     = 'SkipIndex', 'CaseInsensitive'
    'Select-String'     = 'NoEmphasis', 'Raw'
    'Set-Service'       = , 'Credential'
    'Sort-Object'       = 'Top', 'Bottom', 'Stable'
    'Split-Path'        = 'LeafBase', 'Extension'
    'Start-Process'     = , 'Environment'
    'Get-Date'          = 'AsUTC', 'UnixTimeSeconds'
    'Export-Csv'        = 'UseQuotes', 'QuoteFields', 'NoHeader'
    'ConvertTo-Csv'     = 'UseQuotes', 'QuoteFields', 'NoHeader'
    'Tee-Object'        = , 'Encoding'
    'Measure-Object'    = 'StandardDeviation', 'AllStats'
    'Test-Connection'   = 'TcpPort', 'TargetName', 'Ping', 'Traceroute', 'TimeoutSeconds'
}
$commands = 'Test-Json', 'Get-Uptime', 'Get-Error', 'Join-String', 'Remove-Service', 'Remove-Alias', 'Start-ThreadJob', 'ConvertFrom-Markdown',
'Show-Markdown', 'Get-SecureRandom', 'Switch-Process', 'ConvertTo-CliXml', 'ConvertFrom-CliXml', 'pwsh', 'pwsh.exe'
$members = 'GetRelativePath', 'ToHexString', 'FromHexString', 'AppendAllBytes', 'ReadAllLinesAsync', 'ReadAllTextAsync', 'Clamp', 'HashData', 'GetUnixFileMode',
'ProcessPath', 'TryGetValueOrDefault', 'GetValueOrDefault', 'Shuffle', 'ReplaceLineEndings', 'EndsInDirectorySeparator', 'TrimEndingDirectorySeparator'
$kinds = 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot', 'QuestionLBracket', 'AndAnd', 'OrOr', 'Clean'

$tokens = $errors = $null
$ast = [Management.Automation.Language.Parser]::ParseFile($Path, [ref] $tokens, [ref] $errors)
foreach ($problem in $errors) { "$($problem.Extent.StartLineNumber): $($problem.Message)" }

$bytes = [IO.File]::ReadAllBytes($Path)
$mark = $bytes.Length -ge 3 -and $bytes[0] -eq 0xEF -and $bytes[1] -eq 0xBB -and $bytes[2] -eq 0xBF
if (-not $mark -and @($bytes -gt 127)) { '1: letters outside of ASCII without a byte order mark, read in the ANSI code page' }

foreach ($token in $tokens) {
    $line = $token.Extent.StartLineNumber
    if ("$($token.Kind)" -in $kinds) { "${line}: the operator $($token.Text)" }
    if ($token -is [Management.Automation.Language.StringExpandableToken] -and $token.Text -match '`u\{|`e') { "${line}: the escape $($Matches[0])" }
    if ("$($token.Kind)" -eq 'Number' -and $token.Text -match '^0b|[usy]{1,2}l?$') { "${line}: the number $($token.Text)" }
}
function Get-Function($Part) {
    while ($Part.Parent -and $Part -isnot [Management.Automation.Language.FunctionDefinitionAst]) { $Part = $Part.Parent }
    return $Part
}
$goingOn = $ast.FindAll({ $args[0].GetType().Name -eq 'AssignmentStatementAst' -and "$($args[0])" -match "ErrorActionPreference = '(Silently)?Continue'" }, $true)
foreach ($found in $ast.FindAll({ $true }, $true)) {
    $line = $found.Extent.StartLineNumber
    switch ($found.GetType().Name) {
        'TernaryExpressionAst' { "${line}: the operator ?:" }
        'PipelineAst' { if ($found.Background) { "${line}: & at the end of a line" } }
        'VariableExpressionAst' { if ($found.VariablePath.UserPath -match '^(Is(Windows|Linux|MacOS|CoreCLR)|PSStyle|PSNative\w+)$') { "${line}: `$$($found.VariablePath.UserPath)" } }
        'FileRedirectionAst' {
            $function = Get-Function $found
            if ("$($found.FromStream)" -eq 'Error' -and -not ($goingOn | Where-Object { (Get-Function $_) -eq $function })) {
                "${line}: 2> without ErrorActionPreference Continue in its function, which ends a script"
            }
        }
        'MemberExpressionAst' { if ($found.Static -and "$($found.Member)" -in $members) { "${line}: [$($found.Expression.TypeName)]::$($found.Member)" } }
        'InvokeMemberExpressionAst' { if ($found.Static -and "$($found.Member)" -in $members) { "${line}: [$($found.Expression.TypeName)]::$($found.Member)()" } }
        'MergingRedirectionAst' { "${line}: 2>&1, which ends a script under ErrorActionPreference Stop" }
        'CommandAst' {
            $name = $found.GetCommandName()
            if ($name -in $commands) { "${line}: the command $name" }
            $words = @($found.CommandElements | Select-Object -Skip 1)
            foreach ($word in $words) {
                if ($word -is [Management.Automation.Language.CommandParameterAst]) {
                    $known = @($parameters["$name"] | Where-Object { $_ -eq $word.ParameterName })
                    if ($known) { "${line}: $name -$($known[0])" }
                    if ($word.ParameterName -eq 'Encoding' -and "$($words[$words.IndexOf($word) + 1])" -match '^(utf8(No)?BOM|ansi)$') { "${line}: -Encoding $($Matches[0])" }
                }
            }
            if ("$($found.InvocationOperator)" -eq 'Ampersand' -and "$($found.CommandElements[0])" -match '\.exe') {
                foreach ($word in $words | Where-Object { $_.PSObject.Properties['Value'] -and $_.Value -is [string] }) {
                    if ($word.Value -eq '') { "${line}: an empty argument, which a program does not get" }
                    if ($word.Value.Contains('"')) { "${line}: a double quote in an argument, which a program does not get" }
                }
            }
            if ($name -eq 'Join-Path' -and @($words | Where-Object { $_ -isnot [Management.Automation.Language.CommandParameterAst] }).Count -gt 2) { "${line}: Join-Path with three parts" }
        }
    }
}
