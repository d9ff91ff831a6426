"""What nvidia_ctk refuses, wants installed, and says when no GPU arrives in a container; without a host."""

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.unit.role_values import role_value

AT = "at /var/run/cdi/nvidia.yaml"
READY = ["wsl", "gpu /dev/dxg", "dockerd /usr/bin/dockerd"]
LINUX = ["plain", "gpu /dev/nvidiactl", "dockerd /usr/bin/dockerd"]
NAMES = [
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
]


def value(expression, *found, **variables):
    return role_value("nvidia_ctk", expression, __nvidia_ctk_facts_read={"stdout_lines": list(found)}, **variables)


def refusals(*found, **variables):
    return value("__nvidia_ctk_refusals", *(found or READY), **variables)


def installed(*versions):
    return [f"installed {name}={version}" for name, version in zip(NAMES, versions, strict=True)]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (
            'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
            "it was not restarted after the toolkit came",
        ),
        (
            "nvidia-container-cli: initialization error: WSL environment detected but no adapters were found: unknown",
            "WSL sees no NVIDIA GPU. Update NVIDIA's driver on Windows",
        ),
        (
            "docker: filesystem layer verification failed for digest sha256:b511459ae0ccfa2b4a60d2eb29a75b96",
            "a proxy on the way has changed it or cut it short. Run again",
        ),
        ("failed to initialize dxcore context", "use a toolkit of 1.20 or newer"),
        (
            "initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file",
            "The driver's files are missing from /usr/lib/wsl/lib",
        ),
        (
            "failed to create device: unresolvable CDI devices nvidia.com/gpu=all",
            'Run "systemctl restart nvidia-cdi-refresh"',
        ),
        (
            "invoking the NVIDIA Container Runtime Hook directly (e.g. with the docker --gpus flag) is not supported",
            'Set mode = "auto" in /etc/nvidia-container-runtime/config.toml',
        ),
        ("Failed to initialize NVML: Unknown Error", "The driver's files changed under the running distribution"),
        (
            "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.4",
            "The image needs a newer CUDA than the driver on Windows offers",
        ),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "Docker does not run"),
        (
            'Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp 127.0.0.1:17890: connection refused',
            "Check that Docker uses the proxy (docker_proxy)",
        ),
        (
            'exec: "nvidia-smi": executable file not found in $PATH',
            "The container started, but without the driver's tools",
        ),
        (
            "Failed to initialize NVML: GPU access blocked by the operating system",
            "WSL sees no NVIDIA GPU. Update NVIDIA's driver on Windows",
        ),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\nDriver Not Loaded",
            "WSL sees no NVIDIA GPU. Update NVIDIA's driver on Windows",
        ),
        (
            "Failed to restart nvidia-cdi-refresh.service: Unit nvidia-cdi-refresh.service is masked.",
            'Run "systemctl unmask nvidia-cdi-refresh.service nvidia-cdi-refresh.path".',
        ),
        ("No devices were found", "WSL sees no NVIDIA GPU. Update NVIDIA's driver on Windows"),
        ("failed to create device CDI specs: invalid device, empty device edits", "WSL sees no NVIDIA GPU"),
        (
            "/bin/sh: 1: /usr/bin/nvidia-smi: not found\nfailed to initialize NVML: ERROR_LIBRARY_NOT_FOUND",
            "The driver's files are missing from /usr/lib/wsl/lib",
        ),
        (
            "failed to find NVIDIA driver store path: failed to locate libcuda.so.1.1 at WSL driver store paths",
            "The driver's files are missing from /usr/lib/wsl/lib",
        ),
        (
            "nvidia-cdi-refresh.service was skipped, since one of its conditions does not hold",
            "The driver's files are missing from /usr/lib/wsl/lib",
        ),
        ("nvidia-cdi-refresh.service did not end within 120 seconds.", 'Run "wsl --shutdown" on Windows'),
        (
            'error getting credentials - err: exec: "docker-credential-desktop.exe": executable file not found',
            "The .docker/config.json of dev names a program for passwords",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock",
            "dev may not use Docker",
        ),
        (
            "Cannot connect to the Docker daemon at tcp://localhost:2375. Is the docker daemon running?",
            "The docker command of dev is led to another daemon, by DOCKER_HOST",
        ),
        (
            "failed to connect to the docker API at unix:///home/dev/.docker/desktop/docker.sock",
            "The docker command of dev is led to another daemon, by DOCKER_HOST",
        ),
        (
            'Failed to initialize: unable to resolve docker endpoint: context "desktop-linux": context not found',
            "The docker command of dev is led to another daemon, by DOCKER_HOST",
        ),
        ("failed to connect to the docker API at unix:///var/run/docker.sock", "Docker does not run"),
        ("something that nobody has seen yet", "Run the command by hand for more."),
        ("", "Run the command by hand for more."),
    ],
)
def test_a_failed_smoke_test_names_exactly_one_cause(error, cause):
    said = value("__nvidia_ctk_cause", __nvidia_ctk_answer={"stderr": error, "stdout": ""}, nvidia_ctk_user="dev")
    known = [entry["cause"] for entry in value("__nvidia_ctk_causes", nvidia_ctk_user="dev")]
    assert cause in said
    assert said in known


