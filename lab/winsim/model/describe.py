"""Machine descriptions: small YAML files that say what a PC is and what is on it already."""

from __future__ import annotations

import copy
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import yaml

from lab.winsim.model import cuda, firewall, power, software, terminal, visual_studio, wsl  # noqa: F401 - they register
from lab.winsim.model.blank import MACHINE_ENVIRONMENT, make_profile
from lab.winsim.model.pins import PINS
from lab.winsim.model.system import FirewallRule

if TYPE_CHECKING:
    from lab.winsim.model.pc import Pc

HERE = Path(__file__).parent
MACHINES = HERE.parent / "machines"
CATALOGUE = HERE / "catalogue.yml"

# Every key that a description may have, with the value it has when it is not given.
DEFAULTS: dict[str, Any] = {
    "name": "",
    "summary": "",
    "hostname": "LAB-PC",
    "time_scale": 0.0,
    "reboot": "soft",
    "uptime_hours": 5,
    "windows": {
        "product": "Windows 11",
        "edition": "Professional",
        "build": 26100,
        "ubr": 6899,
        "display_version": "24H2",
        "language": "en-US",
        "timezone": "China Standard Time",
        "utc_offset_hours": 8,
    },
    "hardware": {
        "manufacturer": "LENOVO",
        "model": "90UT",
        "serial": "LAB00001",
        "cpu": "Intel(R) Core(TM) i7-14700",
        "cores": 20,
        "threads": 28,
        "memory_gb": 32,
        "virtualization": True,
    },
    "gpu": {
        "name": "NVIDIA GeForce RTX 4070",
        "compute_capability": "8.9",
        "memory_mb": 12282,
        "driver": "615.36",
        "cuda": "13.4",
    },
    "disks": {"C": {"size_gb": 953, "free_gb": 400}},
    "users": [],
    "network": {
        "mode": "proxy",
        "direct": [],
        "proxy": {
            "address": "127.0.0.1:7890",
            "running": True,
            "reaches": ["*"],
            "listens": "0.0.0.0",
            "program": "C:\\Program Files\\Clash Verge\\verge-mihomo.exe",
        },
        "rate_mbit": 100,
        "addresses": ["192.168.1.20", "fe80::4d2:1c3f:9a6b:1"],
        "excluded_ports": [[5357, 5357], [50000, 50059]],
    },
    "power": {"standby_ac": 1800, "standby_dc": 900, "hibernate_ac": 10800, "hibernate_dc": 10800},
    "signed_in": [],
    "installed": [],
    "features": {},
    "firewall": [],
    "registry": [],
    "files": [],
    "environment": {},
    "catalogue": [],
    "faults": {},
}
_FREE_FORM = {"gpu", "disks", "users", "installed", "features", "firewall", "registry", "files"} | {
    "environment",
    "catalogue",
    "faults",
}


def read(path: Path) -> dict[str, Any]:
    """Read a description (a path, or the name of one in ``machines/``) and complete it with the defaults.

    Raises:
        ValueError: unknown keys.
        OSError: the file can not be read.
    """
    if not path.exists() and (MACHINES / f"{path}.yml").exists():
        path = MACHINES / f"{path}.yml"
    given = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    given.setdefault("name", path.stem)
    return complete(given)


def complete(given: dict[str, Any]) -> dict[str, Any]:
    """A description with every default filled in.

    Raises:
        ValueError: unknown keys.
    """
    merged = _merge(DEFAULTS, given, "")
    if not merged["users"]:
        merged["users"] = [{"name": "student", "groups": ["Administrators", "Users"]}]
    for user in merged["users"]:
        user.setdefault("password", os.environ.get("WINSIM_PASSWORD", "winsim-lab"))
    return merged


def _merge(defaults: dict[str, Any], given: dict[str, Any], where: str) -> dict[str, Any]:
    unknown = set(given) - set(defaults)
    if unknown:
        raise ValueError(f"machine description: unknown keys {sorted(unknown)} {where}".strip())
    out = copy.deepcopy(defaults)
    for key, value in given.items():
        if isinstance(defaults[key], dict) and isinstance(value, dict) and key not in _FREE_FORM:
            out[key] = _merge(defaults[key], value, f"in {key}")
        else:
            out[key] = copy.deepcopy(value)
    return out


@functools.cache
def _catalogue() -> list[dict[str, Any]]:
    return yaml.safe_load(jinja2.Template(CATALOGUE.read_text(encoding="utf-8")).render(PINS))


def connect(machine: Pc) -> None:
    """Set up the network and the catalogue of URLs; done at every start."""
    network, wanted = machine.network, machine.description["network"]
    modes = {"open": ["*"], "proxy": list(wanted["direct"]), "offline": []}
    if wanted["mode"] not in modes:
        raise ValueError(f"network mode {wanted['mode']!r} is none of {sorted(modes)}")
    network.direct = modes[wanted["mode"]]
    proxy = wanted["proxy"]
    if proxy and wanted["mode"] != "offline":
        network.proxies[proxy["address"]] = {
            "running": proxy.get("running", True),
            "reaches": proxy.get("reaches", ["*"]),
            "listens": proxy.get("listens", "0.0.0.0"),
            "program": proxy.get("program", ""),
        }
    network.rate = int(wanted["rate_mbit"] * 125_000)
    network.addresses = list(wanted["addresses"])
    for entry in [*_catalogue(), *machine.description["catalogue"]]:
        entry = dict(entry)
        if "wsl_msi" in entry.get("data", {}):
            entry["data"] = {"msi": wsl.msi_package(entry["data"]["wsl_msi"])}
        network.publish(entry)


def apply(machine: Pc) -> None:
    """Put everything that a description names onto a fresh Windows."""
    description = machine.description
    machine.users.add("Administrator", 500, disabled=True, groups=["Administrators"])
    machine.users.add("Guest", 501, disabled=True, groups=["Guests"])
    for entry in description["users"]:
        fields = dict(entry)
        machine.users.add(fields.pop("name"), fields.pop("rid", None), **fields)
        make_profile(machine, entry["name"])
    for name, data in description["environment"].items():
        machine.registry.set(MACHINE_ENVIRONMENT, name, data)
    for entry in description["registry"]:
        view = machine.registry.view(entry["user"]) if "user" in entry else machine.registry
        view.set(entry["path"], entry["name"], entry["data"], entry.get("type"))
    for entry in description["files"]:
        machine.files.write_text(entry["path"], entry.get("text", ""), parents=True)
    for name, state in description["features"].items():
        feature = machine.features.find(name)
        if feature is None:
            raise ValueError(f"machine description: no feature {name}")
        feature.state = state
        if state.endswith("Pending"):
            machine.need_reboot("component servicing")
    power.install(machine, description["power"])
    for entry in description["firewall"]:
        firewall.add(machine, FirewallRule(**entry))
    machine.extra["signed_in"] = list(description["signed_in"])
    software.install_driver(machine)
    for entry in description["installed"]:
        software.preinstall(machine, dict(entry))
    for letter, disk in description["disks"].items():
        machine.files.set_free(f"{letter}:", int(disk["free_gb"] * 2**30))
    machine.faults.update(copy.deepcopy(description["faults"]))
    machine.events.clear()
    machine.network.requests.clear()


def at_boot(machine: Pc) -> None:
    """What programs do at a boot."""
    machine.extra["signed_in"] = []
    software.at_boot(machine)
