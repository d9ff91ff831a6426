"""The module that restarts a service when it is older than what is on the disk."""

import os
from datetime import UTC, datetime

import pytest

from tests.unit import run_module

STARTED = datetime(2026, 11, 23, 12, 0, 0, 500000, tzinfo=UTC).timestamp()
UNIT = {
    "Id": "docker.service",
    "LoadState": "loaded",
    "UnitFileState": "enabled",
    "ActiveState": "active",
    "ExecMainStartTimestamp": "Mon 2026-11-23 12:00:00.500000 UTC",
    "NeedDaemonReload": "no",
    "ExecStart": "{ path=/nowhere/dockerd ; argv[]=/nowhere/dockerd -H fd:// ; ignore_errors=no }",
}


@pytest.fixture
def service(tmp_path, monkeypatch, capsys):
    """Return a function that runs the module against a systemd that answers with the given properties."""
    module = run_module.load("fresh_service")
    config = tmp_path / "daemon.json"
    config.write_text("{}")
    os.utime(config, (STARTED - 60, STARTED - 60))

    def run(check=False, fails=None, companions=(), arguments=None, **properties):
        calls = []
        units = [UNIT | properties, *({**UNIT, "Id": name, **more} for name, more in companions)]
        answer = "\n\n".join("\n".join(f"{key}={value}" for key, value in unit.items()) for unit in units)

        def systemctl(self, *words):
            if words[0] == "show":
                return 0, answer, ""
            calls.append(" ".join(words))
            return (1, "", "Job for docker.service failed.") if words[0] == fails else (0, "", "")

        monkeypatch.setattr(module.Service, "systemctl", systemctl)
        known = {"name": "docker.service", "files": [str(config)], "companions": [name for name, _ in companions]}
        return run_module.run(module, capsys, check=check, **{**known, **(arguments or {})}), calls

    run.config = config
    return run


def test_a_service_that_is_newer_than_its_files_is_left_alone(service):
    answer, calls = service()
    assert (answer["changed"], calls) == (False, [])


def test_a_newer_file_restarts_it_even_by_half_a_second(service):
    os.utime(service.config, (STARTED + 0.4, STARTED + 0.4))
    answer, calls = service()
    assert (answer["changed"], calls) == (True, ["reset-failed docker.service", "restart docker.service"])
    assert answer["done"] == [f"restart docker.service (newer: {service.config})"]


def test_a_missing_file_is_no_reason(service):
    service.config.unlink()
    assert service()[0]["changed"] is False


def test_a_program_that_came_later_restarts_it_although_its_build_is_older(service, tmp_path):
    hook = tmp_path / "hook"
    hook.write_text("")
    os.utime(hook, (0, 0))
    answer, _ = service(
        ExecMainStartTimestamp="Thu 2020-01-02 12:00:00.000000 UTC", arguments={"programs": [str(hook)]}
    )
    assert str(hook) in answer["done"][0]


def test_a_changed_unit_is_read_again_and_restarts_the_service(service):
    answer, calls = service(NeedDaemonReload="yes")
    assert calls == ["daemon-reload", "reset-failed docker.service", "restart docker.service"]
    assert answer["done"][-1] == "restart docker.service (newer: its unit)"


def test_a_stopped_and_disabled_service_is_enabled_and_started_once(service):
    answer, calls = service(ActiveState="inactive", UnitFileState="disabled", ExecMainStartTimestamp="")
    assert calls == ["enable docker.service", "reset-failed docker.service", "start docker.service"]
    assert answer["changed"] is True


def test_a_restart_can_be_asked_for(service):
    assert service(arguments={"restart": True})[1] == ["reset-failed docker.service", "restart docker.service"]


def test_companions_come_first(service):
    stopped = {"ActiveState": "inactive", "ExecStart": "", "ExecMainStartTimestamp": ""}
    _, calls = service(ActiveState="failed", companions=[("containerd.service", stopped), ("docker.socket", stopped)])
    assert [call for call in calls if call.startswith("start")] == [
        "start containerd.service",
        "start docker.socket",
        "start docker.service",
    ]


def test_check_mode_touches_nothing(service):
    answer, calls = service(check=True, ActiveState="inactive", UnitFileState="disabled")
    assert (answer["changed"], calls) == (True, [])


def test_check_mode_foresees_a_service_that_is_not_installed_yet(service):
    answer, calls = service(check=True, LoadState="not-found", ActiveState="inactive")
    assert (answer["done"], calls) == (["start docker.service"], [])


def test_a_service_that_is_not_installed_is_named(service):
    assert "There is no unit docker.service on this machine" in service(LoadState="not-found")[0]["msg"]


def test_a_failed_start_shows_its_cause(service):
    answer, _ = service(fails="start", ActiveState="inactive")
    assert "systemctl start docker.service failed: Job for docker.service failed." in answer["msg"]
    assert "Correct what its log names, then run again" in answer["msg"]
