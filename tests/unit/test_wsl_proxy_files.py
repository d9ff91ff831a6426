"""What wsl_proxy writes, refuses and says, without a host."""

import re
import shutil
import socket
import subprocess

import pytest

from tests.unit.role_values import ROLES, role_files, role_value

SYSTEMD = {"service_mgr": "systemd"}


def refusals(**variables):
    return role_value("wsl_proxy", "__wsl_proxy_refusals", **({"ansible_facts": SYSTEMD} | variables))


def cause(message, *found):
    facts = {"stdout_lines": list(found)}
    return role_value(
        "wsl_proxy", "__wsl_proxy_cause", ansible_failed_result={"msg": message}, __wsl_proxy_facts_read=facts
    )


def files(*found, **variables):
    return role_files("wsl_proxy", __wsl_proxy_facts_read={"stdout_lines": list(found)}, **variables)


def listens(unit):
    return [line for line in unit["content"].splitlines() if line.startswith("ListenStream")]


def test_the_relay_listens_for_the_distribution_and_for_containers():
    units = files()
    assert listens(units["/etc/systemd/system/wsl-proxy.socket"]) == ["ListenStream=127.0.0.1:17890"]
    assert listens(units["/etc/systemd/system/wsl-proxy-docker.socket"]) == ["ListenStream=10.213.0.1:17890"]
    assert "FreeBind=yes" in units["/etc/systemd/system/wsl-proxy-docker.socket"]["content"].splitlines()


def test_the_relay_also_listens_where_the_user_has_put_docker0_and_shells_ask_there_directly():
    written = files("bip 192.168.88.1")
    assert listens(written["/etc/systemd/system/wsl-proxy-docker.socket"]) == [
        "ListenStream=10.213.0.1:17890",
        "ListenStream=192.168.88.1:17890",
    ]
    assert ",10.213.0.1,192.168.88.1'" in written["/etc/profile.d/wsl-proxy.sh"]["content"]


def test_the_relay_listens_for_the_distribution_alone_without_a_docker_address():
    written = files(wsl_proxy_docker_address="")
    assert "/etc/systemd/system/wsl-proxy-docker.socket" not in written
    assert not any("wsl-proxy-docker" in file.get("content", "") for file in written.values())


@pytest.fixture
def facts(tmp_path):
    """Run facts.sh on a machine that has these files (path: text) and no others, and return what it says of a kind."""
    script = re.sub(
        r"(?<![\w.*])/(?=(etc|home|root|var/lib)/)", f"{tmp_path}/", (ROLES / "wsl_proxy/files/facts.sh").read_text()
    )

    def facts(kind, files, relay="17890"):
        for path, text in files.items():
            target = tmp_path / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text.encode() if isinstance(text, str) else text)
        argv = ["sh", "-c", script, "facts", "echo 10.0.0.1:7890", relay, "7890", ""]
        shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return [line.replace(str(tmp_path), "") for line in shown.splitlines() if line.startswith(kind)]

    return facts


OURS = (
    b'{"keys": [{"key_path": ["log-driver"], "after": "json-file"}, {"key_path": ["bip"], "after": "10.213.0.1/24"}]}'
)
OF_AN_EARLIER_VERSION = OURS.replace(b'"key_path"', b'"way"')


@pytest.mark.parametrize(
    ("daemon", "backup", "found"),
    [
        (b'{"bip": "192.168.88.1/24", "fixed-cidr": "192.168.88.0/25"}', None, ["bip 192.168.88.1"]),
        (b'\xef\xbb\xbf{"bip": "192.168.88.1/24"}', None, ["bip 192.168.88.1"]),
        (b'{"bip": "192.168.88.1/24"}', OURS, ["bip 192.168.88.1"]),
        (b'{"bip": "10.213.0.1/24"}', OURS, []),
        (b'{"bip": "10.213.0.1/24"}', OF_AN_EARLIER_VERSION, []),
        (b'{"bip": "10.213.0.1/24"}', b"no JSON", ["bip 10.213.0.1"]),
        (b'{"log-driver": "local"}', None, []),
        (b'{"bip": "nonsense; reboot"}', None, []),
        (b"{", None, []),
        (None, None, []),
    ],
)
def test_the_users_own_network_of_docker0_is_found_and_ours_is_not_taken_for_it(facts, daemon, backup, found):
    paths = {"/etc/docker/daemon.json": daemon, "/var/lib/wsl-dl-playbook/docker_engine/daemon.json": backup}
    assert facts("bip", {path: text for path, text in paths.items() if text is not None}) == found


