import json
import os
import pwd
import stat

import pytest

from tests.unit import run_module

FOREIGN = """{
    "data-root": "/big/docker",
    "runtimes": {
        "kata": {"path": "/opt/kata"}
    },
    "log-driver": "journald"
}
"""
WANTED = {"log-driver": "json-file", "runtimes": {"nvidia": {"args": [], "path": "nvidia-container-runtime"}}}
MODULE = run_module.load("json_merge")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "daemon.json"


@pytest.fixture
def merge(tmp_path, file, capsys):
    def run(**arguments):
        return run_module.run(
            MODULE, capsys, **{"path": str(file), "backup": str(tmp_path / "kept" / "daemon"), **arguments}
        )

    return run


def test_foreign_keys_and_their_order_stay(merge, file):
    file.write_text(FOREIGN)
    assert merge(merge=WANTED)["changed"] is True
    assert list(json.loads(file.read_text())) == ["data-root", "runtimes", "log-driver"]
    assert json.loads(file.read_text()) == {
        "data-root": "/big/docker",
        "runtimes": {"kata": {"path": "/opt/kata"}, "nvidia": {"args": [], "path": "nvidia-container-runtime"}},
        "log-driver": "json-file",
    }


def test_a_second_run_changes_nothing(merge, file):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    before = file.read_text()
    answer = merge(merge=WANTED)
    assert (answer["changed"], answer["keys"], file.read_text()) == (False, [], before)


def test_the_backup_of_an_earlier_version_is_restored(merge, file, tmp_path):
    file.write_text('{"log-driver": "journald", "debug": true}')
    merge(merge={"log-driver": "json-file"})
    file.write_text('{"log-driver": "json-file", "debug": false}')  # so that the keys are restored, not the bytes
    backup = tmp_path / "kept" / "daemon"
    backup.write_text(backup.read_text().replace('"key_path"', '"way"'))
    assert '"way"' in backup.read_text()
    merge(state="absent")
    assert json.loads(file.read_text()) == {"log-driver": "journald", "debug": False}


def test_the_indentation_of_the_file_stays(merge, file):
    file.write_text('{\n\t"auths": {}\n}')
    merge(merge={"proxies": {"default": {}}})
    assert file.read_text().splitlines()[:3] == ["{", '\t"auths": {},', '\t"proxies": {']


def test_absent_gives_back_the_value_that_was_there(merge, file):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    assert merge(state="absent")["changed"] is True
    assert json.loads(file.read_text()) == json.loads(FOREIGN)
    assert merge(state="absent")["changed"] is False


def test_absent_leaves_a_key_that_somebody_has_changed_since(merge, file):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    content = json.loads(file.read_text())
    content["log-driver"] = "local"
    file.write_text(json.dumps(content))
    merge(state="absent")
    assert json.loads(file.read_text())["log-driver"] == "local"


def test_absent_leaves_a_key_that_was_right_before_the_first_run(merge, file):
    file.write_text('{"log-driver": "json-file"}')
    assert merge(merge={"log-driver": "json-file"})["changed"] is False
    merge(state="absent")
    assert json.loads(file.read_text()) == {"log-driver": "json-file"}


def test_absent_removes_the_file_and_the_folder_that_were_made(merge, tmp_path):
    path = tmp_path / ".docker" / "config.json"
    merge(path=str(path), merge=WANTED, directory_mode="0700", mode="0600")
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    merge(path=str(path), state="absent")
    assert not path.parent.exists()
    assert not (tmp_path / "kept").exists()


def test_absent_keeps_a_made_file_that_now_holds_something_else(merge, file):
    merge(merge=WANTED)
    file.write_text(json.dumps({**json.loads(file.read_text()), "auths": {"r": {"auth": "c2VjcmV0"}}}))
    merge(state="absent")
    assert json.loads(file.read_text()) == {"auths": {"r": {"auth": "c2VjcmV0"}}}


def test_absent_keeps_an_object_that_was_empty_before(merge, file):
    file.write_text('{"log-opts": {}}')
    merge(merge={"log-opts": {"max-size": "10m"}})
    merge(state="absent")
    assert json.loads(file.read_text()) == {"log-opts": {}}


def test_a_key_that_is_no_longer_wanted_is_given_back(merge, file):
    file.write_text(FOREIGN)
    merge(merge={**WANTED, "debug": True})
    merge(merge={"debug": True})
    assert json.loads(file.read_text()) == {**json.loads(FOREIGN), "debug": True}


def test_a_new_wanted_value_still_gives_back_the_first_one(merge, file):
    file.write_text(FOREIGN)
    merge(merge={"log-driver": "json-file"})
    merge(merge={"log-driver": "local"})
    merge(state="absent")
    assert json.loads(file.read_text())["log-driver"] == "journald"


