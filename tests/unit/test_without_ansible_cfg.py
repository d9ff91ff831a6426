"""In a folder that everybody may write to, such as /mnt/c, Ansible ignores ansible.cfg; the playbooks do without."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.awx_api import NEEDS_COLLECTION

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).parent / "ansible-playbook"
PLAYBOOKS = [
    pytest.param(name, marks=NEEDS_COLLECTION) if name == "awx.yml" else name
    for name in sorted(path.name for path in (ROOT / "playbooks").glob("*.yml"))
]
HOSTS = """
all:
  children:
    windows: {hosts: {pc: {ansible_connection: winrm}}}
    wsl: {hosts: {pc-wsl: {ansible_connection: wsl_winrm, ansible_wsl_distribution: Ubuntu-24.04}}}
  vars:
    {ansible_host: 127.0.0.1, ansible_winrm_port: 1, ansible_port: 1, ansible_winrm_transport: ntlm, windows_host: pc,
     ansible_user: me, ansible_winrm_user: me, ansible_password: x, ansible_winrm_password: x}
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """Return the repository, as far as it ships to users, in a folder that everybody may write to."""
    root = tmp_path_factory.mktemp("mnt") / "c"
    for name in ("inventory", "playbooks", "plugins", "roles"):
        shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("ansible.cfg", "pins.json"):
        shutil.copy(ROOT / name, root)
    for path in [root, *root.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o777)
    return root


def play(folder: Path, *words: str | Path) -> subprocess.CompletedProcess:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return subprocess.run(
        [PROGRAM, *words],
        cwd=folder,
        env=environment | {"ANSIBLE_NOCOLOR": "1", "COLUMNS": "200"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize("playbook", PLAYBOOKS)
@pytest.mark.parametrize("folder", [".", "playbooks"])
def test_a_playbook_finds_its_roles_and_modules(copy, folder, playbook):
    path = (copy / "playbooks" / playbook).relative_to((copy / folder).resolve())
    done = play(copy / folder, "-i", copy / "inventory" / "workstation", path, "--syntax-check")
    assert done.returncode == 0, done.stderr
    assert ("world writable" in " ".join(done.stderr.split())) == (folder == ".")


def test_connections_filters_and_templates_are_found(copy):
    (copy / "hosts.yml").write_text(HOSTS)
    done = play(copy, "-i", "hosts.yml", "playbooks/preflight.yml")
    assert done.returncode == 2, done.stdout + done.stderr
    table = [line.strip().strip('",') for line in done.stdout.splitlines() if " STOP " in line]
    text = " ".join(table)
    assert "pc " in text
    assert "pc-wsl " in text
    assert text.count("STOP  Nothing answers at the address of the PC") == 2, done.stdout


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_without_an_inventory_one_sentence_says_what_to_do(copy, playbook):
    done = play(copy, f"playbooks/{playbook}", "--tags", "docker_proxy")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'there is no machine to set up. Say "-i inventory/mine" for your own PC.' in done.stderr


def test_each_folder_of_plugins_is_found_beside_the_playbooks():
    beside = {
        path.resolve().name for path in (ROOT / "playbooks").iterdir() if path.resolve().parent == ROOT / "plugins"
    }
    assert beside == {path.name for path in (ROOT / "plugins").iterdir() if path.is_dir() and path.name[0] != "_"}
