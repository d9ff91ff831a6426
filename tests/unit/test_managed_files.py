"""The module that writes a role's files and gives back what was there before."""

import json
import os
import pwd
from pathlib import Path

import pytest

from tests.unit import run_module

MODULE = run_module.load("managed_files")


@pytest.fixture
def ask(tmp_path, capsys):
    """Run the module with the given files and return its answer; paths are relative to the test's folder."""

    def ask(*files, state="present", check=False):
        files = [file | {"path": str(tmp_path / file["path"])} for file in files]
        return run_module.run(
            MODULE, capsys, check=check, backup=str(tmp_path / "store/role"), state=state, files=files
        )

    return ask


@pytest.fixture
def run(ask, tmp_path):
    """Run the module and return whether anything changed, and which files."""

    def run(*files, **options):
        answer = ask(*files, **options)
        return answer["changed"], [str(Path(path).relative_to(tmp_path)) for path in answer["files"]]

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


@pytest.mark.parametrize("before", ["theirs;", "theirs;\n", "theirs;\n\n", ""])
def test_a_block_at_the_end_is_read_last_and_goes_without_a_trace(run, tmp_path, before):
    path, file = tmp_path / "apt.conf", {"path": "apt.conf", "block": "ours;\n", "block_at_end": True}
    path.write_text(before)
    assert run(file) == (True, ["apt.conf"])
    assert path.read_text().splitlines()[-2] == "ours;"
    assert path.read_text().startswith(before)
    assert run(file) == (False, [])
    path.write_text(path.read_text() + "later;\n")
    assert run(file) == (True, ["apt.conf"])
    assert path.read_text().splitlines()[-2] == "ours;"
    run(state="absent")
    assert path.read_text() == before + "later;\n"


def test_a_line_that_somebody_puts_above_our_block_keeps_its_end(run, tmp_path):
    (tmp_path / "bash.bashrc").write_text("theirs\n")
    run({"path": "bash.bashrc", "block": "ours\n"})
    (tmp_path / "bash.bashrc").write_text("above\n" + (tmp_path / "bash.bashrc").read_text())
    run(state="absent")
    assert (tmp_path / "bash.bashrc").read_text() == "above\ntheirs\n"


def test_blocks_of_several_roles_stand_on_top_of_one_file_in_any_order():
    file = b"theirs\n"
    for name in ("one", "two", "three"):
        file = MODULE.with_block(file, name, name)
    for name in ("one", "two", "three", "one"):
        assert MODULE.with_block(file, name, name) == file
    changed = MODULE.with_block(file, "two", "other")
    assert changed == file.replace(b"\ntwo\n", b"\nother\n")
    above = MODULE.with_block(b"somebody\n" + file, "two", "two")
    assert above.startswith(b"# BEGIN wsl-dl-playbook two\ntwo\n# END wsl-dl-playbook two\nsomebody\n")
    for name in ("two", "three", "one"):
        file = MODULE.without_block(file, name)
    assert file == b"theirs\n"


def test_a_block_whose_end_is_lost_does_not_swallow_the_file():
    broken = b"# BEGIN wsl-dl-playbook role\ntheirs\n"
    assert MODULE.without_block(broken, "role") == broken


def test_nothing_is_written_when_one_file_is_invalid(ask, tmp_path):
    bad = {"path": "sudoers", "content": "x\n", "validate": "sh -c 'echo syntax error; exit 1' %s"}
    answer = ask({"path": "a", "content": "x\n"}, bad)
    assert answer["failed"]
    assert answer["msg"].endswith("sudoers would be invalid, so no file was changed: syntax error")
    assert tree(tmp_path) == {}


def test_a_file_with_both_content_and_block_is_refused(ask):
    assert ask({"path": "a", "content": "x\n", "block": "y"})["failed"]


def test_a_file_is_left_out_where_its_folder_is_missing(run, tmp_path):
    assert run({"path": "cloud/x.cfg", "content": "x\n", "in_existing_folder": True}) == (False, [])
    assert tree(tmp_path) == {}


def test_check_mode_tells_and_writes_nothing(run, tmp_path):
    assert run({"path": "a", "content": "x\n"}, check=True) == (True, ["a"])
    assert tree(tmp_path) == {}


