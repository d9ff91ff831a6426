"""The fault campaign's own logic: what it demands of a run, and which cases follow each other on one machine."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.cases import Case, chains, made, written
from tests.faults.machines import Outcome
from tests.faults.matrix import matrix

ROOT = Path(__file__).resolve().parents[2]


def outcome(code=2, message="", injected=False):
    events = [{"event": "failed", "task": "t", "changed": False, "message": message}] if message else []
    return Outcome(code, [{"event": "injected", "task": "t", "changed": False}] * injected + events, "")


def case(**fields):
    return Case(**{"name": "a", "side": "wsl", "cause": "disk", "remedy": "again", **fields})


def test_the_written_cases_are_complete():
    cases = written()
    assert len(cases) >= 40
    assert len({one.name for one in cases}) == len(cases)
    assert [one.name for one in cases if not one.survives and not (one.cause and one.remedy)] == []
    assert [one.name for one in cases if not one.do and not one.settings] == []
    assert [one.name for one in cases if any("winsim" in action for action in one.do) and not one.recover] == []


@pytest.mark.parametrize(
    ("fields", "first", "complaint"),
    [
        ({}, outcome(message="the disk is full\nrun again"), ""),
        ({}, outcome(message="oops\nthe disk is full, run again"), "does not name the cause"),
        ({}, outcome(message="the disk is full"), "does not name the remedy"),
        ({"names": ["one", "two"]}, outcome(message="disk one, again"), "does not name ['two']"),
        ({}, outcome(code=0), "the run should have failed"),
        ({}, outcome(code=None), "the run hangs"),
        ({"at": "t"}, outcome(message="disk, again"), "the task was not reached"),
        ({"at": "t"}, outcome(message="disk, again", injected=True), ""),
        ({"survives": True}, outcome(message="disk, again"), "should have ended well"),
        ({"survives": True}, outcome(code=0), ""),
        ({"survives": True, "names": ["goes on"]}, outcome(code=0), "does not say ['goes on']"),
        ({"at": "t", "kind": "killed"}, outcome(code=-9, injected=True), ""),
        ({"at": "t", "kind": "lost"}, outcome(code=0, injected=True), ""),
    ],
)
def test_what_a_disturbed_run_must_show(fields, first, complaint):
    found = case(**fields).faults(first)
    assert (complaint in found[0]) if complaint else found == []


def test_a_fault_that_met_nothing_is_tried_on_a_machine_of_its_own():
    assert not case(at="t").met(outcome(code=0))
    assert not case().met(outcome(code=0))
    assert case().met(outcome(message="disk, again"))
    assert case(survives=True).met(outcome(code=0))
    assert case(survives=True, names=["goes on"]).met(Outcome(0, [], "it\n goes on"))
    assert not case(survives=True, names=["goes on"]).met(Outcome(0, [], "nothing to do"))


def test_cases_of_one_side_follow_each_other_and_what_survives_comes_last():
    cases = [case(name="s", survives=True), *(case(name=str(number)) for number in range(13))]
    cases += [case(name="w", side="windows"), case(name="k", kind="killed", at="t"), case(name="f", fetched=["a/*"])]
    rows = [[one.name for one in row] for row in chains(cases, apart=False)]
    assert rows == [[str(number) for number in range(12)], ["12", "s"], ["w"], ["f"], ["k"]]
    assert [len(row) for row in chains(cases, apart=True)] == [1] * 17


def test_each_task_that_changes_something_is_cut_in_turns():
    tasks = {"one": 1, "two": 1, "three": 2, "four": 1}
    assert [(one.at, one.kind) for one in made("wsl", tasks, everything=False)] == [
        ("one", "lost"),
        ("two", "killed"),
        ("three", "restarted"),
        ("four", "lost"),
    ]
    assert len(made("wsl", tasks, everything=True)) == 12


def test_the_matrix_counts_what_is_not_as_it_should_be():
    rows = {
        "wsl: a": {"bad": False, "chain": "faults-0", "first": "error 2", "error": "the disk | is full"},
        "wsl: b : c | d": {"bad": True, "chain": "faults-0", "first": "error 2", "error": "oops"},
        "wsl: c": {"bad": False, "chain": "faults-1", "first": "killed", "error": ""},
        "windows: d": {"bad": True},  # its machine did not start
    }
    ends = {"faults-0": ["ok", 0, False], "faults-1": ["ok", 1, True]}
    assert matrix(rows, ends, 120.0).splitlines()[2:] == [
        "| windows | d | ? |  | ? | ? |",
        "| wsl | a | error 2 | the disk \\| is full | ok | no |",
        "| wsl | b : c \\| d | error 2 | oops | ok | no |",
        "| wsl | c | killed |  | ok | 1 |",
        "",
        "4 cases in 2 min, 1 as they should be, 3 not.",
    ]


@pytest.mark.parametrize(("code", "word"), [(0, "ok"), (2, "error 2"), (-9, "killed"), (None, "hangs")])
def test_how_a_run_ended(code, word):
    assert outcome(code=code).word == word


def task_names():
    """Return the names of all tasks of roles and halves, as expressions in which a template stands for anything."""
    found = {
        name for path in ROOT.glob("playbooks/tasks/*.yml")
        for name in re.findall(r"^ *- name: (.*)$", path.read_text(), re.MULTILINE)
    }  # fmt: skip
    for path in ROOT.glob("roles/*/tasks/*.yml"):
        for name in re.findall(r"^ *- name: (.*)$", path.read_text(), re.MULTILINE):
            words = (re.escape(part) for part in re.split(r"{{.*?}}", name.strip("\"'")))
            found.add(f"{path.parent.parent.name} : {'.*'.join(words)}")
    return found


def test_each_case_injects_at_a_task_that_there_is():
    names = task_names()
    assert [one.at for one in written() if one.at and not any(re.fullmatch(n, one.at) for n in names)] == []


def test_a_task_that_was_skipped_met_nothing():
    injected = {"event": "injected", "task": "t", "changed": False}
    assert Outcome(2, [injected], "").injected
    assert not Outcome(2, [injected, {"event": "skipped", "task": "t", "changed": False}], "").injected


@pytest.mark.parametrize("start", [1, 2], ids=["first start", "second start, the first is skipped"])
def test_what_is_injected_meets_the_task_and_not_the_message_that_foresees_it(tmp_path, start):
    marker = tmp_path / "injected"
    skipped = [{"name": "t", "ansible.builtin.stat": {"path": str(marker)}, "when": False}] * (start - 1)
    play = [
        {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "tasks": [
                {"name": "t", "ansible.builtin.debug": {"msg": "would be done"}, "when": False},
                *skipped,
                {"name": "between", "ansible.builtin.stat": {"path": str(marker)}, "register": "between"},
                {
                    "name": "t",
                    "ansible.builtin.stat": {"path": str(marker)},
                    "register": "then",
                    "changed_when": True,
                },
                {
                    "name": "compare",
                    "ansible.builtin.assert": {"that": "then.stat.exists and not between.stat.exists"},
                },
            ],
        }
    ]
    (tmp_path / "play.yml").write_text(json.dumps(play))
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", "localhost,", tmp_path / "play.yml"],
        env={
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT}/plugins/callback:{ROOT}/tests/faults/callback",
            "ANSIBLE_CALLBACKS_ENABLED": "inject",
            "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
            "LAB_RECORD": str(tmp_path / "record.jsonl"),
            "LAB_INJECT": json.dumps({"task": "t", "start": start, "argv": ["touch", str(marker)]}),
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout
    events = [json.loads(line) for line in (tmp_path / "record.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events].count("injected") == 1
    assert "skipped" not in [event["event"] for event in events]
    assert Outcome(0, events, "").changed() == {"t": start}
