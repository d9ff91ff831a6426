"""Automatic variables of the PowerShell subset."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.winsim.pwsh.values import Hashtable, PSObject

PS_HOME = "C:\\Windows\\System32\\WindowsPowerShell\\v1.0"
VERSION_PARTS = ("Major", "Minor", "Build", "Revision")


def version(text: str) -> PSObject:
    """Return a System.Version."""
    numbers = [int(part) for part in text.split(".")] + [-1, -1]
    return PSObject("System.Version", dict(zip(VERSION_PARTS, numbers, strict=False)), text=text)


def _version_table(interpreter: Any) -> Hashtable:
    build = f"5.1.{interpreter.machine.build}.1"
    return Hashtable(
        {
            "PSVersion": version(build),
            "PSEdition": "Desktop",
            "BuildVersion": version(f"10.0.{interpreter.machine.build}.1"),
            "CLRVersion": version("4.0.30319.42000"),
            "WSManStackVersion": version("3.0"),
            "PSRemotingProtocolVersion": version("2.3"),
            "SerializationVersion": version("1.1.0.1"),
        }
    )


def _host(interpreter: Any) -> PSObject:
    def error_line(text: Any) -> None:
        interpreter.stderr.append(f"{text}\r\n")

    def write_line(text: Any = "") -> None:
        interpreter.process.write_stdout(f"{text}\n".encode())

    def exit_code(code: Any) -> None:
        from lab.winsim.pwsh.calls import Flow

        raise Flow("exit", code)

    ui = PSObject("HostUI", {}, {"WriteErrorLine": error_line, "WriteLine": write_line, "Write": write_line})
    return PSObject("Host", {"Name": "ConsoleHost", "UI": ui}, {"SetShouldExit": exit_code})


def _pwd(interpreter: Any) -> PSObject:
    return PSObject("System.Management.Automation.PathInfo", {"Path": interpreter.location}, text=interpreter.location)


VARIABLES: dict[str, Callable[[Any], Any]] = {
    "psversiontable": _version_table,
    "host": _host,
    "pwd": _pwd,
    "home": lambda interpreter: interpreter.environment.get("USERPROFILE"),
    "pshome": lambda interpreter: PS_HOME,
    "pid": lambda interpreter: 4240,
    "error": lambda interpreter: list(reversed(interpreter.records)),
    "args": lambda interpreter: [],
    "input": lambda interpreter: [],
    "matches": lambda interpreter: None,
    "myinvocation": lambda interpreter: PSObject("InvocationInfo", {"MyCommand": None, "PSCommandPath": None}),
    "pscommandpath": lambda interpreter: None,
    "psscriptroot": lambda interpreter: "",
    "verbosepreference": lambda interpreter: "SilentlyContinue",
    "warningpreference": lambda interpreter: "Continue",
    "debugpreference": lambda interpreter: "SilentlyContinue",
    "informationpreference": lambda interpreter: "SilentlyContinue",
    "whatifpreference": lambda interpreter: False,
    "confirmpreference": lambda interpreter: "High",
}
