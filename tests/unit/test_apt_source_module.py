"""The module that trusts an apt repository: verified before anything is written, quiet when nothing is to be done."""

import json
import subprocess

import pytest

from tests.unit import apt_root, run_module

pytestmark = apt_root.needs_apt
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
    apt_root.make(tmp_path / "root", monkeypatch)
    for name, path in {"parts": "etc/apt/sources.list.d", "lists": "var/lib/apt/lists", "keys": "etc/keys"}.items():
        (tmp_path / "root" / path).mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(tmp_path / "root" / path)
    (tmp_path / "lists" / "archive.example_ubuntu_dists_noble_InRelease").write_text("")
    calls = []

    def fetch(self, scope, source, key, plan):
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
            "backup": str(tmp_path / "backup"),
        }
        return run_module.run(module, capsys, **{**known, **arguments}), list(calls)

    def apt_reads():
        argv = ["apt-get", "update", "--print-uris"]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stderr

    run.module, run.path, run.apt_reads = module, tmp_path, apt_reads
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
    assert "Give all 40 digits" in machine(fingerprint="BC51BFE9")[0]["msg"]


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
    (parts / "vendor.sources").write_text(
        "Types: deb\nURIs: https://vendor.example/linux\nSuites: noble\nComponents: a\n"
    )
    (parts / "ubuntu.sources").write_text(
        "Types: deb\nURIs: http://archive.example/ubuntu\nSuites: noble\nComponents: main\n"
    )
    machine()
    assert files(parts) == ["ubuntu.sources", "vendor.sources"]
    machine(state="absent")
    assert files(parts) == ["ubuntu.sources", "vendor.list", "vendor.sources"]
    assert (parts / "vendor.list").read_text() == older
    assert "Ansible" not in (parts / "vendor.sources").read_text()


SHARED = [
    # the tutorial's line, last in the file that Ubuntu brings (CASES C5)
    (
        "sources.list",
        "deb http://archive.example/ubuntu jammy main\n"
        "{}deb [arch=amd64 signed-by=/old.gpg] https://vendor.example/linux noble stable\n",
    ),
    ("sources.list", "{}deb [signed-by=/old.gpg] https://vendor.example/linux noble stable\n"),
    ("sources.list", "{}deb https://vendor.example/linux/ noble test edge # mine\ndeb http://a.example/x noble main\n"),
    (
        "parts/x.list",
        "{}deb-src [ signed-by=/old.gpg ] http://vendor.example//linux noble stable\ndeb http://a.example/x noble main",
    ),
    (
        "parts/x.list",
        "deb http://a.example/x noble main\r\n{}deb [trusted=yes] https://VENDOR.example:443/linux noble stable\r\n",
    ),
    (
        "parts/x.sources",
        "{0}Types: deb\n# why\n{0}URIs: https://vendor.example/linux/\n{0}Suites: noble\n{0}Components: stable\n"
        "{0}Signed-By:\n{0} -----BEGIN PGP PUBLIC KEY BLOCK-----\n{0} .\n{0} mDMEawR9\n"
        "{0} -----END PGP PUBLIC KEY BLOCK-----\n"
        "\n# else\nTypes: deb\nURIs: http://a.example/x\nSuites: noble\nComponents: main\n",
    ),
    (
        "parts/x.sources",
        "Types: deb\nURIs: http://a.example/x\nSuites: noble\nComponents: main\n\n"
        "{0}Enabled: yes\n{0}Types: deb\n{0}Suites: noble\n{0}URIs: http://vendor.example/linux\n{0}Components: stable",
    ),
]


@pytest.mark.parametrize(("name", "text"), SHARED)
def test_in_a_shared_file_only_the_repositorys_own_lines_become_comments_and_come_back(machine, name, text):
    path = machine.path / ("root/etc/apt/sources.list" if name == "sources.list" else name)
    path.write_bytes(text.format("").encode())
    path.chmod(0o640)
    answer, _ = machine()
    assert "failed" not in answer, answer
    assert path.read_bytes().decode() == text.format("# wsl-dl-playbook vendor: ")
    assert path.stat().st_mode & 0o7777 == 0o640
    assert machine.apt_reads() == ""
    line = text.split("{")[0].count("\n") + 1
    assert answer["set_aside"] == [f"{path.parent.resolve() / path.name}:{line}"]
    assert machine()[0]["changed"] is False
    machine(state="absent")
    assert path.read_bytes().decode() == text.format("")
    assert path.stat().st_mode & 0o7777 == 0o640
    assert machine(state="absent")[0]["changed"] is False


