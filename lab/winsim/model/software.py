"""Software that can be on a machine: what installing it leaves behind, and what can go wrong on the way.

Faults of programs are entries of ``machine.faults["programs"]``: ``program`` (handler name, ``*`` any), and
``rc`` with ``effect`` (``none``: nothing is installed, ``partial``: half of it, ``full``), ``times`` (how often, else
for ever), ``match`` (a text that the command line must contain). ``seconds`` lets the program take so long in real time;
without an ``rc`` that is all. ``hang`` lets it never end (``effect`` full: when its work is done, like one whose child
holds its pipe) until somebody ends it. ``log`` and ``text`` are what Visual Studio's log and wsl.exe say.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab.winsim.errors import SimulatorError
from lab.winsim.model.blank import MACHINE_ENVIRONMENT, SYSTEM32, UNINSTALL, WINDOWS_CURRENT
from lab.winsim.model.files import Content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.winsim.model.pc import Pc
    from lab.winsim.process import ModuleCall, Process

NVIDIA = "CN=NVIDIA Corporation, OU=2-J, O=NVIDIA Corporation, L=Santa Clara, S=California, C=US"
MICROSOFT_CORPORATION = "CN=Microsoft Corporation, O=Microsoft Corporation, L=Redmond, S=Washington, C=US"

APPX_ALL_USERS = WINDOWS_CURRENT + "\\Appx\\AppxAllUserStore\\Applications"
FAULT_KEYS = {"program", "rc", "effect", "times", "match", "seconds", "hang", "log", "text"}
BUSY = 1618  # ERROR_INSTALL_ALREADY_RUNNING
ENDED = 0xC000013A  # STATUS_CONTROL_C_EXIT: ended from outside


def program_fault(machine: Pc, program: str, process: Process | ModuleCall) -> dict[str, Any] | None:
    """The first fault that is meant for this run of a program; one with ``times`` is used up, ``seconds`` are spent."""
    command_line = " ".join(getattr(process, "argv", ()))  # what Windows does for a module has none
    for fault in list(machine.faults.get("programs", [])):
        if set(fault) - FAULT_KEYS or not {"rc", "seconds", "hang"} & set(fault):
            raise SimulatorError(f"fault of programs not known: {fault}")
        if not fnmatch.fnmatch(program, fault.get("program", "*")) or fault.get("match", "") not in command_line:
            continue
        if "times" in fault:
            fault["times"] -= 1
            if fault["times"] <= 0:
                machine.faults["programs"].remove(fault)
        if "seconds" in fault:
            machine.clock.spend(float(fault["seconds"]), process.cancelled)
        if fault.get("hang") and fault.get("effect", "none") == "none":
            process.cancelled.wait()
            return {"rc": ENDED, "effect": "none"}
        if "rc" in fault or fault.get("hang"):
            return fault
    return None


def exit_code(fault: dict[str, Any], process: Process) -> int:
    """The exit code of a program that did its work; one that hangs waits here until it is ended."""
    if fault.get("hang"):
        process.cancelled.wait()
        return ENDED
    return int(fault["rc"]) & 0xFFFFFFFF


@contextmanager
def installer(machine: Pc, name: str) -> Iterator[bool]:
    """Hold the one installer of Windows; gives False if another one holds it."""
    with machine.lock:
        free = machine.busy_installer is None
        if free:
            machine.busy_installer = name
    try:
        yield free
    finally:
        if free:
            with machine.lock:
                machine.busy_installer = None


def register(machine: Pc, key: str, wow: bool = False, **values: Any) -> None:
    """Write an uninstall key: ``DisplayName``, ``DisplayVersion``, ``Publisher`` and whatever else is given."""
    root = UNINSTALL.replace("SOFTWARE\\", "SOFTWARE\\WOW6432Node\\", 1) if wow else UNINSTALL
    for name, data in values.items():
        machine.registry.set(f"{root}\\{key}", name, data)


def unregister(machine: Pc, key: str) -> None:
    """Remove an uninstall key, 64- or 32-bit."""
    machine.registry.delete(f"{UNINSTALL}\\{key}")
    machine.registry.delete(UNINSTALL.replace("SOFTWARE\\", "SOFTWARE\\WOW6432Node\\", 1) + f"\\{key}")


def place(
    machine: Pc, path: str, size: int, program: str | None = None, signer: str | None = None, **data: Any
) -> None:
    """Put a file that has a size but no bytes.

    Raises:
        OSError: the disk is full.
    """
    content = Content(size, signer=signer, program=program, data=data, origin=f"placed:{path.lower()}")
    machine.files.put(path, content, parents=True, owner="NT AUTHORITY\\SYSTEM")


def add_to_path(machine: Pc, folder: str, *, first: bool = False) -> None:
    """Put a folder into the PATH of the machine, once."""
    value = machine.registry.value(MACHINE_ENVIRONMENT, "Path")
    parts = [part for part in str(value.data).split(";") if part]
    if folder.lower().rstrip("\\") in (part.lower().rstrip("\\") for part in parts):
        return
    parts = [folder, *parts] if first else [*parts, folder]
    machine.registry.set(MACHINE_ENVIRONMENT, "Path", ";".join(parts), "REG_EXPAND_SZ")


def remove_from_path(machine: Pc, folder: str) -> None:
    """Take a folder out of the PATH of the machine."""
    value = machine.registry.value(MACHINE_ENVIRONMENT, "Path")
    parts = [part for part in str(value.data).split(";") if part.lower().rstrip("\\") != folder.lower().rstrip("\\")]
    machine.registry.set(MACHINE_ENVIRONMENT, "Path", ";".join(parts), "REG_EXPAND_SZ")


def install_driver(machine: Pc) -> None:
    """The NVIDIA display driver, if the description has a GPU with one."""
    gpu = machine.description["gpu"]
    if not gpu or not gpu.get("driver"):
        return
    place(machine, f"{SYSTEM32}\\nvidia-smi.exe", 1_089_536, "nvidia-smi.exe", NVIDIA)
    place(machine, f"{SYSTEM32}\\nvcuda.dll", 4_500_000, None, NVIDIA)
    place(machine, f"{SYSTEM32}\\lxss\\lib\\libcuda.so.1", 165_000)
    place(machine, f"{SYSTEM32}\\lxss\\lib\\nvidia-smi", 800_000)
    register(
        machine,
        "{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_Display.Driver",
        DisplayName=f"NVIDIA Graphics Driver {gpu['driver']}",
        DisplayVersion=gpu["driver"],
        Publisher="NVIDIA Corporation",
    )


# --- MSI packages ----------------------------------------------------------------------------------------------

MsiHandler = Callable[["Pc", dict[str, Any], bool], None]
MSI_PRODUCTS: dict[str, MsiHandler] = {}


def msi_product(name: str) -> Callable[[MsiHandler], MsiHandler]:
    """Register what installing (True) or removing (False) an MSI product does."""

    def add(handler: MsiHandler) -> MsiHandler:
        MSI_PRODUCTS[name] = handler
        return handler

    return add


def install_msi(machine: Pc, package: dict[str, Any]) -> None:
    """Install an MSI package: its product's effect and the uninstall key.

    Raises:
        SimulatorError: no such product is known.
        OSError: the disk is full.
    """
    handler = MSI_PRODUCTS.get(package["product"])
    if handler is None:
        raise SimulatorError(f"MSI product not known: {package['product']}")
    handler(machine, package, True)
    register(
        machine,
        package["product_code"],
        DisplayName=package["name"],
        DisplayVersion=package["version"],
        Publisher=package["publisher"],
        UninstallString=f"MsiExec.exe /X{package['product_code']}",
        WindowsInstaller=1,
    )
    machine.extra.setdefault("msi", {})[package["product_code"].upper()] = package


def remove_msi(machine: Pc, product_code: str) -> bool:
    """Remove an MSI product; False if it is not installed."""
    package = machine.extra.setdefault("msi", {}).pop(product_code.upper(), None)
    if package is None:
        return False
    MSI_PRODUCTS[package["product"]](machine, package, False)
    unregister(machine, package["product_code"])
    return True


# --- MSIX packages ---------------------------------------------------------------------------------------------


def msix_packages(machine: Pc) -> dict[str, dict[str, Any]]:
    """Installed MSIX packages by full name."""
    return machine.extra.setdefault("msix", {})


def install_msix(machine: Pc, package: dict[str, Any]) -> None:
    """Install an MSIX package for all users, with its app execution aliases."""
    folder = f"C:\\Program Files\\WindowsApps\\{package['full_name']}"
    place(machine, f"{folder}\\AppxManifest.xml", 6_000)
    for alias in package.get("aliases", []):
        place(machine, f"{folder}\\{alias}", 100_000, alias, MICROSOFT_CORPORATION)
        for user in machine.users.accounts.values():
            if user.profile_exists:
                path = f"{user.profile}\\AppData\\Local\\Microsoft\\WindowsApps\\{alias}"
                place(machine, path, 0, alias, MICROSOFT_CORPORATION)
    machine.registry.create(f"{APPX_ALL_USERS}\\{package['full_name']}")
    msix_packages(machine)[package["full_name"]] = package
    machine.log("installed", what=package["name"], version=package["version"])


# --- descriptions ----------------------------------------------------------------------------------------------

Preinstall = Callable[["Pc", dict[str, Any]], None]
PREINSTALL: dict[str, Preinstall] = {}
AT_BOOT: list[Callable[[Pc], None]] = []


def preinstallable(name: str) -> Callable[[Preinstall], Preinstall]:
    """Register what ``installed: [{name: …}]`` of a description puts onto a machine."""

    def add(handler: Preinstall) -> Preinstall:
        PREINSTALL[name] = handler
        return handler

    return add


def preinstall(machine: Pc, entry: dict[str, Any]) -> None:
    """Put one thing that a description lists under ``installed`` onto the machine.

    Raises:
        SimulatorError: nobody knows it.
    """
    handler = PREINSTALL.get(entry.get("name", ""))
    if handler is None:
        raise SimulatorError(f"machine description: nothing known about installing {entry}")
    handler(machine, entry)


def at_boot(machine: Pc) -> None:
    """What installed programs do at a boot."""
    for hook in AT_BOOT:
        hook(machine)
