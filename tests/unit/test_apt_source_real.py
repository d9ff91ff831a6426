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


@pytest.fixture
def cached(archive):
    """Return the address of a cache that has the vendor's repository and his key, and its folder."""
    where = archive.folder / "cache" / archive.url.removeprefix("http://")
    where.mkdir(parents=True)
    shutil.copytree(archive.folder / "vendor", where / "vendor")
    shutil.copy(archive.key, where / "key")
    yield f"{archive.url}/cache/", where
    shutil.rmtree(archive.folder / "cache")


def policy():
    return subprocess.run(["apt-cache", "policy"], check=True, capture_output=True, text=True).stdout


def test_apt_asks_the_cache_first_and_the_vendor_where_it_is_off(machine, archive, cached):
    cache, folder = cached
    key = archive.folder / "key"
    key.rename(archive.folder / "elsewhere")  # the vendor's: it comes from the cache
    try:
        assert machine(cache=cache)["changed"] is True
    finally:
        (archive.folder / "elsewhere").rename(key)
    mirrors = machine.root / "etc/apt/vendor.mirrors"
    assert mirrors.read_text() == (
        f"# Ansible managed: apt_source\n{cache}{archive.url.removeprefix('http://')}/vendor\tpriority:1\n"
        f"{archive.url}/vendor\tpriority:2\n"
    )
    assert f"URIs: mirror+file:{mirrors}\n" in (machine.root / "etc/apt/sources.list.d/vendor.sources").read_text()
    assert (machine(cache=cache)["changed"], "o=Vendor" in policy()) == (False, True)
    shutil.rmtree(folder)
    assert (update().returncode, "o=Vendor" in policy()) == (0, True)


def test_what_the_cache_gives_is_not_trusted(machine, cached):
    cache, folder = cached
    (folder / "key").write_text("another key")
    answer = machine(cache=cache)
    assert (answer["changed"], "o=Vendor" in policy()) == (True, True)
    (folder / "vendor/dists/jammy/InRelease").write_text("not signed")
    assert "is not the one that was signed" in machine(cache=cache, name="again")["msg"]


def test_without_the_cache_the_source_is_the_vendors_again(machine, archive, cached):
    machine(cache=cached[0])
    assert (machine()["changed"], machine()["changed"]) == (True, False)
    assert not (machine.root / "etc/apt/vendor.mirrors").exists()
    assert f"URIs: {archive.url}/vendor\n" in (machine.root / "etc/apt/sources.list.d/vendor.sources").read_text()


def test_absent_takes_the_list_with_the_cache_away(machine, cached):
    before = sorted(path.name for path in (machine.root / "etc/apt").rglob("*"))
    machine(cache=cached[0])
    assert machine(state="absent")["changed"] is True
    assert sorted(path.name for path in (machine.root / "etc/apt").rglob("*")) == before


def test_a_refused_source_leaves_no_list_with_the_cache(machine, cached):
    assert "does not exist" in machine(cache=cached[0], suites=["focal"])["msg"]
    assert not (machine.root / "etc/apt/vendor.mirrors").exists()
