"""Visual Studio's bootstrapper, setup.exe and vswhere.exe."""

from __future__ import annotations

import datetime as dt
import json
import ntpath
from typing import Any

from lab.winsim.commands.output import ERROR, is_elevated
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.machine import Machine
from lab.winsim.model import visual_studio as vs
from lab.winsim.model.network import NetworkError
from lab.winsim.model.proxy import user_proxy
from lab.winsim.model.software import BUSY, exit_code, installer, program_fault
from lab.winsim.process import Process

_VALUED = {
    "--add": "add", "--remove": "remove", "--installpath": "path", "--config": "config", "--addproductlang": "lang",
    "--removeproductlang": "lang", "--channelid": "channel", "--productid": "product", "--channeluri": "uri",
    "--installchanneluri": "uri", "--path": "cache", "--nickname": "nickname", "--productkey": "key",
    "--locale": "locale", "--activityid": "activity",
}  # fmt: skip
_PLAIN = {
    "--quiet", "-q", "--passive", "-p", "--norestart", "--wait", "--nocache", "--includerecommended",
    "--includeoptional", "--noweb", "--force", "--noupdateinstaller", "--removeoos", "--all", "--allworkloads",
    "--installwhiledownloading", "--downloadthenupdate",
}  # fmt: skip
_VERBS = ("install", "modify", "update", "repair", "uninstall", "rollback", "export")
BAD_COMMAND_LINE, NO_DOWNLOAD, BLOCKED, ELEVATION, REBOOT = 5005, 5001, 5007, 740, 3010


def _parse(arguments: list[str]) -> dict[str, Any] | None:
    """Verb, flags and values; None if the command line is wrong."""
    out: dict[str, Any] = {"verb": "install", "flags": set(), "add": [], "remove": []}
    queue = list(arguments)
    if queue and queue[0].lower() in _VERBS:
        out["verb"] = queue.pop(0).lower()
    while queue:
        word = queue.pop(0)
        name, equals, inline = word.partition("=")
        name = name.lower()
        if name in _PLAIN:
            out["flags"].add({"-q": "--quiet", "-p": "--passive"}.get(name, name))
        elif name in _VALUED:
            key = _VALUED[name]
            values = [inline] if equals else []
            while queue and not queue[0].startswith("-") and (not values or key in ("lang", "add", "remove")):
                values.append(queue.pop(0))
            if not values:
                return None
            if key in ("add", "remove"):
                out[key] += values
            else:
                out[key] = values[-1]
        elif name in ("--layout", "--verify", "--fix", "--clean", "--help", "-h", "-?", "export"):
            raise SimulatorError(f"Visual Studio: {name} is not known")
        else:
            return None
    return out


def _log(machine: Machine, user: str, kind: str, lines: list[str]) -> None:
    """Write ``dd_KIND_….log`` into the user's TEMP."""
    stamp = machine.clock.local().strftime("%Y%m%d%H%M%S")
    folder = machine.environment_for(user)["TEMP"]
    time = machine.clock.local().isoformat(timespec="seconds")
    text = "".join(f"[{time}] {line}\r\n" for line in lines)
    for name in (f"dd_{kind}_{stamp}.log", f"dd_{kind}_{stamp}_errors.log"):
        if not name.endswith("_errors.log") or any("Error" in line for line in lines):
            machine.files.write_text(ntpath.join(folder, name), text, parents=True)


@command("vs_bootstrapper.exe")
def bootstrapper(process: Process) -> int:
    """vs_community.exe and its sisters: fetch the installer, then do what setup.exe does."""
    data = process.machine.program_file(process).data
    options = _parse(process.argv[1:])
    log_lines = ["VisualStudio Bootstrapper:" + " ".join(process.argv[1:])]
    code = _bootstrap(process, data, options, log_lines)
    _log(process.machine, process.user, "bootstrapper", [*log_lines, f"Bootstrapper exit code: {code}"])
    return code


def _bootstrap(process: Process, data: dict[str, Any], options: dict[str, Any] | None, lines: list[str]) -> int:
    machine = process.machine
    fault = program_fault(machine, "vs_bootstrapper.exe", process)
    if fault and fault.get("effect", "none") == "none":
        lines.append(fault.get("log", f"Error: exit code {fault['rc']}"))
        return int(fault["rc"]) & ERROR
    if options is None:
        lines.append("Error: the command line is not valid")
        return BAD_COMMAND_LINE
    if not options["flags"] & {"--quiet", "--passive"}:
        if "--norestart" in options["flags"]:
            lines.append("Error: --norestart needs --quiet or --passive")
            return BAD_COMMAND_LINE
        raise SimulatorError("Visual Studio: without --quiet or --passive the bootstrapper opens a window and waits")
    if not is_elevated(process):
        return ELEVATION
    if machine.build < 17763:
        lines.append("Error: the operating system is not supported")
        return BLOCKED
    if not _fetch(process, data, lines):
        return NO_DOWNLOAD
    with machine.lock:
        vs.install_installer(machine, data["major"])
    if "--wait" not in options["flags"]:
        machine.log("note", text="Visual Studio: the bootstrapper returned before the installation ended (no --wait)")
    return _setup(process, options, data["product"], data["major"], fault, lines)


