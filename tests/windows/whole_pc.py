"""A PC for the whole way of Install.ps1: its distribution is a container, install.sh and Ansible run in it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

from lab import engine, images, internet
from lab.settings import STATE, container
from lab.winsim.handlers import run_captured
from lab.winsim.machine import Machine
from lab.winsim.model import wsl
from lab.winsim.process import Session
from lab.wsl_containers import ContainerBackend
from tests.unit.bootstrap.install_pc import ROOT, InstallPc

INDEX = "https://mirrors.ustc.edu.cn/pypi/simple"
"""A package index that the lab's Internet has; it offers the pinned packages, fetched by this machine."""
PACKAGES = ("ansible", "ansible-core", "jsonschema", "pytest", "pytest-html", "pytest-testinfra", "pyyaml")
"""What install.sh installs of requirements.txt."""


def fill_index() -> None:
    """Put the pinned packages, for the Python of the distribution, on the lab's package index."""
    show = "import sys; print('%d.%d' % sys.version_info[:2])"
    image = images.names()["noble"]
    version = engine.docker("run", "--rm", "--network", "none", "--entrypoint", "python3", image, "-c", show).strip()
    folder = ROOT / ".cache" / f"packages-python{version}"
    if not folder.exists() or (ROOT / "requirements.txt").stat().st_mtime > folder.stat().st_mtime:
        shutil.rmtree(folder, ignore_errors=True)
        lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
        pins = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
        wanted = [
            f"{pin.name}{pin.specifier}"
            for pin in pins
            if pin.name.lower() in PACKAGES and (not pin.marker or pin.marker.evaluate({"python_version": version}))
        ]
        fresh = folder.with_suffix(".new")
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--dest", str(fresh),
             "--python-version", version, "--only-binary=:all:", "--ignore-requires-python", *wanted],
            check=True, timeout=600,
        )  # fmt: skip
        fresh.rename(folder)
    for wheel in folder.glob("*.whl"):
        name = re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
        place = folder / "simple" / name
        place.mkdir(parents=True, exist_ok=True)
        wheel.rename(place / wheel.name)
        (place / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>\n', encoding="utf-8")
    engine.docker("cp", f"{folder}/simple/.", f"{container('internet')}:/srv/lab/www/pypi/simple/")


class WholePc(InstallPc):
    """A PC whose distributions are containers, and whose owner has unpacked the whole ZIP."""

    patience = 1500

    def __init__(self, folder: Path, machine: str = "windows11-zh-cn", **changes: object) -> None:
        internet.up()
        fill_index()
        super().__init__(folder, machine, **changes)

    def _machine(self, description: Path) -> Machine:
        users = self.folder / "C" / "Users"
        users.mkdir(parents=True)
        return Machine.load(
            description, self.folder / f"install-{os.getpid()}", lambda machine: ContainerBackend(machine, users=users)
        )

    def _unpack(self) -> None:
        """Unpack the ZIP as Windows does: a link becomes a file with its target in it."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        for name in filter(None, listed.stdout.split("\0")):
            source, target = ROOT / name, self.home / name
            if not source.is_symlink() and not source.is_file():
                continue  # removed here, and not committed yet
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(str(source.readlink()).encode() if source.is_symlink() else source.read_bytes())
        pins = json.loads((self.home / "pins.json").read_text(encoding="utf-8"))
        keys = {"docker_engine": "docker", "nvidia_ctk": "nvidia"}
        for pin, key in [*((pins[name], key) for name, key in keys.items()), (pins["cuda_wsl"]["wsl-ubuntu"], "cuda")]:
            pin["fingerprint"] = (STATE / "keys" / f"{key}.fingerprint").read_text().strip()
        (self.home / "pins.json").write_text(json.dumps(pins, indent=2), encoding="utf-8")

    def in_linux(self, script: str, user: str = "root") -> str:
        """Run a Bash script in its only distribution, from a terminal of the person's own; return what it says."""
        (distribution,) = wsl.distributions(self.machine, self.user)
        session = Session(self.machine, self.user, False, "interactive", 1)
        session.environment, session.cwd = self.machine.environment_for(self.user), "C:\\Windows"
        argv = [
            "C:\\Program Files\\WSL\\wsl.exe",
            "-d",
            distribution.name,
            "-u",
            user,
            "--cd",
            "~",
            "--exec",
            "/bin/bash",
            "-l",
        ]
        done = run_captured(session, argv, stdin=script.encode())
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert done.rc == 0, said
        return said

    @property
    def container(self) -> str:
        """The container of its only distribution."""
        (name,) = self.inside.names.values()
        return name

    def close(self) -> None:
        """Stop serving programs, and remove the containers."""
        super().close()
        self.machine.interop.close_all()
        for name in list(self.inside.names.values()):
            self.inside.lab.down(name)
