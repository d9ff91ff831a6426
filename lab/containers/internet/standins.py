"""The packages and images that the lab's origins offer in place of the vendors'.

Docker's packages end in the real engine of Debian or Ubuntu. NVIDIA's are stand-ins: scripts that behave towards
dockerd, systemd and the user as the real ones do (configured or not, adapter there or not), and compute nothing.
"""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

HERE = Path(__file__).parent
DEBS = Path("/srv/debs")
NOTE = "Stand-in of the wsl-dl-playbook lab; not the vendor's software."

# ---------------------------------------------------------------------------------------------------- Debian packages


def debs_of(suite: str) -> list[Path]:
    """Return the downloaded packages for an Ubuntu suite (``/srv/debs/SUITE``, else ``/srv/debs/all``)."""
    folder = DEBS / suite
    return sorted((folder if folder.is_dir() else DEBS / "all").glob("*.deb"))


def build(package: dict, pool: Path, version: str, content: Path | None = None) -> None:
    """Write one .deb into POOL.

    ``package``: name; optional depends, conflicts, provides, replaces, recommends, arch, files {path: (mode, text or
    bytes or None for a folder) or (None, target of a link)}, scripts {postinst, prerm, …},
    conffiles. ``content``: a folder with more files.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        if content:
            shutil.copytree(content, root, symlinks=True)
        for path, (mode, data) in package.get("files", {}).items():
            target = root / path.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            if data is None:
                target.mkdir(exist_ok=True)
            elif mode is None:
                target.symlink_to(data)
                continue
            elif isinstance(data, Path):
                shutil.copy(data, target)
            else:
                target.write_bytes(data.encode() if isinstance(data, str) else data)
            target.chmod(mode)
        control = root / "DEBIAN"
        control.mkdir(parents=True)
        fields = {
            "Package": package["name"], "Version": version, "Architecture": package.get("arch", "amd64"),
            "Maintainer": "wsl-dl-playbook lab <lab@invalid>", "Section": "misc", "Priority": "optional",
        }  # fmt: skip
        for key in ("depends", "recommends", "conflicts", "breaks", "replaces", "provides"):
            if package.get(key):
                fields[key.capitalize()] = package[key].replace("{version}", version)
        fields["Description"] = f"{package['name']}\n {NOTE}"
        (control / "control").write_text("".join(f"{key}: {value}\n" for key, value in fields.items()))
        for name, text in package.get("scripts", {}).items():
            (control / name).write_text(f"#!/bin/sh\nset -e\n{text}\n")
            (control / name).chmod(0o755)
        if package.get("conffiles"):
            (control / "conffiles").write_text("".join(f"{path}\n" for path in package["conffiles"]))
        name = f"{package['name']}_{version.split(':')[-1]}_{fields['Architecture']}.deb"
        command = ["dpkg-deb", "--root-owner-group", "-Zzstd", "-z3", "--build", str(root), str(pool / name)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def _meta(name: str, version: str, depends: str = "", **more: str) -> dict:
    return {"name": name, "version": version, "depends": depends, **more}


def _tool(name: str, version: str, path: str) -> dict:
    return {"name": name, "version": version, "files": {path: (0o755, f"#!/bin/sh\necho '{name}: {NOTE}'\n")}}


# The driver that Ubuntu's archive offers. Where it is installed, its kernel module "is loaded": the device is there.
_DRIVER = "550.163.01"
_DRIVER_FOLDER = "/usr/lib/x86_64-linux-gnu"
_KERNEL_MODULE = """if [ "$1" = configure ]; then
  mkdir -p "/lib/modules/$(uname -r)"
  echo updates/dkms/nvidia.ko: >>"/lib/modules/$(uname -r)/modules.dep"
  for device in nvidia0 nvidiactl nvidia-uvm nvidia-uvm-tools; do
    [ -e "/dev/$device" ] || mknod -m 666 "/dev/$device" c 1 3
  done
fi"""
_NO_KERNEL_MODULE = """if [ "$1" = remove ]; then
  rm -f /dev/nvidia0 /dev/nvidiactl /dev/nvidia-uvm /dev/nvidia-uvm-tools "/lib/modules/$(uname -r)/modules.dep"
fi"""
_UBUNTU_DRIVERS = f"""#!/bin/sh
# {NOTE}
case "$*" in
  install | "install --gpgpu") exec apt-get install --yes nvidia-driver-550 ;;
  *) echo "ubuntu-drivers: lab stand-in does not know: $*" >&2; exit 2 ;;
