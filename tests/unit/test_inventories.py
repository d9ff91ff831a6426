"""What the shipped inventories come to for each host, evaluated by Ansible without reaching any."""

import ipaddress
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

import tests.unit.role_values  # noqa: F401  it starts Ansible's plugin loader, once

ROOT = Path(__file__).parents[2]
INVENTORIES = ["lab", "lab-real", "workstation", "own", "fleet"]
CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBcTCCARegAwIBAgIUMQ7A3dHIKnO4NLxx0EhDOvEjTe0wCgYIKoZIzj0EAwIw
DTELMAkGA1UEAwwCcGMwIBcNMjYxMTI2MTgyNDQ4WhgPMjEyNjExMDIxODI0NDha
MA0xCzAJBgNVBAMMAnBjMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBdnOa774
d9/kUyGiRrWDb86D6WV7dRfJglSCB/9t0VcDPuSlYhANWjG96xKMq9n30JWTC9QU
74VfAzGCSNoZLKNTMFEwHQYDVR0OBBYEFANNro9Kuuhr3Hsl+5rTop+lu89mMB8G
A1UdIwQYMBaAFANNro9Kuuhr3Hsl+5rTop+lu89mMA8GA1UdEwEB/wQFMAMBAf8w
CgYIKoZIzj0EAwIDSAAwRQIhALtYche1rbmUTSR0urNjBcjpMM6tV+OPug8L0VT9
WrpCAiA+0ZmGzHHEO8qP+xvjErhjeZ90qSvRoCPPIq1Qb1q1tA==
-----END CERTIFICATE-----
"""


class Inventory:
    """An inventory folder; what the person types in or has in a vault comes as extra variables."""

    def __init__(self, folder, **extra):
        self.loader = DataLoader()
        self.manager = InventoryManager(loader=self.loader, sources=[str(folder)])
        self.variables = VariableManager(loader=self.loader, inventory=self.manager)
        self.extra = {"ansible_config_file": str(ROOT / "ansible.cfg")} | extra

    def names(self, group):
        return [host.name for host in self.manager.groups[group].get_hosts()]

    def value(self, host, expression):
        known = self.variables.get_vars(host=self.manager.get_host(host)) | self.extra
        return Templar(loader=self.loader, variables=known).template(trust_as_template("{{ " + expression + " }}"))

    def values(self, host, *expressions):
        return tuple(self.value(host, expression) for expression in expressions)


@pytest.fixture
def inventory(tmp_path):
    """Open a shipped inventory; the lab's finds a simulated PC that listens on port 41234."""

    def inventory(name, **extra):
        state = tmp_path / ".lab" / "winsim" / "lab-pc"
        state.mkdir(parents=True, exist_ok=True)
        (state / "winsim.json").write_text(json.dumps({"https_port": 41234, "certificate": "/lab/pc.pem"}))
        (state / "password").write_text("lab-secret")
        if name.startswith("lab"):
            extra |= {"ansible_config_file": str(tmp_path / "ansible.cfg")}
        return Inventory(ROOT / "inventory" / name, **extra)

    return inventory


@pytest.fixture
def inside(tmp_path, monkeypatch):
    """Pretend to be inside a distribution with this networking mode and default route."""

    def inside(mode, route="default via 172.30.7.1 dev eth0"):
        tools = tmp_path / "tools"
        tools.mkdir()
        for tool in ("sh", "awk", "timeout"):
            (tools / tool).symlink_to(shutil.which(tool))
        for name, answer in {"wslinfo": mode, "ip": route}.items():
            (tools / name).write_text(f"#!{shutil.which('sh')}\necho {answer}\n")
            (tools / name).chmod(0o755)
        monkeypatch.setenv("PATH", str(tools))
        monkeypatch.setenv("USER", "mei")

    return inside


@pytest.fixture
def mine(tmp_path):
    """Copy inventory/workstation (or another one) as the README says, and edit lines of its settings."""

    def mine(*replacements, name="workstation"):
        shutil.copytree(ROOT / "inventory" / "group_vars", tmp_path / "inventory" / "group_vars")
        folder = tmp_path / "inventory" / "mine"
        shutil.copytree(ROOT / "inventory" / name, folder, symlinks=True)
        settings = folder / "group_vars" / "workstation" / "settings.yml"
        text = settings.read_text()
        for pattern, line in replacements:
            text, times = re.subn(pattern, line, text, flags=re.MULTILINE)
            assert times == 1, pattern
        settings.write_text(text)
        (folder / "winrm-MY-PC.pem").write_text(CERTIFICATE)
        return folder

    return mine


