"""docker_engine, taken away: what was there before is back, and data stays until purge is asked for."""

from tests.converge import converge


def test_docker_is_gone(host, user_run):
    assert user_run("docker version").rc == 127
    assert host.run("systemctl cat docker.service").rc != 0
    assert host.run("dpkg -l | grep -E 'docker|containerd'").stdout == ""


def test_nobody_is_left_in_the_group_docker(host):
    assert host.run("getent group docker").rc == 2


def test_daemon_json_is_as_it_was(host):
    before = '{"max-concurrent-downloads": 2, "log-driver": "journald"}'
    assert host.file("/etc/docker/daemon.json").content_string == before


def test_what_was_taken_from_the_users_config_json_is_back(host):
    assert host.file("/home/dev/.docker/config.json").content_string == '{"credsStore": "desktop.exe"}'


def test_the_older_source_is_back_and_ours_is_gone(host):
    assert host.file("/etc/apt/sources.list.d/docker.list").content_string.startswith(
        "deb [arch=amd64] https://download"
    )
    assert not host.file("/etc/apt/sources.list.d/docker.sources").exists
    assert not host.file("/etc/apt/keyrings/docker.asc").exists


def test_nothing_is_left_in_the_folder_of_backups(host):
    left = host.check_output("find /var/lib/wsl-dl-playbook -path '*docker*'")
    assert left == ""


def test_data_stays_until_purge_is_asked_for(host):
    file = "/var/lib/docker/volumes/kept/_data/file"
    assert host.file(file).content_string == "precious\n"
    changed, message = converge(host, docker_engine_purge=True)
    assert (changed, message) == (1, "")
    assert not host.file(file).exists
    assert converge(host, docker_engine_purge=True) == (0, "")