esac
"""


def _ubuntu_driver() -> list[dict]:
    version, major = f"{_DRIVER}-0ubuntu1", _DRIVER.partition(".")[0]
    libraries = {}
    for name in ("libcuda", "libnvidia-ml", "libnvidia-ptxjitcompiler"):
        libraries[f"{_DRIVER_FOLDER}/{name}.so.{_DRIVER}"] = (0o644, NOTE + "\n")
        libraries[f"{_DRIVER_FOLDER}/{name}.so.1"] = (None, f"{name}.so.{_DRIVER}")
    return [
        {"name": f"libnvidia-compute-{major}", "version": version, "files": libraries},
        {
            "name": f"nvidia-utils-{major}", "version": version, "depends": f"libnvidia-compute-{major}",
            "files": {"/usr/bin/nvidia-smi": (0o755, HERE / "nvidia" / "nvidia-smi")},
        },
        {
            "name": f"nvidia-dkms-{major}", "version": version,
            "files": {f"/usr/src/nvidia-{_DRIVER}/dkms.conf": (0o644, f"# {NOTE}\n")},
            "scripts": {"postinst": _KERNEL_MODULE, "postrm": _NO_KERNEL_MODULE},
        },
        _meta(f"nvidia-driver-{major}", version, f"nvidia-dkms-{major}, nvidia-utils-{major}"),
        {
            "name": "ubuntu-drivers-common", "version": "1:0.9.7.6ubuntu3",
            "files": {"/usr/bin/ubuntu-drivers": (0o755, _UBUNTU_DRIVERS)},
        },
    ]  # fmt: skip


# What Ubuntu's archive offers beyond the real packages: the ones that conflict with Docker's, and the GPU's driver.
UBUNTU = [
    _tool("docker.io", "27.5.1-0ubuntu3", "/usr/bin/docker"),
    # Ubuntu's plugins own the files of Docker's.
    _tool("docker-buildx", "0.20.1-0ubuntu1", "/usr/libexec/docker/cli-plugins/docker-buildx"),
    _tool("docker-compose", "1.29.2-6", "/usr/bin/docker-compose"),
    _tool("docker-compose-v2", "2.33.0-0ubuntu1", "/usr/libexec/docker/cli-plugins/docker-compose"),
    _tool("docker-doc", "27.5.1-0ubuntu3", "/usr/share/docker-doc/README"),
    _tool("podman-docker", "4.9.3-0ubuntu1", "/usr/bin/docker-podman"),
    _tool("containerd", "1.7.24-0ubuntu1", "/usr/bin/containerd-ubuntu"),
    _tool("runc", "1.2.5-0ubuntu1", "/usr/sbin/runc-ubuntu"),
    *_ubuntu_driver(),
    # What a dev container installs and the lab's machines lack. Other packages break with old versions of some.
    *(
        _tool(name, "99", f"/usr/bin/{name}")
        for name in ("git", "gdb", "vim", "wget", "tmux", "zip", "cmake", "ffmpeg", "libsm6", "libxext6")
    ),
]
PYTHON = ["einops", "h5py", "matplotlib", "ninja", "scipy", "tensorboard", "tqdm"]
"""What Python's package index offers."""

# ------------------------------------------------------------------------------------------------------------- Docker

_DOCKER_SERVICE = """[Unit]
Description=Docker Application Container Engine
Documentation=https://docs.docker.com
After=network-online.target nss-lookup.target docker.socket containerd.service time-set.target
Wants=network-online.target containerd.service
Requires=docker.socket
StartLimitBurst=3
StartLimitIntervalSec=60

[Service]
Type=notify
ExecStart=/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock
ExecReload=/bin/kill -s HUP $MAINPID
TimeoutStartSec=0
RestartSec=2
Restart=always
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
Delegate=yes
KillMode=process
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
"""
_DOCKER_SOCKET = """[Unit]
Description=Docker Socket for the API

[Socket]
ListenStream=/run/docker.sock
SocketMode=0660
SocketUser=root
SocketGroup=docker

[Install]
WantedBy=sockets.target
"""
_CONTAINERD_SERVICE = """[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target dbus.service

[Service]
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
OOMScoreAdjust=-999

[Install]
WantedBy=multi-user.target
"""
_CONTAINERD_CONFIG = (
    '# Stand-in for the file that containerd.io ships.\nversion = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
)


