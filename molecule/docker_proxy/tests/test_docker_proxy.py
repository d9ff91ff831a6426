"""docker_proxy over what the tutorial left: pulls, containers and builds use the relay, and the login survives."""

import json

from tests.converge import converge

PAGE = "http://connectivitycheck.gstatic.com/generate_204"


def config_json(host):
    return json.loads(host.file("/home/dev/.docker/config.json").content_string)


def test_the_daemon_names_the_relay(host):
    shown = host.check_output("docker info --format '{{.HTTPProxy}} {{.HTTPSProxy}} {{.NoProxy}}'")
    assert shown == "http://127.0.0.1:17890 http://127.0.0.1:17890 localhost,127.0.0.1,::1,10.213.0.1"


def test_an_image_is_pulled_through_the_proxy(user_run, requests_during):
    user_run("docker image rm --force hello-world")
    seen = requests_during(lambda: user_run("docker run --rm hello-world"))
    assert {(record["via"], record["host"]) for record in seen} == {("proxy", "registry-1.docker.io")}


def test_a_container_fetches_a_page_through_the_proxy(user_run, requests_during):
    user_run("docker pull busybox")
    seen = requests_during(lambda: user_run(f"docker run --rm busybox wget -q -O /dev/null {PAGE}"))
    assert {(record["via"], record["host"]) for record in seen} == {("proxy", "connectivitycheck.gstatic.com")}


def test_a_container_on_a_network_of_its_own_does_too(user_run):
    user_run("docker network create own")
    shown = user_run(f"docker run --rm --network own busybox wget -q -O /dev/null {PAGE}")
    user_run("docker network rm own")
    assert shown.rc == 0, shown.stderr


def test_a_build_fetches_a_page_through_the_proxy(user_run):
    dockerfile = f"FROM busybox\\nRUN wget -q -O /page {PAGE}\\n"
    built = user_run(f"printf '{dockerfile}' | docker build --quiet --no-cache -")
    assert built.rc == 0, built.stderr


def test_a_container_does_not_use_the_proxy_for_docker0(user_run):
    shown = user_run("docker run --rm busybox env").stdout.splitlines()
    assert "http_proxy=http://10.213.0.1:17890" in shown
    assert "no_proxy=localhost,127.0.0.1,::1,10.213.0.1" in shown


def test_the_login_survives_and_the_old_spelling_is_gone(host):
    assert config_json(host) == {
        "auths": {"registry.example.com": {"auth": "ZGV2OnNlY3JldA=="}},
        "proxies": {
            "default": {
                "httpProxy": "http://10.213.0.1:17890",
                "noProxy": "localhost,127.0.0.1,::1,10.213.0.1",
                "httpsProxy": "http://10.213.0.1:17890",
            }
        },
    }


def test_only_the_user_can_read_the_login(host):
    file = host.file("/home/dev/.docker/config.json")
    assert (file.user, file.group, file.mode) == ("dev", "dev", 0o600)


def test_daemon_json_no_longer_overrules_the_drop_in(host):
    assert "proxies" not in json.loads(host.file("/etc/docker/daemon.json").content_string)


def test_a_container_proxy_that_is_the_container_itself_is_refused(host):
    changed, message = converge(host, docker_proxy_container_url="http://127.0.0.1:17890")
    assert changed == 0
    assert "is, inside a container, the container itself. Give the address of docker0." in message


def test_another_drop_in_that_wins_is_named_by_the_proof(host):
    winner = "/etc/systemd/system/docker.service.d/zz-mine.conf"
    host.run(f"printf '[Service]\\nEnvironment=HTTP_PROXY=http://mine:1\\n' > {winner}")
    _, message = converge(host)
    host.run(f"rm {winner}")
    assert "still uses the proxies http://mine:1" in message
    assert 'Find it with "systemctl cat docker.service"' in message
    assert converge(host) == (1, "")
