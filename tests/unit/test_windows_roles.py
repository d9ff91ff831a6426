"""What the Windows roles conclude from what they read, without a host."""

from __future__ import annotations

import base64
import json

import pytest

from lab.winsim.model.pins import PINS
from tests.unit.role_values import role_value

WINDOWS_10_TOO_OLD = "10.0.19044.0"
WINDOWS_10 = "10.0.19045.0"
WINDOWS_11_21H2 = "10.0.22000.0"
WINDOWS_11 = "10.0.26100.0"


def facts(build: str = WINDOWS_11) -> dict:
    return {
        "ansible_facts": {
            "distribution_version": build,
            "env": {"SystemDrive": "C:", "USERPROFILE": "C:\\Users\\u", "LOCALAPPDATA": "C:\\Users\\u\\AppData\\Local"},
        }
    }


@pytest.mark.parametrize(("build", "new_enough"), [(WINDOWS_10_TOO_OLD, False), (WINDOWS_10, True), (WINDOWS_11, True)])
def test_windows_10_22h2_is_the_oldest(build, new_enough):
    assert (
        role_value("windows_base", "__windows_base_build is version(__windows_base_minimum, '>=')", **facts(build))
        is new_enough
    )


@pytest.mark.parametrize(
    ("name", "valid"),
    [
        ("DL-01", True),
        ("a", True),
        ("x" * 15, True),
        ("x" * 16, False),
        ("1234", False),
        ("-a", False),
        ("a-", False),
        ("a_b", False),
        ("a.b", False),
        ("工作站", False),
    ],
)
def test_a_computer_name_is_what_rfc_1123_and_netbios_allow(name, valid):
    matches = role_value("windows_base", "name is match(__windows_base_hostname_pattern)", name=name)
    assert matches is valid


POWERCFG = """
{plan} GUID: 381b4222-F694-41f0-9685-ff5bb260df2e  (Power 0x00000001)
    {setting} GUID: 29f6c1db-86da-48c5-9fdb-f2b67b1f44da  ({setting})
      {setting}: 0x00000000
      {setting}: 0xffffffff
    {ac}: 0x00000E10
    {dc}: 0x00000384

    {setting} GUID: 94ac6d29-73ce-41a6-809f-6363ba21b47e  ({setting})
      {setting}: 000
    {ac}: 0x00000001
    {dc}: 0x00000001

    {setting} GUID: 9d7815a6-7ee4-497e-8888-515a05f02364  ({setting})
    {ac}: 0x{hibernate:08x}
    {dc}: 0x00000384
"""
CHINESE = {"plan": "电源方案", "setting": "电源设置", "ac": "当前交流电源设置索引", "dc": "当前直流电源设置索引"}
ENGLISH = {
    "plan": "Power Scheme",
    "setting": "Power Setting",
    "ac": "Current AC Power Setting Index",
    "dc": "Current DC Power Setting Index",
}


@pytest.mark.parametrize("words", [CHINESE, ENGLISH])
def test_the_timeouts_on_mains_power_are_read_whatever_the_language(words):
    read = {"stdout": POWERCFG.format(**words, hibernate=0).replace("\n", "\r\n")}
    known = {"__windows_base_sleep_read": read}
    assert role_value("windows_base", "__windows_base_sleep_scheme", **known) == "381b4222-f694-41f0-9685-ff5bb260df2e"
    assert role_value("windows_base", "__windows_base_sleep_timeouts", **known) == {
        "29f6c1db-86da-48c5-9fdb-f2b67b1f44da": "00000e10"
    }
    assert role_value("windows_base", "__windows_base_sleep_notice | split | join(' ')", **known) == (
        "Sleep after 60 minutes on mains power will be switched off (windows_base_keep_awake); "
        "windows_base_state: absent gives it back."
    )


