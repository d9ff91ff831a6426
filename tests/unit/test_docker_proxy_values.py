"""What docker_proxy writes, refuses and takes for due, without a host."""

import copy

import pytest

from tests.unit.role_values import role_value

GIVEN = {
    "docker_proxy_daemon_url": "http://127.0.0.1:17890",
    "docker_proxy_container_url": "http://10.213.0.1:17890",
    "docker_proxy_no_proxy": ["localhost", "10.213.0.1"],
    "docker_proxy_users": ["dev"],
}
USES = ["http://127.0.0.1:17890", "http://127.0.0.1:17890", "localhost,10.213.0.1"]
DEV = {"home": "/home/dev", "group": "staff", "problems": [], "windows": "", "misspelt": [], "dead_stores": []}
FOUND = {
    "users": {"dev": DEV},
    "unknown": [],
    "environment": [],
    "daemon_json": {"problem": "", "content": {}, "foreign": {}},
    "flags": [],
    "address": "",
    "dockerd": "/usr/bin/dockerd",
    "stale": [],
    "uses": USES,
}
DROP_IN = """#
# Ansible managed
#
# role:docker_proxy
[Service]
Environment="HTTP_PROXY=http://127.0.0.1:17890"
Environment="HTTPS_PROXY=http://127.0.0.1:17890"
Environment="NO_PROXY=localhost,10.213.0.1"
"""


def value(expression, found=None, **variables):
    answer = {"docker": copy.deepcopy(FOUND) | (found or {})}
    return role_value("docker_proxy", expression, __docker_proxy_answer=answer, **GIVEN | variables)


def refusals(found=None, **variables):
    return value("__docker_proxy_refusals", found, **variables)


def drop_in(**variables):
    return value("lookup('ansible.builtin.template', 'http-proxy.conf.j2')", **variables)


def test_the_drop_in_names_the_proxy_for_both_schemes():
    assert drop_in() == DROP_IN


def test_a_percent_sign_is_doubled_as_systemd_wants_it():
    assert 'HTTP_PROXY=http://u:a%%40b@h:1"' in drop_in(docker_proxy_daemon_url="http://u:a%40b@h:1")


def test_dockers_exact_spelling_goes_into_config_json():
    assert value("__docker_proxy_client") == {
        "httpProxy": "http://10.213.0.1:17890",
        "httpsProxy": "http://10.213.0.1:17890",
        "noProxy": "localhost,10.213.0.1",
    }


def test_no_restart_is_due_when_docker_already_uses_the_proxy():
    assert value("__docker_proxy_due") is False


@pytest.mark.parametrize("uses", [[], ["", "", ""], [*USES[:2], "localhost"]])
def test_a_restart_is_due_when_docker_uses_anything_else(uses):
    assert value("__docker_proxy_due", {"uses": uses}) is True


@pytest.mark.parametrize(("found", "stale"), [(["docker.service"], True), ([], False)])
def test_a_daemon_older_than_its_files_is_looked_at(found, stale):
    assert value("__docker_proxy_stale", {"stale": found}) is stale


def test_a_password_that_docker_does_not_show_makes_no_restart_due():
    shown = ["http://xxxxx:xxxxx@h:1", "http://xxxxx:xxxxx@h:1", USES[2]]
    assert value("__docker_proxy_due", {"uses": shown}, docker_proxy_daemon_url="http://me:secret@h:1") is False


def test_a_machine_with_docker_is_taken():
    assert refusals() == []


def test_a_bare_machine_is_taken_in_check_mode_only():
    assert refusals({"dockerd": ""}) == ["Docker Engine is not installed. Apply docker_engine first."]
    assert refusals({"dockerd": ""}, ansible_check_mode=True) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:17890", "http://localhost:17890", "http://[::1]:17890"])
def test_a_containers_proxy_is_never_the_container_itself(url):
    assert "is, inside a container, the container itself" in refusals(docker_proxy_container_url=url)[0]


@pytest.mark.parametrize("url", ["", "127.0.0.1:17890", "socks5://127.0.0.1:1080", "http://h:1/path"])
def test_something_that_is_no_http_proxy_is_refused(url):
    assert refusals(docker_proxy_daemon_url=url) == [
        f"docker_proxy_daemon_url is '{url}'. Set it to a proxy as http://HOST:PORT."
    ]


def test_an_unknown_user_is_refused():
    assert "docker_proxy_users names ghost" in refusals({"unknown": ["ghost"]})[0]


def test_what_is_wrong_with_a_users_docker_command_is_told_together():
    found = {"users": {"dev": DEV | {"problems": ["A.", "B."]}}, "environment": ["C."]}
    assert refusals(found) == ["A.", "B.", "C."]


@pytest.mark.parametrize("entry", ["[::1]", "fd00::/8", "*.corp", "a b", "a,b", ""])
def test_an_exception_that_programs_cannot_read_is_refused(entry):
    assert refusals(docker_proxy_no_proxy=["localhost", entry])[0].startswith(
        f"docker_proxy_no_proxy is '{entry}'. Set it to names and addresses, one in each entry of the list: ollama"
    )


@pytest.mark.parametrize(
    "entry", ["ollama", "my_app-1", ".corp.example", "0.0.0.0", "10.0.0.0/8", "::1", "h:8080", "*"]
)
def test_an_exception_that_programs_read_is_taken(entry):
    assert refusals(docker_proxy_no_proxy=["localhost", entry]) == []


def test_a_config_json_on_a_windows_drive_is_named_by_its_real_path():
    refused = refusals({"users": {"dev": DEV | {"windows": "/mnt/c/Users/dev/.docker/config.json"}}})
    assert refused[0].startswith(
        "/home/dev/.docker/config.json is /mnt/c/Users/dev/.docker/config.json, on a Windows drive"
    )
    assert "rm /home/dev/.docker/config.json" in refused[0]


def owned(**keys):
    return {"daemon_json": {"problem": "", "content": keys, "foreign": keys}}


def test_a_bip_of_the_users_own_that_the_inventory_does_not_follow_is_refused():
    refused = refusals(owned(bip="192.168.88.1/24"))
    assert "gives docker0 the address 192.168.88.1 (bip)" in refused[0]
    assert "Set proxy_docker_address to 192.168.88.1" in refused[0]
    assert refusals(owned(bip="10.213.0.1/24")) == []


def test_a_proxy_elsewhere_in_the_network_needs_no_docker0():
    elsewhere = {
        "docker_proxy_daemon_url": "http://10.1.1.1:3128",
        "docker_proxy_container_url": "http://10.1.1.1:3128",
    }
    assert refusals(owned(bip="192.168.88.1/24", bridge="br0"), **elsewhere) == []


def test_a_machine_without_docker0_is_refused():
    assert '"bridge": "none", so there is no docker0' in refusals(owned(bridge="none"))[0]


def test_an_option_of_dockerd_that_overrules_the_proxy_is_named_with_its_file():
    flag = {"option": "--http-proxy=http://h:1", "key": "http-proxy", "value": "http://h:1", "file": "/etc/x.conf"}
    assert "dockerd is started with --http-proxy=http://h:1 by /etc/x.conf" in refusals({"flags": [flag]})[0]


def test_nothing_is_refused_when_the_proxy_is_to_go():
    assert refusals(docker_proxy_state="absent", docker_proxy_daemon_url="") == []