WAY_B = [
    (r"^windows_address:.*\n", ""),
    (r"^windows_certificate:.*\n", ""),
    (r"^# (control_node: wsl)", r"\1"),
]


@pytest.mark.parametrize("name", INVENTORIES)
def test_the_shared_variables_are_linked_into_each_inventory(name):
    links = {path.name: str(path.readlink()) for path in (ROOT / "inventory" / name / "group_vars").iterdir()
             if path.is_symlink() and path.name in ("all", "windows", "wsl", "wsl_in_windows")}  # fmt: skip
    assert links == {
        "all": "../../group_vars/all",
        "windows": "../../group_vars/windows",
        "wsl": "../../group_vars/wsl",
        "wsl_in_windows": "../../group_vars/wsl_in_windows",
    }


@pytest.mark.parametrize(
    ("name", "links"),
    [("linux", {"all", "linux", "wsl"}), ("lab", {"all", "cache", "linux", "windows", "wsl", "wsl_in_windows"})],
)
def test_a_plain_ubuntu_has_the_shared_variables_of_its_groups(name, links):
    folder = ROOT / "inventory" / name / "group_vars"
    found = {path.name: str(path.readlink()) for path in folder.iterdir() if path.is_symlink()}
    assert found == {link: f"../../group_vars/{link}" for link in links}


@pytest.mark.parametrize(
    ("name", "pairs", "first", "last"),
    [
        ("lab", 1, "lab-pc", "lab-pc-wsl"),
        ("lab-real", 1, "lab-pc", "lab-pc-wsl"),
        ("workstation", 1, "my-pc", "my-pc-wsl"),
        ("own", 1, "pc", "pc-wsl"),
        ("fleet", 200, "pc001", "pc200-wsl"),
    ],
)
def test_each_pc_has_its_distribution(inventory, name, pairs, first, last):
    opened = inventory(name)
    windows, wsl = opened.names("windows"), opened.names("wsl_in_windows")
    assert [f"{pc}-wsl" for pc in windows] == wsl == opened.names("wsl")
    assert (len(windows), windows[0], wsl[-1]) == (pairs, first, last)


@pytest.mark.parametrize("name", INVENTORIES)
def test_a_silent_command_has_a_minute_and_a_half_before_its_host_counts_as_unreachable(inventory, name):
    opened = inventory(name)
    timeouts = "[ansible_winrm_operation_timeout_sec, ansible_winrm_read_timeout_sec]"
    hosts = [opened.names("windows")[0], opened.names("wsl_in_windows")[0]]
    assert [opened.value(host, timeouts) for host in hosts] == [[60, 90], [60, 90]]


@pytest.mark.parametrize(
    ("name", "pc", "endpoint"),
    [
        ("lab", "lab-pc", ("127.0.0.1", "41234", "https", "/lab/pc.pem")),
        ("lab-real", "lab-pc", ("127.0.0.1", "41234", "https", "/lab/pc.pem")),
        ("workstation", "my-pc", ("192.168.1.20", "5986", "https", f"{ROOT}/inventory/workstation/winrm-MY-PC.pem")),
        ("fleet", "pc117", ("pc117", "5986", "https", f"{ROOT}/inventory/fleet/winrm-PC117.pem")),
    ],
)
def test_a_pc_and_its_distribution_share_one_endpoint(inventory, name, pc, endpoint):
    opened = inventory(name)
    names = ("ansible_host", "ansible_port | string", "ansible_winrm_scheme", "ansible_winrm_ca_trust_path")
    assert opened.values(pc, *names) == endpoint
    names = ("ansible_host", "ansible_winrm_port | string", *names[2:])
    assert opened.values(f"{pc}-wsl", *names) == endpoint


@pytest.mark.parametrize(
    ("name", "pc", "account"),
    [
        ("lab", "lab-pc", ("student", "lab-secret")),
        ("workstation", "my-pc", ("me", "typed")),
        ("fleet", "pc117", ("student", "typed")),
    ],
)
def test_a_pc_and_its_distribution_share_one_account(inventory, name, pc, account):
    opened = inventory(name) if name == "lab" else inventory(name, windows_password="typed")
    assert opened.values(pc, "ansible_connection", "ansible_user", "ansible_password") == ("winrm", *account)
    names = ("ansible_connection", "ansible_winrm_user", "ansible_winrm_password", "ansible_user")
    assert opened.values(f"{pc}-wsl", *names) == ("wsl_winrm", *account, "root")


