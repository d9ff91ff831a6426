"""What docker_engine refuses, wants installed and writes, without a host."""

import copy

import pytest

from tests.unit.role_values import role_value

FACTS = {"distribution": "Ubuntu", "distribution_release": "noble", "service_mgr": "systemd"}
INSTALLED = {
    "containerd.io": "2.1.9-1~ubuntu.24.04~noble",
    "docker-buildx-plugin": "0.29.1-1~ubuntu.24.04~noble",
    "docker-ce": "5:28.5.2-1~ubuntu.24.04~noble",
    "docker-ce-cli": "5:28.5.2-1~ubuntu.24.04~noble",
    "docker-compose-plugin": "2.40.3-1~ubuntu.24.04~noble",
}
DEV = {"home": "/home/dev", "group": "dev", "problems": [], "windows": "", "dead_stores": [], "backed_up": False}
STOCK = {"option": "-H fd://", "key": "hosts", "value": "fd://", "file": "/usr/lib/systemd/system/docker.service"}
FOUND = {
    "wsl": True,
    "wsl1": "",
    "desktop": [],
    "desktop_elsewhere": False,
    "snap": False,
    "rootless": [],
    "users": {"dev": DEV | {"changes": False}},
    "unknown": [],
    "environment": [],
    "daemon_json": {"problem": "", "content": {}, "foreign": {}},
    "flags": [STOCK],
    "listens": ["unix:///run/docker.sock"],
    "address": "",
    "bip": "",
    "overlaps": [],
    "bip_problem": "",
    "disk": 76,
    "installed": {},
    "members": [],
}


def daemon_json(content, foreign=None):
    return {"daemon_json": {"problem": "", "content": content, "foreign": content if foreign is None else foreign}}


def value(expression, found=None, facts=None, **variables):
    answer = {"docker": copy.deepcopy(FOUND) | (found or {})}
    facts = FACTS | (facts or {})
    return role_value("docker_engine", expression, docker_engine_answer=answer, ansible_facts=facts, **variables)


def refusals(found=None, **variables):
    return value("__docker_engine_refusals", found, **variables)


def test_a_stock_ubuntu_is_taken():
    assert refusals() == []


@pytest.mark.parametrize(
    ("content", "flags"),
    [
        ({"registry-mirrors": ["https://dead.example"]}, [STOCK]),
        ({"iptables": False}, [STOCK]),
        ({"hosts": ["unix:///run/docker.sock", "tcp://127.0.0.1:2375"]}, []),
    ],
)
def test_a_daemon_json_with_which_docker_works_is_taken(content, flags):
    """CASES, "green already": a dead mirror of a registry, a firewall of one's own, a second socket."""
    assert refusals(daemon_json(content) | {"flags": flags}) == []


def test_outside_wsl_nobody_is_sent_to_a_disk_on_windows():
    assert refusals({"wsl": False, "disk": 2}) == [
        "/var/lib has 2 GB left, 5 are needed (docker_engine_min_free_gb). Free some space."
    ]


def test_debian_is_taken():
    assert refusals(facts={"distribution": "Debian", "distribution_release": "trixie"}) == []


