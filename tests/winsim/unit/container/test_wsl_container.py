"""The container's life is the life of the WSL machine: wsl.exe on a model, stand-ins for the lab and for docker."""

from __future__ import annotations

import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from lab.winsim import handlers, process
from lab.winsim.errors import SimulatorError
from lab.winsim.machine import Machine
from lab.winsim.model import describe
from lab.winsim.model.blank import install_windows
from lab.winsim.model.guest import LinuxProcess
from lab.winsim.model.wsl import HKLM_LXSS
from lab.winsim.process import InputStream
from lab.wsl_containers import ContainerBackend, stream

WSL = "C:\\Program Files\\WSL\\wsl.exe"
PASSWD = "root:x:0:0:root:/root:/bin/bash\nme:x:1000:1000::/home/me:/bin/zsh\n"
DOCKER = """#!/bin/bash
# Stands in for docker: "exec" runs the words after the container's name here and writes down how it was called.
case $1 in
  inspect) echo "true 999999999" ;;
  cp) if [[ $2 == *:/etc/passwd ]]; then tar -C "$LAB_FILES" -cO passwd
      elif [[ $2 == *:/etc/wsl.conf ]]; then tar -C "$LAB_FILES" -cO wsl.conf
      elif [[ $2 == *:/run/lab/windows ]]; then tar -C "$LAB_FILES" -cO windows
      elif [[ $2 == - ]]; then tar -xO >>"$LAB_FILES/written"
      else exit 1; fi ;;
  exec) printf '%s\\n' "$*" >>"$LAB_FILES/exec"
        while [[ $# -gt 0 && $1 != box-pc ]]; do shift; done
        (($#)) || { echo "no such container" >&2; exit 1; }
        shift; [[ $1 == sh || $1 == useradd ]] && exit 0
        exec "$@" ;;
esac
"""


