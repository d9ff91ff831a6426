"""One machine fetches for all: files from the disk, packages and images once, as they are asked for."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

CACHE = "http://cache.lab:8780"
FILE = "/mirrors.ustc.edu.cn/docker-ce/linux/ubuntu/gpg"
DOCKER = "/download.docker.com/linux/ubuntu/dists/noble"
CURL = "curl --silent --fail --user-agent {agent} --output /dev/null"


def reached_the_vendor(agent, host, command):
    """Return the bytes of each answer that a vendor gave while the command ran, whose requests carry the name."""
    start = time.time() - 0.01
    host.check_output(command)
    argv = [sys.executable, "-m", "lab", "requests", "--since", str(start)]
    root = Path(__file__).resolve().parents[3]
    lines = subprocess.run(argv, cwd=root, check=True, capture_output=True, text=True).stdout.splitlines()
    return [
        record["bytes"] for record in map(json.loads, lines) if record["via"] == "origin" and record["agent"] == agent
    ]


def size_of(host, package):
    shown = host.check_output(
        f"curl -s {CACHE}{DOCKER}/stable/binary-amd64/Packages.gz | zcat | grep -A99 '^Package: {package}$'"
    )
    fields = dict(line.partition(": ")[::2] for line in shown.split("\n\n")[0].splitlines())
    return f"/download.docker.com/linux/ubuntu/{fields['Filename']}", int(fields["Size"])


def test_a_vendors_file_comes_from_the_disk_also_in_parts(host, requests_during):
    said = []
    form = "--write-out '%{http_code} %{size_download}'"
    asked = [f"curl -s -o /dev/null {form} {part} {CACHE}{FILE}" for part in ("", "--range 100-199", "--range 200-")]
    requests = requests_during(lambda: said.extend(host.check_output(command) for command in asked))
    size = host.file(f"/var/cache/room-cache-files{FILE}").size
    assert said == [f"200 {size}", "206 100", f"206 {size - 200}"]
    assert requests == []


def test_a_package_is_fetched_once_also_by_three_who_ask_at_once(host):
    path, size = size_of(host, "containerd.io")
    curl = CURL.format(agent="at-once")
    at_once = f"for one in 1 2 3; do {curl} {CACHE}{path} & done; wait"
    assert size > 16 * 2**20  # three pieces at least
    assert sum(reached_the_vendor("at-once", host, at_once)) == size
    assert reached_the_vendor("again", host, f"{CURL.format(agent='again')} --range 1000- {CACHE}{path}") == []


def test_an_index_is_asked_for_again_and_not_fetched(host):
    curl = CURL.format(agent="index")
    first = reached_the_vendor("index", host, f"{curl} {CACHE}{DOCKER}/InRelease; {curl} {CACHE}{DOCKER}/InRelease")
    assert (len(first), first[0] > 1000) == (1, True)


def test_what_is_no_repository_is_not_fetched(host, requests_during):
    said = []
    command = f"curl -s -o /dev/null --write-out '%{{http_code}}' {CACHE}/www.google.com/index.html"
    assert requests_during(lambda: said.append(host.check_output(command))) == []
    assert said == ["404"]


def test_an_image_is_fetched_once(host, requests_during):
    accept = "--header 'Accept: application/vnd.docker.distribution.manifest.v2+json'"
    manifest = json.loads(host.check_output(f"curl -s {accept} {CACHE}/v2/library/ubuntu/manifests/24.04"))
    digest = manifest["layers"][0]["digest"]
    fetch = f"curl -s --fail -o /tmp/layer {CACHE}/v2/library/ubuntu/blobs/{digest}"
    host.check_output(fetch)
    assert requests_during(lambda: host.check_output(fetch)) == []
    assert host.check_output("sha256sum /tmp/layer").split()[0] == digest.removeprefix("sha256:")


def test_only_nginx_listens_on_the_network(host):
    listeners = {line.split()[3] for line in host.check_output("ss -Hltn").splitlines() if ":878" in line}
    assert listeners == {"0.0.0.0:8780", "127.0.0.1:8781"}


def test_the_services_of_the_packages_are_off_and_no_process_is_root(host):
    units = [host.service(name) for name in ("nginx", "docker-registry")]
    assert [unit.is_enabled or unit.is_running for unit in units] == [False, False]
    users = host.check_output("ps -C nginx,socat,docker-registry -o user=").split()
    assert (len(users) >= 7, "root" in users) == (True, False)
