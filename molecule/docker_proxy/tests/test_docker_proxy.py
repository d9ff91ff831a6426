"""docker_proxy over what the tutorial left: pulls, containers and builds use the relay, and the login survives."""

import json

from tests.converge import converge

PAGE = "http://connectivitycheck.gstatic.com/generate_204"


def config_json(host):
    return json.loads(host.file("/home/dev/.docker/config.json").content_string)


def test_the_daemon_names_the_relay(host):
    shown = host.check_output("docker info --format '{{.HTTPProxy}} {{.HTTPSProxy}} {{.NoProxy}}'")
    assert shown.split() == [
        "http://127.0.0.1:17890",
        "http://127.0.0.1:17890",
        "localhost,127.0.0.1,::1,0.0.0.0,.internal,192.168.88.1",
    ]


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
    assert "http_proxy=http://192.168.88.1:17890" in shown
    assert "no_proxy=localhost,127.0.0.1,::1,0.0.0.0,.internal,192.168.88.1" in shown


def test_the_login_survives_and_the_old_spelling_is_gone(host):
    assert config_json(host) == {
        "auths": {"registry.example.com": {"auth": "ZGV2OnNlY3JldA=="}},
        "proxies": {
            "default": {
                "httpProxy": "http://192.168.88.1:17890",
                "noProxy": "localhost,127.0.0.1,::1,0.0.0.0,.internal,192.168.88.1",
                "httpsProxy": "http://192.168.88.1:17890",
            }
        },
    }


def test_roots_login_survives_and_gets_the_same_proxy(host):
    root = json.loads(host.file("/root/.docker/config.json").content_string)
    assert root["auths"] == {"root.example.com": {"auth": "cm9vdDpzZWNyZXQ="}}
    assert root["proxies"] == config_json(host)["proxies"]


def test_only_the_user_can_read_the_login(host):
    file = host.file("/home/dev/.docker/config.json")
    assert (file.user, file.group, file.mode) == ("dev", "dev", 0o600)


def test_daemon_json_no_longer_overrules_the_drop_in(host):
    assert "proxies" not in json.loads(host.file("/etc/docker/daemon.json").content_string)


def test_the_relay_listens_at_the_address_that_the_users_daemon_json_gives_docker0(host):
    assert json.loads(host.file("/etc/docker/daemon.json").content_string)["bip"] == "192.168.88.1/24"
    assert "192.168.88.1" in host.interface("docker0").addresses
    assert "192.168.88.1:17890" in host.check_output("systemctl show --property Listen wsl-proxy-docker.socket")


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


def test_a_daemon_that_listens_elsewhere_is_asked_there_and_nothing_hangs(host):
    shared = "/mnt/wsl/shared"
    drop_in = "/etc/systemd/system/docker.service.d/10-hosts.conf"
    start = "ExecStart=/usr/bin/dockerd --containerd=/run/containerd/containerd.sock"
    host.run(f"mkdir -p {shared}; cp -p /etc/docker/daemon.json /root/")
    host.run(f"printf '[Service]\\nExecStart=\\n{start}\\n' > {drop_in}")
    before = json.loads(host.file("/etc/docker/daemon.json").content_string)
    after = json.dumps({**before, "hosts": [f"unix://{shared}/docker.sock"]})
    host.run("printf %s > /etc/docker/daemon.json; systemctl daemon-reload; systemctl restart docker", after)
    second = converge(host)
    shown = host.run(f"timeout 20 docker --host unix://{shared}/docker.sock info --format '{{{{.HTTPProxy}}}}'").stdout
    host.run(f"rm {drop_in}; cp /root/daemon.json /etc/docker/; systemctl daemon-reload; systemctl restart docker")
    assert second == (0, "")
    assert shown == "http://127.0.0.1:17890\n"


def test_a_users_docker_command_that_leads_elsewhere_or_a_folder_of_another_user_is_named(host):
    host.run("mv /home/dev/.docker /home/dev/kept; install -d -o daemon /home/dev/.docker")
    host.run("echo 'DOCKER_HOST=tcp://localhost:2375' >> /etc/environment")
    changed, message = converge(host)
    host.run("rmdir /home/dev/.docker; mv /home/dev/kept /home/dev/.docker; sed -i /DOCKER_HOST/d /etc/environment")
    assert changed == 0
    assert "/home/dev/.docker belongs to daemon" in message
    assert "sudo chown -R dev: /home/dev/.docker" in message
    assert (
        "DOCKER_HOST leads the docker command of every user away from this machine's Docker (/etc/environment:"
        in message
    )


def test_what_sudo_docker_login_has_left_is_given_to_the_user_with_its_logins(host, user_run):
    """As after "sudo -E docker login", or with a sudo that keeps HOME."""
    before = config_json(host)
    host.run(
        "mkdir -p /home/dev/.docker/buildx; touch /home/dev/.docker/buildx/current; chown -R root: /home/dev/.docker"
    )
    assert user_run("cat .docker/config.json").rc != 0
    assert converge(host) == (1, "")
    assert host.check_output("find /home/dev/.docker ! -user dev -o ! -group dev") == ""
    assert config_json(host) == before
    assert before["auths"] == {"registry.example.com": {"auth": "ZGV2OnNlY3JldA=="}}
    assert user_run("docker info").stderr == ""
