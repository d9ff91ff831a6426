"""win_file, win_stat, win_copy, win_find, slurp, win_tempfile."""

from __future__ import annotations

import base64

import pytest

from lab.winsim.machine import Machine

HELLO_SHA1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d"


def test_a_folder_is_made_once_with_its_parents(host):
    args = {"path": "C:/Lab/a/b", "state": "directory"}
    assert host.module("win_file", check=True, **args)["changed"] is True
    assert host.module("win_stat", path="C:\\Lab")["stat"] == {"exists": False}
    assert host.module("win_file", **args)["changed"] is True
    assert host.module("win_file", **args)["changed"] is False
    stat = host.module("win_stat", path="c:\\lab\\A")["stat"]
    assert (stat["isdir"], stat["path"], stat["attributes"]) == (True, "C:\\Lab\\a", "Directory")


def test_absent_takes_a_full_folder_away(host):
    host.machine.files.write_bytes("C:\\Lab\\x\\y.txt", b"hello", parents=True)
    assert host.module("win_file", path="C:\\Lab", state="absent", check=True)["changed"] is True
    assert host.machine.files.is_file("C:\\LAB\\X\\Y.TXT")
    assert host.module("win_file", path="C:\\Lab", state="absent")["changed"] is True
    assert host.module("win_file", path="C:\\Lab", state="absent")["changed"] is False


def test_file_where_a_folder_is_wanted_fails(host, fails):
    host.machine.files.write_bytes("C:\\x.txt", b"")
    with fails("path C:\\\\x.txt is not a directory"):
        host.module("win_file", path="C:\\x.txt", state="directory")
    with fails("path C:\\\\none.txt will not be created"):
        host.module("win_file", path="C:\\none.txt", state="file")


def test_stat_gives_size_and_checksum(host):
    host.machine.files.write_bytes("C:\\h.txt", b"hello")
    stat = host.module("win_stat", path="C:\\h.txt")["stat"]
    assert (stat["checksum"], stat["size"], stat["isreg"], stat["extension"]) == (HELLO_SHA1, 5, True, ".txt")
    sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert host.module("win_stat", path="C:\\h.txt", checksum_algorithm="sha256")["stat"]["checksum"] == sha256
    assert "checksum" not in host.module("win_stat", path="C:\\h.txt", get_checksum=False)["stat"]


def test_slurp_reads_files_only(host, fails):
    host.machine.files.write_bytes("C:\\h.txt", b"hello")
    assert base64.b64decode(host.module("slurp", src="C:\\h.txt")["content"]) == b"hello"
    with fails("Path C:\\\\Windows is a directory"):
        host.module("slurp", src="C:\\Windows")
    with fails("Path C:\\\\none is not found"):
        host.module("slurp", src="C:\\none")


def test_copy_asks_for_what_differs_and_places_it(host):
    query = {
        "_copy_mode": "query",
        "dest": "C:\\Lab",
        "files": [{"src": "h.txt", "dest": "h.txt", "checksum": HELLO_SHA1}],
    }
    assert host.module("win_copy", **query)["files"] == query["files"]
    host.machine.files.write_bytes("C:\\Temp\\up", b"hello", parents=True)
    single = {"_copy_mode": "single", "src": "C:\\Temp\\up", "dest": "C:\\Lab\\", "_original_basename": "h.txt"}
    assert host.module("win_copy", **single)["changed"] is True
    assert host.machine.files.read_bytes("C:\\Lab\\h.txt") == b"hello"
    assert host.module("win_copy", **query)["files"] == []


def test_copy_into_a_missing_folder_fails(host, fails):
    host.machine.files.write_bytes("C:\\a.txt", b"new")
    with fails("Destination directory 'C:\\\\none' does not exist"):
        host.module("win_copy", _copy_mode="single", src="C:\\a.txt", dest="C:\\none\\b.txt")


def test_find_filters_by_name(host):
    files = host.machine.files
    files.write_bytes("C:\\f\\a.log", b"x" * 2048, parents=True)
    files.write_bytes("C:\\f\\sub\\b.LOG", b"x", parents=True)
    files.write_bytes("C:\\f\\B.LOG", b"x")
    files.write_bytes("C:\\f\\c.txt", b"x")
    found = host.module("win_find", paths=["C:\\f"], patterns=["*.log"])
    assert [item["path"] for item in found["files"]] == ["C:\\f\\a.log", "C:\\f\\B.LOG"]
    assert found["matched"] == 2
    assert "does not exist" in host.module("win_find", paths=["C:\\none"])["warnings"][0]


def test_a_full_disk_refuses_to_be_written(build, on, fails):
    host = on(build(disks={"C": {"size_gb": 100, "free_gb": 0}}))
    with pytest.raises(OSError, match="There is not enough space on the disk"):
        host.machine.files.write_bytes("C:\\x", b"hello")


def test_state_survives_a_restart(tmp_path):
    machine = Machine.load("windows11-zh-cn", tmp_path)
    machine.files.write_bytes("C:\\big.bin", b"x" * 5000)
    machine.registry.set("HKLM\\SOFTWARE\\Lab", "b", b"\x01\xff")
    machine.save()
    again = Machine.load("windows11-zh-cn", tmp_path)
    assert again.files.read_bytes("c:\\BIG.bin") == b"x" * 5000
    assert again.registry.get("HKLM\\software\\lab", "B") == b"\x01\xff"
    assert again.last_boot == machine.last_boot