def test_a_machine_with_docker_and_a_gpu_is_taken():
    assert refusals() == []


def test_no_gpu_is_refused_unless_the_smoke_test_is_switched_off():
    without = [READY[0], READY[2]]
    assert 'run "wsl --update" and "wsl --shutdown"' in refusals(*without)[0]
    assert refusals(*without, nvidia_ctk_gpu_check=False) == []
    assert refusals(*without, nvidia_ctk_gpu_check="false") == []  # as the command line gives it


def test_a_linux_machine_with_nvidias_driver_is_taken():
    assert refusals(*LINUX) == []


def test_a_linux_machine_without_a_driver_is_told_how_to_get_it():
    assert refusals("plain", LINUX[2]) == [
        "No GPU is visible: /dev/nvidiactl is not there, so NVIDIA's driver does not run. Run "
        '"sudo ubuntu-drivers install" and restart this machine; '
        "nvidia-smi has to show the GPU. Without a GPU, set nvidia_ctk_gpu_check to false."
    ]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        ("nvidia-container-cli: nvml error: driver not loaded", "NVIDIA's driver does not run. Restart this machine"),
        ("failed to initialize NVML: ERROR_DRIVER_NOT_LOADED", "NVIDIA's driver does not run. Restart this machine"),
        ("load library failed: libnvidia-ml.so.1: cannot open shared object file", "NVIDIA's driver is not whole"),
        ("was skipped, since one of its conditions does not hold", "NVIDIA's driver is not whole"),
        ("Failed to initialize NVML: Driver/library version mismatch", "another one than the one that runs"),
        ("unsatisfied condition: cuda>=13.4", '"ubuntu-drivers list" names them'),
        ('exec: "nvidia-smi": executable file not found in $PATH', "check that nvidia-smi works outside"),
        ("nvidia-cdi-refresh.service did not end within 120 seconds.", "Restart this machine and run this again"),
        ("Cannot connect to the Docker daemon at unix:///var/run/docker.sock.", "Docker does not run"),
    ],
)  # fmt: skip
def test_on_a_linux_machine_no_cause_speaks_of_windows(error, cause):
    said = value("__nvidia_ctk_cause", "plain", __nvidia_ctk_answer={"stderr": error, "stdout": ""})
    assert cause in said
    assert "Windows" not in said
    assert "wsl" not in said


def test_docker_has_to_be_there():
    assert refusals(*READY[:2]) == ["Docker Engine is not installed. Apply docker_engine first."]


@pytest.mark.parametrize("version", ["1.19.1", "1.9.0"])
def test_a_version_that_wsl_cannot_use_is_refused_there_and_only_there(version):
    assert f"nvidia_ctk_version {version} is below 1.20.0" in refusals(nvidia_ctk_version=version)[0]
    assert refusals(*LINUX, nvidia_ctk_version=version) == []


@pytest.mark.parametrize("version", ["latest", "1.20", "1.20.1-1"])
def test_something_that_is_no_version_is_refused(version):
    assert "is not a version; use, for example, 1.20.1" in refusals(nvidia_ctk_version=version)[0]


def test_a_broken_daemon_json_is_refused():
    assert "daemon.json is not valid JSON" in refusals(*READY, "json Expecting value: line 1 column 1 (char 0)")[0]


@pytest.mark.parametrize(
    ("versions", "wanted", "complete"),
    [
        (["1.20.1-1"] * 4, "", True),
        (["1.20.1-1"] * 4, "1.20.1", True),
        (["1.20.1-1"] * 4, "1.20.0", False),
        (["1.21.0-1"] * 4, "", True),
        (["1.19.1-1"] * 4, "", False),
        (["1.20.1-1"] * 3 + ["1.20.0-1"], "", False),
    ],
)
def test_apt_is_asked_unless_all_four_packages_have_one_good_version(versions, wanted, complete):
    assert value("__nvidia_ctk_complete", *installed(*versions), nvidia_ctk_version=wanted) is complete


def test_nothing_installed_is_not_complete():
    assert value("__nvidia_ctk_complete") is False


def test_a_version_pins_all_four_packages():
    wanted = value("__nvidia_ctk_wanted", nvidia_ctk_version="1.20.0")
    assert set(wanted) == {f"{name}=1.20.0-*" for name in NAMES}


def test_a_smoke_test_counts_for_its_own_image_and_user_only():
    assert value("__nvidia_ctk_proved", "proved ubuntu:24.04 root") is True
    assert value("__nvidia_ctk_proved", "proved busybox root") is False
    assert value("__nvidia_ctk_proved", "proved ubuntu:24.04 root", nvidia_ctk_user="dev") is False
    assert value("__nvidia_ctk_proved", "proved ubuntu:24.04") is False  # as an older version of the role noted it
    assert value("__nvidia_ctk_proved") is False