def test_a_run_that_broke_after_keeping_the_original_is_finished_by_running_again(run, tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("theirs\n")
    real = MODULE.write

    def breaks(target, *arguments, **options):
        if target == str(path):
            raise OSError("the distribution was shut down")
        real(target, *arguments, **options)

    monkeypatch.setattr(MODULE, "write", breaks)
    with pytest.raises(OSError, match="shut down"):
        run({"path": "a", "content": "ours\n"})
    monkeypatch.setattr(MODULE, "write", real)
    assert run({"path": "a", "content": "ours\n"}) == (True, ["a"])
    run(state="absent")
    assert path.read_text() == "theirs\n"


def test_a_file_that_is_no_longer_wanted_is_given_back(run, tmp_path):
    (tmp_path / "a").write_text("theirs\n")
    run({"path": "a", "content": "ours\n"}, {"path": "b", "content": "ours\n"})
    assert run({"path": "b", "content": "ours\n"}) == (True, ["a"])
    assert (tmp_path / "a").read_text() == "theirs\n"
    assert list(json.loads((tmp_path / "store/role/record.json").read_text())) == [str(tmp_path / "b")]


TEMPLATE = {"path": "project/.devcontainer/Dockerfile", "content": "FROM ours\n", "keep_edits": True}


def test_a_template_follows_its_role_as_long_as_nobody_edits_it(run, tmp_path):
    assert run(TEMPLATE) == (True, ["project/.devcontainer/Dockerfile"])
    assert run(TEMPLATE) == (False, [])
    assert run(TEMPLATE | {"content": "FROM newer\n"}) == (True, ["project/.devcontainer/Dockerfile"])
    assert (tmp_path / TEMPLATE["path"]).read_text() == "FROM newer\n"
    run(state="absent")
    assert not (tmp_path / "project").exists()


def test_an_edited_template_stays_with_present_and_with_absent(ask, run, tmp_path):
    other = {"path": "project/other", "content": "x\n", "keep_edits": True}
    run(TEMPLATE, other)
    path = tmp_path / TEMPLATE["path"]
    path.write_text("FROM mine\n")
    answer = ask(TEMPLATE | {"content": "FROM newer\n"}, other)
    assert (answer["changed"], answer["left"]) == (False, [str(path)])
    assert path.read_text() == "FROM mine\n"
    assert run(state="absent") == (True, ["project/other"])
    assert path.read_text() == "FROM mine\n"
    assert not (tmp_path / "project/other").exists()


def test_a_file_that_was_there_before_is_never_taken_for_a_template(ask, tmp_path):
    path = tmp_path / TEMPLATE["path"]
    path.parent.mkdir(parents=True)
    path.write_text("FROM mine\n")
    answer = ask(TEMPLATE)
    assert (answer["changed"], answer["left"]) == (False, [str(path)])
    assert ask(state="absent")["changed"] is False
    assert path.read_text() == "FROM mine\n"


def test_a_template_that_broke_before_it_was_written_is_written_by_the_next_run(run, tmp_path, monkeypatch):
    run(TEMPLATE)
    real = MODULE.write

    def breaks(target, *arguments):
        if target.endswith("Dockerfile"):
            raise OSError("the distribution was shut down")
        real(target, *arguments)

    newer = TEMPLATE | {"content": "FROM newer\n"}
    monkeypatch.setattr(MODULE, "write", breaks)
    with pytest.raises(OSError, match="shut down"):
        run(newer)
    monkeypatch.setattr(MODULE, "write", real)
    assert run(newer) == (True, ["project/.devcontainer/Dockerfile"])
    assert (tmp_path / TEMPLATE["path"]).read_text() == "FROM newer\n"


def test_a_template_in_another_folder_leaves_no_empty_folder_behind(run, tmp_path):
    run(TEMPLATE)
    run(TEMPLATE | {"path": "elsewhere/Dockerfile"})
    assert not (tmp_path / "project").exists()
    assert (tmp_path / "elsewhere/Dockerfile").read_text() == "FROM ours\n"


def test_a_template_and_its_folders_belong_to_their_user(run, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(MODULE.os, "chown", lambda path, *owner: given.append((Path(path).parent.name, owner)))
    monkeypatch.setattr(
        MODULE.pwd, "getpwnam", lambda name: MODULE.pwd.struct_passwd((name, "", 1000, 100, "", "", ""))
    )
    run(TEMPLATE | {"owner": "dev"})
    assert given == [
        (tmp_path.name, (1000, 100)),  # the place is tried first
        (tmp_path.name, (1000, 100)),
        ("project", (1000, 100)),
        (".devcontainer", (1000, 100)),
    ]


def test_a_wrong_mode_is_mended(run, tmp_path):
    file = {"path": "a", "content": "x\n", "mode": "0640"}
    run(file)
    (tmp_path / "a").chmod(0o600)
    assert run(file) == (True, ["a"])
    assert (tmp_path / "a").stat().st_mode & 0o7777 == 0o640
    assert run(file) == (False, [])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_wrong_owner_is_mended_and_a_file_with_a_block_keeps_its_own(run, tmp_path):
    files = (
        {"path": "a", "content": "x\n"},
        {"path": "b", "content": "x\n", "owner": "nobody"},
        {"path": "c", "block": "x"},
    )
    nobody = pwd.getpwnam("nobody")
    run(*files)
    os.chown(tmp_path / "a", nobody.pw_uid, nobody.pw_gid)
    os.chown(tmp_path / "b", 0, 0)
    os.chown(tmp_path / "c", nobody.pw_uid, nobody.pw_gid)
    assert run(*files) == (True, ["a", "b"])
    owners = [((tmp_path / name).stat().st_uid, (tmp_path / name).stat().st_gid) for name in "abc"]
    assert owners == [(0, 0), (nobody.pw_uid, nobody.pw_gid), (nobody.pw_uid, nobody.pw_gid)]
    assert run(*files) == (False, [])


def test_an_owner_whom_nobody_knows_is_named_before_a_file_is_changed(ask, tmp_path):
    answer = ask({"path": "a", "content": "x\n"}, {"path": "b", "content": "x\n", "owner": "no-such-user"})
    assert "shall belong to no-such-user, whom this machine does not know" in answer["msg"]
    assert tree(tmp_path) == {}
    assert ask({"path": "b", "content": "x\n", "owner": "no-such-user"}, check=True)["changed"] is True


def test_a_place_where_chown_fails_is_named_by_its_real_path_and_nothing_is_written(ask, tmp_path, monkeypatch):
    drive = tmp_path / "mnt" / "d" / "projects"
    drive.mkdir(parents=True)
    (tmp_path / "projects").symlink_to(drive)

    def chown(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chown", chown)
    me = pwd.getpwuid(os.getuid()).pw_name
    answer = ask({"path": "etc/a", "content": "x"}, {"path": "projects/deep/b", "content": "x", "owner": me})
    assert answer["failed"] is True
    assert f"{tmp_path}/projects/deep/b cannot be written: {drive} is where files cannot get an owner" in answer["msg"]
    assert list(drive.iterdir()) == []
    assert not (tmp_path / "etc").exists()
    assert not (tmp_path / "store").exists()
