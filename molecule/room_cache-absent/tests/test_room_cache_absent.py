"""What the cache has brought goes; what was there stays."""


def test_the_files_are_those_of_before(host):
    assert host.check_output("/usr/local/bin/snapshot | diff /var/tmp/before - || true") == ""


def test_only_the_packages_that_it_brought_are_gone(host):
    names = ["nginx", "socat", "docker-registry"]
    assert [host.package(name).is_installed for name in names] == [True, False, False]
    assert host.service("nginx").is_enabled


def test_nothing_of_it_runs_or_is_kept(host):
    assert host.run("ss -Hltn | grep :878").stdout == ""
    folders = "/var/cache/room-cache* /var/cache/private/room-cache* /var/lib/wsl-dl-playbook/*"
    assert host.run(f"ls -d {folders} /etc/systemd/system/room-cache*").stdout == ""
