"""The Docker engine that carries the lab: found, or installed and started, or asked for in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from lab.settings import STATE, LabError

STARTED_MARKER = STATE / "engine-started"
ENGINE_LOG = Path("/var/log/wsl-dl-playbook-dockerd.log")


def run(argv: list[str], *, stdin: str | None = None, check: bool = True, quiet: bool = True, **kwargs) -> str:
    """Run a command and return its standard output.

    :raises LabError: the command failed and ``check`` is true; the text carries the end of its error output.
    """
    done = subprocess.run(
        argv, input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE if quiet else None, **kwargs
    )
    if check and done.returncode:
        tail = "\n".join(((done.stderr or "") + done.stdout).strip().splitlines()[-12:])
        raise LabError(f"'{' '.join(argv[:6])} …' failed with code {done.returncode}:\n{tail}")
    return done.stdout


def docker(*argv: str, **kwargs) -> str:
    """Run the Docker client and return its standard output."""
    return run(["docker", *argv], **kwargs)


def answers() -> bool:
    """Tell whether a Docker engine answers."""
    if not shutil.which("docker"):
        return False
    probe = subprocess.run(["docker", "version", "--format", "{{.Server.Version}}"], capture_output=True)
    return probe.returncode == 0


def _is_debian_like() -> bool:
    release = Path("/etc/os-release")
    return release.exists() and "debian" in release.read_text()


def apt_install(*packages: str) -> None:
    """Install packages with apt where that is possible, else ask for them in one line.

    :raises LabError: not Debian or Ubuntu, or not root.
    """
    if not (_is_debian_like() and os.geteuid() == 0):
        raise LabError(
            f"Missing on this machine: {' '.join(packages)}. Install it with your package manager, then run again."
        )
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], env=environment)
    wait = ["-o", "DPkg::Lock::Timeout=300"]  # another apt may be at work
    run(["apt-get", "install", "-y", "-qq", *wait, "--no-install-recommends", *packages], env=environment)


def _start() -> None:
    if Path("/run/systemd/system").is_dir():
        run(["systemctl", "start", "docker"])
        return
    with ENGINE_LOG.open("ab") as log:
        subprocess.Popen(["dockerd"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    STATE.mkdir(exist_ok=True)
    STARTED_MARKER.touch()


def ensure() -> None:
    """Make sure that a Docker engine answers; install and start the distribution's own where that is possible.

    :raises LabError: no engine, and none can be installed or started from here.
    """
    if answers():
        return
    if not shutil.which("dockerd"):
        if not (_is_debian_like() and os.geteuid() == 0):
            raise LabError(
                "No Docker engine answers. Install one (Debian and Ubuntu: 'sudo apt install docker.io'), "
                "put yourself into the group 'docker', log in again, then run this again."
            )
        print("lab: installing the distribution's docker.io", flush=True)
        apt_install("docker.io", "iptables")
        if not shutil.which("docker"):
            apt_install("docker-cli")
    if not answers():
        if os.geteuid() != 0:
            raise LabError(
                "The Docker engine does not answer. Start it ('sudo systemctl start docker'), then run this again."
            )
        _start()
    for _ in range(60):
        if answers():
            return
        time.sleep(0.5)
    raise LabError(f"The Docker engine did not start within 30 s. Its log: {ENGINE_LOG} or 'journalctl -u docker'.")


def stop_if_ours() -> None:
    """Stop the engine if the lab started it and nothing else runs on it; leave it otherwise."""
    if not STARTED_MARKER.exists():
        return
    pid_file = Path("/run/docker.pid")
    if answers() and not docker("ps", "-q").strip() and pid_file.exists():
        pid = int(pid_file.read_text())
        os.kill(pid, 15)
        for _ in range(60):
            if not Path(f"/proc/{pid}").exists():
                break
            time.sleep(0.5)
        ENGINE_LOG.unlink(missing_ok=True)
    STARTED_MARKER.unlink(missing_ok=True)
