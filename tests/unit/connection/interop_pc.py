"""A Windows for the connection plugin wsl_interop: the programs of System32 are scripts."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

from ansible.playbook.play_context import PlayContext
from ansible.plugins.loader import connection_loader

# Stands for powershell.exe: writes down how it was called, tells its number, and does what behaviour.json says.
POWERSHELL = r"""
import base64, json, os, re, sys, time
from pathlib import Path
here = Path(__file__).parent
what = json.loads((here / "behaviour.json").read_text())
script = base64.b64decode(sys.argv[sys.argv.index("-EncodedCommand") + 1]).decode("utf-16-le")
mark = re.search(r"WriteLine\('([^']+)'", script)
if mark and what.get("begins", True):
    sys.stderr.buffer.write(f"{what.get('before', '')}{mark[1]}{os.getpid()}\r\n".encode())
    sys.stderr.buffer.flush()
call = {"argv": sys.argv, "script": script, "cwd": os.getcwd(), "environment": dict(os.environ)}
call["stdin"] = sys.stdin.buffer.read().decode()
with (here / "calls").open("a") as file:
    file.write(json.dumps(call) + "\n")
for path in what.get("unlink", []):
    os.unlink(path)
time.sleep(what.get("sleep", 0))
sys.stdout.buffer.write(bytes.fromhex(what.get("stdout", "")))
sys.stdout.buffer.flush()
sys.stderr.buffer.write(bytes.fromhex(what.get("stderr", "")))
sys.stderr.buffer.flush()
os._exit(what.get("rc", 0) % 256)
"""
# The real PowerShell, with a drive C:. As a Windows program, it lives on when what connects it with Linux is killed.
REAL = r"""
import base64, os, subprocess, sys
os.environ.update(NO_COLOR="1", TEMP="{root}/Users/mei")
at = sys.argv.index("-EncodedCommand") + 1
script = base64.b64decode(sys.argv[at]).decode("utf-16-le")
drive = "$null = New-PSDrive -Name C -PSProvider FileSystem -Root '{root}' -Scope Global\n"
encoded = base64.b64encode((drive + script).encode("utf-16-le")).decode()
argv = ["{pwsh}", *sys.argv[1:at], encoded]
sys.exit(subprocess.Popen(argv, start_new_session=True).wait() % 256)
"""
WSLPATH = r"""#!/bin/sh
case "$1 $2" in
'-w /') printf '%s\n' '\\wsl.localhost\Ubuntu-24.04\' ;;
'-u C:\') [ -d '{root}' ] && echo '{root}' ;;
*) exit 1 ;;
esac
"""
TASKKILL = r"""#!/bin/sh
echo "$@" >>"${0%/*}/killed"
list() { for child in $(ps -o pid= --ppid "$1"); do list "$child"; done; echo "$1"; }
kill -9 $(list "$2")
"""
WHOAMI = r"""#!/bin/sh
echo asked >>"${0%/*}/asked"
cat "${0%/*}/groups.csv"
"""
HIGH = '"Mandatory Label\\High Mandatory Level","Label","S-1-16-12288",""\r\n'
MEDIUM = '"Mandatory Label\\Medium Mandatory Level","Label","S-1-16-8192",""\r\n'
USER = '"my-pc\\mei","S-1-5-21-1-2-3-1001"\r\n'
KEY = r"HKEY_CURRENT_USER\Software\Microsoft\Windows\CurrentVersion\Lxss\{1}"


class Pc:
    """A folder that is Windows' drive C:, and one with the wslpath that knows it."""

    def __init__(self, folder: Path, pwsh: str | None = None) -> None:
        self.drive, self.tools = folder / "c", folder / "tools"
        self.profile = self.drive / "Users" / "mei"
        self.system32 = self.drive / "Windows" / "System32"
        self.powershell = self.system32 / "WindowsPowerShell" / "v1.0" / "powershell.exe"
        for path in (self.profile, self.powershell.parent, self.tools):
            path.mkdir(parents=True)
        self.program(self.tools / "wslpath", WSLPATH.replace("{root}", str(self.drive)))
        self.program(self.system32 / "whoami.exe", WHOAMI)
        self.program(self.system32 / "taskkill.exe", TASKKILL)
        self.says("cmd.exe", "C:\\Users\\mei\r\n")
        self.says("chcp.com", "活动代码页: 936\r\n".encode("gbk"))
        self.account()
        python = REAL.replace("{root}", str(self.drive)).replace("{pwsh}", str(pwsh)) if pwsh else POWERSHELL
        self.program(self.powershell, f"#!{sys.executable}\n{python}")
        if pwsh:  # ansible-core 2.21 looks for it by this name
            self.program(self.tools / "powershell", f'#!/bin/sh\nexec "{pwsh}" "$@"\n')
        self.behave()

    @staticmethod
    def connect(**variables: Any) -> Any:
        """Make a connection, as each task has one of its own."""
        connection = connection_loader.get("wsl_interop", PlayContext())
        connection.__init__.__globals__["_mounted_drive"].cache_clear()
        connection.set_options(var_options={"inventory_hostname": "windows"} | variables)
        return connection

    def program(self, path: Path, text: str) -> None:
        """Write a program of Windows."""
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def says(self, name: str, text: str | bytes, rc: int = 0, error: str = "") -> None:
        """Have a program of System32 answer this."""
        (self.system32 / f"{name}.out").write_bytes(text if isinstance(text, bytes) else text.encode())
        (self.system32 / f"{name}.err").write_text(error)
        self.program(self.system32 / name, f'#!/bin/sh\ncat "$0.out"; cat "$0.err" >&2; exit {rc}\n')

    def account(self, level: str = HIGH, distribution: str = "Ubuntu-24.04") -> None:
        """Have the terminal belong to an account of this level, which owns this distribution."""
        (self.system32 / "groups.csv").write_text(USER + level)
        self.says("reg.exe", f"\r\n{KEY}\r\n    DistributionName    REG_SZ    {distribution}\r\n\r\n")

    def behave(self, **what: object) -> None:
        """Say what the stand-in for PowerShell does: begins, before, sleep, stdout and stderr (hex), rc, unlink."""
        (self.powershell.parent / "behaviour.json").write_text(json.dumps(what))

    @property
    def calls(self) -> list[dict]:
        """How the stand-in for PowerShell was called."""
        path = self.powershell.parent / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    @property
    def asked(self) -> int:
        """How often Windows was asked whose the session is."""
        path = self.system32 / "asked"
        return len(path.read_text().splitlines()) if path.exists() else 0

    @property
    def killed(self) -> list[str]:
        """With which arguments taskkill.exe was called."""
        path = self.system32 / "killed"
        return path.read_text().splitlines() if path.exists() else []


def running(text: str) -> list[int]:
    """Return the processes that have this in their command line, but this one."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if text.encode() in (entry / "cmdline").read_bytes().replace(b"\0", b" "):
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
