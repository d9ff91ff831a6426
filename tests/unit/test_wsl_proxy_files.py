"""What wsl_proxy writes, refuses and says, without a host."""

import subprocess

import pytest

from tests.unit.role_values import role_files, role_value

SYSTEMD = {"service_mgr": "systemd"}


def refusals(**variables):
    return role_value("wsl_proxy", "__wsl_proxy_refusals", **({"ansible_facts": SYSTEMD} | variables))


def cause(message):
    return role_value("wsl_proxy", "__wsl_proxy_cause", ansible_failed_result={"msg": message})


def test_the_relay_listens_for_the_distro_and_for_containers():
    socket = role_files("wsl_proxy")["/etc/systemd/system/wsl-proxy.socket"]["content"].splitlines()
    assert [line for line in socket if line.startswith("ListenStream")] == [
        "ListenStream=127.0.0.1:17890",
        "ListenStream=10.213.0.1:17890",
    ]
    assert "FreeBind=yes" in socket


def test_the_relay_listens_for_the_distro_alone_without_a_docker_address():
    socket = role_files("wsl_proxy", wsl_proxy_docker_address="")["/etc/systemd/system/wsl-proxy.socket"]["content"]
    assert socket.count("ListenStream=") == 1


def test_the_relay_asks_the_resolver_at_each_start_and_ends_when_idle():
    service = role_files("wsl_proxy", wsl_proxy_upstream="winbox.local")["/etc/systemd/system/wsl-proxy.service"][
        "content"
    ]
    assert "$$(/usr/local/lib/wsl-proxy/wsl-proxy-upstream 7890 winbox.local || echo 127.0.0.1:1)" in service
    assert "--exit-idle-time=5s" in service


def test_shells_get_both_cases_and_reach_gradio_directly(tmp_path):
    script = tmp_path / "wsl-proxy.sh"
    script.write_text(role_files("wsl_proxy")["/etc/profile.d/wsl-proxy.sh"]["content"])
    shown = subprocess.run(
        ["sh", "-c", f". {script}; env"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    proxies = sorted(line for line in shown.stdout.splitlines() if "proxy" in line.lower().split("=")[0])
    assert proxies == [
        "HTTPS_PROXY=http://127.0.0.1:17890",
        "HTTP_PROXY=http://127.0.0.1:17890",
        "NO_PROXY=localhost,127.0.0.1,::1,0.0.0.0,10.213.0.1",
        "http_proxy=http://127.0.0.1:17890",
        "https_proxy=http://127.0.0.1:17890",
        "no_proxy=localhost,127.0.0.1,::1,0.0.0.0,10.213.0.1",
    ]


def test_apt_gets_the_relay_for_both_schemes():
    lines = role_files("wsl_proxy", wsl_proxy_relay_port=18000)["/etc/apt/apt.conf.d/99proxy"]["content"].splitlines()
    assert lines[-2:] == [
        'Acquire::http::Proxy "http://127.0.0.1:18000/";',
        'Acquire::https::Proxy "http://127.0.0.1:18000/";',
    ]


def test_the_sudoers_file_is_validated_and_unreadable_to_others():
    file = role_files("wsl_proxy")["/etc/sudoers.d/wsl-proxy"]
    assert (file["mode"], file["validate"]) == ("0440", "visudo -cf %s")


def test_every_whole_file_says_who_wrote_it():
    for path, file in role_files("wsl_proxy").items():
        assert "block" in file or "# role:wsl_proxy\n" in file["content"], path


def test_the_defaults_are_not_refused():
    assert refusals() == []


def test_a_port_from_the_command_line_is_a_string_and_is_accepted():
    assert refusals(wsl_proxy_port="7897") == []


@pytest.mark.parametrize("upstream", ["winbox.local", "winbox", "192.168.1.20", "fd00::1", "pc-7.lab.example"])
def test_names_and_addresses_are_accepted_as_upstream(upstream):
    assert refusals(wsl_proxy_upstream=upstream) == []


@pytest.mark.parametrize(
    "upstream", ["http://winbox", "winbox:7890", "win box", "winbox;reboot", "$(reboot)", "-x", "a\nb", "a\n"]
)
def test_anything_else_is_refused_as_upstream(upstream):
    assert len(refusals(wsl_proxy_upstream=upstream)) == 1


@pytest.mark.parametrize(("port", "relay"), [(0, 17890), (7890, 70000), (7890, 7890)])
def test_impossible_or_equal_ports_are_refused(port, relay):
    assert refusals(wsl_proxy_port=port, wsl_proxy_relay_port=relay) == [
        f"wsl_proxy_port {port} and wsl_proxy_relay_port {relay} must be two different ports between 1 and 65535."
    ]


@pytest.mark.parametrize("entry", ["a,b", "a b", "", "it's", "$(reboot)"])
def test_an_entry_of_no_proxy_that_is_no_name_or_address_is_refused(entry):
    assert len(refusals(wsl_proxy_no_proxy=["localhost", entry])) == 1


@pytest.mark.parametrize("entry", ["10.0.0.0/8", ".example.com", "[::1]", "*"])
def test_networks_and_domains_are_accepted_in_no_proxy(entry):
    assert refusals(wsl_proxy_no_proxy=[entry]) == []


@pytest.mark.parametrize("address", ["docker0", "10.213.0.1/24", "10.213.0"])
def test_a_docker_address_that_is_no_address_is_refused(address):
    assert len(refusals(wsl_proxy_docker_address=address)) == 1


def test_all_refusals_come_at_once_and_a_distro_without_systemd_is_told_the_remedy():
    found = refusals(ansible_facts={"service_mgr": "sysvinit"}, wsl_proxy_check_url="google.com")
    assert len(found) == 2
    assert 'Write "[boot] systemd=true" to /etc/wsl.conf' in found[0]
    assert found[1] == "wsl_proxy_check_url 'google.com' is no http or https address."


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("-1 and not [200, 204]: Request failed: <urlopen error [Errno 111] Connection refused>", '"Allow LAN"'),
        ("-1 and not [200, 204]: Connection failure: timed out", "New-NetFirewallRule -DisplayName"),
        ("-1 and not [200, 204]: Request failed: <urlopen error [Errno 113] No route to host>", "Windows firewall"),
        ("-1 and not [200, 204]: Request failed: <urlopen error [Errno -2] Name or service not known>", "no .local"),
        ("407 and not [200, 204]: HTTP Error 407: Proxy Authentication Required", "asks for a password"),
        ("403 and not [200, 204]: HTTP Error 403: Forbidden", "a page that it allows"),
        ("502 and not [200, 204]: HTTP Error 502: Bad Gateway", "does not reach that page"),
        ("404 and not [200, 204]: HTTP Error 404: Not Found", "not as an HTTP proxy"),
        ("-1 and not [200, 204]: Connection failure: Remote end closed connection", "not the SOCKS one"),
    ],
)
def test_each_failure_names_its_own_cause_and_remedy(message, says):
    text = cause(f"Status code was {message}")
    assert says in text
    assert len(text) < 550
