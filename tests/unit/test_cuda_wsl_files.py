"""What cuda_wsl writes and refuses, without a host."""

import fnmatch
import subprocess

import pytest

from tests.unit import apt_root
from tests.unit.role_values import ROLES, role_files, role_value

GOOD = ["free 40", "gpu GPU 0: NVIDIA GeForce RTX 4090"]


def value(expression, found=GOOD, release="24.04", **variables):
    facts = {
        "ansible_facts": {"architecture": "x86_64", "distribution_version": release},
        "__cuda_wsl_facts_read": {"stdout_lines": found},
    }
    return role_value("cuda_wsl", expression, **(facts | variables))


def refusals(found=GOOD, **variables):
    return value("__cuda_wsl_refusals", found, **variables)


def files(*found, **variables):
    facts = {"ansible_facts": {"distribution_version": "24.04"}}
    return role_files("cuda_wsl", __cuda_wsl_facts_read={"stdout_lines": list(found)}, **facts, **variables)


def pinned(package):
    preferences = files()["/etc/apt/preferences.d/cuda-wsl"]["content"]
    names = next(line for line in preferences.splitlines() if line.startswith("Package: ")).split()[1:]
    return any(fnmatch.fnmatchcase(package, name) for name in names)


@pytest.mark.parametrize(
    "package",
    ["cuda", "cuda-13-4", "cuda-drivers", "cuda-drivers-580", "cuda-runtime-13-4", "nvidia-driver-580",
     "nvidia-driver-580-open", "nvidia-open", "nvidia-dkms-580", "nvidia-utils-580", "libnvidia-compute-580",
     "libnvidia-common-580", "libnvidia-cfg1-580", "libnvidia-gl-580", "linux-modules-nvidia-580-generic",
     "xserver-xorg-video-nvidia-580"],
)  # fmt: skip
def test_a_package_of_a_linux_driver_is_pinned_out(package):
    assert pinned(package)


@pytest.mark.parametrize(
    "package",
    ["cuda-toolkit", "cuda-toolkit-13-4", "cuda-nvcc-13-4", "cuda-cudart-dev-13-4", "cuda-keyring", "libcublas-13-4",
     "libnvidia-container1", "libnvidia-container-tools", "nvidia-container-toolkit", "nvidia-settings"],
)  # fmt: skip
def test_everything_else_of_nvidia_stays_installable(package):
    assert not pinned(package)


def test_the_pin_forbids_every_version():
    lines = files()["/etc/apt/preferences.d/cuda-wsl"]["content"].splitlines()
    assert lines[-2:] == ["Pin: release *", "Pin-Priority: -1"]


@pytest.mark.parametrize(
    ("site", "host"),
    [
        ("", "developer.download.nvidia.com"),
        ("https://developer.download.nvidia.cn/x/", "developer.download.nvidia.cn"),
    ],
)
def test_outside_wsl_the_pin_forbids_the_drivers_of_nvidias_repository_alone(site, host):
    lines = files("plain", cuda_wsl_repository=site)["/etc/apt/preferences.d/cuda-wsl"]["content"].splitlines()
    assert lines[-2:] == [f"Pin: origin {host}", "Pin-Priority: -1"]


@pytest.mark.parametrize(("found", "keep"), [((), False), (("plain",), False), (("plain", "nvidias"), True)])
def test_a_machine_whose_driver_may_come_from_there_gets_no_pin(found, keep):
    note = "/var/lib/wsl-dl-playbook/cuda_wsl/packages"
    assert list(files(*found, cuda_wsl_keep_driver_out=keep)) == [note, "/etc/profile.d/cuda.sh", "/etc/bash.bashrc"]


def test_the_path_is_set_once_and_the_loader_is_left_alone(tmp_path):
    script = tmp_path / "cuda.sh"
    script.write_text(files()["/etc/profile.d/cuda.sh"]["content"])
    command = ["sh", "-uc", f". {script}; . {script}; echo $PATH; echo ${{LD_LIBRARY_PATH-unset}}"]
    shown = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    assert shown.stdout == "/usr/local/cuda/bin:/usr/bin:/bin\nunset\n"