class Lab:
    """Writes down what is asked of lab.distribution."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def up(self, name: str, *, suite: str, gpu: bool, interop: Path | None, users: Path | None) -> None:
        """Make and start."""
        print("lab: building")
        assert (interop, users) == (None, None), "this PC has no folder"
        self.calls.append(f"up {name} {suite} {'gpu' if gpu else 'no gpu'}")

    def restart(self, name: str) -> None:
        """Start in the other network."""
        self.calls.append(f"restart {name}")

    def stop(self, name: str) -> None:
        """Stop."""
        self.calls.append(f"stop {name}")

    def down(self, name: str) -> None:
        """Remove."""
        self.calls.append(f"down {name}")


@pytest.fixture
def files(tmp_path: Path, monkeypatch) -> Path:
    """The files of the container; a docker on the path that serves them."""
    program = tmp_path / "docker"
    program.write_text(DOCKER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setenv("LAB_FILES", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")  # no socket here, so the program is used
    monkeypatch.setenv("LAB_ID", "box")
    (tmp_path / "passwd").write_text(PASSWD)
    (tmp_path / "wsl.conf").write_text("[boot]\nsystemd = true\n[User]\ndefault = me\n")
    (tmp_path / "windows").write_text("172.30.5.254\n")
    return tmp_path


@pytest.fixture
def lab() -> Lab:
    """The lab."""
    return Lab()


@pytest.fixture
def machine(files: Path, lab: Lab) -> Machine:
    """A PC with one distribution in a container."""
    handlers.load_handlers()
    description = {
        "hostname": "PC",
        "features": {"VirtualMachinePlatform": "Enabled"},
        "installed": [
            {"name": "wsl"},
            {"name": "distribution", "distribution": "Ubuntu-24.04", "version": "24.04"},
        ],
    }
    machine = Machine(describe.complete(description))
    machine.wsl_backend = ContainerBackend(machine, lab)
    describe.connect(machine)
    install_windows(machine)
    machine._first_boot()
    describe.apply(machine)
    return machine


@pytest.fixture
def wsl(machine: Machine) -> Any:
    """Run wsl.exe as the owner."""
    user = machine.description["users"][0]["name"]
    session = process.Session(machine, user, environment=machine.environment_for(user))
    session.environment["WSL_UTF8"] = "1"
    return lambda *words, stdin=b"": handlers.run_captured(session, [WSL, *words], stdin=stdin)


def test_installing_makes_the_container_and_leaves_it_stopped(machine: Machine, lab: Lab, files: Path, capsys) -> None:
    assert lab.calls == ["up box-pc noble gpu", "stop box-pc"]
    assert "userdel --force --remove dev" in (files / "exec").read_text()
    assert capsys.readouterr().out == ""


def test_first_use_starts_it_and_the_second_does_not(wsl, machine: Machine, lab: Lab, files: Path) -> None:
    lab.calls.clear()
    assert wsl("-d", "Ubuntu-24.04", "-u", "root", "--cd", "/", "--exec", "/bin/echo", "hi").stdout == b"hi\n"
    assert wsl("-d", "Ubuntu-24.04", "-u", "root", "--cd", "/", "--exec", "/bin/echo", "hi").stdout == b"hi\n"
    assert lab.calls == ["restart box-pc"]
    assert machine.registry.get(HKLM_LXSS, "NatGatewayIpAddress") == "172.30.5.254"
    assert (files / "written").read_text() == "Ubuntu-24.04\nnat\n"


@pytest.mark.parametrize("words", [("--shutdown",), ("--terminate", "Ubuntu-24.04")])
def test_stopping_stops_it_and_the_next_use_starts_it_again(wsl, lab: Lab, words: tuple[str, ...]) -> None:
    use = ("-d", "Ubuntu-24.04", "-u", "root", "--exec", "/bin/true")
    for command in (use, words, use):
        assert wsl(*command).rc == 0
    assert lab.calls[2:] == ["restart box-pc", "stop box-pc", "restart box-pc"]


def test_reboot_of_windows_stops_it(wsl, machine: Machine, lab: Lab) -> None:
    wsl("-d", "Ubuntu-24.04", "-u", "root", "--exec", "/bin/true")
    lab.calls.clear()
    machine.reboot()
    assert lab.calls == ["stop box-pc"]


def test_idle_distribution_stops(wsl, machine: Machine, lab: Lab) -> None:
    use = ("-d", "Ubuntu-24.04", "-u", "root", "--exec", "/bin/true")
    wsl(*use)
    machine.clock.advance(16)
    wsl(*use)
    assert lab.calls[2:] == ["restart box-pc", "stop box-pc", "restart box-pc"]


def test_unregistering_removes_it(wsl, lab: Lab) -> None:
    assert wsl("--unregister", "Ubuntu-24.04").rc == 0
    assert lab.calls[-1] == "down box-pc"


def test_streams_are_bytes_and_the_exit_code_is_the_command_s(wsl) -> None:
    data = bytes(range(256)) * 3000
    use = ("-d", "Ubuntu-24.04", "-u", "root", "--cd", "/", "--exec")
    assert wsl(*use, "/bin/cat", stdin=data).stdout == data
    done = wsl(*use, "/bin/bash", "-c", "echo out; echo err >&2; exit 42")
    assert (done.stdout, done.stderr, done.rc) == (b"out\n", b"err\n", 42)


def test_user_home_and_folder_are_the_container_s(wsl, files: Path) -> None:
    wsl("-d", "Ubuntu-24.04", "--cd", "~", "--exec", "/bin/true")
    line = (files / "exec").read_text().splitlines()[-1]
    assert line.startswith("exec -i -u me -w /home/me -e HOME=/home/me -e USER=me -e LOGNAME=me -e SHELL=/bin/zsh ")
    assert " -e WSL_DISTRO_NAME=Ubuntu-24.04 " in line
    assert line.endswith(" box-pc /bin/true")


def test_unknown_user_is_refused_as_wsl_does(wsl) -> None:
    done = wsl("-d", "Ubuntu-24.04", "-u", "nobody", "--exec", "/bin/true")
    assert (done.rc, b"WSL_E_USER_NOT_FOUND" in done.stdout) == (4294967295, True)


def test_release_without_a_container_is_refused(machine: Machine) -> None:
    from lab.winsim.model.files import Content
    from lab.winsim.model.wsl import Distribution

    image = Content(1, data={"distribution": {"version": "20.04"}})
    with pytest.raises(SimulatorError, match=r"no container for Ubuntu 20\.04; there are 22\.04, 24\.04, 26\.04"):
        machine.wsl_backend.create(Distribution("{2}", "Ubuntu", "student", "C:\\x"), image)


def test_containers_survive_a_restart_of_the_simulator(machine: Machine, lab: Lab) -> None:
    again = ContainerBackend(machine, lab)
    again.restore(machine.wsl_backend.dump())
    assert list(again.names.values()) == ["box-pc"]


def test_cancelled_command_ends() -> None:
    from lab.winsim.model.wsl import Distribution

    cancelled = threading.Event()
    process = LinuxProcess(Distribution("{1}", "x", "u", "C:\\x"), [], "root", stdin=InputStream(closed=False))
    process.cancelled = cancelled
    threading.Timer(0.1, cancelled.set).start()
    assert stream(["sleep", "60"], process) == 137