def test_what_a_later_run_switches_off_is_added_to_what_was_saved():
    known = {
        "__windows_base_sleep_read": {"stdout": POWERCFG.format(**ENGLISH, hibernate=600)},
        "__windows_base_sleep_policies": {
            "results": [
                {"exists": True, "item": "9d7815a6-7ee4-497e-8888-515a05f02364"},
                {"exists": False, "item": "x"},
            ]
        },
        "__windows_base_sleep_value": {"value": '{"other plan": {"x": "00000001"}}'},
    }
    assert role_value("windows_base", "__windows_base_sleep_save", **known) == {
        "other plan": {"x": "00000001"},
        "381b4222-f694-41f0-9685-ff5bb260df2e": {"29f6c1db-86da-48c5-9fdb-f2b67b1f44da": "00000e10"},
    }


@pytest.mark.parametrize(
    ("logon", "there", "runs"),
    [
        ("Network", True, False),
        ("NetworkCleartext", True, False),
        ("Batch", True, False),
        ("System", True, False),
        ("Interactive", True, True),
        ("RemoteInteractive", True, True),
        ("Interactive", False, False),
    ],
)
def test_winget_is_used_in_the_session_of_a_person_only(logon, there, runs):
    known = {"__windows_base_winget_file": {"stat": {"exists": there}}, "__windows_base_logon": {"logon_type": logon}}
    assert role_value("windows_base", "__windows_base_winget_runs", **known) is runs


@pytest.mark.parametrize(
    ("server", "ours"),
    [
        ("127.0.0.1:7890", True),
        ("localhost:7890", True),
        ("http://127.0.0.1:7890", True),
        ("http=127.0.0.1:7890;https=127.0.0.1:7890", True),
        ("http=127.0.0.1:7890;https=10.0.0.1:8080", False),
        ("10.0.0.1:7890", False),
        ("127.0.0.1:7891", False),
        ("", False),
        (None, False),
    ],
)
def test_a_system_proxy_that_the_program_switched_on_itself_is_recognised(server, ours):
    read = {"diff": {"before": {"server": server}}}
    assert role_value("windows_proxy", "__windows_proxy_user_ours", __windows_proxy_user_read=read) is ours


def rule(**parts: str) -> dict:
    known = {"Action": "Block", "Active": "TRUE", "Dir": "In", "Protocol": "6", "Profile": "Public", "Name": "Clash"}
    text = "v2.32|" + "".join(f"{key}={value}|" for key, value in (known | parts).items())
    return {"value": text, "raw_value": text, "type": "REG_SZ"}


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (rule(App="C:\\Program Files\\Clash\\clash.exe"), ["Clash"]),
        (rule(App="C:\\Program Files\\Clash\\CLASH.EXE", Name="代理"), ["代理"]),
        (rule(App="C:\\clash.exe", Action="Allow"), []),
        (rule(App="C:\\clash.exe", Active="FALSE"), []),
        (rule(App="C:\\clash.exe", Dir="Out"), []),
        (rule(App="C:\\notclash.exe"), []),
        (rule(), []),
        (rule(App="C:\\clash.exe", Protocol="17"), []),
    ],
)
def test_the_rule_that_blocks_the_proxy_program_is_named(value, names):
    known = {
        "ansible_facts": {
            "tcp_listen": [{"port": 7890, "address": "0.0.0.0", "name": "clash"}, {"port": 445, "name": "System"}]
        },
        "__windows_proxy_rules": {
            "properties": {"TCP Query User{1}C:\\clash.exe": value, "(default)": {"value": None}}
        },
    }
    assert role_value("windows_proxy", "__windows_proxy_block_rules", **known) == names
    ids = ["TCP Query User{1}C:\\clash.exe"] if names else []
    assert role_value("windows_proxy", "__windows_proxy_block_ids", **known) == ids


@pytest.mark.parametrize(
    ("addresses", "count"), [(["127.0.0.1", "::1"], 0), (["0.0.0.0"], 1), (["::", "127.0.0.1"], 1)]
)
def test_a_proxy_for_this_pc_alone_is_out_of_reach_for_wsl(addresses, count):
    listening = [{"port": 7890, "address": address, "name": "clash"} for address in addresses]
    reachable = role_value("windows_proxy", "__windows_proxy_reachable", ansible_facts={"tcp_listen": listening})
    assert len(reachable) == count


