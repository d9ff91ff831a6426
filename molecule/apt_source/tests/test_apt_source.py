"""A distro that trusts one more repository."""


def test_apt_offers_what_the_repository_has(host):
    policy = host.check_output("apt-cache policy docker-ce")
    assert "Candidate: (none)" not in policy
    assert "https://download.docker.com/linux/ubuntu" in policy


def test_the_key_counts_for_this_repository_only(host):
    source = host.file("/etc/apt/sources.list.d/docker.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/docker.asc" in source
    assert host.run("ls /etc/apt/trusted.gpg.d/docker*").rc == 2


def test_apt_accepts_the_repository_again(host):
    update = host.run("apt-get update --error-on=any -o Dir::Etc::sourcelist=sources.list.d/docker.sources")
    assert update.rc == 0, update.stderr
