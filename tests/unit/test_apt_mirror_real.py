"""The mirror is blamed only for what the mirror does: the module with the real apt and a web server of the test."""

import subprocess

import pytest

from tests.unit import apt_root, run_module
from tests.unit.test_apt_mirror_sources import MODULE

pytestmark = apt_root.needs_apt


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Serve the archive, two mirrors of it, security updates, and somebody's own repository."""
    archive = apt_root.Archive(tmp_path_factory.mktemp("archive"))
    for name in ("ubuntu", "mirror-a", "mirror-b"):
        archive.publish(name, "jammy")
        archive.publish(name, "jammy-updates")
    archive.publish("mirror-old", "focal")
    archive.publish("security", "jammy-security")
    archive.publish("ppa", "noble", origin="PPA")
    yield archive
    archive.close()


@pytest.fixture
def machine(tmp_path, monkeypatch, capsys, archive):
    """Return a function that lets the module use a mirror on an apt of its own."""
    root = apt_root.make(tmp_path / "root", monkeypatch)
    (root / "etc/apt/trusted.gpg.d/archive.gpg").write_bytes(archive.key.read_bytes())
    sources = root / "etc/apt/sources.list"
    sources.write_text(
        f"deb {archive.url}/ubuntu/ jammy main\ndeb {archive.url}/ubuntu/ jammy-updates main\n"
        f"deb {archive.url}/security/ jammy-security main\n"
    )

    def machine(mirror="mirror-a", **arguments):
        known = {
            "codename": "jammy",
            "uri": f"{archive.url}/{mirror}",
            "originals": str(tmp_path / "originals"),
            "paths": [str(sources), str(root / "etc/apt/sources.list.d/ubuntu.sources")],
        }
        return run_module.run(MODULE, capsys, **{**known, **arguments})

    machine.root, machine.sources = root, sources
    return machine


def lists(machine):
    return sorted(path.name.partition("_")[2] for path in (machine.root / "var/lib/apt/lists").glob("*InRelease"))


def test_a_mirror_that_works_is_used_and_the_second_run_changes_nothing(machine, archive):
    answer = machine()
    assert (answer["changed"], answer["fetched"], answer["troubles"]) == (True, True, [])
    assert machine.sources.read_text() == (
        f"deb {archive.url}/mirror-a jammy main\ndeb {archive.url}/mirror-a jammy-updates main\n"
        f"deb {archive.url}/security/ jammy-security main\n"
    )
    assert lists(machine) == [
        "mirror-a_dists_jammy-updates_InRelease",
        "mirror-a_dists_jammy_InRelease",
        "security_dists_jammy-security_InRelease",
    ]
    assert machine()["changed"] is False


@pytest.mark.parametrize(("mirror", "cause"), [("nowhere", "does not exist"), ("mirror-old", "does not exist")])
def test_a_broken_mirror_after_a_working_one_leaves_the_working_one(machine, archive, mirror, cause):
    machine()
    before = machine.sources.read_bytes()
    answer = machine(mirror)
    assert f"apt cannot use the mirror {archive.url}/{mirror}: its index {cause}" in answer["msg"]
    assert "Nothing was changed. Set apt_mirror_uri to another mirror" in answer["msg"]
    assert machine.sources.read_bytes() == before
    assert machine()["changed"] is False


def test_a_mirror_that_somebody_else_signed_is_refused(machine, archive, tmp_path):
    (machine.root / "etc/apt/trusted.gpg.d/archive.gpg").unlink()
    answer = machine()
    assert "is not signed by this key" in answer["msg"]
    assert "mirror-a" not in machine.sources.read_text()


@pytest.mark.parametrize("where", ["sources.list", "sources.list.d/dead.list"])
def test_a_repository_that_has_nothing_for_this_release_is_named_and_the_mirror_is_used(machine, archive, where):
    path = machine.root / "etc/apt" / where
    text = path.read_text() if path.exists() else ""
    path.write_text(f"{text}deb {archive.url}/ppa jammy main\n")
    answer = machine()
    assert ("failed" not in answer, answer["changed"]) == (True, True), answer
    if where == "sources.list":
        assert answer["troubles"] == [
            f"{path}:4: The repository '{archive.url}/ppa jammy Release' does not have a Release file."
        ]
    assert machine()["changed"] is False


def test_a_source_that_apt_cannot_read_is_named_and_the_mirror_stays(machine):
    machine()
    before = machine.sources.read_bytes()
    parts = machine.root / "etc/apt/sources.list.d"
    (parts / "a.list").write_text("deb [signed-by=/a] http://x.example/x jammy main\n")
    (parts / "b.list").write_text("deb [signed-by=/b] http://x.example/x jammy main\n")
    answer = machine()
    assert "which is not the mirror's fault" in answer["msg"]
    assert f"{parts}/a.list:1, {parts}/b.list:1: Conflicting values set for option Signed-By" in answer["msg"]
    assert machine.sources.read_bytes() == before


def test_a_second_copy_of_the_archive_is_named_and_nothing_changes(machine, archive):
    second = machine.root / "etc/apt/sources.list.d/second.list"
    second.write_text(f"# mine\ndeb {archive.url}/ubuntu jammy main\n")
    before = machine.sources.read_bytes()
    subprocess.run(["apt-get", "update"], check=True, capture_output=True)
    answer = machine()
    assert f"Take the second copy of the archive out of {second}:2" in answer["msg"]
    assert machine.sources.read_bytes() == before


def test_the_lists_lock_is_waited_for(machine):
    process = apt_root.hold(machine.root / "var/lib/apt/lists/lock", 2)
    answer = machine()
    process.kill()
    process.communicate()
    assert ("failed" not in answer, answer["changed"]) == (True, True), answer


def test_who_holds_the_lists_lock_for_too_long_is_named_and_nothing_changes(machine):
    before = machine.sources.read_bytes()
    process = apt_root.hold(machine.root / "var/lib/apt/lists/lock", 60)
    answer = machine(lock_timeout=1)
    process.kill()
    process.communicate()
    assert f"lists/lock has been held by process {process.pid} (" in answer["msg"]
    assert "for more than 1 s" in answer["msg"]
    assert "mirror" not in answer["msg"]
    assert machine.sources.read_bytes() == before
