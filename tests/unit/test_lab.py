"""The lab's own logic, without a container engine."""

from __future__ import annotations

import ast
import graphlib
import re
from pathlib import Path

import pytest
import yaml

from lab import cli, engine, images, internet, settings
from lab.winsim.model import describe

CODE = ("", ".py", ".conf", ".service", ".socket")

LOG = """\
CONNECT   Nov 23 18:02:26.329 [11]: Connect (file descriptor 5): 172.30.98.2
CONNECT   Nov 23 18:02:26.330 [11]: Request (file descriptor 5): GET http://archive.ubuntu.com/ubuntu/dists/noble/InRelease HTTP/1.1
INFO      Nov 23 18:02:26.331 [11]: No upstream proxy for archive.ubuntu.com
CONNECT   Nov 23 18:02:26.400 [11]: Connect (file descriptor 6): 172.30.98.3
CONNECT   Nov 23 18:02:26.401 [11]: Request (file descriptor 6): CONNECT download.docker.com:443 HTTP/1.1
CONNECT   Nov 23 18:02:26.500 [11]: Connect (file descriptor 5): 172.30.98.4
CONNECT   Nov 23 18:02:26.501 [11]: Request (file descriptor 5): GET http://google.com/ HTTP/1.1
{"time":4102444800.5,"client":"127.0.0.1","method":"GET","host":"download.docker.com","path":"/linux/ubuntu/gpg","status":200,"bytes":1,"agent":"x"}
{"time":4102444801.5,"client":"172.30.98.2","method":"GET","host":"mirrors.ustc.edu.cn","path":"/ubuntu/","status":200,"bytes":1,"agent":"apt"}
"""  # noqa: E501


@pytest.fixture
def log(monkeypatch):
    monkeypatch.setattr(internet.engine, "docker", lambda *_args, **_kwargs: LOG)


def test_a_request_is_told_with_its_client_even_when_connections_reuse_a_descriptor(log):
    seen = [(one["via"], one["client"], one["host"]) for one in internet.requests() if one["via"] == "proxy"]
    assert seen == [
        ("proxy", "172.30.98.2", "archive.ubuntu.com"),
        ("proxy", "172.30.98.3", "download.docker.com"),
        ("proxy", "172.30.98.4", "google.com"),
    ]


def test_what_did_not_use_the_proxy_is_direct(log):
    (record,) = internet.requests(host="mirrors.ustc.edu.cn")
    assert (record["via"], record["client"], record["path"]) == ("direct", "172.30.98.2", "/ubuntu/")


def test_older_requests_are_left_out(log):
    assert [one["host"] for one in internet.requests(since=4102444801.0)] == ["mirrors.ustc.edu.cn"]


def test_port_and_addresses_stand_in_the_settings_only():
    files = [path for path in (settings.ROOT / "lab").rglob("*") if path.is_file() and path.suffix in CODE]
    found = {path.name for path in files if re.search(r"7890|172\.30\.", path.read_text(encoding="utf-8"))}
    assert found == {"settings.py", "describe.py"}  # the second: winsim's own default, which knows nothing of the lab


def test_the_simulated_pcs_and_the_inventory_have_the_port_of_the_lab():
    assert describe.DEFAULTS["network"]["proxy"]["address"] == f"127.0.0.1:{settings.PROXY_PORT}"
    shared = (settings.ROOT / "inventory/group_vars/all/proxy.yml").read_text(encoding="utf-8")
    assert yaml.safe_load(shared)["proxy_port"] == settings.PROXY_PORT


def test_the_two_networks_differ_and_windows_is_the_gateway_of_both(monkeypatch):
    monkeypatch.delenv("LAB_ID", raising=False)
    first, second = settings.networks()
    assert (first["name"], second["name"]) == ("wdl-net-a", "wdl-net-b")
    assert first["subnet"] != second["subnet"]
    assert first["windows"].endswith(".254") and second["windows"].endswith(".254")


@pytest.mark.parametrize("name", ["UPPER", "a-b", "1a", "abcdefghijklm"])
def test_a_name_that_no_container_can_have_is_refused(monkeypatch, name):
    monkeypatch.setenv("LAB_ID", name)
    with pytest.raises(settings.LabError, match="Use 1 to 12 lower-case letters and digits"):
        settings.lab_id()


@pytest.mark.parametrize(
    ("variable", "call"), [("LAB_INTERNET", settings.internet_mode), ("LAB_BASE", images.base_kind)]
)
def test_an_unknown_mode_is_refused(monkeypatch, variable, call):
    monkeypatch.setenv(variable, "fake")
    with pytest.raises(settings.LabError, match=f"{variable}='fake'"):
        call()


def test_the_images_change_their_name_with_a_file_they_are_made_from(tmp_path, monkeypatch):
    monkeypatch.setattr(images, "FILES", tmp_path)
    (tmp_path / "file").write_text("one")
    before = images._digest(tmp_path)
    (tmp_path / "file").write_text("two")
    assert images._digest(tmp_path) != before


def test_the_host_s_own_code_is_in_no_image():
    hosts = [Path(module.__file__) for module in (cli, engine, images, internet, settings)]
    assert [path for path in hosts if path.is_relative_to(images.FILES)] == []
    assert sorted(path.name for path in images.FILES.rglob("__init__.py")) == []


def test_a_machine_without_an_engine_is_told_what_to_install_in_one_line(monkeypatch):
    monkeypatch.setattr(engine, "answers", lambda: False)
    monkeypatch.setattr(engine.shutil, "which", lambda _name: None)
    monkeypatch.setattr(engine.os, "geteuid", lambda: 1000)
    with pytest.raises(
        settings.LabError, match="^No Docker engine answers. Install one .*apt install docker.io"
    ) as error:
        engine.ensure()
    assert len(str(error.value).splitlines()) == 1


def test_a_failing_command_is_shown_with_its_last_words():
    with pytest.raises(settings.LabError, match="failed with code 3:\nthe last words"):
        engine.run(["sh", "-c", "echo the last words >&2; exit 3"])


def test_the_command_line_refuses_an_unknown_verb(capsys):
    with pytest.raises(SystemExit):
        cli.parser().parse_args(["explode"])
    assert "invalid choice" in capsys.readouterr().err


def test_labs_that_a_killed_campaign_left_are_found(monkeypatch):
    listed = {
        "ps": "mine-internet\nminef0-internet\nminef0-faults-3\nother-x\n",
        "network": "minef0-net-a\nminef11-net-b\nminefx-net-a\nyminef2-net-a\n",
    }
    monkeypatch.setenv("LAB_ID", "mine")
    monkeypatch.setattr(cli.engine, "docker", lambda *argv, **_options: listed[argv[0]])
    assert cli._left_by_campaigns() == ["minef0", "minef11"]


def test_no_module_of_the_lab_imports_itself_by_way_of_another():
    files = {
        ".".join(path.relative_to(settings.ROOT).with_suffix("").parts): path
        for path in settings.ROOT.glob("lab/**/*.py")
    }
    graph = {}
    for name, path in files.items():
        imported = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        names = {f"{one.module}.{alias.name}" for one in imported for alias in one.names} | {
            one.module for one in imported
        }
        graph[name] = names & set(files)
    graphlib.TopologicalSorter(graph).prepare()  # a CycleError names the circle


def test_the_simulated_pc_knows_nothing_of_the_rest_of_the_lab():
    words = re.compile(r"(?m)^\s*(?:from|import) (lab\b(?!\.winsim)\S*)")
    paths = (settings.ROOT / "lab/winsim").rglob("*.py")
    assert {path.name: found for path in paths if (found := words.findall(path.read_text()))} == {}
