"""A test here is a promise: marked with its text, the role that keeps it, what it rests on, and the remedy.

A promise that rests on a broken one is not asked, so that one cause is one line. What a test makes, it takes away.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from verify import causes, runner
from verify.fixtures import user_run as user_run
from verify.language import left, say

ROLES = sorted(path.name for path in (Path(__file__).resolve().parent.parent / "roles").iterdir())
SETTINGS = {"proxy_port": 7890, "wsl_distribution": "", "wsl_user": ""}


@dataclass
class Answer:
    """One promise on one machine."""

    host: str
    text: str
    outcome: str  # holds, BROKEN, not asked
    note: str = ""


ANSWERS = pytest.StashKey[list[Answer]]()
USER = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and load Ansible once."""
    runner.load()
    config.addinivalue_line(
        "markers", "promise(text, role, remedy, needs=(), causes=()): what holds on a finished workstation"
    )
    config.stash[ANSWERS] = []


def _host_of(item: pytest.Item) -> str:
    return item.callspec.params["_testinfra_host"].backend.host


def _in_wsl(item: pytest.Item) -> bool:
    """Tell whether the machine is WSL, by the name of its kernel; yes where it does not answer."""
    try:
        return "microsoft" in item.funcargs["host"].run("cat /proc/sys/kernel/osrelease").stdout.lower()
    except (AssertionError, KeyError, RuntimeError):
        return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Ask each machine what concerns the group that the file names."""

    def concerns(item: pytest.Item) -> bool:
        backend = item.callspec.params["_testinfra_host"].backend
        return backend.host in backend.ansible_runner.get_hosts(item.module.GROUP)

    kept = [item for item in items if concerns(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@pytest.fixture(scope="module")
def wanted(_testinfra_host) -> dict:
    """Return the state of each role and the settings as the inventory has them for this machine."""
    asked = {f"{role}_state": "present" for role in ROLES} | SETTINGS
    pairs = ", ".join(f"'{name}': {name} | default({value!r})" for name, value in asked.items())
    return _testinfra_host.ansible("ansible.builtin.debug", json.dumps({"msg": f"{{{{ {{{pairs}}} }}}}"}))["msg"]


@pytest.fixture(autouse=True)
def _asked(request: pytest.FixtureRequest) -> None:
    """Leave out what the inventory does not want, and what rests on a broken promise."""
    marker = request.node.get_closest_marker("promise")
    if marker is None:
        return
    role = marker.kwargs["role"]
    wanted = request.getfixturevalue("wanted")
    request.node.stash[USER] = wanted["wsl_user"]
    state = wanted[f"{role}_state"] if role else "present"
    if state != "present":
        pytest.skip(f"{role} is {state}")
    host = _host_of(request.node)
    broken = {
        answer.text for answer in request.config.stash[ANSWERS] if answer.host == host and answer.outcome != "holds"
    }
    for need in marker.kwargs.get("needs", ()):
        text = getattr(request.module, need).pytestmark[0].args[0]
        if text in broken:
            pytest.skip(f"rests on: {text}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Note the answer, and put the remedy into the reports."""
    report = yield
    marker = item.get_closest_marker("promise")
    if marker is None or (report.when != "call" and report.passed) or report.when == "teardown":
        return report
    text = marker.args[0]
    if report.passed:
        answer = Answer(_host_of(item), text, "holds")
    elif report.skipped:
        answer = Answer(_host_of(item), text, "not asked", str(call.excinfo.value))
    else:
        said = str(call.excinfo.value)
        areas = marker.kwargs.get("causes", ())
        wsl = "nvidia" not in areas or _in_wsl(item)
        known = tuple(one for area in areas for one in causes.known(area, wsl))
        remedy = causes.remedy_of(said, known, marker.kwargs["remedy"], item.stash.get(USER, ""))
        answer = Answer(_host_of(item), text, "BROKEN", f"{causes.cause_of(said)} -> {remedy}")
        report.user_properties.append(("remedy", remedy))
        if item.config.pluginmanager.hasplugin("html"):
            from pytest_html import extras

            report.extras = [*getattr(report, "extras", []), extras.text(remedy, name="Remedy")]
    item.config.stash[ANSWERS].append(answer)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the table."""
    answers = config.stash[ANSWERS]
    width = max((len(answer.host) for answer in answers), default=0)
    colours = {"holds": {"green": True}, "BROKEN": {"red": True}, "not asked": {"light": True}}
    for answer in answers:
        cause, arrow, remedy = answer.note.partition(" -> ")
        note = ": " * bool(cause) + say(cause) + arrow + say(remedy)
        line = f"{left(say(answer.outcome), 9)}  {answer.host:<{width}}  {say(answer.text)}{note}"
        terminalreporter.write_line(line, **colours[answer.outcome])
