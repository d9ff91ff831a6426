#!/usr/bin/env python3
"""Measure a cache in the room: bytes from the Internet for two PCs and a second run, with it, without it, and killed.

It works in a lab of its own. What Linux fetches is counted at the vendors; what Windows fetches is what the simulated
one has logged for every address but the cache's. The files that the first PC gets from the cache count for it: the
cache has fetched each once (in the lab a stand-in). It ends with an error where the cache does not keep its promise.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from lab.settings import campaign_lab, container  # noqa: E402 - found through the line above

os.environ["LAB_ID"] = campaign_lab(99)  # "make clean" finds it, too

from lab import distribution, engine, internet, windows  # noqa: E402
from lab.winsim.client import Client  # noqa: E402

CACHE = "http://cache.lab:8780/"
OTHERS = re.compile(r"//(aka[.]ms|[^/]*visualstudio[^/]*)/")
"""Visual Studio's own addresses, which no cache here serves; its installer fetches the rest unseen."""
TOLD = 1000
"""Bytes that are no download: answers to "is it still the same?" and "are you a registry?"."""
DIES = [
    {
        "kind": "break",
        "url": f"{CACHE}*cuda*",
        "bytes": 2_000_000_000,
        "times": 2,
    },  # a question for its size, and the file
    {"kind": "refuse", "url": f"{CACHE}*cuda*"},
]
"""What a Windows meets: the cache tells the largest file's size, breaks off in the middle of it, and is gone."""


class Room:
    """The PCs of the room and their cache.

    :param folder: for inventory and logs.
    """

    def __init__(self, folder: Path) -> None:
        self.hosts, self.cache = folder / "hosts.json", container("cache")
        self.log = folder / "run.log"
        self.pcs = [f"room-{number}" for number in range(1, 6)]
        pcs, linux = dict.fromkeys(self.pcs, {}), {f"{name}-wsl": {} for name in self.pcs}
        cache = {self.cache: {"ansible_connection": "community.docker.docker"}}
        groups = {"lab": pcs | linux | cache, "windows": pcs, "lab_windows": pcs, "cache": cache, "lab_cache": cache}
        groups |= dict.fromkeys(("wsl", "wsl_in_windows", "lab_origins"), linux)
        children = {group: {"hosts": hosts} for group, hosts in groups.items()}
        self.hosts.write_text(json.dumps({"all": {"children": children}}))

    def play(self, playbook: str, limit: str, *options: str) -> subprocess.Popen:
        """Start a playbook."""
        argv = [
            "ansible-playbook",
            "-i",
            "inventory/lab",
            "-i",
            str(self.hosts),
            f"playbooks/{playbook}",
            "--limit",
            limit,
        ]
        environment = {**os.environ, "ANSIBLE_NOCOLOR": "1"}
        with self.log.open("w") as output:
            return subprocess.Popen(
                [*argv, *options],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )

    def site(self, pc: str, *, cached: bool, dies: bool = False) -> int:
        """Set up one PC and return the bytes that came from the Internet, through the cache or not.

        :param dies: whether the cache is killed while CUDA is installed in the distribution.
        :raises SystemExit: the run failed.
        """
        killed = dies
        windows.up(pc, linux=True)
        since, seen = time.time(), len(windows.events(pc))
        if dies:
            Client(windows.state_of(pc)).fault("machine", set={"downloads": DIES})
        address = "cache.lab" if cached else ""
        run = self.play("site.yml", f"{pc},{pc}-wsl", "-e", f"cache_address={address}")
        while run.poll() is None:
            if dies and "cuda_wsl : present | Install the toolkit" in self.log.read_text():
                engine.docker("kill", self.cache)
                dies = False
            time.sleep(0.5)
        if run.returncode:
            sys.exit(f"{self.log.read_text()[-6000:]}\ncache: the run for {pc} ended with {run.returncode}")
        linux = sum(
            record["bytes"] for record in internet.requests(since) if record["via"] != "proxy" and "bytes" in record
        )
        asked = [event for event in windows.events(pc)[seen:] if event["event"] == "request"]
        total = linux + sum(event["bytes"] for event in asked if not OTHERS.search(event["url"]) and is_vendors(event))
        self.kept = sum(event["bytes"] for event in asked if not is_vendors(event))
        print(f"{pc}: {'cache killed' if killed else 'cache' if cached else 'no cache'}: {total:,} bytes", flush=True)
        return total


def is_vendors(request: dict) -> bool:
    """Tell whether Windows has asked somebody else than the cache."""
    return not request["url"].startswith(CACHE)


def shown(number: int) -> str:
    """Return a number of bytes for people."""
    return f"{number / 1e6:12,.1f} MB"


def main() -> None:
    """Measure all and print the table."""
    internet.up()
    distribution.up(container("cache"), networking="cache")
    with tempfile.TemporaryDirectory() as folder:
        room = Room(Path(folder))
        try:
            if room.play("cache.yml", room.cache).wait():
                sys.exit(f"{room.log.read_text()[-6000:]}\ncache: the cache could not be set up")
            first = room.site("room-1", cached=True) + room.kept
            second, again = (room.site(pc, cached=True) for pc in ("room-2", "room-1"))
            plain = [room.site(pc, cached=False) for pc in ("room-3", "room-4", "room-3")]
            killed = room.site("room-5", cached=True, dies=True)
        finally:
            for pc in room.pcs:
                windows.down(pc)
            distribution.down(room.cache)
            internet.down()
    print(f"bytes from the Internet   {'first PC':>15}{'second PC':>15}{'second run':>15}")
    for name, numbers in (("without the cache", plain), ("with the cache", [first, second, again])):
        print(f"{name:<25} {''.join(map(shown, numbers))}")
    print(f"killed in the middle      {shown(killed)}   the same run went on at the vendors")
    if second > TOLD or again > TOLD or not 0 < killed < plain[0]:
        sys.exit("cache: the second PC or the second run has fetched from the Internet, or the killed one everything")


main()