NAMES = ("__cuda_wsl_repository", "__cuda_wsl_key_url", "__cuda_wsl_key_fingerprint")
SITE = "https://developer.download.nvidia.com/compute/cuda/repos"


@pytest.mark.parametrize(
    ("release", "tree", "key", "fingerprint"),
    [
        ("22.04", "wsl-ubuntu", "3bf863cc", "EB693B3035CD5710E231E123A4B469963BF863CC"),
        ("24.04", "wsl-ubuntu", "3bf863cc", "EB693B3035CD5710E231E123A4B469963BF863CC"),
        ("26.04", "ubuntu2604", "60DF8A40", "14BAFBC7562AD710CA04E69905FBB6DA60DF8A40"),
        ("26.10", "ubuntu2604", "60DF8A40", "14BAFBC7562AD710CA04E69905FBB6DA60DF8A40"),
    ],
)
def test_each_release_gets_the_repository_whose_key_its_apt_accepts(release, tree, key, fingerprint):
    expected = [f"{SITE}/{tree}/x86_64/", f"{SITE}/{tree}/x86_64/{key}.pub", fingerprint]
    assert [value(name, release=release) for name in NAMES] == expected


@pytest.mark.parametrize(
    ("release", "tree", "key"),
    [("22.04", "ubuntu2204", "3bf863cc"), ("24.04", "ubuntu2404", "3bf863cc"), ("26.04", "ubuntu2604", "60DF8A40")],
)
def test_a_machine_that_is_not_wsl_gets_the_repository_of_its_release(release, tree, key):
    expected = [f"{SITE}/{tree}/x86_64/", f"{SITE}/{tree}/x86_64/{key}.pub"]
    assert [value(name, [*GOOD, "plain"], release) for name in NAMES[:2]] == expected


def test_the_look_gets_both_repositories_since_it_tells_which_counts():
    assert value("__cuda_wsl_facts_repositories") == f"{SITE}/wsl-ubuntu/x86_64 {SITE}/ubuntu2404/x86_64"
    mine = {"cuda_wsl_repository": "https://mirror.example/cuda/"}
    assert value("__cuda_wsl_facts_repositories", **mine) == "https://mirror.example/cuda https://mirror.example/cuda"


def test_the_same_tree_on_another_site_has_the_same_key():
    site = {"cuda_wsl_repository": "https://developer.download.nvidia.cn/compute/cuda/repos/ubuntu2604/x86_64"}
    assert [value(name, release="26.04", **site) for name in NAMES] == [
        "https://developer.download.nvidia.cn/compute/cuda/repos/ubuntu2604/x86_64",
        "https://developer.download.nvidia.cn/compute/cuda/repos/ubuntu2604/x86_64/60DF8A40.pub",
        "14BAFBC7562AD710CA04E69905FBB6DA60DF8A40",
    ]


def test_a_key_of_the_users_own_wins():
    own = {"cuda_wsl_key_url": "https://pc.lan/key", "cuda_wsl_key_fingerprint": "A" * 40}
    assert [value(name, release="26.04", **own) for name in NAMES[1:]] == ["https://pc.lan/key", "A" * 40]


def test_the_newest_toolkit_is_the_default_and_a_version_is_appended():
    assert value("cuda_wsl_packages") == ["cuda-toolkit"]
    assert value("cuda_wsl_packages", cuda_wsl_version="13.4") == ["cuda-toolkit-13-4"]


@pytest.mark.parametrize("written", ["13.4", "13.4.1", "13-4"])
def test_a_version_is_written_as_for_windows_or_as_apt_writes_it(written):
    names = "[cuda_wsl_packages, __cuda_wsl_toolkit, __cuda_wsl_folder, __cuda_wsl_links]"
    assert value(names, cuda_wsl_version=written) == [
        ["cuda-toolkit-13-4"], "cuda-toolkit-13-4", "/usr/local/cuda-13.4", ["cuda", "cuda-13"]
    ]  # fmt: skip
    assert refusals(cuda_wsl_version=written) == []


