"""What is wrong with a machine's apt, told with file, line and remedy: the real apt, below a folder of the test."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit import apt_root, run_module

pytestmark = apt_root.needs_apt
DOCKER = "https://download.docker.com/linux/ubuntu"
LIST = "deb http://archive.example/ubuntu jammy main\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    root = apt_root.make(tmp_path / "root", monkeypatch)
    (root / "etc/apt/sources.list").write_text(LIST)
    return root


@pytest.fixture
def look(root, capsys):
    """Return a function that runs the module; Python's library for apt is missing unless the test brings one."""
    module = run_module.load("apt_facts")

    def look(**arguments):
        return run_module.run(module, capsys, **({"bindings": str(root / "python"), **arguments}))

    return look


def finding(answer, severity=("error", "warning")):
    """Return the only finding of that severity."""
    found = [one for one in answer["findings"] if one["severity"] in severity]
    assert len(found) == 1, answer["findings"]
    return found[0]


def test_a_clean_apt_has_no_findings_and_its_sources_are_told(look, root):
    answer = look()
    answer.pop("warnings", None)  # Ansible keeps those of other modules that this process ran
    answer.pop("invocation", None)  # some versions of Ansible add it
    assert answer == {
        "changed": False,
        "findings": [],
        "locks": [],
        "sources": [
            {
                "file": f"{root}/etc/apt/sources.list",
                "line": 1,
                "types": ["deb"],
                "uris": ["http://archive.example/ubuntu"],
                "suites": ["jammy"],
                "components": ["main"],
                "signed_by": "",
                "enabled": True,
            }
        ],
    }


@pytest.mark.parametrize(
    ("spelling", "line", "off"),
    [
        (f"deb [arch=amd64 signed-by=/old.gpg] {DOCKER} jammy stable\n", 2, "2s/^/# /"),
        (f"# a comment\ndeb [signed-by=/old.gpg] {DOCKER}/ jammy stable # Docker\n", 3, "3s/^/# /"),
        (f"deb-src [ signed-by=/old.gpg ] {DOCKER} jammy stable\n", 2, "2s/^/# /"),
    ],
)
def test_two_keys_for_one_repository_are_named_with_both_places(look, root, spelling, line, off):
    path = root / "etc/apt/sources.list"
    path.write_text(LIST + spelling)
    ours = root / "etc/apt/sources.list.d/docker.sources"
    ours.write_text(
        "# Ansible managed: apt_source\nTypes: deb deb-src\n"
        f"URIs: {DOCKER}\nSuites: jammy\nComponents: stable\nSigned-By: /new.asc\n"
    )
    found = finding(look(), "error")
    assert (found["file"], found["line"]) == (str(path), line)
    assert "Conflicting values set for option Signed-By" in found["what"]
    assert f"it stands in {path}:{line}, {ours}:2" in found["what"]
    assert f"sudo sed -i '{off}' {path}" in found["remedy"]
    subprocess.run(["sh", "-c", found["remedy"].partition("off: sudo ")[2]], check=True)
    assert look()["findings"] == []


def test_a_deb822_stanza_is_named_with_all_its_lines(look, root):
    path = root / "etc/apt/sources.list.d/two.sources"
    path.write_text(
        "# mine\nTypes: deb\nURIs: http://else.example/apt\nSuites: jammy\nComponents: main\n\n"
        f"Types: deb\n# Docker\nURIs: {DOCKER}\nSuites: jammy\nComponents: stable\nSigned-By: /old.gpg\n"
    )
    (root / "etc/apt/sources.list.d/docker.list").write_text(f"deb [signed-by=/new.gpg] {DOCKER} jammy stable\n")
    found = finding(look(), "error")
    assert f"{path}:7" in found["what"]


def test_a_malformed_line_is_named(look, root):
    path = root / "etc/apt/sources.list"
    path.write_text(LIST + "\ndeb http://ppa.example\n")
    found = finding(look())
    assert (found["file"], found["line"]) == (str(path), 3)
    assert found["remedy"] == f"Correct that line, or switch it off: sudo sed -i '3s/^/# /' {path}"
    assert found["text"].startswith(f"{path}:3: apt cannot read its sources (Malformed entry 3 in list file {path}")


def test_a_malformed_stanza_is_named_by_its_line(look, root):
    path = root / "etc/apt/sources.list.d/x.sources"
    path.write_text(
        "# comment\n\nTypes: deb\nURIs: http://a.example\nSuites: /\n\n\nTypes: deb\nURIs: http://b.example\n"
    )
    found = finding(look())
    assert (found["file"], found["line"]) == (str(path), 8)


