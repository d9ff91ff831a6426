"""Command line of the lab: ``python -m lab …`` from the repository's root."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

from lab import distribution, engine, images, internet, windows
from lab.settings import (
    LABEL,
    PROXY_PORT,
    STATE,
    WINDOWS_HOST,
    LabError,
    campaign_lab,
    container,
    internet_mode,
    lab_id,
    networks,
)
from lab.winsim.client import ControlError


def _ours() -> list[str]:
    names = engine.docker("ps", "-a", "--filter", f"label={LABEL}=container", "--format", "{{.Names}}").split()
    return [name for name in names if name.startswith(f"{lab_id()}-")]


def _left_by_campaigns() -> list[str]:
    """Return the names of labs that a campaign of this lab has left behind because it was killed."""
    shown = engine.docker("ps", "-a", "--filter", f"label={LABEL}=container", "--format", "{{.Names}}")
    shown += engine.docker("network", "ls", "--filter", f"label={LABEL}=network", "--format", "{{.Name}}")
    return sorted(set(re.findall(rf"(?m)^({campaign_lab('[0-9]+')})-", shown)))


def _up(options: argparse.Namespace) -> None:
    internet.up()
    if options.machine:
        windows.up(WINDOWS_HOST, options.machine, linux=True)
    print(f"lab: up ({internet_mode()} Internet behind the proxy; everything is simulated on this machine)")


def _status(_options: argparse.Namespace) -> None:
    print(f"lab {lab_id()}: a simulation on this machine; no Windows, no GPU.")
    if not engine.answers():
        print("  no Docker engine answers, so nothing of the lab runs")
        return
    for name in _ours() or ["nothing runs"]:
        state = engine.docker(
            "inspect",
            "-f",
            "{{.State.Status}} {{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}",
            name,
            check=False,
        )
        print(f"  {name:<28} {state.strip()}")
    for name in windows.names():
        print(f"  {name:<28} {windows.describe(name)}")
    for network in networks():
        print(
            f"  {network['name']:<28} {network['subnet']}, Windows and its proxy at {network['windows']}:{PROXY_PORT}"
        )
    if container("internet") in _ours():
        print("  last requests:")
        for record in list(internet.requests())[-8:]:
            moment = time.strftime("%H:%M:%S", time.localtime(record["time"]))
            print(
                f"    {moment} {record['via']:<6} {record['client']:<15} "
                f"{record['method']:<7} {record['host']}{record['path']}"
            )


def _proof(_options: argparse.Namespace) -> None:
    command = "docker run --rm --gpus all ubuntu:24.04 nvidia-smi"
    print(
        f"\nlab: the proof, as user dev in the simulated distribution (the GPU is a stand-in):\n\n$ {command}",
        flush=True,
    )
    for name in windows.containers_of(WINDOWS_HOST):
        print(engine.docker("exec", "--user", "dev", name, "bash", "-lc", command))
    print("lab: 'make lab-status' tells what runs, 'make test' proves it role by role, 'make clean' removes it.")


def _clean(_options: argparse.Namespace) -> None:
    for name in windows.names():
        windows.down(name)
    if STATE.exists() and shutil.which("dockerd"):
        engine.ensure()  # after a restart of this machine it may not run, and has everything on its disk
    if engine.answers():
        for lab in [*_left_by_campaigns(), lab_id()]:
            os.environ["LAB_ID"] = lab
            for name in _ours():
                distribution.down(name)
            internet.down()
        if not engine.docker("ps", "-aq", "--filter", f"label={LABEL}=container").strip():
            images.remove_all()
        engine.stop_if_ours()
    shutil.rmtree(STATE, ignore_errors=True)
    print("lab: gone")


def _requests(options: argparse.Namespace) -> None:
    for record in internet.requests(options.since, options.host):
        print(json.dumps(record))


def _distribution(options: argparse.Namespace) -> None:
    if options.verb == "up":
        internet.up()
        distribution.up(options.name, suite=options.suite, gpu=not options.no_gpu, networking=options.networking)
    else:
        {"restart": distribution.restart, "stop": distribution.stop, "down": distribution.down}[options.verb](
            options.name
        )


def _probe(options: argparse.Namespace) -> None:
    from lab import probe  # needs what "make venv" installs

    probe.compare(options.report, options.machine)


def _claims(_options: argparse.Namespace) -> None:
    from lab import claims

    claims.write()


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    top = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    verbs = top.add_subparsers(dest="command", required=True)
    up = verbs.add_parser("up", help="start networks and the simulated Internet; with --machine the Windows PC too")
    up.add_argument("--machine", default="", help="a description in lab/winsim/machines: start that Windows PC too")
    up.set_defaults(run=_up)
    verbs.add_parser("status", help="what runs, addresses, last requests").set_defaults(run=_status)
    verbs.add_parser("clean", help="remove everything of the lab").set_defaults(run=_clean)
    verbs.add_parser("proof", help="nvidia-smi in a container of the distribution").set_defaults(run=_proof)
    requests = verbs.add_parser("requests", help="the request log as JSON lines")
    requests.add_argument("--since", type=float, default=0.0, help="seconds since the epoch")
    requests.add_argument("--host", default="")
    requests.set_defaults(run=_requests)
    fault = verbs.add_parser("fault", help="break or repair the simulated network")
    fault.add_argument("words", nargs="+", help="none | proxy hang|refuse|502|captive | tamper KIND GLOB")
    fault.set_defaults(run=lambda options: internet.fault(*options.words))
    windows.add_verbs(verbs.add_parser("pc", help="simulated Windows PCs"))
    answers = verbs.add_parser("probe", help="a report of playbooks/probe.yml beside the answers of a simulated PC")
    answers.add_argument("report", type=Path)
    answers.add_argument("--machine", default="already-done", help="the simulated PC: a name in lab/winsim/machines")
    answers.set_defaults(run=_probe)
    verbs.add_parser("claims", help="write docs/trust.md from lab/claims.yml").set_defaults(run=_claims)
    one = verbs.add_parser("distribution", help="one container that plays a WSL distribution")
    one.add_argument("verb", choices=["up", "down", "stop", "restart"])
    one.add_argument("name")
    one.add_argument("--suite", default="noble")
    one.add_argument("--networking", default="nat")
    one.add_argument("--no-gpu", action="store_true")
    one.set_defaults(run=_distribution)
    return top


def main() -> int:
    """Run one command; an error that the user can fix is one clear text and exit code 1."""
    options = parser().parse_args()
    try:
        return options.run(options) or 0
    except (LabError, ControlError) as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
