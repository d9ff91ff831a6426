"""cuda_wsl: the toolkit is there for its user, and no Linux driver can come in."""

import pytest

DRIVERS = [
    "cuda",
    "cuda-13-4",
    "cuda-drivers",
    "nvidia-driver-580",
    "libnvidia-compute-580",
    "nvidia-driver-550",  # the distribution's own
    "libnvidia-compute-550",
]


def test_the_compiler_is_on_the_path_of_a_login_shell(user_run):
    shown = user_run("nvcc --version")
    assert shown.rc == 0, shown.stderr
    assert "Cuda compilation tools, release 13.4" in shown.stdout


def test_a_shell_without_a_login_shell_above_it_knows_the_compiler(host):
    """VS Code's terminals, "docker exec" and "wsl.exe -e bash" start such shells."""
    bare = "runuser -u dev -- env -i HOME=/home/dev PATH=/usr/bin:/bin bash -i -c"
    assert host.run(f"{bare} 'command -v nvcc; echo $PATH' </dev/null").stdout == (
        "/usr/local/cuda/bin/nvcc\n/usr/local/cuda/bin:/usr/bin:/bin\n"
    )


def test_the_search_path_is_set_once_even_in_a_shell_within_a_shell(user_run):
    shown = user_run("bash -lc 'echo $PATH'").stdout.splitlines()
    assert shown[-1].split(":").count("/usr/local/cuda/bin") == 1


def test_the_loader_finds_cuda_without_a_variable_that_would_come_before_pytorchs(host, user_run):
    assert user_run("bash -lc 'echo ${LD_LIBRARY_PATH-unset}'").stdout == "unset\n"
    folders = host.run("/sbin/ldconfig -v -N").stdout
    assert "/usr/local/cuda/targets/x86_64-linux/lib: (from /etc/ld.so.conf.d/000_cuda.conf:1)" in folders


@pytest.mark.parametrize("package", DRIVERS)
def test_apt_refuses_to_install_a_linux_driver(host, package):
    tried = host.run(f"apt-get install --simulate {package}")
    assert tried.rc == 100
    assert f"Package '{package}' has no installation candidate" in tried.stderr


def test_the_repository_does_offer_them(host):
    offered = host.check_output("apt-cache madison cuda-drivers nvidia-driver-580")
    assert "developer.download.nvidia.com" in offered, "the test above would prove nothing"


def test_no_linux_driver_is_installed(host):
    names = "'nvidia-driver-*' 'cuda-drivers*' 'libnvidia-compute-*' cuda 'cuda-[0-9]*'"
    shown = host.run(f"dpkg-query --show --showformat '${{db:Status-Status}} ${{Package}}\\n' {names}").stdout
    assert [line for line in shown.splitlines() if line.startswith("installed")] == []


def test_the_driver_of_windows_still_answers(host):
    assert "GPU 0: NVIDIA GeForce RTX 4090" in host.check_output("/usr/lib/wsl/lib/nvidia-smi -L")


def test_nvidias_repository_is_reached_through_the_proxy_alone(host, requests_during):
    runs = []
    seen = requests_during(lambda: runs.append(host.run("apt-get update --error-on=any")))
    assert runs[0].rc == 0, runs[0].stderr
    assert {record["via"] for record in seen if record["host"] == "developer.download.nvidia.com"} == {"proxy"}


def test_the_repository_is_trusted_by_its_own_key_alone(host):
    source = host.file("/etc/apt/sources.list.d/cuda-wsl.sources").content_string
    tree = {"22.04": "wsl-ubuntu", "24.04": "wsl-ubuntu", "26.04": "ubuntu2604"}[host.system_info.release]
    assert f"URIs: https://developer.download.nvidia.com/compute/cuda/repos/{tree}/x86_64/" in source
    assert "Signed-By: /etc/apt/keyrings/cuda-wsl.asc" in source
