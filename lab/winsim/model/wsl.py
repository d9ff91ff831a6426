"""The WSL package, the distributions of each user, and when they run.

Registration is in the registry (HKCU … Lxss), as on Windows; what runs is kept in ``machine.extra["wsl"]``.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .blank import WINDOWS_CURRENT
from .files import Content
from .software import (
    AT_BOOT,
    MICROSOFT_CORPORATION,
    add_to_path,
    install_msi,
    msi_product,
    place,
    preinstallable,
    remove_from_path,
)
from .system import Service

if TYPE_CHECKING:
    from ..machine import Machine

HKLM_LXSS = WINDOWS_CURRENT + "\\Lxss"
HKCU_LXSS = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"
FOLDER = "C:\\Program Files\\WSL"
VM_PLATFORM = "VirtualMachinePlatform"
SUBSYSTEM = "Microsoft-Windows-Subsystem-Linux"
MINIMUM_FOR_FILES = (2, 4, 4)
KERNEL = "6.18.40.1-1"

CONFIG_KEYS = {
    "wsl2": {
        "memory", "processors", "swap", "swapfile", "kernel", "kernelmodules", "kernelcommandline", "safemode",
        "nestedvirtualization", "guiapplications", "vmidletimeout", "defaultvhdsize", "networkingmode", "dnstunneling",
        "firewall", "autoproxy", "dnsproxy", "localhostforwarding", "debugconsole", "maxcrashdumpcount", "pagereporting",
        "loaddefaultkernelmodules",
    },
    "experimental": {
        "hostaddressloopback", "ignoredports", "besteffortdnsparsing", "dnstunnelingipaddress",
        "initialautoproxytimeout", "automemoryreclaim", "sparsevhd",
    },
    "general": {"instanceidletimeout", "distributioninstallpath", "guiapplications"},
}  # fmt: skip


def msi_package(version: str) -> dict[str, Any]:
    """What the MSI of a version carries (``3.0.1.0``)."""
    code = str(uuid.uuid5(uuid.NAMESPACE_URL, f"wsl-{version}")).upper()
    return {
        "product": "wsl",
        "product_code": "{" + code + "}",
        "name": "Windows Subsystem for Linux",
        "version": version,
        "publisher": "Microsoft Corporation",
    }


def package_version(machine: Machine) -> str | None:
    """Version of the WSL package, None without it."""
    return machine.registry.get(HKLM_LXSS + "\\MSI", "Version")


@msi_product("wsl")
def _package(machine: Machine, package: dict[str, Any], install: bool) -> None:
    if not install:
        machine.registry.delete(HKLM_LXSS + "\\MSI")
        machine.services.pop("wslservice", None)
        if machine.files.exists(FOLDER):
            machine.files.remove(FOLDER)
        remove_from_path(machine, FOLDER + "\\")
        machine.wsl_backend.stop_all()
        return
    for code, other in list(machine.extra.setdefault("msi", {}).items()):
        if other["product"] == "wsl" and other["product_code"] != package["product_code"]:
            from .software import remove_msi

            remove_msi(machine, code)
    place(machine, f"{FOLDER}\\wsl.exe", 290_000, "wsl.exe", MICROSOFT_CORPORATION, file_version=package["version"])
    place(machine, f"{FOLDER}\\wslservice.exe", 2_900_000, None, MICROSOFT_CORPORATION)
    place(machine, f"{FOLDER}\\system.vhd", 480 * 2**20)
    place(machine, f"{FOLDER}\\tools\\kernel", 16_000_000)
    key = HKLM_LXSS + "\\MSI"
    machine.registry.set(key, "InstallLocation", FOLDER + "\\")
    machine.registry.set(key, "ProductCode", package["product_code"])
    machine.registry.set(key, "Version", package["version"])
    machine.services["wslservice"] = Service(
        "WSLService", "WSL Service", f'"{FOLDER}\\wslservice.exe"', "auto", "running", description="WSL Service"
    )
    add_to_path(machine, FOLDER + "\\")


def missing_features(machine: Machine) -> list[str]:
    """Features that WSL 2 needs on this Windows and that do not work yet."""
    wanted = [VM_PLATFORM] if machine.build >= 22000 else [VM_PLATFORM, SUBSYSTEM]
    return [name for name in wanted if not machine.features.is_on(name)]


@dataclass
class Distro:
    """One registered distribution of one user."""

    id: str  # {GUID}
    name: str
    user: str
    base_path: str
    version: int = 2
    default_uid: int = 0
    flavor: str = ""
    os_version: str = ""
    state: int = 1

    @property
    def disk(self) -> str:
        """The virtual disk."""
        return f"{self.base_path}\\ext4.vhdx"


def distros(machine: Machine, user: str) -> list[Distro]:
    """The distributions that a user has."""
    view, found = machine.registry.view(user), []
    for key in view.subkeys(HKCU_LXSS):
        path = f"{HKCU_LXSS}\\{key}"
        if not view.get(path, "DistributionName"):
            continue
        found.append(
            Distro(
                key,
                view.get(path, "DistributionName"),
                user,
                view.get(path, "BasePath", "").removeprefix("\\\\?\\"),
                view.get(path, "Version", 2),
                view.get(path, "DefaultUid", 0),
                view.get(path, "Flavor", ""),
                view.get(path, "OsVersion", ""),
                view.get(path, "State", 1),
            )
        )
    return found


def find(machine: Machine, user: str, name: str | None) -> Distro | None:
    """A distribution by name (no case) or GUID; without a name the default one."""
    view = machine.registry.view(user)
    wanted = name or view.get(HKCU_LXSS, "DefaultDistribution")
    for distro in distros(machine, user):
        if wanted and wanted.lower() in (distro.name.lower(), distro.id.lower()):
            return distro
    return None


def register(
    machine: Machine, user: str, name: str, folder: str | None, content: Content, *, oobe: bool, size: int | None = None
) -> Distro:
    """Register a distribution for a user: the registry, the disk, and the backend.

    Raises:
        OSError: the disk is full.
    """
    identity = "{" + str(uuid.uuid4()) + "}"
    base = folder or f"{machine.profile_of(user)}\\AppData\\Local\\wsl\\{identity}"
    info = content.data.get("distro", {})
    distro = Distro(identity, name, user, base, 2, 0, info.get("flavor", ""), info.get("version", ""))
    machine.files.mkdir(base, owner=machine.full_name(user))
    place(machine, distro.disk, size or int(info.get("disk_size", 1_350 * 2**20)))
    view, path = machine.registry.view(user), f"{HKCU_LXSS}\\{identity}"
    for value, data in (
        ("State", 1),
        ("DistributionName", name),
        ("Version", 2),
        ("BasePath", "\\\\?\\" + base),
        ("Flags", 15),
        ("DefaultUid", 0),
        ("VhdFileName", "ext4.vhdx"),
        ("RunOOBE", 1 if oobe else 0),
        ("Flavor", distro.flavor),
        ("OsVersion", distro.os_version),
    ):
        view.set(path, value, data)
    view.set(HKCU_LXSS, "DefaultVersion", view.get(HKCU_LXSS, "DefaultVersion", 2))
    if find(machine, user, None) is None:
        view.set(HKCU_LXSS, "DefaultDistribution", identity)
    machine.wsl_backend.create(distro, content)
    machine.log("distribution registered", distro=name, user=user, path=base)
    return distro


def unregister(machine: Machine, distro: Distro) -> None:
    """Remove a distribution with its disk."""
    machine.wsl_backend.destroy(distro)
    view = machine.registry.view(distro.user)
    view.delete(f"{HKCU_LXSS}\\{distro.id}")
    if machine.files.exists(distro.disk):
        machine.files.remove(distro.disk)
    if machine.files.is_dir(distro.base_path) and not machine.files.listdir(distro.base_path):
        machine.files.remove(distro.base_path)
    if (view.get(HKCU_LXSS, "DefaultDistribution") or "").lower() == distro.id.lower():
        rest = distros(machine, distro.user)
        if rest:
            view.set(HKCU_LXSS, "DefaultDistribution", rest[0].id)
        else:
            view.remove(HKCU_LXSS, "DefaultDistribution")
    machine.log("distribution removed", distro=distro.name, user=distro.user)


def set_default_uid(machine: Machine, distro: Distro, uid: int) -> None:
    """Write the default user into the registry."""
    machine.registry.view(distro.user).set(f"{HKCU_LXSS}\\{distro.id}", "DefaultUid", uid)


# --- .wslconfig ------------------------------------------------------------------------------------------------


def read_config(machine: Machine, user: str) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Sections and keys (lower case) of the user's ``.wslconfig``, and the warnings that wsl.exe gives about it."""
    path = f"{machine.profile_of(user)}\\.wslconfig"
    if not machine.files.is_file(path):
        return {}, []
    text = machine.files.read_bytes(path).decode("utf-8-sig", "replace")
    section, out, warnings = "", {}, []
    for number, line in enumerate(text.splitlines(), 1):
        line = line.split("#")[0].strip()
        header = re.fullmatch(r"\[(.+)\]", line)
        if header:
            section = header[1].strip().lower()
        elif "=" in line:
            key, value = (part.strip() for part in line.split("=", 1))
            if key.lower() not in CONFIG_KEYS.get(section, set()):
                warnings.append(f"wsl: Unknown key '{section}.{key}' in {path}:{number}")
            else:
                out.setdefault(section, {})[key.lower()] = value
        elif line:
            warnings.append(f"wsl: Expected ' ' or '\\n' in {path}:{number}")
    return out, warnings