def test_what_others_write_into_a_shared_file_meanwhile_stays(machine):
    path = machine.path / "root/etc/apt/sources.list"
    path.write_text("deb https://vendor.example/linux noble stable\n")
    machine()
    path.write_text("deb http://new.example/x noble main\n" + path.read_text() + "# last\n")
    machine(state="absent")
    assert path.read_text() == (
        "deb http://new.example/x noble main\ndeb https://vendor.example/linux noble stable\n# last\n"
    )


FLAT = {"uris": ["https://nvidia.example/stable/deb/$(ARCH)"], "suites": ["/"], "components": []}


@pytest.mark.parametrize(
    "line",
    [
        "deb [signed-by=/old.gpg] https://nvidia.example/stable/deb/amd64 /\n",
        "deb [signed-by=/old.gpg] https://nvidia.example/stable/deb/$(ARCH) /\n",
        "deb [signed-by=/old.gpg] http://nvidia.example/stable/deb/ amd64/\n",
        "deb [signed-by=/old.gpg] https://mirror.example/nvidia/stable/deb/amd64/ /\n",
    ],
)
def test_a_flat_repository_is_known_in_every_spelling(machine, line):
    (machine.path / "parts" / "theirs.list").write_text(line)
    answer, _ = machine(**FLAT)
    assert "failed" not in answer, answer
    assert files(machine.path / "parts") == ["vendor.sources"]
    assert machine.apt_reads() == ""
    machine(state="absent", **FLAT)
    assert files(machine.path / "parts") == ["theirs.list"]


@pytest.mark.parametrize(
    "text",
    [
        "# deb https://vendor.example/linux noble stable\n",
        "deb https://else.example/linux noble stable\n",
        "deb https://vendor.example/linux-nightly noble stable\n",
        "deb https://vendor.example/linux/sub noble stable\n",
    ],
)
def test_other_repositories_are_left_alone(machine, text):
    path = machine.path / "parts" / "else.list"
    path.write_text(text)
    answer, _ = machine()
    assert (answer["set_aside"], path.read_text()) == ([], text)


def test_a_stanza_that_is_switched_off_is_left_alone(machine):
    path = machine.path / "parts" / "off.sources"
    text = "Enabled: no\nTypes: deb\nURIs: https://vendor.example/linux\nSuites: noble\nComponents: stable\n"
    path.write_text(text)
    machine()
    assert path.read_text() == text


def test_a_stanza_with_another_repository_in_it_is_named_and_nothing_changes(machine):
    text = "Types: deb\nURIs: http://a.example/x https://vendor.example/linux\nSuites: noble\nComponents: stable\n"
    (machine.path / "parts" / "mixed.sources").write_text("# head\n\n" + text)
    before = files(machine.path)
    answer, _ = machine()
    assert "mixed.sources:3 names https://vendor.example/linux beside other repositories" in answer["msg"]
    assert files(machine.path) == before


def test_a_file_that_takes_the_name_of_ours_and_names_another_repository_is_named(machine):
    path = machine.path / "parts" / "vendor.sources"
    text = "Types: deb\nURIs: {}\nSuites: noble\nComponents: stable\n"
    path.write_text(text.format("https://vendor.example/linux") + "\n" + text.format("http://a.example/x"))
    before = path.read_bytes()
    answer, _ = machine()
    assert "vendor.sources:6 names http://a.example/x, in the file that this repository takes" in answer["msg"]
    assert path.read_bytes() == before


def replaced(machine, text):
    """Let the module replace a file with this text; return what is left of it."""
    path = machine.path / "parts" / "old.list"
    path.write_text(text)
    answer, _ = machine(replaces=[f"{(machine.path / 'parts').resolve()}/old.list"])
    assert "failed" not in answer, answer
    return path.read_text() if path.exists() else None


