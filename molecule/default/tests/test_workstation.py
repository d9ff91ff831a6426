"""What a finished workstation does, seen by its user. Also run by ``make verify`` on a real one."""

GPU_RUN = "docker run --rm --gpus all ubuntu:24.04"


def test_nvidia_smi_runs_in_a_container(user_run):
    shown = user_run(f"{GPU_RUN} nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA-SMI" in shown.stdout


def test_a_container_without_gpus_sees_none(user_run):
    shown = user_run("docker run --rm ubuntu:24.04 nvidia-smi")
    assert shown.rc == 127
    assert "executable file not found" in shown.stderr


def test_hello_world_is_pulled_and_runs(user_run):
    user_run("docker image rm --force hello-world")
    shown = user_run("docker run --rm hello-world")
    assert shown.rc == 0, shown.stderr
    assert "Hello from Docker!" in shown.stdout


def test_a_container_fetches_a_page(user_run):
    shown = user_run("docker run --rm busybox wget -q -O - http://www.google.com/")
    assert shown.rc == 0, shown.stderr
    assert "<html" in shown.stdout.lower()


def test_a_container_on_an_own_network_fetches_a_page(user_run):
    user_run("docker network create verify-net")
    shown = user_run("docker run --rm --network verify-net busybox wget -q -O - http://www.google.com/")
    user_run("docker network rm verify-net")
    assert shown.rc == 0, shown.stderr
    assert "<html" in shown.stdout.lower()


def test_an_image_build_fetches_a_page(user_run):
    dockerfile = "FROM busybox\\nRUN wget -q -O /page http://www.google.com/ && grep -qi html /page\\n"
    built = user_run(f"printf '{dockerfile}' | docker build --quiet --no-cache --tag verify-build -")
    user_run("docker image rm verify-build")
    assert built.rc == 0, built.stderr


def test_a_login_shell_reaches_the_internet(user_run):
    shown = user_run("curl --silent --show-error --fail --max-time 20 http://www.google.com/")
    assert shown.rc == 0, shown.stderr
    assert "<html" in shown.stdout.lower()


def test_apt_reads_every_source(host):
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr


def test_the_compiler_is_on_the_path(user_run):
    shown = user_run("nvcc --version")
    assert shown.rc == 0, shown.stderr
    assert "Cuda compilation tools, release 1" in shown.stdout


def test_the_proxy_carries_docker_and_the_mirror_is_reached_directly(host, user_run, requests_during):
    user_run("docker image rm --force busybox")

    def work():
        assert user_run("docker pull busybox").rc == 0
        assert host.run("apt-get update --error-on=any").rc == 0

    seen = {(record["via"], record["host"]) for record in requests_during(work)}
    assert ("proxy", "registry-1.docker.io") in seen
    assert ("proxy", "download.docker.com") in seen
    assert ("proxy", "nvidia.github.io") in seen
    assert ("proxy", "developer.download.nvidia.com") in seen
    assert ("direct", "mirrors.ustc.edu.cn") in seen
    assert ("proxy", "mirrors.ustc.edu.cn") not in seen
    assert {name for via, name in seen if via == "direct"} == {"mirrors.ustc.edu.cn"}
