"""Windows Terminal and winget: MSIX packages that come with Windows 11, or do not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.winsim.model.software import install_msix, preinstallable

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

TERMINAL = {
    "name": "Microsoft.WindowsTerminal",
    "full_name": "Microsoft.WindowsTerminal_1.24.2812.0_x64__8wekyb3d8bbwe",
    "family": "Microsoft.WindowsTerminal_8wekyb3d8bbwe",
    "version": "1.24.2812.0",
    "aliases": ["wt.exe"],
}
WINGET = {
    "name": "Microsoft.DesktopAppInstaller",
    "full_name": "Microsoft.DesktopAppInstaller_1.28.190.0_x64__8wekyb3d8bbwe",
    "family": "Microsoft.DesktopAppInstaller_8wekyb3d8bbwe",
    "version": "1.28.190.0",
    "aliases": ["winget.exe"],
}


@preinstallable("windows-terminal")
def _terminal(machine: Pc, entry: dict[str, Any]) -> None:
    install_msix(machine, TERMINAL)


@preinstallable("winget")
def _winget(machine: Pc, entry: dict[str, Any]) -> None:
    install_msix(machine, WINGET)
