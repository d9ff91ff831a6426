"""msiexec.exe: installs and removes MSI packages."""

from __future__ import annotations

import ntpath

from lab.winsim.commands.output import is_elevated
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import wsl
from lab.winsim.model.software import BUSY, exit_code, install_msi, installer, program_fault, remove_msi
from lab.winsim.process import Process

_QUIET = ("/qn", "/quiet", "/q", "/qb", "/qb!", "/passive", "/qn+")


@command("msiexec.exe")
def msiexec(process: Process) -> int:
    """``/i FILE`` or ``/x FILE|CODE`` with ``/qn``, ``/norestart``, ``/L*V LOG`` and properties."""
    action = target = log = None
    quiet, properties = False, {}
    queue = process.argv[1:]
    while queue:
        word = queue.pop(0)
        name = word.lower().replace("-", "/", 1) if word.startswith("-") else word.lower()
        if name in ("/i", "/package", "/x", "/uninstall"):
            if not queue:
                return 1639
            action, target = "/i" if name in ("/i", "/package") else "/x", queue.pop(0)
        elif name.startswith("/l"):
            log = queue.pop(0)
        elif name in _QUIET:
            quiet = True
        elif name in ("/norestart", "/forcerestart", "/promptrestart"):
            if name == "/forcerestart":
                raise SimulatorError("msiexec: /forcerestart is not known")
        elif "=" not in word:
            raise SimulatorError(f"msiexec: option not known: {word}")
        else:
            properties[word.partition("=")[0].upper()] = word.partition("=")[2]
    if action is None:
        raise SimulatorError("msiexec: without /i or /x it opens a window")
    if not quiet:
        raise SimulatorError("msiexec: without /qn or /quiet it opens a window and waits for ever")
    code = _run(process, action, target, properties)
    if log:
        path = ntpath.join(process.cwd, log)
        text = f"=== Verbose logging started ===\r\nMSI: {action} {target}\r\nMainEngineThread is returning {code}\r\n"
        process.machine.files.write_bytes(path, b"\xff\xfe" + text.encode("utf-16-le"), parents=True)
    return code


def _run(process: Process, action: str, target: str, properties: dict[str, str]) -> int:
    machine = process.machine
    fault = program_fault(machine, "msiexec.exe", process)
    if fault and fault.get("effect", "none") == "none":
        return int(fault["rc"])
    if not is_elevated(process):
        return 1603
    with installer(machine, "msiexec") as free:
        if not free:
            return BUSY
        package = None
        if not target.startswith("{"):
            node = machine.files.get(ntpath.join(process.cwd, target))
            if node is None or node.content is None:
                return 1619
            package = node.content.data.get("msi")
            if package is None or not node.content.complete:
                return 1620
        if not machine.clock.work(20.0, process.cancelled):
            return 1602
        with machine.lock:
            if action == "/x":
                code = package["product_code"] if package else target
                return 0 if remove_msi(machine, code) else 1605
            if package is None:
                return 0 if target.upper() in machine.extra.get("msi", {}) else 1605
            if (
                package["product"] == "wsl"
                and properties.get("SKIPMSIX") != "1"
                and not wsl.msix_registers(process.session)
            ):
                return 1603
            try:
                install_msi(machine, package)
            except OSError:
                return 1603
        machine.log("installed", what=package["name"], version=package["version"])
    if fault:
        return exit_code(fault, process)
    if package.get("reboot"):
        machine.need_reboot("component servicing")
        return 3010
    return 0