def _service_scripts(*units: str, before: str = "") -> dict[str, str]:
    """Return maintainer scripts that enable and start units after installation and stop them before removal."""
    names = " ".join(units)
    return {
        "postinst": f"""{before}
if [ "$1" = configure ]; then
  systemctl enable {names} >/dev/null 2>&1 || true
  if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    if [ -z "$2" ]; then deb-systemd-invoke start {names} || true; else deb-systemd-invoke restart {names} || true; fi
  fi
fi""",
        "prerm": f'if [ "$1" = remove ] && [ -d /run/systemd/system ]; then systemctl disable --now {names}; fi',
        "postrm": "if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi",
    }


def _find(unpacked: Path, *names: str) -> Path:
    for name in names:
        if (unpacked / name).exists():
            return unpacked / name
    raise SystemExit(f"none of {names} in the distribution's packages")


def docker_packages(suite: str, ubuntu: str, pool: Path) -> None:
    """Repackage the distribution's engine as Docker's packages, with Docker's names, dependencies and versions."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder)
        versions = {}
        for deb in debs_of(suite):
            name, version, _ = deb.stem.split("_")
            versions[name] = version.split("%3a")[-1].split("+")[0].split("-")[0]
            subprocess.run(["dpkg-deb", "-x", str(deb), str(unpacked)], check=True)
        tail = f"~ubuntu.{ubuntu}~{suite}"

        def binary(target: str, *sources: str) -> dict:
            return {target: (0o755, _find(unpacked, *sources))}

        plugins = "usr/libexec/docker/cli-plugins"
        engine, containerd = f"5:{versions['docker.io']}-1{tail}", f"{versions['containerd']}-1{tail}"
        build(
            {
                "name": "containerd.io", "depends": "libc6, libseccomp2", "provides": "containerd, runc",
                "conflicts": "containerd, runc", "replaces": "containerd, runc",
                "files": {
                    **binary("/usr/bin/containerd", "usr/bin/containerd"),
                    **binary("/usr/bin/ctr", "usr/bin/ctr"),
                    **binary("/usr/bin/containerd-shim-runc-v2", "usr/bin/containerd-shim-runc-v2"),
                    **binary("/usr/bin/runc", "usr/sbin/runc"),
                    "/usr/lib/systemd/system/containerd.service": (0o644, _CONTAINERD_SERVICE),
                    "/etc/containerd/config.toml": (0o644, _CONTAINERD_CONFIG),
                },
                "conffiles": ["/etc/containerd/config.toml"], "scripts": _service_scripts("containerd.service"),
            },
            pool, containerd,
        )  # fmt: skip
        build(
            {
                "name": "docker-ce", "conflicts": "docker.io", "replaces": "docker.io",
                "depends": "containerd.io (>= 1.7.27), docker-ce-cli, iptables, libseccomp2, libc6, libsystemd0",
                "recommends": "ca-certificates, docker-ce-rootless-extras, git, pigz, procps, xz-utils",
                "files": {
                    **binary("/usr/bin/dockerd", "usr/sbin/dockerd", "usr/bin/dockerd"),
                    **binary("/usr/bin/docker-proxy", "usr/sbin/docker-proxy", "usr/bin/docker-proxy"),
                    **binary("/usr/libexec/docker/docker-init", "usr/bin/tini-static"),
                    "/usr/lib/systemd/system/docker.service": (0o644, _DOCKER_SERVICE),
                    "/usr/lib/systemd/system/docker.socket": (0o644, _DOCKER_SOCKET),
                },
                "scripts": _service_scripts(
                    "docker.socket", "docker.service",
                    before="getent group docker >/dev/null || groupadd --system docker",
                ),
            },
            pool, engine,
        )  # fmt: skip
        build(
            {
                "name": "docker-ce-cli", "depends": "libc6",
                "recommends": "docker-buildx-plugin, docker-compose-plugin",
                "conflicts": "docker.io", "replaces": "docker.io",
                "files": binary("/usr/bin/docker", "usr/bin/docker"),
            },
            pool, engine,
        )  # fmt: skip
        rootless = {"/usr/bin/dockerd-rootless-setuptool.sh": (0o755, f"#!/bin/sh\necho '{NOTE}'\nexit 1\n")}
        build({"name": "docker-ce-rootless-extras", "depends": "docker-ce-cli", "files": rootless}, pool, engine)
        for plugin in ("buildx", "compose"):
            source = f"docker-{plugin}" if f"docker-{plugin}" in versions else f"docker-{plugin}-v2"
            path = f"{plugins}/docker-{plugin}"
            # As in docker-ce-packaging: only Compose knows of a package in its way. dpkg stops at the others' files.
            known = {"compose": {"conflicts": "docker-compose", "replaces": "docker-compose"}}.get(plugin, {})
            package = {"name": f"docker-{plugin}-plugin", **known}
            files = binary(f"/{path}", path, f"usr/lib/docker/cli-plugins/docker-{plugin}")
            build({**package, "files": files}, pool, f"{versions.get(source, versions['docker.io'])}-1{tail}")


# --------------------------------------------------------------------------------------------------------------- CUDA


def _cuda(release: str, full: str) -> list[dict]:
    dash = release.replace(".", "-")
    home = f"/usr/local/cuda-{release}"
    nvcc = (
        "#!/bin/sh\n# " + NOTE + "\n"
        "echo 'nvcc: NVIDIA (R) Cuda compiler driver (lab stand-in, compiles nothing)'\n"
        f"echo 'Cuda compilation tools, release {release}, V{full}'\n"
    )
    libraries, major = f"{home}/targets/x86_64-linux/lib", release.partition(".")[0]
    number = release.replace(".", "")
    link = (
        f"update-alternatives --install /usr/local/cuda cuda {home} {number}\n"
        f"update-alternatives --install /usr/local/cuda-{major} cuda-{major} {home} {number}\nldconfig"
    )
    unlink = (
        f'if [ "$1" = remove ]; then update-alternatives --remove cuda {home}; '
        f"update-alternatives --remove cuda-{major} {home}; fi"
    )
    return [
        {"name": f"cuda-nvcc-{dash}", "version": f"{full}-1", "files": {f"{home}/bin/nvcc": (0o755, nvcc)}},
        {
            "name": f"cuda-cudart-dev-{dash}", "version": f"{full}-1",
            "depends": f"cuda-toolkit-config-common, cuda-toolkit-{major}-config-common",
            "files": {
                f"{libraries}/libcudart.so": (0o644, NOTE + "\n"), f"{home}/lib64": (None, "targets/x86_64-linux/lib"),
            },
        },
        {
            "name": f"cuda-libraries-dev-{dash}", "version": f"{full}-1", "depends": f"cuda-cudart-dev-{dash}",
            "files": {f"{libraries}/libcublas.so": (0o644, NOTE + "\n")},
        },
        {
            "name": f"cuda-toolkit-{dash}", "version": f"{release}.2-1",
            "depends": f"cuda-nvcc-{dash}, cuda-cudart-dev-{dash}, cuda-libraries-dev-{dash}",
            "files": {f"{home}/version.json": (0o644, json.dumps({"cuda": {"version": f"{release}.2"}}))},
            "scripts": {"postinst": link, "prerm": unlink},
        },
        _meta(f"cuda-{dash}", f"{release}.2-1", f"cuda-toolkit-{dash}, cuda-drivers"),
    ]  # fmt: skip


def _loader(name: str, path: str, folder: str) -> dict:
    """Return a package that tells the dynamic loader of a folder, as NVIDIA's do."""
    return {
        "name": name, "version": "13.4.92-1", "arch": "all", "conffiles": [path],
        "files": {path: (0o644, f"{folder}/targets/x86_64-linux/lib\n")},
    }  # fmt: skip


