"""What the owner of a PC has after the site has run inside the distribution."""

GROUP = "wsl"
WHOAMI = "/mnt/c/Windows/System32/whoami.exe /user /groups /fo csv /nh"


def test_nvidia_smi_runs_in_a_container(user_run):
    shown = user_run("docker run --rm --gpus all ubuntu:24.04 nvidia-smi")
    assert shown.rc == 0, shown.stderr
    assert "NVIDIA GeForce RTX 4090" in shown.stdout


def test_what_no_terminal_has_started_is_not_elevated(host):
    said = host.check_output(f"cd / && runuser -u dev -- env -u WSL_INTEROP {WHOAMI}")
    assert "\\student" in said
    assert "S-1-16-8192" in said
    assert "S-1-16-12288" not in said
