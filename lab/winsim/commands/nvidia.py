"""nvidia-smi.exe, nvcc.exe and the CUDA installer."""

from __future__ import annotations

import re

from lab.winsim.commands.output import ERROR, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import cuda
from lab.winsim.model.software import exit_code, installer, program_fault
from lab.winsim.model.visual_studio import integrable
from lab.winsim.process import Process

_FAILED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running."
)
UNKNOWN_COMPONENT = 0xE0E00019
"""What the installer ends with when it is told a component that it does not have; it installs nothing then."""


@command("nvidia-smi.exe")
def nvidia_smi(process: Process) -> int:
    """The GPU as a table, ``-L``, or ``--query-gpu`` as CSV."""
    gpu = process.machine.description["gpu"]
    if not gpu or not gpu.get("driver"):
        say(process, _FAILED)
        return 9
    facts = {
        "name": gpu["name"],
        "gpu_name": gpu["name"],
        "driver_version": gpu["driver"],
        "compute_cap": gpu["compute_capability"],
        "memory.total": f"{gpu['memory_mb']} MiB",
        "memory.free": f"{gpu['memory_mb'] - 900} MiB",
        "memory.used": "900 MiB",
        "uuid": "GPU-8f1c5f0e-6a52-5f0b-9f56-3c2a0d1b7e44",
        "gpu_uuid": "GPU-8f1c5f0e-6a52-5f0b-9f56-3c2a0d1b7e44",
        "index": "0",
        "count": "1",
        "pci.bus_id": "00000000:01:00.0",
        "temperature.gpu": "38",
        "utilization.gpu": "0 %",
        "driver_model.current": "WDDM",
        "display_active": "Enabled",
    }
    query, format_words = None, []
    for word in process.argv[1:]:
        if word.startswith("--query-gpu="):
            query = word.partition("=")[2].split(",")
        elif word.startswith("--format="):
            format_words = word.partition("=")[2].split(",")
        elif word in ("-L", "--list-gpus"):
            say(process, f"GPU 0: {gpu['name']} (UUID: {facts['uuid']})")
            return 0
        else:
            raise SimulatorError(f"nvidia-smi: option not known: {word}")
    if query is None:
        version = f"Driver Version: {gpu['driver']}"
        say(process, f"| NVIDIA-SMI {gpu['driver']}    {version}    CUDA Version: {gpu['cuda']} |")
        say(process, f"|   0  {gpu['name']}    WDDM | {facts['memory.used']} / {facts['memory.total']} |")
        return 0
    if "csv" not in format_words:
        say(process, "\"--format=\" switch is missing. Please run 'nvidia-smi --help' for help.")
        return 2
    for name in query:
        if name not in facts:
            say(process, f'Field "{name}" is not a valid field to query.')
            return 2
    if "noheader" not in format_words:
        say(process, ", ".join(f"{name} [MiB]" if name.startswith("memory.") else name for name in query))
    values = [facts[name] for name in query]
    if "nounits" in format_words:
        values = [value.removesuffix(" MiB").removesuffix(" %") for value in values]
    say(process, ", ".join(values))
    return 0


@command("nvcc.exe")
def nvcc(process: Process) -> int:
    """``--version`` only."""
    if process.argv[1:] not in (["--version"], ["-V"]):
        raise SimulatorError(f"nvcc: arguments not known: {process.argv[1:]}")
    data = process.machine.program_file(process).data
    release, build = data["version"], f"{data['version']}.61"
    say(process, "nvcc: NVIDIA (R) Cuda compiler driver\nCopyright (c) 2005-2026 NVIDIA Corporation")
    say(process, "Built on Wed_Aug_19_21:02:39_Pacific_Daylight_Time_2026")
    say(process, f"Cuda compilation tools, release {release}, V{build}\nBuild cuda_{release}.r{release}/compiler.0_0")
    return 0


@command("cuda_installer.exe")
def cuda_installer(process: Process) -> int:
    """``-s [component_13.4 …] [-n]``: the display driver is not among the components from 13.1 on."""
    machine = process.machine
    content = machine.program_file(process)
    version = content.data["version"]
    label = cuda.short(version)
    if not content.complete:
        return ERROR
    components, silent, log = [], False, None
    for word in process.argv[1:]:
        name = word.lower()
        if name in ("-s", "-y", "-gm2", "-n", "-clean", "-noreboot") or name.startswith("-loglevel:"):
            silent = silent or name == "-s"
        elif name.startswith("-log:"):
            log = word[5:].strip('"')
        elif name.startswith("-"):
            raise SimulatorError(f"CUDA installer: option not known: {word}")
        else:
            match = re.fullmatch(rf"(\w+)_{re.escape(label)}", word)
            if match is None or match[1] not in cuda.COMPONENTS:
                if word.lower().startswith("display.driver") and tuple(int(x) for x in label.split(".")) < (13, 1):
                    raise SimulatorError("CUDA installer: Display.Driver is not modelled")
                machine.log("note", text=f"CUDA installer: no component {word}")
                return UNKNOWN_COMPONENT
            components.append(match[1])
    if not silent:
        raise SimulatorError("CUDA installer: without -s it opens a window and waits for ever")
    if not is_elevated(process):
        return 740
    fault = program_fault(machine, "cuda_installer.exe", process)
    if fault and fault.get("effect", "none") == "none":
        return int(fault["rc"]) & ERROR
    with installer(machine, "cuda") as free:
        if not free:
            return ERROR - 2
        half = bool(fault and fault.get("effect") == "partial")
        if not machine.clock.work(240.0, process.cancelled):
            half = True
        try:
            with machine.lock:
                names = cuda.install(machine, version, components or None, integrable(machine), half)
        except OSError:
            return ERROR
    if log:
        machine.files.write_text(f"{log}\\LOG.setup.exe.log", f"installed: {', '.join(names)}\r\n", parents=True)
    if fault:
        return exit_code(fault, process)
    return 0 if not half else ERROR