def environment(level: str, saved: dict | None = None, **now: str) -> dict:
    return {
        "__windows_proxy_level": level,
        "__windows_proxy_environment_read": {"properties": {name: {"raw_value": now[name]} for name in now}},
        "__windows_proxy_environment_value": {"exists": saved is not None, "value": json.dumps(saved)},
    }


OURS = {"http_proxy": "http://127.0.0.1:7890", "https_proxy": "http://127.0.0.1:7890"}


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (environment("machine", Path="%SystemRoot%"), OURS | {"no_proxy": "localhost,127.0.0.1,::1"}),
        (environment("user", Path="%SystemRoot%", no_proxy_x="a"), {}),
        (environment("user", HTTP_PROXY="http://10.9.9.9:3128"), {"http_proxy": "http://127.0.0.1:7890"}),
        (environment("user", All_Proxy="socks5://127.0.0.1:1080"), {"all_proxy": "http://127.0.0.1:7890"}),
        (environment("user", NO_PROXY="::1, *, .corp"), {"no_proxy": "localhost,127.0.0.1,::1,.corp"}),
    ],
)
def test_the_machine_gets_the_variables_and_those_of_the_user_follow_whatever_their_case(known, wanted):
    assert role_value("windows_proxy", "__windows_proxy_environment", **known) == wanted


@pytest.mark.parametrize(
    ("known", "save"),
    [
        (environment("machine", HTTP_PROXY="http://old:1", Path="x"), {"http_proxy": "http://old:1"}),
        (environment("machine", {}, http_proxy="http://127.0.0.1:7890"), {}),
        (environment("user", {"http_proxy": "a"}, http_proxy="b", no_proxy="c"), {"http_proxy": "a", "no_proxy": "c"}),
    ],
)
def test_what_was_there_first_is_kept_and_what_came_later_is_added(known, save):
    assert role_value("windows_proxy", "__windows_proxy_environment_save", **known) == save


@pytest.mark.parametrize(
    ("port", "here"),
    [(7839, ""), (7840, "7840-7939"), (7939, "7840-7939"), (7940, ""), (5357, "5357-5357"), (50010, "50000-50059")],
)
def test_a_port_in_a_range_that_windows_keeps_is_seen_whatever_the_language(port, here):
    said = "\r\n协议 tcp 端口排除范围\r\n\r\n开始端口    结束端口\r\n----------    --------\r\n"
    said += "      5357        5357\r\n      7840        7939\r\n     50000       50059     *\r\n\r\n* - 管理\r\n"
    known = {"__windows_proxy_excluded_read": {"stdout": said}, "windows_proxy_port": port}
    assert (role_value("windows_proxy", "__windows_proxy_excluded_here", **known) or "") == here


def test_the_bootstrapper_gets_the_workload_its_parts_and_the_languages():
    known = {
        "visual_studio_components": ["X"],
        "visual_studio_languages": ["zh-CN", "en-US"],
        "visual_studio_recommended": True,
    }
    assert role_value("visual_studio", "__visual_studio_add", **known) == [
        "--add",
        "Microsoft.VisualStudio.Workload.NativeDesktop",
        "--add",
        "X",
        "--includeRecommended",
        "--addProductLang",
        "zh-CN",
        "--addProductLang",
        "en-US",
    ]
    bare = {"visual_studio_product": "BuildTools", "visual_studio_recommended": False}
    assert role_value("visual_studio", "__visual_studio_add", **bare) == [
        "--add",
        "Microsoft.VisualStudio.Workload.VCTools",
    ]


@pytest.mark.parametrize(
    ("version", "product", "url"),
    [
        (2022, "Community", "https://aka.ms/vs/17/release/vs_community.exe"),
        (2026, "BuildTools", "https://aka.ms/vs/18/stable/vs_BuildTools.exe"),
    ],
)
def test_the_bootstrapper_comes_from_microsoft(version, product, url):
    assert (
        role_value("visual_studio", "__visual_studio_url", visual_studio_version=version, visual_studio_product=product)
        == url
    )


