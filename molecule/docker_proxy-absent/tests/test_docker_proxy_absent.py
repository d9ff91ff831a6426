"""docker_proxy, taken away: every file is as the tutorial left it, and the daemon runs with it."""

import json


def test_the_drop_in_of_the_tutorial_is_back(host):
    drop_in = host.file("/etc/systemd/system/docker.service.d/http-proxy.conf").content_string
    assert drop_in == '[Service]\nEnvironment="HTTP_PROXY=http://winbox.local:7890"\n'


def test_config_json_is_as_it_was(host):
    now, before = (host.file(path).content_string for path in ("/home/dev/.docker/config.json", "/var/tmp/config.json"))
    assert json.loads(now) == json.loads(before)
    assert json.loads(now)["auths"] == {"registry.example.com": {"auth": "ZGV2OnNlY3JldA=="}}


def test_roots_config_json_is_as_it_was(host):
    now, before = (host.file(path).content_string for path in ("/root/.docker/config.json", "/var/tmp/root.json"))
    assert now == before == '{"auths": {"root.example.com": {"auth": "cm9vdDpzZWNyZXQ="}}}\n'


def test_daemon_json_is_as_it_was(host):
    now, before = (host.file(path).content_string for path in ("/etc/docker/daemon.json", "/var/tmp/daemon.json"))
    assert json.loads(now) == json.loads(before)
    assert json.loads(now)["proxies"] == {"http-proxy": "http://winbox.local:7890"}


def test_the_daemon_no_longer_uses_the_relay(host):
    assert host.check_output("docker info --format '{{.HTTPProxy}}'") == "http://winbox.local:7890"


def test_nothing_is_left_in_the_folder_of_backups(host):
    assert not host.file("/var/lib/wsl-dl-playbook/docker_proxy").exists
