"""bootstrap/install.sh, what Install.ps1 does inside the distribution; apt, pip, Ansible write down their calls."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.bootstrap.distribution import PYTHON, RECORD, ROOT


def test_the_copy_is_a_repository_that_ansible_reads(copied):
    code = copied.base / "code"
    names = subprocess.run(["git", "ls-files", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    links = [line.split("\t")[1] for line in names.splitlines() if line.startswith("120000")]
    assert len(links) > 20
    assert [name for name in links if not (code / name).is_symlink()] == []
    written = [path for path in code.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert written == []  # Ansible ignores the ansible.cfg of a folder that anybody may write
    assert not (code / "inventory" / "hosts.yml").is_file() and (code / "ansible.cfg").is_file()
    copied.run("settings", "proxy_port=7897", "wsl_user=mei")
    program = str(Path(sys.executable).parent / "ansible-inventory")
    argv = [program, "-i", "inventory/mine", "--host", "pc"]
    done = subprocess.run(argv, cwd=code, capture_output=True, text=True, timeout=120, check=True)
    values = json.loads(done.stdout)
    assert (values["windows_connection"], values["proxy_port"], values["wsl_user"]) == ("wsl_interop", 7897, "mei")


def test_the_site_accepts_the_settings(copied):
    words = ["wsl_distribution=Ubuntu-24.04", "wsl_user=mei", "wsl_networking_mode=nat", "proxy_state=present"]
    words += ["proxy_port=7890", "visual_studio_state=ignore", "cuda_windows_state=ignore"]
    copied.run("settings", *words)
    copied.run("password", text="x\n")
    program = str(Path(sys.executable).parent / "ansible-playbook")
    argv = [program, "-i", "inventory/mine", "playbooks/values_check.yml"]
    environment = {**os.environ, "USER": "root", "WSL_DISTRO_NAME": "Ubuntu-24.04"}
    done = subprocess.run(
        argv, cwd=copied.base / "code", env=environment, capture_output=True, text=True, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_copy_keeps_the_settings_and_leaves_nothing_behind(copied):
    with (copied.base / "settings.yml").open("a") as file:
        file.write("mine: 1\n")
    (copied.base / "code").rename(copied.base / "code.old")  # killed between the two steps of the exchange
    (copied.base / "code.new").mkdir()
    (copied.zip / "Makefile").unlink()
    copied.run("copy", cwd=copied.zip)
    assert copied.settings["mine"] == 1
    assert not (copied.base / "code" / "Makefile").exists()
    assert sorted(path.name for path in copied.base.iterdir()) == ["code", "settings.yml"]


def test_settings_of_an_earlier_version_get_their_names_of_now(copied):
    settings = copied.base / "settings.yml"
    with settings.open("a") as file:
        file.write("wsl_enable_user_password_hash: '$6$a$b'\nwsl_enable_keepalive_at: logon # for WSLg\n")
        file.write("wsl_enable_distribution: Ubuntu\nwsl_enable_memory: 8GB\n# wsl_enable_user: mei\n")
    settings.chmod(0o600)
    copied.run("copy", cwd=copied.zip)
    lines = settings.read_text().splitlines()[-5:]
    assert lines == [
        "wsl_distribution_user_password_hash: '$6$a$b'",
        "wsl_distribution_keepalive_at: logon # for WSLg",
        "wsl_distribution_name: Ubuntu",
        "wsl_enable_memory: 8GB",
        "# wsl_enable_user: mei",
    ]
    assert settings.stat().st_mode & 0o777 == 0o600


def test_another_folder_is_refused(distribution, tmp_path):
    assert "is not the folder of the unpacked ZIP." in distribution.run("copy", cwd=tmp_path, rc=1)
    assert not distribution.base.exists()


def test_settings_replace_one_line_and_leave_the_others(copied):
    before = copied.settings
    copied.run("settings", "proxy_port=1080", "visual_studio_state=ignore", "proxy_port=1081")
    changed = {"proxy_port": 1081, "visual_studio_state": "ignore"}
    assert copied.settings == before | changed
    assert (copied.base / "settings.yml").stat().st_mode & 0o777 == 0o600
    assert "# the proxy program" not in (copied.base / "settings.yml").read_text()
    assert "# your Linux user" in (copied.base / "settings.yml").read_text()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
def test_a_password_becomes_a_hash(copied):
    copied.run("password", text="Gehe!m 密码\r\n")
    known = copied.settings["wsl_distribution_user_password_hash"]
    salt = known.split("$")[2]
    argv = ["openssl", "passwd", "-6", "-salt", salt, "Gehe!m 密码"]
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip() == known


def test_ansible_is_installed_once_through_the_proxy(copied, port):
    copied.run("python", port, "https://index.example/simple")
    pip, where = copied.log.read_text().splitlines()
    head = f"{copied.base}/venv/bin/pip install --disable-pip-version-check --retries 10 --index-url "
    assert pip.startswith(f"{head}https://index.example/simple -r ")
    assert f"proxy=http://127.0.0.1:{port} " in where
    wanted = (copied.base / "venv" / "wanted.txt").read_text()
    assert "ansible-core==" in wanted and "molecule" not in wanted and "ansible-lint" not in wanted
    copied.run("python", port, "https://index.example/simple")
    assert len(copied.log.read_text().splitlines()) == 2
    copied.run("python", port, "-")
    assert "--index-url" not in copied.log.read_text().splitlines()[2]
    (copied.base / "venv" / ".installed").unlink()  # broken off in the middle of pip
    copied.run("python", port, "-")
    assert len(copied.log.read_text().splitlines()) == 6


def test_a_python_that_is_too_old_gets_a_newer_one_beside_it(copied):
    copied.program("python3", "#!/bin/sh\nexit 1\n")
    copied.program("python3.11", PYTHON)
    copied.program("recorder", RECORD + "case $0 in */pip) cp {folder}/recorder ${0%/*}/ansible-galaxy ;; esac\n")
    copied.run("python", "0", "-")
    lines = copied.log.read_text().splitlines()[::2]
    assert [line.rpartition(" -o ")[2] for line in lines[:2]] == [
        "Acquire::Retries=3 update",
        "Acquire::Retries=3 install -y python3.11 python3.11-venv",
    ]
    assert "proxy= " in copied.log.read_text().splitlines()[1]
    assert lines[-1].endswith("/ansible-galaxy collection install ansible.windows:>=3.4,<4")


def test_a_proxy_that_does_not_answer_is_said_with_what_to_do(copied, port):
    said = copied.run("python", "1", "-", rc=1)
    assert 'The proxy at 127.0.0.1:1 does not answer here. Switch on "Allow LAN" in the proxy program;' in said
    assert not copied.log.exists()


def test_ansible_runs_as_root_in_the_copy(copied, port):
    copied.run("python", "0", "-")
    copied.log.unlink()
    copied.run("run", "site", port)
    line, where = copied.log.read_text().splitlines()
    assert line == f"{copied.base}/venv/bin/ansible-playbook -i inventory/mine playbooks/site.yml"
    assert where == f"cwd={copied.base}/code proxy=http://127.0.0.1:{port} user=root"


@pytest.mark.parametrize(
    ("windows", "shell", "language"),
    [("zh", "en_US.UTF-8", "zh"), ("en", "zh_CN.UTF-8", "en"), ("", "zh_CN.UTF-8", "zh"), ("", "de_DE.UTF-8", "en")],
)
def test_the_site_speaks_as_windows_does_in_one_line_a_role(distribution, windows, shell, language):
    distribution.unpack()
    distribution.run("copy", *filter(None, [windows]), cwd=distribution.zip)
    lines = "${ANSIBLE_STDOUT_CALLBACK:-} ${ANSIBLE_PROGRESS_LANGUAGE:-} ${ANSIBLE_LOG_PATH:-}"
    distribution.program("recorder", f'#!/bin/sh\nprintf \'%s\\n\' "{lines} $*" >>"{{log}}"\n')
    distribution.run("python", "0", "-")
    distribution.run("run", "site", "0", "--tags", "docker_proxy", LANG=shell)
    log = f"{distribution.base}/site.log"
    said = f"role_lines {language} {log} -i inventory/mine playbooks/site.yml --tags docker_proxy"
    assert distribution.log.read_text().splitlines()[-1] == said


def test_the_proof_is_nvidia_smi_in_a_container(copied):
    copied.program("su", RECORD)
    copied.run("proof", "mei")
    line = copied.log.read_text().splitlines()[0]
    assert line.endswith("/su - mei -c docker run --rm --gpus all ubuntu:24.04 nvidia-smi")


def test_forget_leaves_nothing(copied):
    copied.run("forget")
    assert not copied.base.exists()


def test_an_unknown_word(distribution):
    assert "unknown word explode" in distribution.run("explode", rc=1)
