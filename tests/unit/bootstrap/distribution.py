"""A folder that stands for a distribution: what install.sh and wsl-dl call writes down its calls."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[3]
RECORD = """#!/bin/sh
printf '%s\\n' "$0 $*" "cwd=$PWD proxy=${https_proxy:-} user=${USER:-}" >>"{log}"
"""
PYTHON = """#!/bin/sh
case "$*" in
'-m venv --clear '*)
    mkdir -p "$4/bin"
    for name in pip python ansible-playbook; do cp "{folder}/recorder" "$4/bin/$name"; done
    ;;
*) exec {python} "$@" ;;
esac
"""


class Distribution:
    """A folder that stands for /opt/wsl-dl-playbook, and the folder of the ZIP as Windows has unpacked it."""

    def __init__(self, folder: Path) -> None:
        self.base, self.zip, self.tools, self.log = folder / "base", folder / "zip", folder / "tools", folder / "log"
        self.prefix = folder / "local"  # /usr/local
        self.tools.mkdir()
        self.program("recorder", RECORD)
        self.program("wslinfo", "#!/bin/sh\necho mirrored\n")  # Windows is 127.0.0.1
        self.program("python3", PYTHON)
        self.program("apt-get", RECORD)

    def program(self, name: str, text: str) -> None:
        path = self.tools / name
        words = {"{log}": str(self.log), "{folder}": str(self.tools), "{python}": sys.executable}
        for word, value in words.items():
            text = text.replace(word, value)
        path.write_text(text)
        path.chmod(0o755)

    def unpack(self) -> None:
        """Git's links become files that hold their target, and everything may be executed: so /mnt/c shows it."""
        names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
            "\n"
        )
        for name in [name for name in names if name and (ROOT / name).exists()]:
            path = self.zip / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_symlink():
                path.write_text(os.readlink(ROOT / name))
            else:
                shutil.copy(ROOT / name, path)
            path.chmod(0o777)

    def run(self, *words: str, cwd: Path | None = None, text: str = "", rc: int = 0, **settings: str) -> str:
        done = subprocess.run(
            ["/bin/sh", str(ROOT / "bootstrap" / "install.sh"), *words],
            cwd=cwd or self.base.parent,
            env=self.environment | settings,
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == rc, done.stdout + done.stderr
        return done.stdout + done.stderr

    @property
    def environment(self) -> dict[str, str]:
        """Return what makes this folder a distribution for the scripts."""
        return {
            "WSL_DL_PLAYBOOK_BASE": str(self.base),
            "WSL_DL_PLAYBOOK_PATH": str(self.tools),
            "WSL_DL_PLAYBOOK_PREFIX": str(self.prefix),
            "HOME": "/nowhere",
        }

    @property
    def settings(self) -> dict:
        return yaml.safe_load((self.base / "settings.yml").read_text())
