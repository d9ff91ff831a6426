"""What docker_proxy writes, refuses and takes for due, without a host."""

import pytest

from tests.unit.role_values import role_value

GIVEN = {
    "docker_proxy_daemon_url": "http://127.0.0.1:17890",
    "docker_proxy_container_url": "http://10.213.0.1:17890",
    "docker_proxy_no_proxy": ["localhost", "10.213.0.1"],
    "docker_proxy_users": ["dev"],
}
USES = ["uses http://127.0.0.1:17890", "uses http://127.0.0.1:17890", "uses localhost,10.213.0.1"]
READY = ["home dev:/home/dev", "group dev:staff", "dockerd /usr/bin/dockerd"]
DROP_IN = """#
# Ansible managed
#
# role:docker_proxy
[Service]
Environment="HTTP_PROXY=http://127.0.0.1:17890"
Environment="HTTPS_PROXY=http://127.0.0.1:17890"
Environment="NO_PROXY=localhost,10.213.0.1"
"""


def value(expression, *found, **variables):
    return role_value(
        "docker_proxy", expression, __docker_proxy_look={"stdout_lines": list(found)}, **GIVEN | variables
    )


def refusals(*found, **variables):
    return value("__docker_proxy_refusals", *(found or READY), **variables)


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


def test_homes_and_groups_come_from_the_machine():
    assert value("__docker_proxy_homes", *READY) == {"dev": "/home/dev"}
    assert value("__docker_proxy_groups", *READY) == {"dev": "staff"}


def test_no_restart_is_due_when_docker_already_uses_the_proxy():
    assert value("__docker_proxy_due", *USES) is False


@pytest.mark.parametrize("uses", [[], ["uses ", "uses ", "uses "], [*USES[:2], "uses localhost"]])
def test_a_restart_is_due_when_docker_uses_anything_else(uses):
    assert value("__docker_proxy_due", *uses) is True


@pytest.mark.parametrize(("found", "stale"), [("stale docker.service", True), ("dockerd /usr/bin/dockerd", False)])
def test_a_daemon_older_than_its_files_is_looked_at(found, stale):
    assert value("__docker_proxy_stale", found, *USES) is stale


def test_a_password_that_docker_does_not_show_makes_no_restart_due():
    shown = ["uses http://xxxxx:xxxxx@h:1", "uses http://xxxxx:xxxxx@h:1", USES[2]]
    assert value("__docker_proxy_due", *shown, docker_proxy_daemon_url="http://me:secret@h:1") is False


def test_a_machine_with_docker_is_taken():
    assert refusals() == []


def test_a_bare_machine_is_taken_in_check_mode_only():
    assert refusals("home dev:/home/dev") == ["Docker Engine is not installed. Apply docker_engine first."]
    assert refusals("home dev:/home/dev", ansible_check_mode=True) == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:17890", "http://localhost:17890", "http://[::1]:17890"])
def test_a_containers_proxy_is_never_the_container_itself(url):
    assert "is, inside a container, the container itself" in refusals(docker_proxy_container_url=url)[0]


@pytest.mark.parametrize("url", ["", "127.0.0.1:17890", "socks5://127.0.0.1:1080", "http://h:1/path"])
def test_something_that_is_no_http_proxy_is_refused(url):
    assert "must both be addresses like http://HOST:PORT" in refusals(docker_proxy_daemon_url=url)[0]


def test_an_unknown_user_is_refused():
    assert "docker_proxy_users names ghost" in refusals(*READY, "unknown ghost")[0]


def test_a_broken_config_json_is_refused_with_its_name():
    found = "json /home/dev/.docker/config.json: Expecting ',' delimiter: line 4 column 3 (char 20)"
    assert "Not valid JSON: /home/dev/.docker/config.json: Expecting" in refusals(*READY, found)[0]


def test_nothing_is_refused_when_the_proxy_is_to_go():
    assert refusals(docker_proxy_state="absent", docker_proxy_daemon_url="") == []
