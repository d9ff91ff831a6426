"""Software that can be on a machine: what installing it leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..runtime import SimulatorError

if TYPE_CHECKING:
    from ..machine import Machine


def preinstall(machine: Machine, entry: dict[str, Any]) -> None:
    """Put one thing that a description lists under ``installed`` onto the machine."""
    raise SimulatorError(f"machine description: nothing known about installing {entry}")


def install_driver(machine: Machine) -> None:
    """The NVIDIA display driver, if the description has a GPU with one."""


def at_boot(machine: Machine) -> None:
    """What installed programs do at a boot."""