CUDA = [
    *_cuda("13.4", "13.4.92"),
    *_cuda("13.3", "13.3.33"),
    *_cuda("12.9", "12.9.86"),
    _loader("cuda-toolkit-config-common", "/etc/ld.so.conf.d/000_cuda.conf", "/usr/local/cuda"),
    _loader("cuda-toolkit-13-config-common", "/etc/ld.so.conf.d/988_cuda-13.conf", "/usr/local/cuda-13"),
    _loader("cuda-toolkit-12-config-common", "/etc/ld.so.conf.d/988_cuda-12.conf", "/usr/local/cuda-12"),
    _meta("cuda-toolkit", "13.4.2-1", "cuda-toolkit-13-4"),
    _meta("cuda", "13.4.2-1", "cuda-13-4"),
    _meta("cuda-drivers", "580.95.05-1", "nvidia-driver-580"),
    _meta("nvidia-driver-580", "580.95.05-1", "libnvidia-compute-580"),
    _meta("nvidia-driver-550", "550.163.02-1", "libnvidia-compute-580"),  # newer than Ubuntu's of this name
    _tool("libnvidia-compute-580", "580.95.05-1", "/usr/share/libnvidia-compute-580/trap"),
]


def cuda_keyring(keyring: Path, tree: str) -> dict:
    """Return NVIDIA's keyring package of one repository: key, source list and pin."""
    line = (
        "deb [signed-by=/usr/share/keyrings/cuda-archive-keyring.gpg] "
        f"https://developer.download.nvidia.com/compute/cuda/repos/{tree}/x86_64/ /\n"
    )
    return {
        "name": "cuda-keyring", "arch": "all",
        "files": {
            "/usr/share/keyrings/cuda-archive-keyring.gpg": (0o644, keyring),
            f"/etc/apt/sources.list.d/cuda-{tree}-x86_64.list": (0o644, line),
            "/etc/apt/preferences.d/cuda-repository-pin-600": (
                0o644, "Package: *\nPin: release l=NVIDIA CUDA\nPin-Priority: 600\n"
            ),
        },
    }  # fmt: skip


