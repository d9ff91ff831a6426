"""The module that trusts an apt repository: verified before anything is written, quiet when nothing is to be done."""

import json

import pytest

from tests.unit import run_module

ONE = """-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawR9ZRYJKwYBBAHaRw8BAQdAQBhGwa+kid4QJ+r/ZvnPi3Iqf4KYQhgRuhQO
xs1n7ee0DFRlc3Qga2V5IG9uZYiQBBMWCAA4FiEEParniYeYX963qhmK1+vBLLxR
v+kFAmsEfWUCGwMFCwkIBwIGFQoJCAsCBBYCAwECHgECF4AACgkQ1+vBLLxRv+k5
CQEAtxbBOasAA2wnALfGxVzjiBxlFDrp3Dyp2gkTNZvgfTEBAMdMEeJJrOIs0Qwg
D2LXIAbQ920e7dJozXvbpEKH23QE
=HOc5
-----END PGP PUBLIC KEY BLOCK-----
"""
FINGERPRINT = "3DAAE78987985FDEB7AA198AD7EBC12CBC51BFE9"
OTHER = "556CC83EC3613C2D62331F88E90E716A8B1E5B7B"
SOURCE = """# Ansible managed: apt_source
Types: deb
URIs: https://vendor.example/linux
Suites: noble
Components: stable
Architectures: amd64
Signed-By: {keyring}
"""


@pytest.fixture
def machine(tmp_path, monkeypatch, capsys):
    """Return a function that runs the module on a small machine below tmp_path; the vendor publishes key ONE."""
    module = run_module.load("apt_source")
    for name in ("parts", "lists", "keys"):
        (tmp_path / name).mkdir()
    (tmp_path / "lists" / "archive.example_ubuntu_dists_noble_InRelease").write_text("")
    monkeypatch.setattr(module, "PARTS", str(tmp_path / "parts"))
    monkeypatch.setattr(module, "LISTS", str(tmp_path / "lists"))
    calls = []

    def fetch(self, scope, source, key, leftovers):
        calls.append(f"index of {scope}")
        if getattr(module, "unreachable", False):
            raise module.Refused("The index could not be fetched.")
        (tmp_path / "lists" / "vendor.example_linux_dists_noble_InRelease").write_text("")

    def download(self):
        calls.append("key")
        return ONE.encode()

    monkeypatch.setattr(module.Source, "fetch", fetch)
    monkeypatch.setattr(module.Source, "download", download)

    def run(**arguments):
        calls.clear()
        known = {
            "name": "vendor",
            "key_url": "https://vendor.example/key",
            "fingerprint": FINGERPRINT,
            "keyring": str(tmp_path / "keys" / "vendor.asc"),
            "uris": ["https://vendor.example/linux"],
            "suites": ["noble"],
            "components": ["stable"],
            "architectures": ["amd64"],
            "originals": str(tmp_path / "originals"),
        }
        return run_module.run(module, capsys, **{**known, **arguments}), list(calls)

    run.module, run.path = module, tmp_path
    return run


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_key_source_and_index_come_in_one_run(machine):
    answer, calls = machine()
    assert (answer["changed"], answer["index"], calls) == (True, "source", ["key", "index of source"])
    keyring = machine.path / "keys" / "vendor.asc"
    assert keyring.read_text() == ONE
    assert (machine.path / "parts" / "vendor.sources").read_text() == SOURCE.format(keyring=keyring)


def test_a_second_run_downloads_nothing_and_changes_nothing(machine):
    machine()
    answer, calls = machine()
    assert (answer["changed"], calls) == (False, [])


def test_the_fingerprint_may_be_written_in_groups(machine):
    answer, _ = machine(fingerprint="3daa e789 8798 5fde b7aa  198a d7eb c12c bc51 bfe9")
    assert answer["changed"] is True


def test_another_key_is_refused_with_both_fingerprints_and_nothing_changes(machine):
    before = files(machine.path)
    answer, calls = machine(fingerprint=OTHER)
    assert f"wanted {OTHER}, found {FINGERPRINT}" in answer["msg"]
    assert "if the vendor has announced a new key, put its fingerprint into the variable" in answer["msg"]
    assert (calls, files(machine.path)) == (["key"], before)


def test_a_login_page_instead_of_a_key_is_refused(machine, monkeypatch):
    monkeypatch.setattr(machine.module.Source, "download", lambda self: b"<html>Please log in</html>")
    assert "found no OpenPGP key" in machine()[0]["msg"]


