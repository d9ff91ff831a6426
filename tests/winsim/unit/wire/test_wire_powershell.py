"""powershell.exe: the fixed texts of Ansible, the product's scripts, and nothing else."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest
from ansible.plugins.loader import init_plugin_loader
from ansible.plugins.shell.powershell import ShellModule

from lab.winsim import clixml, product_scripts
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import run_process

init_plugin_loader()
from ansible_collections.ansible.windows.plugins.plugin_utils._reboot import reboot_host  # noqa: E402 - after the loader

ROOT = Path(__file__).parents[4]
SUFFIX = (
    "; If (-not $?) { If (Get-Variable LASTEXITCODE -ErrorAction SilentlyContinue) "
    "{ exit $LASTEXITCODE } Else { exit 1 } }"
)
KEY = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Winlogon\\AutoLogonChecked"
BOOT_TIME = "(Get-CimInstance -ClassName Win32_OperatingSystem -Property LastBootUpTime).LastBootUpTime.ToFileTime()"
RESTART = f"""$ErrorActionPreference = 'Continue'

if ($True) {{
    Remove-Item -LiteralPath '{KEY}' -Force -ErrorAction SilentlyContinue
}}

$stdout = $null
$stderr = . {{ C:\\Windows\\System32\\shutdown.exe /r /t 2 /c 'it''s Ansible' | Set-Variable stdout }} 2>&1 | ForEach-Object ToString

