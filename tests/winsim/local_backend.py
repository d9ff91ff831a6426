"""A backend for tests without Docker: what wsl.exe executes runs on this machine, as the user who runs the tests."""

from __future__ import annotations

import os
from pathlib import Path

from lab.winsim.model.guest import LinuxProcess
from lab.winsim.model.wsl import Distribution
from lab.winsim.wsl_backend import MemoryBackend
from lab.wsl_containers import stream

HERE = Path(__file__).parent


class LocalBackend(MemoryBackend):
    """Users and life as in the memory backend; commands are real."""

    def interop_folder(self, distribution: Distribution) -> Path | None:
        """Where the sessions' servers listen."""
        return self.machine.state_dir / "interop"

    def run(self, process: LinuxProcess) -> int:
        """Run a command here; ``LAB_USER`` tells it for whom, and ``sudo`` is the one of these tests."""
        path = f"{HERE / 'bin'}:{os.environ['PATH']}"
        session = (
            [f"WSL_INTEROP={self.interop_folder(process.distribution)}/{process.interop}"] if process.interop else []
        )
        command = ["env", "-C", process.cwd, f"PATH={path}", f"LAB_USER={process.user}", *session, *process.argv]
        return stream(command, process)
