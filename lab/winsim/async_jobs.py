"""Ansible's async: a job in the background, and the file that tells how it ended."""

from __future__ import annotations

import copy
import itertools
import json
import ntpath
import threading
from collections.abc import Callable
from typing import Any

from lab.winsim import transfer
from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.process import InputStream, ModuleCall

_process_ids = itertools.count(4312, 4)


def start(context: Any, params: dict[str, Any], run_actions: Callable[[Any], Any]) -> str:
    """Start the rest of the manifest as a job and return the JSON that async_wrapper prints.

    Raises:
        SimulatorError: the manifest has no async_watchdog.
    """
    watchdog, *rest = context.actions
    if watchdog["name"] != "async_watchdog.ps1":
        raise SimulatorError(f"async_wrapper is followed by {watchdog['name']!r}")
    files = context.session.machine.files
    folder = transfer.expand_variables(params["AsyncDir"], context.environment)
    if not files.exists(folder):
        files.mkdir(folder)
    job_id = f"{params['AsyncJid']}.{next(_process_ids)}"
    path = ntpath.join(folder, job_id)
    result = {
        "started": True,
        "finished": False,
        "results_file": path,
        "ansible_job_id": job_id,
        "_ansible_suppress_tmpdir_delete": True,
        "ansible_async_watchdog_pid": next(_process_ids),
    }
    text = json.dumps(result)
    files.write_bytes(path, text.encode())
    job = copy.copy(context)
    job.session = context.session.copy()
    job.environment = job.session.environment
    job.actions, job.lines = rest, ()
    # The job outlives the command that started it: its own stdin, its own cancellation.
    job.process = copy.copy(context.process)
    job.process.session, job.process.environment = job.session, job.environment
    job.process.stdin, job.process.cancelled = InputStream(), threading.Event()
    timeout = float(watchdog["params"]["Timeout"])
    arguments = (job, path, result, timeout, run_actions)
    threading.Thread(target=_watch, args=arguments, name=f"async {job_id}", daemon=True).start()
    return text


def _watch(job: Any, path: str, result: dict[str, Any], timeout: float, run_actions: Callable[[Any], Any]) -> None:
    finished: list[dict[str, Any]] = []
    boot = job.session.machine.last_boot

    def work() -> None:
        try:
            outcome = run_actions(job)
            text = outcome.stdout
            begin, end = text.find("{"), text.rfind("}")
            if begin < 0:
                raise ValueError("No start of json char found in module result")
            finished.append(json.loads(text[begin : end + 1]))
        except SimulatorError as error:
            finished.append({"failed": True, "msg": str(error)})
        except Exception as error:
            finished.append({"failed": True, "msg": f"failure during async watchdog: {error}"})

    worker = threading.Thread(target=work, name=threading.current_thread().name + " job", daemon=True)
    worker.start()
    worker.join(timeout)
    if job.session.machine.last_boot != boot:
        return  # the machine was restarted: watchdog and job are gone, the file stays unfinished
    result["finished"] = True
    if finished:
        result.update(finished[0])
    else:
        job.process.cancelled.set()
        msg = "failure during async watchdog: timed out waiting for module completion"
        result.update(failed=True, msg=msg, exception=msg, stdout=None, stderr="")
    job.session.machine.files.write_bytes(path, json.dumps(result).encode())


@module("ansible.windows.async_status")
def async_status(call: ModuleCall) -> dict[str, Any]:
    """Read or remove the file of a job."""
    job_id, folder = str(call.args["jid"]), call.args["_async_dir"]
    path, files = ntpath.join(folder, job_id), call.machine.files
    if not files.exists(path):
        raise ModuleFailure(f"could not find job at '{folder}'", ansible_job_id=job_id, started=1, finished=1)
    if call.args["mode"] == "cleanup":
        files.remove(path)
        return {"ansible_job_id": job_id, "erased": path}
    text = files.read_bytes(path).decode("utf-8-sig")
    if not text:
        return {"results_file": path, "ansible_job_id": job_id, "started": 1, "finished": 0}
    data: dict[str, Any] = json.loads(text)
    if "started" not in data:
        data |= {"finished": 1, "ansible_job_id": job_id}
    data.setdefault("finished", 0)
    return data
