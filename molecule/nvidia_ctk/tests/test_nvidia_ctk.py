"""nvidia_ctk: the GPU (the lab's stand-in) arrives in containers, on every way that Docker knows."""

import json

import pytest
import yaml

from tests.converge import converge
from tests.verified import verified

PACKAGES = [
    "libnvidia-container-tools",
    "libnvidia-container1",
    "nvidia-container-toolkit",
    "nvidia-container-toolkit-base",
]
RUN = "docker run --rm"
DRIVERS = "/usr/lib/wsl/drivers"
STORE = f"{DRIVERS}/nv_dispi.inf_amd64_1ab01ab01ab01ab0"
NEW_STORE = f"{DRIVERS}/nv_dispi.inf_amd64_2cd02cd02cd02cd0"
OTHER_VERSION = {"nvidia_ctk_version": "1.20.0"}
SPEC = "/var/run/cdi/nvidia.yaml"


def test_nvidia_smi_works_in_a_container(user_run):
    shown = user_run(f"{RUN} --gpus all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA-SMI" in shown.stdout


def test_a_container_that_does_not_ask_sees_no_gpu(user_run):
    assert user_run(f"{RUN} ubuntu:24.04 nvidia-smi").rc == 127


def test_the_runtime_works_as_dev_containers_use_it(user_run):
    shown = user_run(f"{RUN} --runtime=nvidia --env NVIDIA_VISIBLE_DEVICES=all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "nvidia-container-runtime" in user_run("docker info --format '{{.Runtimes.nvidia}}'").stdout


def test_the_cdi_device_works(user_run):
    shown = user_run(f"{RUN} --device nvidia.com/gpu=all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr


def test_the_specification_is_the_one_that_nvidias_service_writes_on_wsl(host):
    spec = yaml.safe_load(host.file(SPEC).content_string)
    assert (spec["cdiVersion"], spec["kind"]) == ("0.3.0", "nvidia.com/gpu")
    assert spec["devices"] == [{"name": "all", "containerEdits": {"deviceNodes": [{"path": "/dev/dxg"}]}}]
    paths = [mount["hostPath"] for mount in spec["containerEdits"]["mounts"]]
    assert "/usr/lib/wsl/lib/libdxcore.so" in paths
    assert f"{STORE}/libcuda.so.1.1" in paths
    assert [hook["args"][1] for hook in spec["containerEdits"]["hooks"]] == ["create-symlinks", "update-ldcache"]


def test_the_runtimes_configuration_is_written_by_the_package_and_no_conffile(host):
    assert 'mode = "auto"' in host.file("/etc/nvidia-container-runtime/config.toml").content_string
    conffiles = host.check_output("dpkg-query --show --showformat '${Conffiles}' nvidia-container-toolkit-base")
    assert "config.toml" not in conffiles


def test_daemon_json_keeps_what_others_and_other_roles_wrote(host):
    assert json.loads(host.file("/etc/docker/daemon.json").content_string) == {
        "log-driver": "json-file",
        "log-opts": {"max-size": "10m", "max-file": "3"},
        "bip": "10.213.0.1/24",
        "runtimes": {
            "slow": {"path": "runc"},
            "nvidia": {"args": [], "path": "nvidia-container-runtime"},
        },
    }


def test_the_four_packages_have_one_version(host):
    assert {host.package(name).version for name in PACKAGES} == {"1.20.1-1"}


def test_the_older_sources_are_set_aside_and_apt_is_content(host):
    assert not host.file("/etc/apt/sources.list.d/libnvidia-container.list").exists
    assert not host.file("/etc/apt/sources.list.d/nvidia-docker.list").exists
    update = host.run("apt-get update --error-on=any")
    assert update.rc == 0, update.stderr


def test_the_proof_is_not_repeated_while_nothing_changed(user_run, host):
    user_run("docker image rm --force ubuntu:24.04")
    assert converge(host) == (0, "")
    assert user_run("docker image inspect ubuntu:24.04").rc == 1


def test_bad_versions_and_a_missing_gpu_are_refused_together_before_any_change(host):
    host.run("umount /dev/dxg; mv /dev/dxg /dev/dxg.away")
    changed, message = converge(host, nvidia_ctk_version="1.19.1")
    host.run("mv /dev/dxg.away /dev/dxg")
    assert changed == 0
    assert "nvidia_ctk_version 1.19.1 is below 1.20.0" in message
    assert 'run "wsl --update" and "wsl --shutdown" there' in message
    assert host.package("nvidia-container-toolkit").version == "1.20.1-1"


def test_another_version_is_put_in_for_all_four_packages_with_one_restart(host):
    changed, message = converge(host, **OTHER_VERSION)
    assert message == ""
    assert {host.package(name).version for name in PACKAGES} == {"1.20.0-1"}
    assert changed == 3


@pytest.mark.parametrize("former_stays", [False, True])
def test_after_a_driver_update_on_windows_the_gpu_is_described_anew_once(host, user_run, former_stays):
    old, new = (NEW_STORE, STORE) if former_stays else (STORE, NEW_STORE)
    host.run_expect([0], f"{'cp -a' if former_stays else 'mv'} {old} {new}")
    assert converge(host, **OTHER_VERSION) == (1, "")
    assert f"hostPath: {new}/libcuda.so.1.1" in host.file(SPEC).content_string
    assert converge(host, **OTHER_VERSION) == (0, "")
    shown = user_run(f"{RUN} --device nvidia.com/gpu=all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    host.run_expect([0], f"rm -rf {NEW_STORE}" if former_stays else "true")


def test_a_refresh_that_fails_names_the_cause_and_the_remedy_until_the_driver_is_back(host):
    host.run_expect([0], f"mv /usr/lib/wsl/lib/libdxcore.so /root/ && rm {SPEC}")
    host.run("for once in 1 2 3 4 5 6 7; do systemctl start nvidia-cdi-refresh; done")  # more often than it takes
    changed, message = converge(host, **OTHER_VERSION)
    assert changed == 0
    assert "The GPU could not be described for containers" in message
    assert "WSL sees no NVIDIA GPU. Update NVIDIA's driver on Windows" in message
    assert "GPU access blocked by the operating system" in message
    assert converge(host, **OTHER_VERSION, nvidia_ctk_gpu_check=False) == (0, "")  # not asked for: said, and gone on
    host.run_expect([0], "mv /root/libdxcore.so /usr/lib/wsl/lib/")
    host.run("for once in 1 2 3 4 5 6 7; do systemctl start nvidia-cdi-refresh; done")
    host.run(f"rm -f {SPEC}")
    assert converge(host, **OTHER_VERSION) == (1, "")
    assert host.file(SPEC).exists
    assert host.check_output("systemctl is-active nvidia-cdi-refresh.path") == "active"


def test_what_leads_the_users_docker_astray_is_named_by_the_proof(host):
    host.run_expect([0], "printf '\nexport DOCKER_HOST=tcp://localhost:2375\n' >> /home/dev/.profile")
    _, message = converge(host, **OTHER_VERSION, nvidia_ctk_gpu_check_image="busybox")
    host.run_expect([0], "sed -i '/DOCKER_HOST/d' /home/dev/.profile")
    assert "The docker command of dev is led to another daemon, by DOCKER_HOST" in message


def test_verify_names_the_line_of_a_shells_file_that_leads_docker_elsewhere(host):
    host.run_expect(
        [0], "cp -p /home/dev/.bashrc /root/ && echo 'export DOCKER_HOST=tcp://localhost:2375' >> /home/dev/.bashrc"
    )
    number = host.check_output("wc -l < /home/dev/.bashrc")
    found = verified(host, "shells_lead", "docker_answers")
    host.run_expect([0], "cp -p /root/.bashrc /home/dev/.bashrc")
    outcome, note = found["the user's shells lead docker to this engine"]
    assert outcome == "BROKEN"
    assert "DOCKER_HOST=tcp://localhost:2375 in an interactive shell leads docker elsewhere" in note
    assert f"set in /home/dev/.bashrc:{number} " in note
    assert "take that line out of the file and open a new terminal" in note
    assert found["the user may use Docker, and it runs"][0] == "not asked"


def test_verify_gives_a_remedy_that_works_where_a_password_program_is_gone(host, user_run):
    host.run_expect(
        [0],
        'cd /home/dev/.docker && cp -p config.json /root/ && echo \'{"credsStore": "desktop.exe"}\' > config.json',
    )
    outcome, note = verified(host, "hello_world")["an image is pulled, and runs"]
    host.run_expect([0], "cp -p /root/config.json /home/dev/.docker/config.json")
    assert outcome == "BROKEN"
    assert "docker-credential-desktop.exe" in note
    assert 'take "credsStore" (or the entry of "credHelpers") out of ~dev/.docker/config.json' in note


def test_verify_shows_why_docker_does_not_start(host):
    host.run_expect(
        [0], 'cp -p /etc/docker/daemon.json /root/ && echo \'{"bip": "nonsense"}\' > /etc/docker/daemon.json'
    )
    host.run("systemctl restart docker")
    outcome, note = verified(host, "docker_answers")["the user may use Docker, and it runs"]
    host.run_expect([0], "cp -p /root/daemon.json /etc/docker/ && systemctl reset-failed docker.service docker.socket")
    host.run_expect([0], "systemctl start docker.socket docker.service")
    assert outcome == "BROKEN"
    assert "nonsense" in note
    assert "sudo systemctl reset-failed docker.service docker.socket" in note


def test_a_lost_driver_is_named_as_the_cause(host):
    host.run("mv /usr/lib/wsl/lib/libdxcore.so /root/")
    _, message = converge(host, **OTHER_VERSION, nvidia_ctk_gpu_check_image="busybox")
    host.run("mv /root/libdxcore.so /usr/lib/wsl/lib/")
    assert "No GPU in a container" in message
    assert "The driver's files are missing from /usr/lib/wsl/lib." in message
