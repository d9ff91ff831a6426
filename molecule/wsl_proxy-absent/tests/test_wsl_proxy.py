"""wsl_proxy taken back: what the user had is there again, and nothing else."""


def test_every_file_is_as_it_was_before_the_role(host):
    after = host.check_output("find /etc /usr/local /home -type f | sort | xargs sha256sum")
    assert after == host.check_output("cat /var/tmp/before")


def test_the_users_own_proxy_file_has_its_permissions_back(host):
    assert host.file("/etc/apt/apt.conf.d/99proxy").mode == 0o600


def test_the_line_in_the_users_bashrc_was_never_touched(host):
    lines = host.file("/home/dev/.bashrc").content_string.splitlines()
    assert lines[-1] == "export http_proxy=http://$(hostname).local:7890"


def test_nothing_listens_at_the_relays_port(host):
    assert host.run("curl --silent --max-time 5 --proxy http://127.0.0.1:17890 http://www.google.com/").rc == 7


def test_systemd_forgot_the_units(host):
    assert host.check_output("systemctl list-units --all --plain --no-legend 'wsl-proxy*'") == ""


def test_a_login_shell_knows_no_proxy(user_run):
    assert "17890" not in user_run("env").stdout


def test_the_folder_of_backups_is_gone(host):
    assert not host.file("/var/lib/wsl-dl-playbook").exists
