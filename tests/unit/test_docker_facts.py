"""What the Docker roles know of a machine: read from a machine's files that are laid out in a folder."""

import json
import os
import pwd
import socket
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from tests.unit import run_module

ME = pwd.getpwuid(os.getuid())
STOCK = "[Service]\nExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock\n"
DROP_INS = "/etc/systemd/system/docker.service.d"
RUN_SOCKET = "unix:///run/docker.sock"


@pytest.fixture
def facts(tmp_path, monkeypatch):
    """Return the script as a module that sees the test's folder as the root, and asks no program."""
    module = run_module.load("docker_facts")
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "ask", lambda *_: None)
    monkeypatch.setattr(module.pwd, "getpwnam", lambda _: ME)
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mounts").write_text("/dev/sdc / ext4 rw 0 0\n")
    return module


def asked(facts, **wanted):
    """Return the module's parameters."""
    return {name: option["default"] for name, option in facts.OPTIONS.items()} | wanted


@pytest.fixture
def write(tmp_path):
    """Return a function that lays out a file."""

    def write(path, content):
        file = tmp_path / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        else:
            file.write_text(content if isinstance(content, str) else json.dumps(content))
        return file

    return write


# -- daemon.json -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "content"),
    [
        (b"", {}),
        (b"\n", {}),
        (b"null", {}),
        (b"\xef\xbb\xbf\n", {}),
        (b'\xef\xbb\xbf{"debug": true}', {"debug": True}),
        (b'{"debug": false, "debug": true}', {"debug": True}),
        (b'{"log-opts": {"a": "1"}, "log-opts": {"b": "2"}}', {"log-opts": {"a": "1", "b": "2"}}),
    ],
)
def test_json_is_read_as_docker_reads_it(facts, write, raw, content):
    write("/etc/docker/daemon.json", raw)
    assert facts.read_json("/etc/docker/daemon.json") == (content, "")


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ('{"a": 1}'.encode("utf-16"), "/etc/docker/daemon.json is UTF-16, as Windows PowerShell writes files"),
        ('{"a": 1}'.encode("utf-16-le"), "/etc/docker/daemon.json is UTF-16"),
        (b'{"a": "\xe4"}', "/etc/docker/daemon.json is not UTF-8 text"),
        (b'{"a": 1,}', "/etc/docker/daemon.json is not valid JSON"),
        (b"[]", "/etc/docker/daemon.json holds a JSON list"),
    ],
)
def test_json_that_is_none_is_named(facts, write, raw, problem):
    write("/etc/docker/daemon.json", raw)
    assert facts.read_json("/etc/docker/daemon.json")[1].startswith(problem)


def test_a_missing_file_has_no_keys_and_no_problem(facts):
    assert facts.read_json("/etc/docker/daemon.json") == ({}, "")


def test_what_the_role_wrote_is_told_from_what_the_user_wrote(facts):
    entries = [
        {"key_path": ["bip"], "after": "172.17.0.1/16"},
        {"key_path": ["log-driver"], "before": "journald", "after": "json-file"},
        {"key_path": ["log-opts", "max-size"], "after": "10m"},
        {"key_path": ["debug"], "after": True},
    ]
    content = {
        "bip": "172.17.0.1/16",
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m"},
        "debug": False,
        "data-root": "/big",
    }
    theirs = {"log-driver": "journald", "debug": False, "data-root": "/big"}
    assert facts.without_ours(content, entries) == theirs
    earlier = [
        {"way": entry["key_path"]} | {name: entry[name] for name in entry if name != "key_path"} for entry in entries
    ]
    assert facts.without_ours(content, earlier) == theirs


# -- how dockerd is started --------------------------------------------------------------------------------------------


def options(facts):
    return [(flag["option"], flag["key"], flag["file"]) for flag in facts.flags()]


def test_a_machine_without_docker_will_have_the_packages_unit(facts):
    assert options(facts)[0] == ("-H fd://", "hosts", "the unit of Docker's package")


def test_a_drop_in_replaces_the_units_line(facts, write):
    write("/usr/lib/systemd/system/docker.service", STOCK)
    write(
        f"{DROP_INS}/10-log.conf", "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --log-driver=journald -D\n"
    )
    assert options(facts) == [
        ("--log-driver=journald", "log-driver", f"{DROP_INS}/10-log.conf"),
        ("-D", "debug", f"{DROP_INS}/10-log.conf"),
    ]


