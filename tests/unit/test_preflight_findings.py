"""What playbooks/tasks/preflight.yml notes of the roles that it asks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ASK = {"file": f"{ROOT}/playbooks/tasks/preflight.yml", "apply": {"tags": ["always"]}}


def test_what_two_roles_find_is_told_once(tmp_path):
    for role, refusals in {"one": ["A is. Do B.", "C."], "two": ["A is. Do B."], "three": ["C.", "D."]}.items():
        tasks = [{"ansible.builtin.fail": {"msg": "all of it"}, "when": f"__{role}_refusals | length > 0"}]
        for name, content in {"tasks/preflight.yml": tasks, "vars/main.yml": {f"__{role}_refusals": refusals}}.items():
            (tmp_path / role / name).parent.mkdir(parents=True)
            (tmp_path / role / name).write_text(yaml.safe_dump(content))
    broken = {"ansible.builtin.assert": {"that": False, "fail_msg": "It broke."}, "when": "__one_refusals | length > 0"}
    (tmp_path / "four" / "tasks").mkdir(parents=True)
    (tmp_path / "four" / "tasks" / "preflight.yml").write_text(yaml.safe_dump([broken]))
    tasks = [
        {
            "ansible.builtin.include_tasks": ASK,
            "loop": ["one", "two", "three", "four"],
            "loop_control": {"loop_var": "preflight_role"},
        },
        {"ansible.builtin.copy": {"content": "{{ preflight_findings | to_json }}", "dest": f"{tmp_path}/found"}},
    ]
    play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    settings = {"ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg", "ANSIBLE_ROLES_PATH": str(tmp_path)}
    done = subprocess.run(
        [
            "ansible-playbook",
            "-i",
            "localhost,",
            "-e",
            f"ansible_python_interpreter={sys.executable}",
            f"{tmp_path}/play.yml",
        ],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    found = json.loads((tmp_path / "found").read_text())
    assert [(one["role"], one["message"]) for one in found if one["role"] != "four"] == [
        ("one", "A is. Do B."),
        ("one", "C."),
        ("three", "D."),
    ]
    assert [one["message"] for one in found if one["role"] == "four"] == ["It broke."]
