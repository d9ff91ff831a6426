"""ansible.windows.win_package."""

from __future__ import annotations

from typing import Any

from lab.winsim.command_line import join_command_line, split_command_line
from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.model.blank import UNINSTALL
from lab.winsim.model.environment import expand
from lab.winsim.model.files import Content
from lab.winsim.modules.common import absolute
from lab.winsim.modules.process import decode, start
from lab.winsim.process import ModuleCall

_WOW = "SOFTWARE\\Wow6432Node\\Microsoft\\Windows\\CurrentVersion\\Uninstall"


def signed(code: int) -> int:
    """An exit code as a signed 32-bit number."""
    code &= 0xFFFFFFFF
    return code - 2**32 if code >= 2**31 else code


@module(
    "ansible.windows.win_package", "path", "product_id", "state", "arguments", "creates_path", "checksum",
    "checksum_algorithm", "verify_signature", "expected_return_code", "log_path",
)  # fmt: skip
def win_package(call: ModuleCall) -> dict[str, Any]:
    """Install or remove a package: an MSI, or a program that registers itself."""
    arguments, state = call.args, call.args.get("state", "present")
    path = arguments.get("path")
    result: dict[str, Any] = {"changed": False, "reboot_required": False}
    if path and path.lower().startswith("http"):
        raise SimulatorError("win_package: a path that is a URL is not modelled")
    if path:
        path = absolute(call, expand(path, call.session.environment))
        if not call.machine.files.exists(path) and not call.check_mode:
            raise ModuleFailure(f"the file at the path '{path}' cannot be reached", **result)
    status = _status(call, path if path and call.machine.files.exists(path) else None)
    changed = (state == "present") != status["installed"]
    result["rc"] = 0
    if changed and not call.check_mode:
        _apply(call, status, path, result)
    result["changed"] = changed
    return result


def _status(call: ModuleCall, path: str | None) -> dict[str, Any]:
    """Which provider is responsible, under which id, and whether the package is installed."""
    machine = call.machine
    content = machine.files.get(path).content if path else None
    package = content.data.get("msi") if content else None
    product = package["product_code"] if package else call.args.get("product_id")
    view = machine.registry.view(call.user)
    places = (UNINSTALL, f"HKLM\\{_WOW}", UNINSTALL.replace("HKLM", "HKCU"), f"HKCU\\{_WOW}") if product else ()
    key = next((f"{place}\\{product}" for place in places if view.exists(f"{place}\\{product}")), None)
    is_msi = package or (content is None and key is not None and view.get(key, "WindowsInstaller") == 1)
    installed = key is not None
    if creates := call.args.get("creates_path"):  # wins
        installed = machine.files.exists(absolute(call, expand(creates, call.session.environment)))
    return {"provider": "msi" if is_msi else "registry", "id": product, "installed": installed, "key": key}


def _apply(call: ModuleCall, status: dict[str, Any], path: str | None, result: dict[str, Any]) -> None:
    arguments = call.args.get("arguments")
    if isinstance(arguments, list):
        arguments = " ".join(join_command_line(["x", str(item)])[2:] for item in arguments)
    present = call.args.get("state", "present") == "present"
    if present and path:
        content: Content = call.machine.files.get(path).content
        _verify(call, path, content, result)
    log_path = call.args.get("log_path")
    if status["provider"] == "msi":
        log_path = log_path or "C:\\Windows\\Temp\\ansible-msiexec.log"
        action = ["/i", path] if present and path else ["/x", status["id"]]
        line = join_command_line(["C:\\Windows\\System32\\msiexec.exe", *action, "/L*V", log_path, "/qn", "/norestart"])
        encoding = "utf-16-le"
    else:
        line, encoding = _registry_line(call, status, path, result), "utf-8"
    if arguments:
        line += f" {arguments}"
    try:
        done = start(call, split_command_line(line), line)
    except OSError as error:
        text = f"Unhandled exception while executing module: Failed to start '{line}' (Win32ErrorCode {error.errno})"
        raise ModuleFailure(text, **result) from error
    result["rc"] = signed(done.rc)
    expected = call.args.get("expected_return_code") or [0, 3010]
    if result["rc"] not in expected:
        result.update(stdout=decode(done.stdout, encoding), stderr=decode(done.stderr, encoding))
        if log_path and call.machine.files.is_file(log_path):
            result["log"] = decode(call.machine.files.read_bytes(log_path))
        raise ModuleFailure(f"unexpected rc from '{line}': see rc, stdout, and stderr for more details", **result)
    if result["rc"] == 3010:
        result["reboot_required"] = True


def _verify(call: ModuleCall, path: str, content: Content, result: dict[str, Any]) -> None:
    algorithm = call.args.get("checksum_algorithm") or "sha1"
    got = content.digest(algorithm).upper()
    result["checksum"] = got
    wanted = call.args.get("checksum")
    if wanted and wanted.lower() != got.lower():
        raise ModuleFailure(f"The checksum for {path} did not match '{wanted}', it was '{got}'", **result)
    if call.args.get("verify_signature") and not content.signer:
        raise ModuleFailure(
            f"Authenticode signature verification failed for '{path}': the file is not digitally signed", **result
        )


def _registry_line(call: ModuleCall, status: dict[str, Any], path: str | None, result: dict[str, Any]) -> str:
    if path:
        return join_command_line(["x", path])[2:]
    view = call.machine.registry.view(call.user)
    line = view.get(status["key"], "QuietUninstallString") or view.get(status["key"], "UninstallString")
    if not line:
        raise ModuleFailure(f"Failed to find registry uninstall string at registry path '{status['key']}'", **result)
    if line.startswith(("%", '"%')):
        line = expand(line, call.session.environment)
    if not line.startswith('"') and " " in line:
        words = line.split(" ")
        for count in range(1, len(words) + 1):
            program = " ".join(words[:count])
            if call.machine.files.is_file(program):
                return join_command_line(["x", program])[2:] + "".join(" " + word for word in words[count:])
    return line
