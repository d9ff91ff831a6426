"""One repository, however it is written; and lines that are switched off and on again."""

import pytest

from tests.unit import run_module

assert run_module.PLUGINS.is_dir()  # it makes the project's module_utils known

from ansible.module_utils import apt_program, apt_sources  # noqa: E402

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


SQV = "Sub-process /usr/bin/sqv returned an error code (1), error message is: "


@pytest.mark.parametrize(
    ("said", "why", "remedy"),
    [
        # apt 3 (Debian 13, Ubuntu 25.10 and newer), which verifies with sqv
        (
            f'W: OpenPGP signature verification failed: http://x: {SQV}Error: Failed to parse keyring "/k/a.gpg"'
            '  Caused by:     0: Reading "/k/a.gpg": Permission denied (os error 13)\nE: The repository is not signed.',
            "apt's own user cannot read the key /k/a.gpg",
            "sudo chmod 644 /k/a.gpg; sudo chmod 755 /k",
        ),
        (
            f"W: {SQV}Missing key 9DC858229FC7DD38854AE2D88D81803C0EBFCD88, which is needed to verify signature.",
            "is not signed by this key",
            "fingerprint",
        ),
        (
            f"W: {SQV}Signing key on 9DC8 is not bound:   because: Policy rejected non-revocation signature "
            "because: SHA1 is not considered secure since 2026-02-01T00:00:00Z",
            "is signed in a way that this apt no longer accepts",
            "must sign it anew",
        ),
        # apt 2
        (
            "W: http://x/InRelease: The key(s) in the keyring /k/a.gpg are ignored as the file is not readable by user "
            "'_apt' executing apt-key.\nW: GPG error: http://x InRelease: NO_PUBKEY 3B4FE6ACC0B21F32",
            "apt's own user cannot read the key /k/a.gpg",
            "sudo chmod 644 /k/a.gpg; sudo chmod 755 /k",
        ),
        ("W: GPG error: http://x InRelease: NO_PUBKEY 3B4FE6ACC0B21F32", "is not signed by this key", "fingerprint"),
        ("E: Failed to fetch http://x/InRelease  404  Not Found", "does not exist", "nothing for suite jammy"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "could not be stored", "disk"),
        (
            "E: Release file for http://x is not valid yet (invalid for another 2d)",
            "is not valid yet",
            "wsl --shutdown",
        ),
        ("E: Failed to fetch http://x/InRelease  Could not connect to x:80", "could not be fetched", "proxy"),
    ],
)
def test_why_an_index_could_not_be_fetched(said, why, remedy):
    found = apt_program.cause(said, ["jammy"])
    assert why in found[0]
    assert remedy in found[1]