def test_a_fleet_has_one_ca_and_a_password_of_laps_for_each_pc(tmp_path):
    """The lines that stand in inventory/fleet as comments, and the variable that microsoft.ad.ldap gives a PC."""
    shutil.copytree(ROOT / "inventory" / "group_vars", tmp_path / "inventory" / "group_vars")
    folder = tmp_path / "inventory" / "fleet"
    shutil.copytree(ROOT / "inventory" / "fleet", folder, symlinks=True)
    settings = folder / "group_vars" / "fleet" / "settings.yml"
    text = re.sub(r"^windows_certificate:.*\n", "", settings.read_text(), flags=re.MULTILINE)
    text, times = re.subn(r"^# (windows_(?:certificate|address|password): )", r"\1", text, flags=re.MULTILINE)
    assert times == 3
    settings.write_text(text)
    (folder / "host_vars").mkdir()
    (folder / "host_vars" / "pc007.yml").write_text("laps_password: of-pc007\n")
    opened = Inventory(folder)
    HostVars(opened.manager, opened.variables, opened.loader)  # as in a play
    for host, password in (("pc007", "ansible_password"), ("pc007-wsl", "ansible_winrm_password")):
        names = ("ansible_host", "ansible_winrm_ca_trust_path", password)
        assert opened.values(host, *names) == ("pc007.corp.example", f"{ROOT}/inventory/fleet/ca.pem", "of-pc007")


def test_the_inventory_for_laps_on_the_page_has_the_options_of_its_plugin():
    page = (ROOT / "docs" / "fleet.md").read_text(encoding="utf-8")
    (block,) = (block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "plugin: microsoft" in block)
    shown = yaml.safe_load(block)
    argv = [str(Path(sys.executable).with_name("ansible-doc")), "--type", "inventory", "--json", shown.pop("plugin")]
    known = json.loads(subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout)
    assert set(shown) - set(known["microsoft.ad.ldap"]["doc"]["options"]) == set()


@pytest.mark.parametrize(("name", "pc"), [("workstation", "my-pc"), ("fleet", "pc001")])
def test_a_missing_password_is_asked_for_by_its_name(inventory, name, pc):
    with pytest.raises(AnsibleError, match="Put the password of windows_user into a vault file, as windows_password"):
        inventory(name).value(pc, "ansible_password")


def test_the_connection_to_windows_ignores_the_proxy_of_the_control_nodes_shell(inventory):
    assert inventory("workstation").value("my-pc", "ansible_winrm_proxy") is None


MAY_STOP = ("wsl_enable_restart", "wsl_enable_shutdown", "wsl_distribution_shutdown")


@pytest.mark.parametrize("name", ["wsl_enable_purge", "wsl_distribution_purge"])
def test_the_distribution_goes_with_wsl_or_alone(inventory, name):
    fleet = inventory("fleet")
    assert fleet.value("pc001", "wsl_distribution_purge") is False
    fleet.extra[name] = True
    assert fleet.value("pc001", "wsl_distribution_purge") is True


def test_from_elsewhere_the_certificate_is_checked_and_the_run_may_restart(inventory):
    names = ("ansible_winrm_server_cert_validation", *MAY_STOP)
    assert inventory("workstation").values("my-pc", *names) == ("validate", True, True, True)


def test_a_copy_of_the_workstation_works_with_a_certificate_in_its_folder(mine):
    folder = mine((r"^windows_address:.*", "windows_address: 10.0.0.5"))
    copy = Inventory(folder, windows_password="typed")
    assert copy.names("all") == ["my-pc", "my-pc-wsl"]
    trusted = f"{folder}/winrm-MY-PC.pem"
    assert copy.values("my-pc-wsl", "ansible_host", "ansible_winrm_ca_trust_path") == ("10.0.0.5", trusted)
    assert copy.value("my-pc-wsl", "docker_engine_users") == ["dev"]


def test_a_certificate_in_the_folder_is_not_read_as_an_inventory(mine):
    argv = [str(Path(sys.executable).parent / "ansible-inventory"), "-i", str(mine()), "--graph"]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout.count("-pc"), done.stderr) == (2, "")


@pytest.mark.parametrize(
    ("mode", "address"), [("nat", "172.30.7.1"), ("mirrored", "127.0.0.1"), ("virtioproxy", "127.0.0.1")]
)
def test_from_inside_the_distribution_is_local_and_windows_where_it_is_now(mine, inside, mode, address):
    copy = Inventory(mine(*WAY_B), windows_password="typed")
    inside(mode)
    assert copy.values("my-pc-wsl", "ansible_connection", "ansible_become", "ansible_user") == ("local", True, "mei")
    names = ("ansible_connection", "ansible_host", "ansible_port", "ansible_winrm_server_cert_validation")
    assert copy.values("my-pc", *names) == ("winrm", address, 5986, "ignore")
    assert copy.values("my-pc", *MAY_STOP) == (False, False, False)


