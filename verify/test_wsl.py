"""What a finished workstation promises in its WSL distribution or plain Ubuntu, as its user sees it."""

from __future__ import annotations

import json
import re
import shlex

from verify.fixtures import APPLY, promise, told

GROUP = "wsl"
GPU_RUN = "docker run --rm --gpus all ubuntu:24.04"
PAGE = "http://www.google.com/"
SOCKETS = ("", "unix:///var/run/docker.sock", "unix:///run/docker.sock")
ENGINE = "timeout 30 docker {} info 2>/dev/null | sed -n 's/^ *ID: //p'"  # braces of --format would be Ansible's
SHELL_FILES = (
    ".profile .bash_profile .bash_login .bashrc .bash_aliases .zshenv .zprofile .zshrc .config/fish/config.fish"
    " .config/environment.d/*.conf .pam_environment"
)
SYSTEM_FILES = "/etc/environment /etc/profile /etc/profile.d/* /etc/bash.bashrc /etc/zsh/zshrc /etc/zsh/zshenv"


def log_of(host, unit: str) -> str:
    """Return what a unit said last, when it is not active, beside its state; nothing when it is."""
    state = host.run("timeout 30 systemctl is-active %s", unit).stdout.strip()
    if state == "active":
        return ""
    lines = host.run("timeout 30 journalctl --unit %s --lines 80 --output cat --no-pager", unit).stdout.splitlines()
    bad = [line for line in lines if re.search(r"unable to|failed to start daemon|level=(error|fatal)|in use", line)]
    return f"{unit} is {state}: {(bad or ['its log says nothing'])[-1]}"


@promise("this machine was set up by the playbook", "", APPLY)
def test_the_playbook_was_applied(host):
    kept = host.run("find /var/lib/wsl-dl-playbook -type f 2>/dev/null").stdout.split()
    assert kept, "no role has left its records in /var/lib/wsl-dl-playbook: it was never applied, or taken back"


@promise(
    "the relay waits for connections",
    "wsl_proxy",
    "sudo systemctl start wsl-proxy.socket, or run the site again",
    causes=("relay",),
)
def test_the_relay_waits(host):
    assert log_of(host, "wsl-proxy.socket") == "", log_of(host, "wsl-proxy.socket")


@promise(
    "a login shell reaches the Internet",
    "wsl_proxy",
    'start the proxy program (with WSL: on Windows, and switch on "Allow LAN" in it)',
    needs=("test_the_relay_waits",),
    causes=("shell",),
)
def test_a_login_shell_reaches_the_internet(user_run):
    shown = user_run(f"curl --silent --show-error --fail --max-time 20 {PAGE}")
    assert shown.rc == 0, told(shown)
    assert "<html" in shown.stdout.lower()


@promise("apt reads every source", "apt_mirror", needs=("test_a_login_shell_reaches_the_internet",), causes=("apt",))
def test_apt_reads_every_source(host):
    update = host.run("LC_ALL=C.UTF-8 timeout --kill-after=10 600 apt-get update --error-on=any")
    assert update.rc == 0, told(update)


@promise("nvcc runs in a login shell", "cuda_wsl")
def test_the_compiler_is_on_the_path(user_run):
    shown = user_run("nvcc --version")
    assert shown.rc == 0, told(shown)
    assert "Cuda compilation tools, release 1" in shown.stdout


@promise(
    "the user's shells lead docker to this engine",
    "docker_engine",
    'take that line out of the file and open a new terminal; a context is left with "docker context use default"',
)
def test_the_users_shells_lead_docker_to_this_engine(host, user_run):
    here = host.run(ENGINE.format("--host unix:///var/run/docker.sock")).stdout.strip()
    look = f"env | grep ^DOCKER_; echo CONTEXT=$(docker context show 2>/dev/null); echo ENGINE=$({ENGINE.format('')})"
    for kind, command in {"a login": look, "an interactive": f'"$SHELL" -ic {shlex.quote(look)} </dev/null'}.items():
        lines = user_run(command).stdout.splitlines()
        found = dict(line.split("=", 1) for line in lines if re.match(r"(DOCKER_\w+|CONTEXT|ENGINE)=", line))
        led = [f"DOCKER_HOST={found['DOCKER_HOST']}"] if found.get("DOCKER_HOST", "") not in SOCKETS else []
        context = found.get("DOCKER_CONTEXT") or found.get("CONTEXT")
        led += [f"the context {context}"] if context not in ("", "default", None) else []
        same = found.get("ENGINE") and found["ENGINE"] == (here or found["ENGINE"])
        assert same or not led, f"{' and '.join(led)} in {kind} shell leads docker elsewhere{where(user_run)}"