def test_what_is_installed_is_not_installed_again():
    assert value("__cuda_wsl_missing", [*GOOD, "installed cuda-toolkit"]) == []


def test_check_mode_leaves_out_packages_that_apt_does_not_know_yet():
    assert value("__cuda_wsl_foreseen", ansible_check_mode=True) is True
    assert value("__cuda_wsl_foreseen", [*GOOD, "known cuda-toolkit"], ansible_check_mode=True) is False
    assert value("__cuda_wsl_foreseen") is False


OFFERED = ["offered 12-9", "offered 13-3", "offered 13-4"]


@pytest.mark.parametrize("known", [OFFERED, [line.replace("offered", "indexed") for line in OFFERED]])
def test_a_version_that_the_repository_does_not_have_is_refused_with_those_that_it_has(known):
    said = refusals([*GOOD, *known], cuda_wsl_version="13.9")
    assert said == [
        f"CUDA 13.9 is not in NVIDIA's repository {SITE}/wsl-ubuntu/x86_64/, which has "
        '12.9, 13.3, 13.4. Set cuda_wsl_version to one of these, or to "" for the newest.'
    ]
    assert refusals([*GOOD, *known], cuda_wsl_version="13.3") == []


def test_a_version_that_apt_does_not_know_yet_but_the_repository_has_is_not_refused():
    found = [*GOOD, "indexed 13-4", "offered 13-4", "offered 13-5"]
    assert refusals(found, cuda_wsl_version="13.5") == []
    assert value("__cuda_wsl_stale", found, cuda_wsl_version="13.5") is True


def test_where_neither_apt_nor_the_repository_was_asked_nothing_is_refused():
    assert refusals(cuda_wsl_version="13.9") == []
    assert value("__cuda_wsl_stale", cuda_wsl_version="13.4") is False


def test_an_installed_version_is_not_looked_for():
    found = [*GOOD, "installed cuda-toolkit-13-2", "indexed 13-4"]
    assert refusals(found, cuda_wsl_version="13.2") == []


def test_the_links_of_a_version_are_those_of_nvidias_packages():
    names = "[__cuda_wsl_toolkit, __cuda_wsl_folder, __cuda_wsl_links]"
    assert value(names, cuda_wsl_version="13.3") == ["cuda-toolkit-13-3", "/usr/local/cuda-13.3", ["cuda", "cuda-13"]]
    assert value("__cuda_wsl_links") == []
    found = [
        *GOOD,
        "active cuda /usr/local/cuda-13.4",
        "active cuda-13 /usr/local/cuda-13.3",
        "chosen cuda-13 /usr/local/cuda-13.3",
    ]
    assert value("__cuda_wsl_active", found) == ["cuda /usr/local/cuda-13.4", "cuda-13 /usr/local/cuda-13.3"]


@pytest.mark.parametrize(
    ("script", "lines"),
    [
        (
            "echo cuda manual /usr/local/cuda-13.3; echo cuda-13 auto /usr/local/cuda-13.4; echo editor auto /bin/nano",
            [
                "active cuda /usr/local/cuda-13.3",
                "chosen cuda /usr/local/cuda-13.3",
                "active cuda-13 /usr/local/cuda-13.4",
            ],
        ),
        ("exit 2", []),
    ],
)
def test_the_facts_name_the_active_toolkits(tmp_path, script, lines):
    assert [
        line for line in facts(tmp_path, {"update-alternatives": script}) if line[:6] in ("active", "chosen")
    ] == lines


PACKAGES = "".join(
    f"Package: {name}\n"
    for name in (
        "cuda-13-9",
        "cuda-toolkit",
        "cuda-toolkit-13-10",
        "cuda-toolkit-13-4",
        "cuda-toolkit-13-config-common",
    )
)


