"""How the roles tell WSL from another Linux machine: by what its kernel shows, with one rule in each script."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.unit import run_module

ROLES = Path(__file__).parents[2] / "roles"
SCRIPTS = [
    "cuda_wsl/files/facts.sh",
    "devcontainer/files/facts.sh",
    "nvidia_ctk/files/facts.sh",
    "wsl_proxy/files/facts.sh",
    "wsl_proxy/files/wsl-proxy-upstream",
]
MACHINES = {
    "wsl2": ({"/proc/sys/kernel/osrelease": "6.6.87.2-microsoft-standard-WSL2\n"}, True),
    "wsl1": ({"/proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, True),
    "wsl with a kernel of one's own, named after it": ({"/proc/sys/kernel/osrelease": "6.12.1-mine-WSL2+\n"}, True),
    "wsl with a kernel of one's own": (
        {
            "/proc/sys/kernel/osrelease": "6.12.1-mine\n",
            "/proc/mounts": "none /usr/lib/wsl/lib overlay ro 0 0\nsysfs /sys sysfs rw 0 0\n",
        },
        True,
    ),
    "wsl with a kernel of one's own, without a GPU": (
        {"/proc/sys/kernel/osrelease": "6.12.1-mine\n", "/proc/sys/fs/binfmt_misc/WSLInterop": "enabled\n"},
        True,
    ),
    "ubuntu": ({"/proc/sys/kernel/osrelease": "6.8.0-60-generic\n"}, False),
    "ubuntu on azure": ({"/proc/sys/kernel/osrelease": "6.8.0-1020-azure\n"}, False),
    "ubuntu with a package of wsl's": (
        {"/proc/sys/kernel/osrelease": "6.8.0-60-generic\n", "/usr/lib/wsl/wsl-setup": "", "/etc/wsl.conf": ""},
        False,
    ),
}


def rule(script):
    return re.search(r"^in_wsl\(\) \{.*\}$", (ROLES / script).read_text(), re.MULTILINE).group()


@pytest.fixture(params=MACHINES)
def machine(request, tmp_path):
    files, wsl = MACHINES[request.param]
    for path, text in ({"/proc/mounts": "sysfs /sys sysfs rw 0 0\n"} | files).items():
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path, wsl


def test_each_script_has_the_same_rule():
    assert len({rule(script) for script in SCRIPTS}) == 1


def test_the_scripts_tell_it_by_the_kernel(machine):
    root, wsl = machine
    text = rule(SCRIPTS[0]).replace("/proc/", f"{root}/proc/")
    done = subprocess.run(["sh", "-c", f"{text}\nin_wsl"], capture_output=True, text=True, timeout=20)
    assert (done.returncode == 0, done.stderr) == (wsl, "")


def test_the_docker_roles_tell_it_by_the_kernel(machine, monkeypatch):
    root, wsl = machine
    module = run_module.load("docker_facts")
    monkeypatch.setattr(module, "ROOT", str(root))
    assert module.in_wsl() is wsl
