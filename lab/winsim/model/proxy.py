"""The proxy settings of Windows: per user (WinINET) and of services (WinHTTP), as they lie in the registry."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from lab.winsim.model.network import bypassed
from lab.winsim.model.registry import RegistryView

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

SETTINGS = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
WINHTTP = "HKLM\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections"
LAN = "DefaultConnectionSettings"
DIRECT, PROXY, PAC, DETECT = 1, 2, 4, 8


@dataclass
class InetProxy:
    """The settings of one user; empty texts are None."""

    server: str | None = None
    bypass: str | None = None
    auto_config_url: str | None = None
    auto_detect: bool = True
    enabled: bool = False


def read_inet(view: RegistryView) -> InetProxy:
    """The settings of the LAN."""
    blob = view.get(SETTINGS + "\\Connections", LAN)
    flags = struct.unpack_from("<I", blob, 8)[0] if blob else DIRECT | DETECT
    texts = [view.get(SETTINGS, name) or None for name in ("ProxyServer", "ProxyOverride", "AutoConfigURL")]
    return InetProxy(*texts, bool(flags & DETECT), bool(view.get(SETTINGS, "ProxyEnable", 0)))


def write_inet(view: RegistryView, proxy: InetProxy) -> None:
    """Store the settings; a server given means that the proxy is on."""
    flags = DIRECT | (PROXY if proxy.server else 0) | (PAC if proxy.auto_config_url else 0)
    flags |= DETECT if proxy.auto_detect else 0
    view.set(SETTINGS + "\\Connections", LAN, _pack(flags, proxy))
    view.set(SETTINGS, "ProxyEnable", 1 if proxy.server else 0)
    for value, text in (
        ("ProxyServer", proxy.server),
        ("ProxyOverride", proxy.bypass),
        ("AutoConfigURL", proxy.auto_config_url),
    ):
        if text:
            view.set(SETTINGS, value, text)
        else:
            view.remove(SETTINGS, value)


def _pack(flags: int, proxy: InetProxy) -> bytes:
    out = struct.pack("<III", 0x46, 1, flags)
    for text in (proxy.server, proxy.bypass, proxy.auto_config_url):
        data = (text or "").encode("ascii", "replace")
        out += struct.pack("<I", len(data)) + data
    return out + bytes(32)


def read_winhttp(machine: Pc) -> tuple[str | None, str | None]:
    """Proxy and bypass list of WinHTTP."""
    blob = machine.registry.get(WINHTTP, "WinHttpSettings")
    if not blob or not struct.unpack_from("<I", blob, 8)[0] & PROXY:
        return None, None
    (length,) = struct.unpack_from("<I", blob, 12)
    proxy = blob[16 : 16 + length].decode("ascii")
    (more,) = struct.unpack_from("<I", blob, 16 + length)
    return proxy or None, blob[20 + length : 20 + length + more].decode("ascii") or None


def write_winhttp(machine: Pc, proxy: str | None, bypass: str | None) -> None:
    """Store the WinHTTP settings; None means direct."""
    first, second = (proxy or "").encode(), (bypass or "").encode() if proxy else b""
    blob = struct.pack("<IIII", 0x28, 0, DIRECT | PROXY if proxy else DIRECT, len(first)) + first
    machine.registry.set(WINHTTP, "WinHttpSettings", blob + struct.pack("<I", len(second)) + second)


def proxy_for(server: str | None, bypass: str | None, url: str) -> str | None:
    """The proxy of a setting for a URL (``host:port``), None for a direct connection.

    ``server`` may be one proxy for all, or ``http=a:1;https=b:2``.
    """
    if not server:
        return None
    parts = urlsplit(url)
    if bypassed(parts.hostname or "", bypass or ""):
        return None
    if "=" not in server:
        return server
    by_scheme = dict(item.split("=", 1) for item in server.split(";") if "=" in item)
    return by_scheme.get(parts.scheme)


def user_proxy(machine: Pc, user: str, url: str) -> str | None:
    """The proxy that WinINET programs of a user take for a URL."""
    policy = "HKLM\\SOFTWARE\\Policies\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
    if machine.registry.get(policy, "ProxySettingsPerUser") == 0:
        key = SETTINGS.replace("HKCU\\Software", "HKLM\\SOFTWARE")
        enabled = machine.registry.get(key, "ProxyEnable")
        server, bypass = machine.registry.get(key, "ProxyServer"), machine.registry.get(key, "ProxyOverride")
        return proxy_for(server if enabled else None, bypass, url)
    setting = read_inet(machine.registry.view(user))
    return proxy_for(setting.server if setting.enabled else None, setting.bypass, url)
