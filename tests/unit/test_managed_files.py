"""The module that writes a role's files and gives back what was there before."""

import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

SOURCE = Path(__file__).parents[2] / "plugins/modules/managed_files.py"
SPEC = importlib.util.spec_from_file_location("managed_files", SOURCE)
managed_files = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(managed_files)


class Failed(Exception):
    pass


def fail_json(msg):
    raise Failed(msg)


@pytest.fixture
def run(tmp_path):
    """Run the module with the given files; paths are relative to an own /etc."""

    def run(*files, state="present", check_mode=False, validates=True):
        defaults = {"content": None, "block": None, "mode": "0644", "validate": None, "in_existing_folder": False}
        files = [defaults | file | {"path": str(tmp_path / file["path"])} for file in files]
        module = SimpleNamespace(
            params={"originals": str(tmp_path / "store/role"), "state": state, "files": files},
            check_mode=check_mode,
            run_command=lambda command: (0 if validates else 1, "", "syntax error"),
            fail_json=fail_json,
        )
        work = managed_files.Files(module)
        result = work.present() if state == "present" else work.absent()
        return result["changed"], [str(Path(path).relative_to(tmp_path)) for path in result["files"]]

    return run


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


def test_a_new_file_is_written_with_its_folders_and_the_second_run_changes_nothing(run, tmp_path):
    file = {"path": "etc/a/b.conf", "content": "x\n", "mode": "0440"}
    assert run(file) == (True, ["etc/a/b.conf"])
    assert (tmp_path / "etc/a/b.conf").read_text() == "x\n"
    assert (tmp_path / "etc/a/b.conf").stat().st_mode & 0o7777 == 0o440
    assert run(file) == (False, [])


def test_absent_leaves_no_trace(run, tmp_path):
    (tmp_path / "etc").mkdir()
    before = tree(tmp_path)
    run({"path": "etc/a/b.conf", "content": "x\n"}, {"path": "etc/c", "block": "y"})
    run(state="absent")
    assert tree(tmp_path / "etc") == {}
    assert before == {"etc": None}


def test_absent_brings_the_original_back_byte_for_byte_with_its_mode(run, tmp_path):
    path = tmp_path / "99proxy"
    path.write_bytes(b"theirs, without an end of line")
    path.chmod(0o600)
    run({"path": "99proxy", "content": "ours\n"})
    run({"path": "99proxy", "content": "ours, changed\n"})
    assert path.read_text() == "ours, changed\n"
    assert run(state="absent") == (True, ["99proxy"])
    assert path.read_bytes() == b"theirs, without an end of line"
    assert path.stat().st_mode & 0o7777 == 0o600


def test_absent_leaves_a_file_alone_that_was_never_written(run, tmp_path):
    (tmp_path / "99proxy").write_text("theirs\n")
    assert run({"path": "99proxy", "content": "ours\n"}, state="absent") == (False, [])
    assert (tmp_path / "99proxy").read_text() == "theirs\n"


def test_absent_twice_changes_nothing_the_second_time(run):
    run({"path": "a", "content": "x\n"})
    assert run(state="absent") == (True, ["a"])
    assert run(state="absent") == (False, [])


def test_a_block_goes_on_top_and_what_others_add_later_survives(run, tmp_path):
    path = tmp_path / "bash.bashrc"
    path.write_text("theirs\n")
    run({"path": "bash.bashrc", "block": ". /etc/x.sh\n"})
    assert path.read_text() == "# BEGIN wsl-dl-playbook role\n. /etc/x.sh\n# END wsl-dl-playbook role\ntheirs\n"
    path.write_text(path.read_text() + "added later\n")
    assert run({"path": "bash.bashrc", "block": ". /etc/x.sh\n"}) == (False, [])
    run(state="absent")
    assert path.read_text() == "theirs\nadded later\n"


def test_a_block_whose_end_is_lost_does_not_swallow_the_file():
    broken = b"# BEGIN wsl-dl-playbook role\ntheirs\n"
    assert managed_files.without_block(broken, "role") == broken


def test_nothing_is_written_when_one_file_is_invalid(run, tmp_path):
    with pytest.raises(Failed, match="sudoers would be invalid, so no file was changed: syntax error"):
        run(
            {"path": "a", "content": "x\n"},
            {"path": "sudoers", "content": "x\n", "validate": "visudo -cf %s"},
            validates=False,
        )
    assert tree(tmp_path) == {}


def test_a_file_is_left_out_where_its_folder_is_missing(run, tmp_path):
    assert run({"path": "cloud/x.cfg", "content": "x\n", "in_existing_folder": True}) == (False, [])
    assert tree(tmp_path) == {}


def test_check_mode_tells_and_writes_nothing(run, tmp_path):
    assert run({"path": "a", "content": "x\n"}, check_mode=True) == (True, ["a"])
    assert tree(tmp_path) == {}


def test_a_run_that_broke_after_keeping_the_original_is_finished_by_running_again(run, tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("theirs\n")
    real = managed_files.write

    def breaks(target, *arguments, **options):
        if target == str(path):
            raise OSError("the distro was shut down")
        real(target, *arguments, **options)

    monkeypatch.setattr(managed_files, "write", breaks)
    with pytest.raises(OSError, match="shut down"):
        run({"path": "a", "content": "ours\n"})
    monkeypatch.setattr(managed_files, "write", real)
    assert run({"path": "a", "content": "ours\n"}) == (True, ["a"])
    run(state="absent")
    assert path.read_text() == "theirs\n"


def test_a_file_that_is_no_longer_wanted_is_given_back(run, tmp_path):
    (tmp_path / "a").write_text("theirs\n")
    run({"path": "a", "content": "ours\n"}, {"path": "b", "content": "ours\n"})
    assert run({"path": "b", "content": "ours\n"}) == (True, ["a"])
    assert (tmp_path / "a").read_text() == "theirs\n"
    assert list(json.loads((tmp_path / "store/role/record.json").read_text())) == [str(tmp_path / "b")]
