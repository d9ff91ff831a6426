"""A freshly installed Windows: registry, folders, programs and features that every machine has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.winsim.model.files import Content

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

MACHINE_ENVIRONMENT = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Session Manager\\Environment"
CURRENT_VERSION = "HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
WINDOWS_CURRENT = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion"
UNINSTALL = WINDOWS_CURRENT + "\\Uninstall"
COMPUTER_NAME = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\ComputerName"
TCPIP = "HKLM\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters"
WINLOGON = CURRENT_VERSION + "\\Winlogon"
SYSTEM32 = "C:\\Windows\\System32"
MICROSOFT = "CN=Microsoft Windows, O=Microsoft Corporation, L=Redmond, S=Washington, C=US"

# name, size in bytes; the handler of the same name plays it
_PROGRAMS = (
    "certutil.exe", "cmd.exe", "cscript.exe", "curl.exe", "dism.exe", "hostname.exe", "icacls.exe", "ipconfig.exe", "msiexec.exe",
    "net.exe", "netsh.exe", "netstat.exe", "ping.exe", "powercfg.exe", "reg.exe", "sc.exe", "schtasks.exe", "shutdown.exe", "systeminfo.exe",
    "takeown.exe", "tar.exe", "tasklist.exe", "taskkill.exe", "timeout.exe", "tzutil.exe", "where.exe", "whoami.exe",
    "wusa.exe", "setx.exe", "more.com", "findstr.exe", "sort.exe", "find.exe", "chcp.com", "robocopy.exe", "xcopy.exe",
    "regsvr32.exe", "rundll32.exe", "bcdedit.exe", "wevtutil.exe", "tree.com", "mountvol.exe", "fsutil.exe", "diskpart.exe",
)  # fmt: skip

_FOLDERS = (
    "C:\\Windows\\Temp", "C:\\Windows\\Fonts", "C:\\Windows\\System32\\drivers\\etc", "C:\\Windows\\SysWOW64",
    "C:\\Program Files\\Common Files", "C:\\Program Files (x86)\\Common Files", "C:\\ProgramData",
    "C:\\Users\\Public", "C:\\Users\\Default\\AppData\\Local", "C:\\PerfLogs",
    "C:\\Windows\\system32\\config\\systemprofile", "C:\\Windows\\ServiceProfiles\\LocalService",
    "C:\\Windows\\ServiceProfiles\\NetworkService",
)  # fmt: skip

_FEATURES = ("VirtualMachinePlatform", "Microsoft-Windows-Subsystem-Linux")
"""Both need a restart."""


def install_windows(machine: Pc) -> None:
    """Fill an empty machine with a fresh Windows of the described build."""
    _folders_and_programs(machine)
    _current_version(machine, machine.description["windows"])
    _environment(machine)
    for name in _FEATURES:
        machine.features.add(name)


def _folders_and_programs(machine: Pc) -> None:
    files = machine.files
    for folder in _FOLDERS:
        files.mkdir(folder, owner="NT AUTHORITY\\SYSTEM")

    def program(path: str, name: str, **data: Any) -> None:
        content = Content(180_224, signer=MICROSOFT, program=name, data=data, origin=f"windows:{name}")
        files.put(path, content, parents=True, owner="NT SERVICE\\TrustedInstaller")

    for name in _PROGRAMS:
        program(f"{SYSTEM32}\\{name}", name)
    program(f"{SYSTEM32}\\WindowsPowerShell\\v1.0\\powershell.exe", "powershell.exe")
    program("C:\\Windows\\SysWOW64\\rundll32.exe", "rundll32.exe")
    files.write_text(f"{SYSTEM32}\\winrm.vbs", "' Windows Remote Management\r\n")
    program("C:\\Windows\\explorer.exe", "explorer.exe")
    program("C:\\Windows\\notepad.exe", "notepad.exe")
    program(f"{SYSTEM32}\\notepad.exe", "notepad.exe")
    if machine.build >= 18362:
        program(f"{SYSTEM32}\\wsl.exe", "wsl.exe", inbox=True)
    for kind in ("SOFTWARE", "SYSTEM", "DEFAULT"):
        files.put(f"{SYSTEM32}\\config\\{kind}", Content(1_048_576, origin=f"windows:{kind}"), parents=True)
    files.put("C:\\Users\\Default\\NTUSER.DAT", Content(262_144, origin="windows:hive"), parents=True)
    hosts = b"# Copyright (c) 1993-2009 Microsoft Corp.\r\n#\r\n# localhost name resolution is handled within DNS itself.\r\n"
    files.write_bytes(f"{SYSTEM32}\\drivers\\etc\\hosts", hosts)


def _current_version(machine: Pc, windows: dict[str, Any]) -> None:
    registry = machine.registry
    build = str(windows["build"])
    values: dict[str, Any] = {
        "ProductName": "Windows 10 Pro" if windows["edition"] == "Professional" else "Windows 10 Home",
        "EditionID": windows["edition"],
        "CurrentBuild": build,
        "CurrentBuildNumber": build,
        "CurrentVersion": "6.3",
        "CurrentMajorVersionNumber": 10,
        "CurrentMinorVersionNumber": 0,
        "DisplayVersion": windows["display_version"],
        "ReleaseId": "2009" if windows["build"] >= 19042 else windows["display_version"],
        "UBR": windows["ubr"],
        "InstallationType": "Client",
        "RegisteredOwner": "lab",
        "RegisteredOrganization": "",
        "SystemRoot": "C:\\WINDOWS",
        "ProductId": "00330-80000-00000-AA000",
        "BuildLabEx": f"{build}.1.amd64fre.ge_release.240331-1435",
    }
    for name, data in values.items():
        registry.set(CURRENT_VERSION, name, data)
    registry.create(CURRENT_VERSION + "\\ProfileList")
    registry.create(UNINSTALL)
    registry.create("HKLM\\SOFTWARE\\WOW6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall")
    registry.set(WINDOWS_CURRENT, "ProgramFilesDir", "C:\\Program Files")
    registry.set(WINDOWS_CURRENT, "CommonFilesDir", "C:\\Program Files\\Common Files")
    registry.set(WINLOGON, "Shell", "explorer.exe")
    registry.create(WINLOGON + "\\AutoLogonChecked", volatile=True)
    registry.create(WINDOWS_CURRENT + "\\Run")
    registry.create(WINDOWS_CURRENT + "\\Policies\\System")
    registry.create("HKLM\\SOFTWARE\\Policies\\Microsoft")
    registry.create("HKLM\\SOFTWARE\\Classes")
    registry.create("HKLM\\SYSTEM\\CurrentControlSet\\Services")
    registry.set("HKLM\\SYSTEM\\CurrentControlSet\\Control\\FileSystem", "LongPathsEnabled", 0)
    language = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\Nls\\Language"
    registry.set(language, "InstallLanguage", "0804" if windows["language"] == "zh-CN" else "0409")
    registry.set(language, "Default", "0804" if windows["language"] == "zh-CN" else "0409")
    codepage = "936" if windows["language"] == "zh-CN" else "437"
    registry.set("HKLM\\SYSTEM\\CurrentControlSet\\Control\\Nls\\CodePage", "OEMCP", codepage)
    zone = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\TimeZoneInformation"
    registry.set(zone, "TimeZoneKeyName", windows["timezone"])
    cpu = machine.description["hardware"]
    for index in range(cpu["threads"]):
        key = f"HKLM\\HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\{index}"
        registry.set(key, "ProcessorNameString", cpu["cpu"])
        registry.set(key, "VendorIdentifier", "GenuineIntel" if "Intel" in cpu["cpu"] else "AuthenticAMD")


def _environment(machine: Pc) -> None:
    registry = machine.registry
    expand = "%SystemRoot%\\system32;%SystemRoot%;%SystemRoot%\\System32\\Wbem;"
    expand += "%SYSTEMROOT%\\System32\\WindowsPowerShell\\v1.0\\"
    threads = machine.description["hardware"]["threads"]
    for name, data, kind in (
        ("ComSpec", "%SystemRoot%\\system32\\cmd.exe", "REG_EXPAND_SZ"),
        ("DriverData", "C:\\Windows\\System32\\Drivers\\DriverData", "REG_SZ"),
        ("NUMBER_OF_PROCESSORS", str(threads), "REG_SZ"),
        ("OS", "Windows_NT", "REG_SZ"),
        ("Path", expand, "REG_EXPAND_SZ"),
        ("PATHEXT", ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC", "REG_SZ"),
        ("PROCESSOR_ARCHITECTURE", "AMD64", "REG_SZ"),
        (
            "PSModulePath",
            "%ProgramFiles%\\WindowsPowerShell\\Modules;%SystemRoot%\\system32\\WindowsPowerShell\\v1.0\\Modules",
            "REG_EXPAND_SZ",
        ),
        ("TEMP", "%SystemRoot%\\TEMP", "REG_EXPAND_SZ"),
        ("TMP", "%SystemRoot%\\TEMP", "REG_EXPAND_SZ"),
        ("USERNAME", "SYSTEM", "REG_SZ"),
        ("windir", "%SystemRoot%", "REG_EXPAND_SZ"),
    ):
        registry.set(MACHINE_ENVIRONMENT, name, data, kind)


def make_profile(machine: Pc, account: str) -> None:
    """Give an account its profile: folder, hive and environment (a first log-on, network log-ons included)."""
    user = machine.users.find(account)
    if user is None or user.profile_exists:
        return
    user.profile_exists = True
    sid = machine.users.sid(user.name)
    for folder in ("AppData\\Local\\Temp", "AppData\\Local\\Microsoft\\WindowsApps", "AppData\\Roaming", "Desktop"):
        machine.files.mkdir(f"{user.profile}\\{folder}", owner=f"{machine.host_name}\\{user.name}")
    for folder in ("Documents", "Downloads"):
        machine.files.mkdir(f"{user.profile}\\{folder}", owner=f"{machine.host_name}\\{user.name}")
    machine.registry.set(f"{CURRENT_VERSION}\\ProfileList\\{sid}", "ProfileImagePath", user.profile, "REG_EXPAND_SZ")
    view = machine.registry.view(user.name)
    environment = "HKCU\\Environment"
    local = "%USERPROFILE%\\AppData\\Local"
    view.set(environment, "Path", f"{local}\\Microsoft\\WindowsApps;", "REG_EXPAND_SZ")
    view.set(environment, "TEMP", f"{local}\\Temp", "REG_EXPAND_SZ")
    view.set(environment, "TMP", f"{local}\\Temp", "REG_EXPAND_SZ")
    settings = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
    view.set(settings, "ProxyEnable", 0)
    view.create(settings + "\\Connections")
    view.create("HKCU\\Console")
    view.create("HKCU\\Software\\Classes")
