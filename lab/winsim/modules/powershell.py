"""ansible.windows.win_powershell: a script of the PowerShell subset with ``$Ansible`` beside it."""

from __future__ import annotations

import re
from typing import Any

from ..pwsh.interpreter import run_script
from ..pwsh.values import Hashtable, PSObject
from ..runtime import CaseInsensitiveDict, ModuleCall, ModuleFailure, Process, SimulatorError, module
from .common import absolute


@module("ansible.windows.win_powershell")
def win_powershell(call: ModuleCall) -> dict[str, Any]:
    """Run a script and give back its output objects and streams."""
    arguments, files = call.args, call.machine.files
    result: dict[str, Any] = {"changed": True, "error": [], "host_err": "", "host_out": "", "output": [], "result": {}}
    result.update(debug=[], information=[], verbose=[], warning=[])
    for option in ("executable", "sensitive_parameters"):
        if arguments.get(option):
            raise SimulatorError(f"win_powershell: option {option} is not known")
    creates, removes = arguments.get("creates"), arguments.get("removes")
    if creates and files.exists(absolute(call, creates)):
        return {"changed": False, "skipped": True, "msg": f"skipped, since {creates} exists"}
    if removes and not files.exists(absolute(call, removes)):
        return {"changed": False, "skipped": True, "msg": f"skipped, since {removes} does not exist"}
    text = arguments.get("script")
    if arguments.get("path"):
        path = absolute(call, arguments["path"])
        if not files.is_file(path):
            raise ModuleFailure(f"The script path '{path}' does not exist", **result)
        text = files.read_bytes(path).decode("utf-8-sig")
    if text is None:
        raise ModuleFailure("one of the following is required: path, script", **result)
    if call.check_mode:
        if re.search(r"SupportsShouldProcess", text, re.IGNORECASE):
            raise SimulatorError("win_powershell: check mode with SupportsShouldProcess is not known")
        return {"changed": True, "skipped": True, "msg": "skipped, running in check mode"}
    return _run(call, text, result)


def _run(call: ModuleCall, text: str, result: dict[str, Any]) -> dict[str, Any]:
    arguments = call.args
    shared = PSObject("Ansible.Windows.WinPowerShell.Ansible", {
        "Changed": True, "CheckMode": call.check_mode, "Failed": False, "Result": Hashtable({}), "Verbosity": 0,
        "Tmpdir": call.machine.environment_for(call.user)["TEMP"], "Diff": Hashtable({}),
    })  # fmt: skip
    shared.setter = shared.properties.__setitem__
    environment = call.environment.copy() if call.environment else call.session.environment.copy()
    process = Process(call.session, ["powershell.exe"], environment=CaseInsensitiveDict(environment.items()))
    process.cancelled = call.cancelled
    if arguments.get("chdir"):
        process.cwd = absolute(call, arguments["chdir"])
    collected: list[bytes] = []
    process.write_stdout = collected.append
    preference = {"stop": "Stop", "silently_continue": "SilentlyContinue"}.get(
        arguments.get("error_action") or "", "Continue"
    )
    done = run_script(
        process,
        text,
        arguments=arguments.get("arguments") or (),
        parameters=arguments.get("parameters") or {},
        variables={"Ansible": shared, "ErrorActionPreference": preference},
        collect=True,
    )
    depth = int(arguments.get("depth") or 2)
    streams = done.streams
    result.update(
        changed=bool(shared.properties["Changed"]),
        output=[plain(item, depth) for item in done.output],
        result=plain(shared.properties["Result"], depth),
        host_out="".join(line + "\n" for line in streams.get("host", [])),
        warning=streams.get("warning", []),
        verbose=streams.get("verbose", []),
        debug=streams.get("debug", []),
        error=[
            {
                "output": record.display(),
                "exception": {"message": str(plain(record.properties["Exception"], 1)), "type": "System.Exception"},
                "fully_qualified_error_id": record.properties["FullyQualifiedErrorId"],
                "error_details": None,
                "target_object": None,
                "script_stack_trace": "at <ScriptBlock>, <No file>: line 1",
                "category_info": {},
                "pipeline_iteration_info": [],
            }
            for record in done.records
        ],
    )
    if call.diff and shared.properties["Diff"]:
        result["diff"] = plain(shared.properties["Diff"], depth)
    if done.exited and done.exit_code:
        result["rc"] = done.exit_code
    if done.terminated is not None:
        message = plain(done.terminated.properties["Exception"], 1)
        raise ModuleFailure(f"Unhandled exception while running PowerShell script: {message}", **result)
    if shared.properties["Failed"]:
        raise ModuleFailure("", **result)
    return result


def plain(value: Any, depth: int) -> Any:
    """A PowerShell value as JSON can hold it: below ``depth`` objects become their text."""
    if isinstance(value, Hashtable):
        if depth < 0:
            return "System.Collections.Hashtable"
        return {str(key): plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item, depth - 1) for item in value]
    if isinstance(value, PSObject):
        if value.text is not None:
            return value.text
        return (
            {key: plain(item, depth - 1) for key, item in value.properties.items()} if depth >= 0 else value.type_name
        )
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
