"""What nvidia_ctk refuses, wants installed, and says when no GPU arrives in a container; without a host."""

import pytest

from tests.unit.role_values import role_value

READY = ["wsl /usr/lib/wsl/lib", "gpu /dev/dxg", "dockerd /usr/bin/dockerd"]
NAMES = [
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
]


def value(expression, *found, **variables):
    return role_value("nvidia_ctk", expression, __nvidia_ctk_look={"stdout_lines": list(found)}, **variables)


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
        ("Failed to initialize NVML: Unknown Error", "The driver's files changed under the running distro"),
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
        ("something that nobody has seen yet", "Run the command by hand for more."),
        ("", "Run the command by hand for more."),
    ],
)
def test_a_failed_proof_names_exactly_one_cause(error, cause):
    said = value("__nvidia_ctk_cause", __nvidia_ctk_smi={"stderr": error, "stdout": ""})
    known = [entry["cause"] for entry in value("__nvidia_ctk_causes")]
    assert cause in said
    assert said in known


def test_a_machine_with_docker_and_a_gpu_is_taken():
    assert refusals() == []


def test_no_gpu_is_refused_unless_the_proof_is_switched_off():
    without = [READY[0], READY[2]]
    assert 'run "wsl --update" and "wsl --shutdown"' in refusals(*without)[0]
    assert refusals(*without, nvidia_ctk_gpu_check=False) == []
    assert refusals(*without, nvidia_ctk_gpu_check="false") == []  # as the command line gives it


def test_a_linux_machine_with_nvidias_driver_is_taken():
    assert refusals("gpu /dev/nvidiactl", "dockerd /usr/bin/dockerd") == []


def test_docker_has_to_be_there():
    assert refusals(*READY[:2]) == ["Docker Engine is not installed. Apply docker_engine first."]


@pytest.mark.parametrize("version", ["1.19.1", "1.9.0"])
def test_a_version_that_wsl_cannot_use_is_refused_there_and_only_there(version):
    assert f"nvidia_ctk_version {version} is below 1.20.0" in refusals(nvidia_ctk_version=version)[0]
    assert refusals("gpu /dev/nvidiactl", "dockerd /usr/bin/dockerd", nvidia_ctk_version=version) == []


@pytest.mark.parametrize("version", ["latest", "1.20", "1.20.1-1"])
def test_something_that_is_no_version_is_refused(version):
    assert "is no version. Give one like 1.20.1" in refusals(nvidia_ctk_version=version)[0]


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


def test_a_proof_counts_for_its_own_image_only():
    assert value("__nvidia_ctk_proved", "proved ubuntu:24.04") is True
    assert value("__nvidia_ctk_proved", "proved busybox") is False
    assert value("__nvidia_ctk_proved") is False


def test_nvidias_own_key_is_the_default():
    assert value("nvidia_ctk_key_fingerprint") == "C95B321B61E88C1809C4F759DDCAE044F796ECB0"