def _fetch(process: Process, data: dict[str, Any], lines: list[str]) -> bool:
    url = data.get("payload_url", "https://download.visualstudio.microsoft.com/download/pr/vs_installer.opc")
    try:
        answer = process.machine.network.fetch(
            url, proxy=user_proxy(process.machine, process.user, url), agent="vs-bootstrapper"
        )
    except NetworkError as error:
        lines.append(f"Error: cannot reach {error.host}: the server name or address could not be resolved")
        return False
    if answer.status != 200 or answer.broken:
        lines.append(f"Error: download of {url} failed with status {answer.status}")
        return False
    return True


@command("vs_setup.exe")
def setup(process: Process) -> int:
    """setup.exe of the installer: modify, update, uninstall an instance."""
    options = _parse(process.argv[1:])
    lines = ["Setup:" + " ".join(process.argv[1:])]
    fault = program_fault(process.machine, "vs_setup.exe", process)
    if fault and fault.get("effect", "none") == "none":
        lines.append(fault.get("log", f"Error: exit code {fault['rc']}"))
        code = int(fault["rc"]) & ERROR
    elif options is None or "--wait" in (options or {"flags": ()})["flags"]:
        lines.append("Error: the command line is not valid")
        code = BAD_COMMAND_LINE if options is None else 87
    elif not options["flags"] & {"--quiet", "--passive"}:
        raise SimulatorError("Visual Studio: without --quiet or --passive setup.exe opens a window and waits")
    elif not is_elevated(process):
        code = ELEVATION
    else:
        code = _setup(process, options, None, None, fault, lines)
    _log(process.machine, process.user, "setup", [*lines, f"Setup exit code: {code}"])
    return code


def _chosen(machine: Machine, options: dict[str, Any]) -> vs.Instance | None:
    """The instance that ``--installPath``, or ``--channelId`` with ``--productId``, names."""
    for item in vs.instances(machine):
        if "path" in options:
            if item.path.lower() == options["path"].rstrip("\\").lower():
                return item
            continue
        channel = f"VisualStudio.{item.major}.{'Release' if item.major == '17' else 'Stable'}"
        if options.get("channel") == channel and options.get("product") == vs.PRODUCTS[item.product]:
            return item
    return None


def _setup(
    process: Process,
    options: dict[str, Any],
    product: str | None,
    major: str | None,
    fault: dict[str, Any] | None,
    lines: list[str],
) -> int:
    machine = process.machine
    if options.get("config"):
        raise SimulatorError("Visual Studio: --config is not known")
    unknown = [name for name in options["add"] + options["remove"] if name.split(";")[0] not in vs.CATALOG]
    if unknown:
        lines.append(f"Error: package {unknown[0]} could not be found in the channel")
        machine.log("note", text=f"Visual Studio: no package {unknown[0]}")
        return 87
    instance = _chosen(machine, options)
    if product is not None and instance is None:
        path = options.get("path", vs.default_path(product, major)).rstrip("\\")
        instance = next((item for item in vs.instances(machine) if item.path.lower() == path.lower()), None)
        if instance is None and options["verb"] == "install":
            instance = vs.Instance(vs.instance_id(path, major), product, major, path, installed_at=machine.clock.now())
    if instance is None:
        lines.append("Error: no instance of Visual Studio was found")
        return 1
    if "--force" not in options["flags"] and machine.extra.get("visual_studio_running"):
        return 8006
    with installer(machine, "visual studio") as free:
        if not free:
            lines.append("Error: another installation is in progress")
            return BUSY
        return _change(process, options, instance, fault, lines)