def test_ones_own_pc_needs_no_address_no_account_and_no_password(inventory, inside):
    inside("nat", route="")
    own = inventory("own")
    names = ("ansible_connection", "ansible_host", "ansible_user", "ansible_password", "ansible_become")
    assert own.values("pc", *names) == ("wsl_interop", "pc", "", "", False)
    assert own.values("pc-wsl", "ansible_connection", "ansible_user") == ("local", "mei")
    assert own.values("pc", *MAY_STOP) == (False, False, False)


@pytest.mark.parametrize(("name", "distribution"), [("Ubuntu", "Ubuntu"), ("", "Ubuntu-24.04")])
def test_ones_own_distribution_is_the_one_that_ansible_runs_in(inventory, monkeypatch, name, distribution):
    monkeypatch.setenv("WSL_DISTRO_NAME", name)
    assert inventory("own").value("pc", "wsl_distribution_name") == distribution


@pytest.mark.parametrize(
    ("classic", "way", "become"), [("/bin/sh", True, "/bin/sh"), ("/none", True, "sudo"), ("/bin/sh", False, "sudo")]
)
def test_inside_ubuntu_2604_ansible_becomes_root_with_the_sudo_whose_prompt_it_knows(mine, classic, way, become):
    copy = Inventory(mine(*(WAY_B if way else [])))
    assert copy.value("my-pc-wsl", "wsl_classic_sudo") == "/usr/bin/sudo.ws"
    copy.extra["wsl_classic_sudo"] = classic
    assert copy.value("my-pc-wsl", "ansible_become_exe") == become


CONNECTION = ("ansible_connection", "ansible_host", "ansible_user", "ansible_become", "ansible_become_exe")


def test_a_plain_ubuntu_is_the_machine_that_ansible_runs_on(mine, monkeypatch):
    monkeypatch.setenv("USER", "mei")
    copy = Inventory(mine(name="linux"), linux_classic_sudo="/none")
    assert (copy.names("wsl"), copy.names("windows")) == (["my-machine"], [])
    assert copy.values("my-machine", *CONNECTION) == ("local", "my-machine", "mei", True, "sudo")
    copy.extra["linux_classic_sudo"] = "/bin/sh"  # Ubuntu 26.04 has one
    assert copy.value("my-machine", "ansible_become_exe") == "/bin/sh"


@pytest.mark.parametrize(
    ("lines", "user", "sudo"),
    [
        ([], "me", "sudo"),
        ([(r"^# (linux_user: root)", r"\1"), (r"^# (linux_sudo: sudo.ws)", r"\1")], "root", "sudo.ws"),
    ],
)
def test_a_plain_ubuntu_elsewhere_is_reached_by_ssh(mine, lines, user, sudo):
    lines = [(r'^linux_address: ""', "linux_address: 10.0.0.7"), *lines]
    copy = Inventory(mine(*lines, name="linux"), linux_classic_sudo="/bin/sh")
    assert copy.values("my-machine", *CONNECTION) == ("ssh", "10.0.0.7", user, True, sudo)


def test_a_plain_ubuntu_has_no_proxy_until_its_owner_names_one(mine, inventory):
    names = (
        "wsl_proxy_state",
        "docker_proxy_state",
        "docker_engine_http_proxy",
        "wsl_proxy_upstream",
        "wsl_proxy_port",
    )
    assert inventory("linux").values("my-machine", *names) == ("absent", "absent", "", "127.0.0.1", 7890)
    lines = [(r"^proxy_state: absent", "proxy_state: present"), (r"^proxy_host: 127.0.0.1", "proxy_host: nas.lan")]
    copy = Inventory(mine(*lines, name="linux"))
    assert copy.values("my-machine", *names) == ("present", "present", "http://127.0.0.1:17890", "nas.lan", 7890)