@pytest.mark.parametrize(
    ("found", "cause", "remedy"),
    [
        ({"wsl1": "4.4.0-19041-Microsoft"}, "This is WSL 1", 'run "wsl --set-version"'),
        (
            {
                "desktop": [
                    "/usr/bin/docker is /mnt/wsl/docker-desktop/cli-tools/usr/bin/docker, which is not there now"
                ]
            },
            "Docker Desktop serves this distribution (/usr/bin/docker is /mnt/wsl/docker-desktop",
            "WSL integration switch this distribution off. Is it uninstalled already, then remove the link that it "
            "left: sudo rm /usr/bin/docker",
        ),
        ({"snap": True}, "Docker is installed as a snap", 'run "snap remove docker"'),
        (
            {"rootless": ["/home/dev/.config/systemd/user/docker.service"]},
            "A rootless Docker is set up (/home/dev/.config/systemd/user/docker.service)",
            'run "dockerd-rootless-setuptool.sh uninstall"',
        ),
        ({"unknown": ["nobody2"]}, "docker_engine_users names nobody2", "Create the user, or correct the variable"),
        (
            {"daemon_json": {"problem": "X is not valid JSON (…). Correct that place.", "content": {}, "foreign": {}}},
            "X is not valid JSON (…)",
            "Correct that place",
        ),
        ({"disk": 2}, "/var/lib has 2 GB left, 5 are needed", "enlarge the distribution's disk"),
        (
            {"bip": "10.213.0.1/24", "overlaps": ["10.0.0.0/8 of tun0"]},
            "docker0 would get 10.213.0.1/24, which lies in a network that this machine reaches otherwise: "
            "10.0.0.0/8 of tun0",
            "proxy_docker_address in the inventory",
        ),
        ({"bip_problem": "fixed-cidr … does not lie in docker0's network."}, "fixed-cidr", "docker0's network"),
        ({"environment": ["DOCKER_HOST leads … (/home/dev/.bashrc:9). Take that out."]}, "/home/dev/.bashrc:9", "out"),
        ({"users": {"dev": DEV | {"problems": ["A is broken. Do B."], "changes": False}}}, "A is broken", "Do B"),
    ],
)
def test_a_machine_that_cannot_work_is_refused_with_cause_and_remedy(found, cause, remedy):
    refused = refusals(found)
    assert len(refused) == 1
    assert cause in refused[0]
    assert remedy in refused[0]


def test_all_findings_are_told_at_once():
    assert (
        len(refusals({"snap": True, "unknown": ["x"], "overlaps": ["10.0.0.0/8 of tun0"], "environment": ["y"]})) == 4
    )


def test_docker_desktop_that_runs_beside_this_distribution_is_no_reason():
    assert refusals({"desktop_elsewhere": True}) == []


DROP_IN = "/etc/systemd/system/docker.service.d/10-log.conf"
JOURNALD = {"option": "--log-driver=journald", "key": "log-driver", "value": "journald", "file": DROP_IN}


def test_an_option_of_the_command_line_that_our_key_would_repeat_is_named_with_its_drop_in():
    refused = refusals({"flags": [STOCK, JOURNALD]})
    assert refused[0].startswith(
        f"dockerd would not start: it is started with --log-driver=journald by {DROP_IN}, and /etc/docker/daemon.json "
        "would say log-driver too. Take the option out of that file"
    )
    assert len(refused) == 1


def test_hosts_beside_the_units_own_are_named_before_docker_is_installed():
    refused = refusals(daemon_json({"hosts": ["unix:///mnt/wsl/shared/docker.sock"]}))
    assert "it is started with -H fd:// by /usr/lib/systemd/system/docker.service" in refused[0]
    assert 'a drop-in with an empty "ExecStart="' in refused[0]


def test_hosts_are_taken_where_dockerd_is_started_without_any():
    assert refusals({"flags": []} | daemon_json({"hosts": ["unix:///mnt/wsl/shared/docker.sock"]})) == []


def test_an_option_that_nobody_repeats_is_taken():
    assert refusals({"flags": [STOCK, JOURNALD | {"option": "--debug", "key": "debug"}]}) == []


@pytest.mark.parametrize("key", ["http-proxy", "runtimes"])
def test_keys_below_proxies_count_and_runtimes_may_be_in_both(key):
    content = {"proxies": {"http-proxy": "http://h:1"}, "runtimes": {}}
    refused = refusals({"flags": [JOURNALD | {"key": key, "option": f"--{key}=x"}]} | daemon_json(content))
    assert [f"--{key}=x" in text for text in refused] == ([True] if key == "http-proxy" else [])


def test_an_unsupported_release_is_refused():
    assert "Docker has no packages for Ubuntu focal" in refusals(facts={"distribution_release": "focal"})[0]