# ------------------------------------------------------------------------------------------- NVIDIA Container Toolkit

# As in NVIDIA's repository, deployments/systemd, 1.19.1 and 1.20.0.
_CDI_SERVICE = """[Unit]
Description=Refresh NVIDIA CDI specification file
ConditionPathExists=|/usr/bin/nvidia-smi
ConditionPathExists=|/usr/sbin/nvidia-smi
ConditionPathExists=|/usr/lib/wsl/lib/nvidia-smi
ConditionPathExists=/usr/bin/nvidia-ctk
StartLimitBurst=5
StartLimitIntervalSec=10s

[Service]
Type=oneshot
Environment=NVIDIA_CTK_CDI_OUTPUT_FILE_PATH=/var/run/cdi/nvidia.yaml
EnvironmentFile=-/etc/nvidia-container-toolkit/nvidia-cdi-refresh.env
ExecCondition=/bin/sh -c '/usr/bin/grep -qE "/(nvidia|nvidia-current)[.]ko" /lib/modules/%v/modules.dep \\
  || [ -e /dev/dxg ]'
ExecStart=/bin/sh -c '/usr/bin/nvidia-smi -L || /usr/sbin/nvidia-smi -L || /usr/lib/wsl/lib/nvidia-smi -L'
ExecStart=/usr/bin/nvidia-ctk cdi generate
CapabilityBoundingSet=CAP_SYS_MODULE CAP_SYS_ADMIN CAP_MKNOD
Restart=on-failure
RestartSec=1s

[Install]
WantedBy=multi-user.target
"""
_CDI_PATH = """[Unit]
Description=Trigger CDI refresh on NVIDIA driver or toolkit install / upgrade events

[Path]
PathChanged=/lib/modules/%v/modules.dep
PathChanged=/lib/modules/%v/modules.dep.bin
PathChanged=/usr/bin/nvidia-ctk

[Install]
WantedBy=multi-user.target
"""
_CDI_ENV = "# Stand-in for the file that may say NVIDIA_CTK_CDI_OUTPUT_FILE_PATH=...\n"
_TOML = "/etc/nvidia-container-runtime/config.toml"  # written by postinst, no conffile: purge leaves it
_WRITE_TOML = f'if [ "$1" = configure ]; then nvidia-ctk --quiet config --config-file={_TOML} --in-place; fi'


