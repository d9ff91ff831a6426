#!/usr/bin/env python3
"""Bring pins.json up to date: ask each vendor's index for a newer file, print what changed, write it with its checksum.

Exit codes: 0, all pins are the newest, or the newer ones were written; 1, ``--check`` found a newer or a missing file;
2, a vendor could not be asked, or its signing key is another one (a key is never replaced by this program).
The environment's ``https_proxy`` is used.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parents[1]
ADVICE = "Look at the network and https_proxy, then run again."
TIMEOUT = 60
"""Seconds a vendor may be silent."""
WSL_INDEX = "https://api.github.com/repos/microsoft/WSL/releases/latest"
UBUNTU_INDEX = "https://releases.ubuntu.com/{series}/SHA256SUMS"
CUDA_INDEX = "https://developer.download.nvidia.com/compute/cuda/redist/"

Pin = dict[str, str]
Open = Callable[[str, str], AbstractContextManager[BinaryIO]]
"""Open (URL, HTTP method) for reading; raises OSError."""


class VendorError(Exception):
    """A vendor's answer cannot be used; the text says what to do."""


def open_url(url: str, method: str = "GET") -> AbstractContextManager[BinaryIO]:
    """Open a URL by way of the environment's proxy."""
    request = urllib.request.Request(url, method=method, headers={"User-Agent": "wsl-dl-playbook"})
    return urllib.request.urlopen(request, timeout=TIMEOUT)


def read(open_: Open, url: str) -> bytes:
    """Return what a URL holds."""
    try:
        with open_(url, "GET") as answer:
            return answer.read()
    except OSError as error:
        raise VendorError(
            f"{url} cannot be read ({error}). Look at the network and https_proxy, then run again."
        ) from error


def is_gone(open_: Open, url: str) -> bool:
    """Tell whether the vendor has removed a file."""
    try:
        with open_(url, "HEAD"):
            return False
    except urllib.error.HTTPError as error:
        if error.code in (404, 410):
            return True
        raise VendorError(f"{url} answers {error.code}. Run again later.") from error
    except OSError as error:
        raise VendorError(
            f"{url} cannot be reached ({error}). Look at the network and https_proxy, then run again."
        ) from error


def newest(versions: list[str]) -> str:
    """Return the highest of some versions of numbers and dots.

    Raises:
        VendorError: there is none.
    """
    if not versions:
        raise VendorError("its index names no version; it may have another form now")
    return max(versions, key=lambda version: [int(part) for part in version.split(".")])


def newer_wsl(open_: Open, pin: Pin) -> Pin:
    """Return the pin of Microsoft's newest release of WSL (GitHub names the checksum of each file)."""
    release = json.loads(read(open_, WSL_INDEX))
    version = release["tag_name"]
    if version == pin["version"]:
        return pin
    name = f"wsl.{version}.0.x64.msi"
    asset = next((asset for asset in release["assets"] if asset["name"] == name), None)
    if asset is None:
        raise VendorError(f"release {version} of WSL has no file {name}; look at {WSL_INDEX}")
    url = asset["browser_download_url"]
    digest = asset.get("digest") or ""
    checksum = digest.removeprefix("sha256:") if digest.startswith("sha256:") else sha256(open_, url)
    return {"version": version, "url": url, "sha256": checksum}


def newer_ubuntu(open_: Open, pin: Pin) -> Pin:
    """Return the pin of the newest image of the same Ubuntu release, by the checksums that Canonical publishes."""
    series = ".".join(pin["version"].split(".")[:2])
    sums = read(open_, UBUNTU_INDEX.format(series=series)).decode()
    images = {
        version: checksum
        for checksum, version in re.findall(r"^([0-9a-f]{64}) [ *]ubuntu-([0-9.]+)-wsl-amd64\.wsl$", sums, re.MULTILINE)
    }
    version = newest(list(images))
    return {"version": version, "url": pin["url"].replace(pin["version"], version), "sha256": images[version]}


def newer_cuda(open_: Open, pin: Pin) -> Pin:
    """Return the pin of NVIDIA's newest CUDA for Windows; NVIDIA publishes no sha256, so a newer file is fetched."""
    index = read(open_, CUDA_INDEX).decode()
    version = newest(re.findall(r"redistrib_(\d+\.\d+\.\d+)\.json", index))
    if version == pin["version"]:
        return pin
    url = pin["url"].replace(pin["version"], version)
    return {"version": version, "url": url, "sha256": sha256(open_, url)}


