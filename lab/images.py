"""Build the lab's images. Each is tagged with a hash of what it is made from, so an unchanged one is never built twice.

Base of the images (environment ``LAB_BASE``):

``archive``
    mmdebstrap makes Debian trixie from the mirror that this Debian machine already uses. No container registry is
    needed. The distribution images then only carry Ubuntu's identity. Default on Debian.
``registry``
    The genuine ``ubuntu:22.04``, ``ubuntu:24.04`` and ``ubuntu:26.04`` from a container registry. Default elsewhere.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab import engine
from lab.settings import IMAGES, LABEL, PROXY_PORT, ROOT, SUITES, LabError

FILES = ROOT / "lab" / "containers"  # what the images are made of, and nothing else
DEBIAN = "trixie"
DOCKER_FROM = "forky"
"""Debian release whose Docker engine is repackaged as Docker CE: the newest that Debian's archive offers."""

DISTRIBUTION_PACKAGES = [
    "apt", "gpg", "gpgv", "gnupg", "systemd", "systemd-sysv", "dbus", "python3", "python3-apt", "sudo", "sudo-rs",
    "ca-certificates", "iproute2", "curl", "iptables", "procps", "lsb-release", "kmod", "passwd", "openssl",
    "libseccomp2", "libpam-systemd", "iputils-ping", "bash-completion", "nano", "less",
]  # fmt: skip
INTERNET_PACKAGES = [
    "apt", "gpg", "gpgv", "gnupg", "openssl", "ca-certificates", "python3", "nginx-light", "tinyproxy", "dnsmasq",
    "docker-registry", "skopeo", "apt-utils", "iproute2", "curl", "busybox-static", "tini", "procps",
]  # fmt: skip
ENGINE_DEBS = ["docker.io", "docker-cli", "containerd", "runc", "docker-buildx", "docker-compose"]
CACHE_DEBS = ["nginx", "nginx-common", "socat", "libwrap0", "docker-registry"]
"""What a cache in the room (role room_cache) installs, with what these need."""
ARCHIVE_DEBS = [
    "pigz", "tini-static", "python3-debian", "python3-chardet", "python3-pip-whl", "python3-setuptools-whl",
    "python3-venv", "python3.13-venv", *CACHE_DEBS,
]  # fmt: skip


def base_kind() -> str:
    """Return ``archive`` or ``registry``: what the images are built from."""
    kind = os.environ.get("LAB_BASE") or ("archive" if _os_release().get("ID") == "debian" else "registry")
    if kind not in ("archive", "registry"):
        raise LabError(f"LAB_BASE={kind!r}: say 'archive' or 'registry'.")
    return kind


def _os_release() -> dict[str, str]:
    path = Path("/etc/os-release")
    lines = path.read_text().splitlines() if path.exists() else []
    return {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}


def debian_mirror() -> str:
    """Return the Debian mirror that this machine's own apt uses (or ``LAB_DEBIAN_MIRROR``)."""
    if os.environ.get("LAB_DEBIAN_MIRROR"):
        return os.environ["LAB_DEBIAN_MIRROR"]
    codename = _os_release().get("VERSION_CODENAME", "")
    targets = engine.run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME)"]) if codename else ""
    for line in targets.splitlines():
        uri, _, release = line.partition(" ")
        if release == codename and uri.rstrip("/").endswith("/debian"):
            return uri.rstrip("/")
    raise LabError(
        "No Debian mirror found in this machine's apt sources. Set LAB_DEBIAN_MIRROR=URL, or LAB_BASE=registry."
    )


def _digest(*parts: object) -> str:
    digest = hashlib.sha256()
    for part in parts:
        files = sorted(part.rglob("*")) if isinstance(part, Path) else []
        for path in (file for file in files if file.is_file() and "__pycache__" not in file.parts):
            digest.update(f"{path.relative_to(FILES)} {path.stat().st_mode & 0o111:o}\n".encode() + path.read_bytes())
        if not isinstance(part, Path):
            digest.update(repr(part).encode())
    return digest.hexdigest()[:12]


def exists(image: str) -> bool:
    """Tell whether the engine has the image."""
    return bool(engine.docker("image", "ls", "-q", image).strip())


def build(tag: str, context: Path, *, network: str = "none", dockerfile: Path | None = None, **arguments: str) -> None:
    """Build one image unless it is there, from a Dockerfile and its build arguments."""
    if exists(tag):
        return
    print(f"lab: building {tag}", flush=True)
    environment = dict(os.environ)
    if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode:
        environment["DOCKER_BUILDKIT"] = "0"
    options = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    file = dockerfile or context / "Dockerfile"
    engine.docker(
        "build", "-q", "--network", network, "--label", f"{LABEL}=image", "-t", tag, "-f", str(file),
        *options, str(context),
        env=environment,
    )  # fmt: skip


