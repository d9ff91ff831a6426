"""nvidia_ctk, taken away: Docker no longer knows a GPU, and what older manuals left is back."""

import json


def test_docker_no_longer_knows_a_gpu(user_run):
    shown = user_run("docker run --rm --gpus all ubuntu:24.04 nvidia-smi")
    assert 'could not select device driver "" with capabilities: [[gpu]]' in shown.stderr


def test_the_packages_and_the_specification_are_gone(host):
    assert host.run("dpkg -l | grep nvidia").stdout == ""
    assert not host.file("/var/run/cdi/nvidia.yaml").exists


def test_the_runtimes_configuration_that_was_there_before_is_back(host):
    toml = host.file("/etc/nvidia-container-runtime/config.toml")
    assert (toml.content_string, toml.mode) == ("# mine\n[nvidia-container-cli]\nno-cgroups = false\n", 0o640)


def test_daemon_json_keeps_the_other_runtime(host):
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["runtimes"] == {"slow": {"path": "runc"}}


def test_the_older_sources_are_back_and_ours_is_gone(host):
    assert host.file("/etc/apt/sources.list.d/libnvidia-container.list").exists
    assert host.file("/etc/apt/sources.list.d/nvidia-docker.list").exists
    assert not host.file("/etc/apt/sources.list.d/nvidia-container-toolkit.sources").exists
    assert not host.file("/usr/share/keyrings/nvidia-container-toolkit-keyring.gpg").exists


def test_nothing_is_left_in_the_folder_of_backups(host):
    assert host.check_output("find /var/lib/wsl-dl-playbook -path '*nvidia*'") == ""