def test_a_removed_key_goes_and_comes_back(merge, file):
    file.write_text('{"proxies": {"default": {"noproxy": "old", "httpProxy": "http://h:1"}}}')
    merge(remove=[["proxies", "default", "noproxy"]], merge={"proxies": {"default": {"noProxy": "new"}}})
    assert json.loads(file.read_text()) == {"proxies": {"default": {"httpProxy": "http://h:1", "noProxy": "new"}}}
    merge(state="absent")
    assert json.loads(file.read_text()) == {"proxies": {"default": {"httpProxy": "http://h:1", "noproxy": "old"}}}


def test_a_run_broken_after_the_backup_can_be_finished_and_undone(merge, file):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    file.write_text(FOREIGN)  # as if the backup had been written, and the file not
    assert merge(merge=WANTED)["changed"] is True
    merge(state="absent")
    assert json.loads(file.read_text()) == json.loads(FOREIGN)


def test_invalid_json_is_refused_with_its_place_and_nothing_changes(merge, file, tmp_path):
    file.write_text('{\n  "a": 1,\n}\n')
    answer = merge(merge=WANTED)
    assert answer["failed"] is True
    assert "at line 2, column 9" in answer["msg"] or "at line 3, column 1" in answer["msg"]
    assert "Correct that place" in answer["msg"]
    assert file.read_text() == '{\n  "a": 1,\n}\n'
    assert not (tmp_path / "kept").exists()


def test_a_list_is_refused(merge, file):
    file.write_text("[]")
    assert "not an object in braces" in merge(merge=WANTED)["msg"]


def test_an_empty_file_counts_as_no_keys(merge, file):
    file.write_text("")
    merge(merge={"a": 1})
    assert json.loads(file.read_text()) == {"a": 1}


def test_a_refusing_validator_changes_nothing(merge, file, tmp_path):
    file.write_text(FOREIGN)
    answer = merge(merge=WANTED, validate="grep -q never %s")
    assert "was refused by 'grep'" in answer["msg"]
    assert file.read_text() == FOREIGN
    assert not (tmp_path / "kept").exists()


def test_the_validator_sees_the_new_content(merge, file):
    file.write_text(FOREIGN)
    assert "failed" not in merge(merge=WANTED, validate="grep -q nvidia-container-runtime %s")


def test_check_mode_says_what_would_change_and_writes_nothing(merge, file, tmp_path):
    file.write_text(FOREIGN)
    answer = merge(merge=WANTED, check=True, validate="no-such-program %s")
    assert answer["changed"] is True
    assert file.read_text() == FOREIGN
    assert not (tmp_path / "kept").exists()


def test_check_mode_works_without_file_and_folder(merge, tmp_path):
    path = tmp_path / "etc" / "daemon.json"
    assert merge(path=str(path), merge=WANTED, check=True, directory_mode="0755", mode="0644")["changed"] is True
    assert not path.parent.exists()


def test_the_diff_hides_values_on_demand(merge, file):
    file.write_text(
        '{"auths": {"registry": {"auth": "c2VjcmV0"}}, "proxies": {"default": {"httpProxy": "http://u:pw@h"}}}'
    )
    answer = merge(merge={"proxies": {"default": {"httpProxy": "http://new"}}}, hide_values=True)
    assert "c2VjcmV0" not in json.dumps(answer["diff"])
    assert "u:pw" not in json.dumps(answer["diff"])
    assert answer["diff"]["before"] == "proxies.default.httpProxy: (a value)\n"


def test_a_symbolic_link_stays_a_link(merge, file, tmp_path):
    target = tmp_path / "real.json"
    target.write_text(FOREIGN)
    file.symlink_to(target)
    merge(merge=WANTED)
    assert file.is_symlink()
    assert json.loads(target.read_text())["log-driver"] == "json-file"


def test_the_mode_of_an_existing_file_stays_unless_asked_for(merge, file):
    file.write_text(FOREIGN)
    os.chmod(file, 0o640)
    merge(merge=WANTED)
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert merge(merge=WANTED, mode="0600")["changed"] is True
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_backup_can_be_read_by_its_owner_only(merge, file, tmp_path):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    assert stat.S_IMODE((tmp_path / "kept" / "daemon").stat().st_mode) == 0o600


# -- what the program reads --------------------------------------------------------------------------------------------


def test_a_byte_order_mark_is_read_past_and_comes_back_with_the_file(merge, file):
    file.write_bytes(b'\xef\xbb\xbf{"debug": true}\r\n')
    merge(merge={"a": 1})
    assert file.read_bytes().startswith(b"{")
    assert json.loads(file.read_text()) == {"debug": True, "a": 1}
    merge(state="absent")
    assert file.read_bytes() == b'\xef\xbb\xbf{"debug": true}\r\n'


