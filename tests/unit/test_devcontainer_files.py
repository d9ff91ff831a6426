"""What devcontainer writes and refuses, without a host."""

import json

import pytest

from tests.unit.role_values import role_files, role_value

FACTS = ["home /home/dev"]
PROJECT = "/home/dev/projects/deep-learning"


def given(found, variables):
    return {"__devcontainer_facts_read": {"stdout_lines": FACTS + list(found)}, "devcontainer_user": "dev"} | variables


def content(name, *found, **variables):
    return role_files("devcontainer", **given(found, variables))[f"{PROJECT}/{name}"]["content"]


def configuration(**variables):
    head, _, text = content(".devcontainer/devcontainer.json", **variables).partition("\n")
    assert head.startswith("// role:devcontainer ")
    return json.loads(text)


def refusals(*found, **variables):
    return role_value("devcontainer", "__devcontainer_refusals", **given(found, variables))


def test_the_gpu_is_asked_for_once():
    assert configuration()["hostRequirements"] == {"gpu": "optional"}
    assert "--gpus" not in json.dumps(configuration())


def test_nothing_points_at_windows_by_a_name_that_is_the_distribution():
    assert "host.docker.internal" not in content(".devcontainer/devcontainer.json")


def test_datasets_are_mounted_when_there_are_some():
    assert configuration()["mounts"] == []
    assert configuration(devcontainer_datasets="/data")["mounts"] == ["type=bind,source=/data,target=/datasets"]


def test_every_file_is_the_users_and_keeps_his_edits():
    files = role_files("devcontainer", **given([], {})).values()
    assert [(file["owner"], file["keep_edits"]) for file in files] == [("dev", True)] * 4


def test_the_build_takes_packages_by_https_and_security_updates_from_ubuntu():
    text = content(".devcontainer/Dockerfile")
    assert r"s|https\?://archive\.ubuntu\.com/ubuntu|https://mirrors.ustc.edu.cn/ubuntu|" in text
    assert "PIP_INDEX_URL=https://mirrors.ustc.edu.cn/pypi/simple\n" in text
    assert "http://" not in text
    assert "security" not in text


def test_no_mirror_leaves_the_images_own_sources():
    text = content(".devcontainer/Dockerfile", devcontainer_apt_mirror="", devcontainer_pip_index="")
    assert "sed" not in text
    assert "PIP_INDEX_URL" not in text
    assert "nvidia-ml.list \\\n && apt-get update \\\n" in text


def test_root_needs_no_user_in_the_image():
    text = content(".devcontainer/Dockerfile", devcontainer_container_user="root")
    assert "useradd" not in text
    assert configuration(devcontainer_container_user="root")["remoteUser"] == "root"


@pytest.mark.parametrize(
    ("found", "lacking"),
    [
        (["vscode cd '/mnt/c/x' && cmd.exe"], ["ms-vscode-remote.remote-wsl", "ms-vscode-remote.remote-containers"]),
        (
            ["vscode cd '/mnt/c/x' && cmd.exe", "extension MS-vscode-remote.remote-WSL"],
            ["ms-vscode-remote.remote-containers"],
        ),
        (["vscode code"], ["ms-vscode-remote.remote-containers"]),
        ([], []),
    ],
)
def test_lacking_extensions_are_added_where_vs_code_is_and_wsls_only_on_windows(found, lacking):
    assert role_value("devcontainer", "__devcontainer_lacking", **given(found, {})) == lacking


def test_the_defaults_are_taken():
    assert refusals() == []


@pytest.mark.parametrize(
    ("name", "value", "cause"),
    [
        ("folder", "/mnt/c/Users/dev/project", "must be a folder below the user's home"),
        ("folder", "../root", "must be a folder below the user's home"),
        ("folder", "projects/my work", "must be a folder below the user's home"),
        ("image", "", "is not the name of an image"),
        ("image", "ubuntu\nRUN evil", "is not the name of an image"),
        ("apt_mirror", "http://mirrors.ustc.edu.cn/ubuntu", "must be an address that begins with https://"),
        ("pip_index", "http://mirrors.aliyun.com/pypi/simple/", "must be an address that begins with https://"),
        ("apt_packages", ["git; evil"], "a list of Ubuntu's package names"),
        ("pip_packages", ["--trusted-host mirrors.aliyun.com"], "a list of Python packages"),
        ("timezone", "China Time", "is not a time zone"),
        ("container_user", "Me", "is not the name of a Linux user"),
        ("shm_size", "8 GB", "is not a size"),
        ("datasets", "data", "must be an absolute path"),
        ("datasets", "/data,readonly", "must be an absolute path"),
        ("extensions", ["Python"], "list of identifiers as ms-python.python"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_its_name(name, value, cause):
    (refused,) = refusals(**{f"devcontainer_{name}": value})
    assert f"devcontainer_{name}" in refused
    assert cause in refused


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("image", "registry.example.com:5000/team/torch:2.14@sha256:00ff"),
        ("apt_mirror", "https://mirrors.tuna.tsinghua.edu.cn/ubuntu/"),
        ("pip_packages", ["torchvision[gdown]>=0.29", "numpy<3; python_version>'3.10'"]),
        ("apt_packages", ["g++", "libstdc++6=14-*"]),
        ("shm_size", "512M"),
        ("datasets", "/mnt/d/my datasets"),
    ],
)
def test_a_value_that_works_is_taken(name, value):
    assert refusals(**{f"devcontainer_{name}": value}) == []


@pytest.mark.parametrize(
    ("found", "cause"),
    [
        ("unknown ghost", "which this machine does not know"),
        ("file /home/dev/projects", "/home/dev/projects is a file where a folder is needed"),
        ("missing /data", "is not a folder of this machine"),
    ],
)
def test_a_machine_that_cannot_work_is_refused(found, cause):
    (refused,) = refusals(found)
    assert cause in refused


def test_a_folder_that_leads_to_a_windows_drive_is_named_by_its_real_path():
    refused = refusals("drive /mnt/d/projects")
    assert refused[0].startswith("/home/dev/projects/deep-learning would lie at /mnt/d/projects, on a Windows drive")
    assert "Remove the link that leads there" in refused[0]


def test_nothing_is_refused_when_the_folder_is_to_go():
    assert refusals("unknown ghost", devcontainer_state="absent", devcontainer_folder="/") == []
