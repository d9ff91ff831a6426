"""A daemon, a driver or a user's shell may never answer: each question to one has a time limit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ASKED = re.compile(
    r"(?:^|[;&|(!]|\bif|\bthen|\bdo|\belse)\s*(docker|runuser|systemctl|journalctl|wslinfo|getent|\$smi|code)\s"
)
ROLES = ["cuda_wsl", "devcontainer", "nvidia_ctk"]


@pytest.mark.parametrize("path", sorted(path for role in ROLES for path in (ROOT / "roles" / role).glob("files/*.sh")))
def test_a_script_asks_nothing_without_a_time_limit(path):
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if ASKED.search(line)] == []


def test_an_nvidia_smi_that_hangs_is_named(tmp_path):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\nsleep 30\n")
    smi.chmod(0o755)
    text = (ROOT / "roles/cuda_wsl/files/look.sh").read_text()
    text = text.replace("/usr/lib/wsl/lib/nvidia-smi", str(smi)).replace("timeout --kill-after=5 60", "timeout 0.5")
    done = subprocess.run(["sh", "-c", text, "look", "none"], capture_output=True, text=True, timeout=25)
    (said,) = [line for line in done.stdout.splitlines() if line.startswith(("gpu ", "nogpu "))]
    assert said.startswith("nogpu nvidia-smi does not answer within a minute: run wsl --shutdown on Windows")


def test_a_program_that_a_user_runs_for_the_proof_ends(tmp_path):
    for name, text in {"runuser": 'shift 3; exec sh -c "$1"', "docker": "sleep 30"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    proof = tmp_path / "proof"
    text = (ROOT / "roles/nvidia_ctk/files/proof.sh").read_text().replace("--kill-after=10 900", "--kill-after=1 0.5")
    done = subprocess.run(
        ["sh", "-c", text, "proof", "ubuntu:24.04", "dev", proof],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (124, "docker run did not end within 15 minutes.")
    assert not proof.exists()
