"""wsl.exe --export and --import-in-place, as far as they copy and take virtual disks."""

from __future__ import annotations

import ntpath
from dataclasses import replace
from typing import Any

from lab.winsim.commands.output import is_elevated
from lab.winsim.commands.wsl_base import Wsl, WslError, parse
from lab.winsim.errors import SimulatorError
from lab.winsim.model import wsl
from lab.winsim.model.files import Content


def export(run: Wsl, arguments: list[str]) -> int:
    """``--export NAME FILE --vhd``, after ExportDistribution in WslClient.cpp and LxssUserSession.cpp.

    The file is replaced first of all; then the distribution is stopped, and its disk copied. What fails deletes the
    file. A fault ``{"wsl": {"export": BYTES}}`` is wsl.exe being killed after so many bytes: they stay.
    """
    options, words = parse(run, arguments, {"--format": "format"}, {"--vhd": "vhd"})
    if not options.get("vhd") or len(words) != 2 or words[1] == "-":
        raise SimulatorError(f"wsl --export: arguments not known: {arguments}")
    files, path = run.machine.files, words[1]
    if not files.is_dir(ntpath.dirname(path)):
        raise WslError("path", "Wsl/ERROR_PATH_NOT_FOUND")
    files.put(path, Content(0), owner=None if is_elevated(run.process) else run.machine.full_name(run.user))
    try:
        with run.machine.lock:
            distribution = run.distribution(words[0])
            wsl.stop(run.machine, distribution)
            wsl.seal(run.machine, distribution)
            _copy(run, distribution, path)
    except WslError:
        files.remove(path)
        raise
    run.say(run.text("done"))
    return 0


def _copy(run: Wsl, distribution: wsl.Distribution, path: str) -> None:
    wanted = ntpath.splitext(distribution.disk)[1]
    if ntpath.splitext(path)[1].lower() != wanted.lower():
        raise WslError("extension", "Wsl/Service/ExportDistro/WSL_E_EXPORT_FAILED", wanted)
    node = run.machine.files.get(distribution.disk)
    if node is None or node.content is None:
        raise WslError("no file", "Wsl/Service/ExportDistro/ERROR_FILE_NOT_FOUND")
    broken: Any = run.machine.faults.get("wsl", {}).pop("export", None)
    content = replace(node.content, size=broken, complete=False) if broken is not None else node.content
    try:
        run.machine.files.put(path, content)
    except OSError as error:
        raise WslError("space", "Wsl/Service/ExportDistro/ERROR_DISK_FULL") from error


def import_in_place(run: Wsl, arguments: list[str]) -> int:
    """``--import-in-place NAME FILE``, after ImportDistributionInplace: root is its user, no set-up at the first start."""
    if len(arguments) != 2:
        raise WslError("argument", "Wsl/WSL_E_INVALID_USAGE", "--import-in-place")
    name, path = arguments
    node = run.machine.files.get(path)
    with run.machine.lock:
        if wsl.find(run.machine, run.user, name) is not None:
            raise WslError("exists", "Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS")
        if node is None or node.content is None:
            raise WslError("no file", "Wsl/Service/RegisterDistro/ERROR_FILE_NOT_FOUND")
        if not node.content.complete:
            raise WslError("import", "Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED")
        wsl.register(run.machine, run.user, name, None, Content(1), oobe=False, disk=path)
    run.say(run.text("done"))
    return 0