needs_apt = pytest.mark.skipif(not shutil.which("apt-config"), reason="this machine has no apt")
DEAD = "http://127.0.0.9:1"
SOURCES = ["/etc/apt/apt.conf", "/etc/apt/apt.conf.d/proxy.conf", "/etc/apt/apt.conf.d/zzz"]


@needs_apt
@pytest.mark.parametrize(
    "text",
    [
        'Acquire { HTTP::Proxy "http://172.29.0.1:1080"; HTTPS::Proxy "http://172.29.0.1:1080"; };',
        'acquire::http::proxy "http://172.29.0.1:1080";\n',
        'Acquire::http::Proxy-Auto-Detect "/usr/local/bin/find-proxy";\n',
        'Acquire::https::ProxyAutoDetect "/usr/local/bin/find-proxy";\n',
        'APT::Get::Assume-Yes "true";\nAcquire { http { Proxy "http://u:geheim@172.29.0.1:1080"; }; };\n',
    ],
)
def test_what_apt_reads_after_our_file_is_found_in_any_spelling(facts, text):
    assert facts("apt", {SOURCES[0]: text}) == ["aptmain"]
    (said,) = facts("aptlater", {SOURCES[2]: text})
    number = 2 if text.startswith("APT") else 1
    assert said.startswith(f"aptlater /etc/apt/apt.conf.d/zzz:{number}:")
    assert "geheim" not in said


@needs_apt
def test_what_apt_reads_before_our_file_or_not_at_all_is_no_trouble(facts):
    text = 'Acquire::http::Proxy "http://172.29.0.1:1080";\n'
    names = ["01proxy", "proxy.conf", "99proxy", "zz-wsl", "zzz.bak", "zzz.conf~", "zzz.dpkg-old"]
    assert facts("apt", {f"/etc/apt/apt.conf.d/{name}": text for name in names}) == []
    assert facts("apt", {"/etc/apt/apt.conf": '// Acquire::http::Proxy "x";\nAPT::Color "0";\n'}) == []


@needs_apt
def test_our_own_lines_are_not_taken_for_somebodys(facts):
    block = '\n# BEGIN wsl-dl-playbook wsl_proxy, last\nAcquire::http::Proxy "x";\n# END wsl-dl-playbook wsl_proxy\n'
    assert facts("apt", {"/etc/apt/apt.conf": f'APT::Color "0";\n{block}'}) == []
    ours = files()["/etc/apt/apt.conf.d/zz-wsl-proxy"]["content"]
    assert facts("apt", {"/etc/apt/apt.conf.d/zz-wsl-proxy": ours}) == []


@needs_apt
@pytest.mark.parametrize("path", SOURCES)
def test_a_proxy_of_one_host_that_is_dead_is_named_and_direct_or_a_living_one_is_not(facts, path):
    with socket.socket() as server:
        server.bind(("127.0.0.7", 0))
        server.listen()
        text = (
            f'Acquire::http::Proxy::archive.ubuntu.com "{DEAD}";\nAcquire::https::proxy::mirror.lan "DIRECT";\n'
            f'Acquire::http::Proxy::repo.lan "http://127.0.0.7:{server.getsockname()[1]}/";\n'
        )
        assert facts("apt", {path: text}) == [f'aptdead {path}:1:Acquire::http::Proxy::archive.ubuntu.com "{DEAD}";']


def test_what_keeps_apt_from_the_relay_is_refused_with_file_line_and_remedy():
    found = ["aptlater /etc/apt/apt.conf.d/zzz:1:x", "aptdead /etc/apt/apt.conf:4:y"]
    later, dead = role_value("wsl_proxy", "__wsl_proxy_facts_refusals", __wsl_proxy_facts_read={"stdout_lines": found})
    assert "/etc/apt/apt.conf.d/zzz:1:x. Delete the lines, or rename the file" in later
    assert "/etc/apt/apt.conf:4:y. Delete the line" in dead


def test_apt_conf_gets_our_lines_at_its_end_where_it_sets_a_proxy():
    assert "/etc/apt/apt.conf" not in files()
    file = files("aptmain")["/etc/apt/apt.conf"]
    assert file["block"].startswith('Acquire::http::Proxy "http://127.0.0.1:17890/";')
    assert file["block_at_end"] is True