def test_the_script_asks_the_repository_for_what_apt_does_not_know(tmp_path):
    (tmp_path / "index").write_text(PACKAGES)
    programs = {
        "curl": f'echo "$@" > {tmp_path}/asked; gzip -c {tmp_path}/index',
        "apt-cache": "true",
        "apt-get": "true",
    }
    found = facts(tmp_path, programs, "https://repo.lan/x", "http://127.0.0.1:17890", "cuda-toolkit-13-5")
    assert [line for line in found if line[:7] in ("offered", "indexed")] == ["offered 13-4", "offered 13-10"]
    assert (tmp_path / "asked").read_text().endswith("--proxy http://127.0.0.1:17890 https://repo.lan/x/Packages.gz\n")


@pytest.mark.parametrize("words", [("https://repo.lan/x", "", "cuda-toolkit"), ("", "", "cuda-toolkit-13-5")])
def test_the_script_asks_nobody_without_need(tmp_path, words):
    facts(tmp_path, {"curl": f"touch {tmp_path}/asked", "apt-cache": "true", "apt-get": "true"}, *words)
    assert not (tmp_path / "asked").exists()


def facts(folder, programs, *words):
    """Return the lines of facts.sh with stand-ins for programs."""
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    words = words or ("", "", "cuda-toolkit")
    argv = ["sh", ROLES / "cuda_wsl/files/facts.sh", "cuda-drivers", *words[:2], f"{folder}/note", *words[2:]]
    shown = subprocess.run(argv, env={"PATH": f"{folder}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    return shown.stdout.splitlines()


def test_the_defaults_are_not_refused():
    assert refusals() == []


@pytest.mark.parametrize("version", ["13", "13.4.1.2", "13-4-1", "latest", "13.4; reboot", "13.4\n"])
def test_what_is_no_version_is_refused(version):
    assert any('use, for example, "13.4"' in text for text in refusals(cuda_wsl_version=version))


@pytest.mark.parametrize("package", ["cuda", "cuda-13-4", "cuda-drivers", "nvidia-driver-580", "libnvidia-compute-580"])
def test_a_driver_among_the_packages_is_refused(package):
    assert len(refusals(cuda_wsl_packages=["cuda-toolkit", package])) == 1


def test_an_installed_linux_driver_is_refused_with_the_command_that_removes_it():
    found = refusals([*GOOD, "driver nvidia-driver-580", "driver libnvidia-compute-580"])
    assert len(found) == 1
    assert '"sudo apt-get purge nvidia-driver-580 libnvidia-compute-580"' in found[0]


def test_an_installed_linux_driver_is_right_on_a_machine_that_is_not_wsl():
    assert refusals([*GOOD, "plain", "driver nvidia-driver-580"]) == []
    assert refusals([*GOOD, "driver nvidia-driver-580"], cuda_wsl_keep_driver_out=False) == []


def test_outside_wsl_a_package_with_another_driver_is_refused_for_what_it_does_there():
    (found,) = refusals([*GOOD, "plain"], cuda_wsl_packages=["cuda"])
    assert "or outside WSL another driver than the one that the machine has. Name cuda-toolkit" in found


def test_outside_wsl_nobody_has_to_make_room_on_a_windows_drive():
    assert refusals(["plain", "free 3", "gpu x"])[0] == (
        "3 GB are free, and 10 are needed. Make room, or lower cuda_wsl_min_free_gb when you install single packages."
    )


def test_a_missing_gpu_is_refused_with_its_cause_unless_nobody_asks():
    found = ["free 40", "nogpu nvidia-smi says 'blocked': update the NVIDIA driver on Windows."]
    assert refusals(found) == [
        "No GPU is visible. nvidia-smi says 'blocked': update the NVIDIA driver on Windows. "
        "To install the toolkit without a GPU, set cuda_wsl_gpu_check to false."
    ]
    assert refusals(found, cuda_wsl_gpu_check=False) == []


def test_too_little_space_is_refused_only_when_something_is_to_be_installed():
    full = ["free 3", "gpu x"]
    assert refusals(full)[0].startswith("3 GB are free, and 10 are needed.")
    assert refusals([*full, "installed cuda-toolkit"]) == []
    assert refusals(full, cuda_wsl_min_free_gb=0) == []


def test_values_from_the_command_line_are_strings_and_mean_the_same():
    found = ["free 3", "nogpu x", "driver cuda-drivers"]
    options = {"cuda_wsl_keep_driver_out": "false", "cuda_wsl_gpu_check": "false", "cuda_wsl_min_free_gb": "0"}
    assert refusals(found, **options) == []


def test_absent_refuses_nothing():
    assert refusals(["free 0", "nogpu x", "driver cuda-drivers"], cuda_wsl_state="absent") == []


def test_leftovers_of_earlier_installations_are_named_with_the_remedy():
    found = [*GOOD, "local cuda-repo-wsl-ubuntu-12-5-local", "oldkey /etc/apt/trusted.gpg"]
    named = value("__cuda_wsl_leftovers", found)
    assert len(named) == 2
    assert "sudo apt-get purge cuda-repo-wsl-ubuntu-12-5-local." in named[0]
    assert "sudo apt-key del 7fa2af80, or delete /etc/apt/trusted.gpg." in named[1]


def test_a_library_path_in_front_of_pytorchs_is_named_with_its_place():
    found = [*GOOD, "ldpath /home/dev/.bashrc:119:export LD_LIBRARY_PATH=/usr/local/cuda/lib64"]
    assert value("__cuda_wsl_leftovers", found)[0].endswith(
        "remove these lines: /home/dev/.bashrc:119:export LD_LIBRARY_PATH=/usr/local/cuda/lib64"
    )


@pytest.mark.parametrize("script", ["facts.sh", "verify.sh"])
def test_the_scripts_are_valid_shell(script):
    assert subprocess.run(["sh", "-n", ROLES / "cuda_wsl/files" / script], check=False).returncode == 0


APT_CACHE = r"""#!/bin/sh
one='%s\n  %s (none)\n  %s %s\n'
case $1:$LC_ALL in
pkgnames:*) echo nvidia-driver-580; echo cuda; echo zlib1g ;;
policy:C.UTF-8) printf "$one" nvidia-driver-580: Installed: Candidate: 580.1 cuda: Installed: Candidate: '(none)' ;;
policy:*) printf "$one" nvidia-driver-580： 已安装： 候选： 580.1 cuda： 已安装： 候选： （无） ;;
esac
"""


def test_a_driver_that_could_come_in_is_seen_on_a_chinese_machine(tmp_path):
    """FACTS P29: apt translates what the script reads."""
    program = tmp_path / "apt-cache"
    program.write_text(APT_CACHE)
    program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "LC_ALL": "zh_CN.UTF-8"}
    argv = ["sh", ROLES / "cuda_wsl/files/verify.sh"]
    shown = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=20)
    assert shown.stdout.split() == ["nvidia-driver-580"]


