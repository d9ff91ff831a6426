"""The module that restarts a service when it is older than what is on the disk."""

import json
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
    module = run_module.load("service_current")
    config = tmp_path / "daemon.json"
    config.write_text("{}")
    os.utime(config, (STARTED - 60, STARTED - 60))

    def run(check=False, fails=None, companions=(), arguments=None, smoke_test=(0, "", ""), **properties):
        calls = []
        units = [UNIT | properties, *({**UNIT, "Id": name, **more} for name, more in companions)]
        answer = "\n\n".join("\n".join(f"{key}={value}" for key, value in unit.items()) for unit in units)

        def bad():
            return config.exists() and "bad" in config.read_text()

        def systemctl(self, *words):
            if words[0] == "show":
                return 0, answer, ""
            calls.append(" ".join(words))
            failed = words[0] == fails and bad()
            return (1, "", "Job for docker.service failed.") if failed else (0, "", "")

        def limited(self, *words):
            if words[0] == "journalctl":
                return 0, "starting up\nfailed to start daemon: bad key\nMain process exited\n", ""
            calls.append(" ".join(words))
            return smoke_test if bad() else (0, "", "")

        monkeypatch.setattr(module.Service, "systemctl", systemctl)
        monkeypatch.setattr(module.Service, "limited", limited)
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
    service.config.write_text("bad")
    answer, _ = service(fails="start", ActiveState="inactive")
    assert "systemctl start docker.service failed: failed to start daemon: bad key Job for docker" in answer["msg"]
    assert "Correct what its log names, then run again" in answer["msg"]


# -- a file that is tried ----------------------------------------------------------------------------------------------


@pytest.fixture
def kept(service, tmp_path):
    """Leave a bad file, as json_merge does, with what stood there before."""
    service.config.write_text('{"bad": true}')
    folder = tmp_path / "kept"
    folder.mkdir()
    (folder / "daemon.json").write_text("the new backup")
    former = folder / "former.json"
    before = {"content": "e30=", "mode": 0o640, "uid": os.getuid(), "gid": os.getgid()}
    backup = {"path": str(folder / "daemon.json"), "content": None, "mode": 0o600}
    former.write_text(json.dumps([{"path": str(service.config), **before}, backup]))
    return former


def test_a_file_with_which_the_service_does_not_start_is_put_back_with_its_backup(service, kept):
    answer, calls = service(fails="restart", arguments={"former": str(kept), "restart": True})
    assert answer["msg"].startswith(
        f"{service.config} was put back as it was before. docker.service runs with it again. What was wrong with the "
        "new one: systemctl restart docker.service failed: failed to start daemon: bad key"
    )
    assert (service.config.read_text(), service.config.stat().st_mode & 0o777) == ("{}", 0o640)
    assert list(kept.parent.iterdir()) == []
    assert calls[-2:] == ["reset-failed docker.service", "restart docker.service"]


def test_a_file_that_somebody_broke_is_set_aside_for_the_one_that_worked_last(service, tmp_path):
    good = tmp_path / "kept" / "worked.json"
    service.config.write_text('{"fine": true}')
    service(arguments={"good": str(good), "restart": True})
    service.config.write_text('{"bad": true}')
    answer, _ = service(fails="restart", arguments={"good": str(good), "restart": True})
    assert answer["msg"].startswith(
        f"{service.config} was set aside as {service.config}.refused, and docker.service runs with the one that worked "
        "last. What was wrong with the new one: systemctl restart docker.service failed: failed to start daemon: bad "
    )
    assert service.config.read_text() == '{"fine": true}'
    assert (tmp_path / "daemon.json.refused").read_text() == '{"bad": true}'


def test_a_trouble_that_is_not_the_files_leaves_the_file(service, tmp_path):
    good = tmp_path / "kept" / "worked.json"
    service.config.write_text('{"bad": "as it was"}')
    service(arguments={"good": str(good), "restart": True})
    service.config.write_text('{"bad": "now"}')
    answer, _ = service(fails="restart", arguments={"good": str(good), "restart": True})
    assert answer["msg"].startswith("systemctl restart docker.service failed")
    assert service.config.read_text() == '{"bad": "now"}'
    assert not (tmp_path / "daemon.json.refused").exists()


def test_a_file_with_which_the_service_does_no_work_is_put_back(service, kept):
    broken = (1, "", "failed to set up container networking")
    answer, _ = service(
        smoke_test=broken, arguments={"former": str(kept), "restart": True, "smoke_test": ["docker", "run"]}
    )
    assert "docker.service runs, but does not do its work: failed to set up container networking" in answer["msg"]
    assert service.config.read_text() == "{}"


def test_a_file_that_was_not_there_before_is_removed_again(service, kept):
    entries = json.loads(kept.read_text())
    kept.write_text(json.dumps([{"path": str(service.config), "content": None}, entries[1]]))
    service(fails="restart", arguments={"former": str(kept), "restart": True})
    assert not service.config.exists()


def test_a_file_with_which_the_service_works_stays(service, kept):
    service.config.write_text('{"good": true}')
    answer, calls = service(arguments={"former": str(kept), "restart": True, "smoke_test": ["docker", "run"]})
    assert (answer["changed"], calls[-1]) == (True, "docker run")
    assert service.config.read_text() == '{"good": true}'
    assert [path.name for path in kept.parent.iterdir()] == ["daemon.json"]


def test_a_run_that_broke_before_the_smoke_test_is_made_up_for(service, kept):
    os.utime(service.config, (STARTED - 60, STARTED - 60))
    _, calls = service(smoke_test=(1, "", "no"), arguments={"former": str(kept), "smoke_test": ["docker", "run"]})
    assert calls[0] == "docker run"
    assert service.config.read_text() == "{}"


def test_nothing_is_proved_again_where_nothing_was_started(service):
    assert service(arguments={"smoke_test": ["docker", "run"]})[1] == []


def test_check_mode_puts_nothing_back(service, kept):
    service(
        check=True, fails="restart", arguments={"former": str(kept), "restart": True, "smoke_test": ["docker", "run"]}
    )
    assert kept.exists()
    assert service.config.read_text() == '{"bad": true}'


def test_no_answer_in_time_is_said(service):
    service.config.write_text("bad")
    answer, _ = service(
        smoke_test=(124, "", ""), arguments={"restart": True, "smoke_test": ["docker", "run"], "timeout": 7}
    )
    assert "does not do its work: no answer within 7 seconds" in answer["msg"]


def test_a_service_that_failed_and_waits_for_its_next_try_is_started(service):
    _, calls = service(ActiveState="activating", SubState="auto-restart")
    assert calls == ["reset-failed docker.service", "start docker.service"]


def test_every_question_has_a_time_limit(monkeypatch, capsys):
    module, asked = run_module.load("service_current"), []

    def run_command(self, argv, **_):
        asked.append(argv)
        return (1, "", "no") if "show" in argv else (0, "", "")

    monkeypatch.setattr(module.AnsibleModule, "run_command", run_command)
    run_module.run(module, capsys, name="docker.service", timeout=9)
    assert asked[0][:4] == ["timeout", "--kill-after=5", "9", "systemctl"]
