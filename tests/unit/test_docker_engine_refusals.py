"""What docker_engine refuses, wants installed and writes, without a host."""

import pytest

from tests.unit.role_values import role_value

FACTS = {"distribution": "Ubuntu", "distribution_release": "noble", "service_mgr": "systemd"}
INSTALLED = [
    "installed containerd.io=2.1.9-1~ubuntu.24.04~noble",
    "installed docker-buildx-plugin=0.29.1-1~ubuntu.24.04~noble",
    "installed docker-ce=5:28.5.2-1~ubuntu.24.04~noble",
    "installed docker-ce-cli=5:28.5.2-1~ubuntu.24.04~noble",
    "installed docker-compose-plugin=2.40.3-1~ubuntu.24.04~noble",
]


def value(expression, *found, facts=None, **variables):
    look = {"stdout_lines": ["disk 76", *found]}
    facts = FACTS | (facts or {})
    return role_value("docker_engine", expression, __docker_engine_look=look, ansible_facts=facts, **variables)


def refusals(*found, **variables):
    return value("__docker_engine_refusals", *found, **variables)


def test_a_stock_ubuntu_is_taken():
    assert refusals() == []


def test_debian_is_taken():
    assert refusals(facts={"distribution": "Debian", "distribution_release": "trixie"}) == []


@pytest.mark.parametrize(
    ("found", "cause", "remedy"),
    [
        ("wsl1 4.4.0-19041-Microsoft", "This is WSL 1", 'run "wsl --set-version"'),
        (
            "desktop /mnt/wsl/docker-desktop",
            "Docker Desktop serves this distro",
            "WSL integration switch this distro off",
        ),
        ("snap /snap/bin/docker", "Docker is installed as a snap", 'run "snap remove docker"'),
        (
            "rootless /home/dev/.config/systemd/user/docker.service",
            "A rootless Docker is set up (/home/dev/.config/systemd/user/docker.service)",
            'run "dockerd-rootless-setuptool.sh uninstall"',
        ),
        ("unknown nobody2", "docker_engine_users names nobody2", "Create the user, or correct the variable"),
        (
            "json Expecting property name enclosed in double quotes: line 3 column 1 (char 11)",
            "daemon.json is not valid JSON",
            "Correct that place or move the file away",
        ),
        ("disk 2", "/var/lib has 2 GiB left, 5 are wanted", "enlarge the distro's disk"),
    ],
)
def test_a_machine_that_cannot_work_is_refused_with_cause_and_remedy(found, cause, remedy):
    look = {"stdout_lines": [found] if found.startswith("disk") else ["disk 76", found]}
    refused = role_value("docker_engine", "__docker_engine_refusals", __docker_engine_look=look, ansible_facts=FACTS)
    assert len(refused) == 1
    assert cause in refused[0]
    assert remedy in refused[0]


def test_an_unsupported_release_is_refused():
    assert "Docker has no packages for Ubuntu focal" in refusals(facts={"distribution_release": "focal"})[0]


def test_a_distro_without_systemd_is_refused():
    assert '"[boot] systemd=true"' in refusals(facts={"service_mgr": "sysvinit"})[0]


def test_a_full_disk_does_not_stop_a_machine_that_has_docker():
    look = {"stdout_lines": ["disk 0", *INSTALLED]}
    assert role_value("docker_engine", "__docker_engine_refusals", __docker_engine_look=look, ansible_facts=FACTS) == []


def test_nothing_is_refused_when_docker_is_to_go():
    assert refusals("snap /snap/bin/docker", docker_engine_state="absent") == []


@pytest.mark.parametrize(("version", "complete"), [("", True), ("28.5.2", True), ("28.5.1", False), ("28.5", False)])
def test_apt_is_asked_only_for_another_version(version, complete):
    assert value("__docker_engine_complete", *INSTALLED, docker_engine_version=version) is complete


def test_a_missing_plugin_is_noticed():
    assert value("__docker_engine_complete", *INSTALLED[:-1]) is False


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ([*INSTALLED, "member dev"], False),
        (INSTALLED, True),
        ([*INSTALLED, "member dev", "installed runc=1.2.5-0ubuntu1"], True),
        ([*INSTALLED[:-1], "member dev"], True),
    ],
)
def test_installing_is_left_out_only_when_nothing_is_missing(found, wanted):
    assert value("__docker_engine_to_install", *found, docker_engine_users=["dev"]) is wanted


def test_a_version_pins_engine_and_client_and_nothing_else():
    assert value("__docker_engine_wanted", docker_engine_version="28.5.2") == [
        "docker-ce=5:28.5.2-*",
        "docker-ce-cli=5:28.5.2-*",
        "containerd.io",
        "docker-buildx-plugin",
        "docker-compose-plugin",
    ]


def test_the_distributions_packages_are_in_the_way_and_dockers_own_are_not():
    found = [*INSTALLED, "installed docker.io=27.5.1-0ubuntu3", "installed runc=1.2.5-0ubuntu1"]
    assert value("__docker_engine_in_the_way", *found) == ["docker.io", "runc"]


def test_the_users_options_win_over_those_of_the_role():
    options = {"log-opts": {"max-size": "50m"}, "data-root": "/big"}
    assert value(
        "__docker_engine_options", docker_engine_bip="10.213.0.1/24", docker_engine_daemon_options=options
    ) == {
        "log-driver": "json-file",
        "log-opts": {"max-size": "50m", "max-file": "3"},
        "bip": "10.213.0.1/24",
        "data-root": "/big",
    }


def test_numbers_from_the_command_line_and_the_inventory_mean_the_same():
    assert value("__docker_engine_options", docker_engine_log_max_file=5)["log-opts"]["max-file"] == "5"
    assert "80 are wanted" in refusals(docker_engine_min_disk_gib="80")[0]


def test_docker_chooses_docker0s_address_when_none_is_given():
    assert "bip" not in value("__docker_engine_options")


def test_the_key_of_dockers_manual_is_the_default():
    assert value("docker_engine_key_fingerprint") == "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
    assert value("__docker_engine_url") == "https://download.docker.com/linux/ubuntu"
