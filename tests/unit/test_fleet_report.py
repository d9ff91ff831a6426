"""The report of a fleet: a row a PC, from real runs on this machine under other names."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = """
- hosts: all
  gather_facts: false
  vars: {progress_next: [Nothing more.]}
  roles:
    - {role: first, when: not inventory_hostname is search('-wsl')}
    - {role: second, when: inventory_hostname is search('-wsl')}
"""
FIRST = """
- name: main | Reach it
  ansible.builtin.raw: "true"
  changed_when: false
- name: main | Fail where it is asked for
  ansible.builtin.fail: {msg: "The disk <C:> is full. Make room, then run again."}
  when: inventory_hostname == broken | default('')
- name: main | Do it
  ansible.builtin.debug: {msg: done}
  changed_when: true
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    for role, tasks in {"first": FIRST, "second": "- ansible.builtin.debug: {msg: done}"}.items():
        (tmp_path / "roles" / role / "tasks").mkdir(parents=True)
        (tmp_path / "roles" / role / "tasks" / "main.yml").write_text(tasks)
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    (tmp_path / "ask.yml").write_text(PLAYBOOK.replace("  vars: {progress_next: [Nothing more.]}\n", ""))
    return tmp_path


def run(folder: Path, *arguments: str, hosts: str = "pc1,pc1-wsl,pc2,pc2-wsl", playbook: str = "site.yml") -> Any:
    """Run the playbook; return the report, None where there is none."""
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_LOCALHOST_WARNING": "false"}
    environment |= {
        "ANSIBLE_CALLBACK_PLUGINS": str(ROOT / "plugins" / "callback"),
        "ANSIBLE_ROLES_PATH": str(folder / "roles"),
    }
    argv = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        f"{hosts},",
        "-c",
        "local",
        playbook,
        *arguments,
    ]
    done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert "SUMMARY" in done.stdout or playbook != "site.yml", done.stdout + done.stderr
    report = folder / "reports" / "fleet.json"
    return json.loads(report.read_text()) if report.exists() else None


def without_times(report: dict[str, Any]) -> list[dict[str, Any]]:
    return [{key: value for key, value in pc.items() if key not in ("since", "seen")} for pc in report["pcs"]]


def test_a_pc_that_fails_is_told_with_its_cause_before_those_that_are_done(folder):
    report = run(folder, "-e", "broken=pc2")
    stop = {"host": "pc2", "role": "first", "task": "first : Fail where it is asked for"}
    stop["message"] = "The disk <C:> is full. Make room, then run again."
    assert without_times(report) == [
        {"name": "pc2", "state": "failed", "stops": [stop], "roles": {"second": "already so"}},
        {"name": "pc1", "state": "done", "stops": [], "roles": {"first": "done", "second": "already so"}},
    ]
    page = (folder / "reports" / "fleet.html").read_text()
    assert "<h1>1 of 2 PCs done</h1>" in page
    assert '<span class="state failed">1 failed</span> <span class="state done">1 done</span> &ensp; written 20' in page
    assert (
        "<small>pc2 &middot; first : Fail where it is asked for</small>"
        "The disk &lt;C:&gt; is full. Make room, then run again.<td>" in page
    )
    assert re.search("<summary>2</summary>(first, second|second, first)</details>", page)  # the halves are at once
    assert len(re.findall("<tr><td>", page)) == 2


def test_since_when_it_is_so_stays_and_pcs_of_other_runs_stay(folder):
    file = folder / "reports" / "fleet.json"
    report = run(folder, "-e", "broken=pc2")
    for pc in report["pcs"]:
        pc["since"] = pc["seen"] = "2026-01-01T00:00:00+0000"
    file.write_text(json.dumps(report))
    again = {pc["name"]: pc for pc in run(folder, "-e", "broken=pc2", hosts="pc2,pc2-wsl,pc3,pc3-wsl")["pcs"]}
    assert (again["pc2"]["state"], again["pc2"]["since"]) == ("failed", "2026-01-01T00:00:00+0000")
    assert again["pc2"]["seen"] > "2026-01-01T00:00:00+0000"
    assert again["pc1"]["seen"] == "2026-01-01T00:00:00+0000"
    repaired = {pc["name"]: pc for pc in run(folder, hosts="pc2,pc2-wsl,pc3,pc3-wsl")["pcs"]}
    assert (repaired["pc2"]["state"], repaired["pc2"]["stops"]) == ("done", [])
    assert repaired["pc2"]["since"] > "2026-01-01T00:00:00+0000"
    assert list(repaired) == ["pc1", "pc2", "pc3"]


def test_nothing_is_written_for_one_pc_in_check_mode_or_where_a_playbook_only_looks(folder):
    assert run(folder, hosts="pc1,pc1-wsl") is None
    assert run(folder, "--check") is None
    assert run(folder, playbook="ask.yml") is None


def test_a_machine_that_is_not_reached_is_called_so(folder):
    (folder / "group_vars").mkdir()
    (folder / "host_vars").mkdir()
    (folder / "host_vars" / "pc2.yml").write_text("ansible_connection: ssh\nansible_host: 127.0.0.1\nansible_port: 1\n")
    (pc2, pc1) = run(folder, hosts="pc1,pc1-wsl,pc2,pc2-wsl", playbook="site.yml")["pcs"]
    assert (pc2["name"], pc2["state"], pc1["state"]) == ("pc2", "not reached", "done")


def test_the_example_has_every_state_and_its_picture_is_small():
    report = json.loads((ROOT / "docs" / "fleet-report.json").read_text())
    assert [pc["state"] for pc in report["pcs"]] == ["failed"] * 2 + ["not reached"] * 2 + ["paused"] + ["done"] * 7
    picture = (ROOT / "docs" / "fleet-report.png").read_bytes()
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    assert len(picture) < 200_000