def test_in_wsl_the_proxy_is_on_windows_unless_its_user_says_otherwise(mine):
    copy = Inventory(mine((r"^proxy_port:.*", "wsl_proxy_upstream: nas.lan")))
    assert copy.value("my-pc-wsl", "wsl_proxy_upstream") == "nas.lan"
    assert Inventory(ROOT / "inventory" / "workstation").value("my-pc-wsl", "wsl_proxy_upstream") == ""


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("pc001", ("nat", "present", "http://127.0.0.1:7890", True)),
        ("pc130", ("mirrored", "present", "http://127.0.0.1:7890", False)),
        ("pc190", ("mirrored", "absent", "", False)),
    ],
)
def test_a_room_of_the_fleet_differs_in_what_its_group_says(inventory, host, expected):
    names = ("wsl_enable_networking_mode", "windows_proxy_state", "wsl_enable_http_proxy", "windows_proxy_firewall")
    assert inventory("fleet").values(host, *names) == expected


@pytest.mark.parametrize(("host", "state"), [("pc130-wsl", "present"), ("pc190-wsl", "absent")])
def test_the_distribution_follows_its_room(inventory, host, state):
    assert inventory("fleet").values(host, "wsl_proxy_state", "docker_proxy_state") == (state, state)


@pytest.mark.parametrize("group", ["first", "room_east", "room_west", "open_network", "gpu_before_turing"])
def test_a_group_of_the_fleet_holds_both_halves_of_a_pc(inventory, group):
    names = set(inventory("fleet").names(group))
    windows = {name for name in names if not name.endswith("-wsl")}
    assert windows and names - windows == {f"{name}-wsl" for name in windows}


def test_containers_and_shells_leave_the_proxy_out_for_the_same_names(inventory):
    literal = ["localhost", "127.0.0.1", "::1", "0.0.0.0", ".internal", "10.213.0.1"]
    names = ("wsl_proxy_no_proxy", "docker_proxy_no_proxy", "docker_proxy_users")
    assert inventory("workstation").values("my-pc-wsl", *names) == (literal, literal, ["dev", "root"])


def test_dockers_network_lies_outside_of_those_that_wsl_chooses_from(inventory):
    address, network = inventory("workstation").values(
        "my-pc-wsl", "wsl_proxy_docker_address", "docker_engine_bip | string"
    )
    assert (address, network) == ("10.213.0.1", "10.213.0.1/24")
    docker0 = ipaddress.ip_interface(network).network
    assert not docker0.overlaps(ipaddress.ip_network("172.16.0.0/12")), "one PC in sixteen has eth0 in any /16 of it"
    assert not docker0.overlaps(ipaddress.ip_network("192.168.0.0/16")), "most routers of homes are there"


def test_what_the_bootstrap_script_prints_are_settings_of_the_workstation():
    script = (ROOT / "bootstrap" / "Enable-WinRM.ps1").read_text()
    printed = re.findall(r"Write-Host [\"'](\w+_\w+): ", script)
    assert printed == ["windows_address", "windows_port", "windows_certificate", "windows_user"]
    known = yaml.safe_load((ROOT / "inventory" / "group_vars" / "all" / "connection.yml").read_text())
    assert set(printed) <= set(known)


CACHE = ("cache_url", "wsl_proxy_apt_direct", "apt_mirror_cache", "docker_engine_cache", "docker_engine_daemon_options")


def test_without_a_cache_nobody_asks_one(inventory):
    assert inventory("fleet").values("pc001-wsl", *CACHE) == ("", [], "", "", {})
    assert "cache.lan" not in inventory("fleet").value("pc001-wsl", "wsl_proxy_no_proxy")


def test_with_a_host_in_its_group_every_pc_asks_the_cache(tmp_path):
    shutil.copytree(ROOT / "inventory" / "group_vars", tmp_path / "inventory" / "group_vars")
    folder = tmp_path / "inventory" / "mine"
    shutil.copytree(ROOT / "inventory" / "fleet", folder, symlinks=True)
    with (folder / "hosts.yml").open("a", encoding="utf-8") as file:
        file.write("        cache:\n          hosts:\n            cache.lan:\n")
    fleet = Inventory(folder)
    url = "http://cache.lan:8780"
    assert fleet.values("pc001-wsl", *CACHE) == (url, ["cache.lan"], url, url, {"registry-mirrors": [url]})
    for name in ("wsl_proxy_no_proxy", "docker_proxy_no_proxy"):
        assert fleet.value("pc001-wsl", name)[-1] == "cache.lan"
    assert fleet.values("cache.lan", "room_cache_port", "room_cache_http_proxy") == (8780, "")
    assert fleet.value("cache.lan", "room_cache_repositories") == [
        "https://mirrors.ustc.edu.cn/ubuntu",
        "http://security.ubuntu.com/ubuntu",
        "https://download.docker.com/linux",
        "https://developer.download.nvidia.com/compute/cuda/repos",
        "https://nvidia.github.io/libnvidia-container",
    ]
