"""What people type wrong, and the first line that they read: cause and remedy, before any host is connected to.

The cases are in wrong_inputs.yml. Each is played by the real ansible-playbook on a copy of this repository with an own
inventory, inventory/mine; those that name the same "run" share one, because an end with several errors tells all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit import loaded

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CASES = yaml.safe_load(Path(__file__).with_suffix(".yml").with_name("wrong_inputs.yml").read_text())
SETTINGS = "inventory/mine/group_vars/workstation/settings.yml"
VAULT = "inventory/mine/group_vars/workstation/vault.yml"
FREE_PORT = 9  # "discard": nobody listens there, so a connection would be refused, and seen as UNREACHABLE


check_inputs = loaded.module("plugins/callback/check_inputs.py")


def run_of(case: dict) -> str:
    return case.get("run", case["input"])


@pytest.fixture(scope="session")
def pristine(tmp_path_factory) -> Path:
    """Return a copy of what ships to users, with an own inventory whose every line is right."""
    root = tmp_path_factory.mktemp("right") / "wsl-dl-playbook"
    for name in ("inventory", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__", "mine"))
    for name in ("ansible.cfg", "pins.json"):
        shutil.copy(ROOT / name, root)
    shutil.copytree(root / "inventory" / "workstation", root / "inventory" / "mine", symlinks=True)
    settings = root / SETTINGS
    settings.write_text(settings.read_text().replace("192.168.1.20 ", f"127.0.0.1\nwindows_port: {FREE_PORT}"))
    (root / VAULT).write_text("windows_password: secret\n")
    argv = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=pc -keyout pc.key -out"
    folder = root / "inventory" / "mine"
    subprocess.run([*argv.split(), "winrm-MY-PC.pem"], cwd=folder, check=True, capture_output=True, timeout=60)
    (folder / "pc.key").rename(root / "pc.key")
    return root


def play(folder: Path, *words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess:
    """Run ansible-playbook there, with nothing of this shell's own Ansible settings."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    more = {"ANSIBLE_NOCOLOR": "1", "COLUMNS": "200", "PATH": f"{BIN}:{os.environ['PATH']}"} | (environment or {})
    done = subprocess.run(
        [BIN / "ansible-playbook", *words],
        cwd=folder, env=own | more, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    done.folder = folder
    return done


def errors(done: subprocess.CompletedProcess) -> list[str]:
    """Return the first lines of what Ansible calls an error, without its own words before ours."""
    text = (done.stderr + done.stdout).replace(f"{done.folder}/", "")
    lines = [line.removeprefix("[ERROR]: ") for line in text.splitlines() if line.startswith("[ERROR]: ")]
    return [line.removeprefix("Task failed: ").removeprefix("Action failed: ") for line in lines]


def plant(folder: Path, case: dict) -> None:
    """Write what the person has typed.

    settings: lines at the end of settings.yml. replace: a regular expression and what it becomes there.
    files: contents by path. remove: paths. rename: paths and their new names.
    encrypt: encrypt vault.yml with the password "right".
    """
    settings = folder / SETTINGS
    for pattern, line in case.get("replace", {}).items():
        text, times = re.subn(pattern, line.replace("\\", "\\\\"), settings.read_text(), flags=re.MULTILINE)
        assert times == 1, pattern
        settings.write_text(text)
    if "settings" in case:
        settings.write_text(settings.read_text() + case["settings"].rstrip("\n") + "\n")
    for path, text in case.get("files", {}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for path in case.get("remove", []):
        shutil.rmtree(folder / path) if (folder / path).is_dir() else (folder / path).unlink()
    for path, name in case.get("rename", {}).items():
        (folder / path).rename(folder / name)
    if case.get("encrypt"):
        (folder / "right").write_text("right\n")
        (folder / "wrong").write_text("wrong\n")
        argv = [BIN / "ansible-vault", "encrypt", "--vault-password-file", folder / "right", folder / VAULT]
        subprocess.run(argv, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="session")
def outcome(pristine, tmp_path_factory):
    """Return what a run has said, by the name of the run; each is played once."""
    known: dict[str, subprocess.CompletedProcess] = {}

    def outcome(run: str) -> subprocess.CompletedProcess:
        if run not in known:
            folder = tmp_path_factory.mktemp("typed") / "wsl-dl-playbook"
            shutil.copytree(pristine, folder, symlinks=True)
            cases = [case for case in CASES if run_of(case) == run]
            words, environment = [], {}
            for case in cases:
                plant(folder, case)
                words += case.get("words", [])
                environment |= case.get("environment", {})
            inventory = next((case["inventory"] for case in cases if "inventory" in case), ["-i", "inventory/mine"])
            playbook = next((case["playbook"] for case in cases if "playbook" in case), "playbooks/preflight.yml")
            known[run] = play(folder, *inventory, playbook, *words, environment=environment)
        return known[run]

    return outcome


def test_there_are_at_least_forty():
    assert len({case["input"] for case in CASES}) == len(CASES) >= 40


@pytest.mark.parametrize(
    ("former", "now"),
    [
        ("cuda_windows_disk_gb", "cuda_windows_min_free_gb"),
        ("cuda_wsl_free_space", "cuda_wsl_min_free_gb"),
        ("docker_engine_min_disk_gib", "docker_engine_min_free_gb"),
        ("proxy_download_url", "proxy_url_wsl"),
        ("proxy_windows_url", "proxy_url_windows"),
        ("visual_studio_disk_gb", "visual_studio_min_free_gb"),
        ("wsl_enable_disk_gb", "wsl_distribution_min_free_gb"),
        ("wsl_enable_distribution", "wsl_distribution_name"),
        ("wsl_enable_image_url", "wsl_distribution_image_url"),
        ("wsl_enable_image_sha256", "wsl_distribution_image_sha256"),
        ("wsl_enable_location", "wsl_distribution_location"),
        ("wsl_enable_user", "wsl_distribution_user"),
        ("wsl_enable_user_password_hash", "wsl_distribution_user_password_hash"),
        ("wsl_enable_systemd", "wsl_distribution_systemd"),
        ("wsl_enable_keepalive", "wsl_distribution_keepalive"),
        ("wsl_enable_keepalive_at", "wsl_distribution_keepalive_at"),
        ("wsl_enable_min_free_gb", "wsl_distribution_min_free_gb"),
    ],
)
def test_a_name_of_an_earlier_version_is_told_with_its_name_now(former, now):
    known = check_inputs.known_names()
    assert now in known and former not in known
    said = check_inputs.unread(check_inputs.Name(former, "-e"), known, check_inputs.read_by_playbooks())
    assert said == f'-e: nobody reads "{former}". Did you mean "{now}"? Correct the name or take it out.'


def test_with_every_line_right_the_pc_is_connected_to(pristine):
    words = [
        "-e",
        "visual_studio_state=ignore",
        "--skip-tags",
        "molecule-notest,notest,molecule-idempotence-notest",
    ]  # as Molecule says
    done = play(pristine, "-i", "inventory/mine", "playbooks/site.yml", *words)
    assert "my-pc" in done.stdout and "UNREACHABLE" in done.stdout, done.stdout + done.stderr
    assert "Connection refused" in done.stdout


def test_a_password_that_another_file_keeps_for_each_pc_is_right(pristine, tmp_path):
    """As microsoft.ad.ldap gives it (docs/fleet.md)."""
    folder = tmp_path / "wsl-dl-playbook"
    shutil.copytree(pristine, folder, symlinks=True)
    (folder / VAULT).write_text('windows_password: "{{ hostvars[windows_host].laps_password }}"\n')
    (folder / "inventory/mine/host_vars").mkdir()
    (folder / "inventory/mine/host_vars/my-pc.yml").write_text("laps_password: secret\n")
    done = play(folder, "-i", "inventory/mine", "playbooks/preflight.yml")
    assert "UNREACHABLE" in done.stdout, done.stdout + done.stderr
    assert "laps_password" not in done.stderr


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["input"], marks=pytest.mark.xdist_group(run_of(case))) for case in CASES]
)
def test_the_first_line_names_cause_and_remedy_and_nothing_was_changed(outcome, case):
    done = outcome(run_of(case))
    said = errors(done)
    if "run" in case:
        assert case["says"] in said, done.stdout + done.stderr
    else:
        assert said[:1] == [case["says"]], done.stdout + done.stderr
    assert done.returncode != 0
    assert "UNREACHABLE" not in done.stdout, "a host was connected to"
    assert "changed: [" not in done.stdout