def sha256(open_: Open, url: str) -> str:
    """Fetch a file and return its checksum."""
    print(f"fetching {url} for its checksum", file=sys.stderr)
    try:
        with open_(url, "GET") as answer:
            return hashlib.file_digest(answer, "sha256").hexdigest()  # type: ignore[arg-type]
    except OSError as error:
        raise VendorError(
            f"{url} cannot be read ({error}). Look at the network and https_proxy, then run again."
        ) from error


def fingerprints(key: bytes) -> list[str]:
    """Return the fingerprints of the primary keys in an armoured or binary OpenPGP key."""
    argv = ["gpg", "--batch", "--with-colons", "--show-keys"]
    listing = (
        subprocess.run(argv, input=key, capture_output=True, timeout=TIMEOUT, check=True).stdout.decode().splitlines()
    )
    return [line.split(":")[9] for before, line in zip(listing, listing[1:], strict=False) if before.startswith("pub:")]


def files(pins: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], str, Callable[[Open, Pin], Pin]]]:
    """Yield (name for people, dictionary, key in it, how its newer one is found) for each file that is pinned."""
    yield "WSL", pins, "wsl", newer_wsl
    for name in sorted(pins["ubuntu"]):
        yield name, pins["ubuntu"], name, newer_ubuntu
    yield "CUDA for Windows", pins, "cuda_windows", newer_cuda


def keys(pins: dict[str, Any]) -> Iterator[tuple[str, Pin]]:
    """Yield (name for people, pin) for each signing key."""
    yield "Docker's key", pins["docker_engine"]
    yield "NVIDIA's key for the container toolkit", pins["nvidia_ctk"]
    for tree, pin in sorted(pins["cuda_wsl"].items()):
        yield f"NVIDIA's key for CUDA ({tree})", pin


def update(pins: dict[str, Any], open_: Open = open_url, skip: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Bring pins up to date in place, but for those to skip; return (what changed, what is wrong), a line for each."""
    changed, wrong = [], []
    for name, place, key, newer in files(pins):
        if key in skip:
            continue
        pin = place[key]
        try:
            gone = is_gone(open_, pin["url"])
            found = newer(open_, pin)
        except VendorError as error:
            wrong.append(f"{name}: {error}")
            continue
        if found == pin:
            if gone:
                wrong.append(f"{name}: {pin['version']} is gone from {pin['url']}, and its index names no newer one.")
            continue
        state = "gone" if gone else "old"
        what = f"{pin['version']} is {state}, {found['version']} is there"
        if found["version"] == pin["version"]:
            what = f"{pin['version']} has another checksum or address than pinned"
        changed.append(f"{name}: {what}")
        place[key] = found
    for name, pin in keys(pins):
        try:
            found_keys = fingerprints(read(open_, pin["url"]))
        except (VendorError, OSError, subprocess.SubprocessError) as error:
            wrong.append(f"{name}: {error}")
            continue
        if found_keys != [pin["fingerprint"]]:
            there = " and ".join(found_keys) or "no key"
            wrong.append(
                f"{name}: {pin['url']} gives {there}, pinned is {pin['fingerprint']}. Ask the vendor whether the key"
                " was replaced, then edit pins.json by hand."
            )
    return changed, wrong


def main() -> int:
    """Carry out the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 when a pin is old or gone")
    parser.add_argument("--skip", action="append", default=[], help="a file not to ask for, by its name in pins.json")
    parser.add_argument("--file", type=Path, default=ROOT / "pins.json", help="the pins (default: %(default)s)")
    options = parser.parse_args()
    pins = json.loads(options.file.read_text(encoding="utf-8"))
    changed, wrong = update(pins, skip=options.skip)
    for line in changed + wrong:
        print(line)
    if changed and not options.check:
        options.file.write_text(json.dumps(pins, indent=2) + "\n", encoding="utf-8")
        advice = "; look at the difference, run make test, commit it" if (ROOT / ".git").exists() else ""
        print(f"{options.file.name} is written{advice}.")
    if not changed and not wrong:
        print("All pins are the newest.")
    return 2 if wrong else 1 if changed and options.check else 0


if __name__ == "__main__":
    raise SystemExit(main())
