"""Every value of every role is checked without a machine, and what is wrong is told in the words of who has set it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import action_loader
from ansible.template import Templar

from lab.winsim.model.pins import PINS
from tests.unit.role_values import trusted
from tests.unit.test_inventories import INVENTORIES, Inventory, inventory, mine  # noqa: F401  fixtures
from tests.unit.test_roles import ROLES, load, options_of

ROOT = Path(__file__).parents[2]
WINDOWS = {"cuda_windows", "visual_studio", "windows_base", "windows_proxy", "wsl_distribution", "wsl_enable"}
SETTINGS = ROOT / "playbooks" / "vars" / "settings.yml"
Values = sys.modules[action_loader.get("check_values", class_only=True).__module__].Values


def checks_of(role):
    constants = load(ROOT / "roles" / role / "vars" / "main.yml")
    return [check for name, table in constants.items() if name.endswith("_checks") for check in table]


def values(**known):
    loader = DataLoader()
    return Values(Templar(loader=loader, variables={}), loader, trusted(known))


def found(role, quiet=False, **known):
    """Return what is wrong with a role's values; Microsoft's signature is no matter, whatever Ansible runs here."""
    known = {"visual_studio_sha256": "0" * 64} | known
    return values(**known).of_role(ROOT / "roles" / role, quiet)


def messages(role, **known):
    return [finding["message"] for finding in found(role, **known)]


@pytest.mark.parametrize("role", ROLES)
def test_each_option_has_choices_or_a_check_of_its_own(role):
    checked = {check["option"] for check in checks_of(role) if "option" in check}
    plain = {name for name, option in options_of(role).items() if option["type"] == "bool" or "choices" in option}
    assert set(options_of(role)) - plain - checked == set()


@pytest.mark.parametrize("role", ROLES)
def test_a_check_of_a_value_says_what_is_allowed_and_hides_secrets(role):
    options = options_of(role)
    for check in [check for check in checks_of(role) if "option" in check]:
        assert check["option"] in options
        assert {"is", "keys", "allowed"} & set(check), check["option"]
        assert ("secret" in check) == bool(options[check["option"]].get("no_log")), check["option"]


NO_DEFAULT = {
    "devcontainer": ["devcontainer_user"],
    "docker_proxy": ["docker_proxy_daemon_url", "docker_proxy_container_url"],
}


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_right(role):
    assert [finding["variable"] for finding in found(role)] == NO_DEFAULT.get(role, [])


@pytest.mark.parametrize("name", [name for name in INVENTORIES if not name.startswith("lab")])
def test_a_shipped_inventory_is_right(inventory, name):  # noqa: F811
    opened = inventory(name)
    for group, roles in (("windows", WINDOWS), ("wsl", set(ROLES) - WINDOWS)):
        host = opened.manager.get_host(opened.names(group)[-1])
        known = opened.variables.get_vars(host=host) | opened.extra | {"visual_studio_sha256": "0" * 64}
        checked = Values(Templar(loader=opened.loader, variables={}), opened.loader, known)
        assert checked.of_settings(SETTINGS) == []
        assert [finding for role in sorted(roles) for finding in checked.of_role(ROOT / "roles" / role, False)] == []


def test_every_variable_of_the_inventory_that_a_person_sets_is_checked():
    derived = {
        *("proxy_container_host", "proxy_relay_url", "proxy_container_url", "proxy_url_wsl", "proxy_url_windows"),
        *("windows_host", "windows_from_inside", "windows_password"),
        *("apt_mirror_uri", "wsl_proxy_upstream"),  # options of roles, of the same name
        *("linux_classic_sudo", "cache_url", "proxy_no_proxy_all"),
    }
    files = sorted((ROOT / "inventory" / "group_vars" / "all").glob("*.yml"))
    names = {name for path in files for name in load(path)}
    assert names - derived == set(load(SETTINGS)["options"])


WRONG = yaml.safe_load((Path(__file__).parent / "wrong_values.yml").read_text())


@pytest.mark.parametrize("case", WRONG, ids=lambda case: next(iter(case["given"])))
def test_a_wrong_value_is_told(mine, case):  # noqa: F811
    """The literal message, with the shipped inventory and one wrong line in its settings."""
    opened = Inventory(mine())
    wsl = case["role"] not in WINDOWS
    host = opened.manager.get_host("my-pc-wsl" if wsl else "my-pc")
    known = opened.variables.get_vars(host=host) | opened.extra | {"visual_studio_sha256": "0" * 64}
    checked = Values(Templar(loader=opened.loader, variables={}), opened.loader, known | trusted(case["given"]))
    findings = checked.of_settings(SETTINGS) + checked.of_role(ROOT / "roles" / case["role"], False)
    assert [finding["message"] for finding in checked.told_once(findings)] == [
        case["says"].replace("PINNED", PINS["cuda_windows"]["version"])
    ]


def test_a_secret_is_not_shown():
    (finding,) = found("wsl_distribution", wsl_distribution_user_password_hash="geheim")
    assert finding["value"] == "(secret)"
    assert "geheim" not in str(finding)
    assert "p4ss" not in str(found("cuda_wsl", cuda_wsl_http_proxy="socks5://me:p4ss@127.0.0.1:1080"))


def test_a_finding_names_role_value_and_what_is_allowed():
    checked = values(inventory_hostname="pc", proxy_port=99999, windows_proxy_port="{{ proxy_port }}")
    assert checked.of_role(ROOT / "roles" / "windows_proxy", False) == [
        {
            "kind": "value",
            "host": "pc",
            "role": "windows_proxy",
            "variable": "windows_proxy_port",
            "settings": ["proxy_port"],
            "value": "99999",
            "allowed": "a port, a whole number from 1 to 65535",
            "message": "proxy_port is 99999. Set it to a port, a whole number from 1 to 65535.",
            "remedy": "Set proxy_port to a port, a whole number from 1 to 65535.",
        }
    ]
    assert checked.behind == {"windows_proxy_port": ["proxy_port"]}


def test_a_role_that_is_ignored_or_not_asked_for_has_its_types_checked_alone():
    assert messages("wsl_enable", wsl_enable_state="ignore", wsl_enable_memory="lots") == []
    assert found("wsl_enable", quiet=True, wsl_enable_memory="lots") == []
    (message,) = messages("wsl_enable", wsl_enable_state="ignore", wsl_enable_memory=["lots"])
    assert message.startswith("wsl_enable_memory is ['lots']. Set it to a text")


def test_what_depends_on_the_machine_is_left_to_the_role():
    fact = "{{ ansible_facts['distribution_version'] }}"
    assert messages("cuda_wsl", cuda_wsl_version=fact, ansible_facts={}) == []


def test_a_variable_that_nobody_has_set_is_told():
    (message,) = messages("cuda_wsl", cuda_wsl_version="{{ cuda_version_of_the_room }}")
    assert message == (
        "cuda_wsl_version has no value: 'cuda_version_of_the_room' is undefined. Set that, or correct the name."
    )


def play(folder, *words):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [Path(sys.executable).parent / "ansible-playbook", "-i", folder, "-e", "windows_password=x", *words],
        cwd=ROOT,
        env=environment | {"ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, " ".join(done.stdout.split()), done.stderr


@pytest.mark.parametrize("playbook", ["site.yml", "remove.yml"])
def test_a_wrong_value_of_the_distribution_keeps_its_windows_from_being_touched(mine, playbook):  # noqa: F811
    """No machine is reached: both addresses lead nowhere."""
    folder = mine((r"^windows_address:.*", "windows_address: 127.0.0.1"))
    wrong = folder / "group_vars" / "workstation" / "wrong.yml"
    wrong.write_text("docker_engine_state: enabled\nwsl_networking_mode: bridge\n")
    code, said, _ = play(folder, f"playbooks/{playbook}", "-e", f"visual_studio_sha256={'0' * 64}")
    assert code == 2
    assert "docker_engine_state is 'enabled'. Set it to present, absent or ignore. Nothing was changed." in said
    assert "wsl_networking_mode is 'bridge'. Set it to nat, mirrored, virtioproxy or consomme." in said
    assert said.count("PLAY [") == 1
    assert "my-pc : ok=2 changed=0 unreachable=0 failed=1" in said


def test_with_right_values_the_run_goes_on_to_its_machines(mine):  # noqa: F811
    """The playbooks of the site import the check several times; nothing listens at the address."""
    folder = mine((r"^windows_address:.*", "windows_address: 127.0.0.1"))
    given = [f"visual_studio_sha256={'0' * 64}", "windows_port=1"]
    code, said, _ = play(folder, "playbooks/site.yml", *[word for text in given for word in ("-e", text)])
    assert code == 4
    assert said.count("TASK [Check the values]") == 1
    assert re.search("my-pc : ok=[0-9]+ changed=0 unreachable=1 failed=0 ", said), said


def test_what_is_not_asked_for_does_not_stop_a_run(mine):  # noqa: F811
    """With --tags of another role, and when all is taken back, a value that only present needs is no matter."""
    wrong = ["-e", "wsl_enable_memory=lots", "playbooks/values_check.yml"]
    folder = mine()
    code, said, _ = play(folder, *wrong, "--tags", "docker_engine")
    assert (code, said.count("failed=0")) == (0, 2)
    code, said, _ = play(folder, *wrong, "-e", "values_state=absent")
    assert (code, said.count("failed=0")) == (0, 2)
    code, said, _ = play(folder, *wrong, "--tags", "wsl_enable")
    assert code == 2
    assert "WSL does not understand the size lots." in said
    assert "my-pc has values that are refused, so my-pc-wsl was left alone, too. Nothing was changed." in said
