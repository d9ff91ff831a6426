"""Say why a host was not reached over WinRM, or a distribution through it, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

DOCUMENTATION = """
name: why_unreachable
short_description: Say why a host was not reached over WinRM, or a distribution through it, and what to do
description:
  - A host whose connection breaks is unreachable for C(wsl_winrm), and often has only failed for C(winrm).
  - pywinrm and its libraries tell what they met (C(SSLEOFError), C(Max retries exceeded)), not what it means. Returns
    cause and remedy in words, and an empty string for a message that is not known or not from WinRM.
  - Of what C(wsl_winrm) says, it knows that WSL or the distribution is not installed.
options:
  _input: {description: What the task said., type: str, required: true}
"""
EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ answer.msg | why_unreachable }}"
"""
RETURN = """
_value: {description: Cause and remedy, or an empty string., type: str}
"""

WINRM = re.compile(
    r"/wsman|WinRM on http|winrm connection error|credentials were rejected|the connection attempt timed out"
    r"|Task failed: \('Connection aborted\.'"
    r"|wsl\.exe did not run the command in "
    r"|(ntlm|kerberos|credssp|basic|certificate|plaintext|ssl): HTTPS?ConnectionPool\("
)
"""What the messages of a broken WinRM have in common; those of ssh, of Docker and of modules have none of it."""
REASONS = [
    (
        r"wsl\.exe did not run .*If Windows did not find ",
        "There is no WSL on that Windows yet. Run playbooks/site.yml without --tags and without --limit: it installs "
        "WSL and the distribution first.",
    ),
    (
        "wsl.exe did not run .*WSL_E_DISTRO_NOT_FOUND",
        "That Windows account has no such distribution yet. Run playbooks/site.yml without --tags and without --limit: "
        "it registers the distribution first. If you have one already, set wsl_distribution to its name, or "
        "windows_user to its owner.",
    ),
    ("wsl.exe did not run ", ""),
    (
        "CERTIFICATE_VERIFY_FAILED|CertificateError",
        "The PC shows another certificate than the one that your inventory trusts, or something answers in its place. "
        "Copy the .pem file of Enable-WinRM.ps1 once more and set windows_certificate, then run again.",
    ),
    (
        "credentials were rejected",
        "Windows does not accept the account or its password. Correct windows_user and windows_password in your "
        "inventory (an account with a PIN only needs a password: bootstrap/README.md), then run again.",
    ),
    (
        "NameResolution|Name or service not known|getaddrinfo",
        "The name of the PC is not known here. Correct windows_address in your inventory, then run again.",
    ),
    (
        "EOF|RemoteDisconnected|Connection aborted|[Cc]onnection reset|Broken pipe|Read timed out",
        "The connection to Windows broke off: it was restarted, went to sleep, or the network failed. Wait until it is "
        "back, then run again; it goes on from there.",
    ),
    (
        "refused|NewConnectionError|No route to host|[Tt]imed out|[Tt]imeout",
        "Nothing answers at the address of the PC: it is off or just starting, or WinRM and its firewall do not let "
        "this machine in. Start it, or see bootstrap/README.md, then run again; it goes on from there.",
    ),
]


def why_unreachable(message: Any) -> str:
    """Return cause and remedy for what a task said, an empty string if it is not WinRM's or not known."""
    text = str(message or "")
    if not WINRM.search(text):
        return ""
    return next((reason for pattern, reason in REASONS if re.search(pattern, text)), "")


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., str]]:
        """Return it by its name."""
        return {"why_unreachable": why_unreachable}
