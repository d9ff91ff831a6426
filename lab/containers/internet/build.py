"""Runs while the image is built: keys, certificates, signed apt repositories and container images of the lab's origins.

Nothing of it is fetched here: the packages in /srv/debs were put there with the base image.
"""

import json
import os
import re
import shutil
import subprocess
import tarfile
import time
from pathlib import Path

import standins

SRV = Path("/srv/lab")
KEYS, TLS, WWW, WORK = SRV / "keys", SRV / "tls", SRV / "www", Path("/tmp/lab-build")
SUITES = {"jammy": "22.04", "noble": "24.04", "resolute": "26.04"}
ARCHIVE = re.compile(
    r"pigz|tini-static|python3-(debian|chardet|(pip|setuptools)-whl|venv)|python3\.\d+-venv"
    r"|nginx(-common)?|socat|docker-registry|libwrap0"
)
"""What Ubuntu's archive offers of the packages in /srv/debs."""
COMPONENTS = ("main", "restricted", "universe", "multiverse")
HOSTS = [
    "archive.ubuntu.com",
    "security.ubuntu.com",
    "mirrors.ustc.edu.cn",
    "download.docker.com",
    "developer.download.nvidia.com",
    "developer.download.nvidia.cn",
    "nvidia.github.io",
    "registry-1.docker.io",
    "auth.docker.io",
    "production.cloudflare.docker.com",
    "google.com",
    "www.google.com",
    "connectivitycheck.gstatic.com",
]


def run(*argv: object, **kwargs) -> str:
    """Run a command, return its output, stop the build when it fails."""
    return subprocess.run([str(word) for word in argv], check=True, text=True, stdout=subprocess.PIPE, **kwargs).stdout


