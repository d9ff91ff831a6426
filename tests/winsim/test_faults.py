"""What goes wrong on request: cut connections, refusals, slow links, reboots."""

from __future__ import annotations

import itertools
import time

import pytest
import requests
from simulator_process import Simulator

from lab.winsim.client import ControlError

MARKERS = itertools.count()


def _write_marker(simulator: Simulator) -> None:
    simulator.marker = f"C:\\Users\\student\\marker-{next(MARKERS)}.txt"
    simulator.run("echo", f"x>{simulator.marker}")


def _marker_exists(simulator: Simulator) -> bool:
    return simulator.run("type", simulator.marker)[2] == 0


@pytest.fixture
def clean(simulator: Simulator):
    yield simulator
    simulator.client.fault("clear")


def test_cut_at_the_output_leaves_the_command_done(clean: Simulator) -> None:
    clean.client.fault("cut", match="marker-")
    with pytest.raises(requests.exceptions.ConnectionError):
        _write_marker(clean)
    assert _marker_exists(clean)


def test_cut_counts_commands(clean: Simulator) -> None:
    clean.client.fault("cut", command=2)
    assert clean.run("echo", "one")[0] == b"one\r\n"
    with pytest.raises(requests.exceptions.ConnectionError):
        clean.run("echo", "two")
    assert clean.run("echo", "three")[0] == b"three\r\n"


def test_cut_at_the_input_leaves_a_module_not_run(clean: Simulator, play) -> None:
    before = len(clean.events("module"))
    clean.client.fault("cut", command=1, phase="input")
    quick = {"ansible_winrm_operation_timeout_sec": 1, "ansible_winrm_read_timeout_sec": 3}
    result = play(clean, [{"name": "ping", "ansible.windows.win_ping": {}}], **quick)
    assert result["rc"] == 2
    assert "winrm send_input failed" in result["ping"]["msg"]
    assert len(clean.events("module")) == before


def test_cut_matches_a_module_by_name(clean: Simulator, play) -> None:
    clean.client.fault("cut", match="win_stat", phase="running")
    tasks = [
        {"name": "ping", "ansible.windows.win_ping": {}},
        {"name": "stat", "ansible.windows.win_stat": {"path": "C:\\Windows"}},
    ]
    result = play(clean, tasks)
    assert result["ping"]["ping"] == "pong"
    assert result["rc"] == 2
    assert "Remote end closed connection without response" in result["stat"]["msg"]
    assert play(clean, tasks)["stat"]["stat"]["exists"] is True


def test_refused_connections_come_back(clean: Simulator) -> None:
    clean.client.fault("refuse", seconds=1)
    with pytest.raises(requests.exceptions.ConnectionError):
        clean.run("echo", "x")
    time.sleep(1.1)
    assert clean.run("echo", "x")[0] == b"x\r\n"


def test_a_pc_that_sleeps_says_nothing_until_it_wakes(clean: Simulator) -> None:
    clean.client.fault("sleep", seconds=60)
    with pytest.raises(requests.exceptions.ReadTimeout):
        clean.run("echo", "x", operation_timeout_sec=1, read_timeout_sec=2)
    clean.client.fault("clear")
    assert clean.run("echo", "x")[0] == b"x\r\n"


def test_slow_link_takes_its_time(clean: Simulator) -> None:
    started = time.monotonic()
    clean.run("echo", "x")
    normal = time.monotonic() - started
    clean.client.fault("slow", bytes_per_second=20000)
    started = time.monotonic()
    assert clean.run("echo", "x")[0] == b"x\r\n"
    slow = time.monotonic() - started
    assert slow > 0.3
    assert slow > 3 * normal


def test_unknown_faults_are_refused(simulator: Simulator) -> None:
    with pytest.raises(ControlError, match="fault kind 'flood' is not one of"):
        simulator.client.fault("flood")
    with pytest.raises(ControlError, match="a cut needs 'command'"):
        simulator.client.fault("cut")
    with pytest.raises(ControlError, match="phase 'end' is not one of"):
        simulator.client.fault("cut", command=1, phase="end")


def test_control_port_wants_its_token(simulator: Simulator) -> None:
    answer = requests.get(simulator.client.info["control"] + "/state", timeout=10, proxies={"http": ""})
    assert answer.status_code == 401
    assert (simulator.state / "winsim.json").stat().st_mode & 0o777 == 0o600


def test_soft_reboot_switches_the_state_and_keeps_the_port(own_simulator, play) -> None:
    simulator = own_simulator()
    simulator.client.fault("pending-reboot", reason="component servicing")
    assert simulator.client.state()["reboot_reasons"] == ["component servicing"]
    started = time.monotonic()
    result = play(simulator, [{"name": "reboot", "ansible.windows.win_reboot": {}}])
    assert (result["reboot"]["changed"], result["reboot"]["rebooted"]) == (True, True)
    assert time.monotonic() - started < 15
    assert [event["soft"] for event in simulator.events("boot")] == [True]
    assert simulator.events("ports_closed") == []
    assert simulator.client.state()["reboot_reasons"] == []


def test_real_reboot_closes_the_port_and_opens_it_again(own_simulator, play) -> None:
    simulator = own_simulator("--reboot", "real:2")
    tasks = [{"name": "reboot", "ansible.windows.win_reboot": {}}, {"name": "ping", "ansible.windows.win_ping": {}}]
    result = play(simulator, tasks)
    assert (result["reboot"]["rebooted"], result["ping"]["ping"]) == (True, "pong")
    assert [event["soft"] for event in simulator.events("boot")] == [False]
    assert [event["seconds"] for event in simulator.events("ports_closed")] == [2.0]
    assert len(simulator.events("ports_open")) == 1


def test_machine_can_reboot_by_itself_during_a_command(own_simulator) -> None:
    simulator = own_simulator("--reboot", "real:1")
    before = simulator.client.state()["boots"]
    simulator.client.fault("reboot", match="echo two", phase="output")
    assert simulator.run("echo", "one")[0] == b"one\r\n"
    with pytest.raises(requests.exceptions.ConnectionError):
        simulator.run("echo", "two")
    time.sleep(2)
    assert simulator.run("echo", "three")[0] == b"three\r\n"
    assert len(simulator.client.state()["boots"]) == len(before) + 1


def test_state_and_log_survive_a_restart(own_simulator) -> None:
    simulator = own_simulator()
    _write_marker(simulator)
    simulator.client.reboot()
    simulator.stop()
    assert not (simulator.state / "winsim.pid").exists()
    simulator.start()
    assert _marker_exists(simulator)
    log = simulator.command("log", "--event", "boot").stdout
    assert [line.split()[1] for line in log.splitlines()] == ["boot"]


def test_command_line_reports_its_mistakes(simulator: Simulator, tmp_path) -> None:
    nowhere = Simulator(tmp_path).command("state")
    assert (nowhere.returncode, nowhere.stderr) == (1, f"lab: no simulator runs on {tmp_path}\n")
    twice = simulator.command("serve", "--machine", "windows11-zh-cn", "--https", "none")
    assert (twice.returncode, twice.stderr) == (1, f"lab: a simulator already runs on {simulator.state}\n")
    missing = Simulator(tmp_path / "s").command("serve", "--machine", "nowhere.yml", "--background")
    assert missing.returncode == 1
    assert "nowhere.yml" in missing.stdout
