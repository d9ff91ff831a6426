"""playbooks/preflight.yml: every refusal of every role is in its report.

The real playbooks and plugins run against a copy of the roles. In the copy a role's preflight looks at nothing: it
goes straight to its tasks that refuse, each on a host of its own, and each check of its tables refuses with a word of
its own.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from tests.unit.test_check_values import WINDOWS
from tests.unit.test_roles import ROLES, _Loader

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "playbooks" / "files" / "preflight.schema.json").read_text())
SAYS_NO = "ansible.builtin.fail"
INCLUDES = ("ansible.builtin.include_tasks", "ansible.builtin.import_tasks")
ASKED = [role for role in ROLES if role != "room_cache"]
"""The roles of the report; the cache is no PC, and has a playbook of its own."""
STUBS = {"cuda_windows": {"__cuda_windows_there": False}}
"""What a role's list of refusals asks, and what is no list of refusals itself."""


class Copy:
    """The repository's playbooks with roles that refuse everything they can."""

    def __init__(self, root: Path) -> None:
        self.root, self.words, self.stages = root, set(), 0
        for name in ("playbooks", "plugins", "roles"):
            shutil.copytree(ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("ansible.cfg", "pins.json"):
            shutil.copy(ROOT / name, root)
        for role in ASKED:
            self.refuse(role)
        refusal = {
            "ansible.builtin.fail": {"msg": self.word("apt", "task", 0)},
            "when": "inventory_hostname == 'pc0-wsl'",
        }
        apt = [{"name": "Refuse an apt that cannot work"} | refusal]
        (root / "playbooks" / "tasks" / "apt.yml").write_text(yaml.safe_dump(apt))

    def word(self, *parts: object) -> str:
        """Return a word for a refusal, which the report must have."""
        self.words.add(word := f"<{'/'.join(map(str, parts))}>")
        return word

    def refuse(self, role: str) -> None:
        """Let a role refuse: tables in vars, single tasks in preflight.yml."""
        folder = self.root / "roles" / role
        constants = yaml.load((folder / "vars" / "main.yml").read_text(), _Loader)
        tables = [name for name, value in constants.items() if name.endswith("_checks") and isinstance(value, list)]
        for name in tables:
            for number, check in enumerate(constants[name]):
                of_value = "option" in check
                where = "is match('values')" if of_value else "is not match('values')"
                said = {"refuse": f"{{{{ inventory_hostname {where} }}}}", "because": self.word(role, name, number)}
                constants[name][number] = said | ({"option": check["option"]} if of_value else {}) | {"always": True}
        for name in set(re.findall(r"__\w+", str(constants.get(f"__{role}_refusals")))) - {
            *tables,
            *STUBS.get(role, {}),
        }:
            constants[name] = [self.word(role, name)]  # a list of refusals that something else has made
        tasks = []
        for stage, task in enumerate(self.refusing(folder / "tasks", "preflight.yml")):
            self.stages = max(self.stages, stage + 1)
            said = task[SAYS_NO]
            conditions = task.get("when", [])
            conditions = [conditions] if isinstance(conditions, str) else conditions
            lists = [found[1] for one in conditions if (found := re.match(r"(__\w+) \| length > 0$", one))]
            if lists and not any(table in str(constants[lists[0]]) for table in tables):
                word = self.word(role, lists[0])
                constants[lists[0]] = [{"text": word} if "attribute='text'" in said["msg"] else word]
            elif not lists:
                said = {"msg": self.word(role, "task", stage)}
            when = [f"inventory_hostname is match('pc{stage}(-|$)')", *(f"{name} | length > 0" for name in lists)]
            tasks.append({"name": task["name"], SAYS_NO: said, "when": when})
        constants |= STUBS.get(role, {})
        (folder / "vars" / "main.yml").write_text(yaml.safe_dump(constants))
        (folder / "tasks" / "preflight.yml").write_text(yaml.safe_dump(tasks))
        if (folder / "tasks" / "facts.yml").exists():
            (folder / "tasks" / "facts.yml").write_text("[]\n")

    def refusing(self, folder: Path, file: str) -> list[dict]:
        """Return the tasks of a file, and of those that it includes, that can refuse."""
        found, waiting = [], list(yaml.load((folder / file).read_text(), _Loader) or [])
        while waiting:
            task = waiting.pop(0)
            waiting = [*task.get("block", []), *task.get("rescue", []), *waiting]
            found += [task] if SAYS_NO in task else []
            for include in INCLUDES:
                other = task.get(include)
                other = other.get("file") if isinstance(other, dict) else other
                if other and "{{" not in other:
                    waiting = [*yaml.load((folder / other).read_text(), _Loader), *waiting]
        return found

    def play(self) -> tuple[dict, str]:
        """Run the preflight; return its report and what it said."""
        here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable, "ansible_become": False}
        names = ["values", *(f"pc{stage}" for stage in range(self.stages))]
        groups = {
            "windows": {"hosts": dict.fromkeys(names)},
            "wsl": {"hosts": dict.fromkeys(f"{n}-wsl" for n in names)},
        }
        (self.root / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": here, "children": groups}}))
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", "-i", "hosts.yml", "playbooks/preflight.yml", "-f", "2"],
            cwd=self.root,
            env=environment | {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(self.root / "ansible.cfg")},
            capture_output=True,
            text=True,
            timeout=500,
        )
        assert done.returncode == 2, done.stdout + done.stderr
        return json.loads((self.root / "reports" / "preflight.json").read_text()), done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    copied = Copy(tmp_path_factory.mktemp("copy"))
    copied.report, copied.said = copied.play()
    return copied


