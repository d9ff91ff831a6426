"""What playbooks/probe.yml asks, what stands in its report and what does not, and how that is compared."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest
import yaml
from ansible.plugins.loader import filter_loader, init_plugin_loader

from lab import claims, cli, probe

init_plugin_loader()
probe_report = filter_loader.get("probe_report").j2_function

ROOT = Path(__file__).resolve().parents[2]
QUESTIONS = yaml.safe_load((ROOT / "playbooks" / "vars" / "probe.yml").read_text(encoding="utf-8"))
ASKED = [question for kind in ("registry", "files", "commands") for question in QUESTIONS[f"probe_{kind}"]]
CODE = "non-zero return code"
IDS = [question["id"] for question in ASKED]
MADE = {"integrity-level", "logon-type"} | {
    f"fact-{name}"
    for name in ("architecture", "distribution", "distribution-version", "os-installation-type", "powershell-version")
}


def report(*results, private=()):
    whoami = {"logon_type": "Network", "label": {"sid": "S-1-16-12288"}}
    return probe_report(results, {"distribution": "Microsoft Windows 11 Pro"}, whoami, private)


def said(stdout, *private, **question):
    asked = {"id": "q", "argv": ["x.exe"]} | question
    result = {"item": asked, "rc": 0, "stdout": stdout, "stderr": "", "msg": ""}
    return report(result, private=private)["answers"]["q"]["stdout"]


def test_each_question_has_an_id_of_its_own_and_only_known_fields():
    assert sorted(IDS) == sorted(set(IDS))
    allowed = {"id", "path", "name", "set", "argv", "line", "keep", "environment"}
    assert [question["id"] for question in ASKED if set(question) - allowed] == []
    assert [bool("argv" in question) + bool("line" in question) for question in QUESTIONS["probe_commands"]] == [
        1
    ] * len(QUESTIONS["probe_commands"])


def test_the_questions_that_a_claim_names_are_asked():
    known = claims.read(claims.DATA.read_text(encoding="utf-8"))
    assert {name for claim in known for name in claim.probe} - set(IDS) - MADE == set()


def test_a_report_has_an_answer_of_each_kind():
    registry = {"id": "build", "path": "HKLM:\\x", "name": "Build"}
    results = [
        {"item": registry, "exists": True, "value": "26100"},
        {"item": registry | {"id": "none"}, "exists": False},
        {"item": registry | {"id": "set", "set": True}, "exists": True, "value": "secret"},
        {"item": {"id": "key", "path": "HKLM:\\x"}, "exists": True, "properties": {"a": 1}},
        {"item": {"id": "file", "path": "C:\\x"}, "stat": {"exists": False}},
        {"item": {"id": "ran", "argv": ["x"]}, "rc": -1, "stdout": "a\r\nb\r\n", "stderr": "c", "msg": CODE},
        {"item": {"id": "kept", "line": "x", "keep": "^State"}, "rc": 0, "stdout": "Name : x\r\n  State : on"},
        {"item": {"id": "late", "argv": ["x"]}, "msg": "async task did not complete within the requested time - 60s"},
        {"item": {"id": "unstarted", "argv": ["x"]}, "rc": 2, "msg": "The system cannot find the file specified"},
    ]  # fmt: skip
    answers = report(*results)["answers"]
    assert {name: answer for name, answer in answers.items() if name not in MADE} == {
        "build": "26100",
        "none": None,
        "set": True,
        "key": True,
        "file": False,
        "ran": {"rc": 4294967295, "stdout": "a\nb", "stderr": "c"},
        "kept": {"rc": 0, "stdout": "State : on", "stderr": ""},
        "late": {"error": "async task did not complete within the requested time - 60s"},
        "unstarted": {"rc": 2, "stdout": "", "stderr": "", "error": "The system cannot find the file specified"},
    }
    assert {answers[name] for name in MADE} == {"", "Network", "S-1-16-12288", "Microsoft Windows 11 Pro"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("C:\\Users\\Mei Lin\\AppData", "C:\\Users\\<user>\\AppData"),
        ("C:\\Users\\meilin\\AppData and /home/meilin/x", "C:\\Users\\<user>\\AppData and /home/<user>/x"),
        ("/mnt/c/Users/meilin", "/mnt/c/Users/<user>"),
        ("S-1-5-21-1004336348-1177238915-682003330-1001", "<sid>"),
        ("S-1-16-12288", "S-1-16-12288"),
        ("mei.lin@example.edu", "<address>"),
        ("00-15-5D-01-02-03", "<address>"),
        ("eth0 172.29.3.4/20 via 192.168.1.20:7890", "eth0 <address>/20 via <address>:7890"),
        ("proxy 203.0.113.9:8080", "proxy <address>:8080"),
        ("fe80::1ff:fe23:4567:890a and 2001:db8::1", "<address> and <address>"),
        (
            "WSL version: 3.0.1.0, 17.14.36717.8, 10.0.26100.6899",
            "WSL version: 3.0.1.0, 17.14.36717.8, 10.0.26100.6899",
        ),
        ("at 12:34:56", "at 12:34:56"),
        ("HOME-PC\\MEILIN of home-pc", "<name>\\<name> of <name>"),
        ("homepcs meilins", "homepcs meilins"),
        ("x" * 8186, "<8186 x>"),
    ],
)
def test_whose_pc_it_is_does_not_stand_in_the_report(text, shown):
    assert said(text, "HOME-PC", "meilin", "", "a") == shown


def test_errors_are_cleaned_too():
    answers = report({"item": {"id": "q", "argv": ["x"]}, "rc": 2, "msg": "C:\\Users\\meilin\\x"}, private=[])[
        "answers"
    ]
    assert answers["q"]["error"] == "C:\\Users\\<user>\\x"


@pytest.mark.parametrize(
    ("real", "simulated", "verdict"),
    [
        ("a", "a", "same"),
        ({"rc": 0, "stdout": "v 1.2"}, {"rc": 0, "stdout": "v 10.20.3"}, "same but for numbers"),
        ({"rc": 0, "stdout": "x"}, {"rc": 1, "stdout": "x"}, "DIFFERS"),
        ({"rc": 0, "stdout": "x"}, {"rc": 0, "stdout": "y"}, "DIFFERS"),
        (26200, 26100, "same but for numbers"),
        (True, 1, "same"),
        (True, False, "DIFFERS"),
        (None, 1, "DIFFERS"),
        ("1", 1, "DIFFERS"),
    ],
)
def test_how_two_answers_compare(real, simulated, verdict):
    assert probe.verdict(real, simulated) == verdict


def test_the_table_shows_what_differs_first_and_which_claims_it_touches():
    known = [
        claims.Claim("wsl", "c1", "It is so.", "s", "assumed", [], ["b", "d"]),
        claims.Claim("wsl", "c2", "It is too.", "s", "proved", [], ["a"]),
    ]
    real = {"a": 1, "b": {"rc": 1, "stdout": "x\ny"}, "c": "v1", "z": "not asked"}
    simulated = {"a": 1, "b": {"rc": 0, "stdout": "x"}, "c": "v2", "d": True}
    assert [line.rstrip() for line in probe.table(real, simulated, known)] == [
        "answer                question",
        "DIFFERS               b",
        "    this PC   rc: 1",
        "    this PC   stdout: x",
        "    this PC   stdout: y",
        "    the lab   rc: 0",
        "    the lab   stdout: x",
        "not in the report     d",
        "same but for numbers  c",
        '    this PC   "v1"',
        '    the lab   "v2"',
        "same                  a",
        "",
        "4 questions: 1 DIFFERS, 1 not in the report, 1 same but for numbers, 1 same.",
        "b (DIFFERS) is how this claim can be checked: c1 (assumed): It is so.",
        "d (not in the report) is how this claim can be checked: c1 (assumed): It is so.",
    ]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2, "answers": {}}', '{"format": 1}'])
def test_what_is_no_report_is_refused(monkeypatch, tmp_path, capsys, text):
    path = tmp_path / "report.json"
    path.write_text(text)
    monkeypatch.setattr(sys, "argv", ["lab", "probe", str(path)])
    assert cli.main() == 1
    assert re.match(rf"lab: {path} (can not be read|is no report of playbooks/probe.yml)", capsys.readouterr().err)


def test_a_report_that_differs_in_everything_ends_with_0(monkeypatch, tmp_path, capsys):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"format": 1, "answers": {"a": 1}}))
    monkeypatch.setattr(sys, "argv", ["lab", "probe", str(path)])
    monkeypatch.setattr(probe, "simulated_answers", lambda machine: {"a": "one"})
    assert cli.main() == 0
    assert "DIFFERS               a" in capsys.readouterr().out
