"""wsl_proxy on a bare distribution: the relay carries requests, and everything points at it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.converge import converge

ROOT = Path(__file__).resolve().parents[3]
PAGE = "http://connectivitycheck.gstatic.com/generate_204"
FETCH = "curl --silent --max-time 20 --output /dev/null --write-out '%{http_code}' "
THOUSAND = (Path(__file__).parent / "a_thousand_connections.py").read_text()
ANSWER = """
import http.server, socket
class Server(http.server.HTTPServer):
    address_family = socket.AF_INET6 if ":" in "ADDRESS" else socket.AF_INET
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(299)
        self.end_headers()
Server(("ADDRESS", 7890), Answer).serve_forever()
"""
SQUATTER = """
import socket, time
server = socket.socket()
server.setsockopt(socket.SOL_IP, 15, 1)  # IP_FREEBIND: the address need not exist
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that ended lately do not matter
server.bind(("10.213.0.1", 17890))
server.listen()
time.sleep(300)
"""
SIX = [
    "HTTPS_PROXY=http://127.0.0.1:17890",
    "HTTP_PROXY=http://127.0.0.1:17890",
    "NO_PROXY=localhost,127.0.0.1,::1,0.0.0.0,.internal,10.213.0.1",
    "http_proxy=http://127.0.0.1:17890",
    "https_proxy=http://127.0.0.1:17890",
    "no_proxy=localhost,127.0.0.1,::1,0.0.0.0,.internal,10.213.0.1",
]


def proxies(output):
    return sorted(line for line in output.splitlines() if line.lower().split("=")[0].endswith("_proxy"))


def restart(host):
    name = host.backend.get_hostname()
    subprocess.run(
        [sys.executable, "-m", "lab", "distribution", "restart", name], cwd=ROOT, check=True, capture_output=True
    )


def wait(host, what, condition):
    """Wait until a shell command succeeds in the distribution, half a minute at most."""
    told = host.run("timeout 30 sh -c %s", f"until {condition}; do sleep 0.2; done")
    assert told.rc == 0, f"after 30 s: not {what}"


def wait_for_listener(host, address):
    wait(host, f"a listener at {address}", f"ss -Hltn | grep -qF '{address} '")


def wait_for_idle_relay(host):
    wait(host, "an idle relay that has ended", '[ "$(systemctl is-active wsl-proxy.service)" = inactive ]')


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
    host.check_output("systemd-run --unit=gradio --working-directory=/usr/share python3 -m http.server 7860")
    wait_for_listener(host, "0.0.0.0:7860")
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


def test_apt_uses_the_relay_whatever_others_told_it_and_keeps_what_they_said_of_single_hosts(host):
    settings = host.check_output("apt-config dump --no-empty Acquire").lower().splitlines()  # apt's keys have no case
    assert sorted(line for line in settings if "proxy" in line) == [
        'acquire::http::proxy "http://127.0.0.1:17890/";',
        'acquire::http::proxy::repo.lan "direct";',
        'acquire::https::proxy "http://127.0.0.1:17890/";',
    ]


def test_a_thousand_connections_at_once_are_all_answered(host, windows_address):
    redirect = f"iptables -w -t nat {{}} OUTPUT -p tcp -d {windows_address} --dport 7890 -j REDIRECT --to-ports 4790"
    host.check_output(redirect.format("-A"))  # to a proxy that holds its answers back until all have asked
    try:
        told = host.run("timeout 90 python3 -c %s", THOUSAND)
    finally:
        host.check_output(redirect.format("-D"))
    assert told.stdout == "1000 open at once, 1000 answered\n", told.stderr


@pytest.mark.parametrize("upstream", ["::1", "proxy.lan"])
def test_an_ipv6_upstream_and_the_living_one_of_several_addresses_are_reached(host, upstream):
    unit, override = "/etc/systemd/system/wsl-proxy.service", "/run/systemd/system/wsl-proxy.service.d"
    host.check_output("printf '127.0.0.6 proxy.lan\n127.0.0.7 proxy.lan\n' >> /etc/hosts")
    start = f"grep -A1 ^ExecStart= {unit} | sed 's/upstream 7890 /upstream 7890 {upstream} /'"
    host.check_output(f"mkdir -p {override} && (echo [Service]; echo ExecStart=; {start}) > {override}/host.conf")
    address = {"::1": "::1", "proxy.lan": "127.0.0.7"}[upstream]
    host.check_output("sysctl -w net.ipv6.conf.lo.disable_ipv6=0")  # off in containers
    host.check_output("systemd-run --collect --unit=other-proxy python3 -c %s", ANSWER.replace("ADDRESS", address))
    wait_for_listener(host, {"::1": "[::1]:7890", "proxy.lan": "127.0.0.7:7890"}[upstream])
    host.check_output("systemctl daemon-reload; systemctl stop wsl-proxy.service")
    try:
        assert host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}").stdout == "299"
    finally:
        host.run(f"systemctl stop other-proxy wsl-proxy.service; rm -r {override}; systemctl daemon-reload")
        host.run("grep -v proxy.lan /etc/hosts > /tmp/hosts; cat /tmp/hosts > /etc/hosts")


def test_where_dockers_address_cannot_be_had_the_distribution_still_has_its_relay(host):
    host.check_output("systemctl stop wsl-proxy.socket")
    host.check_output("systemd-run --collect --unit=squatter python3 -c %s", SQUATTER)
    try:
        wait_for_listener(host, "10.213.0.1:17890")
        host.run("systemctl start wsl-proxy.socket")
        assert host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}").stdout == "204"
        assert host.run("systemctl is-active wsl-proxy-docker.socket").stdout == "failed\n"
    finally:
        host.run("systemctl stop squatter")
        wait_for_idle_relay(host)  # systemd does not start a socket whose service runs
        host.run("systemctl restart wsl-proxy.socket")
    assert host.run("systemctl is-active wsl-proxy-docker.socket").stdout == "active\n"


def test_a_program_at_the_relays_port_is_named_before_anything_changes(host):
    host.check_output("systemctl stop wsl-proxy.socket wsl-proxy.service")
    host.check_output("systemd-run --collect --unit=squatter python3 -m http.server --bind 127.0.0.1 17890")
    try:
        wait_for_listener(host, "127.0.0.1:17890")
        changed, message = converge(host)
        assert (changed, "Port 17890, which the relay needs, is taken by python3 (process " in message) == (0, True), (
            message
        )
        assert (
            'squatter.service). Stop it with "sudo systemctl disable --now squatter.service", or set proxy_relay_port'
            in message
        )
    finally:
        host.run("systemctl stop squatter; systemctl restart wsl-proxy.socket")


def test_the_relay_does_not_run_as_root(host):
    host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}")
    relay = host.check_output("systemctl show --property MainPID --value wsl-proxy.service")
    assert host.check_output(f"ps -o user= -p {relay}") != "root"


def test_the_relay_ends_when_idle_so_that_it_asks_for_the_address_again(host):
    assert host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}").stdout == "204"
    wait_for_idle_relay(host)
    assert host.check_output("systemctl show --property ActiveState --value wsl-proxy.socket") == "active"


def test_without_a_gateway_clients_fail_at_once_and_recover_when_it_comes(host, windows_address):
    host.run("systemctl stop wsl-proxy.service; ip route delete default")
    try:
        down = [host.run(f"curl --silent --max-time 15 --proxy http://127.0.0.1:17890 {PAGE}").rc for _ in range(30)]
    finally:
        host.run(f"ip route add default via {windows_address}")
    wait_for_idle_relay(host)
    assert 28 not in down, "curl waited in vain"
    assert 0 not in down
    assert host.run(f"{FETCH} --proxy http://127.0.0.1:17890 {PAGE}").stdout == "204"


def test_after_a_restart_with_another_gateway_it_works_without_a_changed_file(host, windows_address, user_run):
    files = (
        "cat /etc/systemd/system/wsl-proxy.* /etc/profile.d/wsl-proxy.sh /etc/apt/apt.conf.d/zz-wsl-proxy | sha256sum"
    )
    before = host.check_output(files)
    restart(host)
    assert host.check_output("ip -4 route show default").split()[2] != windows_address
    assert user_run(f"{FETCH} {PAGE}").stdout == "204"
    assert host.check_output(files) == before


@pytest.mark.parametrize("name", ["wsl-proxy.socket", "wsl-proxy-docker.socket", "wsl-proxy.service"])
def test_systemd_has_nothing_to_say_against_the_units(host, name):
    said = host.run(f"systemd-analyze verify --man=no /etc/systemd/system/{name}").stderr
    assert [line for line in said.splitlines() if "wsl-proxy" in line] == []
