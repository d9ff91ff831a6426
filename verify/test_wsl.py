"""What a finished workstation promises in its WSL distribution, as its user sees it."""

from __future__ import annotations

import json

from verify.fixtures import promise

GROUP = "wsl"
GPU_RUN = "docker run --rm --gpus all ubuntu:24.04"
PAGE = "http://www.google.com/"


@promise("the relay waits for connections", "wsl_proxy", "sudo systemctl start wsl-proxy.socket, or run the site again")
def test_the_relay_waits(host):
    state = host.run("systemctl is-active wsl-proxy.socket").stdout.strip()
    assert state == "active", f"wsl-proxy.socket is {state}"


@promise(
    "a login shell reaches the Internet",
    "wsl_proxy",
    'start the proxy program on Windows and switch on "Allow LAN" in it',
    needs=("test_the_relay_waits",),
)
def test_a_login_shell_reaches_the_internet(user_run):
    shown = user_run(f"curl --silent --show-error --fail --max-time 20 {PAGE}")
    assert shown.rc == 0, shown.stderr
    assert "<html" in shown.stdout.lower()


@promise("apt reads every source", "apt_mirror", needs=("test_a_login_shell_reaches_the_internet",))
def test_apt_reads_every_source(host):
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr


@promise("nvcc runs in WSL", "cuda_wsl")
def test_the_compiler_is_on_the_path(user_run):
    shown = user_run("nvcc --version")
    assert shown.rc == 0, shown.stderr
    assert "Cuda compilation tools, release 1" in shown.stdout


@promise(
    "the user may use Docker, and it runs", "docker_engine", "sudo systemctl start docker; journalctl -u docker tells"
)
def test_docker_answers(user_run):
    shown = user_run("docker version")
    assert shown.rc == 0, shown.stderr


@promise(
    "an image is pulled, and runs",
    "docker_proxy",
    needs=("test_docker_answers", "test_a_login_shell_reaches_the_internet"),
)
def test_hello_world_is_pulled_and_runs(user_run):
    user_run("docker image rm --force hello-world")
    shown = user_run("docker run --rm hello-world")
    assert shown.rc == 0, shown.stderr
    assert "Hello from Docker!" in shown.stdout


@promise("a container reaches the Internet", "docker_proxy", needs=("test_hello_world_is_pulled_and_runs",))
def test_a_container_fetches_a_page(user_run):
    shown = user_run(f"docker run --rm busybox wget -q -O - {PAGE}")
    assert shown.rc == 0, shown.stderr
    assert "<html" in shown.stdout.lower()


@promise(
    "a container on a network of its own reaches the Internet",
    "docker_proxy",
    needs=("test_hello_world_is_pulled_and_runs",),
)
def test_a_container_on_an_own_network_fetches_a_page(user_run):
    user_run("docker network create verify-net")
    shown = user_run(f"docker run --rm --network verify-net busybox wget -q -O - {PAGE}")
    user_run("docker network rm verify-net")
    assert shown.rc == 0, shown.stderr
    assert "<html" in shown.stdout.lower()


@promise("an image build reaches the Internet", "docker_proxy", needs=("test_hello_world_is_pulled_and_runs",))
def test_an_image_build_fetches_a_page(user_run):
    dockerfile = f"FROM busybox\\nRUN wget -q -O /page {PAGE} && grep -qi html /page\\n"
    built = user_run(f"printf '{dockerfile}' | docker build --quiet --no-cache --tag verify-build -")
    user_run("docker image rm verify-build")
    assert built.rc == 0, built.stderr


@promise("Docker knows the NVIDIA runtime", "nvidia_ctk", needs=("test_docker_answers",))
def test_the_runtime_is_registered(user_run):
    names = sorted(json.loads(user_run("docker info --format json").stdout)["Runtimes"])
    assert "nvidia" in names, f"registered are {', '.join(names)}"


@promise("nvidia-smi runs in a container", "nvidia_ctk", needs=("test_the_runtime_is_registered",))
def test_nvidia_smi_runs_in_a_container(user_run):
    shown = user_run(f"{GPU_RUN} nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA-SMI" in shown.stdout


@promise("a container that asks for no GPU sees none", "nvidia_ctk", needs=("test_nvidia_smi_runs_in_a_container",))
def test_a_container_without_gpus_sees_none(user_run):
    shown = user_run("docker run --rm ubuntu:24.04 nvidia-smi")
    assert shown.rc == 127
    assert "executable file not found" in shown.stderr
