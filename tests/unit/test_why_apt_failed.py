"""What a role says when apt fails; the words are apt's own."""

import pytest

from tests.unit import loaded

why = loaded.module("plugins/filter/why_apt_failed.py").why_apt_failed


def cause(said):
    return why({"stderr": said}, "Docker", [])


FETCH = "E: Failed to fetch http://archive.ubuntu.com/ubuntu/pool/main/b/bind9/libblock-1.502_amd64.deb"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (f"{FETCH}  Hash Sum mismatch", "is not the one that its signed index names"),
        (f"{FETCH}  File has unexpected size (5 != 7). Mirror sync in progress?", "is not the one that its signed"),
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "The disk of the distribution is full"),
        ("dpkg: error: failed to write: No space left on device", "The disk of the distribution is full"),
        (
            "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 411 (apt-get)",
            "Another program uses apt",
        ),
        ("Failed to lock apt for exclusive operation: E:Could not open lock file", "Another program uses apt"),
        ("apt is in use: /var/lib/apt/lists/lock has been held by process 411 (apt-get)", "Another program uses apt"),
        ("dpkg: error: dpkg frontend lock was locked by another process with pid 411", "Another program uses apt"),
        (f"{FETCH}  511  Network Authentication Required", "The proxy requires authentication"),
        (
            f"{FETCH}  Invalid response from proxy: HTTP/1.1 407 Proxy Authentication Required",
            "The proxy requires authentication",
        ),
        (f"{FETCH}  502  Bad Gateway [IP: 127.0.0.1 17890]", "answers, but has no connection of its own"),
        (f"{FETCH}  Invalid response from proxy: HTTP/1.1 503 Service Unavailable", "has no connection of its own"),
        ("E: Release file for http://archive.ubuntu.com/ubuntu is not valid yet", "The clock of the distribution"),
        (
            f"{FETCH}  Could not connect to 127.0.0.1:17890 - connect (111: Connection refused)",
            "The vendor cannot be reached",
        ),
        (f"{FETCH}  Connection timed out", "The vendor cannot be reached"),
        ("E: Unable to locate package docker-ce", "does not offer such a package"),
        ("E: Version '1.19.0-1' for 'nvidia-container-toolkit' was not found", "does not offer such a package"),
        ("E: Unable to correct problems, you have held broken packages.", "It conflicts with installed packages"),
        ("E: Sub-process /usr/bin/dpkg returned an error code (1)", "Try the same with apt-get in the distribution"),
    ],
)
def test_the_cause_is_named(said, expected):
    assert expected in cause(said)


FOUND = [
    {"severity": "error", "text": "/usr/bin/python3: it does not fit. Give it back."},
    {"severity": "warning", "text": "/etc/apt/sources.list:9: no key."},
]


def test_the_whole_message_is_what_why_what_to_do_and_apts_own_errors():
    said = f"{FETCH}  Hash Sum mismatch\nE: Unable to fetch some archives\n{FETCH}  Hash Sum mismatch"
    assert why({"stderr": said, "msg": "apt-get failed"}, "Docker Engine", []) == (
        "Docker Engine could not be installed. A file is not the one that its signed index names; a proxy or a mirror "
        "on the way has changed it or cut it short. Run again. If it stays so, ask who runs the proxy, or wait until "
        "the vendor has finished publishing. (apt says: E: Failed to fetch http://archive.ubuntu.com/ubuntu/pool/main/b/bind9/"
        "libblock-1.502_amd64.deb  Hash Sum mismatch E: Unable to fetch some archives)"
    )


@pytest.mark.parametrize(
    "said",
    ["Could not import the python3-apt module using /usr/bin/python3", "E: The list of sources could not be read."],
)
def test_what_apt_does_not_explain_itself_is_explained_by_what_was_found(said):
    assert why({"msg": said}, "Docker", FOUND) == (
        f"Docker could not be installed. /usr/bin/python3: it does not fit. Give it back. (apt says: {said})"
    )


def test_a_known_cause_comes_before_what_was_found():
    said = why({"stderr": f"{FETCH}  Hash Sum mismatch"}, "Docker", FOUND)
    assert "is not the one that its signed index names" in said
    assert "it does not fit" not in said