def where(user_run) -> str:
    """Return the lines of the shells' files that lead docker somewhere, each as FILE:LINE."""
    files = " ".join(f"~/{name}" for name in SHELL_FILES.split())
    grep = f"grep -HnE '^[^#]*DOCKER_(HOST|CONTEXT)\\b' {files} {SYSTEM_FILES} 2>/dev/null | cut -d: -f1-2 | sort -u"
    places = user_run(f"sh -c {shlex.quote(grep)}").stdout.split()
    context = user_run("grep -l currentContext ~/.docker/config.json 2>/dev/null").stdout.split()
    return f", set in {', '.join([*places, *context])}" if places or context else ""


@promise(
    "the user may use Docker, and it runs",
    "docker_engine",
    needs=("test_the_users_shells_lead_docker_to_this_engine",),
    causes=("docker",),
)
def test_docker_answers(host, user_run):
    shown = user_run("docker version")
    assert shown.rc == 0, f"{log_of(host, 'docker.service')}\n{told(shown)}"


@promise("docker has its builder and compose", "docker_engine", needs=("test_docker_answers",), causes=("docker",))
def test_docker_has_its_plugins(user_run):
    for plugin in ("buildx", "compose"):
        shown = user_run(f"docker {plugin} version")
        assert shown.rc == 0, told(shown)


@promise(
    "an image is pulled, and runs",
    "docker_proxy",
    needs=("test_docker_answers", "test_a_login_shell_reaches_the_internet"),
    causes=("docker",),
)
def test_hello_world_is_pulled_and_runs(user_run):
    user_run("docker image rm --force hello-world")
    shown = user_run("docker run --rm hello-world")
    assert shown.rc == 0, told(shown)
    assert "Hello from Docker!" in shown.stdout


@promise(
    "a container reaches the Internet",
    "docker_proxy",
    needs=("test_hello_world_is_pulled_and_runs",),
    causes=("docker",),
)
def test_a_container_fetches_a_page(user_run):
    shown = user_run(f"docker run --rm busybox wget -q -O - {PAGE}")
    assert shown.rc == 0, told(shown)
    assert "<html" in shown.stdout.lower()


@promise(
    "a container on a network of its own reaches the Internet",
    "docker_proxy",
    needs=("test_hello_world_is_pulled_and_runs",),
    causes=("docker",),
)
def test_a_container_on_an_own_network_fetches_a_page(user_run):
    user_run("docker network create verify-net")
    shown = user_run(f"docker run --rm --network verify-net busybox wget -q -O - {PAGE}")
    user_run("docker network rm verify-net")
    assert shown.rc == 0, told(shown)
    assert "<html" in shown.stdout.lower()


@promise(
    "an image build reaches the Internet",
    "docker_proxy",
    needs=("test_hello_world_is_pulled_and_runs",),
    causes=("docker",),
)
def test_an_image_build_fetches_a_page(user_run):
    dockerfile = f"FROM busybox\\nRUN wget -q -O /page {PAGE} && grep -qi html /page\\n"
    built = user_run(f"printf '{dockerfile}' | docker build --quiet --no-cache --tag verify-build -")
    user_run("docker image rm verify-build")
    assert built.rc == 0, told(built)


@promise("Docker knows the NVIDIA runtime", "nvidia_ctk", needs=("test_docker_answers",))
def test_the_runtime_is_registered(user_run):
    names = sorted(json.loads(user_run("docker info --format json").stdout)["Runtimes"])
    assert "nvidia" in names, f"registered are {', '.join(names)}"


@promise(
    "nvidia-smi runs in a container",
    "nvidia_ctk",
    needs=("test_the_runtime_is_registered",),
    causes=("nvidia", "docker"),
)
def test_nvidia_smi_runs_in_a_container(user_run):
    shown = user_run(f"{GPU_RUN} nvidia-smi")
    assert shown.rc == 0, told(shown)
    assert "NVIDIA-SMI" in shown.stdout


@promise("a container that asks for no GPU sees none", "nvidia_ctk", needs=("test_nvidia_smi_runs_in_a_container",))
def test_a_container_without_gpus_sees_none(user_run):
    shown = user_run("docker run --rm ubuntu:24.04 nvidia-smi")
    assert shown.rc == 127
    assert "executable file not found" in shown.stderr
