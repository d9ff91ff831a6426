"""The resolver of wsl_proxy: a pure script, run with faked wslinfo, ip and getent."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "roles/wsl_proxy/files/wsl-proxy-upstream"
NAT_ROUTE = "default via 172.30.7.1 dev eth0 proto kernel"


@pytest.fixture
def upstream(tmp_path):
    """Ask the resolver on a machine with this wslinfo, route, set of network devices and names."""

    def upstream(*arguments, wslinfo=None, route=NAT_ROUTE, devices=(), names=None, wsl=True):
        for tool in ("sh", "awk", "bash", "timeout"):
            (tmp_path / tool).symlink_to(shutil.which(tool))
        device = f'case " {" ".join(devices)} " in *" $3 "*) exit 0 ;; *) exit 1 ;; esac'
        fakes = {
            "grep": f"exit {0 if wsl else 1}",
            "ip": f'case "$*" in *route*) echo "{route}" ;; *) {device} ;; esac',
        }
        if wslinfo is not None:
            fakes["wslinfo"] = wslinfo
        known = (f"{name}) printf '{lines}' ;;" for name, lines in (names or {}).items())
        fakes["getent"] = f'[ "$1" = ahosts ] || exit 9; case "$2" in {" ".join(known)} *) exit 2 ;; esac'
        for name, body in fakes.items():
            (tmp_path / name).write_text(f"#!{shutil.which('sh')}\n{body}\n")
            (tmp_path / name).chmod(0o755)
        run = subprocess.run(
            ["sh", SCRIPT, *arguments], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
        )
        return run.returncode, run.stdout, run.stderr

    return upstream


def test_nat_means_the_default_gateway(upstream):
    assert upstream("7890", wslinfo="echo nat") == (0, "172.30.7.1:7890\n", "")


def test_mirrored_means_loopback(upstream):
    assert upstream("7890", wslinfo="echo mirrored") == (0, "127.0.0.1:7890\n", "")


@pytest.mark.parametrize("mode", ["virtioproxy", "consomme"])
def test_with_windows_own_address_windows_is_loopback_and_not_the_router_of_the_lan(upstream, mode):
    assert upstream("7890", wslinfo=f"echo {mode}", devices=["loopback0"]) == (0, "127.0.0.1:7890\n", "")


@pytest.mark.parametrize("mode", ["virtioproxy", "consomme", "a-mode-of-next-year"])
def test_without_a_way_to_windows_the_mode_is_refused_by_its_name(upstream, mode):
    code, out, err = upstream("7890", wslinfo=f"echo {mode}")
    assert (code, out) == (1, "")
    assert f"in networking mode '{mode}' Windows is 127.0.0.1 only with localhostForwarding" in err
    assert "networkingMode=nat or mirrored" in err


def test_without_wslinfo_it_is_nat(upstream):
    assert upstream("7897") == (0, "172.30.7.1:7897\n", "")


def test_a_machine_that_is_not_wsl_has_no_windows_and_its_router_is_not_asked(upstream):
    code, out, err = upstream("7890", wsl=False)
    assert (code, out) == (1, "")
    assert err == (
        "wsl-proxy-upstream: this machine is not WSL, so there is no Windows with the proxy. Set "
        "proxy_host in your settings (without the inventory, wsl_proxy_upstream) to the machine that has the proxy, "
        "127.0.0.1 if it is this one, or proxy_state to absent if there is none.\n"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "192.168.1.9"])
def test_a_machine_that_is_not_wsl_uses_the_proxy_that_it_is_given(upstream, host):
    assert upstream("7890", host, wsl=False) == (0, f"{host}:7890\n", "")


def test_without_wslinfo_the_device_loopback0_tells_mirrored(upstream):
    assert upstream("7890", devices=["loopback0"]) == (0, "127.0.0.1:7890\n", "")


def test_a_wslinfo_that_fails_is_as_good_as_none(upstream):
    answer = upstream("7890", wslinfo="echo 'failed to query' >&2; exit 1", devices=["loopback0"])
    assert answer == (0, "127.0.0.1:7890\n", "")


def test_the_gateway_is_found_wherever_the_route_names_it(upstream):
    assert (
        upstream("7890", route="default proto static via 192.168.65.1 dev eth0 metric 10")[1] == "192.168.65.1:7890\n"
    )


def test_the_first_of_two_default_routes_counts(upstream):
    two = "default via 10.0.0.1 dev eth0\ndefault via 10.0.1.1 dev eth1"
    assert upstream("7890", route=two)[1] == "10.0.0.1:7890\n"


@pytest.mark.parametrize("mode", ["nat", "mirrored", "bridged", "none"])
def test_an_upstream_of_the_users_own_wins_over_every_mode(upstream, mode):
    answer = upstream(
        "7890", "winbox.local", wslinfo=f"echo {mode}", route="", names={"winbox.local": r"10.0.0.9 STREAM\n"}
    )
    assert answer == (0, "10.0.0.9:7890\n", "")


@pytest.mark.parametrize("address", ["fd00::1", "::1", "fe80::42:1"])
def test_an_ipv6_upstream_has_no_brackets_since_socket_proxyd_knows_none(upstream, address):
    assert upstream("7890", address) == (0, f"{address}:7890\n", "")


@pytest.fixture
def listener():
    """Listen on one address of this machine; return the port."""
    with socket.socket() as server:
        server.bind(("127.0.0.7", 0))
        server.listen()
        yield str(server.getsockname()[1])


def test_a_name_becomes_its_address(upstream):
    answer = upstream(
        "7890", "winbox.local", names={"winbox.local": r"10.0.0.9 STREAM winbox.local\n10.0.0.9 DGRAM \n"}
    )
    assert answer == (0, "10.0.0.9:7890\n", "")


def test_of_several_addresses_the_one_that_answers_is_taken(upstream, listener):
    names = {"proxy.lan": r"::1 STREAM proxy.lan\n::1 DGRAM\n127.0.0.6 STREAM\n127.0.0.7 STREAM\n127.0.0.8 STREAM\n"}
    assert upstream(listener, "proxy.lan", names=names) == (0, f"127.0.0.7:{listener}\n", "")


def test_where_no_address_answers_the_first_is_named(upstream):
    names = {"proxy.lan": r"127.0.0.6 STREAM proxy.lan\n127.0.0.8 STREAM\n"}
    assert upstream("1", "proxy.lan", names=names) == (0, "127.0.0.6:1\n", "")


def test_an_unknown_name_is_refused_with_the_remedy(upstream):
    code, out, err = upstream("7890", "winbox.local")
    assert (code, out) == (1, "")
    assert err.startswith("wsl-proxy-upstream: the name winbox.local is unknown here")
    assert "Leave wsl_proxy_upstream empty" in err


def test_a_gateway_that_is_not_there_yet_is_refused_in_one_sentence(upstream):
    assert upstream("7890", route="") == (
        1,
        "",
        "wsl-proxy-upstream: there is no default route (yet), so nobody knows where Windows is.\n",
    )


def test_a_default_route_without_a_gateway_is_refused(upstream):
    assert upstream("7890", route="default dev eth0 scope link")[0] == 1


def test_bridged_mode_is_refused_with_the_remedy(upstream):
    code, out, err = upstream("7890", wslinfo="echo bridged")
    assert (code, out) == (1, "")
    assert "Set wsl_proxy_upstream to its name or address." in err


@pytest.mark.parametrize("mode", ["none", "wsl1"])
def test_a_mode_without_a_network_of_its_own_is_refused_with_the_remedy(upstream, mode):
    code, out, err = upstream("7890", wslinfo=f"echo {mode}")
    assert (code, out) == (1, "")
    assert "Set networkingMode=nat or mirrored in .wslconfig" in err
