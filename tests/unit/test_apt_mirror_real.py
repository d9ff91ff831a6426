"""The mirror is blamed only for what the mirror does: the module with the real apt and a web server of the test."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit import apt_root, run_module
from tests.unit.test_apt_mirror_sources import MODULE

ROOT = Path(__file__).parents[2]
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
    root = apt_root.make(tmp_path / "root", monkeypatch, archive)
    sources = root / "etc/apt/sources.list"
    sources.write_text(
        f"deb {archive.url}/ubuntu/ jammy main\ndeb {archive.url}/ubuntu/ jammy-updates main\n"
        f"deb {archive.url}/security/ jammy-security main\n"
    )

    def machine(mirror="mirror-a", **arguments):
        known = {
            "codename": "jammy",
            "uri": f"{archive.url}/{mirror}",
            "backup": str(tmp_path / "backup"),
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


def test_a_list_of_mirrors_has_the_next_one_where_the_first_is_off(machine, archive):
    lists = {"ubuntu": "mirror-a", "security": "security"}
    for name, folder in lists.items():
        text = f"{archive.url}/cache/{folder}\tpriority:1\n{archive.url}/{folder}\tpriority:2\n"
        (machine.root / f"{name}.mirrors").write_text(text)  # there is no cache
    uris = {name: f"mirror+file:{machine.root}/{name}.mirrors" for name in lists}
    known = {"uri": uris["ubuntu"], "security_uri": uris["security"], "direct": ["127.0.0.1"]}
    answer = machine(**known)
    assert (answer["changed"], answer["fetched"], answer["troubles"]) == (True, True, [])
    assert machine.sources.read_text() == (
        f"deb {uris['ubuntu']} jammy main\ndeb {uris['ubuntu']} jammy-updates main\n"
        f"deb {uris['security']} jammy-security main\n"
    )
    assert machine(**known)["changed"] is False
    assert machine(**known, state="absent")["changed"] is True
    assert f"deb {archive.url}/security/ jammy-security main\n" in machine.sources.read_text()


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


@pytest.fixture
def preflight(machine, tmp_path):
    """Return a function that asks, as the role does before it changes anything, whether a mirror can be used."""

    def preflight(uri):
        play = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [
            {"ansible.builtin.include_role": {"name": "apt_mirror", "tasks_from": "preflight_mirror"}},
        ]}]  # fmt: skip
        (tmp_path / "play.json").write_text(json.dumps(play))
        known = {
            "apt_mirror_uri": uri,
            "__apt_mirror_codename": "jammy",
            "__apt_mirror_paths": [str(machine.sources)],
            "__apt_mirror_backup": str(tmp_path / "backup"),
            "ansible_python_interpreter": sys.executable,
        }
        done = subprocess.run(
            [Path(sys.executable).parent / "ansible-playbook", tmp_path / "play.json", "-e", json.dumps(known)],
            cwd=ROOT, env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        return done.returncode, " ".join(done.stdout.split())

    return preflight


def test_a_mirror_that_is_down_stops_no_machine_that_uses_it_already(preflight, machine, archive, tmp_path):
    machine(backup=str(tmp_path / "backup/sources"))
    before = machine.sources.read_bytes()
    (archive.folder / "mirror-a").rename(archive.folder / "gone")
    code, said = preflight(f"{archive.url}/mirror-a")
    (archive.folder / "gone").rename(archive.folder / "mirror-a")
    assert code == 0, said
    assert f"Warning: {archive.url}/mirror-a, which this machine uses already, does not answer now" in said
    code, said = preflight(f"{archive.url}/nowhere")
    assert code == 2
    assert f"{archive.url}/nowhere does not give this machine the release jammy without the proxy" in said
    assert "Nothing was changed. Set apt_mirror_uri to a mirror that has the release" in said
    assert machine.sources.read_bytes() == before