def test_a_configuration_that_apt_cannot_read_is_named(look, root):
    path = root / "etc/apt/apt.conf.d/50x"
    path.write_text('Acquire::http::Proxy "http://a:1"\nfoo "x";\n')
    found = finding(look())
    assert found["severity"] == "error"
    assert found["file"] == str(path)
    assert "apt cannot read its configuration" in found["what"]


def test_preferences_that_apt_cannot_read_are_named(look, root):
    path = root / "etc/apt/preferences.d/x"
    path.write_text("Pin: foo\n")
    found = finding(look())
    assert (found["severity"], found["file"]) == ("error", str(path))
    assert f"sudo mv {path} /root/" in found["remedy"]


STATUS = "Package: a\nStatus: install {}\nVersion: 1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n"


def test_unmet_dependencies_are_an_error_with_their_remedy(look, root):
    (root / "var/lib/dpkg/status").write_text(STATUS.format("ok installed") + "Depends: b\n\n")
    found = finding(look())
    assert found["severity"] == "error"
    assert "Unmet dependencies" in found["what"]
    assert "sudo apt-get --fix-broken install" in found["remedy"]


def test_a_half_configured_package_is_a_warning(look, root):
    (root / "var/lib/dpkg/status").write_text(STATUS.format("ok half-configured") + "\n")
    found = finding(look())
    assert (found["severity"], found["what"]) == ("warning", "dpkg has not finished with a")
    assert "sudo dpkg --configure -a" in found["remedy"]


def test_an_interrupted_dpkg_is_an_error(look, root):
    (root / "var/lib/dpkg/updates/0001").touch()
    found = finding(look())
    assert (found["severity"], found["what"]) == ("error", "dpkg was interrupted")


def test_a_missing_key_is_a_warning_with_its_line(look, root):
    path = root / "etc/apt/sources.list"
    path.write_text(LIST + "deb [signed-by=/nowhere.gpg] http://ppa.example/x jammy main\n")
    found = finding(look())
    assert (found["severity"], found["line"]) == ("warning", 2)
    assert "the key /nowhere.gpg that it names does not exist" in found["what"]


@pytest.fixture
def shared(root):
    """Return a folder that others may enter, as pytest's own are not, and let apt work as a user of its own."""
    folder = Path("/var/tmp") / f"wsl-dl-playbook-{os.getpid()}"
    folder.mkdir()
    configuration = root / "apt.conf"
    configuration.write_text(configuration.read_text().replace('User ""', 'User "nobody"'))
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.mark.parametrize(("part", "mode", "remedy"), [("key.asc", 0o600, "644"), ("", 0o700, "755")])
@pytest.mark.parametrize(("suite", "severity"), [("jammy", "warning"), ("jammy-updates", "error")])
@pytest.mark.skipif(os.geteuid() != 0, reason="another user's files are needed")
def test_a_key_that_apts_user_cannot_read_is_named(look, root, shared, part, mode, remedy, suite, severity):
    key = shared / "key.asc"
    key.touch()
    (shared / part).chmod(mode)
    path = root / "etc/apt/sources.list"
    path.write_text(f"# head\ndeb [signed-by={key}] http://ppa.example/x {suite} main\n")
    found = finding(look())
    assert (found["severity"], found["file"], found["line"]) == (severity, str(path), 2)
    assert f"cannot read the key {key}" in found["what"]
    assert found["remedy"] == f"Open it: sudo chmod {remedy} {shared / part}"


@pytest.mark.skipif(os.geteuid() != 0, reason="another user's files are needed")
def test_a_key_of_the_distribution_that_apts_user_cannot_read_is_an_error(look, root, shared):
    path = root / "etc/apt/sources.list"
    path.write_text("deb http://archive.example/ubuntu jammy-updates main\n")
    configuration = root / "apt.conf"
    configuration.write_text(f'{configuration.read_text()}Dir::Etc::trustedparts "{shared}";\n')
    for name in ("ubuntu-keyring-2018-archive.gpg", "mine.gpg", "readable.gpg"):
        (shared / name).touch(mode=0o600)
    (shared / "readable.gpg").chmod(0o644)
    found = look()["findings"]
    assert [(one["severity"], one["remedy"]) for one in found] == [
        ("error", f"Open it: sudo chmod 644 {shared}/ubuntu-keyring-2018-archive.gpg"),
        ("warning", f"Open it: sudo chmod 644 {shared}/mine.gpg"),
    ]


