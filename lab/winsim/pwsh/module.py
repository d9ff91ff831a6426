"""The module ansible.windows.win_powershell: a script of the subset with its streams and ``$Ansible``."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.process import InputStream, ModuleCall, Process
from lab.winsim.pwsh.interpreter import run_script
from lab.winsim.pwsh.values import ErrorRecord, Hashtable, PSObject, from_python, plain, truth

_ACTIONS = {"stop": "Stop", "continue": "Continue", "silently_continue": "SilentlyContinue"}


def _exists(call: ModuleCall, path: str) -> bool:
    return call.machine.files.exists(path) if "*" not in path else bool(call.machine.files.glob(path))


def _error(record: ErrorRecord, depth: int) -> dict[str, Any]:
    return {
        "output": record.display(),
        "error_details": None,
        "exception": {"message": record.message, "type": "System.Management.Automation.RuntimeException"},
        "target_object": plain(record.properties["TargetObject"], depth),
        "category_info": {"category": record.category, "activity": record.source},
        "fully_qualified_error_id": record.error_id,
        "script_stack_trace": "",
    }


def _script(call: ModuleCall) -> str:
    if call.args["script"] is not None:
        return call.args["script"]
    if not call.machine.files.is_file(call.args["path"]):
        raise ModuleFailure(f"The path specified '{call.args['path']}' does not exist or is not a file.")
    return call.machine.files.read_bytes(call.args["path"]).decode("utf-8-sig")


@module("ansible.windows.win_powershell")
def win_powershell(call: ModuleCall) -> dict[str, Any]:
    """Run a script. In check mode only one that supports ShouldProcess runs; the subset knows none such."""
    arguments = call.args
    for option in ("executable", "arguments", "sensitive_parameters"):
        if arguments.get(option):
            raise SimulatorError(f"win_powershell: option {option} is not modelled")
    if arguments["creates"] and _exists(call, arguments["creates"]):
        return {"changed": False, "skipped": True, "msg": f"skipped, since {arguments['creates']} exists"}
    if arguments["removes"] and not _exists(call, arguments["removes"]):
        return {"changed": False, "skipped": True, "msg": f"skipped, since {arguments['removes']} does not exist"}
    text, depth = _script(call), arguments["depth"]
    if "SupportsShouldProcess" in text:
        raise SimulatorError("win_powershell: SupportsShouldProcess is not modelled")
    if call.check_mode:
        return {"changed": True, "skipped": True, "msg": "skipped, running in check mode"}
    host_out, host_err = bytearray(), bytearray()
    process = Process(
        session=call.session,
        argv=["powershell.exe"],
        environment=call.session.environment.copy(),
        stdin=InputStream(),
        write_stdout=host_out.extend,
        write_stderr=host_err.extend,
        cancelled=call.cancelled,
        cwd=arguments["chdir"] or call.session.cwd,
    )
    state = PSObject(
        "Ansible.Windows.WinPowerShell.Module",
        {
            "CheckMode": call.check_mode,
            "Verbosity": 0,
            "Result": Hashtable(),
            "Diff": Hashtable(),
            "Changed": True,
            "Failed": False,
            "Tmpdir": call.session.environment.get("TEMP", "C:\\Windows\\Temp"),
        },
    )
    outcome = run_script(
        process,
        text,
        parameters={name: from_python(value) for name, value in (arguments["parameters"] or {}).items()},
        variables={"Ansible": state, "ErrorActionPreference": _ACTIONS[arguments["error_action"].lower()]},
        collect=True,
    )
    streams = outcome.streams
    result = {
        "changed": truth(state.properties["Changed"]),
        "failed": outcome.terminated is not None or truth(state.properties["Failed"]),
        "host_out": host_out.decode("utf-8", "replace"),
        "host_err": host_err.decode("utf-8", "replace"),
        "result": plain(state.properties["Result"], depth),
        "output": [plain(item, depth) for item in outcome.output],
        "error": [_error(record, depth) for record in outcome.records],
        "information": [{"message_data": text, "tags": []} for text in streams.get("information", [])],
    }
    for name in ("debug", "verbose", "warning"):
        result[name] = streams.get(name, [])
    if isinstance(state.properties["Diff"], Hashtable) and state.properties["Diff"]:
        result["diff"] = plain(state.properties["Diff"], depth)
    return result
