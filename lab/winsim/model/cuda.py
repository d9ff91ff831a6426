"""The CUDA toolkit for Windows: components, uninstall keys, variables, Visual Studio integration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.winsim.model.blank import MACHINE_ENVIRONMENT, UNINSTALL
from lab.winsim.model.pins import PINS
from lab.winsim.model.software import NVIDIA, add_to_path, place, preinstallable, register, remove_from_path, unregister

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

GUID = "{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}"
ROOT = "C:\\Program Files\\NVIDIA GPU Computing Toolkit\\CUDA"
NVI2 = "C:\\Program Files\\NVIDIA Corporation\\Installer2\\InstallerCore\\NVI2.DLL"
_UNINSTALL = (
    '"C:\\Windows\\SysWOW64\\RunDll32.EXE" '
    '"C:\\Program Files\\NVIDIA Corporation\\Installer2\\InstallerCore\\NVI2.DLL",UninstallPackage'
)

# component -> files below the toolkit's folder with their sizes in MB
COMPONENTS: dict[str, list[tuple[str, int]]] = {
    "nvcc": [("bin\\nvcc.exe", 18), ("bin\\nvlink.exe", 24), ("bin\\ptxas.exe", 36)],
    "crt": [("include\\crt\\host_config.h", 1)],
    "nvvm": [("nvvm\\bin\\cicc.exe", 60)],
    "nvptxcompiler": [("lib\\x64\\nvptxcompiler_static.lib", 90)],
    "cudart": [("bin\\x64\\cudart64.dll", 1), ("include\\cuda_runtime.h", 1), ("lib\\x64\\cudart.lib", 1)],
    "thrust": [("include\\cccl\\thrust\\version.h", 12)],
    "cublas": [("bin\\x64\\cublas64.dll", 480)],
    "cublas_dev": [("include\\cublas_v2.h", 1)],
    "cufft": [("bin\\x64\\cufft64.dll", 280)],
    "cufft_dev": [("include\\cufft.h", 1)],
    "curand": [("bin\\x64\\curand64.dll", 65)],
    "curand_dev": [("include\\curand.h", 1)],
    "cusolver": [("bin\\x64\\cusolver64.dll", 190)],
    "cusolver_dev": [("include\\cusolverDn.h", 1)],
    "cusparse": [("bin\\x64\\cusparse64.dll", 310)],
    "cusparse_dev": [("include\\cusparse.h", 1)],
    "npp": [("bin\\x64\\nppc64.dll", 220)],
    "npp_dev": [("include\\npp.h", 1)],
    "nvrtc": [("bin\\x64\\nvrtc64.dll", 50)],
    "nvrtc_dev": [("include\\nvrtc.h", 1)],
    "nvjitlink": [("bin\\x64\\nvJitLink.dll", 60)],
    "nvml_dev": [("include\\nvml.h", 1)],
    "nvfatbin": [("bin\\x64\\nvfatbin.dll", 2)],
    "nvjpeg": [("bin\\x64\\nvjpeg64.dll", 5)],
    "nvjpeg_dev": [("include\\nvjpeg.h", 1)],
    "nvtx": [("include\\nvtx3\\nvToolsExt.h", 1)],
    "nvprune": [("bin\\nvprune.exe", 1)],
    "nvdisasm": [("bin\\nvdisasm.exe", 6)],
    "cuobjdump": [("bin\\cuobjdump.exe", 12)],
    "cuxxfilt": [("bin\\cu++filt.exe", 1)],
    "cuda_profiler_api": [("include\\cuda_profiler_api.h", 1)],
    "cupti": [("extras\\CUPTI\\lib64\\cupti64.dll", 40)],
    "sanitizer": [("compute-sanitizer\\compute-sanitizer.exe", 12)],
    "documentation": [("CUDA_Toolkit_Release_Notes.txt", 1)],
    "demo_suite": [("extras\\demo_suite\\deviceQuery.exe", 1)],
    "opencl": [("include\\CL\\cl.h", 1)],
    "visual_studio_integration": [],
    "nsight_compute": [],
    "nsight_systems": [],
    "nsight_vse": [],
    "occupancy_calculator": [],
    "cccl": [("include\\cccl\\cub\\version.cuh", 1)],
}


EXTENSIONS = "extras\\visual_studio_integration\\MSBuildExtensions"
FOLDERS = {"17": "v170", "18": "v180"}
"""Major version of Visual Studio -> its folder below MSBuild\\Microsoft\\VC."""


def extensions(label: str) -> list[str]:
    """What Visual Studio is told of a version by, ``CUDA 13.4.props`` and so on."""
    names = [f"CUDA {label}.{kind}" for kind in ("props", "targets", "Version.props", "xml")]
    return [*names, f"Nvda.Build.CudaTasks.v{label}.dll"]


def customizations(label: str, studios: dict[str, str]) -> list[str]:
    """The folders of those of the Visual Studios that a version knows; 2026 is known from 13.2 on."""
    known = ["17", "18"] if tuple(map(int, label.split("."))) >= (13, 2) else ["17"]
    majors = {path: build.split(".")[0] for path, build in studios.items()}
    return [
        f"{path}\\MSBuild\\Microsoft\\VC\\{FOLDERS[major]}\\BuildCustomizations"
        for path, major in majors.items()
        if major in known
    ]


def short(version: str) -> str:
    """``13.4`` of ``13.4.2``."""
    return ".".join(version.split(".")[:2])


def folder(version: str) -> str:
    """Where a version is installed."""
    return f"{ROOT}\\v{short(version)}"


def install(
    machine: Pc, version: str, components: list[str] | None, studios: dict[str, str], half: bool = False
) -> list[str]:
    """Put components of a version onto the machine and return the names that were installed.

    Args:
        version: for example ``13.4.2``.
        components: names without version, None for all.
        studios: installation path -> version of each Visual Studio that can be integrated.
        half: stop in the middle, as a killed installer leaves it.

    Raises:
        OSError: the disk is full.
    """
    names = list(COMPONENTS) if components is None else components
    if int(version.split(".")[0]) < 13 and "nvcc" in names:  # crt and nvvm are components of their own since 13.0
        names = [*names, *(name for name in ("crt", "nvvm") if name not in names)]
    if half:
        names = names[: max(1, len(names) // 2)]
    where, label = folder(version), short(version)
    for name in names:
        for file, size in COMPONENTS[name]:
            program = "nvcc.exe" if file.endswith("nvcc.exe") else None
            place(machine, f"{where}\\{file}", size * 2**20, program, NVIDIA, version=label)
        if half:
            continue
        if name == "visual_studio_integration":
            folders = customizations(label, studios)
            for target in [f"{where}\\{EXTENSIONS}", *folders]:
                for file in extensions(label):
                    place(machine, f"{target}\\{file}", 20_000, None, NVIDIA, version=label)
            if not folders:
                continue
        register(
            machine,
            f"{GUID}_CUDA{_title(name)}_{label}",
            DisplayName=f"NVIDIA CUDA {_words(name)} {label}",
            DisplayVersion=label,
            Publisher="NVIDIA Corporation",
            UninstallString=_UNINSTALL + f" CUDA{_title(name)}_{label}",
        )
    if half:
        return names
    register(
        machine,
        f"{GUID}_CUDAToolkit_{label}",
        DisplayName=f"NVIDIA CUDA Toolkit {label}",
        DisplayVersion=label,
        Publisher="NVIDIA Corporation",
        InstallLocation=where,
        UninstallString=f"{_UNINSTALL} CUDAToolkit_{label}",
    )
    machine.registry.set(
        "HKLM\\SOFTWARE\\NVIDIA Corporation\\GPU Computing Toolkit\\CUDA\\v" + label, "InstallDir", where
    )
    machine.registry.set(MACHINE_ENVIRONMENT, "CUDA_PATH", where)
    machine.registry.set(MACHINE_ENVIRONMENT, f"CUDA_PATH_V{label.replace('.', '_')}", where)
    add_to_path(machine, f"{where}\\bin\\x64" if int(label.split(".")[0]) >= 13 else f"{where}\\libnvvp", first=True)
    add_to_path(machine, f"{where}\\bin", first=True)
    place(machine, NVI2, 4_000_000, None, NVIDIA)
    machine.log("installed", what="CUDA toolkit", version=version, components=names)
    return names


def uninstall_package(machine: Pc, package: str) -> bool:
    """Remove what an uninstall entry stands for, ``CUDANvcc_13.4`` or ``CUDAToolkit_13.4``; False if it is unknown."""
    name, _, label = package.rpartition("_")
    if not machine.registry.exists(f"{UNINSTALL}\\{GUID}_{package}"):
        return False
    if name == "CUDAToolkit":
        _forget(machine, label)
    else:
        component = next((item for item in COMPONENTS if "CUDA" + _title(item) == name), None)
        if component is None:
            return False
        paths = [f"{ROOT}\\v{label}\\{file}" for file, _ in COMPONENTS[component]]
        if component == "visual_studio_integration":
            folders = [f"{ROOT}\\v{label}\\{EXTENSIONS}", *customizations(label, _studios(machine))]
            paths = [f"{target}\\{file}" for target in folders for file in extensions(label)]
        for path in filter(machine.files.exists, paths):
            machine.files.remove(path)
    unregister(machine, f"{GUID}_{package}")
    machine.log("removed", what=package)
    return True


def _forget(machine: Pc, label: str) -> None:
    """Variables and PATH of a version."""
    where = f"{ROOT}\\v{label}"
    machine.registry.remove(MACHINE_ENVIRONMENT, f"CUDA_PATH_V{label.replace('.', '_')}")
    if machine.registry.get(MACHINE_ENVIRONMENT, "CUDA_PATH") == where:
        machine.registry.remove(MACHINE_ENVIRONMENT, "CUDA_PATH")
    machine.registry.delete("HKLM\\SOFTWARE\\NVIDIA Corporation\\GPU Computing Toolkit\\CUDA\\v" + label)
    for part in ("bin", "bin\\x64", "libnvvp"):
        remove_from_path(machine, f"{where}\\{part}")


def remove(machine: Pc, version: str) -> None:
    """Take a version away with all its keys and variables."""
    label, where = short(version), folder(version)
    for key in machine.registry.subkeys(UNINSTALL):
        if key.startswith(GUID + "_CUDA") and key.endswith("_" + label):
            unregister(machine, key)
    if machine.files.exists(where):
        machine.files.remove(where)
    _forget(machine, label)
    machine.log("removed", what="CUDA toolkit", version=label)


def _title(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _words(name: str) -> str:
    return " ".join(word.upper() if word.startswith("cu") else word.capitalize() for word in name.split("_"))


def _studios(machine: Pc) -> dict[str, str]:
    from lab.winsim.model.visual_studio import integrable

    return integrable(machine)


@preinstallable("cuda")
def _preinstalled(machine: Pc, entry: dict[str, Any]) -> None:
    version = entry.get("version", PINS["cuda_windows"]["version"])
    install(machine, version, entry.get("components"), _studios(machine), entry.get("half", False))