def test_a_distribution_without_systemd_is_refused():
    assert '"[boot] systemd=true"' in refusals(facts={"service_mgr": "sysvinit"})[0]


def test_a_full_disk_does_not_stop_a_machine_that_has_docker():
    assert refusals({"disk": 0, "installed": INSTALLED}) == []


def test_nothing_is_refused_when_docker_is_to_go():
    assert refusals({"snap": True}, docker_engine_state="absent") == []


@pytest.mark.parametrize(("version", "complete"), [("", True), ("28.5.2", True), ("28.5.1", False), ("28.5", False)])
def test_apt_is_asked_only_for_another_version(version, complete):
    assert value("__docker_engine_complete", {"installed": INSTALLED}, docker_engine_version=version) is complete


def test_a_missing_plugin_is_noticed():
    assert value("__docker_engine_complete", {"installed": without_compose()}) is False


def without_compose():
    return {name: version for name, version in INSTALLED.items() if name != "docker-compose-plugin"}


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        ({"installed": INSTALLED, "members": ["dev"]}, False),
        ({"installed": INSTALLED}, True),
        ({"installed": INSTALLED | {"runc": "1.2.5-0ubuntu1"}, "members": ["dev"]}, True),
        ({"installed": without_compose(), "members": ["dev"]}, True),
    ],
)
def test_installing_is_left_out_only_when_nothing_is_missing(found, wanted):
    assert value("__docker_engine_to_install", found, docker_engine_users=["dev"]) is wanted


def test_a_version_pins_engine_and_client_and_nothing_else():
    assert value("__docker_engine_wanted", docker_engine_version="28.5.2") == [
        "docker-ce=5:28.5.2-*",
        "docker-ce-cli=5:28.5.2-*",
        "containerd.io",
        "docker-buildx-plugin",
        "docker-compose-plugin",
    ]


def test_the_distributions_packages_are_in_the_way_and_dockers_own_are_not():
    theirs = ["docker.io", "docker-buildx", "docker-cli", "docker-compose-v2", "runc"]
    found = {"installed": INSTALLED | dict.fromkeys(theirs, "27.5.1-0ubuntu3")}
    assert value("__docker_engine_in_the_way", found) == theirs


def defaults(found=None, **variables):
    return value("__docker_engine_defaults", found, **variables)


def test_a_bare_machine_gets_the_roles_own_keys():
    assert defaults(docker_engine_bip="10.213.0.1/24") == {
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "bip": "10.213.0.1/24",
    }


@pytest.mark.parametrize(
    ("driver", "rotated"), [("json-file", True), ("local", True), ("syslog", False), ("none", False)]
)
def test_options_for_the_logs_go_to_the_drivers_that_know_them(driver, rotated):
    assert ("log-opts" in defaults(daemon_json({"log-driver": driver}))) is rotated
    assert ("log-opts" in defaults(docker_engine_daemon_options={"log-driver": driver})) is rotated


def test_what_the_role_wrote_itself_is_not_taken_for_the_users():
    assert "log-opts" in defaults(daemon_json({"log-driver": "syslog"}, foreign={}))


def test_a_bridge_of_the_users_own_leaves_no_address_to_give():
    assert "bip" not in defaults(daemon_json({"bridge": "none"}), docker_engine_bip="10.213.0.1/24")


def test_numbers_from_the_command_line_and_the_inventory_mean_the_same():
    assert defaults(docker_engine_log_max_file=5)["log-opts"]["max-file"] == "5"
    assert "80 are needed" in refusals(docker_engine_min_free_gb="80")[0]


def test_docker_chooses_docker0s_address_when_none_is_given():
    assert "bip" not in defaults()


def test_daemon_json_is_validated_together_with_the_command_line():
    assert value("__docker_engine_validate") == "dockerd --validate --config-file %s -H fd://"


def test_the_key_of_dockers_manual_is_the_default():
    assert value("docker_engine_key_fingerprint") == "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
    assert value("__docker_engine_url") == "https://download.docker.com/linux/ubuntu"
