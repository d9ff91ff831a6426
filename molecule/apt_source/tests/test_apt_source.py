"""A distribution that trusts one more repository, which it knew in another way before."""

import json

import pytest

LIST = "/etc/apt/sources.list"
BINDINGS = "/usr/lib/python3/dist-packages"
HOLD = (
    "import fcntl, time; lock = open('/var/lib/apt/lists/lock', 'w'); fcntl.lockf(lock, fcntl.LOCK_EX); time.sleep(300)"
)


@pytest.fixture
def findings(host):
    """Return a function that tells what the module finds."""
    return lambda: host.ansible("apt_facts", check=False)["findings"]


def test_apt_offers_what_the_repository_has(host):
    policy = host.check_output("apt-cache policy docker-ce")
    assert "Candidate: (none)" not in policy
    assert "https://download.docker.com/linux/ubuntu" in policy


def test_the_key_counts_for_this_repository_only(host):
    source = host.file("/etc/apt/sources.list.d/docker.sources").content_string
    assert "Signed-By: /etc/apt/keyrings/docker.asc" in source
    assert host.run("ls /etc/apt/trusted.gpg.d/docker*").rc == 2


def test_apts_own_user_can_read_the_key(host):
    assert (
        host.check_output("stat --format '%a %U' /etc/apt/keyrings /etc/apt/keyrings/docker.asc")
        == "755 root\n644 root"
    )
    assert host.run("runuser -u _apt -- head -c 1 /etc/apt/keyrings/docker.asc").rc == 0


def test_the_line_that_named_the_repository_before_is_a_comment(host):
    assert (
        host.file(LIST)
        .content_string.splitlines()[-1]
        .startswith(
            "# wsl-dl-playbook docker: deb [arch=amd64 signed-by=/usr/share/keyrings/docker-archive-keyring.gpg] "
            "https://download.docker.com/linux/ubuntu "
        )
    )


def test_apt_accepts_every_repository(host):
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr


def test_a_sound_machine_has_no_findings(findings):
    assert findings() == []


def test_two_keys_for_one_repository_are_named_with_file_and_line(host, findings):
    host.run(f"cp -p {LIST} /root/; sed -i 's/^# wsl-dl-playbook docker: //' {LIST}")
    number = host.check_output(f"grep -c '' {LIST}")
    found = findings()
    host.run(f"cp -p /root/sources.list {LIST}")
    (error,) = [one for one in found if one["severity"] == "error"]
    assert f"it stands in {LIST}:{number}, /etc/apt/sources.list.d/docker.sources:2" in error["text"]
    assert f"sudo sed -i '{number}s/^/# /' {LIST}" in error["text"]


def test_a_python_that_does_not_fit_apts_library_is_named(host, findings):
    host.run(
        f"cd {BINDINGS} && mkdir -p /root/so && mv apt_pkg.cpython-*.so /root/so/ && touch apt_pkg.cpython-399-x.so"
    )
    found = findings()
    host.run(f"cd {BINDINGS} && rm apt_pkg.cpython-399-x.so && mv /root/so/* .")
    assert [(one["severity"], one["file"]) for one in found] == [("error", "/usr/bin/python3")]
    assert "apt's library for Python (python3-apt) does not work with /usr/bin/python3" in found[0]["text"]
    assert "sudo apt-get install --reinstall python3-apt" in found[0]["text"]


def test_who_holds_the_lists_is_named(host):
    host.check_output(f'systemd-run --quiet --unit holder python3 -c "{HOLD}"')
    host.check_output("until grep -q POSIX /proc/locks; do sleep 0.1; done; sleep 1")
    answer = host.ansible("apt_lock", "timeout=2", check=False)
    host.run("systemctl stop holder")
    assert answer["msg"].startswith("apt is in use: /var/lib/apt/lists/lock has been held by process ")
    assert "(python3, holder.service) for more than 2 s" in answer["msg"], json.dumps(answer)
