"""AWX as code: playbooks/awx.yml against a stand-in for AWX's API (awx_api.py) and its modules' documentation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.awx_api import NEEDS_COLLECTION, running

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
pytestmark = NEEDS_COLLECTION
SECRETS = {"windows_password": "Pa55-of-the-room", "wsl_distribution_user_password_hash": "$6$salt$hash"}


def play(url: str, *arguments: str, token: str = "t0ken", secrets: dict[str, str] = SECRETS) -> tuple[int, str, dict]:
    """Run the playbook; return its exit code, what it said, and the recap of localhost."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("CONTROLLER_", "TOWER_"))}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json"}
    environment |= {"CONTROLLER_HOST": url, "CONTROLLER_OAUTH_TOKEN": token, "no_proxy": "127.0.0.1"}
    argv = [str(BIN / "ansible-playbook"), "-i", "inventory/fleet", "playbooks/awx.yml", "-vvv"]
    argv += ["-e", json.dumps(secrets), *arguments]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=180, check=False)
    said = done.stdout + done.stderr
    found = json.loads(done.stdout[done.stdout.index('{\n    "custom_stats"') :].rpartition("}")[0] + "}")
    return done.returncode, said, found["stats"]["localhost"]


@pytest.fixture(scope="module")
def awx():
    """An AWX in which the playbook has been played twice; ``runs`` has what came of it."""
    with running() as awx:
        awx.runs = [play(awx.url), play(awx.url)]
        yield awx


def named(awx, kind: str) -> list[str]:
    return [one["name"] for one in awx.objects[kind]]


def test_the_first_run_makes_everything_and_the_second_changes_nothing(awx):
    assert awx.unknown == []
    assert [(code, recap["changed"], recap["failures"]) for code, _, recap in awx.runs] == [(0, 8, 0), (0, 0, 0)]
    assert {kind: named(awx, kind) for kind in awx.objects} == {
        "organizations": ["Workstations"],
        "execution_environments": ["Workstations"],
        "projects": ["Workstations"],
        "credential_types": ["Accounts of workstations"],
        "credentials": ["Accounts of workstations"],
        "inventories": ["Workstations"],
        "inventory_sources": ["inventory/fleet/hosts.yml"],
        "job_templates": ["Look at the PCs", "Set the PCs up", "Take the PCs back"],
    }
    assert awx.tokens == {"Bearer t0ken"}


def test_the_templates_ask_for_limit_and_forks_and_are_not_sliced(awx):
    templates = {one["playbook"]: one for one in awx.objects["job_templates"]}
    assert list(templates) == ["playbooks/preflight.yml", "playbooks/site.yml", "playbooks/remove.yml"]
    wanted = {"ask_limit_on_launch": True, "ask_forks_on_launch": True, "forks": 50, "job_slice_count": 1}
    for one in templates.values():
        assert {name: one[name] for name in wanted} == wanted
        assert awx.related[str(one["id"])] == [{"id": awx.objects["credentials"][0]["id"]}]
        assert one["inventory"] == awx.objects["inventories"][0]["id"]
    site = templates["playbooks/site.yml"]
    assert [one["survey_enabled"] for one in templates.values()] == [False, True, False]
    assert {number: [one["variable"] for one in survey["spec"]] for number, survey in awx.surveys.items()} == {
        str(site["id"]): ["proxy_state", "wsl_enable_restart"]
    }


def test_the_inventory_is_the_file_in_the_project(awx):
    (source,) = awx.objects["inventory_sources"]
    assert (source["source"], source["source_path"]) == ("scm", "inventory/fleet/hosts.yml")
    assert source["source_project"] == awx.objects["projects"][0]["id"]
    assert (ROOT / source["source_path"]).is_file()


def test_the_passwords_arrive_as_they_are_and_are_not_shown(awx):
    assert awx.objects["credentials"][0]["inputs"] == {
        "windows_password": "Pa55-of-the-room",
        "linux_hash": "$6$salt$hash",
    }
    for _, said, _ in awx.runs:
        task = said[said.index("Keep the passwords") : said.index("Make the inventory")]
        assert "Pa55-of-the-room" not in task
        assert "t0ken" not in task


def test_the_injectors_are_left_for_awx_to_fill_in(awx):
    assert awx.objects["credential_types"][0]["injectors"] == {
        "extra_vars": {
            "windows_password": "{{ windows_password }}",
            "wsl_distribution_user_password_hash": "{{ linux_hash }}",
        }
    }


def test_what_somebody_changed_in_awx_is_put_right_and_a_new_password_on_request(awx):
    awx.objects["job_templates"][1]["job_slice_count"] = 4
    fresh = SECRETS | {"windows_password": "an0ther"}
    code, _, recap = play(awx.url, secrets=fresh)
    assert (code, recap["changed"], awx.objects["job_templates"][1]["job_slice_count"]) == (0, 1, 1)
    assert awx.objects["credentials"][0]["inputs"]["windows_password"] == "Pa55-of-the-room"
    code, _, recap = play(awx.url, "-e", "awx_update_secrets=true", secrets=fresh)
    assert (code, recap["changed"]) == (0, 1)
    assert awx.objects["credentials"][0]["inputs"]["windows_password"] == "an0ther"


@pytest.mark.parametrize(
    ("url", "token", "secrets", "message"),
    [
        ("", "t0ken", SECRETS, "AWX's address or a token is missing. Set both in the environment: CONTROLLER_HOST="),
        ("http://127.0.0.1:1", "", SECRETS, "AWX's address or a token is missing."),
        ("http://127.0.0.1:1", "t0ken", {}, "The password of windows_user is missing. Give the fleet's vault"),
    ],
    ids=["address", "token", "password"],
)
def test_what_is_missing_is_named(url, token, secrets, message):
    code, said, recap = play(url, token=token, secrets=secrets)
    assert (code, recap["failures"], recap["changed"]) == (2, 1, 0)
    assert message in said


def test_each_option_is_one_of_its_module():
    (tasks,) = (one["tasks"] for one in yaml.safe_load((ROOT / "playbooks" / "awx.yml").read_text()))
    used = {name: task[name] for task in tasks for name in task if name.startswith("awx.awx.")}
    assert len(used) == 8
    argv = [str(BIN / "ansible-doc"), "--type", "module", "--json", *used]
    known = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout)
    for name, options in used.items():
        documented = known[name]["doc"]["options"]
        assert set(options) - set(documented) == set(), name
        assert {option for option, one in documented.items() if one.get("required")} - set(options) == set(), name
        for option, value in options.items():
            choices = documented[option].get("choices")
            assert not choices or value in choices, f"{name}: {option}"