def test_switched_off_repositories_and_our_own_are_left_alone(look, root):
    parts = root / "etc/apt/sources.list.d"
    (parts / "off.sources").write_text(
        "Enabled: no\nTypes: deb\nURIs: http://a.example\nSuites: /\nSigned-By: /nowhere.gpg\n"
    )
    (parts / "ours.sources").write_text(
        "# Ansible managed: apt_source\nTypes: deb\nURIs: http://b.example\nSuites: /\nSigned-By: /nowhere.gpg\n"
    )
    answer = look()
    assert answer["findings"] == []
    assert [source["enabled"] for source in answer["sources"]] == [True, False, True]


def python_with(root, tag):
    """Lay out a Python whose library for apt is built for another version; return the module's arguments."""
    bindings = root / "python"
    (bindings / "apt").mkdir(parents=True)
    (bindings / "apt/__init__.py").write_text("")
    (bindings / f"apt_pkg.cpython-{tag}-x86_64-linux-gnu.so").touch()
    programs = root / "bin"
    programs.mkdir()
    script = f'#!/bin/sh\nexport PYTHONPATH={bindings}\nexec {sys.executable} -S "$@"\n'
    (programs / "python3.99").write_text(script)
    (programs / "python3.99").chmod(0o755)
    (programs / "python3").symlink_to("python3.99")
    return {"python": str(programs / "python3"), "bindings": str(bindings)}


def test_a_python_that_does_not_fit_apts_library_is_named_with_the_one_that_does(look, root):
    arguments = python_with(root, "310")
    (root / "bin/python3.10").touch()
    found = finding(look(**arguments))
    assert (found["severity"], found["file"]) == ("error", f"{root}/bin/python3")
    assert f"{root}/bin/python3 is {root}/bin/python3.99" in found["what"]
    assert "built for Python 3.10" in found["what"]
    assert f"sudo ln -sf python3.10 {root}/bin/python3" in found["remedy"]


def test_a_python_of_update_alternatives_is_taken_out_of_them(look, root):
    arguments = python_with(root, "310")
    (root / "bin/python3.10").touch()
    (root / "etc/alternatives").mkdir()
    (root / "etc/alternatives/python3").symlink_to(root / "bin/python3.99")
    (root / "bin/python3").unlink()
    (root / "bin/python3").symlink_to(root / "etc/alternatives/python3")
    remedy = f"sudo update-alternatives --remove-all python3; sudo ln -sf python3.10 {root}/bin/python3"
    assert remedy in finding(look(**arguments))["remedy"]


def test_a_broken_library_is_named_too(look, root):
    found = finding(look(**python_with(root, "398")))
    assert "No module named 'apt_pkg'" in found["what"]
    assert "sudo apt-get install --reinstall python3-apt" in found["remedy"]


LOCKS = ["var/lib/dpkg/lock-frontend", "var/lib/dpkg/lock", "var/lib/apt/lists/lock", "var/cache/apt/archives/lock"]


@pytest.fixture
def hold():
    """Return a function that lets another process hold a lock for some seconds."""
    started = []

    def hold(path, seconds):
        started.append(apt_root.hold(path, seconds))
        return started[-1].pid

    yield hold
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("lock", LOCKS)
def test_who_holds_a_lock_is_told(look, root, hold, lock):
    process = hold(root / lock, 60)
    assert look()["locks"] == [{"path": f"{root}/{lock}", "process": process, "program": Path(sys.executable).name}]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_is_waited_for(root, hold, capsys, lock):
    hold(root / lock, 1.5)
    begun = time.monotonic()
    answer = run_module.run(run_module.load("apt_lock"), capsys)
    assert "failed" not in answer
    assert time.monotonic() - begun > 1


def test_who_holds_a_lock_for_too_long_is_named(root, hold, capsys):
    process = hold(root / LOCKS[2], 60)
    answer = run_module.run(run_module.load("apt_lock"), capsys, timeout=1)
    assert answer["msg"].startswith(
        f"apt is in use: {root}/var/lib/apt/lists/lock has been held by process {process} ("
    )
    assert answer["msg"].endswith("then run again.")


def test_check_mode_does_not_wait(root, hold, capsys):
    hold(root / LOCKS[0], 60)
    assert run_module.run(run_module.load("apt_lock"), capsys, check=True)["waited"] == 0