def test_a_drop_in_of_etc_hides_one_of_the_same_name_elsewhere_and_the_last_name_counts(facts, write):
    write("/usr/lib/systemd/system/docker.service", STOCK)
    for folder, driver in (("/usr/lib/systemd/system/docker.service.d", "local"), (DROP_INS, "syslog")):
        write(f"{folder}/50.conf", f"[Service]\nExecStart=\nExecStart=/usr/bin/dockerd --log-driver {driver}\n")
    assert options(facts) == [("--log-driver syslog", "log-driver", f"{DROP_INS}/50.conf")]


def test_options_in_variables_are_found_with_the_file_that_sets_them(facts, write):
    write(
        "/etc/systemd/system/docker.service",
        "[Service]\nEnvironmentFile=-/etc/default/docker\nExecStart=/usr/sbin/dockerd -H fd:// $DOCKER_OPTS $NONE\n",
    )
    write("/etc/default/docker", '# a comment\nDOCKER_OPTS="--bip=192.168.1.1/24 --dns 8.8.8.8"\n')
    assert options(facts)[1:] == [
        ("--bip=192.168.1.1/24", "bip", "/etc/default/docker"),
        ("--dns 8.8.8.8", "dns", "/etc/default/docker"),
    ]


# -- where it listens --------------------------------------------------------------------------------------------------


def test_a_stock_docker_listens_where_its_socket_unit_says(facts, write):
    write("/usr/lib/systemd/system/docker.socket", "[Socket]\nListenStream=/run/docker.sock\n")
    assert facts.listens({}, facts.flags()) == [RUN_SOCKET]


def test_hosts_of_daemon_json_count(facts, write):
    write("/usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n")
    assert facts.listens({"hosts": ["unix:///mnt/wsl/shared/docker.sock"]}, facts.flags()) == [
        "unix:///mnt/wsl/shared/docker.sock"
    ]
    assert facts.listens({}, facts.flags()) == ["unix:///var/run/docker.sock"]


def test_hosts_of_the_inventory_count_before_they_are_written(facts, write, monkeypatch):
    monkeypatch.setattr(facts.pwd, "getpwall", list)
    write("/usr/lib/systemd/system/docker.service", "[Service]\nExecStart=/usr/bin/dockerd\n")
    (Path(facts.ROOT) / "var/lib").mkdir(parents=True)
    found = facts.look(asked(facts, options={"hosts": ["unix:///mnt/wsl/shared/docker.sock"]}))
    assert found["address"] == "unix:///mnt/wsl/shared/docker.sock"
    assert facts.look(asked(facts))["address"] == ""


def test_systemd_and_the_daemon_are_asked_only_where_that_is_wanted(facts, monkeypatch):
    monkeypatch.setattr(facts.pwd, "getpwall", list)
    monkeypatch.setattr(facts, "proxies", lambda state, _: [state.get("ActiveState", "not asked")])
    monkeypatch.setattr(facts, "service", lambda: {"ActiveState": "active"})
    (Path(facts.ROOT) / "var/lib").mkdir(parents=True)
    assert facts.look(asked(facts))["uses"] == ["not asked"]
    assert facts.look(asked(facts, daemon=True))["uses"] == ["active"]


def test_a_daemon_that_never_answers_is_left_after_the_time_limit(facts, tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "SECONDS", 0.2)
    monkeypatch.setattr(facts, "ROOT", "")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        silent.listen()
        begin = time.monotonic()
        assert facts.info(f"unix://{tmp_path}/s") is None
    assert time.monotonic() - begin < 5


def test_an_answering_daemon_tells_its_proxies(facts, tmp_path, monkeypatch):
    monkeypatch.setattr(facts, "ROOT", "")
    body = json.dumps({"HttpProxy": "http://h:1", "HttpsProxy": "http://h:1", "NoProxy": "localhost"})
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()

    def serve():
        peer, _ = server.accept()
        peer.recv(1000)
        peer.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        peer.close()

    threading.Thread(target=serve).start()
    shown = facts.proxies({"ActiveState": "active"}, ["tcp://127.0.0.1:1", f"unix://{tmp_path}/s"])
    server.close()
    assert shown == ["http://h:1", "http://h:1", "localhost"]


