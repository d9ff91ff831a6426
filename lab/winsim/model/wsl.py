"""The WSL package, the distributions of each user, and when they run.

Registration is in the registry (HKCU … Lxss), as on Windows; what runs is kept in ``machine.extra["wsl"]``.
"""

from __future__ import annotations

import ntpath
import re
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lab.winsim.model import wslconfig
from lab.winsim.model.blank import WINDOWS_CURRENT
from lab.winsim.model.files import Content
from lab.winsim.model.pins import PINS
from lab.winsim.model.proxy import user_proxy
from lab.winsim.model.software import (
    AT_BOOT,
    MICROSOFT_CORPORATION,
    add_to_path,
    install_msi,
    msi_product,
    place,
    preinstallable,
    remove_from_path,
    remove_msi,
)

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc
    from lab.winsim.process import Session

HKLM_LXSS = WINDOWS_CURRENT + "\\Lxss"
HKCU_LXSS = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"
FOLDER = "C:\\Program Files\\WSL"
VM_PLATFORM = "VirtualMachinePlatform"
SUBSYSTEM = "Microsoft-Windows-Subsystem-Linux"
KERNEL = "6.18.40.1-1"


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


def package_version(machine: Pc) -> str | None:
    """Version of the WSL package, None without it."""
    return machine.registry.get(HKLM_LXSS + "\\MSI", "Version")


@msi_product("wsl")
def _package(machine: Pc, package: dict[str, Any], install: bool) -> None:
    if not install:
        machine.registry.delete(HKLM_LXSS + "\\MSI")
        if machine.files.exists(FOLDER):
            machine.files.remove(FOLDER)
        remove_from_path(machine, FOLDER + "\\")
        machine.wsl_backend.stop_all()
        return
    for code, other in list(machine.extra.setdefault("msi", {}).items()):
        if other["product"] == "wsl" and other["product_code"] != package["product_code"]:
            remove_msi(machine, code)
    place(machine, f"{FOLDER}\\wsl.exe", 290_000, "wsl.exe", MICROSOFT_CORPORATION, file_version=package["version"])
    place(machine, f"{FOLDER}\\wslservice.exe", 2_900_000, None, MICROSOFT_CORPORATION)
    place(machine, f"{FOLDER}\\system.vhd", 480 * 2**20)
    place(machine, f"{FOLDER}\\tools\\kernel", 16_000_000)
    key = HKLM_LXSS + "\\MSI"
    machine.registry.set(key, "InstallLocation", FOLDER + "\\")
    machine.registry.set(key, "ProductCode", package["product_code"])
    machine.registry.set(key, "Version", package["version"])
    add_to_path(machine, FOLDER + "\\")


# The first revisions that can run wsl.exe from an MSI (DoesBuildSupportDirectMsiExecution in wslinstall/DllMain.cpp).
_FIRST_REVISIONS = {19044: 4529, 19045: 4474, 20348: 2582, 22621: 3672, 22631: 3672, 25398: 1009}


def msix_registers(session: Session) -> bool:
    """Whether the MSI gets past the MSIX package that it registers for the user.

    Elsewhere a failure counts; and in a session that is not the user's own, at the PC, there is one (assumed).
    """
    build, revision = session.machine.build, int(session.machine.description["windows"]["ubr"])
    if build >= 26100 or build in _FIRST_REVISIONS and revision >= _FIRST_REVISIONS[build]:
        return True
    return session.logon == "interactive"


def missing_features(machine: Pc) -> list[str]:
    """Features that WSL 2 needs on this Windows and that do not work yet."""
    wanted = [VM_PLATFORM] if machine.build >= 22000 else [VM_PLATFORM, SUBSYSTEM]
    return [name for name in wanted if not machine.features.is_on(name)]


@dataclass
class Distribution:
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
    disk_name: str = "ext4.vhdx"

    @property
    def disk(self) -> str:
        """The virtual disk."""
        return f"{self.base_path}\\{self.disk_name}"


class DiskError(Exception):
    """The disk of a distribution cannot be attached: its path, and Windows' name and number of the error."""

    def __init__(self, path: str, code: str, number: int) -> None:
        super().__init__(code)
        self.path, self.code, self.number = path, code, number