@apt_root.needs_apt
def test_an_apt_that_cannot_read_its_sources_does_not_pass_for_one_without_drivers(tmp_path, monkeypatch):
    root = apt_root.make(tmp_path / "root", monkeypatch)
    argv = ["sh", ROLES / "cuda_wsl/files/verify.sh"]
    assert subprocess.run(argv, capture_output=True, text=True, timeout=60).returncode == 0
    (root / "etc/apt/sources.list").write_text("deb http://broken\n")
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert (shown.returncode, shown.stdout) == (100, "")
    assert "Malformed entry 1 in list file" in shown.stderr


def test_an_apt_that_does_not_answer_does_not_pass_for_one_without_drivers(tmp_path):
    program = tmp_path / "apt-cache"
    program.write_text("#!/bin/sh\nsleep 30\n")
    program.chmod(0o755)
    text = (ROLES / "cuda_wsl/files/verify.sh").read_text().replace("timeout 60", "timeout 0.5")
    shown = subprocess.run(
        ["sh", "-c", text], env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=20
    )
    assert (shown.returncode, shown.stderr) == (124, "apt-cache pkgnames had not answered after 60 s.\n")


POLICY = """#!/bin/sh
[ "$1 $2" = "policy nvidia-driver-580" ] || exit 0
cat <<'END'
nvidia-driver-580:
  Installed: 580.95.05-1
  Candidate: 580.95.05-1
  Version table:
 *** 580.95.05-1 {mine}
        500 {origin} Packages
        100 /var/lib/dpkg/status
     580.90.01-1 500
        500 {other} Packages
END
"""
NVIDIAS = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64 "
UBUNTUS = "http://archive.ubuntu.com/ubuntu noble/restricted amd64"


