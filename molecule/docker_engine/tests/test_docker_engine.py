"""docker_engine where another Docker was: one engine, one source, one start, and nothing foreign lost."""

import json

import pytest

from tests.converge import converge

WRONG = "0123456789ABCDEF0123456789ABCDEF01234567"
SOURCE = "/etc/apt/sources.list.d/docker.sources"


def daemon_json(host):
    return json.loads(host.file("/etc/docker/daemon.json").content_string)


def test_the_user_uses_docker_in_a_new_login(user_run):
    shown = user_run("docker version --format '{{.Server.Version}}'")
    assert shown.rc == 0, shown.stderr
    assert shown.stdout.startswith("28.5.2")


def test_buildx_and_compose_are_there(user_run):
    assert user_run("docker buildx version").rc == 0
    assert user_run("docker compose version").rc == 0


def test_daemon_json_keeps_foreign_keys_and_rotates_logs(host):
    assert daemon_json(host) == {
        "max-concurrent-downloads": 2,
        "log-opts": {"labels": "team", "max-size": "10m", "max-file": "3"},
        "log-driver": "json-file",
        "bip": "10.213.0.1/24",
    }


def test_docker0_has_the_constant_address(host):
    assert "10.213.0.1" in host.interface("docker0").addresses


def test_docker_and_containerd_start_with_the_machine(host):
    for unit in ("docker.service", "docker.socket", "containerd.service"):
        assert host.check_output(f"systemctl is-enabled {unit}") == "enabled"
        assert host.check_output(f"systemctl is-active {unit}") == "active"


def test_docker_was_started_once_with_its_final_configuration(host):
    installed = host.check_output("stat --format %Z /usr/bin/dockerd")
    log = host.check_output(f"journalctl --no-pager --output cat --since @{installed} --unit docker.service")
    assert log.count("Starting up") == 1


def test_the_distributions_docker_is_gone(host):
    assert not host.package("docker.io").is_installed
    assert not host.package("containerd").is_installed


def test_all_packages_came_in_one_apt_transaction(host):
    log = host.check_output("cat /var/log/apt/history.log")
    assert len([line for line in log.splitlines() if line.startswith("Install:") and "docker-ce:" in line]) == 1


def test_the_tutorials_source_was_set_aside_and_apt_is_content(host):
    assert not host.file("/etc/apt/sources.list.d/docker.list").exists
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr
    assert "configured multiple times" not in update.stderr


def test_the_key_is_trusted_for_dockers_repository_only(host):
    assert "Signed-By: /etc/apt/keyrings/docker.asc\n" in host.file(SOURCE).content_string
    assert host.run("ls /etc/apt/trusted.gpg.d/ | grep -i docker").rc == 1


def test_a_wrong_fingerprint_is_refused_before_any_change(host):
    host.run("mv /etc/apt/keyrings/docker.asc /root/")
    changed, message = converge(host, docker_engine_key_fingerprint=WRONG)
    left = host.file("/etc/apt/keyrings/docker.asc").exists
    host.run("mv /root/docker.asc /etc/apt/keyrings/")
    assert (changed, left) == (0, False)
    assert f"is not the expected one: wanted {WRONG}" in message
    assert "put its fingerprint into the variable" in message


def test_a_credential_helper_that_is_gone_is_taken_out_and_the_rest_stays(host, user_run):
    left = {"auths": {}, "credHelpers": {"registry.example.com": "desktop.exe"}}
    assert json.loads(host.file("/home/dev/.docker/config.json").content_string) == left
    assert host.file("/home/dev/.docker/config.json").user == "dev"
    assert "docker-credential-desktop" not in user_run("docker logout").stderr


def test_the_user_builds_an_image_past_docker_desktops_old_plugin(user_run):
    built = user_run("mkdir -p empty && printf 'FROM scratch\\nLABEL a=b\\n' | docker buildx build --quiet -f - empty")
    assert built.rc == 0, built.stderr


