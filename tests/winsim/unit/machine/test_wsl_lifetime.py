"""What starts and ends WSL: networks, sessions, sign-outs, the task that keeps a distribution running."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from lab.winsim.errors import ModuleFailure
from lab.winsim.model import tasks
from lab.winsim.model.wsl import distributions, runtime

EXE = "C:\\Program Files\\WSL\\wsl.exe"
READY = {
    "features": {"VirtualMachinePlatform": "Enabled"},
    "installed": [{"name": "wsl"}, {"name": "distribution", "distribution": "Ubuntu-24.04"}],
}
CONFIG = "C:\\Users\\student\\.wslconfig"
LOCALHOST = (
    "wsl: A localhost proxy configuration was detected but not mirrored into WSL. "
    "WSL in NAT mode does not support localhost proxies.\r\n"
)


def wsl(host, *arguments):
    return host.run(EXE, *arguments, WSL_UTF8="1")


def inside(host, *command):
    return wsl(host, "-d", "Ubuntu-24.04", "-u", "root", "--exec", *command)


def runs(host) -> bool:
    """Whether the distribution runs and something runs in it; a task that has just begun may still start it."""
    for _ in range(200):
        listed = wsl(host, "-l", "-v").stdout
        if b"Running" in listed and any(entry["clients"] for entry in runtime(host.machine)["running"].values()):
            return True
        time.sleep(0.02)
    return False


def idle(host) -> None:
    """Wait until the task's program has seen that its distribution is gone."""
    deadline = time.monotonic() + 10
    while any(task.running for task in host.machine.tasks.values()) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert b"Running" not in wsl(host, "-l", "-v").stdout


def keep_alive(host, trigger="boot", **more):
    repetition = {"interval": "PT5M"}
    logon = {"logon_type": "s4u", "password": "x"} if trigger == "boot" else {"logon_type": "interactive_token"}
    return host.module(
        "community.windows.win_scheduled_task",
        name="keep",
        actions=[{"path": EXE, "arguments": "-d Ubuntu-24.04 -u root --exec sleep infinity"}],
        triggers=[
            {"type": trigger, "delay": "PT30S", "repetition": repetition},
            {"type": "registration", "repetition": repetition},
        ],
        username="student",
        update_password=False,
        run_level="highest",
        multiple_instances=2,
        **logon,
        **more,
    )


@pytest.fixture(autouse=True)
def _no_real_time(monkeypatch) -> None:
    """Let only the machine's own work move its clock."""
    began = time.time()
    monkeypatch.setattr("lab.winsim.model.clock.time", SimpleNamespace(time=lambda: began, sleep=time.sleep))


@pytest.fixture
def pc(build, on):
    return on(build(**READY))


def test_a_shut_down_distribution_runs_again_within_a_repetition(pc):
    assert keep_alive(pc)["changed"]
    assert not keep_alive(pc)["changed"]
    assert runs(pc)
    wsl(pc, "--shutdown")
    idle(pc)
    pc.machine.clock.advance(290)
    idle(pc)
    pc.machine.clock.advance(10)
    assert runs(pc)


def test_a_second_one_is_not_started_while_the_first_runs(pc):
    keep_alive(pc)
    assert runs(pc)
    pc.machine.clock.advance(3600)
    assert runs(pc)
    assert pc.machine.tasks["\\keep"].runs == 1


def test_after_a_boot_it_starts_when_the_delay_is_over(pc):
    keep_alive(pc)
    assert runs(pc)
    pc.machine.reboot()
    idle(pc)
    pc.machine.clock.advance(25)
    idle(pc)
    pc.machine.clock.advance(5)
    assert runs(pc)


def test_what_is_inside_when_windows_goes_down_is_on_the_disk(pc):
    keep_alive(pc)
    assert runs(pc)
    (distribution,) = distributions(pc.machine, "student")
    assert "disk" not in pc.machine.files.get(distribution.disk).content.data
    pc.machine.reboot()
    assert "disk" in pc.machine.files.get(distribution.disk).content.data


def test_a_task_for_the_signed_in_user_waits_for_him(pc):
    keep_alive(pc, "logon")
    idle(pc)
    tasks.sign_in(pc.machine, "student")
    pc.machine.clock.advance(30)
    assert runs(pc)