def certificates() -> None:
    """Make the lab's authority and one certificate for all origins, with the extensions that strict clients ask for."""
    TLS.mkdir(parents=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    run("openssl", "req", "-x509", *curve, "-days", 3650, "-keyout", TLS / "ca.key", "-out", TLS / "ca.crt",
        "-subj", "/CN=wsl-dl-playbook lab authority (not the real Internet)",
        "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign")  # fmt: skip
    run(
        "openssl",
        "req",
        *curve,
        "-keyout",
        TLS / "origins.key",
        "-out",
        TLS / "origins.csr",
        "-subj",
        "/CN=lab origins",
    )
    names = ",".join(f"DNS:{host}" for host in HOSTS)
    extensions = WORK / "leaf.cnf"
    extensions.write_text(
        f"subjectAltName={names}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
        "extendedKeyUsage=serverAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    )
    run("openssl", "x509", "-req", "-in", TLS / "origins.csr", "-CA", TLS / "ca.crt", "-CAkey", TLS / "ca.key",
        "-CAcreateserial", "-days", 3650, "-extfile", extensions, "-out", TLS / "origins.crt")  # fmt: skip


def signing_key(name: str, digest: str = "SHA512") -> None:
    """Make a signing key; leaves NAME.asc, NAME.gpg and NAME.fingerprint in /srv/lab/keys."""
    user = f"lab {name} archive signing key (not the real one)"
    common = ["gpg", "--batch", "--quiet", "--passphrase", "", "--cert-digest-algo", digest]
    run(*common, "--quick-generate-key", user, "rsa3072", "sign", "never")
    listing = run("gpg", "--batch", "--with-colons", "--list-keys", f"={user}")
    fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
    (KEYS / f"{name}.fingerprint").write_text(fingerprint + "\n")
    (KEYS / f"{name}.asc").write_text(run("gpg", "--batch", "--armor", "--export", fingerprint))
    run("gpg", "--batch", "--yes", "--output", KEYS / f"{name}.gpg", "--export", fingerprint)


def sign(directory: Path, key: str) -> None:
    """Sign DIRECTORY/Release as InRelease and Release.gpg."""
    fingerprint = (KEYS / f"{key}.fingerprint").read_text().strip()
    common = ["gpg", "--batch", "--yes", "--local-user", fingerprint, "--digest-algo", "SHA512"]
    run(*common, "--clearsign", "--output", directory / "InRelease", directory / "Release")
    run(*common, "--armor", "--detach-sign", "--output", directory / "Release.gpg", directory / "Release")


def index(root: Path, pool: str, target: Path) -> None:
    """Write Packages and Packages.gz for the packages under ROOT/POOL."""
    target.mkdir(parents=True, exist_ok=True)
    packages = run("apt-ftparchive", "packages", pool, cwd=root) if (root / pool).is_dir() else ""
    (target / "Packages").write_text(packages)
    run("gzip", "-9kf", target / "Packages")


def release(directory: Path, key: str, **fields: str) -> None:
    """Write and sign the Release file of one suite or flat repository."""
    options = [word for name, value in fields.items() for word in ("-o", f"APT::FTPArchive::Release::{name}={value}")]
    (directory / "Release").write_text(run("apt-ftparchive", *options, "release", ".", cwd=directory))
    sign(directory, key)


def ubuntu() -> None:
    """Ubuntu's archive: four pockets for each suite, four components, a few packages."""
    root = WWW / "ubuntu"
    for suite, version in SUITES.items():
        pool = root / "pool" / suite
        pool.mkdir(parents=True)
        for deb in standins.debs_of(suite):
            if ARCHIVE.fullmatch(deb.name.split("_")[0]):
                shutil.copy(deb, pool)
        for package in standins.UBUNTU:
            standins.build(package, pool, version=package["version"])
        for pocket in ("", "-updates", "-security", "-backports"):
            dist = root / "dists" / f"{suite}{pocket}"
            for component in COMPONENTS:
                source = f"pool/{suite}" if component == "main" and not pocket else "pool/none"
                index(root, source, dist / component / "binary-amd64")
            release(dist, "ubuntu", Origin="Ubuntu", Label="Ubuntu", Suite=dist.name, Version=version,
                    Codename=suite, Architectures="amd64", Components=" ".join(COMPONENTS))  # fmt: skip


def docker() -> None:
    """Docker's repository, from the distribution's engine repackaged under Docker's names."""
    root = WWW / "docker"
    for suite, version in SUITES.items():
        pool = root / "dists" / suite / "pool" / "stable" / "amd64"
        pool.mkdir(parents=True)
        standins.docker_packages(suite, version, pool)
        index(root, f"dists/{suite}/pool/stable/amd64", root / "dists" / suite / "stable" / "binary-amd64")
        release(root / "dists" / suite, "docker", Origin="Docker", Label="Docker CE", Suite=suite, Codename=suite,
                Architectures="amd64", Components="stable")  # fmt: skip
    shutil.copy(KEYS / "docker.asc", root / "gpg")


def flat(root: Path, key: str, packages: list[dict], origin: str) -> None:
    """Write a flat repository with the given stand-in packages."""
    root.mkdir(parents=True)
    for package in packages:
        standins.build(package, root, version=package["version"])
    index(root, ".", root)
    release(root, key, Origin=origin, Label=origin, Architectures="amd64")


def registry() -> None:
    """Fill the registry that stands for Docker Hub."""
    server = subprocess.Popen(["docker-registry", "serve", "/opt/lab/registry.yml"], stderr=subprocess.DEVNULL)
    try:
        torch = [standins.system_layer(WORK / "system.tar"), standins.layer(standins.pytorch(KEYS, TLS))]
        small = [(name, [standins.layer(files)], config) for name, files, config in standins.images()]
        for name, layers, config in [*small, (standins.PYTORCH, torch, standins.PYTORCH_CONFIG)]:
            archive = WORK / "image.tar"
            standins.docker_archive(archive, name, layers, config)
            for _ in range(20):
                target = f"docker://127.0.0.1:5000/{name if '/' in name else 'library/' + name}"
                copy = ["skopeo", "copy", "--quiet", "--insecure-policy", "--dest-tls-verify=false"]
                if subprocess.run([*copy, f"docker-archive:{archive}", target]).returncode == 0:
                    break
                time.sleep(0.5)
            else:
                raise SystemExit(f"cannot push {name}")
    finally:
        server.terminate()


def pypi() -> None:
    """Python's package index, as a mirror serves it: a page and a wheel for each name."""
    for name in standins.PYTHON:
        folder = WWW / "pypi" / "simple" / name
        folder.mkdir(parents=True)
        wheel = standins.wheel(name, folder)
        (folder / "index.html").write_text(f'<!DOCTYPE html><a href="{wheel.name}">{wheel.name}</a>\n')


def main() -> None:
    """Build everything."""
    os.environ["GNUPGHOME"] = str(SRV / "gnupg")  # stays in the image: a fault signs with it (faults.py)
    (SRV / "gnupg").mkdir(parents=True, mode=0o700)
    WORK.mkdir()
    KEYS.mkdir(parents=True)
    for name in ("ubuntu", "docker", "ubuntu2604", "nvidia"):
        signing_key(name)
    signing_key("cuda", "SHA1")  # as the real one for wsl-ubuntu: sqv, which apt uses from 26.04 on, refuses it
    certificates()
    ubuntu()
    docker()
    flat(WWW / "cuda", "cuda", standins.CUDA, "NVIDIA CUDA")
    shutil.copy(KEYS / "cuda.asc", WWW / "cuda" / "3bf863cc.pub")
    standins.build(standins.cuda_keyring(KEYS / "cuda.gpg", "wsl-ubuntu"), WWW / "cuda", version="1.1-1")
    flat(WWW / "ubuntu2604", "ubuntu2604", standins.CUDA, "NVIDIA CUDA")
    shutil.copy(KEYS / "ubuntu2604.asc", WWW / "ubuntu2604" / "60DF8A40.pub")
    standins.build(standins.cuda_keyring(KEYS / "ubuntu2604.gpg", "ubuntu2604"), WWW / "ubuntu2604", version="1.1-1")
    stable = WWW / "nvidia" / "stable" / "deb"
    flat(stable / "amd64", "nvidia", standins.NVIDIA, "nvidia.github.io")
    shutil.copy(KEYS / "nvidia.asc", WWW / "nvidia" / "gpgkey")
    line = "deb https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH) /\n"
    (stable / "nvidia-container-toolkit.list").write_text(line)
    pypi()
    registry()
    (SRV / "origins.json").write_text(json.dumps(HOSTS))
    with tarfile.open(SRV / "public.tar", "w") as archive:
        for path in (*KEYS.glob("*.asc"), *KEYS.glob("*.gpg"), *KEYS.glob("*.fingerprint"), TLS / "ca.crt"):
            archive.add(path, path.name)
    shutil.rmtree(WORK)


main()
