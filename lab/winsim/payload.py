"""What Ansible sends to powershell.exe: the manifest of ansible-core 2.19 to 2.21 and its chain of actions."""

from __future__ import annotations

import base64
import json
import re
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.winsim import argspec, async_jobs, clixml, transfer
from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import MODULES, OPTIONS
from lab.winsim.process import CaseInsensitiveDict, ModuleCall, Process, Session

MARKER = "\0\0\0\0"


def is_bootstrap(script: str) -> bool:
    """True for the text of Ansible's bootstrap_wrapper.ps1, with or without its comments."""
    return all(mark in script for mark in ("$codeJson", '"`0`0`0`0"', "ConvertFrom-Json", "@splat"))


@dataclass
class Outcome:
    """What a payload left: text for stdout, error lines for stderr, the exit code."""

    stdout: str = ""
    errors: list[str] = field(default_factory=list)
    exit_code: int = 0


@dataclass
class Context:
    """One run of a manifest in a session."""

    session: Session
    environment: CaseInsensitiveDict
    scripts: dict[str, dict[str, str]]
    actions: list[dict[str, Any]]
    lines: Iterable[str]
    process: Process

    def script(self, name: str) -> str:
        """Return the text of a script in the manifest.

        Raises:
            SimulatorError: the manifest has none of that name.
        """
        if name not in self.scripts:
            raise SimulatorError(f"the payload has no script {name!r}")
        return base64.b64decode(self.scripts[name]["script"]).decode("utf-8-sig")


def run(process: Process, data: bytes | None) -> int:
    """Read a payload (from ``data``, or from stdin) and run it; return the exit code of powershell.exe."""
    lines = _lines(process.stdin.readline) if data is None else iter(data.decode().splitlines())
    first = "\n".join(_until_marker(lines))
    if process.cancelled.is_set():
        return 1  # the client went away before its input was complete
    bootstrap = json.loads(first or "null")
    if not isinstance(bootstrap, dict) or bootstrap.get("name") != "exec_wrapper":
        raise SimulatorError(f"a payload that does not begin with exec_wrapper: {str(bootstrap)[:80]!r}")
    second = "\n".join(_until_marker(lines))
    if process.cancelled.is_set():
        return 1
    manifest = json.loads(second)
    context = Context(
        session=process.session,
        environment=process.environment,
        scripts=manifest["scripts"],
        actions=manifest["actions"],
        lines=lines,
        process=process,
    )
    outcome = _check_requirements(context, bootstrap["params"]) or run_actions(context)
    if outcome.stdout:
        process.write_stdout(outcome.stdout.encode() + b"\r\n")
    if outcome.errors:
        process.write_stderr(clixml.errors(outcome.errors))
    return outcome.exit_code


def _lines(readline: Callable[[], bytes]) -> Iterator[str]:
    while line := readline():
        yield line.decode("utf-8").rstrip("\r\n")


