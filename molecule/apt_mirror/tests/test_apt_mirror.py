"""apt_mirror behind the proxy: the archive comes directly from the mirror, the rest through the proxy."""

import pytest

from tests.converge import converge


@pytest.fixture
def codename(host):
    return {"22.04": "jammy", "24.04": "noble"}[host.system_info.release]


@pytest.fixture
def sources(host, codename):
    paths = {"jammy": "/etc/apt/sources.list", "noble": "/etc/apt/sources.list.d/ubuntu.sources"}
    return host.file(paths[codename]).content_string


def test_apt_has_the_archive_from_the_mirror(host, codename):
    policy = host.check_output("apt-cache policy")
    assert f"500 https://mirrors.ustc.edu.cn/ubuntu {codename}/main amd64 Packages" in policy
    assert "archive.ubuntu.com" not in policy


def test_an_update_asks_the_mirror_directly_and_security_through_the_proxy(host, requests_during):
    runs = []
    seen = requests_during(lambda: runs.append(host.run("apt-get update")))
    errors = [line for line in runs[0].stderr.splitlines() if line.startswith("E:")]
    assert [line for line in errors if "has-nothing-for-this-release" not in line] == []
    assert {(record["host"], record["via"]) for record in seen} == {
        ("mirrors.ustc.edu.cn", "direct"),
        ("security.ubuntu.com", "proxy"),
    }


def test_a_package_of_the_archive_is_downloaded_from_the_mirror_directly(host, requests_during):
    host.run("apt-get clean")
    seen = requests_during(lambda: host.run("apt-get install --yes --reinstall pigz"))
    assert host.package("pigz").is_installed
    assert {(record["host"], record["via"]) for record in seen} == {("mirrors.ustc.edu.cn", "direct")}


def test_security_updates_keep_their_address(sources):
    assert "http://security.ubuntu.com/ubuntu/" in sources


def test_the_users_own_repository_stays(sources):
    assert "https://ppa.example/ubuntu" in sources


def test_cloud_init_will_not_write_the_sources_again(host):
    drop_in = host.file("/etc/cloud/cloud.cfg.d/99-apt-mirror.cfg").content_string
    assert drop_in.endswith("apt:\n  preserve_sources_list: true\n")


def test_sources_that_apt_cannot_read_are_named_and_the_mirror_stays(host, sources):
    """CASES D1: it is not the mirror's fault."""
    parts = "/etc/apt/sources.list.d"
    for name in ("one", "two"):
        host.run(f"echo 'deb [signed-by=/{name}.gpg] https://x.example/x noble main' > {parts}/{name}.list")
    changed, message = converge(host)
    host.run(f"rm {parts}/one.list {parts}/two.list")
    assert changed == 0
    assert f"{parts}/one.list:1, {parts}/two.list:1: Conflicting values set for option Signed-By" in message
    assert "which is not the mirror's fault" in message
    assert "https://mirrors.ustc.edu.cn/ubuntu" in sources
    assert host.check_output("grep -rhc mirrors.ustc.edu.cn /etc/apt/apt.conf.d/95apt-mirror") == "2"
    assert converge(host) == (0, "")