def distributions(machine: Pc, user: str) -> list[Distribution]:
    """The distributions that a user has."""
    view, found = machine.registry.view(user), []
    for key in view.subkeys(HKCU_LXSS):
        path = f"{HKCU_LXSS}\\{key}"
        if not view.get(path, "DistributionName"):
            continue
        found.append(
            Distribution(
                key,
                view.get(path, "DistributionName"),
                user,
                view.get(path, "BasePath", "").removeprefix("\\\\?\\"),
                view.get(path, "Version", 2),
                view.get(path, "DefaultUid", 0),
                view.get(path, "Flavor", ""),
                view.get(path, "OsVersion", ""),
                view.get(path, "State", 1),
                view.get(path, "VhdFileName", "ext4.vhdx"),
            )
        )
    return found


def find(machine: Pc, user: str, name: str | None) -> Distribution | None:
    """A distribution by name (no case) or GUID; without a name the default one."""
    view = machine.registry.view(user)
    wanted = name or view.get(HKCU_LXSS, "DefaultDistribution")
    for distribution in distributions(machine, user):
        if wanted and wanted.lower() in (distribution.name.lower(), distribution.id.lower()):
            return distribution
    return None


def register(
    machine: Pc,
    user: str,
    name: str,
    folder: str | None,
    content: Content,
    *,
    oobe: bool,
    size: int | None = None,
    disk: str | None = None,
) -> Distribution:
    """Register a distribution for a user: the registry, the disk (or one that is there), and the backend.

    Raises:
        OSError: the disk is full.
    """
    identity = "{" + str(uuid.uuid4()) + "}"
    base = folder or f"{machine.profile_of(user)}\\AppData\\Local\\wsl\\{identity}"
    info = content.data.get("distribution", {})
    distribution = Distribution(identity, name, user, base, 2, 0, info.get("flavor", ""), info.get("version", ""))
    if disk:
        distribution.base_path, distribution.disk_name = base, _ = ntpath.split(disk)
    else:
        machine.files.mkdir(base, owner=machine.full_name(user))
        place(machine, distribution.disk, size or int(info.get("disk_size", 1_350 * 2**20)))
    view, path = machine.registry.view(user), f"{HKCU_LXSS}\\{identity}"
    for value, data in (
        ("State", 1),
        ("DistributionName", name),
        ("Version", 2),
        ("BasePath", "\\\\?\\" + base),
        ("Flags", 15),
        ("DefaultUid", 0),
        ("VhdFileName", distribution.disk_name),
        ("RunOOBE", 1 if oobe else 0),
        ("Flavor", distribution.flavor),
        ("OsVersion", distribution.os_version),
    ):
        view.set(path, value, data)
    view.set(HKCU_LXSS, "DefaultVersion", view.get(HKCU_LXSS, "DefaultVersion", 2))
    if find(machine, user, None) is None:
        view.set(HKCU_LXSS, "DefaultDistribution", identity)
    machine.wsl_backend.create(distribution, content)
    machine.log("distribution registered", distribution=name, user=user, path=base)
    return distribution


def unregister(machine: Pc, distribution: Distribution) -> None:
    """Remove a distribution with its disk."""
    machine.wsl_backend.destroy(distribution)
    view = machine.registry.view(distribution.user)
    view.delete(f"{HKCU_LXSS}\\{distribution.id}")
    if machine.files.exists(distribution.disk):
        machine.files.remove(distribution.disk)
    if machine.files.is_dir(distribution.base_path) and not machine.files.listdir(distribution.base_path):
        machine.files.remove(distribution.base_path)
    if (view.get(HKCU_LXSS, "DefaultDistribution") or "").lower() == distribution.id.lower():
        rest = distributions(machine, distribution.user)
        if rest:
            view.set(HKCU_LXSS, "DefaultDistribution", rest[0].id)
        else:
            view.remove(HKCU_LXSS, "DefaultDistribution")
    machine.log("distribution removed", distribution=distribution.name, user=distribution.user)