def test_an_incomplete_visual_studio_does_not_count():
    instances = [{"isComplete": False, "installationPath": "C:\\a"}, {"isComplete": True, "installationPath": "C:\\b"}]
    known = {"__visual_studio_instances": {"stdout": json.dumps(instances)}}
    assert role_value("visual_studio", "__visual_studio_complete", **known) == instances[1:]
    assert role_value("visual_studio", "__visual_studio_path", **known) == "C:\\b"


@pytest.mark.parametrize(
    ("version", "file"),
    [
        ("13.4.2", "cuda_13.4.2_windows_x86_64.exe"),
        ("13.3.0", "cuda_13.3.0_windows.exe"),
        ("12.9.1", "cuda_12.9.1_576.57_windows.exe"),
    ],
)
def test_nvidia_names_the_installer_by_version(version, file):
    url = role_value("cuda_windows", "__cuda_windows_url", cuda_windows_version=version)
    assert url == f"https://developer.download.nvidia.com/compute/cuda/{version}/local_installers/{file}"


def test_two_numbers_name_the_pinned_version():
    names = "[__cuda_windows_version, __cuda_windows_short, __cuda_windows_file, __cuda_windows_checksum[:7]]"
    pinned = PINS["cuda_windows"]["version"]
    short = pinned.rpartition(".")[0]
    assert role_value("cuda_windows", names, cuda_windows_version=short) == [
        pinned, short, f"cuda_{pinned}_windows_x86_64.exe", "sha256:"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("version", "driver", "capability", "carries"),
    [("13.4.1", "580", "7.5", False), ("13.0.2", "580", "7.5", True), ("12.9.1", "525", "5.0", True)],
)
def test_a_cuda_version_asks_for_a_driver_and_a_gpu(version, driver, capability, carries):
    expression = "[__cuda_windows_minimum_driver, __cuda_windows_minimum_capability, __cuda_windows_carries_driver]"
    assert role_value("cuda_windows", expression, cuda_windows_version=version) == [driver, capability, carries]


def test_the_best_gpu_counts():
    read = {"stdout_lines": ["581.57, 6.1", "581.57, 8.9"]}
    assert role_value(
        "cuda_windows", "[__cuda_windows_driver, __cuda_windows_capability]", __cuda_windows_smi_read=read
    ) == [
        "581.57",
        8.9,
    ]


@pytest.mark.parametrize(
    ("stdout", "keys", "there"),
    [
        (
            "Cuda compilation tools, release 13.4, V13.4.59",
            ["{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_CUDAToolkit_13.4"],
            True,
        ),
        (
            "Cuda compilation tools, release 13.4, V13.4.59",
            ["{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_CUDAToolkit_13.3"],
            False,
        ),
        ("", ["{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_CUDAToolkit_13.4"], False),
    ],
)
def test_cuda_is_there_when_nvcc_runs_and_windows_lists_it(stdout, keys, there):
    known = {"__cuda_windows_nvcc_read": {"stdout": stdout}, "__cuda_windows_programs": {"sub_keys": keys}}
    known["__cuda_windows_notes"] = {"properties": {}}
    assert role_value("cuda_windows", "__cuda_windows_there", **known) is there


@pytest.mark.parametrize(
    ("notes", "there", "update"),
    [
        ({}, True, ""),  # of a toolkit that was there before only the minor version is known
        ({"13.4": "13.4.2"}, True, ""),
        ({"13.4": "13.4.1"}, False, "13.4.1"),
        ({"12.9": "12.9.1"}, True, ""),
    ],
)
def test_another_update_of_the_roles_own_toolkit_is_another_toolkit(notes, there, update):
    known = {
        "cuda_windows_version": "13.4.2",
        "__cuda_windows_nvcc_read": {"stdout": "Cuda compilation tools, release 13.4, V13.4.61"},
        "__cuda_windows_programs": {"sub_keys": ["{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}_CUDAToolkit_13.4"]},
        "__cuda_windows_notes": {"properties": {name: {"value": version} for name, version in notes.items()}},
    }
    assert role_value("cuda_windows", "[__cuda_windows_there, __cuda_windows_update]", **known) == [there, update]