ConvertTo-Json -Compress -InputObject @{{
    stdout = (@($stdout) -join "`n")
    stderr = (@($stderr) -join "`n")
    rc = $LASTEXITCODE
}}
"""  # as ansible.windows.plugins.plugin_utils._reboot writes it


@pytest.fixture
def powershell(process):
    """Run a text as an encoded command."""

    def run(text: str):
        made, result = process()
        made.argv = ["PowerShell", "-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Unrestricted"]
        made.argv += ["-EncodedCommand", base64.b64encode(text.encode("utf-16-le")).decode()]
        result.code = run_process(made)
        return result

    return run


def test_a_restart_is_done_in_the_words_of_win_reboot(powershell, machine) -> None:
    before = powershell(BOOT_TIME + SUFFIX).lines
    assert before == [str(machine.last_boot)]
    assert powershell(RESTART + SUFFIX).lines == ['{"stdout":"","stderr":"","rc":0}']
    assert len(machine.boots) == 2
    assert powershell(f"Get-Item -LiteralPath '{KEY}' -ErrorAction Stop; 'success-1f'" + SUFFIX).lines == ["success-1f"]
    assert powershell(BOOT_TIME + SUFFIX).lines != before


def test_win_reboot_itself_restarts_and_is_content(process, machine) -> None:
    """The installed ansible.windows, whichever it is: its text is not the same with every ansible-core."""
    said = []

    class Connection:
        """What win_reboot asks of a connection."""

        transport = "winrm"

        def exec_command(self, command: str, **_: object) -> tuple[int, bytes, bytes]:
            made, result = process()
            made.argv = command.split()
            code = run_process(made)
            said.append((code, bytes(result.stderr)))
            return code, bytes(result.stdout), bytes(result.stderr)

        def get_option(self, name: str) -> object:
            raise KeyError(name)

        def set_option(self, name: str, value: object) -> None:
            raise KeyError(name)

        def reset(self) -> None:
            """There is nothing to open anew."""

    done = reboot_host("win_reboot", Connection(), msg="it's Ansible", reboot_timeout=20)
    assert (done["changed"], done["failed"], said) == (True, False, [(0, b"")] * 4)
    assert len(machine.boots) == 2


def test_a_second_restart_is_refused_by_shutdown(powershell, machine) -> None:
    machine.pending_shutdown = {"delay": 60}
    assert re.search(r'"stderr":"[^"]*1190[^"]*","rc":1190}', powershell(RESTART + SUFFIX).lines[0])


def test_before_the_sign_in_screen_is_there_the_test_of_a_restart_fails(powershell, machine) -> None:
    machine.registry.delete(KEY.replace("HKLM:", "HKLM"))
    result = powershell(f"Get-Item -LiteralPath '{KEY}' -ErrorAction Stop; 'success-1f'" + SUFFIX)
    assert (result.code, result.lines) == (1, [])
    assert f"Cannot find path '{KEY}' because it does not exist.".encode() in bytes(result.stderr)


@pytest.mark.parametrize("recurse", [True, False])
def test_folders_are_removed_as_ansibles_shell_asks(process, machine, recurse: bool) -> None:
    machine.files.write_text("C:\\it's\\x.txt", "x", parents=True)
    path = "C:\\it's" if recurse else "C:\\it's\\x.txt"
    made, result = process()
    made.argv = [word.strip("'") for word in ShellModule().remove(path, recurse=recurse).split()]
    assert (run_process(made), bytes(result.stderr)) == (0, b"")
    assert not machine.files.exists(path)
    assert run_process(made) == 1
    assert b"because it does not exist." in result.stderr


def test_a_text_between_quotes_is_not_encoded_properly(process) -> None:
    """ansible-core 2.21 quotes a text that ends with "=", and over WinRM powershell.exe gets the quotes."""
    made, result = process()
    made.argv = ["powershell.exe", "-NoProfile", "-NonInteractive", "-EncodedCommand", "'ZQB4AGkAdAAgADMANQA='"]
    assert run_process(made) == 0xFFFD0000
    assert bytes(result.stderr) == (
        b"Cannot process the command because the value specified with -EncodedCommand is not properly encoded. "
        b"The value must be Base64 encoded. \r\n"
    )


def test_a_path_may_stand_without_quotes_as_in_ansible_core_2_21(powershell, machine) -> None:
    machine.files.write_text("C:\\Temp\\ansible-tmp-1.2-3\\x.txt", "x", parents=True)
    assert powershell("Remove-Item C:\\Temp\\ansible-tmp-1.2-3\\. -Force -Recurse").code == 0
    assert not machine.files.exists("C:\\Temp\\ansible-tmp-1.2-3")


def test_each_script_of_the_product_has_a_function() -> None:
    scripts = {path.name: path.read_text() for path in ROOT.glob("roles/*/files/*.ps1")}
    unknown = [name for name, text in scripts.items() if product_scripts.digest(text) not in product_scripts.SCRIPTS]
    assert unknown == [], "write what they do, with their digest, into lab/winsim/product_scripts.py"
    assert len(product_scripts.SCRIPTS) == len(scripts), "a function there has no script any more"


def test_a_script_is_known_without_its_comments_only(machine) -> None:
    text = (ROOT / "roles/wsl_enable/files/virtualization.ps1").read_text()
    assert (
        product_scripts.digest(text.replace("# What Windows knows", "# All that Windows knows"))
        in product_scripts.SCRIPTS
    )
    with pytest.raises(
        SimulatorError, match="^simulator: PowerShell not known: .*; this one has the digest [0-9a-f]{64}$"
    ):
        product_scripts.run(machine, text.replace("-gt 0", "-gt 1"))


@pytest.mark.parametrize(
    "text", ["'x'", "Get-Frobnication", BOOT_TIME + "; 'more'", "Remove-Item 'C:\\x' -Force; 'more'"]
)
def test_another_text_is_refused(powershell, text: str) -> None:
    with pytest.raises(SimulatorError, match="^simulator: PowerShell not known: "):
        powershell(text)


@pytest.mark.parametrize("arguments", [["-Command", "'out'"], ["-File", "x.ps1"], ["'out'"], ["-Frobnicate"], []])
def test_another_way_to_call_it_is_refused(process, arguments: list[str]) -> None:
    made, _ = process()
    made.argv = ["powershell.exe", *arguments]
    with pytest.raises(SimulatorError, match="only -EncodedCommand is"):
        run_process(made)


def test_errors_are_clixml() -> None:
    assert clixml.errors(["a <b>"]) == (
        b'#< CLIXML\r\n<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">'
        b'<S S="Error">a &lt;b&gt;_x000D__x000A_</S></Objs>'
    )
    assert clixml.errors(["_x000D_"]).endswith(b'<S S="Error">_x005F_x000D__x000D__x000A_</S></Objs>')