def _toolkit(version: str) -> list[dict]:
    tools = HERE / "nvidia"
    same = f"(= {version})"
    stamp = (HERE / "nvidia" / "nvidia-ctk").read_text().replace("@VERSION@", version.split("-")[0])
    return [
        {
            "name": "libnvidia-container1", "version": version,
            "files": {"/usr/lib/x86_64-linux-gnu/libnvidia-container.so.1": (0o644, NOTE + "\n")},
        },
        {
            "name": "libnvidia-container-tools", "version": version, "depends": f"libnvidia-container1 {same}",
            "files": {"/usr/bin/nvidia-container-cli": (0o755, tools / "nvidia-container-cli")},
        },
        {
            "name": "nvidia-container-toolkit-base", "version": version,
            "files": {
                "/usr/bin/nvidia-ctk": (0o755, stamp),
                "/usr/bin/nvidia-cdi-hook": (0o755, tools / "nvidia-cdi-hook"),
                "/usr/bin/nvidia-container-runtime": (0o755, tools / "nvidia-container-runtime"),
                "/etc/nvidia-container-toolkit/nvidia-cdi-refresh.env": (0o644, _CDI_ENV),
                "/usr/lib/systemd/system/nvidia-cdi-refresh.service": (0o644, _CDI_SERVICE),
                "/usr/lib/systemd/system/nvidia-cdi-refresh.path": (0o644, _CDI_PATH),
            },
            "conffiles": ["/etc/nvidia-container-toolkit/nvidia-cdi-refresh.env"],
            "scripts": _service_scripts("nvidia-cdi-refresh.path", "nvidia-cdi-refresh.service", before=_WRITE_TOML),
        },
        {
            "name": "nvidia-container-toolkit", "version": version,
            "depends": f"libnvidia-container-tools {same}, nvidia-container-toolkit-base {same}",
            "files": {"/usr/bin/nvidia-container-runtime-hook": (0o755, tools / "nvidia-container-runtime-hook")},
        },
    ]  # fmt: skip


NVIDIA = [package for version in ("1.19.1-1", "1.20.0-1", "1.20.1-1") for package in _toolkit(version)]

# --------------------------------------------------------------------------------------------------- container images

_APPLETS = [
    "sh",
    "ash",
    "cat",
    "echo",
    "env",
    "ls",
    "wget",
    "grep",
    "sleep",
    "true",
    "false",
    "id",
    "mount",
    "hostname",
    "sed",
    "head",
    "tail",
    "test",
    "printf",
    "ip",
    "ping",
    "nslookup",
    "nc",
    "mkdir",
    "rm",
    "cp",
    "mv",
    "touch",
    "uname",
    "date",
    "tr",
    "cut",
    "sort",
    "wc",
    "tee",
]
_HELLO = (
    "\nHello from Docker!\nThis message shows that your installation appears to be working correctly.\n(" + NOTE + ")\n"
)


def _busybox(os_release: str) -> dict:
    """Return the files of a small image: {path: (mode, bytes)} or {path: link target}."""
    files: dict = {"bin/busybox": (0o755, Path("/bin/busybox").read_bytes())}
    files.update({f"bin/{name}": "busybox" for name in _APPLETS})
    files["usr/bin/env"] = "../../bin/busybox"
    files["etc/os-release"] = (0o644, os_release.encode())
    files["etc/passwd"] = (0o644, b"root:x:0:0:root:/root:/bin/sh\n")
    files["etc/group"] = (0o644, b"root:x:0:\n")
    files.update(
        {
            f"{folder}/.keep": (0o644, b"")
            for folder in ("tmp", "root", "proc", "sys", "dev", "usr/local/bin", "workspace")
        }
    )
    return files


def images() -> list[tuple[str, dict, dict]]:
    """Return (name, files, image configuration) of every image in the registry."""
    path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    ubuntu = 'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="24.04"\nPRETTY_NAME="Ubuntu 24.04 (lab stand-in)"\n'
    plain = {"Env": [path], "Cmd": ["/bin/sh"]}
    hello = {**_busybox("ID=hello\n"), "hello.txt": (0o644, _HELLO.encode())}
    return [
        ("hello-world:latest", hello, {"Env": [path], "Cmd": ["/bin/cat", "/hello.txt"]}),
        ("busybox:latest", _busybox("ID=busybox\n"), plain),
        ("ubuntu:24.04", _busybox(ubuntu), plain),
        ("ubuntu:latest", _busybox(ubuntu), plain),
    ]


# PyTorch's image: a whole Ubuntu with apt, Python and pip, and NVIDIA's apt source in it. Here it is the system that
# builds the lab, dressed as Ubuntu 24.04.
PYTORCH = "pytorch/pytorch:2.14.0-cuda12.6-cudnn9-devel"
PYTORCH_CONFIG = {
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "NVIDIA_VISIBLE_DEVICES=all",
        "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
    ],
    "Cmd": ["/bin/bash"],
    "WorkingDir": "/workspace",
}
_UBUNTU_SOURCES = "".join(
    f"Types: deb\nURIs: http://{host}.ubuntu.com/ubuntu/\nSuites: {suites}\n"
    "Components: main universe restricted multiverse\n"
    "Signed-By: /usr/share/keyrings/ubuntu-archive-keyring.gpg\n\n"
    for host, suites in (("archive", "noble noble-updates noble-backports"), ("security", "noble-security"))
)
_NOT_IN_PYTORCH = [
    "./srv", "./opt", "./tmp", "./run", "./proc", "./sys", "./dev", "./var/cache", "./var/log", "./etc/apt",
    "./etc/os-release", "./usr/lib/os-release", "./usr/lib/cni", "./usr/bin/skopeo", "./usr/bin/docker-registry",
]  # fmt: skip


