"""The PowerShell subset, in the words that Ansible and upstream's tests use."""

from __future__ import annotations

import base64

import pytest

from lab.winsim import handlers, process
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import run_process
from lab.winsim.pwsh.host import clixml_errors

SUFFIX = (
    "\r\nIf (-not $?) { If (Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue) "
    "{ exit $LASTEXITCODE } Else { exit 1 } }"
)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("'single ''quoted'''", ["single 'quoted'"]),
        ('$x = 2; "x=$x $($x * 3) `$x"', ["x=2 6 $x"]),
        ('"{0:D3} {1}" -f 7, "b"', ["007 b"]),
        ("1..3 | ForEach-Object { $_ * 2 }", ["2", "4", "6"]),
        ("1..4 | Where-Object { $_ % 2 -eq 0 }", ["2", "4"]),
        ("$h = @{ b = 1; 'c d' = 2 }; $h.b; $h['c d']; $h.Count", ["1", "2", "2"]),
        ("if (1 -gt 2) { 'a' } elseif ($true) { 'b' } else { 'c' }", ["b"]),
        ("foreach ($i in 1, 2) { if ($i -eq 1) { continue }; $i }", ["2"]),
        ("$i = 0; while ($true) { $i++; if ($i -gt 2) { break } }; $i", ["3"]),
        ("for ($i = 0; $i -lt 2; $i++) { $i }", ["0", "1"]),
        ("switch ('b') { a { 1 } b { 2 } default { 3 } }", ["2"]),
        ("function f($a, $b = 5) { $a + $b }; f 1; f -b 1 -a 1", ["6", "2"]),
        ("try { throw 'boom' } catch { \"<$_>\" } finally { 'end' }", ["<boom>", "end"]),
        ("try { Get-Item C:\\nope -ErrorAction Stop } catch { $_.Exception.Message }",
         ["Cannot find path 'C:\\nope' because it does not exist."]),
        ("'a-b' -replace '(\\w)-(\\w)', '$2-$1'", ["b-a"]),
        ("'x12' -match '(?<n>\\d+)'; $Matches.n", ["True", "12"]),
        ("@(1, 2, 2) -contains 2; 5 -in 1, 2; 'abc' -like 'A*'", ["True", "False", "True"]),
        ("$a, $b = 1, 2, 3; $a; $b", ["1", "2", "3"]),
        ("@{ a = 1; b = @('x', $null); c = $true } | ConvertTo-Json -Compress", ['{"a":1,"b":["x",null],"c":true}']),
        ("('{\"a\":[1,{\"b\":2}]}' | ConvertFrom-Json).a[1].b", ["2"]),
        ("[Environment]::ExpandEnvironmentVariables('%LAB% %NOPE%')", ["here %NOPE%"]),
        ("$env:LAB; Test-Path env:LAB; $env:LAB = 'new'; $env:LAB", ["here", "True", "new"]),
        ("[string]::IsNullOrEmpty(''); [int]'5' + 1; [bool]'x'", ["True", "6", "True"]),
        ("'a,b,c'.Split(',')[1].ToUpper().PadLeft(3)", ["  B"]),
        ("[Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes('hi'))", ["aGk="]),
        ("Join-Path C:\\a b; Split-Path C:\\a\\b -Leaf", ["C:\\a\\b", "b"]),
        ("New-Item -Path C:\\w -ItemType Directory > $null; Set-Content C:\\w\\a.txt 'one', 'two'; Get-Content C:\\w\\a.txt",
         ["one", "two"]),
        (("New-Item HKLM:\\SOFTWARE\\Lab > $null; Set-ItemProperty HKLM:\\SOFTWARE\\Lab n 5 -Type DWord;"
         "(Get-ItemProperty HKLM:\\SOFTWARE\\Lab).n; Test-Path HKLM:\\SOFTWARE\\Nope"), ["5", "False"]),
        (("[Microsoft.Win32.Registry]::LocalMachine.OpenSubKey(\n  'SOFTWARE\\Microsoft', $true\n).GetValue(\n"
         "  'nope', $null, 'DoNotExpandEnvironmentNames'\n) -eq 'x'"), ["False"]),
        ("(Get-CimInstance -ClassName Win32_OperatingSystem -Property Caption).Caption.Contains('Server')", ["False"]),
        ("(Get-WindowsOptionalFeature -Online -FeatureName VirtualMachinePlatform).State", ["Disabled"]),
        ("& { param($a) \"<$a>\" } 7", ["<7>"]),
        ("cmd /c 'exit 5'; $LASTEXITCODE; $?", ["5", "True"]),
        ("$out = hostname; \"<$out>\"", ["<LAB-PC>"]),
    ],
)  # fmt: skip
def test_scripts_give_what_windows_powershell_gives(powershell, text: str, lines: list[str]) -> None:
    result = powershell(text, LAB="here")
    assert (result.lines, bytes(result.stderr)) == (lines, b"")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("exit 7", 7),
        ("'fine'", 0),
        ("Get-Item C:\\nope", 1),
        ("Get-Item C:\\nope; 'fine'", 0),
        ("throw 'boom'", 1),
        ("cmd /c 'exit 5'" + SUFFIX, 5),
        ("Remove-Item 'C:\\nope' -Force -Recurse;" + SUFFIX, 1),
        ("1 / 0; 'goes on'", 0),
        ("$ErrorActionPreference = 'Stop'; 1 / 0; exit 0", 1),
    ],
)
def test_exit_codes(powershell, text: str, code: int) -> None:
    assert powershell(text).code == code


