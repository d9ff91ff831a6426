"""wsl_proxy on a bare distro: the relay carries requests, and everything points at it."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = "http://connectivitycheck.gstatic.com/generate_204"
FETCH = "curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' "
SIX = [
    "HTTPS_PROXY=http://127.0.0.1:17890",
    "HTTP_PROXY=http://127.0.0.1:17890",
    "NO_PROXY=localhost,127.0.0.1,::1,10.213.0.1,0.0.0.0",
    "http_proxy=http://127.0.0.1:17890",
    "https_proxy=http://127.0.0.1:17890",
    "no_proxy=localhost,127.0.0.1,::1,10.213.0.1,0.0.0.0",
]


def proxies(output):
    return sorted(line for line in output.splitlines() if line.lower().split("=")[0].endswith("_proxy"))


def restart(host):
    name = host.backend.get_hostname()
    subprocess.run([sys.executable, "-m", "lab", "distro", "restart", name], cwd=ROOT, check=True, capture_output=True)


def test_a_login_shell_reaches_the_internet_through_the_proxy(user_run, requests_during):
    seen = requests_during(lambda: user_run(f"{FETCH} {PAGE}"))
    assert [(record["via"], record["host"]) for record in seen] == [("proxy", "connectivitycheck.gstatic.com")]


def test_a_login_shell_has_the_proxy_in_both_cases(user_run):
    assert proxies(user_run("env").stdout) == SIX


def test_an_interactive_shell_that_is_no_login_shell_has_it_too(host):
    assert proxies(host.run("runuser -u dev -- env -i HOME=/home/dev TERM=dumb bash -ic env").stdout) == SIX


def test_sudo_keeps_it(user_run):
    assert proxies(user_run("sudo env").stdout) == SIX
    assert "parsed OK" in user_run("sudo visudo -c").stdout


def test_https_goes_through_the_relay(user_run):
    assert user_run(f"{FETCH} https://www.google.com/").stdout == "200"


def test_a_gradio_server_is_asked_directly(host, user_run, requests_during):
    host.run("systemd-run --unit=gradio --working-directory=/usr/share python3 -m http.server 7860 && sleep 2")
    codes = []
    addresses = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"]
    seen = requests_during(lambda: codes.extend(user_run(f"{FETCH} http://{name}:7860/").stdout for name in addresses))
    host.run("systemctl stop gradio")
    assert codes[:3] == ["200", "200", "200"]
    assert seen == []


def test_a_container_network_reaches_the_relay_at_dockers_address(host):
    host.run("ip link add docker0 type bridge && ip address add 10.213.0.1/24 dev docker0 && ip link set docker0 up")
    answer = host.run(f"{FETCH} --proxy http://10.213.0.1:17890 {PAGE}").stdout
    host.run("ip link delete docker0")
    assert answer == "204"


def test_apt_goes_through_the_relay_without_any_environment(host, requests_during):
    seen = requests_during(lambda: host.run("env -i PATH=/usr/sbin:/usr/bin apt-get update"))
    assert {record["via"] for record in seen if record["host"] == "security.ubuntu.com"} == {"proxy"}


def test_the_relay_does_not_run_as_root(host):
    host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}")
    relay = host.check_output("systemctl show --property MainPID --value wsl-proxy.service")
    assert host.check_output(f"ps -o user= -p {relay}") != "root"


def test_the_relay_ends_when_idle_so_that_it_asks_for_the_address_again(host):
    host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}")
    host.run("sleep 6")
    assert host.check_output("systemctl show --property ActiveState --value wsl-proxy.service") == "inactive"
    assert host.check_output("systemctl show --property ActiveState --value wsl-proxy.socket") == "active"


def test_without_a_gateway_clients_fail_at_once_and_recover_when_it_comes(host, windows_address):
    host.run("systemctl stop wsl-proxy.service; ip route delete default")
    try:
        down = [host.run(f"curl --silent --max-time 5 --proxy http://127.0.0.1:17890 {PAGE}").rc for _ in range(30)]
    finally:
        host.run(f"ip route add default via {windows_address}")
    host.run("sleep 6")
    assert 28 not in down, "curl waited in vain"
    assert 0 not in down
    assert host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}").stdout == "204"


def test_after_a_restart_with_another_gateway_it_works_without_a_changed_file(host, windows_address, user_run):
    files = "cat /etc/systemd/system/wsl-proxy.* /etc/profile.d/wsl-proxy.sh /etc/apt/apt.conf.d/99proxy | sha256sum"
    before = host.check_output(files)
    restart(host)
    assert host.check_output("ip -4 route show default").split()[2] != windows_address
    assert user_run(f"{FETCH} {PAGE}").stdout == "204"
    assert host.check_output(files) == before


@pytest.mark.parametrize("name", ["wsl-proxy.socket", "wsl-proxy.service"])
def test_systemd_has_nothing_to_say_against_the_units(host, name):
    said = host.run(f"systemd-analyze verify --man=no /etc/systemd/system/{name}").stderr
    assert [line for line in said.splitlines() if "wsl-proxy" in line] == []