def test_all_toolkits_of_the_role_are_uninstalled_and_no_other():
    guid = "{B2FE1952-0186-46C3-BAEC-A80AA35AC5B8}"
    names = ["CUDANvcc_13.4", "CUDAToolkit_12.9", "CUDAToolkit_1279", "CUDAToolkit_13.3", "Display.Driver"]
    known = {
        "__cuda_windows_programs": {"sub_keys": [f"{guid}_{name}" for name in names]},
        "__cuda_windows_uninstall_shorts": ["13.4", "12.9"],
    }
    found = role_value("cuda_windows", "__cuda_windows_uninstall_products", **known)
    assert found == [f"{guid}_CUDANvcc_13.4", f"{guid}_CUDAToolkit_12.9"]


def disk(free_gb: int) -> dict:
    volume = {"size_remaining": free_gb * 1_000_000_000}
    disks = [{"partitions": [{"drive_letter": "C", "volumes": [volume]}]}]
    return {"ansible_facts": {"ansible_disks": disks}}


def cuda(version: str, components: list[str], gpu: str = "581.57, 8.9", free_gb: int = 100) -> list[str]:
    """What cuda_windows refuses on a PC that has no toolkit yet."""
    known = facts() | {
        "cuda_windows_version": version,
        "cuda_windows_components": components,
        "__cuda_windows_nvcc_read": {"skipped": True},
        "__cuda_windows_programs": {"sub_keys": []},
        "__cuda_windows_notes": {},
        "__cuda_windows_smi_read": {"stdout_lines": [gpu]},
        "__cuda_windows_disks": disk(free_gb),
    }
    return role_value("cuda_windows", "__cuda_windows_refusals", **known)


def test_cuda_tells_all_that_is_wrong_at_once():
    said = cuda("13.0.2", [], gpu="560.1, 6.1", free_gb=3)
    assert [text.strip()[:40] for text in said] == [
        "The NVIDIA driver is 560.1; CUDA 13.0.2 ",
        "The GPU has compute capability 6.1; CUDA",
        "No checksum is known for CUDA 13.0.2. Lo",
        "The installer of CUDA 13.0.2 carries a d",
        "Drive C: has 3 GB left, CUDA 13.0.2 need",
    ]
    assert (
        "[nvcc_13.0, crt_13.0, nvvm_13.0, nvptxcompiler_13.0, cudart_13.0, thrust_13.0, visual_studio_integration_13.0]"
        in said[3]
    )
    assert cuda(PINS["cuda_windows"]["version"], []) == []


@pytest.mark.parametrize(
    ("version", "components", "said"),
    [
        ("13.4.1", ["nvcc_13.4", "cudart_13.4"], "not crt_13.4 and nvvm_13.4, which are components of their own"),
        ("13.4.1", ["nvcc_13.4", "crt_13.4"], "not nvvm_13.4, which"),
        ("13.4.1", ["nvcc_13.4", "crt_13.4", "nvvm_13.4"], ""),
        ("13.4.1", ["cudart_13.4"], ""),
        ("13.4.1", ["cudart_13.3", "cudart"], "names cudart_13.3, cudart; the components of CUDA 13.4.1 end in _13.4"),
        ("12.9.1", ["nvcc_12.9", "cudart_12.9"], ""),
    ],
)
def test_the_components_must_be_those_that_nvcc_of_the_version_needs(version, components, said):
    refusals = [text for text in cuda(version, components) if "components" in text]
    assert said in " ".join(refusals)
    assert bool(refusals) is bool(said)


def test_visual_studio_tells_all_that_is_wrong_at_once():
    known = facts() | {
        "__visual_studio_can_verify": False,
        "__visual_studio_equipped": {"skipped": True},
        "__visual_studio_disks": disk(3),
    }
    said = role_value("visual_studio", "__visual_studio_refusals", **known)
    assert [text.strip()[:40] for text in said] == [
        "The collection ansible.windows on the co",
        "Drive C: has 3 GB left, Visual Studio 20",
    ]
    assert role_value("visual_studio", "__visual_studio_refusals", **known, visual_studio_state="absent") == []


