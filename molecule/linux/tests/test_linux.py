"""A plain Ubuntu machine is a workstation, and the driver that it had is the one that it has."""

import json

import yaml

GROUP = "wsl"
DRIVER = "550.163.01-0ubuntu1"
UUID = "GPU-00000000-1ab0-0000-0000-000000000000"


def test_nothing_of_wsl_is_there(host):
    assert "microsoft" not in host.file("/proc/sys/kernel/osrelease").content_string.lower()
    for path in ("/usr/lib/wsl", "/etc/wsl.conf", "/dev/dxg", "/run/WSL"):
        assert not host.file(path).exists, path


def test_nvidia_smi_runs_in_a_container_with_the_machines_driver(user_run):
    shown = user_run("docker run --rm --gpus all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "Driver Version: 550.163.01" in shown.stdout


def test_each_gpu_is_a_device_by_number_by_name_and_all_of_them(host, user_run):
    spec = yaml.safe_load(host.file("/var/run/cdi/nvidia.yaml").content_string)
    assert [device["name"] for device in spec["devices"]] == ["0", UUID, "all"]
    shown = user_run("docker run --rm --device nvidia.com/gpu=0 ubuntu:24.04 nvidia-smi -L")
    assert shown.stdout.strip() == f"GPU 0: NVIDIA GeForce RTX 4090 (UUID: {UUID})", shown.stderr


def test_cuda_comes_from_the_repository_of_this_ubuntu(host):
    source = host.file("/etc/apt/sources.list.d/cuda-wsl.sources").content_string
    assert "URIs: https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64/" in source


def test_nvidias_repository_does_not_exchange_the_driver(host):
    offered = host.check_output("apt-cache madison nvidia-driver-550")
    assert "550.163.02-1" in offered, "the tests below would prove nothing"
    assert f"Candidate: {DRIVER}" in host.check_output("apt-cache policy nvidia-driver-550")
    planned = host.check_output("apt-get --simulate dist-upgrade")
    assert [line for line in planned.splitlines() if line.startswith("Inst ") and "nvidia-driver" in line] == []
    assert host.run("apt-get install --simulate cuda-drivers").rc == 100


def test_ubuntus_own_drivers_stay_installable(host):
    assert host.run("apt-get install --simulate --reinstall nvidia-driver-550").rc == 0


def test_requests_go_by_the_relay_to_the_machine_that_has_the_proxy(user_run, requests_during):
    seen = requests_during(lambda: user_run("curl --silent http://www.google.com/"))
    assert [(record["via"], record["host"]) for record in seen] == [("proxy", "www.google.com")]


def test_the_project_does_not_recommend_what_leads_into_wsl(host):
    names = json.loads(host.file("/home/dev/projects/deep-learning/.vscode/extensions.json").content_string)
    assert names == {"recommendations": ["ms-vscode-remote.remote-containers"]}