def networking_mode(machine: Machine, user: str) -> str:
    """``nat``, ``mirrored`` … as the running VM has it (Windows 10 knows only nat)."""
    mode = runtime(machine).get("config", {}).get("wsl2", {}).get("networkingmode", "nat").lower()
    return mode if machine.build >= 22621 or mode == "none" else "nat"


# --- what runs -------------------------------------------------------------------------------------------------


def runtime(machine: Machine) -> dict[str, Any]:
    """What is known about the running VM: ``running`` ids, ``config`` read at its start, ``starts``."""
    return machine.extra.setdefault("wsl", {"running": {}, "starts": 0})


def idle_timeout(machine: Machine) -> float:
    """Seconds after which a distribution without client stops; negative: never."""
    config = runtime(machine).get("config", {})
    value = config.get("general", {}).get("instanceidletimeout", "15000")
    try:
        return float(value) / 1000
    except ValueError:
        return 15.0


def is_running(machine: Machine, distro: Distro) -> bool:
    """Whether a distribution runs now; one that had no client for too long has stopped."""
    entry = runtime(machine)["running"].get(distro.id)
    if entry is None:
        return False
    limit = idle_timeout(machine)
    if entry["clients"] == 0 and limit >= 0 and machine.clock.now() - entry["since"] > limit:
        stop(machine, distro, "idle")
        return False
    return True


