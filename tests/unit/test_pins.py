"""pins.json, and the program that brings it up to date, against what the vendors' indexes say."""

import copy
import hashlib
import io
import json
import subprocess
import sys
import urllib.error
from pathlib import Path

import pytest

from tests.unit import loaded
from tests.unit.role_values import role_value

ROOT = Path(__file__).resolve().parents[2]
PINS = json.loads((ROOT / "pins.json").read_text())
NOBLE = "https://releases.ubuntu.com/24.04/SHA256SUMS"
WSL = "https://api.github.com/repos/microsoft/WSL/releases/latest"
CUDA = "https://developer.download.nvidia.com/compute/cuda/redist/"
SHA = "ab" * 32

pins_program = loaded.module("scripts/pins.py")


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    """Return (armoured key, its fingerprint) of a key made for this test."""
    home = tmp_path_factory.mktemp("gnupg")
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-generate-key", "lab", "ed25519", "sign", "never"], check=True, timeout=60)
    listing = subprocess.run(
        [*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True, timeout=60
    )
    fingerprint = next(line.split(":")[9] for line in listing.stdout.splitlines() if line.startswith("fpr:"))
    armoured = subprocess.run([*gpg, "--armor", "--export", fingerprint], check=True, capture_output=True, timeout=60)
    return armoured.stdout, fingerprint


@pytest.fixture
def vendors(key):
    """Return (pins whose keys are the test's, URL -> content) of vendors that have nothing newer."""
    pins = copy.deepcopy(PINS)
    pages = {}
    for pin in [pins["docker_engine"], pins["nvidia_ctk"], *pins["cuda_wsl"].values()]:
        pin["fingerprint"] = key[1]
        pages[pin["url"]] = key[0]
    for name, pin in pins["ubuntu"].items():
        index = f"https://releases.ubuntu.com/{name.removeprefix('Ubuntu-')}/SHA256SUMS"
        image = f"ubuntu-{pin['version']}-wsl-amd64.wsl"
        pages[index] = f"{SHA} *ubuntu-{pin['version']}-desktop-amd64.iso\n{pin['sha256']} *{image}\n".encode()
    pages[WSL] = json.dumps({"tag_name": pins["wsl"]["version"], "assets": []}).encode()
    pages[CUDA] = (
        f"<a href='redistrib_9.9.9.json'></a><a href='redistrib_{pins['cuda_windows']['version']}.json'></a>".encode()
    )
    for pin in [pins["wsl"], pins["cuda_windows"], *pins["ubuntu"].values()]:
        pages[pin["url"]] = b"content"
    return pins, pages


def update(pins, pages, **options):
    """Run the update; return what it says."""

    def open_(url, method):
        if url not in pages:
            raise urllib.error.HTTPError(url, 404, "Not Found", {}, None)
        if isinstance(pages[url], Exception):
            raise pages[url]
        return io.BytesIO(pages[url])

    return pins_program.update(pins, open_, **options)


def test_where_nothing_is_newer_nothing_changes(vendors):
    pins, pages = vendors
    before = copy.deepcopy(pins)
    assert update(pins, pages) == ([], [])
    assert pins == before


def test_a_removed_image_is_named_with_the_newer_one_and_replaced(vendors):
    pins, pages = vendors
    pins["ubuntu"]["Ubuntu-24.04"] |= {
        "version": "24.04.5",
        "url": "https://releases.ubuntu.com/24.04.5/ubuntu-24.04.5-wsl-amd64.wsl",
    }
    pages.pop("https://releases.ubuntu.com/24.04.5/ubuntu-24.04.5-wsl-amd64.wsl", None)
    pages[NOBLE] = f"{SHA} *ubuntu-24.04.6-wsl-amd64.wsl\n".encode()
    assert update(pins, pages) == (["Ubuntu-24.04: 24.04.5 is gone, 24.04.6 is there"], [])
    assert pins["ubuntu"]["Ubuntu-24.04"] == {
        "version": "24.04.6",
        "url": "https://releases.ubuntu.com/24.04.6/ubuntu-24.04.6-wsl-amd64.wsl",
        "sha256": SHA,
    }


def test_a_newer_wsl_has_the_checksum_that_github_names(vendors):
    pins, pages = vendors
    pins["wsl"]["version"] = "3.0.1"
    url = "https://github.com/microsoft/WSL/releases/download/3.1.0/wsl.3.1.0.0.x64.msi"
    other = {"name": "wsl.3.1.0.0.arm64.msi", "digest": "sha256:00", "browser_download_url": "https://github.com/arm"}
    asset = {"name": "wsl.3.1.0.0.x64.msi", "digest": f"sha256:{SHA}", "browser_download_url": url}
    pages[WSL] = json.dumps({"tag_name": "3.1.0", "assets": [other, asset]}).encode()
    assert update(pins, pages) == (["WSL: 3.0.1 is old, 3.1.0 is there"], [])
    assert pins["wsl"] == {"version": "3.1.0", "url": url, "sha256": SHA}


def test_a_newer_cuda_is_fetched_for_its_checksum(vendors):
    pins, pages = vendors
    pins["cuda_windows"] |= {"version": "13.9.2", "url": "https://d/13.9.2/cuda_13.9.2_windows_x86_64.exe"}
    pages["https://d/13.9.2/cuda_13.9.2_windows_x86_64.exe"] = b"old"
    pages[CUDA] = b"redistrib_13.9.2.json redistrib_13.10.0.json redistrib_12.9.1.json"
    pages["https://d/13.10.0/cuda_13.10.0_windows_x86_64.exe"] = b"new"
    assert update(pins, pages) == (["CUDA for Windows: 13.9.2 is old, 13.10.0 is there"], [])
    assert pins["cuda_windows"]["sha256"] == hashlib.sha256(b"new").hexdigest()


def test_what_is_skipped_is_not_fetched(vendors):
    pins, pages = vendors
    before = copy.deepcopy(pins)
    pages[CUDA] = OSError("nobody was to ask")
    assert update(pins, pages, skip=["cuda_windows"]) == ([], [])
    assert pins == before


def test_another_key_is_told_and_never_written(vendors, key):
    pins, pages = vendors
    pinned = pins["docker_engine"]["fingerprint"] = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
    changed, (wrong,) = update(pins, pages)
    assert changed == []
    assert wrong == (
        f"Docker's key: https://download.docker.com/linux/ubuntu/gpg gives {key[1]}, pinned is {pinned}."
        " Ask the vendor whether the key was replaced, then edit pins.json by hand."
    )
    assert pins["docker_engine"]["fingerprint"] == pinned


def test_a_vendor_that_does_not_answer_leaves_the_others_updated(vendors):
    pins, pages = vendors
    pages[WSL] = urllib.error.URLError("Connection refused")
    before = pins["ubuntu"]["Ubuntu-24.04"]["version"]
    pages[NOBLE] = f"{SHA} *ubuntu-24.04.99-wsl-amd64.wsl\n".encode()
    assert update(pins, pages) == (
        [f"Ubuntu-24.04: {before} is old, 24.04.99 is there"],
        [
            f"WSL: {WSL} cannot be read (<urlopen error Connection refused>). Look at the network and https_proxy,"
            " then run again."
        ],
    )


def test_without_a_network_the_program_says_so_and_writes_nothing(tmp_path):
    file = tmp_path / "pins.json"
    file.write_text(json.dumps(PINS))
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "pins.py", "--file", file],
        env={"https_proxy": "http://127.0.0.1:1", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Look at the network and https_proxy, then run again." in done.stdout.splitlines()[0]
    assert json.loads(file.read_text()) == PINS


@pytest.mark.parametrize(
    ("role", "expression", "pin"),
    [
        ("docker_engine", "docker_engine_key_fingerprint", PINS["docker_engine"]["fingerprint"]),
        ("nvidia_ctk", "nvidia_ctk_key_url", PINS["nvidia_ctk"]["url"]),
        ("nvidia_ctk", "nvidia_ctk_key_fingerprint", PINS["nvidia_ctk"]["fingerprint"]),
        ("cuda_windows", "__cuda_windows_url", PINS["cuda_windows"]["url"]),
        ("cuda_windows", "__cuda_windows_checksum", "sha256:" + PINS["cuda_windows"]["sha256"]),
        ("wsl_enable", "wsl_enable_msi_url", PINS["wsl"]["url"]),
        ("wsl_enable", "wsl_enable_msi_sha256", PINS["wsl"]["sha256"]),
        ("wsl_distribution", "__wsl_distribution_image_url", PINS["ubuntu"]["Ubuntu-24.04"]["url"]),
        ("wsl_distribution", "__wsl_distribution_image_sha256", PINS["ubuntu"]["Ubuntu-24.04"]["sha256"]),
    ],
)
def test_roles_use_what_is_pinned(role, expression, pin):
    assert role_value(role, expression) == pin


def test_another_version_has_no_checksum_until_the_user_gives_one():
    assert role_value("wsl_enable", "wsl_enable_msi_sha256", wsl_enable_version="2.7.13") == ""
    assert role_value("cuda_windows", "__cuda_windows_checksum", cuda_windows_version="13.3.0") == ""