def set_default_uid(machine: Pc, distribution: Distribution, uid: int) -> None:
    """Write the default user into the registry."""
    machine.registry.view(distribution.user).set(f"{HKCU_LXSS}\\{distribution.id}", "DefaultUid", uid)


# --- .wslconfig ------------------------------------------------------------------------------------------------


def read_config(machine: Pc, user: str) -> wslconfig.Config:
    """What the user's ``.wslconfig`` says to WSL."""
    path = f"{machine.profile_of(user)}\\.wslconfig"
    if not machine.files.is_file(path):
        return wslconfig.Config()
    return wslconfig.read(machine.files.read_bytes(path), path)


def networking_mode(machine: Pc, user: str) -> str:
    """``nat``, ``mirrored``, ``consomme``, ``none`` … as the running VM has it."""
    return str(runtime(machine).get("mode", "nat"))


def _choose_mode(machine: Pc, config: dict[str, dict[str, str]]) -> tuple[str, list[str]]:
    """The mode that a new VM gets, and what wsl.exe says where it is not the wanted one (WslCoreVm.cpp)."""
    mode, warnings = wslconfig.NETWORKING_MODES[config.get("wsl2", {}).get("networkingmode", "nat").lower()], []
    if mode == "mirrored" and machine.build < 22621:
        version = f"{machine.build}.{machine.description['windows']['ubr']}"
        warnings.append(
            f"wsl: Mirrored networking mode is not supported: Windows version {version} does not have the required features.\n"
            "Falling back to NAT networking."
        )
        mode = "nat"
    if mode == "nat" and machine.faults.get("wsl", {}).get("nat") == "fails":
        warnings.append(
            "wsl: Failed to configure network (networkingMode Nat), falling back to networkingMode Consomme."
        )
        mode = "consomme"
    return mode, warnings


def proxy_warning(machine: Pc, user: str) -> str:
    """What wsl.exe says at each start of a program: autoProxy can not hand on a proxy of this PC, except in mirrored mode.

    After LxssHttpProxy.cpp and LxssUserSession.cpp; Windows 10 has no function to ask for the proxy.
    """
    on = runtime(machine).get("config", {}).get("wsl2", {}).get("autoproxy", "true").lower() in ("true", "1")
    if not on or machine.build < 22000 or networking_mode(machine, user) == "mirrored":
        return ""
    proxies = {user_proxy(machine, user, f"{scheme}://example.com/") or "" for scheme in ("http", "https")}
    hosts = {re.sub(r"^\w+://|:\d+/?$", "", proxy).lower() for proxy in proxies}
    if not any(
        host in ("localhost", "loopback", machine.host_name.lower()) or host.startswith("127.") for host in hosts
    ):
        return ""
    return (
        "wsl: A localhost proxy configuration was detected but not mirrored into WSL. "
        "WSL in NAT mode does not support localhost proxies."
    )


# --- sessions ---------------------------------------------------------------------------------------------------


def enter(machine: Pc, session: Session) -> None:
    """WSL keeps one object per user, bound to the session of whoever came first (LxssUserSessionFactory.cpp)."""
    runtime(machine).setdefault("sessions", {}).setdefault(machine.sid(session.user), session.number)


def session_ended(machine: Pc, number: int) -> None:
    """A sign-out ends what began in that session; session 0 ends with Windows alone (ServiceMain.cpp)."""
    sessions = runtime(machine).get("sessions", {})
    for sid, owner in list(sessions.items()):
        if owner == number and number:
            del sessions[sid]
            for user in list(machine.users):
                for distribution in distributions(machine, user) if machine.sid(user) == sid else []:
                    stop(machine, distribution, "sign-out")


# --- what runs -------------------------------------------------------------------------------------------------


def runtime(machine: Pc) -> dict[str, Any]:
    """What is known about the running VM: ``running`` ids, ``sessions``, ``config`` and ``mode`` as it started with, ``starts``."""
    return machine.extra.setdefault("wsl", {"running": {}, "starts": 0})


def idle_timeout(machine: Pc) -> float:
    """Seconds after which a distribution without client stops; negative: never."""
    config = runtime(machine).get("config", {})
    value = config.get("general", {}).get("instanceidletimeout", "15000")
    try:
        return float(value) / 1000
    except ValueError:
        return 15.0