TUTORIAL = 'export hostip=$(hostname).local\nexport http_proxy="http://$(hostname).local:7890"\n'


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        ("/home/dev/.bashrc", TUTORIAL, '2:export http_proxy="http://$(hostname).local:7890"'),
        ("/home/dev/.zshrc", "HTTPS_PROXY=http://10.0.0.1:1\n", "1:HTTPS_PROXY=http://10.0.0.1:1"),
        ("/home/dev/.bash_aliases", "export ALL_PROXY=socks5://u:p@h:1\n", "1:export ALL_PROXY=socks5://***@h:1"),
        ("/home/dev/.config/fish/config.fish", "set -gx http_proxy http://h:1\n", "1:set -gx http_proxy http://h:1"),
        ("/home/dev/.gitconfig", "[http]\n\tproxy = http://127.0.0.1:7890\n", "2:\tproxy = http://127.0.0.1:7890"),
        ("/home/dev/.config/pip/pip.conf", "[global]\nproxy = http://h:1\n", "2:proxy = http://h:1"),
        ("/home/dev/.npmrc", "https-proxy=http://h:1\n", "1:https-proxy=http://h:1"),
        ("/etc/environment", 'http_proxy="http://h:1"\n', '1:http_proxy="http://h:1"'),
    ],
)
def test_a_proxy_that_others_have_set_is_named_with_file_and_line(facts, path, text, found):
    assert facts("foreign", {path: text}) == [f"foreign {path}:{found}"]


@pytest.mark.parametrize("text", ["# export http_proxy=http://h:1\n", "unset http_proxy\n", "echo $http_proxy\n"])
def test_a_line_that_sets_no_proxy_is_not_named(facts, text):
    assert facts("foreign", {"/home/dev/.bashrc": text}) == []


def test_the_relay_has_descriptors_for_all_connections_that_it_takes():
    service = files()["/etc/systemd/system/wsl-proxy.service"]["content"]
    assert "\nLimitNOFILE=16384\n" in service
    assert "--connections-max=2048 " in service  # six descriptors each


@pytest.mark.parametrize(
    ("upstream", "target"),
    [
        ("172.30.7.1:7890", "172.30.7.1:7890"),
        ("::1:7890", "[::1]:7890"),
        ("fd00::12:7890", "[fd00::12]:7890"),
    ],
)
def test_the_address_is_written_as_a_url_wants_it_when_it_is_asked(upstream, target):
    facts = {"stdout_lines": [f"upstream {upstream}"]}
    assert role_value("wsl_proxy", "__wsl_proxy_target", __wsl_proxy_facts_read=facts) == target


def test_the_relay_asks_the_resolver_at_each_start_and_ends_when_idle():
    service = files(wsl_proxy_upstream="winbox.local")["/etc/systemd/system/wsl-proxy.service"]["content"]
    assert "$$(/usr/local/lib/wsl-proxy/wsl-proxy-upstream 7890 winbox.local || echo 127.0.0.1:1)" in service
    assert "--exit-idle-time=5s" in service


def test_shells_get_both_cases_and_reach_gradio_directly(tmp_path):
    script = tmp_path / "wsl-proxy.sh"
    script.write_text(files()["/etc/profile.d/wsl-proxy.sh"]["content"])
    shown = subprocess.run(
        ["sh", "-c", f". {script}; env"], env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True
    )
    proxies = sorted(line for line in shown.stdout.splitlines() if "proxy" in line.lower().split("=")[0])
    assert proxies == [
        "HTTPS_PROXY=http://127.0.0.1:17890",
        "HTTP_PROXY=http://127.0.0.1:17890",
        "NO_PROXY=localhost,127.0.0.1,::1,0.0.0.0,.internal,10.213.0.1",
        "http_proxy=http://127.0.0.1:17890",
        "https_proxy=http://127.0.0.1:17890",
        "no_proxy=localhost,127.0.0.1,::1,0.0.0.0,.internal,10.213.0.1",
    ]


def test_apt_gets_the_relay_for_both_schemes():
    lines = files(wsl_proxy_relay_port=18000)["/etc/apt/apt.conf.d/zz-wsl-proxy"]["content"].splitlines()
    assert [line for line in lines if 'Proxy "' in line] == [
        'Acquire::http::Proxy "http://127.0.0.1:18000/";',
        'Acquire::https::Proxy "http://127.0.0.1:18000/";',
    ]