def _until_marker(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        if line == MARKER:
            return
        yield line


def _check_requirements(context: Context, params: dict[str, Any]) -> Outcome | None:
    program = params.get("PwshPath")  # since ansible-core 2.21
    if program and program.lower().removesuffix(".exe") != "powershell":
        return failed(f"Could not find the specified PowerShell interpreter '{program}'.")
    wanted = params.get("MinOSVersion")
    actual = windows_version(context.session.machine)
    if wanted and _version(actual) < _version(wanted):
        return failed(
            f"This module cannot run on this OS as it requires a minimum version of {wanted}, actual was {actual}"
        )
    wanted = params.get("MinPSVersion")
    if wanted and _version(wanted) > (5, 1):
        return failed(
            f'This module cannot run as it requires a minimum PowerShell version of {wanted}, actual was "5.1.22621.1"'
        )
    return None


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", str(text)))


def windows_version(machine: Any) -> str:
    """Return the version of Windows with its update revision, for example ``10.0.26100.4061``."""
    revision = machine.registry.get("HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", "UBR", 1)
    return f"10.0.{machine.build}.{revision}"


def failed(msg: str, **more: Any) -> Outcome:
    """Return the outcome of a wrapper that gives up: the JSON of a failure and exit code 1."""
    return Outcome(json.dumps({"failed": True, "msg": msg, **more}), exit_code=1)


def run_actions(context: Context) -> Outcome:
    """Run the first action of the manifest; wrappers run the rest themselves."""
    action, *rest = context.actions
    context.actions = rest
    name, params = action["name"], dict(action.get("params") or {})
    params.update(action.get("secure_params") or {})
    handler = ACTIONS.get(name)
    if handler is None:
        raise SimulatorError(f"wrapper {name!r} is not known")
    return handler(context, params)


def _module_wrapper(context: Context, params: dict[str, Any]) -> Outcome:
    environment = context.environment
    for name, value in (params.get("Environment") or {}).items():
        environment[name] = "" if value is None else str(value)
    context.session.environment = environment
    if not params.get("ForModule"):
        raise SimulatorError(f"a script that is no module: {params['Script']!r}; there is no PowerShell interpreter")
    complex_args = next(item["Value"] for item in params["Variables"] if item["Name"] == "complex_args")
    return run_module(context, params["Script"], complex_args)


def module_name(script: str) -> str:
    """Return the full module name for a script path such as ``ansible_collections.a.b.plugins.modules.c.ps1``."""
    match = re.fullmatch(r"ansible_collections\.(\w+)\.(\w+)\.plugins\.modules\.(.+)\.ps1", script)
    if match:
        return ".".join(match.groups())
    return script.removesuffix(".ps1")


def run_module(context: Context, script: str, raw_args: dict[str, Any]) -> Outcome:
    """Check the arguments of a module against its own specification and hand it to its handler."""
    machine, name = context.session.machine, module_name(script)
    try:
        handler = MODULES.get(name)
        if handler is None:
            raise SimulatorError(f"module not known: {name}")
        checked = argspec.check(name, context.script(script), raw_args, context.environment)
        if unknown := checked.given - OPTIONS.get(name, checked.given):
            raise SimulatorError(f"{name}: not modelled: {', '.join(sorted(unknown))}")
        call = ModuleCall(
            session=context.session,
            name=name,
            args=checked.args,
            check_mode=checked.check_mode,
            diff=checked.diff,
            environment=context.environment,
            cancelled=context.process.cancelled,
        )
        machine.log("module", name=name, user=call.user, check_mode=call.check_mode)
        context.process.announce(f"module {name} {json.dumps(raw_args)}")
        result = dict(handler(call))
        code = 1 if result.get("failed") else 0
    except argspec.Skipped as skipped:
        result, code = {"changed": False, "skipped": True, "msg": str(skipped)}, 0
    except argspec.ArgumentError as error:
        machine.log("module_refused", name=name, msg=str(error))
        result, code = {"changed": False, "failed": True, "msg": str(error)}, 1
    except ModuleFailure as failure:
        result, code = {"changed": False, **failure.result, "failed": True, "msg": failure.msg}, 1
    except SimulatorError as error:
        machine.log("simulator_error", module=name, text=str(error))
        result, code = {"changed": False, "failed": True, "msg": str(error)}, 1
    except Exception as error:
        trace = traceback.format_exc()
        machine.log("simulator_error", module=name, text=repr(error), trace=trace)
        msg = f"simulator: internal error in {name}: {error!r}"
        result, code = {"changed": False, "failed": True, "msg": msg, "exception": trace}, 1
    else:
        result.setdefault("changed", False)
        if checked.invocation is not None:
            result.setdefault("invocation", {"module_args": checked.invocation})
    return Outcome(json.dumps(result, default=_plain), exit_code=code)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, tuple)):
        return list(value)
    if isinstance(value, CaseInsensitiveDict):
        return dict(value.items())
    return str(value)


def _put(context: Context, params: dict[str, Any]) -> Outcome:
    return Outcome(transfer.put_file(context.session, params["Path"], context.lines))


def _fetch(context: Context, params: dict[str, Any]) -> Outcome:
    try:
        text = transfer.fetch_file(context.session, params["Path"], params["BufferSize"], params["Offset"])
    except FileNotFoundError as error:
        return Outcome(errors=[str(error)], exit_code=1)
    return Outcome(text)


def _mkdtemp(context: Context, params: dict[str, Any]) -> Outcome:
    path = transfer.make_temp_dir(context.session, params["Directory"], params["Name"], context.environment)
    return Outcome(path)


def _expand_user(context: Context, params: dict[str, Any]) -> Outcome:
    return Outcome(transfer.expand_user(context.session, params["Path"]))


def _async(context: Context, params: dict[str, Any]) -> Outcome:
    return Outcome(async_jobs.start(context, params, run_actions))


ACTIONS: dict[str, Callable[[Context, dict[str, Any]], Outcome]] = {
    "module_wrapper.ps1": _module_wrapper,
    "async_wrapper.ps1": _async,
    "winrm_put_file.ps1": _put,
    "winrm_fetch_file.ps1": _fetch,
    "powershell_mkdtemp.ps1": _mkdtemp,
    "powershell_expand_user.ps1": _expand_user,
}
