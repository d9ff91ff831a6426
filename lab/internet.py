"""The simulated Windows host's network side: two networks, one container with proxy, name server and origins.

The two modes differ here and nowhere else: in ``lab`` mode the origins' names lead to the container's own servers; in
``real`` mode they do not, the container also joins Docker's ordinary bridge, and the proxy passes through.
"""

from __future__ import annotations

import json
import re
import tarfile
import time
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO

from lab import engine, images
from lab.settings import LABEL, PROXY_PORT, STATE, WINDOWS_NAME, LabError, container, internet_mode, networks

_CONNECT = re.compile(r"^CONNECT\s+(.+?)\.(\d+) \[\d+\]: Connect \(file descriptor (\d+)\): (\S+)")
_REQUEST = re.compile(r"^CONNECT\s+(.+?)\.(\d+) \[\d+\]: Request \(file descriptor (\d+)\): (\S+) (\S+)")


def _ensure_networks() -> None:
    present = engine.docker("network", "ls", "--format", "{{.Name}}").split()
    for network in networks():
        if network["name"] in present:
            continue
        engine.docker(
            "network", "create", "--internal", "--subnet", network["subnet"],
            "--gateway", network["windows"].replace(".254", ".1"), "--label", f"{LABEL}=network", network["name"],
        )  # fmt: skip


def _is_current(image: str) -> bool:
    form = "{{.State.Running}} {{.Config.Image}} " + '{{index .Config.Labels "' + LABEL + '.mode"}}'
    return engine.docker("inspect", "-f", form, container("internet"), check=False).split() == [
        "true",
        image,
        internet_mode(),
    ]


def up() -> None:
    """Start networks and the internet container, unless the right one runs; put the public keys into ``.lab/keys``."""
    image = images.names()["internet"]
    _ensure_networks()
    if not _is_current(image):
        engine.docker("rm", "-f", "-v", container("internet"), check=False)
        first, second = networks()
        options = [
            "--network",
            first["name"],
            "--ip",
            first["windows"],
            "--hostname",
            "internet",
            "-e",
            f"LAB_WINDOWS_NAME={WINDOWS_NAME}",
        ]
        if internet_mode() == "lab":
            hosts = json.loads(
                engine.docker("run", "--rm", "--network", "none", "--entrypoint", "cat", image, "/srv/lab/origins.json")
            )
            options += [word for host in hosts for word in ("--add-host", f"{host}:127.0.0.1")]
        engine.docker(
            "create", "--name", container("internet"), "--label", f"{LABEL}=container",
            "--label", f"{LABEL}.mode={internet_mode()}",
            *options, "-e", f"LAB_INTERNET={internet_mode()}", image,
        )  # fmt: skip
        engine.docker("network", "connect", "--ip", second["windows"], second["name"], container("internet"))
        if internet_mode() == "real":
            engine.docker("network", "connect", "bridge", container("internet"))
        engine.docker("start", container("internet"))
    _publish_keys()
    _wait()


def _publish_keys() -> None:
    keys = STATE / "keys"
    keys.mkdir(parents=True, exist_ok=True)
    data = engine.subprocess.run(
        ["docker", "cp", f"{container('internet')}:/srv/lab/public.tar", "-"], capture_output=True
    ).stdout
    with tarfile.open(fileobj=BytesIO(data)) as outer, tarfile.open(fileobj=outer.extractfile("public.tar")) as inner:
        inner.extractall(keys, filter="data")


def _wait() -> None:
    probe = f"http://127.0.0.1:{PROXY_PORT}"
    for _ in range(40):
        code = engine.docker(
            "exec", container("internet"), "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-x", probe,
            "http://connectivitycheck.gstatic.com/generate_204", check=False,
        )  # fmt: skip
        if code == "204":
            return
        time.sleep(0.25)
    raise LabError(f"The lab's proxy does not answer. See 'docker logs {container('internet')}'.")


def down() -> None:
    """Remove the container and the networks."""
    engine.docker("rm", "-f", "-v", container("internet"), check=False)
    for network in networks():
        engine.docker("network", "rm", network["name"], check=False)


def requests(since: float = 0.0, host: str = "") -> Iterator[dict]:
    """Yield what the proxy and the origins logged, oldest first.

    Each record has time (seconds since the epoch), client (address), via, method, host, path, status and agent. ``via``
    is ``proxy`` for a request that the proxy took (the client is the distribution; the path of https is unknown),
    ``origin`` for the same request where it arrived behind the proxy, and ``direct`` for one without the proxy.

    :param since: leave out what is older, in seconds since the epoch.
    :param host: leave out other hosts; empty for all.
    """
    raw = engine.docker(
        "exec",
        container("internet"),
        "sh",
        "-c",
        "cat /var/log/lab/proxy.log; cat /var/log/lab/origins.jsonl 2>/dev/null",
    )
    records = []
    clients: dict[str, str] = {}
    for line in raw.splitlines():
        if line.startswith("{"):
            record = json.loads(line)
            record["via"] = "origin" if record["client"] == "127.0.0.1" else "direct"
            records.append(record)
        elif found := _CONNECT.match(line):
            clients[found[3]] = found[4]
        elif found := _REQUEST.match(line):
            records.append(_proxy_record(found, clients.get(found[3], "")))
    for record in sorted(records, key=lambda one: one["time"]):
        if record["time"] >= since and host in ("", record["host"]):
            yield record


def _proxy_record(found: re.Match[str], client: str) -> dict:
    year = datetime.now().year
    moment = datetime.strptime(f"{year} {found[1]}", "%Y %b %d %H:%M:%S").timestamp() + int(found[2]) / 1000
    method, target = found[4], found[5]
    where = target.split("//")[-1]
    name, _, path = where.partition("/")
    return {
        "time": moment, "client": client, "via": "proxy", "method": method, "host": name.split(":")[0],
        "path": f"/{path}" if method != "CONNECT" else "", "status": None, "agent": "",
    }  # fmt: skip


def fault(*words: str) -> None:
    """Let something go wrong on the Windows host's side of the network, or end that.

    :param words: ``none``; ``proxy`` and a kind; ``tamper``, a kind and a pattern of files below the origins' folder.
        The kinds are those of ``lab/containers/internet/faults.py``.
    :raises LabError: there is no such fault, or no file of that pattern.
    """
    engine.docker("exec", container("internet"), "python3", "/opt/lab/faults.py", *words)