def test_a_machine_with_many_faults_is_refused_once_before_any_change(host):
    """Each of these stops another part of Docker; all are told at once, with the place and the remedy."""
    drop_in = "/etc/systemd/system/docker.service.d/10-log.conf"
    saved = "/etc/docker/daemon.json /home/dev/.bashrc /home/dev/.profile /home/dev/.docker/config.json"
    host.run(f"tar -cPf /root/saved.tar {saved}; mv /usr/bin/docker /root/")
    host.run("ln -s /mnt/wsl/docker-desktop/cli-tools/usr/bin/docker /usr/bin/docker")
    host.run("for f in .bashrc .profile; do echo export DOCKER_HOST=tcp://localhost:2375 >> /home/dev/$f; done")
    host.run('echo \'{"currentContext": "desktop-linux"}\' | iconv -t UTF-16 > /home/dev/.docker/config.json')
    start = "ExecStart=/usr/bin/dockerd -H fd:// --log-driver=journald"
    host.run(f"mkdir -p {drop_in.rpartition('/')[0]}; printf '[Service]\\nExecStart=\\n{start}\\n' > {drop_in}")
    host.run('echo \'{"hosts": ["unix:///mnt/wsl/shared/docker.sock"]}\' > /etc/docker/daemon.json')
    host.run("ip link add vpn0 type bridge; ip link set vpn0 up; ip route add 10.213.0.0/16 dev vpn0")
    changed, message = converge(host)
    daemon = host.file("/etc/docker/daemon.json").content_string
    host.run(f"ip link del vpn0; rm {drop_in}; mv /root/docker /usr/bin/docker; tar -xPf /root/saved.tar")
    host.run("systemctl daemon-reload")
    assert (changed, daemon) == (0, '{"hosts": ["unix:///mnt/wsl/shared/docker.sock"]}\n')
    assert "Docker Desktop serves this distribution (/usr/bin/docker is /mnt/wsl/docker-desktop/cli-tools" in message
    assert "WSL integration switch this distribution off" in message
    assert f"it is started with -H fd:// by {drop_in}, --log-driver=journald by {drop_in}" in message
    assert "would say hosts, log-driver too" in message
    assert "docker0 would get 10.213.0.1/24, which lies in a network that this machine reaches otherwise" in message
    assert "10.213.0.0/16 of vpn0" in message
    assert "/home/dev/.docker/config.json is UTF-16" in message
    for name in (".profile", ".bashrc"):
        assert f"/home/dev/{name}:" in message
    assert "export DOCKER_HOST=tcp://localhost:2375" in message


@pytest.mark.parametrize(
    ("options", "cause"),
    [
        ({"log-driver": "syslog", "log-opts": {"max-size": "1m"}}, "unknown log opt 'max-size' for syslog log driver"),
        (
            {"log-driver": "syslog", "log-opts": {"syslog-address": "tcp://127.0.0.1:1"}},
            "docker.service runs, but does not do its work",
        ),
    ],
)
def test_a_daemon_json_with_which_docker_does_not_start_or_runs_no_container_is_put_back(host, options, cause):
    before = host.file("/etc/docker/daemon.json").content_string
    _, message = converge(host, docker_engine_daemon_options=options)
    assert "/etc/docker/daemon.json was put back as it was before. docker.service runs with it again." in message
    assert cause in message
    assert host.file("/etc/docker/daemon.json").content_string == before
    assert host.check_output("docker info --format '{{.LoggingDriver}}'") == "json-file"


def test_an_option_that_dockerd_refuses_never_reaches_the_file(host):
    before = host.file("/etc/docker/daemon.json").content_string
    changed, message = converge(host, docker_engine_daemon_options={"max-concurrent-downloads": -1})
    assert changed == 0
    assert "was refused by 'dockerd'" in message
    assert "invalid max concurrent downloads: -1" in message
    assert host.file("/etc/docker/daemon.json").content_string == before
    assert host.check_output("systemctl is-active docker") == "active"


def test_a_restart_that_a_broken_run_left_undone_is_made_up_for(host):
    started = "systemctl show --property ExecMainStartTimestampMonotonic --value docker.service"
    before = host.check_output(started)
    host.run("touch /etc/docker/daemon.json")
    assert converge(host) == (1, "")
    assert host.check_output(started) != before
