"""nvidia_ctk: the GPU (the lab's stand-in) arrives in containers, on every way that Docker knows."""

import json

from tests.converge import converge

PACKAGES = [
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
]
RUN = "docker run --rm"


def test_nvidia_smi_works_in_a_container(user_run):
    shown = user_run(f"{RUN} --gpus all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA-SMI" in shown.stdout


def test_a_container_that_does_not_ask_sees_no_gpu(user_run):
    assert user_run(f"{RUN} ubuntu:24.04 nvidia-smi").rc == 127


def test_the_runtime_works_as_dev_containers_use_it(user_run):
    shown = user_run(f"{RUN} --runtime=nvidia --env NVIDIA_VISIBLE_DEVICES=all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "nvidia-container-runtime" in user_run("docker info --format '{{.Runtimes.nvidia}}'").stdout


def test_the_cdi_device_works(user_run):
    shown = user_run(f"{RUN} --device nvidia.com/gpu=all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr


def test_daemon_json_keeps_what_others_and_other_roles_wrote(host):
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "bip": "10.213.0.1/24",
        "runtimes": {
            "slow": {"path": "runc"},
            "nvidia": {"args": [], "path": "nvidia-container-runtime"},
        },
    }


def test_the_four_packages_have_one_version(host):
    assert {host.package(name).version for name in PACKAGES} == {"1.20.1-1"}


def test_the_older_sources_are_set_aside_and_apt_is_content(host):
    assert not host.file("/etc/apt/sources.list.d/libnvidia-container.list").exists
    assert not host.file("/etc/apt/sources.list.d/nvidia-docker.list").exists
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr


def test_the_proof_is_not_repeated_while_nothing_changed(user_run, host):
    user_run("docker image rm --force ubuntu:24.04")
    assert converge(host) == (0, "")
    assert user_run("docker image inspect ubuntu:24.04").rc == 1


def test_bad_versions_and_a_missing_gpu_are_refused_together_before_any_change(host):
    host.run("umount /dev/dxg; mv /dev/dxg /dev/dxg.away")
    changed, message = converge(host, nvidia_ctk_version="1.19.1")
    host.run("mv /dev/dxg.away /dev/dxg")
    assert changed == 0
    assert "nvidia_ctk_version 1.19.1 is below 1.20.0" in message
    assert 'run "wsl --update" and "wsl --shutdown" there' in message
    assert host.package("nvidia-container-toolkit").version == "1.20.1-1"


def test_another_version_is_put_in_for_all_four_packages_with_one_restart(host):
    changed, message = converge(host, nvidia_ctk_version="1.20.0")
    assert message == ""
    assert {host.package(name).version for name in PACKAGES} == {"1.20.0-1"}
    assert changed == 3


def test_a_lost_driver_is_named_as_the_cause(host):
    host.run("mv /usr/lib/wsl/lib/libdxcore.so /root/")
    _, message = converge(host, nvidia_ctk_version="1.20.0", nvidia_ctk_gpu_check_image="busybox")
    host.run("mv /root/libdxcore.so /usr/lib/wsl/lib/")
    assert "No GPU in a container" in message
    assert "The driver's files are missing from /usr/lib/wsl/lib." in message
