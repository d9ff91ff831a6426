"""Visual Studio instances: products, workloads, what is on the disk, what vswhere tells."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from lab.winsim.model.software import MICROSOFT_CORPORATION, place, preinstallable, register, unregister

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

INSTALLER = "C:\\Program Files (x86)\\Microsoft Visual Studio\\Installer"
PACKAGES = "C:\\ProgramData\\Microsoft\\VisualStudio\\Packages"
VC_TOOLS = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"

# major version -> (product line version, version, build version)
RELEASES = {"17": ("2022", "17.14.21", "17.14.36717.8"), "18": ("2026", "18.10.2", "18.10.11519.305")}
PRODUCTS = {
    "community": "Microsoft.VisualStudio.Product.Community",
    "professional": "Microsoft.VisualStudio.Product.Professional",
    "enterprise": "Microsoft.VisualStudio.Product.Enterprise",
    "buildtools": "Microsoft.VisualStudio.Product.BuildTools",
}
_TITLES = {"community": "Community", "professional": "Professional", "enterprise": "Enterprise"}
_TITLES["buildtools"] = "Build Tools"

# workload or component -> (size in MB, what it requires, what is recommended with it)
CATALOG: dict[str, tuple[int, list[str], list[str]]] = {
    "Microsoft.VisualStudio.Workload.NativeDesktop": (
        900,
        ["Microsoft.VisualStudio.Component.VC.CoreIde"],
        [
            VC_TOOLS,
            "Microsoft.VisualStudio.Component.Windows11SDK.26100",
            "Microsoft.VisualStudio.Component.VC.CMake.Project",
        ],
    ),
    "Microsoft.VisualStudio.Workload.VCTools": (
        600,
        ["Microsoft.VisualStudio.Component.VC.CoreBuildTools"],
        [
            VC_TOOLS,
            "Microsoft.VisualStudio.Component.Windows11SDK.26100",
            "Microsoft.VisualStudio.Component.VC.CMake.Project",
        ],
    ),
    "Microsoft.VisualStudio.Workload.CoreEditor": (800, [], []),
    "Microsoft.VisualStudio.Workload.ManagedDesktop": (1500, [], []),
    "Microsoft.VisualStudio.Workload.MSBuildTools": (100, [], []),
    "Microsoft.VisualStudio.Workload.Python": (700, [], []),
    "Microsoft.VisualStudio.Component.VC.CoreIde": (700, [], []),
    "Microsoft.VisualStudio.Component.VC.CoreBuildTools": (300, [], []),
    VC_TOOLS: (2300, [], []),
    "Microsoft.VisualStudio.Component.Windows11SDK.22621": (2600, [], []),
    "Microsoft.VisualStudio.Component.Windows11SDK.26100": (2700, [], []),
    "Microsoft.VisualStudio.Component.VC.CMake.Project": (250, [], []),
    "Microsoft.VisualStudio.Component.VC.ATL": (200, [], []),
    "Microsoft.Component.MSBuild": (60, [], []),
}


@dataclass
class Instance:
    """One installation of Visual Studio."""

    id: str
    product: str  # community, buildtools …
    major: str
    path: str
    packages: list[str] = field(default_factory=list)
    complete: bool = False
    reboot: bool = False
    installed_at: float = 0.0
    version: str = ""

    @property
    def year(self) -> str:
        """2022 or 2026: the product line."""
        return RELEASES[self.major][0]

    @property
    def build(self) -> str:
        """The version that vswhere calls installationVersion."""
        return self.version or RELEASES[self.major][2]

    @property
    def title(self) -> str:
        """The display name."""
        return f"Visual Studio {_TITLES[self.product]} {self.year}"


def instances(machine: Pc) -> list[Instance]:
    """Everything that is installed, oldest first."""
    return [Instance(**fields) for fields in machine.extra.get("visual_studio", [])]


def store(machine: Pc, items: list[Instance]) -> None:
    """Write the list of instances back."""
    machine.extra["visual_studio"] = [asdict(item) for item in items]


def default_path(product: str, major: str) -> str:
    """Where a product goes unless told otherwise."""
    root = "C:\\Program Files (x86)" if product == "buildtools" else "C:\\Program Files"
    folder = {"buildtools": "BuildTools"}.get(product, product.capitalize())
    label = RELEASES[major][0] if major == "17" else major
    return f"{root}\\Microsoft Visual Studio\\{label}\\{folder}"


def instance_id(path: str, major: str) -> str:
    """Eight hexadecimal digits, the same for the same place."""
    return hashlib.sha256(f"{path.lower()}|{major}".encode()).hexdigest()[:8]


def closure(wanted: list[str], recommended: bool) -> list[str]:
    """The packages that a list of workloads and components brings, in order."""
    out: list[str] = []

    def add(name: str, top: bool) -> None:
        if name in out:
            return
        out.append(name)
        _, required, more = CATALOG[name]
        for item in required:
            add(item, False)
        if top and recommended:
            for item in more:
                add(item, False)

    for name in wanted:
        add(name, True)
    return out


def install_installer(machine: Pc, major: str = "17") -> None:
    """The Visual Studio Installer itself, with vswhere."""
    place(machine, f"{INSTALLER}\\setup.exe", 3_600_000, "vs_setup.exe", MICROSOFT_CORPORATION)
    place(machine, f"{INSTALLER}\\vs_installer.exe", 200_000, "vs_setup.exe", MICROSOFT_CORPORATION)
    place(machine, f"{INSTALLER}\\vswhere.exe", 470_000, "vswhere.exe", MICROSOFT_CORPORATION)
    register(
        machine,
        "{6F320B93-EE3C-4826-85E0-ADF79F8D4C61}",
        wow=True,
        DisplayName="Microsoft Visual Studio Installer",
        DisplayVersion=RELEASES[major][2],
        Publisher="Microsoft Corporation",
    )


def write_files(machine: Pc, instance: Instance, packages: list[str]) -> None:
    """Put the files of packages onto the disk.

    Raises:
        OSError: the disk is full.
    """
    for name in packages:
        place(machine, f"{instance.path}\\Packages\\{name}.dat", CATALOG[name][0] * 2**20)
        if name == VC_TOOLS:
            tools = f"{instance.path}\\VC\\Tools\\MSVC\\14.44.35207\\bin\\Hostx64\\x64"
            place(machine, f"{tools}\\cl.exe", 900_000, "cl.exe", MICROSOFT_CORPORATION)
        if name not in instance.packages:
            instance.packages.append(name)
    if instance.product != "buildtools":
        place(machine, f"{instance.path}\\Common7\\IDE\\devenv.exe", 850_000, "devenv.exe", MICROSOFT_CORPORATION)
    place(machine, f"{instance.path}\\Common7\\Tools\\VsDevCmd.bat", 20_000)
    place(
        machine, f"{instance.path}\\MSBuild\\Current\\Bin\\MSBuild.exe", 400_000, "msbuild.exe", MICROSOFT_CORPORATION
    )


def register_instance(machine: Pc, instance: Instance) -> None:
    """Make an instance known to vswhere and the list of programs."""
    others = [item for item in instances(machine) if item.id != instance.id]
    store(machine, [*others, instance])
    state = f"{PACKAGES}\\_Instances\\{instance.id}\\state.json"
    place(machine, state, 90_000)
    register(
        machine,
        instance.id,
        wow=True,
        DisplayName=instance.title,
        DisplayVersion=RELEASES[instance.major][1],
        Publisher="Microsoft Corporation",
        InstallLocation=instance.path,
        UninstallString=f'"{INSTALLER}\\setup.exe" uninstall --installPath "{instance.path}"',
    )


def remove_instance(machine: Pc, instance: Instance) -> None:
    """Take an instance away."""
    store(machine, [item for item in instances(machine) if item.id != instance.id])
    for path in (instance.path, f"{PACKAGES}\\_Instances\\{instance.id}"):
        if machine.files.exists(path):
            machine.files.remove(path)
    unregister(machine, instance.id)


def integrable(machine: Pc) -> dict[str, str]:
    """Path and version of each complete instance with the C++ tools: CUDA integrates with those."""
    return {item.path: item.build for item in instances(machine) if item.complete and VC_TOOLS in item.packages}


@preinstallable("visual-studio")
def _preinstalled(machine: Pc, entry: dict[str, Any]) -> None:
    product, major = entry.get("product", "community"), str(entry.get("major", 17))
    path = entry.get("path") or default_path(product, major)
    install_installer(machine, major)
    instance = Instance(instance_id(path, major), product, major, path, installed_at=machine.clock.now())
    workloads = entry.get("workloads", ["Microsoft.VisualStudio.Workload.NativeDesktop"])
    packages = ["Microsoft.VisualStudio.Workload.CoreEditor", *closure(workloads, entry.get("recommended", True))]
    write_files(machine, instance, packages)
    instance.complete = entry.get("complete", True)
    register_instance(machine, instance)
