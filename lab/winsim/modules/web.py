"""ansible.windows.win_get_url."""

from __future__ import annotations

import ntpath
from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.model.network import NetworkError, Response
from lab.winsim.model.proxy import user_proxy
from lab.winsim.modules.common import absolute, error_text
from lab.winsim.process import ModuleCall

_STATUS = {
    301: "Moved Permanently", 302: "Found", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
    407: "Proxy Authentication Required", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
    504: "Gateway Timeout",
}  # fmt: skip
_UNREACHABLE = {
    "resolve": "The remote name could not be resolved: '{host}'",
    "resolve_proxy": "The remote name could not be resolved: '{host}'",
    "timeout": "The operation has timed out",
}


class WebError(Exception):
    """What .NET throws."""


def download(call: ModuleCall, url: str, result: dict[str, Any]) -> Response:
    """Ask for a URL with ``proxy_url``, else the proxy of the user, else directly, and read it to the end.

    Raises:
        WebError: it did not come, or not whole.
    """
    proxy = call.args.get("proxy_url") or user_proxy(call.machine, call.user, url)
    began = call.machine.clock.now()
    try:
        answer = call.machine.network.fetch(url, proxy=proxy, method="GET", agent="ansible-httpget", redirects=50)
    except NetworkError as error:
        text = _UNREACHABLE.get(error.kind, "Unable to connect to the remote server")
        raise WebError(text.format(host=error.host)) from error
    finally:
        result["elapsed"] = call.machine.clock.now() - began
    result.update(status_code=answer.status)
    if answer.status != 200:
        raise WebError(f"The remote server returned an error: ({answer.status}) {_STATUS.get(answer.status, '')}.")
    if answer.broken == "closed":
        raise WebError("Unable to read data from the transport connection: The connection was closed.")
    if answer.broken == "timeout":
        raise WebError("The operation has timed out.")
    return answer


@module("ansible.windows.win_get_url", "url", "dest", "checksum", "checksum_algorithm", "proxy_url")
def win_get_url(call: ModuleCall) -> dict[str, Any]:
    """Download a file."""
    files, url = call.machine.files, call.args["url"]
    dest = absolute(call, call.args["dest"])
    algorithm, wanted = call.args.get("checksum_algorithm") or "sha1", (call.args.get("checksum") or "").lower()
    result: dict[str, Any] = {"changed": False, "elapsed": 0, "url": url, "dest": dest}
    if not files.is_dir(ntpath.dirname(dest)):
        raise ModuleFailure(
            f"The path '{ntpath.dirname(dest)}' does not exist for destination '{dest}', or is not visible to the "
            "current user. Ensure download destination folder exists (perhaps using win_file state=directory) before "
            "win_get_url runs.",
            **result,
        )
    try:
        content = download(call, url, result).content
        got = content.digest(algorithm)
        if wanted and wanted != got:
            raise ModuleFailure(f"The checksum for {url} did not match '{wanted}', it was '{got}'", **result)
        existing = files.get(dest)
        result["changed"] = existing is None or existing.content.digest(algorithm) != got
        if result["changed"] and not call.check_mode:
            files.put(dest, content, owner=call.machine.full_name(call.user))
    except (WebError, OSError) as error:
        text = error_text(error) if isinstance(error, OSError) else error
        raise ModuleFailure(f"Error downloading '{url}' to '{dest}': {text}", **{**result, "changed": False}) from error
    return {**result, "msg": "OK", "checksum_src": got, "checksum_dest": got, "size": content.size}
