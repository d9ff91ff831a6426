"""Programs in containers reach themselves and each other past the proxy, as docs/proxy.md says."""

import re
import shlex
from pathlib import Path

import pytest

from tests import python_image

ROOT = Path(__file__).resolve().parents[3]
SERVER = Path(__file__).with_name("a_server_that_asks_itself.py")


def examples(page):
    """Return the commands and the Compose file of the part on servers in containers."""
    text = (ROOT / page).read_text()
    compose = re.search(r"```yaml\n(services:.*?)```", text, re.S)[1]
    commands = re.search(r"```console\n\$ (docker network create .*?)```", text, re.S)[1]
    return re.sub(r"^\$ ", "", commands, flags=re.M), compose


@pytest.fixture(scope="module", autouse=True)
def python(host):
    python_image.install(host)
    host.run("mkdir -p /srv/gradio; printf %s > /srv/gradio/server.py", SERVER.read_text())


def serve(user_run, names, options="", docker="docker"):
    """Start the server in a container, and return what it gets when it asks for itself, line by line."""
    shown = user_run(
        f"{docker} run --rm {options} --volume /srv/gradio:/srv/gradio python:3.13 "
        f"bash -c 'python /srv/gradio/server.py {names}'"
    )
    assert shown.rc == 0, shown.stderr
    return shown.stdout.splitlines()


def test_a_server_like_gradio_reaches_itself(user_run):
    assert serve(user_run, "0.0.0.0 localhost 127.0.0.1") == [
        "0.0.0.0 200 200 200 200",
        "localhost 200 200 200 200",
        "127.0.0.1 200 200 200 200",
    ]


def test_a_server_with_a_hostname_below_internal_reaches_itself_by_its_own_name(user_run):
    assert serve(user_run, "$HOSTNAME", "--hostname web.internal") == ["web.internal 200 200 200 200"]


def test_a_name_that_nobody_listed_goes_to_the_proxy(user_run, requests_during):
    """So the tests above prove something, and its advice is needed."""
    shown = []
    seen = requests_during(
        lambda: shown.append(user_run("docker run --rm python:3.13 curl --silent --max-time 5 http://web:7860/"))
    )
    assert ("proxy", "web") in {(record["via"], record["host"].split(":")[0]) for record in seen}


def test_sudo_docker_has_the_proxy_and_the_same_exceptions(host, user_run, requests_during):
    assert serve(user_run, "0.0.0.0 localhost", docker="sudo docker") == [
        "0.0.0.0 200 200 200 200",
        "localhost 200 200 200 200",
    ]
    page = "http://connectivitycheck.gstatic.com/generate_204"
    dockerfile = f'FROM python:3.13\\nRUN ["curl", "--fail", "{page}"]\\n'
    built = []
    seen = requests_during(
        lambda: built.append(user_run(f"printf '{dockerfile}' | sudo docker build --quiet --no-cache -"))
    )
    assert built[0].rc == 0, built[0].stderr
    assert {(record["via"], record["host"]) for record in seen} == {("proxy", "connectivitycheck.gstatic.com")}


@pytest.mark.parametrize("page", ["docs/proxy.md", "docs/zh-CN/proxy.md"])
def test_two_containers_speak_to_each_other_as_the_page_says(user_run, page):
    commands, _ = examples(page)
    shown = user_run(f"timeout 120 bash -ec {shlex.quote(commands)}")
    user_run("docker rm --force web; docker network rm models")
    assert shown.rc == 0, shown.stderr
    assert "Directory listing" in shown.stdout


@pytest.mark.parametrize("page", ["docs/proxy.md", "docs/zh-CN/proxy.md"])
def test_two_services_of_compose_speak_to_each_other_as_the_page_says(host, user_run, page):
    assert user_run("docker compose version").stdout.startswith("Docker Compose version")
    _, compose = examples(page)
    host.run("install -d -o dev /home/dev/compose; printf %s > /home/dev/compose/compose.yaml", compose)
    shown = user_run("cd compose && timeout 120 docker compose run --rm client")
    user_run("cd compose && docker compose down --timeout 0")
    assert shown.rc == 0, shown.stderr
    assert "Directory listing" in shown.stdout
