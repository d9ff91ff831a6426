"""make verify: which line of an answer it shows, and which remedy it gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from verify.causes import cause_of, known, remedy_of

ROOT = Path(__file__).resolve().parents[2]
DESKTOP = """Unable to find image 'hello-world:latest' locally
docker: error getting credentials - err: exec: "docker-credential-desktop.exe": executable file not found, out: ``

Run 'docker run --help' for more information
assert 125 == 0
 +  where 125 = CommandResult(command=b"runuser --login dev").rc"""
DAEMON = """docker.service is failed: unable to configure the Docker daemon with file /etc/docker/daemon.json: EOF
Client: Docker Engine - Community
 Version: 29.1.0
Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is it running?
assert 1 == 0"""
SIGNED_BY = """W: Target Packages (stable/binary-amd64/Packages) is configured multiple times in /etc/apt/sources.list:5
E: Conflicting values set for option Signed-By regarding source https://download.docker.com/linux/ubuntu/ jammy
E: The list of sources could not be read.
assert 100 == 0"""
LOCK = """E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)
E: Unable to lock directory /var/lib/apt/lists/
assert 100 == 0"""
GPU = (
    "docker: Error response from daemon: failed to create task for container: failed to create shim task: OCI runtime"
    " create failed: runc create failed: unable to start container process: error during container init: error running"
    " prestart hook #0: exit status 1, stdout: , stderr: nvidia-container-cli: initialization error: WSL environment"
    " detected but no adapters were found: unknown\n\nRun 'docker run --help' for more information\nassert 125 == 0"
)
SILENT = "no answer within 600 seconds\n\nassert 124 == 0"
ELSEWHERE = (
    "DOCKER_HOST=tcp://localhost:2375 in an interactive shell leads docker elsewhere, set in /home/dev/.bashrc:118\n"
    "assert (None)"
)


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        (
            DESKTOP,
            'docker: error getting credentials - err: exec: "docker-credential-desktop.exe": executable file not',
        ),
        (
            DAEMON,
            "docker.service is failed: unable to configure the Docker daemon with file /etc/docker/daemon.json: EOF",
        ),
        (
            SIGNED_BY,
            "E: Conflicting values set for option Signed-By regarding source https://download.docker.com/linux/u",
        ),
        (LOCK, "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)"),
        (SILENT, "no answer within 600 seconds"),
        (
            ELSEWHERE,
            "DOCKER_HOST=tcp://localhost:2375 in an interactive shell leads docker elsewhere, set in /home/dev/.b",
        ),
        ("bash: no job control in this shell\nnvcc: command not found\nassert 127 == 0", "nvcc: command not found"),
        (
            "wsl: A localhost proxy configuration was detected but not mirrored\ncurl: (7) Failed to connect",
            "curl: (7)",
        ),
        ("port 7890 is open at ['127.0.0.1']\nassert set()", "port 7890 is open at ['127.0.0.1']"),
        ("assert 1 == 2", "assert 1 == 2"),
        ("", "no message"),
    ],
)
def test_the_line_with_the_cause_is_shown(said, cause):
    assert cause_of(said).startswith(cause)


def test_the_first_cause_at_the_end_of_a_long_chain_is_shown():
    assert cause_of(GPU).endswith("WSL environment detected but no adapters were found: unknown")
    assert "no adapters were found" in cause_of(
        "docker: Error: " + "failed to create: " * 200 + "no adapters were found"
    )


@pytest.mark.parametrize(
    ("areas", "said", "remedy"),
    [
        (["docker"], DESKTOP, 'take "credsStore" (or the entry of "credHelpers") out of ~dev/.docker/config.json'),
        (
            ["docker"],
            DAEMON,
            "correct what the line names, then: sudo systemctl reset-failed docker.service docker.socket",
        ),
        (["apt"], SIGNED_BY, "the same repository stands in two files with different keys: remove the one"),
        (["apt"], LOCK, "wait until the other apt has ended"),
        (["nvidia", "docker"], GPU, "WSL sees no NVIDIA GPU. Update NVIDIA's driver on Windows"),
        (["nvidia", "docker"], DESKTOP, "The .docker/config.json of dev names a program for passwords"),
        (["docker"], "something that nobody has seen yet", "run playbooks/site.yml --tags docker_engine again"),
        ([], DESKTOP, "run playbooks/site.yml --tags docker_engine again"),
        (
            ["docker"],
            "docker.service is failed: its log says nothing\nno way to the docker API at unix:///run/docker.sock",
            'look at the end of "journalctl -u docker"',
        ),
        (
            ["docker"],
            "docker: 'buildx' is not a docker command.\nSee 'docker --help'",
            "look into ~dev/.docker/cli-plugins",
        ),
        (
            ["apt"],
            "E: The repository 'https://ppa.launchpadcontent.net/x/y/ubuntu x Release' does not have a Release file",
            "that repository has nothing for this release of Ubuntu: comment out its line",
        ),
        (["apt"], "E: Malformed entry 7 in list file /etc/apt/sources.list (Suite)", "correct the line of the file"),
        (
            ["shell"],
            "curl: (7) Failed to connect to 127.0.0.1 port 17890: Connection refused",
            "sudo systemctl restart",
        ),
        (["relay"], "wsl-proxy.socket is failed: Failed to listen: Address already in use", "another program has the"),
    ],
)
def test_the_remedy_fits_the_cause(areas, said, remedy):
    causes = tuple(one for area in areas for one in known(area))
    given = remedy_of(said, causes, "run playbooks/site.yml --tags docker_engine again", "dev")
    assert given.startswith(remedy)


def test_each_expression_and_remedy_is_one_that_can_be_used():
    areas = yaml.safe_load((ROOT / "verify" / "causes.yml").read_text())
    for entry in [one for area in areas.values() for one in area]:
        re.compile(entry["error"])
        assert set(re.findall(r"{(\w*)}", entry["remedy"])) <= {"user"}
        assert "\n" not in entry["remedy"]


def test_the_remedy_for_a_gpu_outside_wsl_is_for_its_own_driver():
    said = "docker: nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown."
    given = remedy_of(said, known("nvidia", wsl=False), "otherwise")
    assert given.startswith("NVIDIA's driver does not run. Restart this machine")
    assert [
        one.remedy
        for one in known("nvidia", wsl=False)
        if one.pattern != "dxcore" and ("wsl --" in one.remedy or "on Windows" in one.remedy)
    ] == []


def test_a_remedy_names_the_command_that_the_person_there_has(monkeypatch):
    monkeypatch.setenv("VERIFY_RUN", "wsl-dl run")
    said = remedy_of("nobody knows", (), "run playbooks/site.yml --tags docker_engine again")
    assert said == "wsl-dl run --tags docker_engine again"