def _bootstrap(tag: str, packages: list[str], extra_suite: str = "", downloads: tuple[str, ...] = ()) -> None:
    """Make a base image with mmdebstrap from this machine's own Debian mirror."""
    if exists(tag):
        return
    print(f"lab: building {tag} with mmdebstrap", flush=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    # A frozen mirror has an old index; what this machine's apt accepts is accepted here.
    valid = engine.run(["apt-config", "dump", "--format", "%v", "Acquire::Check-Valid-Until"]).strip() or "true"
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder, "lab.sources")
        suites = f"{DEBIAN} {extra_suite}".strip()
        sources.write_text(
            f"Types: deb\nURIs: {debian_mirror()}\nSuites: {suites}\nComponents: main\nSigned-By: {keyring}\n"
        )
        pin = Path(folder, "pin")
        pin.write_text(f"Package: *\nPin: release n={extra_suite}\nPin-Priority: 50\n" if extra_suite else "")
        hooks = [f'--setup-hook=mkdir -p "$1/etc/apt/preferences.d" && cp {pin} "$1/etc/apt/preferences.d/lab"']
        if downloads:
            hooks.append(
                '--customize-hook=mkdir -p "$1/srv/debs/all" && chroot "$1" sh -c '
                f'"cd /srv/debs/all && apt-get -o APT::Sandbox::User=root download {" ".join(downloads)}"'
            )
        hooks.append('--customize-hook=rm -f "$1/etc/apt/preferences.d/lab"')
        tarball = Path(folder, "base.tar")
        engine.run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(packages)}",
             f'--aptopt=Acquire::Check-Valid-Until "{valid}"', *hooks,
             *[f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")],
             DEBIAN, str(tarball), str(sources)],
        )  # fmt: skip
        engine.docker("import", "--change", f"LABEL {LABEL}=image", str(tarball), tag)


def _archive_bases() -> dict[str, str]:
    distribution = f"{IMAGES}/base:{_digest(DEBIAN, DISTRIBUTION_PACKAGES)}"
    downloads = (*(f"{name}/{DOCKER_FROM}" for name in ENGINE_DEBS), *ARCHIVE_DEBS)
    internet = f"{IMAGES}/internet-base:{_digest(DEBIAN, INTERNET_PACKAGES, downloads, 2)}"
    if not (exists(distribution) and exists(internet)) and not shutil.which("mmdebstrap"):
        engine.apt_install("mmdebstrap", "debian-archive-keyring")  # before the two start; apt takes one at a time
    with ThreadPoolExecutor(2) as pool:
        jobs = [
            pool.submit(_bootstrap, distribution, DISTRIBUTION_PACKAGES),
            pool.submit(_bootstrap, internet, INTERNET_PACKAGES, DOCKER_FROM, downloads),
        ]
        for job in jobs:
            job.result()
    return {**dict.fromkeys(SUITES, distribution), "internet": internet}


def _registry_bases() -> dict[str, str]:
    file = FILES / "registry.Dockerfile"
    bases = {}
    for suite, version in SUITES.items():
        bases[suite] = f"{IMAGES}/base-{suite}:{_digest(DISTRIBUTION_PACKAGES, file.read_text())}"
        # A genuine 26.04 has sudo-rs as its sudo already.
        packages = " ".join(name for name in DISTRIBUTION_PACKAGES if name != "sudo-rs")
        build(
            bases[suite],
            FILES,
            network="host",
            dockerfile=file,
            FROM=f"ubuntu:{version}",
            PACKAGES=packages,
            DOWNLOAD="",
        )
    download = "docker.io containerd runc docker-buildx docker-compose-v2 pigz tini"
    download += " python3-debian python3-chardet python3-pip-whl python3-setuptools-whl python3-venv"
    debs = f"{IMAGES}/debs:{_digest(download, file.read_text())}"
    for suite, version in SUITES.items():
        build(
            f"{debs}-{suite}",
            FILES,
            network="host",
            dockerfile=file,
            FROM=f"ubuntu:{version}",
            PACKAGES="",
            DOWNLOAD=download,
        )
    plain = f"{IMAGES}/internet-plain:{_digest(INTERNET_PACKAGES, file.read_text())}"
    packages = " ".join(INTERNET_PACKAGES)
    build(plain, FILES, network="host", dockerfile=file, FROM="ubuntu:24.04", PACKAGES=packages, DOWNLOAD="")
    joined = FILES / "registry-debs.Dockerfile"
    bases["internet"] = f"{IMAGES}/internet-base:{_digest(plain, debs, joined.read_text())}"
    build(
        bases["internet"],
        FILES,
        dockerfile=joined,
        FROM=plain,
        **{suite.upper(): f"{debs}-{suite}" for suite in SUITES},
    )
    return bases


def names() -> dict[str, str]:
    """Build what is missing and return the image names: ``internet`` and one for each Ubuntu suite.

    One lab of this machine builds, others wait: distributions must know the keys of the internet image of their tag.
    """
    engine.ensure()
    folder = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        return _names()
    finally:
        os.close(folder)


def _names() -> dict[str, str]:
    bases = _archive_bases() if base_kind() == "archive" else _registry_bases()
    internet = f"{IMAGES}/internet:{_digest(bases['internet'], PROXY_PORT, FILES / 'internet')}"
    build(internet, FILES / "internet", BASE=bases["internet"], PROXY_PORT=str(PROXY_PORT))
    images = {"internet": internet}
    for suite, version in SUITES.items():
        images[suite] = f"{IMAGES}/{suite}:{_digest(bases[suite], internet, PROXY_PORT, FILES / 'distribution')}"
        build(
            images[suite],
            FILES / "distribution",
            BASE=bases[suite],
            INTERNET=internet,
            PROXY_PORT=str(PROXY_PORT),
            SUITE=suite,
            VERSION=version,
        )
    return images


def remove_all() -> None:
    """Remove the lab's images; one that another lab still uses stays."""
    listed = engine.docker("image", "ls", "--filter", f"label={LABEL}", "--format", "{{.Repository}}:{{.Tag}}").split()
    for image in [name for name in listed if name.startswith(f"{IMAGES}/")]:
        subprocess.run(["docker", "image", "rm", image], capture_output=True)
