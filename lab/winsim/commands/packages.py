"""winget.exe, wt.exe, and rundll32.exe as NVIDIA's uninstaller."""

from __future__ import annotations

import re

from lab.winsim.commands.output import ERROR, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import cuda, terminal
from lab.winsim.model.network import NetworkError
from lab.winsim.model.proxy import user_proxy
from lab.winsim.model.software import exit_code, install_msix, installer, msix_packages, program_fault
from lab.winsim.process import Process

NO_APPLICABLE, ALREADY, NOT_FOUND, NO_NETWORK = 0x8A150010, 0x8A15002B, 0x8A150014, 0x80072EFD
_KNOWN = {"microsoft.windowsterminal": terminal.TERMINAL}
_FLAGS = {
    "--exact", "-e", "--silent", "-h", "--accept-package-agreements", "--accept-source-agreements",
    "--disable-interactivity", "--no-upgrade", "--force", "--verbose-logs",
}  # fmt: skip


@command("winget.exe")
def winget(process: Process) -> int:
    """``install --id X`` and ``list --id X`` of what the simulator knows."""
    words = list(process.argv[1:])
    if words == ["--version"] or words == ["-v"]:
        say(process, "v1.28.190")
        return 0
    verb, options = (words.pop(0) if words else ""), {}
    while words:
        word = words.pop(0)
        if word in ("--id", "--source", "-s", "--scope", "--architecture"):
            options[word] = words.pop(0)
        elif word not in _FLAGS:
            raise SimulatorError(f"winget: option not known: {word}")
    wanted = options.get("--id", "").lower()
    if verb not in ("install", "list") or not wanted:
        raise SimulatorError(f"winget: arguments not known: {process.argv[1:]}")
    package = _KNOWN.get(wanted)
    if verb == "list":
        found = package is not None and package["full_name"] in msix_packages(process.machine)
        say(
            process,
            f"{package['name']} {package['version']}"
            if found
            else "No installed package found matching input criteria.",
        )
        return 0 if found else NOT_FOUND
    if package is None:
        say(process, "No package found matching input criteria.")
        return NOT_FOUND
    if package["full_name"] in msix_packages(process.machine):
        say(process, "Found an existing package already installed. No available upgrade found.")
        return ALREADY
    fault = program_fault(process.machine, "winget.exe", process)
    if fault and fault.get("effect", "none") == "none":
        return int(fault["rc"]) & ERROR
    url = "https://cdn.winget.microsoft.com/cache/source2.msix"
    try:
        answer = process.machine.network.fetch(
            url, proxy=user_proxy(process.machine, process.user, url), agent="winget-cli"
        )
    except NetworkError:
        say(process, "Failed when opening source(s); try the 'source reset' command if the problem persists.")
        return NO_NETWORK
    if answer.status != 200 or answer.broken:
        return NO_NETWORK
    with installer(process.machine, "winget") as free:
        if not free or not process.machine.clock.work(15.0, process.cancelled):
            return 1618
        with process.machine.lock:
            install_msix(process.machine, package)
    say(process, "Successfully installed")
    return 0


@command("rundll32.exe")
def rundll32(process: Process) -> int:
    """``NVI2.DLL,UninstallPackage NAME -silent``."""
    match = re.search(r'NVI2\.DLL"?,UninstallPackage\s+(\S+)(.*)$', process.command_line, re.IGNORECASE)
    if match is None:
        raise SimulatorError(f"rundll32: not known: {process.command_line}")
    if "-silent" not in match[2]:
        raise SimulatorError("NVIDIA uninstaller: without -silent it opens a window and waits for ever")
    if not is_elevated(process):
        return 740
    fault = program_fault(process.machine, "rundll32.exe", process)
    if fault and fault.get("effect", "none") == "none":
        return int(fault["rc"]) & ERROR
    with process.machine.lock:
        gone = cuda.uninstall_package(process.machine, match[1])
    return exit_code(fault, process) if fault else 0 if gone else 1
