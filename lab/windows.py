"""The lab's simulated Windows PCs: ``python -m lab.windows up|down NAME`` from the repository's root."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

from lab import distro

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".lab" / "winsim"
MACHINES = ROOT / "lab" / "winsim" / "machines"
DEFAULT_MACHINE = "windows11-zh-cn"


def state_of(name: str) -> Path:
    """Return the folder with everything about one PC: model, event log, ports, passwords."""
    return STATE / name


def winsim(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m winsim``."""
    path = os.pathsep.join(filter(None, [str(ROOT / "lab"), os.environ.get("PYTHONPATH")]))
    return subprocess.run(
        [sys.executable, "-m", "winsim", *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _secret(path: Path, text: str) -> str:
    """Keep a secret in a file that nobody else can read; an earlier one stays."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    return path.read_text(encoding="utf-8")


def up(name: str, machine: str = DEFAULT_MACHINE, *options: str, linux: bool = False) -> None:
    """Start a PC that does not run yet.

    :param name: name of the PC; its state is kept under this name.
    :param machine: name or path of a machine description.
    :param options: more options of ``winsim serve``.
    :param linux: whether its WSL distributions are containers of the lab; otherwise they are only remembered.
    """
    state = state_of(name)
    state.mkdir(parents=True, exist_ok=True)
    password = _secret(state / "password", secrets.token_urlsafe(18))
    # Looks like sha512-crypt; nobody logs on with it.
    _secret(state / "linux-password-hash", f"$6$lab${secrets.token_hex(43)}")
    if running(name):
        return
    description = Path(machine) if machine.endswith(".yml") else MACHINES / f"{machine}.yml"
    ports = ("--http", "0", "--https", "0")
    result = winsim(
        "serve",
        "--machine",
        str(description),
        "--state",
        str(state),
        *ports,
        "--background",
        *options,
        WINSIM_PASSWORD=password,
        WINSIM_WSL_BACKEND="winsim.wsl_container:ContainerBackend" if linux else "",
    )
    if result.returncode:
        raise SystemExit(f"lab: the simulated PC {name} does not start: {result.stdout}{result.stderr}")


def reboot(name: str) -> None:
    """Restart Windows at once; its distributions stop with it."""
    result = winsim("reboot", "--state", str(state_of(name)))
    if result.returncode:
        raise SystemExit(f"lab: the simulated PC {name} does not restart: {result.stdout}{result.stderr}")


def running(name: str) -> bool:
    """Tell whether the simulator of a PC runs."""
    try:
        os.kill(int((state_of(name) / "winsim.pid").read_text()), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    return True


def containers_of(name: str) -> list[str]:
    """Return the distro containers that a PC has made."""
    snapshot = state_of(name) / "state.json"
    if not snapshot.exists():
        return []
    return list(json.loads(snapshot.read_text(encoding="utf-8"))["wsl"].get("containers", {}).values())


def down(name: str) -> None:
    """Stop a PC and forget it, with its distributions."""
    if running(name):
        result = winsim("stop", "--state", str(state_of(name)))
        if result.returncode:
            raise SystemExit(f"lab: the simulated PC {name} does not stop: {result.stdout}{result.stderr}")
    for container in containers_of(name):
        distro.down(container)
    shutil.rmtree(state_of(name), ignore_errors=True)


def names() -> list[str]:
    """Return the PCs that the lab knows."""
    return sorted(path.name for path in STATE.glob("*") if path.is_dir())


def describe(name: str) -> str:
    """Return one line about a PC for the lab's status."""
    if not running(name):
        return "simulated Windows PC, stopped"
    facts = json.loads((state_of(name) / "winsim.json").read_text(encoding="utf-8"))
    boots = sum(event.get("event") == "boot" for event in events(name))
    return f"simulated Windows PC, WinRM at 127.0.0.1:{facts['http_port']}, {boots} reboots logged"


def events(name: str) -> list[dict]:
    """Return the event log of a PC, oldest first."""
    path = state_of(name) / "events.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def main() -> None:
    """Run one command."""
    parser = argparse.ArgumentParser(prog="lab.windows", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    start = verbs.add_parser("up", help="start a simulated PC")
    start.add_argument("name")
    start.add_argument("--machine", default=DEFAULT_MACHINE, help="name or path of a machine description")
    start.add_argument("--reboot", default="soft", help="soft, or real:SECONDS")
    start.add_argument("--new", action="store_true", help="forget an earlier PC of this name first")
    start.add_argument("--linux", action="store_true", help="its WSL distributions are containers of the lab")
    verbs.add_parser("reboot", help="restart Windows").add_argument("name")
    verbs.add_parser("down", help="stop a simulated PC and forget it").add_argument("name")
    options = parser.parse_args()
    if options.verb == "up":
        if options.new:
            down(options.name)
        up(options.name, options.machine, "--reboot", options.reboot, linux=options.linux)
    elif options.verb == "reboot":
        reboot(options.name)
    else:
        down(options.name)


if __name__ == "__main__":
    main()
