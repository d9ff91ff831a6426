"""windows_base on PCs as people have them: asleep after half an hour, winget out of reach, decided by others."""

from __future__ import annotations

from lab.compare import traces

BASE = ["--tags", "windows_base"]
ABSENT = [*BASE, "-e", "windows_base_state=absent"]
STANDBY = "29f6c1db-86da-48c5-9fdb-f2b67b1f44da"
POLICY = f"HKLM\\SOFTWARE\\Policies\\Microsoft\\Power\\PowerSettings\\{STANDBY}"


def plan(pc) -> list[int]:
    """Return what the power plan says last took effect: seconds until standby and hibernation on mains power."""
    last = pc.events("power plan")[-1]
    return [last["standby"], last["hibernate"]]


def test_a_windows_10_whose_winget_does_not_run_over_winrm_is_advised_stays_awake_and_gets_its_sleep_back(new_pc):
    pc = new_pc("windows10-22h2", installed=[{"name": "winget"}])
    before = pc.state()
    run = pc.play(*BASE)
    assert run.code == 0, run.output[-4000:]
    said = " ".join(run.output.split())
    assert (
        "Sleep after 30 minutes on mains power will be switched off" in said.split("TASK [windows_base : hostname")[0]
    )
    assert "Hibernation after 180 minutes on mains power will be switched off" in said
    assert 'type "winget install --id Microsoft.WindowsTerminal' in said.split("SUMMARY (")[1]
    assert plan(pc) == [0, 0]
    again = pc.play(*BASE)
    assert (again.code, again.recap["changed"]) == (0, 0), again.output[-4000:]
    assert "will be switched off" not in again.output
    assert "Windows Terminal is not installed" in again.output.split("SUMMARY (")[1]
    assert pc.play(*BASE, "-e", '{"windows_base_keep_awake": false}').code == 0
    assert plan(pc) == [1800, 10800]
    assert pc.play(*BASE).code == 0
    assert pc.play(*ABSENT).code == 0
    assert plan(pc) == [1800, 10800]
    assert pc.play(*ABSENT).recap["changed"] == 0
    pc.winsim("reboot")
    assert traces(before) - traces(pc.state()) == set()
    assert pc.events("simulator_error", "module_refused") == []


def test_what_a_group_policy_decides_stays_and_is_said(new_pc):
    pc = new_pc(registry=[{"path": POLICY, "name": "ACSettingIndex", "data": 600}])
    for _ in range(2):
        run = pc.play(*BASE)
        assert run.code == 0, run.output[-4000:]
        said = " ".join(run.output.split())
        assert "Sleep after 10 minutes on mains power is decided by a group policy and stays" in said
    assert run.recap["changed"] == 0
    assert plan(pc) == [600, 0]
    assert pc.play(*ABSENT).code == 0
    assert plan(pc) == [600, 10800]


def test_a_wrong_value_is_said_before_the_pc_is_looked_at_and_then_what_is_wrong_with_the_pc(new_pc):
    pc = new_pc("windows10-1909")
    for options, words in (
        (["-e", "windows_base_hostname=office_pc_of_the_boss"], '"office_pc_of_the_boss" is not a valid computer name'),
        ([], "build 10.0.18363"),
    ):
        run = pc.play(*BASE, *options)
        said = " ".join(run.output.split())
        assert run.code == 2
        assert words in said
        assert "Nothing was changed." in said
        assert run.recap["changed"] == 0