def test_the_texts_of_a_reboot_are_understood(powershell, machine) -> None:
    boot = "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTime()"
    before = powershell("Set-StrictMode -Version Latest\r\n" + boot + SUFFIX).lines
    assert [int(line) // 10_000_000 for line in before] == [machine.last_boot // 10_000_000]
    key = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\AutoLogonChecked"
    reboot = powershell(
        "$ErrorActionPreference = 'Continue'\n\nif ($True) {\n    Remove-Item -LiteralPath '" + key + "' -Force "
        "-ErrorAction SilentlyContinue\n}\n\n$stdout = $null\n"
        "$stderr = . { C:\\Windows\\System32\\shutdown.exe /r /t 2 /c 'by Ansible' | Set-Variable stdout } 2>&1 "
        "| ForEach-Object ToString\n\nConvertTo-Json -Compress -InputObject @{\n"
        '    stdout = (@($stdout) -join "`n")\n    stderr = (@($stderr) -join "`n")\n    rc = $LASTEXITCODE\n}\n'
    )
    assert reboot.lines == ['{"stdout":"","stderr":"","rc":0}']
    assert len(machine.boots) == 2
    assert powershell(f"Get-Item -LiteralPath '{key}' -ErrorAction Stop; 'success-1'").lines[-1] == "success-1"
    assert powershell(boot).lines != before


def test_hives_are_loaded_as_upstreams_tests_do(powershell) -> None:
    script = (
        '$ErrorActionPreference = "Stop"\n&reg.exe load HKLM\\ANSIBLE C:\\Users\\Default\\NTUSER.dat > $null\n'
        "Test-Path -Path HKLM:\\ANSIBLE\\NewKey\n[GC]::Collect()\n[GC]::WaitForPendingFinalizers()\n"
        "&reg.exe unload HKLM\\ANSIBLE > $null\nexit 0"
    )
    result = powershell(script)
    assert (result.lines, result.code) == (["False"], 0)


@pytest.mark.parametrize(
    ("text", "construct"),
    [
        ("Get-Frobnication", "cmdlet Get-Frobnication at line 1, column 1"),
        ("'a'\n  Start-Job { 1 }", "cmdlet Start-Job at line 2, column 3"),
        ("[Net.Dns]::GetHostName()", "[Net.Dns]::GetHostName() at line 1, column 10"),
        ("Get-Item C:\\ -Stream x", "parameter -Stream of Get-Item at line 1, column 1"),
        ("'x'.Frobnicate()", "method 'Frobnicate' of str at line 1, column 4"),
        ("Get-CimInstance Win32_Fan", "Get-CimInstance Win32_Fan at line 1, column 1"),
        ("trap { 1 }", "statement 'trap' at line 1, column 1"),
        ("echo a && echo b", "operator '&' after a command at line 1, column 8"),
        ("'open", "a string that does not end at line 1, column 1"),
        ("while ($true) { }", "a loop that does not end at line 1, column 1"),
    ],
)
def test_what_the_subset_does_not_know_is_named_with_its_place(powershell, text: str, construct: str) -> None:
    with pytest.raises(SimulatorError) as error:
        powershell(text)
    assert str(error.value) == f"simulator: PowerShell not understood: {construct}"


def test_errors_of_an_encoded_command_are_clixml(process) -> None:
    made, result = process()
    made.argv = ["powershell", "-EncodedCommand", base64.b64encode("throw 'a <b>'".encode("utf-16-le")).decode()]
    assert run_process(made) == 1
    assert result.stderr.startswith(
        b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        b'<S S="Error">a &lt;b&gt;_x000D__x000A_</S>'
    )
    assert clixml_errors(["_x000D_"]).endswith(b'<S S="Error">_x005F_x000D__x000D__x000A_</S></Objs>')


@pytest.mark.parametrize(
    "arguments",
    [
        ["-NoProfile", "-NonInteractive", "-Command", "'out'"],
        ["-nop", "-noni", "-ex", "Bypass", "-c", "'out'"],
        ["-EncodedCommand", base64.b64encode("'out'".encode("utf-16-le")).decode()],
        ["-e", base64.b64encode("'out'".encode("utf-16-le")).decode()],
        ["'out'"],
    ],
)
def test_switches_of_powershell_are_known_in_every_form(process, arguments: list[str]) -> None:
    made, result = process()
    made.argv = ["powershell.exe", *arguments]
    assert (run_process(made), bytes(result.stdout)) == (0, b"out\r\n")


def test_unknown_switch_is_refused(process) -> None:
    made, _ = process()
    made.argv = ["powershell.exe", "-Frobnicate", "x"]
    with pytest.raises(SimulatorError, match="switch '-Frobnicate' is not known"):
        run_process(made)


def test_win_powershell_returns_streams_and_objects(machine) -> None:
    session = process.Session(machine, "student", environment=machine.environment_for("student"))
    empty = dict.fromkeys(
        ["arguments", "chdir", "creates", "executable", "path", "removes", "sensitive_parameters", "remote_src"]
    )
    script = (
        "param($Name, $Items)\nWrite-Warning 'careful'\n@{ name = $Name; count = $Items.Count }\n"
        "$Ansible.Result = @{ a = 1 }\n$Ansible.Changed = $false\nWrite-Error 'small'\n"
    )
    arguments = {
        **empty,
        "script": script,
        "parameters": {"Name": "n", "Items": [1, 2]},
        "depth": 2,
        "error_action": "continue",
    }
    call = process.ModuleCall(session, "ansible.windows.win_powershell", arguments)
    result = handlers.MODULES[call.name](call)
    assert result["output"] == [{"name": "n", "count": 2}]
    assert (result["changed"], result["failed"], result["result"]) == (False, False, {"a": 1})
    assert (result["warning"], result["error"][0]["exception"]["message"]) == (["careful"], "small")
    assert result["host_out"] == ""
    call.args |= {"script": "throw 'boom'", "parameters": None}
    failed = handlers.MODULES[call.name](call)
    assert (failed["failed"], failed["error"][0]["exception"]["message"]) == (True, "boom")
    call.args["executable"] = "pwsh.exe"
    with pytest.raises(SimulatorError, match="option executable is not modelled"):
        handlers.MODULES[call.name](call)