def test_a_daemon_that_cannot_be_asked_is_known_by_its_environment(facts, write):
    write("/proc/7/environ", b"HTTP_PROXY=http://me:secret@h:1\0HTTPS_PROXY=http://h:1\0NO_PROXY=localhost\0")
    shown = facts.proxies({"ActiveState": "active", "MainPID": "7"}, ["unix:///nowhere"])
    assert shown == ["http://xxxxx:xxxxx@h:1", "http://h:1", "localhost"]


def test_a_daemon_that_is_not_up_is_not_asked(facts):
    assert facts.proxies({"ActiveState": "inactive"}, [RUN_SOCKET]) == []


def test_a_program_that_hangs_is_left_after_the_time_limit(tmp_path):
    module = run_module.load("docker_facts")
    module.SECONDS = 0.2
    begin = time.monotonic()
    assert module.ask("sh", "-c", "trap '' TERM; sleep 60") is None
    assert time.monotonic() - begin < 20


# -- networks ----------------------------------------------------------------------------------------------------------


def routes(facts, monkeypatch, *pairs):
    shown = json.dumps([{"dst": network, "dev": device} for network, device in pairs])
    monkeypatch.setattr(facts, "ask", lambda *argv: shown if argv[0] == "ip" else None)


@pytest.mark.parametrize(
    ("bip", "network", "device", "found"),
    [
        ("172.17.0.1/16", "172.17.0.0/20", "eth0", ["172.17.0.0/20 of eth0"]),
        ("10.213.0.1/24", "172.17.0.0/20", "eth0", []),
        ("10.213.0.1/24", "10.0.0.0/8", "tun0", ["10.0.0.0/8 of tun0"]),
        ("10.213.0.1/24", "10.213.0.77", "wg0", ["10.213.0.77/32 of wg0"]),
        ("10.213.0.1/24", "10.213.0.0/24", "docker0", []),
        ("10.213.0.1/24", "10.213.0.0/16", "br-1234", ["10.213.0.0/16 of br-1234"]),
        ("10.213.0.1/24", "default", "eth0", []),
        ("10.213.0.1/24", "0.0.0.0/1", "tun0", []),
        ("10.213.0.1/24", "8.0.0.0/5", "tun0", []),
        ("", "172.17.0.0/20", "eth0", []),
    ],
)
def test_docker0_is_compared_with_the_routes_of_other_devices(facts, monkeypatch, bip, network, device, found):
    routes(facts, monkeypatch, ("default", "eth0"), (network, device))
    assert facts.overlaps(bip, None) == (found, "")


def test_an_address_that_is_none_is_named(facts):
    assert "docker0's address '10.213.0/24' is none" in facts.overlaps("10.213.0/24", None)[1]


def test_a_range_outside_of_docker0s_network_is_named(facts, monkeypatch):
    routes(facts, monkeypatch)
    assert "fixed-cidr 192.168.88.0/25" in facts.overlaps("10.213.0.1/24", "192.168.88.0/25")[1]
    assert facts.overlaps("192.168.88.1/24", "192.168.88.0/25") == ([], "")


# -- the users' docker command -----------------------------------------------------------------------------------------

HOME = ME.pw_dir
CLIENT = f"{HOME}/.docker/config.json"


def user(facts, **wanted):
    return facts.user_facts("dev", asked(facts, **wanted), [RUN_SOCKET])


def test_a_user_without_a_folder_for_docker_is_fine(facts):
    assert user(facts)["problems"] == []


def test_a_credential_store_that_is_not_there_is_found_in_any_spelling(facts, write):
    write(CLIENT, {"auths": {}, "credsStore": "desktop.exe"})
    assert user(facts)["dead_stores"] == [["credsStore"]]
    write(CLIENT, {"auths": {}, "CredsStore": "desktop.exe"})
    assert user(facts)["dead_stores"] == [["CredsStore"]]


def test_a_credential_store_that_is_there_stays(facts, write, monkeypatch):
    write(CLIENT, {"credsStore": "pass"})
    monkeypatch.setattr(
        facts, "ask", lambda *argv: "/usr/bin/docker-credential-pass\n" if argv[0] == "runuser" else None
    )
    assert user(facts)["dead_stores"] == []


