"""roles/nvidia_ctk/files/refresh.sh, with a systemctl that plays NVIDIA's service."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "roles" / "nvidia_ctk" / "files" / "refresh.sh"
SYSTEMCTL = """#!/bin/sh
echo "$@" >> calls
case "$*" in
  restart*) {restart} ;;
  show*) {show} ;;
  is-enabled*) {enabled} ;;
esac
"""


@pytest.fixture
def refresh(tmp_path):
    """Return a function that runs the script and returns (code, output, calls); systemctl is lines of shell."""

    def run(restart="touch spec", show="echo inactive", enabled="true"):
        programs = {
            "systemctl": SYSTEMCTL.format(restart=restart, show=show, enabled=enabled),
            "journalctl": "#!/bin/sh\ncase $1 in --unit*) echo what the service said ;; esac\n",
            "sleep": "#!/bin/sh\n",
            "timeout": '#!/bin/sh\nshift\nexec "$@"\n',
        }
        for name, text in programs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        done = subprocess.run(
            ["sh", SCRIPT, "spec"],
            cwd=tmp_path,
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.returncode, done.stdout + done.stderr, (tmp_path / "calls").read_text().splitlines()

    return run


def test_a_new_specification_is_what_counts(refresh):
    code, said, calls = refresh()
    assert (code, said) == (0, "")
    assert calls[:2] == [
        "reset-failed nvidia-cdi-refresh.service nvidia-cdi-refresh.path",
        "restart nvidia-cdi-refresh.service",
    ]


def test_its_own_next_attempt_counts(refresh):
    code, said, _ = refresh(
        "exit 1", "[ -e second ] && touch spec && echo inactive || { touch second; echo activating; }"
    )
    assert (code, said) == (0, "")


def test_what_the_service_said_is_shown_when_it_gives_up(refresh):
    code, said, calls = refresh("exit 1", "echo activating")
    assert (code, said) == (1, "what the service said\n")
    assert len([call for call in calls if call.startswith("show")]) == 15


def test_an_old_specification_does_not_count(refresh, tmp_path):
    subprocess.run(["touch", "-d", "2020-01-01", tmp_path / "spec"], check=True)
    code, said, _ = refresh("true")
    assert code == 1
    assert "was skipped, since one of its conditions does not hold, and wrote no spec." in said


def test_a_service_that_hangs_is_stopped(refresh):
    code, said, calls = refresh("exit 124", "echo activating")
    assert code == 1
    assert "nvidia-cdi-refresh.service did not end within 120 seconds." in said
    assert "stop nvidia-cdi-refresh.service" in calls


@pytest.mark.parametrize(("enabled", "started"), [("true", True), ("false", False)])
@pytest.mark.parametrize("restart", ["touch spec", "exit 1"])
def test_the_unit_that_watches_runs_again_unless_somebody_switched_it_off(refresh, restart, enabled, started):
    _, _, calls = refresh(restart, enabled=enabled)
    assert ("start nvidia-cdi-refresh.path" in calls) is started
