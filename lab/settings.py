"""Names, places and addresses of the lab. Everything else in ``lab/`` reads them from here."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".lab"
PC_STATES = STATE / "winsim"
MACHINES = ROOT / "lab" / "winsim" / "machines"
DEFAULT_MACHINE = "windows11-zh-cn"
IMAGES = "wdl-lab"
"""Repository of all images; containers, networks and images of every lab carry the label ``LABEL``."""
LABEL = "wsl-dl-playbook.lab"
SUITES = {"jammy": "22.04", "noble": "24.04", "resolute": "26.04"}
NETWORKING = ("nat", "mirrored", "virtioproxy", "consomme")
"""What ``networkingMode`` of ``.wslconfig`` means in a distribution; the last two are one thing, renamed in WSL 2.9."""
PROXY_PORT = 7890
"""Where the simulated proxy program listens, as the inventory's proxy_port; the images get it as a build argument."""
WINDOWS_NAME = "winbox"
WINDOWS_HOST = "lab-pc"
"""Name of the simulated Windows PC of ``make site`` in inventory/lab."""


class LabError(Exception):
    """Something the user can fix. The text says the cause and what to do."""


def lab_id() -> str:
    """Return the name of this lab (environment ``LAB_ID``, default ``wdl``); two labs on one machine need two names."""
    name = os.environ.get("LAB_ID") or "wdl"
    if not re.fullmatch(r"[a-z][a-z0-9]{0,11}", name):
        raise LabError(f"LAB_ID={name!r} is no name for a lab. Use 1 to 12 lower-case letters and digits.")
    return name


def campaign_lab(number: int | str) -> str:
    """Return the name of one of the labs that a campaign of this lab works in, side by side."""
    return f"{lab_id()[:9]}f{number}"


def internet_mode() -> str:
    """Return ``lab`` (own origins) or ``real`` (the proxy passes through), from environment ``LAB_INTERNET``."""
    mode = os.environ.get("LAB_INTERNET") or "lab"
    if mode not in ("lab", "real"):
        raise LabError(f"LAB_INTERNET={mode!r}: say 'lab' (the default) or 'real'.")
    return mode


def networks() -> list[dict[str, str]]:
    """Return the lab's two networks (name, subnet, windows).

    A distribution that restarts changes from one to the other, so that the address of "Windows" moves as WSL's does.
    ``windows`` is the address of the simulated Windows host in that network, the distribution's default gateway.
    """
    digest = hashlib.sha256(lab_id().encode()).digest()
    third = 2 * (digest[0] % 127)
    return [
        {
            "name": f"{lab_id()}-net-{letter}",
            "subnet": f"172.30.{third + index}.0/24",
            "windows": f"172.30.{third + index}.254",
        }
        for index, letter in enumerate("ab")
    ]


def container(name: str) -> str:
    """Return the full container name of a part of this lab, for example ``wdl-internet``."""
    return f"{lab_id()}-{name}"
