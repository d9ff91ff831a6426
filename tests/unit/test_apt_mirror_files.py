"""What apt_mirror writes and refuses, without a host."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.role_values import ROLES, role_files, role_value

NOBLE = {"pkg_mgr": "apt", "distribution": "Ubuntu", "distribution_release": "noble"}
POLICY = """\
Package files:
 100 /var/lib/dpkg/status
     release a=now
 500 https://ppa.example/ubuntu noble/main amd64 Packages
     release v=24.04,o=LP-PPA-example,a=noble,n=noble,l=ppa,c=main,b=amd64
 500 http://security.ubuntu.com/ubuntu noble-security/main amd64 Packages
     release v=24.04,o=Ubuntu,a=noble-security,n=noble,l=Ubuntu,c=main,b=amd64
 500 https://mirrors.ustc.edu.cn/ubuntu noble-updates/main amd64 Packages
     release v=24.04,o=Ubuntu,a=noble-updates,n=noble,l=Ubuntu,c=main,b=amd64
 500 https://mirrors.ustc.edu.cn/ubuntu noble/main amd64 Packages
     release v=24.04,o=Ubuntu,a=noble,n=noble,l=Ubuntu,c=main,b=amd64
"""


def value(expression, **variables):
    return role_value("apt_mirror", expression, **({"ansible_facts": NOBLE} | variables))


def served(policy):
    return value("__apt_mirror_served", __apt_mirror_index={"stdout": policy})


def test_apt_reaches_the_mirror_directly_with_both_schemes():
    files = role_files("apt_mirror", apt_mirror_uri="https://mirrors.tuna.tsinghua.edu.cn/ubuntu/")
    assert files["/etc/apt/apt.conf.d/95apt-mirror"]["content"].splitlines()[-2:] == [
        'Acquire::http::Proxy::mirrors.tuna.tsinghua.edu.cn "DIRECT";',
        'Acquire::https::Proxy::mirrors.tuna.tsinghua.edu.cn "DIRECT";',
    ]


def test_cloud_init_keeps_the_sources_where_it_is_installed():
    file = role_files("apt_mirror")["/etc/cloud/cloud.cfg.d/99-apt-mirror.cfg"]
    assert file["content"].endswith("apt:\n  preserve_sources_list: true\n")
    assert file["in_existing_folder"] is True


def test_the_archive_is_recognised_among_other_repositories():
    assert served(POLICY) == ["https://mirrors.ustc.edu.cn/ubuntu"]


def test_a_second_copy_of_the_archive_is_noticed():
    second = POLICY.replace("https://mirrors.ustc.edu.cn/ubuntu noble/", "http://archive.ubuntu.com/ubuntu noble/")
    assert served(second) == ["https://mirrors.ustc.edu.cn/ubuntu", "http://archive.ubuntu.com/ubuntu"]


def test_the_suites_to_fetch_follow_the_choice_for_security():
    assert value("__apt_mirror_suites") == ["noble", "noble-updates"]
    assert value("__apt_mirror_suites", apt_mirror_security=True) == ["noble", "noble-updates", "noble-security"]


def test_the_defaults_are_not_refused():
    assert value("__apt_mirror_refusals") == []


@pytest.mark.parametrize(
    "uri", ["", "mirrors.ustc.edu.cn/ubuntu", "ftp://a/b", "https://a/b c", 'https://a";x "', "https://a/b\n"]
)
def test_what_is_no_address_of_a_mirror_is_refused(uri):
    assert len(value("__apt_mirror_refusals", apt_mirror_uri=uri)) == 1


def test_a_machine_without_apt_is_refused():
    found = value("__apt_mirror_refusals", ansible_facts=NOBLE | {"pkg_mgr": "dnf"})
    assert found == ["This machine does not use apt. Set apt_mirror_state to ignore."]


def test_the_index_script_is_valid_shell():
    script = Path(ROLES / "apt_mirror/files/index.sh")
    assert subprocess.run(["sh", "-n", script], check=False).returncode == 0