def test_the_sudoers_file_is_validated_and_unreadable_to_others():
    file = files()["/etc/sudoers.d/wsl-proxy"]
    assert (file["mode"], file["validate"]) == ("0440", "visudo -cf %s")


def test_every_whole_file_says_who_wrote_it():
    for path, file in files().items():
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


@pytest.mark.parametrize(
    ("port", "relay", "said"),
    [
        (0, 17890, "wsl_proxy_port is 0. Set it to a port, a whole number from 1 to 65535."),
        (7890, 70000, "wsl_proxy_relay_port is 70000. Set it to a port, a whole number from 1 to 65535."),
        (
            7890,
            7890,
            "wsl_proxy_port and wsl_proxy_relay_port are both 7890; they must be two different ports, since in "
            "mirrored mode Windows and the distribution share them.",
        ),
    ],
)
def test_impossible_or_equal_ports_are_refused(port, relay, said):
    assert refusals(wsl_proxy_port=port, wsl_proxy_relay_port=relay) == [said]


@pytest.mark.parametrize("entry", ["a,b", "a b", "", "it's", "$(reboot)", "[::1]", "fd00::/8", "*.corp"])
def test_an_entry_of_no_proxy_that_is_no_name_or_address_is_refused(entry):
    assert len(refusals(wsl_proxy_no_proxy=["localhost", entry])) == 1


@pytest.mark.parametrize("entry", ["10.0.0.0/8", ".example.com", "10.1.2.3", "::1", "ollama", "a_b:8080", "*"])
def test_networks_and_domains_are_accepted_in_no_proxy(entry):
    assert refusals(wsl_proxy_no_proxy=[entry]) == []


@pytest.mark.parametrize("address", ["docker0", "10.213.0.1/24", "10.213.0"])
def test_a_docker_address_that_is_no_address_is_refused(address):
    assert len(refusals(wsl_proxy_docker_address=address)) == 1


def test_all_refusals_come_at_once_and_a_distribution_without_systemd_is_told_the_remedy():
    found = refusals(ansible_facts={"service_mgr": "sysvinit"}, wsl_proxy_check_url="google.com")
    assert len(found) == 2
    assert 'In WSL, write "[boot] systemd=true" to /etc/wsl.conf' in found[0]
    assert found[1] == "wsl_proxy_check_url 'google.com' is not an http or https address."


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


@pytest.mark.parametrize(
    ("message", "says"),
    [
        ("[Errno 111] Connection refused", "proxy_host and proxy_port say where it is looked for"),
        (
            "Connection failure: timed out",
            "Let the firewall of the machine with the proxy accept TCP port 7890 from here",
        ),
        ("[Errno -2] Name or service not known", "Set proxy_host to the address of the machine that has the proxy"),
        ("Status code was 407", "asks for a password"),
    ],
)
def test_outside_wsl_no_failure_speaks_of_windows(message, says):
    text = cause(message, "plain")
    assert says in text
    assert "Windows" not in text
    assert "WSL" not in text or "407" in message


def test_who_has_the_relays_port_is_named(facts):
    server = "import socket, time; server = socket.create_server(('127.0.0.1', 0))"
    program = f"{server}; print(server.getsockname()[1], flush=True); time.sleep(60)"
    with subprocess.Popen(["python3", "-c", program], stdout=subprocess.PIPE, text=True) as squatter:
        port = squatter.stdout.readline().strip()
        found = facts("taken", {}, relay=port)
        squatter.kill()
    assert found == [f"taken {port}|python3|{squatter.pid}|"]
    assert facts("taken", {}, relay=port) == []


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ("", '(process 812). Stop it with "sudo kill 812", or set proxy_relay_port ('),
        (
            "x.service",
            '(process 812, x.service). Stop it with "sudo systemctl disable --now x.service", or set proxy_relay_port',
        ),
    ],
)
def test_a_taken_port_is_refused_with_its_owner_and_the_remedy(service, words):
    found = {"stdout_lines": [f"taken 17890|nginx|812|{service}"]}
    (refusal,) = role_value("wsl_proxy", "__wsl_proxy_facts_refusals", __wsl_proxy_facts_read=found)
    assert refusal.startswith(f"Port 17890, which the relay needs, is taken by nginx {words}")