def test_a_file_that_is_replaced_goes_when_it_names_the_vendor_only(machine):
    old = "deb http://vendor.example/linux noble stable\ndeb http://apt.vendorproject.example/repo noble main\n"
    assert replaced(machine, old) is None
    machine(state="absent")
    assert (machine.path / "parts" / "old.list").read_text() == old


def test_a_file_that_is_replaced_keeps_the_repositories_of_others(machine):
    mine = "deb https://mine.example/x noble main\n"
    theirs = "deb http://apt.vendorproject.example/repo noble main\n"
    assert replaced(machine, theirs + mine) == f"# wsl-dl-playbook vendor: {theirs}{mine}"
    machine(state="absent")
    assert (machine.path / "parts" / "old.list").read_text() == theirs + mine


def test_a_source_that_apt_cannot_read_is_named_and_nothing_changes(machine):
    (machine.path / "root/etc/apt/sources.list").write_text("deb http://a.example/x noble main\ndeb http://broken\n")
    before = files(machine.path)
    answer, calls = machine()
    assert f"because of {machine.path}/root/etc/apt/sources.list:2: Malformed entry 2" in answer["msg"]
    assert "No file was changed" in answer["msg"]
    assert ("index of source" in calls, files(machine.path)) == (False, before)


def test_a_key_and_a_source_that_others_cannot_read_are_mended(machine):
    machine()
    for name in ("keys/vendor.asc", "parts/vendor.sources"):
        (machine.path / name).chmod(0o600)
        answer, calls = machine()
        assert (answer["changed"], "key" in calls) == (True, False)
        assert (machine.path / name).stat().st_mode & 0o7777 == 0o644
        assert machine()[0]["changed"] is False


def test_a_right_key_of_before_that_others_cannot_read_is_mended_and_stays_with_absent(machine):
    keyring = machine.path / "keys" / "vendor.asc"
    keyring.write_text(ONE)
    keyring.chmod(0o600)
    assert machine()[1] == ["index of source"]
    assert keyring.stat().st_mode & 0o7777 == 0o644
    machine(state="absent")
    assert keyring.read_text() == ONE


def test_a_folder_of_keys_that_others_cannot_enter_is_opened(machine):
    folder = machine.path / "root/etc/apt/keyrings"
    machine(keyring=f"{folder}/vendor.asc")
    folder.chmod(0o700)
    answer, _ = machine(keyring=f"{folder}/vendor.asc")
    assert (answer["changed"], answer["files"]) == (True, [str(folder)])
    assert folder.stat().st_mode & 0o7777 == 0o755
    assert machine(keyring=f"{folder}/vendor.asc")[0]["changed"] is False


def test_a_key_that_is_a_link_becomes_a_file(machine):
    (machine.path / "elsewhere.asc").write_text(ONE)
    keyring = machine.path / "keys" / "vendor.asc"
    keyring.symlink_to(machine.path / "elsewhere.asc")
    assert machine()[0]["changed"] is True
    assert not keyring.is_symlink()
    assert (machine.path / "elsewhere.asc").read_text() == ONE


def test_a_comment_that_names_the_repository_is_no_conflict(machine):
    (machine.path / "parts" / "notes.list").write_text("# deb https://vendor.example/linux noble stable\n")
    machine()
    assert (machine.path / "parts" / "notes.list").exists()


def test_absent_leaves_nothing_and_a_second_time_changes_nothing(machine):
    before = files(machine.path / "parts") + files(machine.path / "keys")
    machine()
    assert machine(state="absent")[0]["changed"] is True
    assert files(machine.path / "parts") + files(machine.path / "keys") == before
    assert not (machine.path / "backup" / "vendor").exists()
    assert machine(state="absent")[0]["changed"] is False


def test_a_keyring_that_was_right_before_stays_with_absent(machine):
    keyring = machine.path / "keys" / "vendor.asc"
    keyring.write_text(ONE)
    assert "key" not in machine()[1]
    machine(state="absent")
    assert keyring.read_text() == ONE


def test_the_backup_is_plain_json(machine):
    machine()
    backup = json.loads((machine.path / "backup" / "vendor" / "record.json").read_text())
    assert set(backup.values()) == {None}


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
