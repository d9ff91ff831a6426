"""The module that trusts an apt repository, with the real apt and a web server of the test."""

import shutil
import subprocess

import pytest

from tests.unit import apt_root, run_module

pytestmark = apt_root.needs_apt


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Serve a vendor's repository and his key, and the archive."""
    archive = apt_root.Archive(tmp_path_factory.mktemp("archive"))
    archive.publish("vendor", "jammy", origin="Vendor")
    archive.publish("ubuntu", "jammy")
    shutil.copy(archive.key, archive.folder / "key")
    shown = ["gpg", "--homedir", archive.home, "--with-colons", "--show-keys", archive.key]
    lines = subprocess.run(shown, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    archive.fingerprint = next(line.split(":")[9] for line in lines if line.startswith("fpr:"))
    yield archive
    archive.close()


@pytest.fixture
def machine(tmp_path, monkeypatch, capsys, archive):
    """Return a function that runs the module on an apt of its own."""
    root = apt_root.make(tmp_path / "root", monkeypatch, archive)
    (root / "etc/apt/sources.list").write_text(f"deb {archive.url}/ubuntu jammy main\n")

    def machine(**arguments):
        known = {
            "name": "vendor",
            "key_url": f"{archive.url}/key",
            "fingerprint": archive.fingerprint,
            "keyring": str(root / "etc/apt/keyrings/vendor.gpg"),
            "uris": [f"{archive.url}/vendor"],
            "suites": ["jammy"],
            "components": ["main"],
            "backup": str(tmp_path / "backup"),
        }
        return run_module.run(run_module.load("apt_source"), capsys, **{**known, **arguments})

    machine.root = root
    return machine


def update():
    return subprocess.run(["apt-get", "update", "--error-on=any"], check=False, capture_output=True, text=True)


def test_the_repository_and_the_rest_are_fetched_and_the_second_run_changes_nothing(machine):
    answer = machine()
    assert (answer["changed"], answer["index"]) == (True, "all")
    policy = subprocess.run(["apt-cache", "policy"], check=True, capture_output=True, text=True).stdout
    assert ("o=Vendor" in policy, "o=Ubuntu" in policy) == (True, True)
    assert update().returncode == 0
    assert machine()["changed"] is False


def test_the_tutorials_line_at_the_end_of_ubuntus_file_leaves_an_apt_that_works(machine, archive):
    """CASES C5."""
    path = machine.root / "etc/apt/sources.list"
    before = path.read_bytes()
    path.write_bytes(before + f"deb [arch=amd64 signed-by=/old.gpg] {archive.url}/vendor jammy main\n".encode())
    assert machine()["set_aside"] == [f"{path}:2"]
    assert update().returncode == 0
    assert machine()["changed"] is False


def test_a_repository_of_the_user_that_is_dead_does_not_stop_it(machine, archive):
    """CASES C10."""
    with open(machine.root / "etc/apt/sources.list", "a") as file:
        file.write(f"deb {archive.url}/ppa jammy main\n")
    answer = machine()
    assert ("failed" not in answer, answer["changed"]) == (True, True), answer
    assert machine()["changed"] is False


def test_the_lists_lock_is_waited_for(machine):
    """CASES C7."""
    process = apt_root.hold(machine.root / "var/lib/apt/lists/lock", 2)
    answer = machine()
    process.kill()
    process.communicate()
    assert ("failed" not in answer, answer["changed"]) == (True, True), answer


def test_who_holds_the_lists_lock_for_too_long_is_named_and_nothing_changes(machine):
    process = apt_root.hold(machine.root / "var/lib/apt/lists/lock", 60)
    answer = machine(lock_timeout=1)
    process.kill()
    process.communicate()
    assert f"lists/lock has been held by process {process.pid} (" in answer["msg"]
    assert "for more than 1 s" in answer["msg"]
    assert not (machine.root / "etc/apt/sources.list.d/vendor.sources").exists()


def test_a_suite_that_the_vendor_does_not_have_is_named_and_nothing_changes(machine):
    answer = machine(suites=["noble"])
    assert "does not exist. No file was changed. The repository has nothing for suite noble" in answer["msg"]
    assert not (machine.root / "etc/apt/sources.list.d/vendor.sources").exists()
