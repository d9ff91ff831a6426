"""After remove.yml a machine is what it was before site.yml, but for what the roles' READMEs announce."""

import os
from pathlib import Path

from tests.verified import verified

SNAPSHOT = (
    "find /etc /usr/local /home /root -xdev ! -type d -printf '%p %m %u:%g %l\\n' -type f -exec sha256sum {} + | sort"
)
# Bookkeeping of the package manager and of groupadd.
BOOKKEEPING = ("/etc/ld.so.cache", "/etc/group", "/etc/group-", "/etc/gshadow", "/etc/gshadow-")


def changed_lines(host) -> list[str]:
    host.run_expect([0], f"{SNAPSHOT} > /var/tmp/after")
    shown = host.run("diff /var/tmp/before /var/tmp/after").stdout.splitlines()
    lines = [line for line in shown if line[:1] in "<>"]
    return [line for line in lines if not any(f"{path} " in f"{line} " for path in BOOKKEEPING)]


def test_the_files_are_what_they_were(host):
    assert changed_lines(host) == []


def test_the_group_docker_is_gone(host):
    assert not host.group("docker").exists


def test_no_package_of_ours_is_left(host):
    listed = host.check_output("dpkg-query --show --showformat '${Package} ${db:Status-Abbrev}\\n'").splitlines()
    ours = ("docker-", "containerd", "nvidia-", "libnvidia-", "cuda-")
    assert [line for line in listed if line.startswith(ours) and line.split()[1] != "un"] == []


def test_no_unit_of_ours_is_left(host):
    units = host.check_output("systemctl list-unit-files --no-legend --no-pager")
    assert [
        line for line in units.splitlines() if line.startswith(("wsl-proxy", "docker", "containerd", "nvidia"))
    ] == []


def test_images_and_volumes_were_kept(host):
    assert host.file("/var/lib/docker").is_directory


def test_the_users_own_proxy_line_is_back(host):
    assert (
        host.file("/etc/apt/apt.conf.d/99proxy").content_string
        == 'Acquire::http::Proxy "http://me:planted-in-apt@winbox.local:7890";\n'
    )


def test_make_verify_says_that_nothing_is_set_up_and_asks_no_more(host):
    answers = verified(host, "test_")
    outcome, note = answers.pop("this machine was set up by the playbook")
    assert (outcome, note) == (
        "BROKEN",
        "no role has left its records in /var/lib/wsl-dl-playbook: it was never applied, or taken back"
        " -> to set this machine up, run playbooks/site.yml (in the lab: make site); after playbooks/remove.yml nothing"
        " is left to check",
    )
    assert {outcome for outcome, _ in answers.values()} == {"not asked"}


def test_no_output_of_any_run_holds_a_password_of_the_user():
    log = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"], "ansible.log").read_text()
    assert "-        Acquire::http::Proxy" in log or "http://***@winbox.local:7890" in log, "the diff is not in the log"
    assert [line for line in log.splitlines() if "planted-in" in line] == []
