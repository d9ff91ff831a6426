"""wsl.exe --install."""

from __future__ import annotations

import ntpath
from typing import Any

from lab.winsim.commands.output import ERROR, is_elevated
from lab.winsim.commands.wsl_base import Wsl, WslError, download, parse
from lab.winsim.errors import SimulatorError
from lab.winsim.model import wsl
from lab.winsim.model.software import install_msi, installer


def install(run: Wsl, arguments: list[str]) -> int:
    """Install the package, the features and a distribution."""
    options, words = parse(
        run,
        arguments,
        {
            "--from-file": "file", "-f": "file", "--name": "name", "--location": "location", "-l": "location",
            "--vhd-size": "size", "--version": "version", "-d": "distribution", "--distribution": "distribution",
        },
        {
            "--no-launch": "no_launch", "-n": "no_launch", "--no-distribution": "none", "--web-download": "web",
            "--fixed-vhd": "fixed", "--enable-wsl1": "wsl1", "--legacy": "legacy", "--inbox": "inbox",
        },
    )  # fmt: skip
    for key in ("legacy", "inbox", "wsl1"):
        if options.get(key):
            raise SimulatorError(f"wsl --install: option not known here: {key}")
    name = options.get("distribution") or (words[0] if words else None)
    if options.get("none") and (name or options.get("file")):
        raise WslError("argument", "Wsl/E_INVALIDARG", "--no-distribution")
    if options.get("version") not in (None, "2"):
        raise SimulatorError("wsl --install: only --version 2 is known")
    if wsl.package_version(run.machine) is None:
        install_package(run)
    if _components(run):
        run.say(run.text("reboot"))
        return 0
    if options.get("none"):
        run.say(run.text("done"))
        return 0
    if options.get("file"):
        return _from_file(run, options)
    raise SimulatorError("wsl --install: a distribution by its name is not known; --from-file is")


def _components(run: Wsl) -> bool:
    """Switch missing features on; True if a reboot has to come first."""
    missing = wsl.missing_features(run.machine)
    if not missing:
        return False
    disabled = [name for name in missing if run.machine.features.find(name).state == "Disabled"]
    if disabled and not is_elevated(run.process):
        raise WslError("elevation", "Wsl/InstallPrerequisites/ERROR_ELEVATION_REQUIRED")
    for name in disabled:
        run.say(run.text("installing", name))
        run.machine.features.enable(name)
    if disabled:
        run.machine.clock.work(20.0)
        run.machine.need_reboot("component servicing")
        run.machine.log("features", names=disabled, enabled=True, restart=True)
    run.machine.registry.create(wsl.HKLM_LXSS + "\\InstallStatus", volatile=True)
    return True


def _latest(run: Wsl) -> dict[str, Any]:
    """The newest WSL package in the catalogue."""
    packages = [
        item.content
        for item in run.machine.network.catalogue.values()
        if item.content.data.get("msi", {}).get("product") == "wsl"
    ]
    if not packages:
        raise SimulatorError("wsl: the catalogue has no WSL package")
    newest = max(packages, key=lambda item: tuple(int(part) for part in item.data["msi"]["version"].split(".")))
    return {"package": newest.data["msi"], "url": newest.origin}


def install_package(run: Wsl) -> None:
    """Fetch and install the package."""
    if not is_elevated(run.process):
        raise WslError("elevation", "Wsl/InstallPrerequisites/ERROR_ELEVATION_REQUIRED")
    newest = _latest(run)
    run.say(run.text("downloading", run.text_name()))
    download(run, newest["url"])
    run.say(run.text("installing", run.text_name()))
    with installer(run.machine, "wsl") as free:
        if not free:
            raise WslError("network", "Wsl/InstallPackage/ERROR_INSTALL_ALREADY_RUNNING")
        if not wsl.msix_registers(run.process.session):
            raise WslError("installer", "Wsl/InstallPackage/ERROR_INSTALL_FAILURE")
        install_msi(run.machine, newest["package"])
    run.machine.clock.work(30.0)
    run.say(run.text("package installed", run.text_name()))


def _needs_virtualization(run: Wsl) -> None:
    if not run.machine.description["hardware"]["virtualization"]:
        code = "Wsl/InstallDistro/Service/RegisterDistro/CreateVm/HCS/HCS_E_HYPERV_NOT_INSTALLED"
        raise WslError("virtualization", code)


def _from_file(run: Wsl, options: dict[str, Any]) -> int:
    path = options["file"]
    if path == "-":
        raise SimulatorError("wsl --install --from-file -: reading an image from standard input is not known")
    path = path if ntpath.isabs(path) else ntpath.join(run.process.cwd, path)
    node = run.machine.files.get(path)
    if node is None or node.content is None:
        raise WslError("no file", "Wsl/InstallDistro/ERROR_FILE_NOT_FOUND")
    info = node.content.data.get("distribution")
    if info is None or not node.content.complete:
        raise WslError("not a distribution", "Wsl/InstallDistro/Service/RegisterDistro/WSL_E_NOT_A_LINUX_DISTRO")
    return _register(run, options.get("name") or info["default_name"], options, node.content)


def _register(run: Wsl, name: str, options: dict[str, Any], content: Any, *, oobe: bool = True) -> int:
    if wsl.find(run.machine, run.user, name) is not None:
        raise WslError("exists", "Wsl/InstallDistro/Service/RegisterDistro/ERROR_ALREADY_EXISTS")
    _needs_virtualization(run)
    location = options.get("location")
    if location and not ntpath.isabs(location):
        location = ntpath.join(run.process.cwd, location)
    run.say(run.text("installing", name))
    if not run.machine.clock.work(25.0, run.process.cancelled):
        return ERROR
    try:
        with run.machine.lock:
            wsl.register(run.machine, run.user, name, location, content, oobe=oobe)
    except OSError as error:
        raise WslError("space", "Wsl/InstallDistro/Service/RegisterDistro/ERROR_DISK_FULL") from error
    run.say(run.text("installed", name))
    return 0