def test_a_short_key_id_is_no_fingerprint(machine):
    assert "Give the 40 hexadecimal digits" in machine(fingerprint="BC51BFE9")[0]["msg"]


def test_an_index_that_cannot_be_fetched_changes_nothing(machine):
    before = files(machine.path)
    machine.module.unreachable = True
    answer, _ = machine()
    assert (answer["failed"], files(machine.path)) == (True, before)
    machine.module.unreachable = False
    assert machine()[0]["changed"] is True


def test_a_lost_index_is_fetched_again(machine):
    machine()
    (machine.path / "lists" / "vendor.example_linux_dists_noble_InRelease").unlink()
    answer, calls = machine()
    assert (answer["changed"], calls) == (True, ["index of source"])


def test_every_index_is_fetched_when_the_machine_has_no_other(machine):
    (machine.path / "lists" / "archive.example_ubuntu_dists_noble_InRelease").unlink()
    assert machine()[1] == ["key", "index of all"]


def test_a_binary_keyring_gets_the_same_key(machine):
    keyring = machine.path / "keys" / "vendor.gpg"
    machine(keyring=str(keyring))
    assert not keyring.read_bytes().startswith(b"-----BEGIN")
    assert machine(keyring=str(keyring))[0]["changed"] is False


def test_check_mode_downloads_nothing_and_writes_nothing(machine):
    before = files(machine.path)
    answer, calls = machine(check=True)
    assert (answer["changed"], calls, files(machine.path)) == (True, [], before)


def test_files_that_name_the_repository_in_another_way_go_and_come_back(machine):
    parts = machine.path / "parts"
    older = "deb [arch=amd64 signed-by=/old.gpg] https://vendor.example/linux/ noble stable\n"
    (parts / "vendor.list").write_text(older)
    (parts / "vendor.sources").write_text("Types: deb\nURIs: https://vendor.example/linux\nSuites: noble\n")
    (parts / "ubuntu.sources").write_text("URIs: http://archive.example/ubuntu\n")
    machine()
    assert files(parts) == ["ubuntu.sources", "vendor.sources"]
    machine(state="absent")
    assert files(parts) == ["ubuntu.sources", "vendor.list", "vendor.sources"]
    assert (parts / "vendor.list").read_text() == older
    assert "Ansible" not in (parts / "vendor.sources").read_text()


def test_a_file_that_names_other_repositories_too_is_left_for_a_human(machine):
    mixed = "deb https://vendor.example/linux noble stable\ndeb https://else.example/apt noble main\n"
    (machine.path / "parts" / "mixed.list").write_text(mixed)
    answer, _ = machine()
    assert "mixed.list names https://vendor.example/linux beside other repositories" in answer["msg"]
    assert (machine.path / "parts" / "mixed.list").read_text() == mixed


def test_a_comment_that_names_the_repository_is_no_conflict(machine):
    (machine.path / "parts" / "notes.list").write_text("# deb https://vendor.example/linux noble stable\n")
    machine()
    assert (machine.path / "parts" / "notes.list").exists()


def test_absent_leaves_nothing_and_a_second_time_changes_nothing(machine):
    before = files(machine.path / "parts") + files(machine.path / "keys")
    machine()
    assert machine(state="absent")[0]["changed"] is True
    assert files(machine.path / "parts") + files(machine.path / "keys") == before
    assert not (machine.path / "originals" / "vendor").exists()
    assert machine(state="absent")[0]["changed"] is False


def test_a_keyring_that_was_right_before_stays_with_absent(machine):
    keyring = machine.path / "keys" / "vendor.asc"
    keyring.write_text(ONE)
    assert "key" not in machine()[1]
    machine(state="absent")
    assert keyring.read_text() == ONE


def test_the_record_is_plain_json(machine):
    machine()
    record = json.loads((machine.path / "originals" / "vendor" / "record.json").read_text())
    assert set(record.values()) == {None}


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("https://download.docker.com/linux/ubuntu", "download.docker.com_linux_ubuntu"),
        ("https://nvidia.example/stable/deb/$(ARCH)", "nvidia.example_stable_deb"),
        ("https://nvidia.example/wsl-ubuntu/x86_64/", "nvidia.example_wsl-ubuntu_x86%5f64"),
    ],
)
def test_indexes_are_found_by_apts_own_names(machine, uri, prefix):
    assert machine.module.list_prefix(uri) == prefix
