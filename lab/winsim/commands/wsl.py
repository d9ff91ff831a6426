"""wsl.exe: the stub in System32 and the program of the WSL package, installation and the list of distributions."""

from __future__ import annotations

import ntpath
import re
from typing import Any

from ..machine import Machine
from ..model import wsl
from ..model.blank import SYSTEM32
from ..model.network import NetworkError
from ..model.proxy import user_proxy
from ..model.software import install_msi, installer, program_fault, remove_msi
from ..model.texts import win32
from ..model.users import system_account
from ..runtime import Process, SimulatorError, command
from .output import ERROR, is_elevated
from .wsl_run import client
from .wsl_texts import TEXTS


class WslError(Exception):
    """wsl.exe ends with -1, a text and a machine-readable code."""

    def __init__(self, key: str, code: str | None, *values: str) -> None:
        super().__init__(key)
        self.key, self.code, self.values = key, code, values


class Wsl:
    """One run of wsl.exe."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.machine: Machine = process.machine
        self.user = process.user
        self.encoding = "utf-8" if process.environment.get("WSL_UTF8") == "1" else "utf-16-le"

    def text(self, key: str, *values: str) -> str:
        """A text in the language of the machine."""
        pair = TEXTS[key]
        return pair[1 if self.machine.language == "zh-CN" else 0].format(*values)

    def text_name(self) -> str:
        """What the product is called."""
        return "适用于 Linux 的 Windows 子系统" if self.machine.language == "zh-CN" else "Windows Subsystem for Linux"

    def say(self, text: str) -> None:
        """A line on standard output."""
        self.process.write_stdout((text + "\n").replace("\n", "\r\n").encode(self.encoding))

    def warn(self, text: str) -> None:
        """A warning on standard error, unless they are switched off."""
        if self.process.environment.get("WSL_DISABLE_WARNINGS") != "1":
            self.process.write_stderr((text + "\n").replace("\n", "\r\n").encode(self.encoding))

    def fail(self, error: WslError) -> int:
        """Print an error as wsl.exe does: to standard output, with its code."""
        self.say(self.text(error.key, *error.values))
        if error.code:
            self.say(self.text("code", error.code))
        return ERROR

    def distro(self, name: str | None, service: str = "Wsl/Service") -> wsl.Distro:
        """A distribution of the user.

        Raises:
            WslError: there is none (of that name).
        """
        found = wsl.find(self.machine, self.user, name)
        if found is None and name is None:
            raise WslError("no distribution", f"{service}/WSL_E_DEFAULT_DISTRO_NOT_FOUND")
        if found is None:
            raise WslError("unknown distribution", f"{service}/WSL_E_DISTRO_NOT_FOUND")
        return found


@command("wsl.exe")
def wsl_exe(process: Process) -> int:
    """The stub if it was started from System32, else the program of the package."""
    run = Wsl(process)
    stub = ntpath.dirname(process.image).lower() == SYSTEM32.lower()
    process.machine.log("wsl", arguments=[_shown(word) for word in process.argv[1:]], stub=stub)
    with process.machine.lock:
        fault = program_fault(process.machine, "wsl.exe", " ".join(process.argv[1:]))
    if fault:
        if fault.get("text"):
            run.say(fault["text"])
        return int(fault["rc"]) & ERROR
    try:
        if system_account(process.user):
            raise WslError("system", "Wsl/WSL_E_LOCAL_SYSTEM_NOT_SUPPORTED")
        if stub:
            installed = wsl.package_version(process.machine)
            if installed and process.session.logon == "network":
                # microsoft/WSL#9231: the alias can not be used from session 0
                run.say(win32(1920, process.machine.language))
                run.say(run.text("code", "Wsl/ERROR_CANT_ACCESS_FILE"))
                return ERROR
            if not installed:
                return _stub(run, process.argv[1:])
        return _package(run, process.argv[1:])
    except WslError as error:
        return run.fail(error)


def _shown(word: str) -> str:
    """An argument for the log: password hashes are blotted out, long texts cut."""
    return "***" if re.search(r"\$(?:[1-7]|2[aby]|y|gy)\$", word) else word[:200]


def _stub(run: Wsl, arguments: list[str]) -> int:
    """Without the package the stub can only install it."""
    if arguments[:1] == ["--install"]:
        return _install(run, arguments[1:])
    if arguments[:1] == ["--update"]:
        return _update(run, arguments[1:])
    raise WslError("not installed", "Wsl/WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED")


def _package(run: Wsl, arguments: list[str]) -> int:
    if not arguments:
        return client(run, [], WslError)
    handler = _HANDLERS.get(arguments[0])
    if handler is not None:
        return handler(run, arguments[1:])
    return client(run, arguments, WslError)


# --- installing ------------------------------------------------------------------------------------------------


def _parse(
    run: Wsl, arguments: list[str], valued: dict[str, str], plain: dict[str, str]
) -> tuple[dict[str, Any], list[str]]:
    """Options with and without value (each option -> its key), and the words."""
    options: dict[str, Any] = {}
    words: list[str] = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        name, equals, value = word.partition("=")
        if name in valued and equals:
            options[valued[name]] = value
        elif word in valued:
            if not queue:
                raise WslError("argument", "Wsl/E_INVALIDARG", word)
            options[valued[word]] = queue.pop(0)
        elif word in plain:
            options[plain[word]] = True
        elif word.startswith("-") and word != "-":
            raise WslError("argument", "Wsl/E_INVALIDARG", word)
        else:
            words.append(word)
    return options, words


def _install(run: Wsl, arguments: list[str]) -> int:
    options, words = _parse(
        run,
        arguments,
        {
            "--from-file": "file", "-f": "file", "--name": "name", "--location": "location", "-l": "location",
            "--vhd-size": "size", "--version": "version", "-d": "distro", "--distribution": "distro",
        },
        {
            "--no-launch": "no_launch", "-n": "no_launch", "--no-distribution": "none", "--web-download": "web",
            "--fixed-vhd": "fixed", "--enable-wsl1": "wsl1", "--legacy": "legacy", "--inbox": "inbox",
        },
    )  # fmt: skip
    for key in ("legacy", "inbox", "wsl1"):
        if options.get(key):
            raise SimulatorError(f"wsl --install: option not known here: {key}")
    name = options.get("distro") or (words[0] if words else None)
    if options.get("none") and (name or options.get("file")):
        raise WslError("argument", "Wsl/E_INVALIDARG", "--no-distribution")
    if options.get("version") not in (None, "2"):
        raise SimulatorError("wsl --install: only --version 2 is known")
    if wsl.package_version(run.machine) is None:
        _install_package(run)
    if _components(run):
        run.say(run.text("reboot"))
        return 0
    if options.get("none"):
        run.say(run.text("done"))
        return 0
    if options.get("file"):
        return _from_file(run, options)
    return _from_catalogue(run, name or "Ubuntu", options)


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


def _download(run: Wsl, url: str) -> Any:
    """Fetch a URL through the user's own proxy (WinINET; the environment is not used).

    Raises:
        WslError: it did not come.
    """
    try:
        answer = run.machine.network.fetch(url, proxy=user_proxy(run.machine, run.user, url), agent="wsl-install/2.0")
    except NetworkError as error:
        code = {"timeout": "WININET_E_TIMEOUT", "connect": "WININET_E_CANNOT_CONNECT"}.get(
            error.kind, "WININET_E_NAME_NOT_RESOLVED"
        )
        raise WslError("network", f"Wsl/InstallDistro/{code}") from error
    if answer.status != 200 or answer.broken:
        raise WslError("network", "Wsl/InstallDistro/WININET_E_CONNECTION_ABORTED")
    return answer


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


def _install_package(run: Wsl) -> None:
    if not is_elevated(run.process):
        raise WslError("elevation", "Wsl/InstallPrerequisites/ERROR_ELEVATION_REQUIRED")
    newest = _latest(run)
    run.say(run.text("downloading", run.text_name()))
    _download(run, newest["url"])
    run.say(run.text("installing", run.text_name()))
    with installer(run.machine, "wsl") as free:
        if not free:
            raise WslError("network", "Wsl/InstallPackage/ERROR_INSTALL_ALREADY_RUNNING")
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
    info = node.content.data.get("distro")
    if info is None or not node.content.complete:
        raise WslError("not a distribution", "Wsl/InstallDistro/Service/RegisterDistro/WSL_E_NOT_A_LINUX_DISTRO")
    return _register(run, options.get("name") or info["default_name"], options, node.content)


def _from_catalogue(run: Wsl, name: str, options: dict[str, Any]) -> int:
    images = {
        item.content.data["distro"]["default_name"].lower(): item
        for item in run.machine.network.catalogue.values()
        if item.content.data.get("distro", {}).get("official")
    }
    alias = {"ubuntu": "ubuntu-26.04"}
    item = images.get(alias.get(name.lower(), name.lower()))
    for listing in ("https://raw.githubusercontent.com/microsoft/WSL/master/distributions/DistributionInfo.json",):
        _download(run, listing)
    if item is None:
        raise WslError("unknown distribution", "Wsl/InstallDistro/WSL_E_DISTRO_NOT_FOUND")
    run.say(run.text("downloading", name))
    answer = _download(run, item.url)
    wanted = options.get("name") or (
        "Ubuntu" if name.lower() == "ubuntu" else item.content.data["distro"]["default_name"]
    )
    return _register(run, wanted, options, answer.content)


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


def _import(run: Wsl, arguments: list[str]) -> int:
    options, words = _parse(run, arguments, {"--version": "version"}, {"--vhd": "vhd"})
    if len(words) != 3 or options.get("vhd") or options.get("version", "2") != "2":
        raise SimulatorError(f"wsl --import: arguments not known: {arguments}")
    name, folder, file = words
    node = run.machine.files.get(file if ntpath.isabs(file) else ntpath.join(run.process.cwd, file))
    if node is None or node.content is None:
        raise WslError("no file", "Wsl/ERROR_FILE_NOT_FOUND")
    if node.content.data.get("distro") is None or not node.content.complete:
        raise WslError("not a distribution", "Wsl/Service/RegisterDistro/WSL_E_NOT_A_LINUX_DISTRO")
    if wsl.missing_features(run.machine):
        raise WslError("virtualization", "Wsl/Service/RegisterDistro/CreateVm/HCS/HCS_E_SERVICE_NOT_AVAILABLE")
    options = {"location": folder}
    code = _register(run, name, options, node.content, oobe=False)
    if code == 0:
        run.say(run.text("done"))
    return code


def _update(run: Wsl, arguments: list[str]) -> int:
    unknown = [word for word in arguments if word not in ("--web-download", "--pre-release", "--confirm")]
    if unknown:
        raise WslError("argument", "Wsl/E_INVALIDARG", unknown[0])
    newest, current = _latest(run), wsl.package_version(run.machine)
    _download(run, "https://api.github.com/repos/microsoft/WSL/releases/latest")
    if current == newest["package"]["version"]:
        run.say(run.text("up to date"))
        return 0
    run.say(run.text("updating", newest["package"]["version"].removesuffix(".0")))
    _install_package(run)
    return 0


# --- the list of distributions ---------------------------------------------------------------------------------


def _list(run: Wsl, arguments: list[str]) -> int:
    options, words = _parse(
        run,
        arguments,
        {},
        {"-v": "verbose", "--verbose": "verbose", "-q": "quiet", "--quiet": "quiet", "--running": "running",
         "--all": "all", "-o": "online", "--online": "online"},
    )  # fmt: skip
    if words:
        raise WslError("argument", "Wsl/E_INVALIDARG", words[0])
    if options.get("online"):
        return _online(run)
    found = wsl.distros(run.machine, run.user)
    if options.get("running"):
        found = [item for item in found if wsl.is_running(run.machine, item)]
        if not found:
            raise WslError("no running", None)
    default = wsl.find(run.machine, run.user, None)
    found.sort(key=lambda item: item is not default and (default is None or item.id != default.id))
    if options.get("quiet"):
        for item in found:
            run.say(item.name)
        return 0
    if not found:
        raise WslError("no distribution", "Wsl/WSL_E_DEFAULT_DISTRO_NOT_FOUND")
    is_default = {item.id for item in found if default and item.id == default.id}
    if options.get("verbose"):
        width = max(len("NAME"), *[len(item.name) for item in found])
        run.say(f"  {'NAME':<{width}}    {'STATE':<15} VERSION")
        for item in found:
            state = "Running" if wsl.is_running(run.machine, item) else "Stopped"
            mark = "*" if item.id in is_default else " "
            run.say(f"{mark} {item.name:<{width}}    {state:<15} {item.version}")
        return 0
    chinese = run.machine.language == "zh-CN"
    run.say("适用于 Linux 的 Windows 子系统分发:" if chinese else "Windows Subsystem for Linux Distributions:")
    for item in found:
        run.say(item.name + ((" (默认值)" if chinese else " (Default)") if item.id in is_default else ""))
    return 0


def _online(run: Wsl) -> int:
    _download(run, "https://raw.githubusercontent.com/microsoft/WSL/master/distributions/DistributionInfo.json")
    run.say("NAME            FRIENDLY NAME")
    for item in run.machine.network.catalogue.values():
        info = item.content.data.get("distro", {})
        if info.get("official"):
            run.say(f"{info['default_name']:<15} Ubuntu {info['version']} LTS")
    return 0


def _status(run: Wsl, arguments: list[str]) -> int:
    chinese = run.machine.language == "zh-CN"
    default = wsl.find(run.machine, run.user, None)
    if default is not None:
        run.say(("默认分发: " if chinese else "Default Distribution: ") + default.name)
    run.say("默认版本: 2" if chinese else "Default Version: 2")
    if wsl.missing_features(run.machine) or not run.machine.description["hardware"]["virtualization"]:
        run.say(run.text("virtualization"))
    return 0


def _version(run: Wsl, arguments: list[str]) -> int:
    version = wsl.package_version(run.machine)
    rows = [
        ("WSL version", "WSL 版本", version),
        ("Kernel version", "内核版本", wsl.KERNEL),
        ("WSLg version", "WSLg 版本", "1.0.79"),
        ("MSRDC version", "MSRDC 版本", "1.2.6676"),
        ("Direct3D version", "Direct3D 版本", "1.611.1-81528511"),
        ("DXCore version", "DXCore 版本", "10.0.26100.1-240331-1435.ge-release"),
        ("Windows version", "Windows", f"10.0.{run.machine.build}.{run.machine.description['windows']['ubr']}"),
    ]
    for english, chinese, value in rows:
        run.say(f"{chinese if run.machine.language == 'zh-CN' else english}: {value}")
    return 0


def _shutdown(run: Wsl, arguments: list[str]) -> int:
    if [word for word in arguments if word != "--force"]:
        raise WslError("argument", "Wsl/E_INVALIDARG", arguments[0])
    with run.machine.lock:
        for user in list(run.machine.users):
            for item in wsl.distros(run.machine, user):
                wsl.stop(run.machine, item, "shutdown")
    return 0


def _terminate(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--terminate")
    with run.machine.lock:
        wsl.stop(run.machine, run.distro(arguments[0]))
    run.say(run.text("done"))
    return 0


def _unregister(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--unregister")
    with run.machine.lock:
        distro = run.distro(arguments[0])
        wsl.stop(run.machine, distro, "unregister")
        wsl.unregister(run.machine, distro)
    run.say(run.text("done"))
    return 0


def _set_default(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) != 1:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--set-default")
    distro = run.distro(arguments[0])
    run.machine.registry.view(run.user).set(wsl.HKCU_LXSS, "DefaultDistribution", distro.id)
    run.say(run.text("done"))
    return 0


def _set_default_version(run: Wsl, arguments: list[str]) -> int:
    if arguments not in (["1"], ["2"]):
        raise WslError("argument", "Wsl/E_INVALIDARG", *(arguments[:1] or ["--set-default-version"]))
    run.machine.registry.view(run.user).set(wsl.HKCU_LXSS, "DefaultVersion", int(arguments[0]))
    run.say(run.text("done"))
    return 0


def _manage(run: Wsl, arguments: list[str]) -> int:
    if len(arguments) < 2:
        raise WslError("argument", "Wsl/E_INVALIDARG", "--manage")
    distro, action, values = run.distro(arguments[0]), arguments[1], arguments[2:]
    if action == "--set-default-user" and len(values) == 1:
        uid = run.machine.wsl_backend.uid(distro, values[0])
        if uid is None:
            raise WslError("no user", "Wsl/Service/WSL_E_USER_NOT_FOUND")
        wsl.set_default_uid(run.machine, distro, uid)
    elif action in ("--move", "-m") and len(values) == 1:
        if wsl.is_running(run.machine, distro):
            raise SimulatorError("wsl --manage --move: of a running distribution is not known")
        run.machine.files.mkdir(values[0])
        run.machine.files.move(distro.disk, ntpath.join(values[0], "ext4.vhdx"))
        view = run.machine.registry.view(run.user)
        view.set(f"{wsl.HKCU_LXSS}\\{distro.id}", "BasePath", "\\\\?\\" + values[0])
    elif action in ("--resize", "-r", "--set-sparse", "-s", "--compact"):
        raise SimulatorError(f"wsl --manage: {action} is not known here")
    else:
        raise WslError("argument", "Wsl/E_INVALIDARG", action)
    run.say(run.text("done"))
    return 0


def _uninstall(run: Wsl, arguments: list[str]) -> int:
    code = run.machine.registry.get(wsl.HKLM_LXSS + "\\MSI", "ProductCode")
    remove_msi(run.machine, code)
    return 0


def _help(run: Wsl, arguments: list[str]) -> int:
    run.say(
        "Usage: wsl.exe [Argument] [Options...] [CommandLine]\n\n"
        "    --install [Distro] [Options...]\n        --from-file <Path>\n        --location <Location>\n"
        "        --name <Name>\n        --no-distribution\n        --no-launch\n"
        "    --manage <Distro> <Options...>\n        --set-default-user <Username>\n    --shutdown\n    --status\n"
        "    --terminate, -t <Distro>\n    --unregister <Distro>\n    --version, -v"
    )
    return ERROR


_HANDLERS = {
    "--install": _install,
    "--import": _import,
    "--update": _update,
    "--list": _list,
    "-l": _list,
    "--status": _status,
    "--version": _version,
    "-v": _version,
    "--shutdown": _shutdown,
    "--terminate": _terminate,
    "-t": _terminate,
    "--unregister": _unregister,
    "--set-default": _set_default,
    "-s": _set_default,
    "--set-default-version": _set_default_version,
    "--manage": _manage,
    "--uninstall": _uninstall,
    "--help": _help,
}