@pytest.mark.parametrize(
    ("origin", "other", "found"),
    [
        (UBUNTUS, NVIDIAS, False),
        (NVIDIAS, UBUNTUS, True),
        ("file:/var/cuda-repo-ubuntu2404-13-4-local ", UBUNTUS, True),
        ("https://ppa.launchpadcontent.net/graphics-drivers/ppa/ubuntu noble/main amd64", NVIDIAS, False),
    ],
)
def test_outside_wsl_it_is_seen_whether_the_driver_comes_from_nvidias_repository(tmp_path, origin, other, found):
    programs = {
        "apt-cache": POLICY.format(mine=500, origin=origin, other=other),
        "dpkg-query": "#!/bin/sh\ncase $* in *nvidia-driver*) echo installed nvidia-driver-580 ;; esac\n",
        "grep": '#!/bin/sh\ncase $* in *osrelease* | *mounts*) exit 1 ;; esac\nexec /usr/bin/grep "$@"\n',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    argv = ["sh", ROLES / "cuda_wsl/files/facts.sh", "nvidia-driver-*", "", "", "no note", "cuda-toolkit"]
    shown = subprocess.run(argv, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    lines = shown.stdout.splitlines()
    assert "plain" in lines
    assert "driver nvidia-driver-580" in lines
    assert ("nvidias" in lines) is found


@pytest.mark.parametrize(
    ("smi", "says"),
    [
        (
            None,
            "nogpu /usr/bin/nvidia-smi is missing: this machine has no NVIDIA driver. "
            'Run "sudo ubuntu-drivers install" and restart it (on a server "sudo ubuntu-drivers install --gpgpu"',
        ),
        (
            "echo Failed to initialize NVML: Driver/library version mismatch; exit 18",
            "nogpu nvidia-smi says 'Failed to initialize NVML: Driver/library version mismatch': restart this",
        ),
        ("exit 124", "nogpu nvidia-smi does not answer within a minute: restart this machine; "),
        ("echo GPU 0: NVIDIA H100", "gpu GPU 0: NVIDIA H100"),
    ],
)
def test_outside_wsl_a_driver_is_accepted_or_named(tmp_path, smi, says):
    (tmp_path / "grep").write_text(
        '#!/bin/sh\ncase $* in *osrelease* | *mounts*) exit 1 ;; esac\nexec /usr/bin/grep "$@"\n'
    )
    if smi:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{smi}\n")
    for path in tmp_path.iterdir():
        path.chmod(0o755)
    argv = ["sh", ROLES / "cuda_wsl/files/facts.sh", "nvidia-driver-*", "", "", "no note", "cuda-toolkit"]
    shown = subprocess.run(argv, env={"PATH": f"{tmp_path}:/usr/bin:/bin"}, capture_output=True, text=True, timeout=60)
    (line,) = [line for line in shown.stdout.splitlines() if line.startswith(("gpu", "nogpu"))]
    assert line.startswith(says)
    assert "Windows" not in line
    assert "  " not in line