def test_a_user_who_is_not_there_is_refused_where_the_smoke_test_needs_him():
    found = [*READY, "unknown sue"]
    assert refusals(*found, nvidia_ctk_user="sue") == [
        "nvidia_ctk_user names sue, who is not a user of this machine. Make the account first, or name another one."
    ]
    assert refusals(*found, nvidia_ctk_user="sue", nvidia_ctk_gpu_check=False) == []
    assert refusals(*found, nvidia_ctk_user="sue", nvidia_ctk_docker_required=False) == []  # before the site


TOML = "/etc/nvidia-container-runtime"
SAVED = "/var/lib/wsl-dl-playbook/nvidia_ctk"


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ([AT, "begun", f"toml {TOML}/config.toml"], ["/var/run/cdi/nvidia.yaml", TOML, SAVED]),
        ([AT, "begun", f"others {TOML}"], ["/var/run/cdi/nvidia.yaml", f"{TOML}/config.toml", SAVED]),
        ([AT, "begun", f"original {SAVED}/config.toml"], ["/var/run/cdi/nvidia.yaml", SAVED]),
        ([AT, f"toml {TOML}/config.toml"], ["/var/run/cdi/nvidia.yaml", SAVED]),  # the role was never here
        (["at /etc/cdi/nvidia.yaml", "begun"], ["/etc/cdi/nvidia.yaml", TOML, SAVED]),
    ],
)
def test_absent_removes_what_the_packages_leave_and_not_what_was_there_before(found, left):
    assert value("__nvidia_ctk_left", *found) == left


def test_nvidias_own_key_is_the_default():
    assert value("nvidia_ctk_key_fingerprint") == "C95B321B61E88C1809C4F759DDCAE044F796ECB0"


@pytest.fixture
def look(tmp_path):
    """Return a function that runs facts.sh in a machine made of folders under tmp_path, and returns what it prints."""
    role = Path(__file__).resolve().parents[2] / "roles" / "nvidia_ctk" / "files" / "facts.sh"
    text = re.sub(r"(?<![\w.}\"])/(usr|etc|var)/", rf"{tmp_path}/\1/", role.read_text())
    store = tmp_path / "usr/lib/wsl/drivers/nv_dispi.inf_amd64_1"
    spec = tmp_path / "var/run/cdi/nvidia.yaml"
    for folder in (store, spec.parent, tmp_path / "etc/nvidia-container-toolkit", tmp_path / "backup"):
        folder.mkdir(parents=True)
    (store / "libcuda.so.1.1").write_text("")
    spec.write_text(f"  - hostPath: {store}/libcuda.so.1.1\n")

    def run():
        done = subprocess.run(
            ["sh", "-c", text, "facts", tmp_path / "backup" / "proof", "root"],
            capture_output=True,
            text=True,
            timeout=20,
        )
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.replace(str(tmp_path), "").splitlines()

    run.store, run.spec = store, spec
    return run


def test_a_specification_of_the_drivers_folder_that_is_there_counts(look):
    assert "spec /var/run/cdi/nvidia.yaml" in look()


@pytest.mark.parametrize("former_stays", [True, False])
def test_a_specification_from_before_a_driver_update_does_not_count(look, former_stays):
    new = look.store.with_name("nv_dispi.inf_amd64_2")
    if former_stays:
        time.sleep(0.02)
        shutil.copytree(look.store, new)
    else:
        look.store.rename(new)
    assert [line for line in look() if line.startswith("spec ")] == []


def test_a_specification_from_before_an_update_of_a_linux_driver_does_not_count(look):
    library = look.store.parents[2] / "libcuda.so.550.163.01"
    library.write_text("")
    look.spec.write_text(f"  mounts:\n  - hostPath: {library}\n    containerPath: {library}\n")
    assert "spec /var/run/cdi/nvidia.yaml" in look()
    library.rename(library.with_name("libcuda.so.550.200.02"))
    assert [line for line in look() if line.startswith("spec ")] == []


def test_a_specification_at_another_place_is_looked_at_there(look, tmp_path):
    other = tmp_path / "etc/cdi/nvidia.yaml"
    other.parent.mkdir()
    look.spec.rename(other)
    (tmp_path / "etc/nvidia-container-toolkit/nvidia-cdi-refresh.env").write_text(
        f"# NVIDIA_CTK_CDI_OUTPUT_FILE_PATH=/nowhere\nNVIDIA_CTK_CDI_OUTPUT_FILE_PATH={other}\n"
    )
    assert [line for line in look() if line.startswith(("at ", "spec "))] == [
        "at /etc/cdi/nvidia.yaml",
        "spec /etc/cdi/nvidia.yaml",
    ]
