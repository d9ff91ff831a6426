"""apt_mirror taken back: the sources are what they were, byte for byte."""


def test_the_sources_are_as_they_were_before_the_role(host):
    shown = host.run("sha256sum --check --quiet /var/tmp/before")
    assert shown.rc == 0, shown.stdout


def test_apt_works_with_them(host):
    update = host.run("apt-get update")  # the dead repository of the user is only a warning
    assert update.rc == 0, update.stderr
    assert "mirrors.ustc.edu.cn" not in host.check_output("apt-cache policy")


def test_nothing_of_the_role_is_left(host):
    left = host.check_output("grep -rls -e apt_mirror -e mirrors.ustc.edu.cn /etc || true")
    assert left == ""
    assert not host.file("/var/lib/wsl-dl-playbook/apt_mirror").exists
