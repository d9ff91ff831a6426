"""devcontainer: the project folder of an ordinary user becomes a container with the GPU, as VS Code would make it."""

import json

import pytest

from tests import devcontainers
from tests.converge import converge

PROJECT = "/home/dev/projects/deep-learning"


@pytest.fixture
def devcontainer(host, user_run):
    """Return a function that runs a command of the Dev Containers CLI on the project, as the ordinary user."""
    program = devcontainers.install(host)

    def run(command, *words):
        return user_run(" ".join([program, command, "--workspace-folder", PROJECT, *words]))

    return run


def started(user_run):
    """Return what Docker tells about the dev container that runs."""
    name = user_run(f"docker ps --quiet --filter label=devcontainer.local_folder={PROJECT}").stdout.split()
    assert len(name) == 1
    return json.loads(user_run(f"docker inspect {name[0]}").stdout)[0]


def test_the_project_belongs_to_its_user(host):
    listed = host.check_output("find /home/dev/projects -printf '%P %u:%g %m\\n'").splitlines()
    assert sorted(listed) == [
        " dev:dev 755",
        "deep-learning dev:dev 755",
        "deep-learning/.devcontainer dev:dev 755",
        "deep-learning/.devcontainer/Dockerfile dev:dev 644",
        "deep-learning/.devcontainer/devcontainer.json dev:dev 644",
        "deep-learning/.devcontainer/requirements.txt dev:dev 644",
        "deep-learning/.vscode dev:dev 755",
        "deep-learning/.vscode/extensions.json dev:dev 644",
    ]


def test_vs_code_got_the_extension_that_it_lacked_and_no_other(host):
    assert host.file("/home/dev/extensions").content_string.split() == [
        "ms-python.python",
        "ms-vscode-remote.remote-containers",
    ]


def test_a_file_that_nobody_edited_follows_the_variables(host):
    assert converge(host, devcontainer_datasets="/srv/datasets") == (1, "")
    assert "source=/srv/datasets" in host.file(f"{PROJECT}/.devcontainer/devcontainer.json").content_string


def test_the_cli_reads_the_configuration(devcontainer):
    shown = devcontainer("read-configuration")
    assert shown.rc == 0, shown.stderr
    answer = json.loads(shown.stdout)
    assert answer["workspace"]["workspaceFolder"] == "/workspaces/deep-learning"
    configuration = answer["configuration"]
    del configuration["configFilePath"]
    assert configuration == {
        "name": "deep-learning",
        "build": {"dockerfile": "Dockerfile"},
        "hostRequirements": {"gpu": "optional"},
        "runArgs": ["--shm-size=8g"],
        "capAdd": ["SYS_PTRACE"],
        "mounts": ["type=bind,source=/srv/datasets,target=/datasets"],
        "remoteUser": "ubuntu",
        "shutdownAction": "none",
        "customizations": {
            "vscode": {
                "extensions": [
                    "ms-python.python",
                    "ms-python.autopep8",
                    "ms-vscode.cpptools",
                    "ms-vscode.cmake-tools",
                    "ms-vscode.hexeditor",
                ]
            }
        },
    }


def test_the_dev_container_is_built_through_the_proxy_and_starts(devcontainer, requests_during):
    shown = []
    seen = requests_during(lambda: shown.append(devcontainer("up")))
    assert shown[0].rc == 0, shown[0].stderr
    outcome = json.loads(shown[0].stdout)
    assert (outcome["outcome"], outcome["remoteUser"]) == ("success", "ubuntu")
    own = ("proxy", "containers.dev")  # the CLI's own question, for features that it should refuse
    assert {(record["via"], record["host"]) for record in seen} - {own} == {
        ("proxy", "registry-1.docker.io"),
        ("proxy", "mirrors.ustc.edu.cn"),
        ("proxy", "security.ubuntu.com"),
    }


