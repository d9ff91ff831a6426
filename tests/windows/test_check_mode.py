"""--check on a bare and on a finished PC: it changes nothing, and foresees what a changed setting would change."""

from __future__ import annotations

import json

import pytest

from lab.compare import differences
from tests.changes import changed


@pytest.mark.parametrize("machine", ["windows11-zh-cn", pytest.param("already-done", marks=pytest.mark.campaign)])
def test_check_mode_ends_well_and_changes_nothing(new_pc, machine):
    pc = new_pc(machine)
    before = pc.state()
    run = pc.play("--check", "--diff")
    assert run.code == 0, run.output[-4000:]
    assert differences(pc.state(), before) == []
    assert pc.events("request", "boot") == []


SETTINGS = {
    "an address without the proxy": {"windows_proxy_no_proxy": ["localhost", "127.0.0.1", "::1", "nas.lan"]},
    "another update of CUDA": {
        "cuda_windows_version": "13.4.2",
        "cuda_windows_checksum": "md5:3f1c5d7e9a2b4c6d8e0f1a3b5c7d9e05",
    },
    "memory for WSL": {"wsl_enable_memory": "12GB"},
    "another network": {"wsl_networking_mode": "mirrored"},
}
TASKS = {
    "an address without the proxy": ["windows_proxy : environment_level | Set the variables"],
    "another update of CUDA": [
        "cuda_windows : download | Begin to fetch the installer",
        "cuda_windows : uninstall | Uninstall the toolkit",
        "cuda_windows : install | Note that the installation is the role's own",
        "cuda_windows : install | Install the toolkit",
        "cuda_windows : present | Remove the installer",
    ],
    "memory for WSL": ["wsl_enable : wslconfig | Write .wslconfig", "wsl_distribution : shutdown | Stop WSL"],
    "another network": ["windows_proxy : firewall | Let WSL reach the proxy"],
}
WITHOUT_CUDA = [
    {"name": "windows-terminal"},
    {"name": "visual-studio", "major": "17", "product": "community"},
    {"name": "wsl"},
    {"name": "distribution", "distribution": "Ubuntu-24.04", "version": "24.04", "default_user": "student"},
]


@pytest.fixture(scope="module")
def both(new_pc):
    """Return what --check foresaw for all the settings on a finished PC, and what the run did."""
    pc = new_pc("already-done", installed=WITHOUT_CUDA)
    first = pc.play()
    assert first.code == 0, first.output[-4000:]
    asked = ["-e", json.dumps({name: value for setting in SETTINGS.values() for name, value in setting.items()})]
    foreseen, done = pc.play("--check", *asked), pc.play(*asked)
    assert foreseen.code == 0, foreseen.output[-4000:]
    assert done.code == 0, done.output[-4000:]
    return changed(foreseen.output), changed(done.output)


@pytest.mark.xdist_group("changes")
def test_the_same_tasks_say_changed(both):
    assert both[0] == both[1]


@pytest.mark.xdist_group("changes")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_setting_is_changed_by_its_tasks(both, setting):
    assert set(TASKS[setting]) <= set(both[0]) & set(both[1])
