"""apt_mirror taken back: the sources are what they were, byte for byte."""


def test_the_sources_are_as_they_were_before_the_role(host):
    shown = host.run("sha256sum --check --quiet /var/tmp/before")
    assert shown.rc == 0, shown.stdout


def test_apt_works_with_them(host):
    update = host.run("apt-get update")
    errors = [line for line in update.stderr.splitlines() if line.startswith("E:")]
    assert [line for line in errors if "has-nothing-for-this-release" not in line] == []
    assert "mirrors.ustc.edu.cn" not in host.check_output("apt-cache policy")


def test_nothing_of_the_role_is_left(host):
    left = host.check_output("grep -rls -e apt_mirror -e mirrors.ustc.edu.cn /etc || true")
    assert left == ""
    assert not host.file("/var/lib/wsl-dl-playbook/apt_mirror").exists