def test_nvidia_smi_works_in_the_dev_container(devcontainer):
    shown = devcontainer("exec", "nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA-SMI" in shown.stdout


def test_nvidia_smi_works_in_a_container_of_its_image(user_run):
    shown = user_run(f"docker run --rm --gpus all {started(user_run)['Config']['Image']} nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA-SMI" in shown.stdout


def test_the_gpu_is_asked_for_once_and_shared_memory_is_large(user_run):
    settings = started(user_run)["HostConfig"]
    assert len(settings["DeviceRequests"]) == 1
    assert settings["ShmSize"] == 8589934592
    assert settings["CapAdd"] == ["CAP_SYS_PTRACE"]


def test_the_packages_are_in_it_and_pip_works_in_it(devcontainer):
    shown = devcontainer("exec", "python3", "-c", "'import einops, h5py, matplotlib, ninja, scipy, tensorboard, tqdm'")
    assert shown.rc == 0, shown.stderr
    again = devcontainer("exec", "pip", "install", "--force-reinstall", "tqdm")
    assert again.rc == 0, again.stderr


def test_a_program_in_it_has_the_proxy(devcontainer):
    shown = devcontainer("exec", "env").stdout.splitlines()
    assert "http_proxy=http://10.213.0.1:17890" in shown
    assert "https_proxy=http://10.213.0.1:17890" in shown


def test_the_datasets_are_mounted(devcontainer):
    assert devcontainer("exec", "cat", "/datasets/hello").stdout == "a data set\n"


def test_a_file_that_it_writes_belongs_to_the_user_outside(devcontainer, host):
    assert devcontainer("exec", "touch", "made-inside").rc == 0
    assert host.file(f"{PROJECT}/made-inside").user == "dev"


def test_a_vs_code_on_windows_is_found_and_run_through_cmd(host):
    folder = "/mnt/c/Users/dev/AppData/Local/Programs/Microsoft VS Code/bin"
    host.run_expect([0], f"mkdir -p /mnt/c/Windows/System32 '{folder}'")
    host.run_expect([0], f"mv /usr/local/bin/code '{folder}/code.cmd'")
    host.run_expect([0], "printf '#!/bin/sh\\nshift 2\\nexec ./\"$@\"\\n' > /mnt/c/Windows/System32/cmd.exe")
    host.run_expect([0], "chmod 0755 /mnt/c/Windows/System32/cmd.exe && truncate --size 0 /home/dev/extensions")
    assert converge(host, devcontainer_datasets="/srv/datasets") == (2, "")
    assert host.file("/home/dev/extensions").content_string.split() == [
        "ms-vscode-remote.remote-wsl",
        "ms-vscode-remote.remote-containers",
    ]


def test_a_marketplace_out_of_reach_is_named_with_the_remedy(host):
    host.run("truncate --size 0 /home/dev/extensions")
    script = "/mnt/c/Users/dev/AppData/Local/Programs/Microsoft VS Code/bin/code.cmd"
    host.run(f"sed -i '/install-extension/s/echo.*;;/echo getaddrinfo ENOTFOUND; exit 1 ;;/' '{script}'")
    _, message = converge(host, devcontainer_datasets="/srv/datasets")
    host.run("rm -r /mnt/c/Users")
    assert "VS Code could not install ms-vscode-remote.remote-wsl: getaddrinfo ENOTFOUND" in message
    assert "or set devcontainer_vscode_extensions to []" in message


def test_what_the_user_edited_stays(host):
    host.run(f"echo '# mine' >> {PROJECT}/.devcontainer/Dockerfile")
    mine = host.file(f"{PROJECT}/.devcontainer/Dockerfile").content_string
    assert converge(host, devcontainer_datasets="/srv/datasets", devcontainer_image="ubuntu:24.04") == (0, "")
    assert host.file(f"{PROJECT}/.devcontainer/Dockerfile").content_string == mine


def test_a_folder_where_nothing_can_be_written_is_named_by_its_real_path(host):
    host.run("mv /home/dev/projects /home/dev/kept; mkdir -p /mnt/d; mount -t tmpfs tmpfs /mnt/d")
    host.run("mkdir /mnt/d/projects; ln -s /mnt/d/projects /home/dev/projects; mount -o remount,ro /mnt/d")
    changed, message = converge(host, devcontainer_folder="projects/other", devcontainer_datasets="/srv/datasets")
    host.run("umount /mnt/d; rm /home/dev/projects; mv /home/dev/kept /home/dev/projects")
    assert changed == 0
    assert "/home/dev/projects/other/.devcontainer/Dockerfile cannot be written: /mnt/d/projects is where" in message
    assert "Traceback" not in message


def test_bad_values_are_refused_together_before_any_change(host):
    changed, message = converge(
        host,
        devcontainer_folder="/mnt/c/Users/dev",
        devcontainer_pip_index="http://mirrors.aliyun.com/pypi/simple/",
        devcontainer_datasets="/srv/nowhere",
    )
    assert changed == 0
    assert "devcontainer_folder '/mnt/c/Users/dev' must be a folder below the user's home" in message
    assert "must be an address that begins with https://" in message
    assert "devcontainer_datasets '/srv/nowhere' is not a folder of this machine" in message
