"""The whole way of the person at the PC, by the real Install.ps1, install.sh and Ansible, from a bare Windows."""

from __future__ import annotations

import re
import shutil

import pytest

from lab import engine
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
    log = engine.docker("exec", pc.container, "cat", "/opt/wsl-dl-playbook/site.log")
    recap = r"\| (pc\S*) +: ok=\d+ +changed=(\d+) +unreachable=0 +failed=0"
    assert re.findall(recap, log)[-2:] == [("pc", "0"), ("pc-wsl", "0")]
    assert "pc-wsl  无需改动    来自 Docker 官方软件源的 Docker Engine\n" in _plain(said)
    assert re.search(r"PLAY|TASK|已完成", said) is None
    code, said = pc.start(Remove=True, Yes=True)
    assert code == 0, said
    assert (wsl.distributions(pc.machine, "student"), pc.inside.names) == ([], {})
    assert pc.machine.registry.view("student").subkeys("HKCU\\Software") == bare
    assert wsl.package_version(pc.machine) is None


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
