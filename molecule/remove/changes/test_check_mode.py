"""--check against the run, for settings changed on a finished workstation: the same tasks say "changed"."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.changes import changed

ROOT = Path(__file__).resolve().parents[3]
SETTINGS = {
    "an address without the proxy": {"proxy_no_proxy": ["localhost", "127.0.0.1", "::1", "10.213.0.1", "nas.lan"]},
    "the mirror for security updates, too": {"apt_mirror_security": True},
    "another CUDA": {"cuda_wsl_version": "13.3"},
    "an option of dockerd": {"docker_engine_daemon_options": {"default-shm-size": "128m"}},
    "one more user of Docker": {"docker_engine_users": ["dev", "pal"]},
    "another size of /dev/shm": {"devcontainer_shm_size": "4g"},
    "no container toolkit": {"nvidia_ctk_state": "absent"},
}
TASKS = {
    "an address without the proxy": [
        "wsl_proxy : present | Write the relay and the settings of shells, sudo and apt",
        "docker_proxy : present | Give the daemon the proxy",
        "docker_proxy : present | Give containers and builds the proxy",
        "docker_proxy : restart | Restart Docker if it runs with another proxy",
    ],
    "the mirror for security updates, too": [
        "apt_mirror : present | Try the mirror, and point the release's archive at it"
    ],
    "another CUDA": [
        "cuda_wsl : present | Keep Linux drivers out and set the search paths",
        "cuda_wsl : present | Install the toolkit",
        "cuda_wsl : activate | Choose the toolkit of cuda_wsl_version",
    ],
    "an option of dockerd": [
        "docker_engine : present | Merge daemon.json",
        "docker_engine : present | Run Docker with what is on the disk",
    ],
    "one more user of Docker": ["docker_engine : install | Let the users use Docker"],
    "another size of /dev/shm": ["devcontainer : present | Write the project's files"],
    "no container toolkit": [
        "nvidia_ctk : absent | Take the runtime from Docker",
        "nvidia_ctk : absent | Remove the packages that the role has brought",
        "nvidia_ctk : repository | Bring NVIDIA's apt repository into the state absent",
        "nvidia_ctk : absent | Remove the GPU's description, what the packages leave, and the note of the smoke test",
    ],
}


def run(*arguments: str) -> str:
    """Run the WSL half with all the settings and return its output."""
    asked = {name: value for setting in SETTINGS.values() for name, value in setting.items()}
    inventory = f"{os.environ['MOLECULE_EPHEMERAL_DIRECTORY']}/inventory"
    playbook = Path(sys.executable).parent / "ansible-playbook"
    done = subprocess.run(
        [playbook, "-i", inventory, "playbooks/wsl.yml", "-e", json.dumps(asked), *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg",
            "ANSIBLE_FORCE_COLOR": "0",  # Molecule's environment asks for colors
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_VERBOSITY": "0",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def foreseen() -> str:
    return run("--check")


@pytest.fixture(scope="module")
def done(foreseen) -> str:
    return run()


def test_the_same_tasks_say_changed(foreseen, done):
    assert changed(foreseen) == changed(done) != []


@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_changed_by_its_tasks(foreseen, done, setting):
    assert set(TASKS[setting]) <= set(changed(foreseen)) & set(changed(done))
