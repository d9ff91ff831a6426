"""What cannot work is refused with a cause and a remedy before anything was changed."""

from __future__ import annotations

import pytest

from lab.compare import differences

BLOCK = {
    "name": "verge-mihomo.exe",
    "direction": "in",
    "action": "block",
    "protocol": "tcp",
    "program": "C:\\Program Files\\Clash Verge\\verge-mihomo.exe",
}
LISTENS = {"address": "127.0.0.1:7890", "program": "C:\\Program Files\\Clash Verge\\verge-mihomo.exe"}
NOT_UPDATED = {
    "product": "Windows 10",
    "edition": "Professional",
    "build": 19045,
    "ubr": 3570,
    "display_version": "22H2",
}


@pytest.mark.parametrize(
    ("machine", "changes", "arguments", "cause", "remedy"),
    [
        ("windows10-1909", {}, [], "build 10.0.18363", "Run Windows Update"),
        ("no-nvidia-driver", {}, [], "no working NVIDIA driver", "Install the newest Game Ready or Studio driver"),
        ("old-gpu", {}, [], "compute capability 6.1", "cuda_windows_version to 12.9.1"),
        ("no-virtualization", {}, [], "Virtualization is switched off", "in the firmware (UEFI)"),
        ("full-disk", {}, [], "Drive C: has 6 GB left", "Make room"),
        (
            "windows11-zh-cn",
            {"network": {"proxy": LISTENS | {"running": False}}},
            [],
            "Nothing listens on port 7890",
            "Start the proxy program",
        ),
        (
            "windows11-zh-cn",
            {"network": {"proxy": LISTENS | {"listens": "127.0.0.1"}}},
            [],
            "for this PC alone",
            'Switch on "Allow LAN"',
        ),
        ("windows11-zh-cn", {"firewall": [BLOCK]}, [], "firewall rule(s) verge-mihomo.exe", "Delete them in"),
        (
            "windows11-zh-cn",
            {},
            ["-e", "windows_base_hostname=office_pc_of_the_boss"],
            "not a valid computer name",
            "1 to 15 letters, digits and hyphens",
        ),
        ("windows11-zh-cn", {}, ["-e", "cuda_windows_version=13.4.2"], "No checksum is known", "md5sum.txt"),
        (
            "windows11-zh-cn",
            {},
            ["-e", "wsl_distribution_name=Debian"],
            "No image is known",
            "wsl_distribution_image_url",
        ),
        ("windows10-22h2", {}, ["-e", "wsl_networking_mode=mirrored"], "needs Windows 11 22H2", "to nat"),
        (
            "windows10-22h2",
            {"windows": NOT_UPDATED},
            ["-e", "wsl_networking_mode=mirrored"],  # a second finding, told with the first
            "needs Windows 11 22H2",
            "Run Windows Update until it is at least 19045.4474; or sign in at the PC",
        ),
        (
            "windows10-22h2",
            {"windows": NOT_UPDATED},
            ["-e", "wsl_enable_memory=8gb"],  # a value, told before the PC is asked anything
            "WSL does not understand the size 8gb.",
            "for example 16GB. Nothing was changed.",
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_refused_with_cause_and_remedy_before_a_change(new_pc, machine, changes, arguments, cause, remedy):
    pc = new_pc(machine, **changes)
    before = pc.state()
    run = pc.play(*arguments)
    said = " ".join(run.output.split())
    assert run.code == 2
    assert cause in said
    assert remedy in said
    assert run.recap["changed"] == 0
    assert differences(pc.state(), before) == []
    assert pc.events("request", "boot", "wsl", "installed") == []
