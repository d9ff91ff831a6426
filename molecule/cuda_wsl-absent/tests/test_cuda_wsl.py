"""cuda_wsl taken back: no package, no repository, no path of it is left."""


def test_no_package_of_the_toolkit_is_left(host):
    shown = host.run("dpkg-query --show --showformat '${Package}\\n' 'cuda-*'").stdout
    assert shown.split() == []


def test_the_compiler_is_gone(user_run, host):
    assert user_run("command -v nvcc").rc != 0
    assert host.run("ls -d /usr/local/cuda*").stdout == ""


def test_the_search_paths_are_as_before(user_run):
    assert "cuda" not in user_run("echo $PATH$LD_LIBRARY_PATH").stdout


def test_nothing_of_the_role_is_left_in_etc(host):
    assert host.check_output("grep -rls -e cuda_wsl -e developer.download.nvidia /etc || true") == ""
    assert host.check_output("find /etc -name '*cuda*'") == ""
    assert not host.file("/var/lib/wsl-dl-playbook/cuda_wsl").exists


def test_apt_works(host):
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr
