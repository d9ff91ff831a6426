"""The whole way of the person at the PC, by the real Install.ps1, install.sh and Ansible, from a bare Windows."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from lab import engine, images
from lab.winsim.model import wsl
from tests.unit.bootstrap.install_pc import PWSH
from tests.windows.whole_pc import INDEX, WholePc

pytestmark = [
    pytest.mark.skipif(not PWSH, reason="needs PowerShell 7: pwsh on the PATH, or its path in PWSH"),
    pytest.mark.skipif(not shutil.which("docker"), reason="needs Docker"),
    pytest.mark.campaign,  # as long as three runs of the site
]


@pytest.fixture
def pc(tmp_path):
    """Return a bare Windows 11 in Chinese, whose owner has a PIN only: there is no password that anybody could type."""
    pc = WholePc(tmp_path, users=[{"name": "student", "groups": ["Administrators", "Users"], "password": None}])
    yield pc
    pc.close()


def test_from_a_bare_windows_to_the_gpu_in_a_container_and_back(pc):
    bare = pc.machine.registry.view("student").subkeys("HKCU\\Software")
    code, said = pc.start(Yes=True, PackageIndex=INDEX)
    assert code == 0, said
    code, said = pc.restart_and_sign_in()
    assert code == 0, said
    assert "NVIDIA GeForce RTX 4090" in said
    assert said.endswith("完成。请在开始菜单打开 Ubuntu-24.04。要全部撤销：Install.cmd -Remove\n")
    assert pc.world["asked"] == []
    assert [boot["reason"] for boot in pc.machine.boots[1:]] == ["wsl-dl-playbook 将重新启动电脑，再次登录后自动继续。"]
    shown = engine.docker(
        "exec", "-u", "dev", pc.container, "docker", "run", "--rm", "--gpus", "all", "ubuntu:24.04", "nvidia-smi"
    )
    assert "NVIDIA GeForce RTX 4090" in shown
    code, said = pc.start()  # a day later
    assert (code, pc.world["asked"]) == (0, []), said
    assert changes(pc) == [("pc", "0"), ("pc-wsl", "0")]
    assert "pc-wsl  无需改动    来自 Docker 官方软件源的 Docker Engine\n" in _plain(said)
    assert re.search(r"PLAY|TASK|已完成", said) is None
    code, said = pc.start(Remove=True, Yes=True)
    assert code == 0, said
    assert (wsl.distributions(pc.machine, "student"), pc.inside.names) == ([], {})
    assert pc.machine.registry.view("student").subkeys("HKCU\\Software") == bare
    assert wsl.package_version(pc.machine) is None


BY_HAND = Path(__file__).with_name("by_hand.sh").read_text(encoding="utf-8")
STATE = Path(__file__).with_name("state.sh").read_text(encoding="utf-8")


@pytest.fixture
def by_hand(tmp_path):
    """Return a PC whose owner has gone the tutorial's way by hand, in the Ubuntu of that time."""
    # A genuine 22.04 needs Python 3.11 from Ubuntu's archive, which the lab's does not have.
    release = "22.04" if images.base_kind() == "archive" else "24.04"
    pc = WholePc(
        tmp_path,
        features={"VirtualMachinePlatform": "Enabled"},
        installed=[
            {"name": "windows-terminal"},
            {"name": "wsl", "version": "2.2.4.0"},
            {"name": "distribution", "distribution": "Ubuntu", "version": release, "default_user": "mei"},
        ],
    )
    for name in ("http_proxy", "https_proxy"):
        pc.machine.registry.view("student").set("HKCU\\Environment", name, "http://127.0.0.1:7890")
    pc.in_linux("echo 'mei ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/mei")
    pc.in_linux(BY_HAND, "mei")
    yield pc
    pc.close()


def test_a_pc_where_the_tutorial_was_followed_by_hand_and_back(by_hand):
    pc = by_hand
    before = pc.in_linux(STATE).splitlines()
    code, said = pc.start(Yes=True, PackageIndex=INDEX)
    assert code == 0, said
    assert len(pc.machine.boots) == 1
    shown = pc.in_linux("docker run --rm --gpus all ubuntu:24.04 nvidia-smi", "mei")
    assert "NVIDIA GeForce RTX 4090" in shown
    assert "hello-world" in pc.in_linux("docker image ls", "mei")
    code, said = pc.start()
    assert code == 0, said
    assert changes(pc) == [("pc", "0"), ("pc-wsl", "0")]
    code, said = pc.start(Remove=True, Yes=True)
    assert code == 0, said
    after = pc.in_linux(STATE).splitlines()
    assert [line for line in before if line not in after] == []
    # Python's venv was fetched for Ansible; its packages are Ubuntu's.
    assert [line for line in after if line not in before and not line.startswith("python3")] == []
    assert "hello-world" in pc.in_linux("docker image ls", "mei")


def changes(pc: WholePc) -> list[tuple[str, str]]:
    """What Ansible has changed on each host in its last run, by its log."""
    log = pc.in_linux("cat /opt/wsl-dl-playbook/site.log")
    return re.findall(r"\| (pc\S*) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0", log)[-2:]


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