def test_docker_desktops_helper_on_the_windows_drive_counts(facts, write):
    write(CLIENT, {"credsStore": "desktop.exe"})
    path = "/mnt/c/Program Files/Docker/Docker/resources/bin/docker-credential-desktop.exe"
    write(path, "").chmod(0o755)
    assert user(facts)["dead_stores"] == []


def test_a_helper_for_another_registry_than_docker_hub_stays(facts, write):
    write(CLIENT, {"credHelpers": {"registry.example.com": "desktop.exe"}})
    assert user(facts)["dead_stores"] == []
    write(
        CLIENT, {"credHelpers": {"https://index.docker.io/v1/": "desktop.exe", "registry.example.com": "desktop.exe"}}
    )
    assert user(facts)["dead_stores"] == [["credHelpers", "https://index.docker.io/v1/"]]


def test_a_store_that_was_taken_out_stays_out_until_its_helper_is_back(facts, write):
    write(CLIENT, {"auths": {}})
    write("/var/kept/dev.json", {"keys": [{"key_path": ["credsStore"], "before": "desktop.exe"}]})
    assert user(facts, clients="/var/kept")["dead_stores"] == [["credsStore"]]
    write("/mnt/c/Program Files/Docker/Docker/resources/bin/docker-credential-desktop.exe", "").chmod(0o755)
    back = user(facts, clients="/var/kept")
    assert (back["dead_stores"], back["changes"]) == ([], True)


def test_a_context_that_does_not_exist_is_named(facts, write):
    write(CLIENT, {"currentContext": "desktop-linux"})
    problem = user(facts)["problems"][0]
    assert (
        f'{CLIENT}: "currentContext" leads the docker command of dev to "desktop-linux", which does not exist'
        in problem
    )
    assert 'Take the line with "currentContext" out' in problem


@pytest.mark.parametrize(("host", "fine"), [("unix:///var/run/docker.sock", True), ("tcp://localhost:2375", False)])
def test_a_context_is_judged_by_where_it_leads(facts, write, host, fine):
    write(CLIENT, {"currentContext": "mine"})
    write(
        f"{HOME}/.docker/contexts/meta/{sha256(b'mine').hexdigest()}/meta.json",
        {"Name": "mine", "Endpoints": {"docker": {"Host": host}}},
    )
    problems = user(facts)["problems"]
    assert (problems == []) is fine
    assert fine or f"which is {host} and not the Docker of this machine" in problems[0]


def test_a_folder_that_belongs_to_somebody_else_is_named(facts, write, monkeypatch):
    folder = write(CLIENT, {}).parent
    if os.geteuid() == 0:  # what is root's is repaired
        os.chown(folder, 4712, -1)
    monkeypatch.setattr(facts.pwd, "getpwnam", lambda _: pwd.struct_passwd(("dev", "x", 4711, ME.pw_gid, "", HOME, "")))
    assert f"{HOME}/.docker belongs to " in user(facts)["problems"][0]
    assert f"sudo chown -R dev: {HOME}/.docker" in user(facts)["problems"][0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves what is root's")
def test_what_root_has_left_in_the_users_folder_is_mended_and_what_others_have_is_named(facts, write, monkeypatch):
    dev = pwd.struct_passwd(("dev", "x", 4711, ME.pw_gid, "", HOME, ""))
    monkeypatch.setattr(facts.pwd, "getpwnam", lambda _: dev)
    folder = write(CLIENT, {}).parent
    key = write(f"{HOME}/.docker/buildx/current", "x")
    for path in (folder, folder / "config.json"):
        os.chown(path, 4711, -1)
    assert (user(facts)["problems"], user(facts)["changes"]) == ([], True)  # buildx, and what is in it
    for path in (key, key.parent):
        os.chown(path, 4711, -1)
    assert (user(facts)["problems"], user(facts)["changes"]) == ([], False)
    os.chown(folder / "config.json", 4712, -1)
    assert user(facts)["problems"][0].startswith(f"{CLIENT} belongs to 4712, so the docker command of dev")
    monkeypatch.setattr(facts.pwd, "getpwnam", lambda _: ME)
    assert (user(facts)["problems"], user(facts)["changes"]) == ([], False)  # root himself reads everything


@pytest.mark.skipif(os.geteuid() != 0, reason="only root leaves what is root's")
def test_a_link_to_a_folder_of_root_is_not_given_away_but_named(facts, write, monkeypatch, tmp_path):
    dev = pwd.struct_passwd(("dev", "x", 4711, ME.pw_gid, "", HOME, ""))
    monkeypatch.setattr(facts.pwd, "getpwnam", lambda _: dev)
    elsewhere = write("/etc/elsewhere/config.json", {}).parent
    (tmp_path / HOME.lstrip("/")).mkdir(parents=True)
    (tmp_path / f"{HOME}/.docker".lstrip("/")).symlink_to(elsewhere)
    assert user(facts)["changes"] is False
    assert user(facts)["problems"][0].startswith(f"{HOME}/.docker belongs to root, so the docker command of dev")


def test_a_plugin_that_cannot_be_run_is_named_and_a_link_to_nothing_does_no_harm(facts, write, tmp_path):
    plugin = write(f"{HOME}/.docker/cli-plugins/docker-buildx", "x")
    plugin.chmod(0o644)
    assert f"{HOME}/.docker/cli-plugins/docker-buildx cannot be run" in user(facts)["problems"][0]
    plugin.unlink()
    plugin.symlink_to("/mnt/wsl/docker-desktop/cli-tools/docker-buildx")
    assert user(facts)["problems"] == []


def test_a_config_json_on_a_windows_drive_is_found_by_its_real_path(facts, write, tmp_path):
    write("/proc/self/mounts", "/dev/sdc / ext4 rw 0 0\nC:\\134 /mnt/c 9p rw,aname=drvfs 0 0\n")
    write("/mnt/c/Users/dev/config.json", "{}")
    link = tmp_path / CLIENT.lstrip("/")
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "mnt/c/Users/dev/config.json")
    assert user(facts)["windows"] == "/mnt/c/Users/dev/config.json"