def is_running(machine: Pc, distribution: Distribution) -> bool:
    """Whether a distribution runs now; one that had no client for too long has stopped."""
    entry = runtime(machine)["running"].get(distribution.id)
    if entry is None:
        return False
    limit = idle_timeout(machine)
    if entry["clients"] == 0 and limit >= 0 and machine.clock.now() - entry["since"] > limit:
        stop(machine, distribution, "idle")
        return False
    return True


def start(machine: Pc, distribution: Distribution) -> list[str]:
    """Start a distribution (and the VM); returns the warnings about ``.wslconfig`` that a new VM gives."""
    state: dict[str, Any] = runtime(machine)
    warnings: list[str] = []
    if is_running(machine, distribution):
        return warnings
    _attach(machine, distribution)
    if not state["running"]:
        read = read_config(machine, distribution.user)
        state["config"] = read.values
        state["mode"], fallen_back = _choose_mode(machine, read.values)
        warnings = read.warnings + fallen_back
        state["starts"] += 1
        gateway = f"172.{20 + state['starts'] % 11}.{state['starts'] * 37 % 256}.1"
        machine.registry.set(HKLM_LXSS, "NatGatewayIpAddress", gateway)
        machine.registry.set(HKLM_LXSS, "NatNetwork", gateway.rpartition(".")[0] + ".0/20")
        machine.clock.work(4.0)
    state["running"][distribution.id] = {"clients": 0, "since": machine.clock.now()}
    machine.wsl_backend.start(distribution)
    machine.log("distribution started", distribution=distribution.name)
    return warnings


def _attach(machine: Pc, distribution: Distribution) -> None:
    """The inside of a distribution is what is on its disk.

    Raises:
        DiskError: there is no disk, or only a part of one.
    """
    node = machine.files.get(distribution.disk)
    if node is None or node.content is None:
        raise DiskError(distribution.disk, "ERROR_FILE_NOT_FOUND", 2)
    if not node.content.complete:
        raise DiskError(distribution.disk, "ERROR_FILE_CORRUPT", 1392)  # microsoft/WSL#12600
    if load := getattr(machine.wsl_backend, "load", None):
        load(distribution, node.content.data.get("disk"))
    node.written = max(machine.clock.now(), node.written + 1)


def seal(machine: Pc, distribution: Distribution) -> None:
    """What is inside a distribution that stops is on its disk, as whoever copies that will find it."""
    node = machine.files.get(distribution.disk)
    save = getattr(machine.wsl_backend, "save", None)
    if save is None or node is None or node.content is None:
        return
    key = save(distribution, node.content.data.get("disk"))
    node.content = replace(node.content, data={**node.content.data, "disk": key})


def stop(machine: Pc, distribution: Distribution, reason: str = "terminate") -> None:
    """Stop a distribution."""
    if runtime(machine)["running"].pop(distribution.id, None) is not None:
        machine.wsl_backend.stop(distribution)
        seal(machine, distribution)
        machine.log("distribution stopped", distribution=distribution.name, reason=reason)


@AT_BOOT.append
def _boot(machine: Pc) -> None:
    for user in list(machine.users):
        for distribution in distributions(machine, user):
            if distribution.id in runtime(machine)["running"]:  # until Windows went down
                seal(machine, distribution)
    runtime(machine).update(running={}, sessions={})


@preinstallable("wsl")
def _preinstalled(machine: Pc, entry: dict[str, Any]) -> None:
    install_msi(machine, msi_package(entry.get("version", f"{PINS['wsl']['version']}.0")))


@preinstallable("distribution")
def _preinstalled_distribution(machine: Pc, entry: dict[str, Any]) -> None:
    user = entry.get("user", machine.description["users"][0]["name"])
    content = Content(1, data={"distribution": {"flavor": "ubuntu", "version": entry.get("version", "24.04")}})
    distribution = register(machine, user, entry["distribution"], entry.get("location"), content, oobe=False)
    if entry.get("default_user"):
        machine.wsl_backend.add_user(distribution, entry["default_user"], 1000)
        set_default_uid(machine, distribution, 1000)