@pytest.mark.parametrize("empty", [b"\n", b"", b"\xef\xbb\xbf\n", b"null", b" null\n"])
def test_a_file_without_keys_is_given_back_byte_for_byte(merge, file, empty):
    file.write_bytes(empty)
    merge(merge={"a": 1})
    assert json.loads(file.read_text()) == {"a": 1}
    merge(state="absent")
    assert file.read_bytes() == empty


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(merge, file, encoding):
    content = '{"debug": true}'.encode(encoding)
    file.write_bytes(content)
    answer = merge(merge={"a": 1})
    assert f"{file} is UTF-16" in answer["msg"]
    assert "iconv -f UTF-16 -t UTF-8" in answer["msg"]
    assert file.read_bytes() == content


def test_a_folder_in_the_place_of_the_file_is_named(merge, file):
    file.mkdir()
    assert f"{file} cannot be read: Is a directory" in merge(merge={"a": 1})["msg"]


def test_of_two_equal_keys_the_last_one_counts_and_objects_are_joined(merge, file):
    file.write_text('{"debug": false, "log-opts": {"a": "1", "b": "1"}, "debug": true, "log-opts": {"b": "2"}}')
    merge(merge={"x": 1})
    assert json.loads(file.read_text()) == {"debug": True, "log-opts": {"a": "1", "b": "2"}, "x": 1}


def test_below_the_top_the_last_object_of_a_name_is_the_only_one(merge, file):
    file.write_text('{"runtimes": {"n": {"path": "a"}, "n": {"args": []}}}')
    merge(merge={"x": 1})
    assert json.loads(file.read_text())["runtimes"] == {"n": {"args": []}}


def test_the_spaces_of_a_file_that_nobody_wrote_since_come_back(merge, file):
    text = '{ "a":1,\n   "b":[1,2] }'
    file.write_text(text)
    merge(merge={"c": 1})
    merge(merge={"c": 2})
    merge(state="absent")
    assert file.read_text() == text


def test_what_somebody_wrote_since_is_not_lost_for_the_bytes(merge, file):
    file.write_text('{"a":1}')
    merge(merge={"c": 1})
    file.write_text('{"a": 1, "c": 1, "mine": 1}')
    merge(merge={"c": 2})
    merge(state="absent")
    assert json.loads(file.read_text()) == {"a": 1, "mine": 1}


def test_two_roles_give_the_same_file_back_one_after_the_other(merge, file, tmp_path):
    file.write_text('{"a":1}')
    other = str(tmp_path / "kept" / "other")
    merge(merge={"b": 1})
    merge(merge={"c": 1}, backup=other)
    merge(state="absent", backup=other)
    merge(state="absent")
    assert file.read_text() == '{"a":1}'


# -- defaults ----------------------------------------------------------------------------------------------------------


def test_a_default_yields_to_what_is_there(merge, file):
    file.write_text('{"log-driver": "syslog", "log-opts": {"tag": "t"}}')
    merge(defaults={"log-driver": "json-file", "log-opts": {"max-size": "10m"}, "bip": "10.213.0.1/24"})
    assert json.loads(file.read_text()) == {
        "log-driver": "syslog",
        "log-opts": {"tag": "t", "max-size": "10m"},
        "bip": "10.213.0.1/24",
    }


def test_a_default_that_was_set_by_us_follows_the_wanted_value(merge, file):
    file.write_text("{}")
    merge(defaults={"bip": "172.17.0.1/16"})
    merge(defaults={"bip": "10.213.0.1/24"})
    assert json.loads(file.read_text()) == {"bip": "10.213.0.1/24"}
    merge(state="absent")
    assert file.read_text() == "{}"


def test_a_value_that_came_after_our_default_stays(merge, file):
    merge(defaults={"bip": "172.17.0.1/16"}, mode="0644")
    file.write_text('{"bip": "192.168.88.1/24"}')
    assert merge(defaults={"bip": "10.213.0.1/24"})["keys"] == []
    assert json.loads(file.read_text()) == {"bip": "192.168.88.1/24"}


def test_what_an_earlier_release_overwrote_is_given_back(merge, file):
    file.write_text('{"log-driver": "journald"}')
    merge(merge={"log-driver": "json-file"})
    merge(defaults={"log-driver": "json-file"})
    assert json.loads(file.read_text()) == {"log-driver": "journald"}


def test_null_is_no_value_that_a_default_yields_to(merge, file):
    file.write_text('{"log-opts": null}')
    merge(defaults={"log-opts": {"max-size": "10m"}})
    assert json.loads(file.read_text()) == {"log-opts": {"max-size": "10m"}}
    assert merge(defaults={"log-opts": {"max-size": "10m"}})["changed"] is False


