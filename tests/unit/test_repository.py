"""Things that must agree across the repository."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from lab.settings import SUITES

ROOT = Path(__file__).resolve().parents[2]
COLLECTIONS = yaml.safe_load((ROOT / "collections" / "requirements.yml").read_text())["collections"]
FQCN = re.compile(r"\b((?:ansible|community|microsoft|awx)\.[a-z]+)\.[a-z_]+:")
OPTIONAL = {"awx.awx": "playbooks/awx.yml"}
"""Collections that the package "ansible" for the newest Python does not have, and the playbook that needs each."""


def installed_version(collection: str) -> str:
    """Return the version of a collection in the installed package "ansible"; an optional one may be missing from it."""
    namespace, name = collection.split(".")
    # Read as a file: importing ansible_collections would start Ansible's own loader.
    import ansible

    base = Path(ansible.__file__).parent.parent / "ansible_collections" / namespace / name / "MANIFEST.json"
    if collection in OPTIONAL and sys.version_info >= (3, 13) and not base.exists():
        pytest.skip(f'the package "ansible" for this Python has no {collection}')
    return yaml.safe_load(base.read_text())["collection_info"]["version"]


@pytest.mark.parametrize("entry", COLLECTIONS, ids=lambda entry: entry["name"])
def test_the_installed_collections_are_the_required_ones(entry):
    assert Version(installed_version(entry["name"])) in SpecifierSet(entry["version"])


def test_the_collections_in_use_are_the_required_ones():
    files = [path for part in ("roles", "playbooks", "inventory") for path in (ROOT / part).rglob("*.yml")]
    used = {match for path in files for match in FQCN.findall(path.read_text())} - {"ansible.builtin"}
    connection = re.findall(r"ansible_connection: (\w+\.\w+)\.", (ROOT / "inventory/lab/hosts.yml").read_text())
    assert used | set(connection) <= {entry["name"] for entry in COLLECTIONS}


def test_every_requirement_is_pinned_and_installed_as_pinned():
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        requirement = Requirement(line)
        assert [one.operator for one in requirement.specifier] == ["=="], line
        if requirement.marker is None or requirement.marker.evaluate():
            assert metadata.version(requirement.name) in requirement.specifier, line


def test_a_scenario_is_data_of_two_to_eleven_lines():
    sizes = {path.parent.name: len(path.read_text().splitlines()) for path in ROOT.glob("molecule/*/molecule.yml")}
    assert {name: size for name, size in sizes.items() if not 2 <= size <= 11} == {}


def test_ci_runs_the_scenarios_on_every_ubuntu():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert jobs["molecule"]["strategy"]["matrix"]["suite"] == list(SUITES)


@pytest.mark.parametrize("half", ["windows", "wsl"])
def test_each_role_is_tagged_with_its_name(half):
    text = (ROOT / "playbooks" / "tasks" / f"{half}_half.yml").read_text()
    applied = re.findall(r"import_role: \{name: (\w+)\}\n +tags: \[(.*)\]", text)
    assert applied and [tag for _, tag in applied] == [role for role, _ in applied]


@pytest.mark.parametrize("playbook", sorted(path.name for path in (ROOT / "playbooks").glob("*.yml")))
def test_a_playbook_has_valid_syntax(playbook):
    for collection in (name for name, needing in OPTIONAL.items() if needing == f"playbooks/{playbook}"):
        installed_version(collection)
    argv = [str(Path(sys.executable).parent / "ansible-playbook"), "--syntax-check", f"playbooks/{playbook}"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_execution_environment_has_the_pinned_versions():
    wanted = yaml.safe_load((ROOT / "execution-environment.yml").read_text())["dependencies"]
    lines = [wanted["ansible_runner"]["package_pip"], *wanted["python"]]
    pinned = (ROOT / "requirements.txt").read_text().splitlines()
    assert [line for line in lines if line not in pinned] == []
    assert wanted["ansible_core"]["package_pip"] == "ansible-core==2.21.*"
    assert "3.13 and newer -> core 2.21." in (ROOT / "requirements.txt").read_text()


def test_ansible_builder_accepts_the_execution_environment(tmp_path):
    program = str(Path(sys.executable).parent / "ansible-builder")
    done = subprocess.run([program, "create", "--context", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "_build" / "requirements.txt").read_text()
    assert "pywinrm==0.5.0" in made
    collections = (ROOT / "collections" / "requirements.yml").read_text()
    assert (tmp_path / "_build" / "requirements.yml").read_text() == collections


def test_on_ubuntu_2204_make_says_which_python_to_install(tmp_path):
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\n[ "$1" != --version ] || echo Python 3.10.12\nexit 1\n')
    python.chmod(0o755)
    argv = ["make", "--no-print-directory", "venv", f"PYTHON={python}", f"VENV={tmp_path}/venv"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode != 0
    assert "sudo apt install python3.11-venv, then PYTHON=python3.11" in done.stdout
    assert not (tmp_path / "venv").exists()