def test_every_exit_code_of_visual_studio_has_a_cause_and_a_remedy():
    meanings = role_value("visual_studio", "__visual_studio_rc_meaning")
    assert {code for code, text in meanings.items() if len(text.rstrip(".").split(". ")) < 2} == set()
    assert role_value("visual_studio", "__visual_studio_rc_busy") == [1001, 1618]
    run = {"__visual_studio_run": {"rc": 1003}}
    assert role_value("visual_studio", "__visual_studio_why", **run).startswith(
        "failed with exit code 1003. Visual Studio is in use. Close Visual Studio"
    )


@pytest.mark.parametrize(
    ("build", "features", "sections"),
    [
        (
            WINDOWS_10,
            ["VirtualMachinePlatform", "Microsoft-Windows-Subsystem-Linux"],
            {"general": {"instanceIdleTimeout": -1}},
        ),
        (
            WINDOWS_11_21H2,
            ["VirtualMachinePlatform"],
            {"general": {"instanceIdleTimeout": -1}, "wsl2": {"vmIdleTimeout": -1}},
        ),
        (
            WINDOWS_11,
            ["VirtualMachinePlatform"],
            {"general": {"instanceIdleTimeout": -1}, "wsl2": {"vmIdleTimeout": -1, "networkingMode": "nat"}},
        ),
    ],
)
def test_features_and_wslconfig_follow_the_windows_version(build, features, sections):
    assert role_value("wsl_enable", "__wsl_enable_features", **facts(build)) == features
    assert role_value("wsl_enable", "__wsl_enable_wslconfig_settings", **facts(build)) == sections


def reasons(active="A", name="A", cbs=False, renames=None, changed=False, there=False):
    registered = (
        [
            {
                "properties": {
                    "DistributionName": {"value": "Ubuntu-24.04"},
                    "State": {"value": 1 if there != "broken" else 3},
                    "Version": {"value": 1 if there == "WSL 1" else 2},
                }
            }
        ]
        if there
        else []
    )
    return {
        "__wsl_enable_restart_read": {
            "results": [{"value": active}, {"value": name}, {"exists": cbs}, {"value": renames}]
        },
        "__wsl_enable_features_set": {"changed": changed},
        "__wsl_enable_lxss_read": {"results": registered},
    }


@pytest.mark.parametrize(
    ("known", "needed"),
    [
        (reasons(), False),
        (reasons(cbs=True), True),
        (reasons(renames=["x"]), True),
        (reasons(name="B"), True),
        (reasons(name="B", there=True), True),
        (reasons(active="dl-01", name="DL-01"), False),
        (reasons(cbs=True, renames=["x"], there=True), False),
        (reasons(cbs=True, there=True, changed=True), True),
        (reasons(cbs=True, there="broken"), True),
        (reasons(cbs=True, there="WSL 1"), True),
    ],
)
def test_windows_is_restarted_for_a_reason_and_a_finished_pc_only_for_its_name(known, needed):
    assert role_value("wsl_enable", "__wsl_enable_restart_needed", **known) is needed


@pytest.mark.parametrize(
    ("output", "off"),
    [
        ('{"hypervisor_missing":true,"firmware_off":true}', True),
        ('{"hypervisor_missing":true,"firmware_off":false}', False),
        ('{"hypervisor_missing":false,"firmware_off":true}', False),
        ("", False),
        ("Get-CimInstance : Access denied", False),
    ],
)
def test_virtualization_is_refused_only_on_a_clear_answer(output, off):
    known = {"__wsl_enable_virtualization_read": {"stdout": output, "rc": 0 if output else 1}}
    assert role_value("wsl_enable", "__wsl_enable_virtualization_off", **known) is off


def wsl_pc(build: str = WINDOWS_11, revision: int = 1, text: bytes | None = None, **more) -> dict:
    """What wsl_enable has read from a PC without WSL, with or without a ``.wslconfig``."""
    known = facts(build)
    known["ansible_facts"]["user_sid"] = "S-1-5-21-1-2-3-1001"
    known |= {
        "__wsl_enable_package_read": {},
        "__wsl_enable_lxss_read": {"results": []},
        "__wsl_enable_revision_read": {"value": revision},
        "__wsl_enable_virtualization_read": {"stdout": ""},
        "__wsl_enable_wslconfig_file": {"stat": {"exists": text is not None}},
        "__wsl_enable_wslconfig_read": {"content": base64.b64encode(text or b"").decode()},
        "__wsl_enable_wslconfig_value": {"exists": False},
    }
    return known | more


