"""How WSL reads ``.wslconfig``.

After microsoft/WSL of 2026-08-08: ``src/shared/configfile/configfile.cpp`` (what a line is),
``src/windows/common/WslCoreConfig.cpp`` (which keys there are), ``src/shared/inc/stringshared.h`` (what a value may be); and
after the C runtime, whose text mode opens the file (``rt,ccs=UTF-8``): a BOM decides, UTF-16 in big-endian order is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

NETWORKING_MODES = {
    "none": "none", "nat": "nat", "bridged": "bridged", "mirrored": "mirrored", "consomme": "consomme",
    "virtioproxy": "consomme",
}  # fmt: skip
_RECLAIM = {"gradual": "gradual", "dropcache": "dropcache", "disabled": "disabled"}
_BOTH = ("networkingMode", "dnsTunneling", "firewall", "autoProxy")  # a key in [wsl2] and one in [experimental] are one

_KINDS: dict[str, dict[str, str]] = {
    "wsl2": {
        "text": "kernel kernelCommandLine kernelModules swapFile systemDistro debugConsoleLogFile vmSwitch crashDumpFolder"
        " loadKernelModules macAddress",
        "size": "memory swap defaultVhdSize",
        "number": "processors kernelDebugPort vmIdleTimeout kernelBootTimeout distributionStartTimeout mountDeviceTimeout"
        " dhcpTimeout maxCrashDumpCount",
        "bool": "debugConsole earlyBootLogging localhostForwarding nestedVirtualization virtio9p virtiofs gpuSupport"
        " guiApplications telemetry virtio hostFileSystemAccess hardwarePerformanceCounters dhcp ipv6 dnsProxy safeMode"
        " loadDefaultKernelModules isolateDistroCgroup dnsTunneling firewall autoProxy",
        "mode": "networkingMode",
    },
    "general": {"text": "distributionInstallPath", "number": "instanceIdleTimeout"},
    "experimental": {
        "text": "dnsTunnelingIpAddress ignoredPorts",
        "size": "swiotlb",
        "number": "initialAutoProxyTimeout",
        "bool": "sparseVhd bestEffortDnsParsing hostAddressLoopback setVersionDebug virtioFsAggregateShares dnsTunneling"
        " firewall autoProxy",
        "mode": "networkingMode",
        "reclaim": "autoMemoryReclaim",
    },
}
KEYS = {
    f"{section}.{key}".lower(): kind
    for section, kinds in _KINDS.items()
    for kind, keys in kinds.items()
    for key in keys.split()
}


def decode(data: bytes) -> str | None:
    """What the C runtime gives to a program that reads the file; None where it does not open it (UTF-16BE)."""
    if data.startswith(b"\xfe\xff"):
        return None
    if data.startswith(b"\xff\xfe"):
        text = data[2:].decode("utf-16-le", "replace")
    else:
        text = data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return text.replace("\r\n", "\n")


@dataclass
class Config:
    """Sections and keys (in lower case) with the values that count, and the warnings of wsl.exe."""

    values: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def read(data: bytes, path: str) -> Config:
    """Read a file as WSL does."""
    config = Config()
    text = decode(data)
    if text is None:
        config.warnings.append(f"wsl: Failed to open config file {path}, The parameter is incorrect. ")
        return config
    first: dict[str, tuple[str, int]] = {}

    def warn(message: str) -> None:
        config.warnings.append("wsl: " + message)

    for name, value, line in _statements(text, lambda message, line: warn(f"{message} in {path}:{line}")):
        kind = KEYS.get(name.lower())
        if kind is None:
            warn(f"Unknown key '{name}' in {path}:{line}")
            continue
        section, key = name.lower().split(".")
        if key in map(str.lower, _BOTH) and section == "experimental":
            section = "wsl2"
        known = first.setdefault(f"{section}.{key}", (name, line))
        if known != (name, line):
            warn(
                f"Duplicated config key '{name}' in {path}:{line} (Conflicting key: '{known[0]}' in {path}:{known[1]})"
            )
            continue
        problem = _problem(kind, name, value, f"{path}:{line}")
        if problem:
            warn(problem)
        else:
            config.values.setdefault(section, {})[key] = value
    return config


def _problem(kind: str, name: str, value: str, place: str) -> str:
    """Why a value is refused; the key then keeps its default, and a later one of that name does not count either."""
    choices = {"mode": NETWORKING_MODES, "reclaim": _RECLAIM}.get(kind)
    if choices is not None and value.lower() not in choices:
        return f"Invalid value '{value}' for config key '{name}' in {place} (Valid values: {', '.join(choices)})"
    if kind == "bool" and value.lower() not in ("true", "false", "1", "0"):
        return f"Invalid boolean value '{value}' for key '{name}' in {place}"
    if kind == "number" and not re.fullmatch(r"[-+]?(0[xX][0-9a-fA-F]+|[0-9]+)", value):
        return f"Invalid integer value '{value}' for key '{name}' in {place}"
    if kind == "size" and not re.fullmatch(r"0|0*[1-9][0-9]*(B|[KMGT]B?)?", value):
        return f"Invalid number string '{value}' for key '{name}' in {place}"
    return ""


class _Characters:
    """The file, character by character; "" at its end."""

    def __init__(self, text: str) -> None:
        self.text, self.at = text, 0

    def get(self) -> str:
        """Take the next character."""
        self.at += 1
        return self.text[self.at - 1 : self.at]

    def skip_blanks(self) -> str:
        """Take the next character that is neither a blank nor a tab."""
        while (ch := self.get()) in (" ", "\t"):
            pass
        return ch

    def word(self, ch: str) -> tuple[str, str]:
        """Letters and digits from ``ch`` on, and the character behind them."""
        word = ch
        while (ch := self.get()) and ch.isascii() and ch.isalnum():
            word += ch
        return word, ch


def _is_letter(ch: str) -> bool:
    return ch.isascii() and ch.isalpha()


def _statements(text: str, warn: Callable[[str, int], None]) -> Iterator[tuple[str, str, int]]:
    """Give the well-formed ``key = value`` lines: the name with its section, the value, the number of the line."""
    file = _Characters(text)
    ch, line, comment, name, prefix = "", 0, False, "", 0
    while True:
        line += 0 if comment else 1
        while True:  # to the next section or key
            if ch == "#":
                ch, ended = _comment(file)
                line += ended
                comment = False
            if file.at > len(text):
                return
            ch = file.skip_blanks()
            if ch == "\n":
                line += 1
            elif ch not in ("", "\r", "#"):
                break
        if ch == "[":
            ch = file.get()
            if not _is_letter(ch):
                warn("Invalid section name", line)
                ch = _rest(file, ch)
                continue
            name, ch = file.word(ch)
            if ch != "]":
                warn("Expected ']'", line)
                ch = _rest(file, ch)
                continue
            ch = file.skip_blanks()
            if ch not in ("", "\n", "\r", "#"):
                warn("Expected ' ' or '\\n'", line)
                ch = _rest(file, ch)
                continue
            comment, prefix = ch == "#", len(name)
            continue
        if not _is_letter(ch):
            warn("Invalid key name", line)
            ch = _rest(file, ch)
            continue
        # A section line that was not understood has left its text in this buffer, in the length of the section before it.
        name = name[:prefix].ljust(prefix, "\0")
        word, ch = file.word(ch)
        name += ("." if prefix else "") + word
        if ch in (" ", "\t"):
            ch = file.skip_blanks()
        if ch != "=":
            warn("Expected '='", line)
            ch = _rest(file, ch)
            continue
        value, ch, continued, problem = _value(file, file.skip_blanks())
        line += continued
        if problem:
            warn(problem, line)
            ch = _rest(file, ch)
            continue
        comment = ch == "#"
        yield name.partition("\0")[0], value, line


def _comment(file: _Characters) -> tuple[str, int]:
    """Read to the end of a comment; the last character, and how many lines ended."""
    while True:
        ch = file.get()
        if ch == "\r":
            ch = file.get()
        if ch in ("\n", ""):
            return ch, int(ch == "\n")


def _rest(file: _Characters, ch: str) -> str:
    """Skip what is left of a line that was not understood."""
    while ch not in ("", "\n"):
        ch = file.get()
    return ch


_ESCAPES = {"\\": "\\", '"': '"', "b": "\b", "n": "\n", "t": "\t", "\r": "", "\n": ""}


def _value(file: _Characters, ch: str) -> tuple[str, str, int, str]:
    """The value, the character behind it, how many lines it was continued over, and what is wrong with it."""
    value, trimmed, quoted, continued = "", 0, False, 0
    while ch not in ("", "\n", "\r"):
        if ch == '"':
            quoted = not quoted
        elif ch == "\\":
            escaped = file.get()
            if escaped not in _ESCAPES:
                return value, escaped, continued, f"Invalid escaped character: '{escaped}'"
            value += _ESCAPES[escaped]
            continued += escaped == "\n"
        elif ch == "#" and not quoted:
            break
        else:
            value += ch
        if ch not in (" ", "\t"):
            trimmed = len(value)
        ch = file.get()
    return value[:trimmed], ch, continued, 'Expected "' if quoted else ""
