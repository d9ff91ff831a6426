"""How modules ask for a URL, and ansible.windows.win_get_url."""

from __future__ import annotations

import ntpath
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from lab.winsim.errors import ModuleFailure, SimulatorError
from lab.winsim.handlers import module
from lab.winsim.model.files import Content
from lab.winsim.model.network import NetworkError, Response, file_name
from lab.winsim.model.proxy import user_proxy
from lab.winsim.modules.common import absolute, error_text
from lab.winsim.process import ModuleCall

_STATUS = {
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    407: "Proxy Authentication Required",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


class WebError(Exception):
    """What .NET throws; ``status`` is set when the server answered."""

    def __init__(self, text: str, status: int | None = None, description: str = "") -> None:
        super().__init__(text)
        self.status, self.description = status, description


def request(call: ModuleCall, url: str, method: str | None = None) -> Response:
    """Ask for a URL as the modules do: with ``proxy_url``, else the proxy of the user, else directly.

    Raises:
        WebError: no answer, or one that is no success.
    """
    arguments = call.args
    proxy = None
    if arguments.get("use_proxy", True):
        proxy = arguments.get("proxy_url") or user_proxy(call.machine, call.user, url)
    limit = 0 if arguments.get("follow_redirects") == "none" else int(arguments.get("maximum_redirection", 50))
    try:
        answer = call.machine.network.fetch(
            url,
            proxy=proxy,
            method=(method or arguments.get("url_method") or "GET").upper(),
            agent=arguments.get("http_agent") or "ansible-httpget",
            redirects=limit,
        )
    except NetworkError as error:
        text = {
            "resolve": f"The remote name could not be resolved: '{error.host}'",
            "resolve_proxy": f"The remote name could not be resolved: '{error.host}'",
            "timeout": "The operation has timed out",
        }.get(error.kind, "Unable to connect to the remote server")
        raise WebError(text) from error
    if answer.status >= 400 or answer.status in (301, 302):
        description = _STATUS.get(answer.status, "")
        raise WebError(
            f"The remote server returned an error: ({answer.status}) {description}.", answer.status, description
        )
    return answer


def download(call: ModuleCall, url: str, result: dict[str, Any]) -> Response:
    """Ask for a URL and read it to the end; fills ``status_code``, ``msg`` and ``elapsed`` of the result.

    Raises:
        WebError: it did not come whole.
    """
    began = call.machine.clock.now()
    try:
        answer = request(call, url)
    except WebError as error:
        if error.status is not None:
            result.update(msg=error.description, status_code=error.status)
        raise
    finally:
        result["elapsed"] = call.machine.clock.now() - began
    result.update(status_code=200, msg="OK")
    if answer.broken == "closed":
        raise WebError("Unable to read data from the transport connection: The connection was closed.")
    if answer.broken == "timeout":
        raise WebError("The operation has timed out.")
    return answer


def fail_after(call: ModuleCall, result: dict[str, Any], text: str) -> ModuleFailure:
    """A failure that keeps the keys of the result; its own text wins over the server's ``msg``."""
    return ModuleFailure(text, **{key: value for key, value in result.items() if key != "msg"})


@module("ansible.windows.win_get_url")
def win_get_url(call: ModuleCall) -> dict[str, Any]:
    """Download a file."""
    files, url = call.machine.files, call.args["url"]
    dest = absolute(call, call.args["dest"])
    algorithm = (call.args.get("checksum_algorithm") or "sha1").strip().lower()
    force = call.args.get("force", True)
    result: dict[str, Any] = {"changed": False, "elapsed": 0, "url": url}
    if urlsplit(url).scheme not in ("http", "https"):
        raise SimulatorError(f"win_get_url: scheme not known: {url}")
    if files.is_dir(dest):
        dest = ntpath.join(dest, file_name(url) or urlsplit(url).hostname or "")
    elif dest.endswith("\\"):
        raise fail_after(
            call,
            result,
            f"The destination path '{dest}' does not exist, or is not visible to the current user. Ensure download "
            "destination folder exists (perhaps using win_file state=directory) before win_get_url runs.",
        )
    result["dest"] = dest
    wanted = (call.args.get("checksum") or "").strip().lower()
    for option in ("checksum_url", "force_basic_auth", "url_username"):
        if call.args.get(option):
            raise SimulatorError(f"win_get_url: option {option} is not modelled")
    existing = files.get(dest)
    known = existing.content.digest(algorithm) if existing else None
    if existing and wanted and known != wanted:
        force = True
    if known and wanted and known == wanted and not force:
        result.update(checksum_dest=known, size=existing.content.size)
        return result
    if not force and existing:
        raise SimulatorError("win_get_url: force: false asks the server for a date, which is not modelled")
    if force or not existing:
        _download(call, url, dest, wanted, known, algorithm, result)
    now = files.get(dest)
    if "checksum_dest" not in result and now:
        result.update(checksum_dest=now.content.digest(algorithm), size=now.content.size)
    return result


def _download(
    call: ModuleCall, url: str, dest: str, wanted: str, known: str | None, algorithm: str, result: dict[str, Any]
) -> None:
    files, parent = call.machine.files, ntpath.dirname(dest)
    if not files.is_dir(parent):
        raise fail_after(
            call,
            result,
            f"The path '{parent}' does not exist for destination '{dest}', or is not visible to the current user. "
            "Ensure download destination folder exists (perhaps using win_file state=directory) before win_get_url "
            "runs.",
        )
    try:
        answer = download(call, url, result)
    except WebError as error:
        raise fail_after(call, result, f"Error downloading '{url}' to '{dest}': {error}") from error
    got = answer.content.digest(algorithm)
    result["checksum_src"] = got
    if wanted and wanted != got:
        text = f"The checksum for {url} did not match '{wanted}', it was '{got}'"
        raise fail_after(call, result, text)
    if known == got:
        result.update(checksum_dest=known, size=files.size(dest))
        return
    result["changed"] = True
    if not call.check_mode:
        save(
            call,
            dest,
            answer.content,
            lambda text: fail_after(call, result, f"Error downloading '{url}' to '{dest}': {text}"),
        )


def save(call: ModuleCall, dest: str, content: Content, failure: Callable[[str], ModuleFailure]) -> None:
    """Write what was downloaded.

    Raises:
        ModuleFailure: made by ``failure`` from the text of the error.
    """
    try:
        call.machine.files.put(dest, content, owner=call.machine.full_name(call.user))
    except OSError as error:
        raise failure(error_text(error)) from error
