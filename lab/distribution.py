"""Containers that play the WSL virtual machine: one for ``make site``, one for each platform of a Molecule scenario."""

from __future__ import annotations

import time
from pathlib import Path

from lab import engine, images
from lab.settings import LABEL, NETWORKING, SUITES, WINDOWS_NAME, LabError, networks


def up(
    name: str,
    *,
    suite: str = "noble",
    gpu: bool = True,
    networking: str = "nat",
    interop: Path | None = None,
    users: Path | None = None,
) -> None:
    """Start a distribution container.

    :param name: full container name.
    :param suite: ``jammy``, ``noble`` or ``resolute``.
    :param gpu: whether the Windows host has a GPU that WSL shows as /dev/dxg.
    :param networking: one of ``NETWORKING``, or ``plain``: an Ubuntu machine that is not WSL, without a GPU driver yet;
        or ``cache``: such a machine in both networks, under the name ``cache.lab``.
    :param interop: the folder of this machine that becomes its /run/WSL, where the simulated Windows listens.
    :param users: the folder of this machine that becomes C:\\Users below its /mnt/c; without one there is none.
    """
    if suite not in SUITES:
        raise LabError(f"There is no suite {suite!r}; there are {', '.join(SUITES)}.")
    if networking not in (*NETWORKING, "plain", "cache"):
        raise LabError(f"There is no networking mode {networking!r}; there are {', '.join(NETWORKING)}.")
    image = images.names()[suite]
    first, second = networks()
    address = {network["name"]: network["windows"].replace(".254", ".253") for network in (first, second)}
    down(name)
    engine.docker(
        "run", "-d", "--name", name, "--label", f"{LABEL}=container", "--hostname", WINDOWS_NAME,
        "--network", first["name"], *(["--ip", address[first["name"]]] if networking == "cache" else []),
        "--cgroupns", "host", "-v", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "-v", "/var/lib/docker", "-v", "/var/lib/containerd", "--tmpfs", "/run", "--tmpfs", "/run/lock",
        "--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE",
        "--security-opt", "seccomp=unconfined",
        "--security-opt", "apparmor=unconfined", "-e", f"LAB_NETWORKING={networking}",
        *(["--device", "/dev/null:/dev/dxg:rwm"] if gpu and networking in NETWORKING else []),
        *(["-v", f"{interop}:/run/WSL"] if interop else []),
        *(["-v", f"{users}:/usr/lib/lab/users:ro"] if users else []), image,
    )  # fmt: skip
    if networking == "cache":
        engine.docker("network", "connect", "--ip", address[second["name"]], second["name"], name)
    wait(name)


def wait(name: str) -> None:
    """Wait until systemd in the container has started everything.

    :raises LabError: not within 60 seconds.
    """
    for _ in range(120):
        state = engine.docker("exec", name, "systemctl", "is-system-running", check=False).strip()
        if state in ("running", "degraded"):
            return
        time.sleep(0.5)
    raise LabError(f"The distribution {name} did not start (systemd says {state!r}). See 'docker logs {name}'.")


def stop(name: str) -> None:
    """Stop the distribution, as ``wsl --shutdown`` does."""
    engine.docker("stop", "-t", "20", name)


def restart(name: str) -> None:
    """Stop the distribution and start it again in the other network, so that Windows has another address."""
    first, second = (network["name"] for network in networks())
    stop(name)
    joined = engine.docker(
        "inspect", "-f", "{{range $name, $_ := .NetworkSettings.Networks}}{{$name}} {{end}}", name
    ).split()
    old, new = (first, second) if first in joined else (second, first)
    engine.docker("network", "disconnect", old, name)
    engine.docker("network", "connect", new, name)
    engine.docker("start", name)
    wait(name)


def down(name: str) -> None:
    """Remove the container with its volumes."""
    engine.docker("rm", "-f", "-v", name, check=False)
