"""A daemon, a driver, Windows or a user's shell may never answer: each question to one has a time limit."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ASKED = re.compile(
    r"(?:^|[;&|(!]|\bif|\bthen|\bdo|\belse)\s*(docker|runuser|systemctl|journalctl|wslinfo|getent|\$smi|code)\s"
)
ROLES = ["cuda_wsl", "devcontainer", "nvidia_ctk", "wsl_proxy"]
ASKING = {"win_command", "win_shell", "win_powershell", "win_optional_feature", "win_package", "command", "shell"}
INCLUDES = {"include_tasks", "import_tasks"}


@pytest.mark.parametrize(
    "path",
    [path for role in ROLES for path in sorted((ROOT / "roles" / role).glob("files/*"))],
    ids=lambda path: "/".join(path.parts[-3::2]),
)
def test_a_script_asks_nothing_without_a_time_limit(path):
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert [line for line in lines if ASKED.search(line)] == []


def tasks_with_limits(role: str) -> dict[str, set[bool]]:
    """Return for each task of a role that runs a program whether it has a time limit, on each way that leads to it."""
    files = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / "roles" / role / "tasks").glob("*.yml")}
    included: set[str] = set()
    found: dict[str, set[bool]] = {}

    def walk(tasks: list[dict], limited: bool, *above: str) -> None:
        for task in tasks:
            own = limited or "timeout" in task
            for part in ("block", "rescue", "always"):
                walk(task.get(part, []), own, *above)
            for name, value in task.items():
                short = name.rpartition(".")[2]
                if short in INCLUDES:
                    # what an include says of itself does not reach its tasks; a block around it does
                    named = value if isinstance(value, str) else value["file"]
                    wanted = re.sub(r"{{.*?}}", ".*", re.sub(r"{{ \w+_state }}", "(present|absent)", named))
                    for file in [file for file in files if re.fullmatch(wanted, file) and file not in above]:
                        included.add(file)
                        walk(files[file], limited, *above, file)
                elif short == "win_fetch" and value.get("background"):
                    found.setdefault(task["name"], set()).add(own)
                elif short in ASKING and name.startswith(("ansible.", "community.")):
                    by_itself = short in ("command", "shell") and "timeout" in str(value)
                    found.setdefault(task["name"], set()).add(own or by_itself)

    walk(files["main.yml"], False)
    for file in set(files) - included - {"main.yml"}:
        walk(files[file], False)
    return found


WINDOWS = ["cuda_windows", "visual_studio", "windows_base", "windows_proxy", "wsl_distribution", "wsl_enable"]


@pytest.mark.parametrize("role", WINDOWS)
def test_no_program_on_windows_is_waited_for_without_a_time_limit(role):
    assert [name for name, limited in tasks_with_limits(role).items() if limited != {True}] == []


def test_an_nvidia_smi_that_hangs_is_named(tmp_path):
    smi = tmp_path / "nvidia-smi"
    smi.write_text("#!/bin/sh\nsleep 30\n")
    smi.chmod(0o755)
    text = (ROOT / "roles/cuda_wsl/files/facts.sh").read_text()
    text = text.replace("/usr/lib/wsl/lib/nvidia-smi", str(smi)).replace("timeout --kill-after=5 60", "timeout 0.5")
    text = text.replace("if in_wsl; then", "if true; then")
    done = subprocess.run(
        ["sh", "-c", text, "look", "none", "", "", "no note"], capture_output=True, text=True, timeout=25
    )
    (said,) = [line for line in done.stdout.splitlines() if line.startswith(("gpu ", "nogpu "))]
    assert said.startswith("nogpu nvidia-smi does not answer within a minute: run wsl --shutdown on Windows")


def test_a_program_that_a_user_runs_for_the_smoke_test_ends(tmp_path):
    for name, text in {"runuser": 'shift 3; exec sh -c "$1"', "docker": "sleep 30"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    note = tmp_path / "proof"
    text = (
        (ROOT / "roles/nvidia_ctk/files/smoke_test.sh").read_text().replace("--kill-after=10 900", "--kill-after=1 0.5")
    )
    done = subprocess.run(
        ["sh", "-c", text, "smoke_test", "ubuntu:24.04", "dev", note],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=25,
    )
    assert (done.returncode, done.stderr.splitlines()[-1]) == (124, "docker run did not end within 15 minutes.")
    assert not note.exists()
