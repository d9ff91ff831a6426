"""ansible.windows.win_inet_proxy and win_http_proxy."""

from __future__ import annotations

from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.handlers import module
from lab.winsim.model.proxy import InetProxy, read_inet, read_winhttp, write_inet, write_winhttp
from lab.winsim.process import ModuleCall


def _server(call: ModuleCall) -> tuple[str | None, str | None]:
    """The options ``proxy`` and ``bypass`` as Windows stores them."""
    proxy, bypass = call.args.get("proxy"), call.args.get("bypass")
    if bypass and not proxy:
        raise ModuleFailure("missing parameter(s) required by ''bypass'': proxy")
    return str(proxy) if proxy else None, ";".join(bypass) if bypass else None


@module("ansible.windows.win_inet_proxy", "proxy", "bypass", "auto_detect", "auto_config_url")
def win_inet_proxy(call: ModuleCall) -> dict[str, Any]:
    """Set the proxy of the current user."""
    server, bypass = _server(call)
    view = call.machine.registry.view(call.user)
    before = read_inet(view)
    if not before.enabled:  # a server that is stored but switched off does not count
        before.server = before.bypass = None
    auto_detect = call.args.get("auto_detect", True)
    after = InetProxy(server, bypass, call.args.get("auto_config_url") or None, bool(auto_detect))
    texts = ("server", "bypass", "auto_config_url")
    changed = after.auto_detect != before.auto_detect or any(
        (getattr(after, name) or "").lower() != (getattr(before, name) or "").lower() for name in texts
    )
    if changed and not call.check_mode:
        write_inet(view, after)
        call.machine.log("user proxy", user=call.user, server=server)
    result: dict[str, Any] = {"changed": changed}
    if call.diff:
        result["diff"] = {"before": _shown(before, "server"), "after": _shown(after, "proxy")}
    return result


def _shown(proxy: InetProxy, server: str) -> dict[str, Any]:
    return {
        "auto_config_url": proxy.auto_config_url,
        "auto_detect": proxy.auto_detect,
        "bypass": proxy.bypass,
        server: proxy.server,
    }


@module("ansible.windows.win_http_proxy", "proxy", "bypass")
def win_http_proxy(call: ModuleCall) -> dict[str, Any]:
    """Set the proxy of WinHTTP."""
    server, bypass = _server(call)
    before = read_winhttp(call.machine)
    changed = [(text or "").lower() for text in before] != [(text or "").lower() for text in (server, bypass)]
    if changed and not call.check_mode:
        write_winhttp(call.machine, server, bypass)
        call.machine.log("winhttp proxy", server=server)
    result: dict[str, Any] = {"changed": changed}
    if call.diff:
        result["diff"] = {
            "before": {"proxy": before[0], "bypass": before[1]},
            "after": {"proxy": server, "bypass": bypass},
        }
    return result