def test_a_sign_out_ends_what_began_in_that_session_and_the_task_mends_it(pc, on):
    desktop = on(pc.machine, "student", "interactive")
    desktop.session.number = 1
    inside(desktop, "true")
    keep_alive(pc)
    assert runs(pc)
    tasks.sign_out(pc.machine, "student")
    idle(pc)
    pc.machine.clock.advance(300)
    assert runs(pc)
    tasks.sign_out(pc.machine, "student")  # it is session 0's now
    assert runs(pc)


def test_a_proxy_of_this_pc_is_warned_about_at_each_program_until_auto_proxy_is_off(pc):
    pc.module("ansible.windows.win_inet_proxy", proxy="127.0.0.1:7890")
    assert inside(pc, "true").stderr.decode() == LOCALHOST
    assert inside(pc, "true").stderr.decode() == LOCALHOST
    pc.machine.files.write_text(CONFIG, "[experimental]\nautoProxy=false\n")
    wsl(pc, "--shutdown")
    assert inside(pc, "true").stderr == b""


@pytest.mark.parametrize(
    ("build_number", "text", "stderr"), [(26100, "[wsl2]\nnetworkingMode=mirrored\n", ""), (19045, "", "")]
)
def test_no_such_warning_in_mirrored_mode_and_on_windows_10(build, on, build_number, text, stderr):
    windows = {"build": build_number, "ubr": 6456}
    features = {"VirtualMachinePlatform": "Enabled", "Microsoft-Windows-Subsystem-Linux": "Enabled"}
    pc = on(build(**READY | {"features": features}, windows=windows))
    pc.module("ansible.windows.win_inet_proxy", proxy="127.0.0.1:7890")
    pc.machine.files.write_text(CONFIG, text)
    assert inside(pc, "true").stderr.decode() == stderr


@pytest.mark.parametrize(
    ("text", "faults", "mode", "warning"),
    [
        ("", {}, b"nat", b""),
        ("[wsl2]\nnetworkingMode=VirtioProxy\n", {}, b"consomme", b""),
        ("[experimental]\nnetworkingMode=mirrored\n", {}, b"mirrored", b""),
        ("", {"wsl": {"nat": "fails"}}, b"consomme", b"falling back to networkingMode Consomme."),
    ],
)
def test_wslinfo_tells_the_mode_that_counts(build, on, text, faults, mode, warning):
    pc = on(build(**READY, faults=faults))
    pc.machine.files.write_text(CONFIG, text)
    done = inside(pc, "wslinfo", "--networking-mode")
    assert done.stdout.strip() == mode
    assert warning in done.stderr


MSI = "C:\\dl\\wsl.msi"


@pytest.mark.parametrize(
    ("build_number", "revision", "logon", "properties", "rc"),
    [
        (26100, 1, "network", [], 0),
        (22631, 3672, "network", [], 0),
        (22631, 3671, "network", [], 1603),
        (22000, 9999, "network", [], 1603),
        (19045, 4473, "network", [], 1603),
        (19045, 4474, "network", [], 0),
        (19045, 4473, "interactive", [], 0),
        (19045, 4473, "network", ["SKIPMSIX=1"], 0),
    ],
)
def test_the_msi_needs_a_windows_that_runs_it_directly(build, on, build_number, revision, logon, properties, rc):
    pc = on(build(windows={"build": build_number, "ubr": revision}), "student", logon)

    packages = [item for item in pc.machine.network.catalogue.values() if item.content.data.get("msi", {})]
    (package,) = [item for item in packages if item.content.data["msi"]["product"] == "wsl"][:1]

    pc.machine.files.put(MSI, package.content, parents=True)
    assert pc.run("msiexec.exe", "/i", MSI, "/qn", *properties).rc == rc


def test_a_msi_that_fails_is_a_failure_of_the_module_with_its_code(build, on):
    pc = on(build(windows={"build": 19045, "ubr": 4473}))
    packages = [item for item in pc.machine.network.catalogue.values() if item.content.data.get("msi", {})]
    (package,) = [item for item in packages if item.content.data["msi"]["product"] == "wsl"][:1]
    pc.machine.files.put(MSI, package.content, parents=True)
    with pytest.raises(ModuleFailure, match="unexpected rc from ") as failed:
        pc.module("win_package", path=MSI, state="present")
    assert failed.value.result["rc"] == 1603