def test_a_wanted_key_wins_over_a_default(merge, file):
    merge(defaults={"bip": "10.213.0.1/24"}, merge={"bip": "192.168.5.1/24"})
    assert json.loads(file.read_text()) == {"bip": "192.168.5.1/24"}


# -- the former file ---------------------------------------------------------------------------------------------------


def test_the_former_file_and_backup_are_kept_until_somebody_has_tried_the_new_one(merge, file, tmp_path):
    former = tmp_path / "kept" / "former"
    file.write_text('{"a":1}')
    merge(merge={"b": 1}, former=str(former))
    kept = json.loads(former.read_text())
    assert [entry["path"] for entry in kept] == [str(file), str(tmp_path / "kept" / "daemon")]
    assert [entry["content"] for entry in kept] == ["eyJhIjoxfQ==", None]
    merge(merge={"b": 2}, former=str(former))
    assert json.loads(former.read_text()) == kept


def test_nothing_is_kept_where_nothing_changes(merge, file, tmp_path):
    file.write_text('{"a": 1}')
    merge(merge={"a": 1}, former=str(tmp_path / "kept" / "former"))
    assert not (tmp_path / "kept" / "former").exists()


# -- a place without owners --------------------------------------------------------------------------------------------


def test_a_place_where_chown_fails_is_named_and_nothing_is_written(merge, file, tmp_path, monkeypatch):
    drive = tmp_path / "mnt" / "d"
    drive.mkdir(parents=True)
    (drive / "real.json").write_text("{}")
    file.symlink_to(drive / "real.json")

    def chown(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    answer = merge(merge={"a": 1})
    assert f"{drive}/real.json lies where files cannot get an owner of Linux" in answer["msg"]
    assert f"Let {file} lie in the distribution's own file system" in answer["msg"]
    assert [path.name for path in drive.iterdir()] == ["real.json"]
    assert (drive / "real.json").read_text() == "{}"
    assert not (tmp_path / "kept").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_users_file_and_the_folder_that_sudo_made_are_given_to_the_user(merge, tmp_path):
    folder = tmp_path / ".docker"
    folder.mkdir(mode=0o755)
    path = folder / "config.json"
    path.write_text("{}")
    options = {"path": str(path), "merge": {"a": 1}, "owner": "nobody", "mode": "0600", "directory_mode": "0700"}
    nobody = pwd.getpwnam("nobody").pw_uid
    assert merge(**options)["changed"] is True
    assert (folder.stat().st_uid, path.stat().st_uid) == (nobody, nobody)
    os.chown(folder, 0, 0)
    assert merge(check=True, **options)["changed"] is True
    assert folder.stat().st_uid == 0
    assert merge(**options)["changed"] is True
    assert (folder.stat().st_uid, merge(**options)["changed"]) == (nobody, False)
    os.chown(path, 0, 0)
    assert (merge(**options)["changed"], path.stat().st_uid) == (True, nobody)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_all_that_sudo_has_left_is_given_to_the_user_and_nothing_else(merge, tmp_path):
    nobody, folder, system = pwd.getpwnam("nobody").pw_uid, tmp_path / ".docker", tmp_path / "docker-compose"
    login = '{"auths": {"r.example.com": {"auth": "eA=="}}}'
    for name in ("config.json", "buildx/current", "contexts/meta/a"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(login)
    system.write_text("a program of the system")
    (folder / "cli-plugins").mkdir()
    (folder / "cli-plugins" / "docker-compose").symlink_to(system)
    os.chown(folder / "contexts", 4711, -1)
    options = {"path": str(folder / "config.json"), "owner": "nobody", "directory_mode": "0700"}
    assert merge(check=True, **options)["changed"] is True
    assert (folder / "buildx").stat().st_uid == 0
    assert merge(**options)["changed"] is True
    given = {path.relative_to(folder).as_posix(): path.lstat().st_uid for path in [folder, *folder.rglob("*")]}
    assert given.pop("contexts") == 4711
    assert set(given.values()) == {nobody}
    assert len(given) == 8
    assert (system.stat().st_uid, (folder / "config.json").read_text()) == (0, login)
    assert merge(**options)["changed"] is False


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_that_is_a_link_is_not_given_away(merge, tmp_path):
    (tmp_path / "system").mkdir()
    (tmp_path / ".docker").symlink_to(tmp_path / "system")
    assert merge(path=f"{tmp_path}/.docker/config.json", owner="nobody", directory_mode="0700")["changed"] is False
    assert (tmp_path / "system").stat().st_uid == 0