def start(machine: Machine, distro: Distro) -> list[str]:
    """Start a distribution (and the VM); returns the warnings about ``.wslconfig`` that a new VM gives."""
    state, warnings = runtime(machine), []
    if is_running(machine, distro):
        return warnings
    if not state["running"]:
        state["config"], warnings = read_config(machine, distro.user)
        state["starts"] += 1
        gateway = f"172.{20 + state['starts'] % 11}.{state['starts'] * 37 % 256}.1"
        machine.registry.set(HKLM_LXSS, "NatGatewayIpAddress", gateway)
        machine.registry.set(HKLM_LXSS, "NatNetwork", gateway.rpartition(".")[0] + ".0/20")
        machine.clock.work(4.0)
    state["running"][distro.id] = {"clients": 0, "since": machine.clock.now()}
    machine.wsl_backend.start(distro)
    machine.log("distribution started", distro=distro.name)
    return warnings


def stop(machine: Machine, distro: Distro, reason: str = "terminate") -> None:
    """Stop a distribution."""
    if runtime(machine)["running"].pop(distro.id, None) is not None:
        machine.wsl_backend.stop(distro)
        machine.log("distribution stopped", distro=distro.name, reason=reason)


@AT_BOOT.append
def _boot(machine: Machine) -> None:
    runtime(machine)["running"] = {}


@preinstallable("wsl")
def _preinstalled(machine: Machine, entry: dict[str, Any]) -> None:
    install_msi(machine, msi_package(entry.get("version", "3.0.1.0")))


@preinstallable("distro")
def _preinstalled_distro(machine: Machine, entry: dict[str, Any]) -> None:
    user = entry.get("user", machine.description["users"][0]["name"])
    content = Content(1, data={"distro": {"flavor": "ubuntu", "version": entry.get("version", "24.04")}})
    distro = register(machine, user, entry["distro"], entry.get("location"), content, oobe=False)
    if entry.get("default_user"):
        machine.wsl_backend.add_user(distro, entry["default_user"], 1000)
        set_default_uid(machine, distro, 1000)
