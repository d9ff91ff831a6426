"""The unmodified ansible-playbook against the simulator: modules, files, become, async, refusals."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from simulator_process import PASSWORD

ROOT = Path(__file__).parents[2]

PING = {"name": "ping", "ansible.windows.win_ping": {}}


@pytest.mark.parametrize(
    ("transport", "scheme"), [("basic", "http"), ("ntlm", "http"), ("basic", "https"), ("ntlm", "https")]
)
def test_ping_over_every_transport(simulator, play, transport: str, scheme: str) -> None:
    result = play(
        simulator,
        [PING],
        ansible_winrm_transport=transport,
        ansible_winrm_scheme=scheme,
        ansible_port=simulator.client.info[f"{scheme}_port"],
    )
    assert result["ping"]["ping"] == "pong"
    assert result["rc"] == 0


def test_wrong_password_makes_the_host_unreachable(simulator, play) -> None:
    result = play(simulator, [PING], ansible_password="wrong", ansible_winrm_transport="ntlm")
    assert result["ping"]["unreachable"] is True
    assert "the specified credentials were rejected by the server" in result["ping"]["msg"]
    assert result["rc"] == 4


def test_files_travel_both_ways_unchanged(simulator, play, tmp_path: Path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(bytes(range(256)) * 5000)
    digest = hashlib.sha1(source.read_bytes()).hexdigest()
    copy = {"ansible.windows.win_copy": {"src": str(source), "dest": "C:\\Users\\student\\copied.bin"}}
    result = play(
        simulator,
        [
            {"name": "copy", **copy},
            {"name": "copy again", **copy},
            {"name": "stat", "ansible.windows.win_stat": {"path": "C:\\Users\\student\\copied.bin"}},
            {
                "name": "fetch",
                "ansible.builtin.fetch": {
                    "src": "C:\\Users\\student\\copied.bin",
                    "dest": f"{tmp_path}/back.bin",
                    "flat": True,
                },
            },
        ],
    )
    assert (result["copy"]["changed"], result["copy again"]["changed"]) == (True, False)
    assert (result["stat"]["stat"]["size"], result["stat"]["stat"]["checksum"]) == (1280000, digest)
    assert (tmp_path / "back.bin").read_bytes() == source.read_bytes()


def test_no_temporary_folder_is_left_behind(simulator, play) -> None:
    copy = {"content": "some text", "dest": "C:\\Users\\student\\text.txt"}
    assert play(simulator, [{"name": "copy", "ansible.windows.win_copy": copy}])["copy"]["changed"] is True
    state = simulator.command("state").stdout
    assert ("text.txt" in state, "ansible-tmp" in state) == (True, False)


def test_text_for_powershell_is_refused_unless_it_is_known(simulator, play) -> None:
    raw = {"name": "raw", "ansible.builtin.raw": "Get-Frobnication -Deep", "ignore_errors": True}
    shell = {"name": "shell", "ansible.windows.win_shell": "'x'", "ignore_errors": True}
    result = play(simulator, [raw, shell])
    said = 'simulator: PowerShell not known: "{}"; there is no interpreter.'
    assert said.format("'x'") in result["shell"]["msg"]
    assert "simulator: PowerShell not known: 'Get-Frobnication -Deep'; there is no" in result["raw"]["stderr"]


def test_script_of_the_product_is_known(simulator, play) -> None:
    script = (ROOT / "roles/wsl_enable/files/virtualization.ps1").read_text()
    result = play(simulator, [{"name": "script", "ansible.windows.win_shell": script}])
    assert result["script"]["stdout"] == '{"hypervisor_missing":true,"firmware_off":false}\r\n'


def test_environment_keyword_reaches_the_command(simulator, play) -> None:
    task = {"name": "echo", "ansible.windows.win_command": "cmd.exe /c echo %LAB_A%", "environment": {"LAB_A": "a b%c"}}
    assert play(simulator, [task])["echo"]["stdout"] == "a b%c\r\n"


def test_async_job_runs_in_the_background(simulator, play) -> None:
    sleep = "cmd.exe /c ping -n 2 127.0.0.1 & echo done"
    result = play(
        simulator,
        [
            {"name": "start", "ansible.windows.win_command": sleep, "async": 20, "poll": 0, "register": "job"},
            {"name": "early", "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"}},
            {
                "name": "late",
                "ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"},
                "register": "state",
                "until": "state.finished",
                "retries": 10,
                "delay": 1,
            },
            {"name": "polled", "ansible.windows.win_command": "cmd.exe /c echo polled", "async": 20, "poll": 1},
            {"name": "gone", "ansible.builtin.async_status": {"jid": "j1.1"}, "ignore_errors": True},
        ],
    )
    assert (result["start"]["started"], result["start"]["finished"]) == (True, False)
    assert result["early"]["finished"] is False
    assert (result["late"]["finished"], result["late"]["stdout"].splitlines()[-1]) == (True, "done")
    assert result["polled"]["stdout"] == "polled\r\n"
    assert result["gone"]["msg"].startswith("could not find job at ")


def test_async_job_that_takes_too_long_is_ended(simulator, play) -> None:
    result = play(
        simulator, [{"name": "slow", "ansible.windows.win_command": "ping -n 30 127.0.0.1", "async": 1, "poll": 1}]
    )
    assert result["rc"] == 2
    expected = "failure during async watchdog: timed out waiting for module completion"
    assert (
        result["slow"]["msg"] == expected
        or "async task did not complete within the requested time" in result["slow"]["msg"]
    )


def test_check_mode_and_diff_reach_the_module(simulator, play) -> None:
    task = {"name": "value", "ansible.windows.win_regedit": {"path": "HKCU:\\Software\\Lab", "name": "a", "data": "b"}}
    checked = play(simulator, [task], "--check", "--diff")
    assert checked["value"]["changed"] is True
    assert checked["value"]["diff"]["after"] == {"HKCU:\\Software\\Lab": {}}
    assert play(simulator, [task])["value"]["changed"] is True
    assert play(simulator, [task])["value"]["changed"] is False


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            {"ansible.windows.win_environment": {"name": "a", "value": "b", "level": "planet"}},
            "value of level must be one of: machine, process, user, got: planet",
        ),
        (
            {"ansible.windows.win_environment": {"name": "a", "value": "b", "level": "user", "colour": "red"}},
            "Unsupported parameters for (ansible.windows.win_environment) module: colour. Supported parameters include: ",
        ),
        ({"ansible.windows.win_stat": {}}, "missing required arguments: path"),
        (
            {"ansible.windows.win_package": {"path": "C:\\x.msi", "provider": "rpm"}},
            "value of provider must be one of: ",
        ),
        (
            {"ansible.windows.win_find": {"paths": ["C:\\"], "recurse": True}},
            "simulator: ansible.windows.win_find: not modelled: recurse",
        ),
        (
            {"community.windows.win_pester": {"path": "C:\\x"}},
            "simulator: module not known: community.windows.win_pester",
        ),
    ],
)
def test_wrong_arguments_are_refused_in_the_words_of_the_module(simulator, play, task: dict, message: str) -> None:
    result = play(simulator, [{"name": "task", **task}])
    assert result["rc"] == 2
    assert result["task"]["msg"].startswith(message)


def test_payload_as_a_file_is_run_too(simulator, play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_KEEP_REMOTE_FILES", "1")
    assert play(simulator, [PING])["ping"]["ping"] == "pong"


def test_passwords_are_nowhere_to_be_seen(simulator, play) -> None:
    play(simulator, [PING])
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    log = (simulator.state / "events.jsonl").read_text() + (simulator.state / "winsim.log").read_text()
    summary = simulator.command("state").stdout
    assert "LAB-PC" in summary
    for text in (processes, log, summary):
        assert PASSWORD not in text
