"""One repository, however it is written; and lines that are switched off and on again."""

import pytest

from tests.unit import run_module

assert run_module.PLUGINS.is_dir()  # it makes the project's module_utils known

from ansible.module_utils import apt_sources  # noqa: E402

DOCKER = (["https://download.docker.com/linux/ubuntu"], ["jammy"])
NVIDIA = (["https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH)"], ["/"])
CUDA = (["https://developer.download.nvidia.com/compute/cuda/repos/wsl-ubuntu/x86_64"], ["/"])


def is_same(line, ours):
    (entry,) = apt_sources.entries("x.list", line)
    return bool(apt_sources.is_same(entry, *ours, "amd64"))


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("deb https://download.docker.com/linux/ubuntu jammy stable", DOCKER),
        ("deb [arch=amd64] http://download.docker.com/linux/ubuntu/ jammy stable test", DOCKER),
        ("deb [ trusted=yes ] https://user:secret@Download.Docker.com:443//linux/ubuntu jammy stable", DOCKER),
        ("deb-src https://download.docker.com/linux/ubuntu jammy stable", DOCKER),
        ("deb [signed-by=/k.gpg] https://mirrors.ustc.edu.cn/docker-ce/linux/ubuntu jammy stable", DOCKER),
        ("deb https://mirrors.aliyun.com/docker-ce/linux/ubuntu jammy stable", DOCKER),
        (
            "deb https://download.docker.com/linux/ubuntu jammy stable",
            (["https://mirrors.ustc.edu.cn/docker-ce/linux/ubuntu"], ["jammy"]),
        ),
        ("deb https://nvidia.github.io/libnvidia-container/stable/deb/amd64 /", NVIDIA),
        ("deb https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /", NVIDIA),
        ("deb https://nvidia.github.io/libnvidia-container/stable/deb/ $(ARCH)/", NVIDIA),
        ("deb https://mirrors.ustc.edu.cn/libnvidia-container/stable/deb/amd64 /", NVIDIA),
        (
            "deb [signed-by=/usr/share/keyrings/cuda-archive-keyring.gpg] "
            "https://developer.download.nvidia.com/compute/cuda/repos/wsl-ubuntu/x86_64/ /",
            CUDA,
        ),
        ("deb https://developer.download.nvidia.cn/compute/cuda/repos/wsl-ubuntu/x86_64/ /", CUDA),
    ],
)
def test_the_repository_is_known_in_this_spelling(line, ours):
    assert is_same(line, ours)


@pytest.mark.parametrize(
    ("line", "ours"),
    [
        ("deb http://archive.ubuntu.com/ubuntu jammy main", DOCKER),
        ("deb https://download.docker.com/linux/debian bookworm stable", DOCKER),
        ("deb https://packages.example.com/linux/ubuntu jammy stable", DOCKER),
        ("deb https://mirrors.ustc.edu.cn/docker-ce/linux/ubuntu noble stable", DOCKER),
        ("deb https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64/ /", CUDA),
        ("deb https://nvidia.github.io/libnvidia-container/experimental/deb/amd64 /", NVIDIA),
        ("deb https://nvidia.github.io/libnvidia-container/stable/deb/arm64 /", NVIDIA),
    ],
)
def test_another_repository_is_not_taken_for_it(line, ours):
    assert not is_same(line, ours)


TEXT = "# head\ndeb http://a x y\n\tdeb http://b x y\r\nno sources line\n"


def test_lines_are_switched_off_and_on_byte_for_byte():
    off = [entry for entry in apt_sources.entries("x.list", TEXT) if entry.uris == ["http://b"]]
    text = apt_sources.switched_off(TEXT, off, "name")
    assert text == "# head\ndeb http://a x y\n# wsl-dl-playbook name: \tdeb http://b x y\r\nno sources line\n"
    assert apt_sources.switched_on(text, "name") == TEXT
    assert apt_sources.switched_on(text, "other") == text


@pytest.mark.parametrize("word", ["no", "No", "false", "off", "disable", "without"])
def test_a_stanza_is_switched_off_in_every_way_that_apt_knows(word):
    text = f"Types: deb\nURIs: http://a\nSuites: x\nComponents: y\nEnabled: {word}\n"
    assert [entry.enabled for entry in apt_sources.entries("x.sources", text)] == [False]