def test_a_key_that_was_taken_out_stays_out(facts, write):
    write("/var/kept/dev.json", {"keys": [{"key_path": ["proxies", "default", "noproxy"], "before": "x"}]})
    found = user(facts, clients="/var/kept")
    assert (found["misspelt"], found["dead_stores"]) == ([["proxies", "default", "noproxy"]], [])


def test_other_spellings_of_our_keys_are_found(facts, write):
    write(
        CLIENT,
        {"proxies": {"default": {"noproxy": "x", "httpProxy": "y", "FTPPROXY": "z"}}, "Proxies": {"default": {}}},
    )
    assert user(facts)["misspelt"] == [["proxies", "default", "noproxy"], ["Proxies", "default"]]


# -- the environment ---------------------------------------------------------------------------------------------------


def environment(facts, monkeypatch, **shell):
    """Return what is found where the user's shell has these variables."""
    monkeypatch.setattr(facts, "environment_of", lambda _: shell)
    return facts.environment("dev", "/home/dev", [RUN_SOCKET])


def test_a_docker_host_in_two_files_is_named_with_files_and_lines(facts, write, monkeypatch):
    write("/home/dev/.bashrc", "# mine\nexport DOCKER_HOST=tcp://localhost:2375\n")
    write("/home/dev/.profile", "export DOCKER_HOST=tcp://localhost:2375\n")
    found = environment(facts, monkeypatch, DOCKER_HOST="tcp://localhost:2375")
    assert found == [
        "DOCKER_HOST leads the docker command of dev away from this machine's Docker (/home/dev/.profile:1: export "
        "DOCKER_HOST=tcp://localhost:2375; /home/dev/.bashrc:2: export DOCKER_HOST=tcp://localhost:2375). Take that "
        "out, and open a new terminal."
    ]