def system_layer(target: Path) -> bytes:
    """Return the running system as an image layer, without what only the lab needs."""
    exclude = [f"--exclude={path}" for path in _NOT_IN_PYTORCH]
    subprocess.run(["tar", "--create", "--file", str(target), "--directory", "/", *exclude, "."], check=True)
    return target.read_bytes()


def pytorch(keys: Path, tls: Path) -> dict:
    """Return the files that dress the system as PyTorch's image."""
    trust = Path("/etc/ssl/certs/ca-certificates.crt").read_bytes() + (tls / "ca.crt").read_bytes()
    identity = 'NAME="Ubuntu"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n'
    cuda = "deb https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64 /\n"
    files: dict = {
        "usr/lib/os-release": (0o644, f'{identity}PRETTY_NAME="Ubuntu 24.04 (lab stand-in)"\n'.encode()),
        "etc/os-release": "../usr/lib/os-release",
        "etc/apt/sources.list.d/ubuntu.sources": (0o644, _UBUNTU_SOURCES.encode()),
        "etc/apt/sources.list.d/cuda-ubuntu2404-x86_64.list": (0o644, cuda.encode()),
        "etc/ssl/certs/ca-certificates.crt": (0o644, trust),
        "usr/share/keyrings/ubuntu-archive-keyring.gpg": (0o644, (keys / "ubuntu.gpg").read_bytes()),
        "usr/bin/pip": (0o755, b'#!/bin/sh\nexec python3 -m pip "$@"\n'),
    }
    for folder in ("tmp", "run", "proc", "sys", "dev", "var/cache/apt/archives/partial", "var/log/apt", "workspace"):
        files[f"{folder}/"] = 0o1777 if folder == "tmp" else 0o755
    for folder in ("apt.conf.d", "preferences.d", "trusted.gpg.d"):
        files[f"etc/apt/{folder}/"] = 0o755
    with tempfile.TemporaryDirectory() as unpacked:
        (deb,) = (path for path in debs_of("noble") if path.name.startswith("python3-pip-whl_"))
        subprocess.run(["dpkg-deb", "-x", str(deb), unpacked], check=True)
        (pip,) = Path(unpacked).rglob("pip-*.whl")
        with zipfile.ZipFile(pip) as content:
            for name in content.namelist():
                files[f"usr/lib/python3/dist-packages/{name}"] = (0o644, content.read(name))
    return files


def wheel(name: str, folder: Path) -> Path:
    """Write a Python package that does nothing, as a wheel."""
    info = f"{name}-0.1.dist-info"
    files = {
        f"{name}/__init__.py": f'"""{NOTE}"""\n',
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\nSummary: {NOTE}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: lab\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    target = folder / f"{name}-0.1-py3-none-any.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return target


def layer(files: dict) -> bytes:
    """Return files as an image layer: {path: (mode, bytes)}, {path: link target} or {folder/: mode}."""
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as tar:
        for path, entry in sorted(files.items()):
            info = tarfile.TarInfo(path)
            if isinstance(entry, str):
                info.type, info.linkname = tarfile.SYMTYPE, entry
                tar.addfile(info)
            elif isinstance(entry, int):
                info.type, info.mode = tarfile.DIRTYPE, entry
                tar.addfile(info)
            else:
                info.mode, data = entry[0], entry[1]
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
    return target.getvalue()


def docker_archive(target: Path, name: str, layers: list[bytes], config: dict) -> None:
    """Write an image in the format of ``docker save``."""
    blobs = {f"layer{number}.tar": blob for number, blob in enumerate(layers)}
    rootfs = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(blob).hexdigest()}" for blob in layers]}
    description = json.dumps({"architecture": "amd64", "os": "linux", "config": config, "rootfs": rootfs}).encode()
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": list(blobs)}]
    members = {"config.json": description, **blobs, "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(target, "w") as tar:
        for member, data in members.items():
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
