import json
import os
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
            MODULE, capsys, **{"path": str(file), "record": str(tmp_path / "kept" / "daemon"), **arguments}
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


def test_a_run_broken_after_the_record_can_be_finished_and_undone(merge, file):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    file.write_text(FOREIGN)  # as if the record had been written, and the file not
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


def test_the_record_can_be_read_by_its_owner_only(merge, file, tmp_path):
    file.write_text(FOREIGN)
    merge(merge=WANTED)
    assert stat.S_IMODE((tmp_path / "kept" / "daemon").stat().st_mode) == 0o600
