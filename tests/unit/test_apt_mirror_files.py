"""What apt_mirror writes and refuses, without a host."""

import pytest

from tests.unit.role_values import role_files, role_value

NOBLE = {"pkg_mgr": "apt", "distribution": "Ubuntu", "distribution_release": "noble"}


def value(expression, **variables):
    return role_value("apt_mirror", expression, **({"ansible_facts": NOBLE} | variables))


def test_apt_reaches_the_mirror_directly_with_both_schemes():
    files = role_files("apt_mirror", apt_mirror_uri="https://mirrors.tuna.tsinghua.edu.cn/ubuntu/")
    assert files["/etc/apt/apt.conf.d/95apt-mirror"]["content"].splitlines()[-2:] == [
        'Acquire::http::Proxy::mirrors.tuna.tsinghua.edu.cn "DIRECT";',
        'Acquire::https::Proxy::mirrors.tuna.tsinghua.edu.cn "DIRECT";',
    ]


def test_a_cache_is_asked_before_the_mirror_and_before_ubuntu_for_security_updates():
    known = {
        "apt_mirror_uri": "https://mirrors.tuna.tsinghua.edu.cn/ubuntu/",
        "apt_mirror_cache": "http://10.0.0.9:8780",
    }
    lists = {file["path"]: file["content"].splitlines()[-2:] for file in value("__apt_mirror_list_files", **known)}
    assert lists == {
        "/etc/apt/ubuntu.mirrors": [
            "http://10.0.0.9:8780/mirrors.tuna.tsinghua.edu.cn/ubuntu\tpriority:1",
            "https://mirrors.tuna.tsinghua.edu.cn/ubuntu\tpriority:2",
        ],
        "/etc/apt/ubuntu-security.mirrors": [
            "http://10.0.0.9:8780/security.ubuntu.com/ubuntu\tpriority:1",
            "http://security.ubuntu.com/ubuntu\tpriority:2",
        ],
    }
    written = ["__apt_mirror_written", "__apt_mirror_written_security"]
    assert [value(name, **known) for name in written] == [
        "mirror+file:/etc/apt/ubuntu.mirrors",
        "mirror+file:/etc/apt/ubuntu-security.mirrors",
    ]
    assert value("__apt_mirror_written_security", apt_mirror_security=True, **known) == ""
    direct = role_files("apt_mirror", **known)["/etc/apt/apt.conf.d/95apt-mirror"]["content"]
    assert 'Acquire::http::Proxy::10.0.0.9 "DIRECT";' in direct


def test_cloud_init_keeps_the_sources_where_it_is_installed():
    file = role_files("apt_mirror")["/etc/cloud/cloud.cfg.d/99-apt-mirror.cfg"]
    assert file["content"].endswith("apt:\n  preserve_sources_list: true\n")
    assert file["in_existing_folder"] is True


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
