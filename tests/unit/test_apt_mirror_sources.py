"""The module that points the release's archive at a mirror, on the sources of real releases."""

import os

import pytest

from tests.unit import loaded, run_module

MODULE = loaded.module("roles/apt_mirror/library/apt_mirror_sources.py")
MIRROR = "https://mirrors.ustc.edu.cn/ubuntu"

JAMMY = """\
# See http://help.ubuntu.com/community/UpgradeNotes
deb http://archive.ubuntu.com/ubuntu/ jammy main restricted
# deb-src http://archive.ubuntu.com/ubuntu/ jammy main restricted
deb http://archive.ubuntu.com/ubuntu/ jammy-updates main restricted
deb [arch=amd64 signed-by=/k.gpg] http://archive.ubuntu.com/ubuntu jammy universe
deb http://security.ubuntu.com/ubuntu/ jammy-security main restricted
deb https://ppa.launchpadcontent.net/deadsnakes/ppa/ubuntu jammy main
deb [signed-by=/d.asc] https://download.docker.com/linux/ubuntu jammy stable
"""
JAMMY_MIRRORED = """\
# See http://help.ubuntu.com/community/UpgradeNotes
deb https://mirrors.ustc.edu.cn/ubuntu jammy main restricted
# deb-src http://archive.ubuntu.com/ubuntu/ jammy main restricted
deb https://mirrors.ustc.edu.cn/ubuntu jammy-updates main restricted
deb [arch=amd64 signed-by=/k.gpg] https://mirrors.ustc.edu.cn/ubuntu jammy universe
deb http://security.ubuntu.com/ubuntu/ jammy-security main restricted
deb https://ppa.launchpadcontent.net/deadsnakes/ppa/ubuntu jammy main
deb [signed-by=/d.asc] https://download.docker.com/linux/ubuntu jammy stable
"""
NOBLE = """\
Types: deb
URIs: http://archive.ubuntu.com/ubuntu/
Suites: noble noble-updates noble-backports
Components: main universe

# ours
Types: deb
URIs: https://download.docker.com/linux/ubuntu
Suites: noble
Components: stable

Types: deb
URIs: http://security.ubuntu.com/ubuntu/
Suites: noble-security
Components: main universe
"""
NOBLE_MIRRORED = NOBLE.replace("http://archive.ubuntu.com/ubuntu/", MIRROR)


@pytest.fixture
def mirror(tmp_path, capsys, monkeypatch):
    """Run the module on one sources file with this text; apt is content with every mirror."""
    monkeypatch.setattr(MODULE.Mirror, "is_missing", lambda self: False)
    monkeypatch.setattr(MODULE.Mirror, "judge", lambda self: None)

    def mirror(text=None, codename="jammy", check=False, **arguments):
        path = tmp_path / "sources"
        if text is not None:
            path.write_text(text)
        arguments = {"uri": MIRROR, "codename": codename} | arguments
        paths, backup = [str(path), str(tmp_path / "missing")], str(tmp_path / "backup")
        answer = run_module.run(MODULE, capsys, check=check, paths=paths, backup=backup, **arguments)
        return answer, path.read_text()

    return mirror


def test_one_line_sources_change_nothing_but_the_archives_addresses(mirror):
    assert mirror(JAMMY)[1] == JAMMY_MIRRORED


def test_deb822_sources_change_nothing_but_the_archives_addresses(mirror):
    assert mirror(NOBLE, "noble")[1] == NOBLE_MIRRORED


def test_security_updates_are_mirrored_by_choice(mirror):
    text = mirror(NOBLE, "noble", security=True)[1]
    assert text == NOBLE_MIRRORED.replace("http://security.ubuntu.com/ubuntu/", MIRROR)


def test_a_mirror_that_the_tutorial_left_is_replaced_whatever_its_name(mirror):
    theirs = JAMMY.replace("archive.ubuntu.com", "mirror.of.somebody.example")
    assert mirror(theirs)[1].count("somebody") == 1, "only the comment stays"


def test_the_second_run_changes_nothing(mirror):
    assert mirror(JAMMY)[0]["changed"]
    assert not mirror()[0]["changed"]


def test_another_mirror_later_takes_the_place_of_the_first(mirror):
    mirror(JAMMY)
    text = mirror(uri="https://mirrors.tuna.tsinghua.edu.cn/ubuntu")[1]
    assert "ustc" not in text
    assert text.count("tuna") == 3


def test_security_taken_back_from_the_mirror_has_its_old_address_again(mirror):
    mirror(JAMMY, security=True)
    assert mirror(security=False)[1] == JAMMY_MIRRORED


def test_absent_gives_the_original_back_byte_for_byte_with_mode_and_time(mirror, tmp_path):
    text = JAMMY.rstrip("\n")
    path = tmp_path / "sources"
    path.write_text(text)
    path.chmod(0o640)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    mirror()
    assert mirror(state="absent")[1] == text
    assert path.stat().st_mode & 0o7777 == 0o640
    assert path.stat().st_mtime == 1_000_000_000
    assert not (tmp_path / "backup").exists()


def test_absent_keeps_what_others_added_meanwhile(mirror, tmp_path):
    mirror(JAMMY)
    path = tmp_path / "sources"
    path.write_text("deb https://example.com/first jammy main\n" + path.read_text() + "# last\n")
    mirror()
    assert mirror(state="absent")[1] == "deb https://example.com/first jammy main\n" + JAMMY + "# last\n"


def test_absent_without_a_present_before_touches_nothing(mirror):
    answer, text = mirror(JAMMY, state="absent")
    assert (answer["changed"], text) == (False, JAMMY)


def test_check_mode_shows_the_change_and_writes_nothing(mirror, tmp_path):
    answer, text = mirror(JAMMY, check=True)
    assert answer["changed"]
    assert answer["diff"][0]["after"] == JAMMY_MIRRORED
    assert text == JAMMY
    assert not (tmp_path / "backup").exists()


def test_a_run_that_broke_before_the_file_was_written_is_finished_by_the_next(mirror, monkeypatch, tmp_path):
    path = str(tmp_path / "sources")
    real = MODULE.write

    def breaks(target, *arguments, **options):
        if target == path:
            raise OSError("the distribution was shut down")
        real(target, *arguments, **options)

    monkeypatch.setattr(MODULE, "write", breaks)
    with pytest.raises(OSError, match="shut down"):
        mirror(JAMMY)
    monkeypatch.setattr(MODULE, "write", real)
    assert mirror()[1] == JAMMY_MIRRORED
    assert mirror(state="absent")[1] == JAMMY


def test_sources_without_the_release_are_refused_and_stay(mirror):
    answer, text = mirror("deb http://archive.ubuntu.com/ubuntu focal focal-updates main\n")
    assert answer["failed"]
    assert "names the suite jammy-updates" in answer["msg"]
    assert text == "deb http://archive.ubuntu.com/ubuntu focal focal-updates main\n"


def test_debians_own_sources_work_the_same_way(mirror):
    text = "deb http://archive.example/debian trixie main\ndeb http://archive.example/debian trixie-updates main\n"
    security = "deb http://security.debian.org/debian-security trixie-security main\n"
    answer, after = mirror(text + security, "trixie", uri="https://mirror.example/debian")
    assert after == text.replace("http://archive.example", "https://mirror.example") + security