@pytest.mark.parametrize(
    ("build", "revision", "remedy"),
    [
        ("10.0.26100.0", 1, ""),
        ("10.0.26200.0", 1, ""),
        ("10.0.22631.0", 3672, ""),
        ("10.0.22631.0", 3671, "Run Windows Update until it is at least 22631.3672"),
        ("10.0.22621.0", 1, "Run Windows Update until it is at least 22621.3672"),
        ("10.0.19045.0", 4474, ""),
        ("10.0.19045.0", 4473, "Run Windows Update until it is at least 19045.4474"),
        ("10.0.22000.0", 9999, "This build gets no updates any more: upgrade to Windows 11 22H2 or newer"),
    ],
)
def test_a_windows_that_cannot_take_the_wsl_package_is_refused_with_the_remedy(build, revision, remedy):
    refusals = role_value("wsl_enable", "__wsl_enable_refusals", **wsl_pc(build, revision))
    assert len(refusals) == (1 if remedy else 0)
    assert all(remedy in refusal and f"{build[5:10]}.{revision} of Windows" in refusal for refusal in refusals)
    package = {"properties": {"Version": {"value": "2.6.1.0"}}}
    there = wsl_pc(build, revision, __wsl_enable_package_read=package)
    assert role_value("wsl_enable", "__wsl_enable_refusals", **there) == []


def test_all_findings_are_told_at_once():
    known = wsl_pc("10.0.19045.0", 1, b"\xfe\xff" + "[wsl2]\n".encode("utf-16-be"))
    known |= {"wsl_enable_networking_mode": "mirrored", "wsl_enable_memory": "8gb"}
    known |= {"wsl_enable_wslconfig": {"wsl2": {"kernel": "C:\\kernel"}}}
    beginnings = [refusal[:32] for refusal in role_value("wsl_enable", "__wsl_enable_refusals", **known)]
    assert beginnings == [
        "Networking mode mirrored needs W",
        "WSL does not understand the size",
        "WSL would not read [wsl2] kernel",
        "WSL does not read C:\\Users\\u\\.ws",
        "On build 19045.1 of Windows the ",
    ]
    assert len(role_value("wsl_enable", "__wsl_enable_refusals", **known, wsl_enable_state="absent")) == 1


def test_all_findings_about_the_distribution_are_told_at_once():
    known = {"ansible_facts": {"user_sid": "S-1-5-18", "env": {"SystemDrive": "C:"}}}
    known |= {"wsl_distribution_user": "Root", "wsl_distribution_name": "Debian", "__wsl_distribution_free_gb": 3}
    known |= {"__wsl_distribution_lxss_read": {"results": []}}
    findings = role_value("wsl_distribution", "__wsl_distribution_refusals", **known)
    assert [finding[:32] for finding in findings] == [
        "The connection runs as LocalSyst",
        '"Root" is not a name for an ordi',
        "No image is known for Debian. Se",
        "Drive C: has 3 GB left, Debian n",
    ]
    known["wsl_distribution_state"] = "absent"
    assert len(role_value("wsl_distribution", "__wsl_distribution_refusals", **known)) == 1


NOTE = (
    "Your networking mode will change: line 2 of C:\\Users\\u\\.wslconfig has networkingMode=Mirrored, it becomes nat. "
    "To keep yours, set wsl_networking_mode to mirrored (wsl_enable_networking_mode, where the role is used alone)."
)