def _change(
    process: Process, options: dict[str, Any], instance: vs.Instance, fault: dict[str, Any] | None, lines: list[str]
) -> int:
    machine = process.machine
    if options["verb"] == "uninstall":
        with machine.lock:
            vs.remove_instance(machine, instance)
        machine.log("removed", what=instance.title)
        return exit_code(fault, process) if fault else 0
    if options["verb"] not in ("install", "modify", "update"):
        raise SimulatorError(f"Visual Studio: verb {options['verb']} is not known")
    recommended = bool({"--includerecommended", "--includeoptional"} & options["flags"])
    base = [] if instance.product == "buildtools" else ["Microsoft.VisualStudio.Workload.CoreEditor"]
    wanted = base + vs.closure([name.split(";")[0] for name in options["add"]], recommended)
    todo = [name for name in wanted if name not in instance.packages]
    gone = [name.split(";")[0] for name in options["remove"]]
    instance.packages = [name for name in instance.packages if name not in gone]
    if fault and fault.get("effect") == "partial":
        todo = todo[: len(todo) // 2]
    instance.complete = False
    try:
        for name in todo:
            if not machine.clock.work(vs.CATALOG[name][0] / 12, process.cancelled):
                with machine.lock:
                    vs.register_instance(machine, instance)
                return 1602
            with machine.lock:
                vs.write_files(machine, instance, [name])
    except OSError:
        lines.append("Error: There is not enough space on the disk.")
        with machine.lock:
            vs.register_instance(machine, instance)
        return BLOCKED
    with machine.lock:
        instance.complete = not (fault and fault.get("effect") == "partial")
        reboot = bool(machine.description.get("visual_studio_reboot")) or bool(fault and fault.get("rc") == REBOOT)
        instance.reboot = reboot
        vs.register_instance(machine, instance)
        if reboot:
            machine.need_reboot("component servicing")
    machine.log("installed", what=instance.title, packages=todo, complete=instance.complete)
    if fault:
        return exit_code(fault, process)
    return REBOOT if reboot else 0


# --- vswhere ---------------------------------------------------------------------------------------------------


@command("vswhere.exe")
def vswhere(process: Process) -> int:
    """List the instances that fit; nothing and exit code 0 if there are none."""
    options, values = _where_options(process.argv[1:])
    if options is None:
        process.write_stdout(b"Error 0x57: Unknown parameter: " + values[0].encode() + b"\r\n")
        return 87
    found = [item for item in vs.instances(process.machine) if _fits(item, options)]
    found.sort(key=lambda item: (item.build, item.installed_at))
    if "latest" in options:
        found = found[-1:]
    facts = [_facts(process.machine, item) for item in found]
    if options.get("property") == "installationPath":
        text = "".join(f"{one['installationPath']}\r\n" for one in facts)
    elif options.get("format") == "json" and "property" not in options:
        text = json.dumps(facts, indent=2).replace("\n", "\r\n") + "\r\n"
    else:
        raise SimulatorError("vswhere: only -format json and -property installationPath are known")
    process.write_stdout(text.encode("utf-8"))
    return 0


def _where_options(arguments: list[str]) -> tuple[dict[str, Any] | None, list[str]]:
    flags = {"all", "prerelease", "latest", "sort", "legacy", "nologo", "utf8", "include", "requiresany", "nocolor"}
    lists, single = {"products", "requires"}, {"version", "property", "format", "path"}
    options: dict[str, Any] = {}
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        name = word.lower().lstrip("-/")
        if not word.startswith(("-", "/")) or name not in flags | lists | single:
            return None, [word]
        if name in lists:
            options[name] = []
            while queue and not queue[0].startswith("-"):
                options[name].append(queue.pop(0))
        elif name in single:
            options[name] = queue.pop(0)
        else:
            options[name] = True
            if name == "include":
                queue.pop(0)
    if "path" in options or "legacy" in options:
        raise SimulatorError("vswhere: -path and -legacy are not known")
    return options, []


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _fits(item: vs.Instance, options: dict[str, Any]) -> bool:
    products = options.get("products", [vs.PRODUCTS[name] for name in ("community", "professional", "enterprise")])
    if products != ["*"] and vs.PRODUCTS[item.product] not in products:
        return False
    if not item.complete and "all" not in options:
        return False
    required = options.get("requires", [])
    have = [name in item.packages for name in required]
    if required and not (any(have) if "requiresany" in options else all(have)):
        return False
    text = options.get("version")
    if not text:
        return True
    build = _numbers(item.build)
    if text[0] not in "[(":
        return build >= _numbers(text)
    low, _, high = text[1:-1].partition(",")
    above = not low.strip() or (build >= _numbers(low) if text[0] == "[" else build > _numbers(low))
    below = not high.strip() or (build <= _numbers(high) if text[-1] == "]" else build < _numbers(high))
    return above and below


def _facts(machine: Machine, item: vs.Instance) -> dict[str, Any]:
    channel = f"VisualStudio.{item.major}.{'Release' if item.major == '17' else 'Stable'}"
    date = dt.datetime.fromtimestamp(item.installed_at, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "instanceId": item.id,
        "installDate": date,
        "installationName": f"VisualStudio/{vs.RELEASES[item.major][1]}+{item.build.partition('.')[2]}",
        "installationPath": item.path,
        "installationVersion": item.build,
        "productId": vs.PRODUCTS[item.product],
        "productPath": f"{item.path}\\Common7\\IDE\\devenv.exe"
        if item.product != "buildtools"
        else f"{item.path}\\Common7\\Tools\\LaunchDevCmd.bat",
        "state": 4294967295 if item.complete else 11,
        "isComplete": item.complete,
        "isLaunchable": True,
        "isPrerelease": False,
        "isRebootRequired": item.reboot and "component servicing" in machine.reboot_reasons(),
        "displayName": item.title,
        "description": "Visual Studio",
        "channelId": channel,
        "channelUri": f"https://aka.ms/vs/{item.major}/{'release' if item.major == '17' else 'stable'}/channel",
        "enginePath": vs.INSTALLER + "\\resources\\app\\ServiceHub\\Services\\Microsoft.VisualStudio.Setup.Service",
        "catalog": {"productLineVersion": item.year, "productDisplayVersion": vs.RELEASES[item.major][1]},
    }