def test_every_role_has_something_that_it_refuses(copy):
    assert sorted({word[1:].split("/")[0] for word in copy.words}) == sorted([*ASKED, "apt"])
    assert len(copy.words) > 150


def test_every_refusal_of_every_role_is_a_finding_of_the_report(copy):
    told = {finding["message"] for finding in copy.report["findings"]}
    assert sorted(copy.words - told) == []


def test_the_report_is_as_its_schema_says(copy):
    jsonschema.validate(copy.report, SCHEMA)
    assert copy.report["stops"] is True
    stopped = {finding["host"] for finding in copy.report["findings"]}
    assert {host["host"]: host["state"] for host in copy.report["hosts"]} == {
        host["host"]: "stop" if host["host"] in stopped else "ok" for host in copy.report["hosts"]
    }


def test_a_finding_says_host_role_and_whether_it_is_a_value(copy):
    for finding in copy.report["findings"]:
        role, half = finding["role"], "-wsl" if finding["host"].endswith("-wsl") else ""
        assert finding["message"].startswith(f"<{role}/"), finding
        assert (role in WINDOWS) == (half == ""), finding
        assert (finding["kind"] == "value") == (finding["variable"] is not None) == (finding["host"] == f"values{half}")


def test_the_output_says_where_the_report_is_and_has_every_line(copy):
    said = " ".join(copy.said.split())
    assert f"{copy.root}/reports/preflight.json the same as JSON. Nothing was changed." in said
    assert [word for word in sorted(copy.words) if word not in said] == []


def test_a_machine_that_is_ready_and_one_that_comes_later_are_as_the_schema_says():
    import ansible.plugins.loader as plugins

    report = plugins.filter_loader.get("preflight_report").j2_function
    reached = {"ansible_facts": {}}
    known = {
        "pc": {"preflight_reached": reached, "value_check": {"findings": []}},
        "pc-wsl": {"preflight_reached": {"unreachable": True, "msg": "no"}, "windows_host": "pc"},
        "off": {"preflight_reached": {"unreachable": True, "msg": "ntlm: the specified credentials were rejected"}},
    }
    told = report(known, ["pc-wsl", "pc", "off"], ["pc-wsl"])
    jsonschema.validate(told, SCHEMA)
    assert told["hosts"] == [
        {"host": "off", "state": "stop"},
        {"host": "pc", "state": "ok"},
        {"host": "pc-wsl", "state": "later"},
    ]
    (finding,) = told["findings"]
    assert (finding["kind"], finding["host"]) == ("unreachable", "off")
    assert report({"pc": known["pc"]}, ["pc"], [])["stops"] is False