@pytest.mark.parametrize(
    ("text", "mode", "notes"),
    [
        ("[experimental]\nnetworkingMode=Mirrored\n", "nat", [NOTE]),
        ("[experimental]\nnetworkingMode=Mirrored\n", "mirrored", []),
        ("[wsl2]\nnetworkingMode=consomme\n", "virtioproxy", []),
        ("[wsl2]\nnetworkingMode=virtioproxy\n", "consomme", []),
        ("[wsl2]\nnetworkingMode=NAT\n[experimental]\nnetworkingMode=mirrored\n", "nat", []),
        ("[wsl2]\nmemory=8GB\n", "nat", []),
    ],
)
def test_a_change_of_the_networking_mode_is_told_before(text, mode, notes):
    known = wsl_pc(text=text.encode(), wsl_enable_networking_mode=mode)
    told = "__wsl_enable_notes | selectattr('tell') | map(attribute='what') | list"
    assert role_value("wsl_enable", told, **known) == notes


@pytest.mark.parametrize(
    ("build", "mode", "proxy", "wsl2"),
    [
        (WINDOWS_11, "nat", "http://127.0.0.1:7890", {"networkingMode": "nat", "autoProxy": False}),
        (WINDOWS_11, "consomme", "http://localhost:7890", {"networkingMode": "virtioproxy", "autoProxy": False}),
        (WINDOWS_11, "mirrored", "http://127.0.0.1:7890", {"networkingMode": "mirrored"}),
        (WINDOWS_11, "nat", "http://proxy.example.org:8080", {"networkingMode": "nat"}),
        (WINDOWS_11, "nat", "", {"networkingMode": "nat"}),
        (WINDOWS_10, "virtioproxy", "http://127.0.0.1:7890", {"networkingMode": "virtioproxy"}),
    ],
)
def test_auto_proxy_is_off_where_it_could_only_warn(build, mode, proxy, wsl2):
    known = wsl_pc(build, wsl_enable_networking_mode=mode, wsl_enable_http_proxy=proxy)
    written = role_value("wsl_enable", "__wsl_enable_wslconfig_settings", **known)["wsl2"]
    written.pop("vmIdleTimeout", None)
    assert written == wsl2


@pytest.mark.parametrize(
    ("password", "at", "unattended"), [(True, "boot", True), (True, "logon", False), (False, "boot", False)]
)
def test_the_distribution_starts_with_windows_where_that_is_possible_and_wanted(password, at, unattended):
    known = {"ansible_password": "x"} if password else {}
    expression = "__wsl_distribution_keepalive_unattended"
    value = role_value("wsl_distribution", expression, wsl_distribution_keepalive_at=at, **known)
    assert value is unattended


def test_the_backup_of_the_wslconfig_of_an_earlier_version_keeps_the_former_values():
    known = wsl_pc(text=b"[wsl2]\nmemory=4GB\nvmIdleTimeout=-1\n", wsl_enable_memory="8GB")
    known["__wsl_enable_wslconfig_value"] = {"value": '{"wsl2": {"vmIdleTimeout": "60000"}}'}
    plan = role_value("wsl_enable", "__wsl_enable_wslconfig_plan", **known)
    assert plan["backup"]["keys"] == {
        "general": {"instanceIdleTimeout": None},
        "wsl2": {"memory": "4GB", "networkingMode": None, "vmIdleTimeout": "60000"},
    }


def test_an_unknown_distribution_has_no_image_until_it_is_given():
    assert role_value("wsl_distribution", "__wsl_distribution_image_url", wsl_distribution_name="Debian") == ""


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {
                "msg": "non-zero return code",
                "rc": 1,
                "cmd": '"C:\\WSL\\wsl.exe" -d U --exec id',
                "stdout": "Catastrophic failure",
            },
            "wsl.exe ended with exit code 1 and says: Catastrophic failure. Type",
        ),
        (
            {
                "msg": "non-zero return code",
                "rc": 1618,
                "cmd": "C:\\Windows\\System32\\schtasks.exe /run",
                "stderr": " ",
            },
            "schtasks.exe ended with exit code 1618 and says: nothing. Type",
        ),
        ({"msg": "winrm: the connection broke"}, "winrm: the connection broke"),
    ],
)
def test_a_program_of_windows_that_fails_is_named_with_what_it_says(result, said):
    assert role_value("wsl_distribution", "__wsl_distribution_failed", ansible_failed_result=result).startswith(said)