@pytest.mark.parametrize(
    ("path", "line", "name", "value"),
    [
        ("/home/dev/.zshrc", "typeset -x DOCKER_CONTEXT='desktop-linux'", "DOCKER_CONTEXT", "desktop-linux"),
        ("/home/dev/.bash_profile", "A=1; export B=2 DOCKER_TLS_VERIFY=1", "DOCKER_TLS_VERIFY", "1"),
        ("/home/dev/.config/fish/config.fish", "set -gx DOCKER_HOST tcp://h:1", "DOCKER_HOST", "tcp://h:1"),
        ("/etc/profile.d/docker.sh", 'export DOCKER_CONFIG="/srv/docker"', "DOCKER_CONFIG", "/srv/docker"),
        ("/etc/bash.bashrc", "export DOCKER_API_VERSION=1.24", "DOCKER_API_VERSION", "1.24"),
    ],
)
def test_other_variables_and_files_of_that_kind_are_found(facts, write, monkeypatch, path, line, name, value):
    write(path, f"{line}\n")
    found = environment(facts, monkeypatch, **{name: value})
    assert found[0].startswith(f"{name} leads")
    assert f"({path}:1: {line})" in found[0]


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/etc/environment", 'DOCKER_HOST="tcp://localhost:2375"'),
        ("/home/dev/.pam_environment", "DOCKER_HOST DEFAULT=tcp://localhost:2375"),
        ("/home/dev/.config/environment.d/docker.conf", "DOCKER_HOST=tcp://localhost:2375"),
    ],
)
def test_what_a_file_that_is_no_script_says_is_so(facts, write, monkeypatch, path, line):
    write(path, f"{line}\n")
    found = environment(facts, monkeypatch)[0]
    assert f"({path}:1: {line})" in found
    assert f"command of {'dev' if path.startswith('/home/dev') else 'every user'} away from" in found


def test_a_file_that_the_shells_files_read_is_followed(facts, write, monkeypatch):
    write("/home/dev/.bashrc", "[ -f ~/.docker_env ] && . ~/.docker_env\n")
    write("/home/dev/.docker_env", "export DOCKER_HOST=tcp://h:1\n")
    assert "/home/dev/.docker_env:1:" in environment(facts, monkeypatch, DOCKER_HOST="tcp://h:1")[0]


@pytest.mark.parametrize(
    "line",
    [
        "# export DOCKER_HOST=tcp://h:1",
        "echo DOCKER_HOST=tcp://h:1",
        "export DOCKER_HOST=unix:///var/run/docker.sock",
        "export DOCKER_HOST=",
        "export DOCKER_CONTEXT=default",
        "export DOCKER_CONFIG=$HOME/.docker",
        "unset DOCKER_HOST",
        "alias docker='sudo docker'",
    ],
)
def test_what_leads_nowhere_else_is_left_alone(facts, write, monkeypatch, line):
    write("/home/dev/.bashrc", f"{line}\n")
    monkeypatch.setattr(facts, "environment_of", lambda _: None)
    assert facts.environment("dev", "/home/dev", [RUN_SOCKET]) == []


def test_a_line_that_the_users_shell_does_not_carry_out_is_left_alone(facts, write, monkeypatch):
    write("/home/dev/.bashrc", "if [ -e /nope ]; then export DOCKER_HOST=tcp://h:1; fi\n")
    assert environment(facts, monkeypatch, HOME="/home/dev") == []


def test_a_shell_that_does_not_answer_makes_the_line_count(facts, write, monkeypatch):
    write("/home/dev/.bashrc", "export DOCKER_HOST=tcp://h:1\n")
    monkeypatch.setattr(facts, "environment_of", lambda _: None)
    assert len(facts.environment("dev", "/home/dev", [RUN_SOCKET])) == 1


def test_an_alias_to_another_program_is_named(facts, write, monkeypatch):
    write("/home/dev/.bashrc", "alias docker=podman\n")
    assert environment(facts, monkeypatch)[0].startswith("An alias leads the docker command of dev away")


def test_no_shell_is_asked_where_no_file_says_anything(facts, write, monkeypatch):
    write("/home/dev/.bashrc", "export PATH=$PATH:/opt\n")
    monkeypatch.setattr(facts, "environment_of", lambda _: pytest.fail("asked"))
    assert facts.environment("dev", "/home/dev", [RUN_SOCKET]) == []


# -- Docker Desktop ----------------------------------------------------------------------------------------------------


def test_docker_desktop_is_judged_by_what_the_docker_command_is(facts, tmp_path):
    (tmp_path / "mnt/wsl/docker-desktop").mkdir(parents=True)
    assert facts.desktop() == []
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "usr/bin/docker").symlink_to("/mnt/wsl/docker-desktop/cli-tools/usr/bin/docker")
    assert facts.desktop() == [
        "/usr/bin/docker is /mnt/wsl/docker-desktop/cli-tools/usr/bin/docker, which is not there now"
    ]
