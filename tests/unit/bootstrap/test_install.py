"""bootstrap/Install.ps1, run by a real PowerShell on a simulated Windows (install_pc.py)."""

from __future__ import annotations

import pytest

from lab.winsim.model import wsl
from lab.winsim.model.pins import PINS
from tests.unit.bootstrap.install_pc import PWSH

pytestmark = pytest.mark.skipif(not PWSH, reason="needs PowerShell 7: pwsh on the PATH, or its path in PWSH")

WSL = f"{PINS['wsl']['version']}.0"
SETTINGS = [
    "wsl_distribution=Ubuntu-24.04",
    "wsl_user=dev",
    "wsl_networking_mode=nat",
    "proxy_state=present",
    "proxy_port=7890",
    "visual_studio_state=present",
    "cuda_windows_state=present",
    "windows_base_hostname=",
]
SITE = [
    ["copy", "zh"],
    ["settings", *SETTINGS],
    ["python", "7890", "-"],
    ["run", "site", "7890"],
    ["run", "site", "7890"],
]
ANSWERS = {
    "distribution": "Ubuntu-24.04",
    "proxy": "7890",
    "drive": "C",
    "user": "dev",
    "compilers": "yes",
    "name": "keep",
    "index": "-",
    "password": "-",
}


def refused(pc, *texts, **given):
    """Expect that it stops with all these texts at once, and has changed nothing but its log."""
    before = pc.state()
    code, said = pc.start(Yes=True, **given)
    assert code == 1, said
    assert [text for text in texts if text not in said] == [], said
    assert said.count("已停止：") == said.count("处理办法：") == len(texts), said
    assert pc.state() == before | {"files": ["install.log"]}
    return said


def test_a_bare_pc_with_one_restart(make_pc):
    pc = make_pc()
    code, said = pc.start(Yes=True)
    assert code == 0, said
    assert "[4/8] 重启一次\nwsl-dl-playbook 将重新启动电脑，再次登录后自动继续。\n" in said
    assert pc.inside.calls == []
    code, said = pc.restart_and_sign_in()
    assert code == 0, said
    assert "完成。请在开始菜单打开 Ubuntu-24.04。" in said
    assert "dev 还没有 sudo 密码。设置方法：wsl -d Ubuntu-24.04 -u root passwd dev\n" in said
    assert pc.inside.calls == [*SITE, ["proof", "dev"]]
    assert pc.world["asked"] == []
    assert [boot["reason"] for boot in pc.machine.boots[1:]] == ["wsl-dl-playbook 将重新启动电脑，再次登录后自动继续。"]
    state = pc.state()
    assert state["machine"]["install"].pop("done")
    assert state["machine"] == {
        "install": ANSWERS,
        "wsl_enable": {"features": "VirtualMachinePlatform", "package": PINS["wsl"]["version"]},
    }
    assert state["person"] == {"wsl_enable": {"distribution": "Ubuntu-24.04"}}
    assert (state["wsl"], state["tasks"], state["rules"]) == (WSL, [], ["wsl-dl-playbook: WSL to the proxy"])
    assert [name for name in state["files"] if "download" in name] == []
    downloads = len([call for call in pc.calls if "--output" in call])
    code, said = pc.start()  # a day later: it only looks, and asks nothing
    assert (code, pc.world["asked"]) == (0, []), said
    assert len([call for call in pc.calls if "--output" in call]) == downloads == 2
    assert len(pc.machine.boots) == 2


def test_a_download_that_breaks_is_resumed_and_a_wrong_one_refused(make_pc):
    pc = make_pc()
    url = "*release-assets*"
    pc.machine.faults["downloads"] = [{"kind": "break", "url": url, "bytes": 100_000_000, "times": 1}]
    assert pc.start(Yes=True)[0] == 0
    asked = [
        item for item in pc.machine.network.requests if "release-assets" in item["url"] and item["method"] == "GET"
    ]
    assert [item["start"] for item in asked] == [0, 100_000_000]
    pc = make_pc()
    pc.machine.faults["downloads"] = [{"kind": "corrupt", "url": url}]
    code, said = pc.start(Yes=True)
    assert code == 1
    assert f"wsl.{WSL}.x64.msi 下载不正确" in said
    assert pc.state()["wsl"] is None


def test_no_proxy_program(make_pc):
    pc = make_pc(network={"proxy": {"address": "127.0.0.1:7890", "running": False}})
    refused(pc, f"不用代理 无法访问 {PINS['wsl']['url']}（curl 返回")
    refused(pc, "本机端口 7890 没有程序在监听。", ProxyPort=7890)


def test_a_proxy_that_wsl_cannot_reach(make_pc):
    pc = make_pc(network={"proxy": {"address": "127.0.0.1:7897", "running": True, "listens": "127.0.0.1"}})
    said = refused(pc, "端口 7897 的代理只监听 127.0.0.1，WSL 无法访问。")
    assert "请在代理软件中打开“允许局域网连接”（Allow LAN）。" in said
    (pc.drives["C"] / "Users" / "student" / ".wslconfig").write_text("[wsl2]\nnetworkingMode=mirrored\n")
    assert pc.start(Yes=True)[0] == 0


def test_all_findings_come_at_once(make_pc):
    windows = {"product": "Windows 11", "build": 22631, "ubr": 3000, "display_version": "23H2", "language": "zh-CN"}
    pc = make_pc(windows=windows, hardware={"virtualization": False}, gpu={"driver": None})
    refused(
        pc, "Windows 22631.3000 无法安装当前的 WSL，需要 22631.3672。", "固件中没有打开虚拟化。", "NVIDIA 驱动没有响应"
    )
    assert not any(call[0].endswith("dism.exe") for call in pc.calls)


def test_a_notebook_that_is_not_plugged_in(make_pc):
    pc = make_pc()
    pc.world["plugged"] = [False]
    assert "请接通电源，然后重新运行。" in refused(pc, "电脑正在使用电池，电量可能不够用到安装完成。")
    pc.world["plugged"] = [False, True]  # the second battery is that of a dock
    assert pc.start(Yes=True)[0] == 0


def test_a_name_that_no_pc_can_have(make_pc):
    refused(make_pc(), "-lab 不能作为电脑的名称。", ComputerName="-lab")


def test_a_windows_that_is_too_old(make_pc):
    code, said = make_pc("windows10-1909").start(Yes=True)
    assert code == 1
    assert "Stopped: Windows is too old: build 18363, and WSL 2 with a GPU needs 19045.\n" in said


def test_a_full_c_and_room_on_d(make_pc):
    pc = make_pc(disks={"C": {"size_gb": 237, "free_gb": 10}, "D": {"size_gb": 900, "free_gb": 500}})
    pc.finish()
    state = pc.state()
    assert state["machine"]["install"]["drive"] == "D"
    assert state["distributions"]["Ubuntu-24.04"][1] == "D:\\wsl"
    assert pc.inside.calls[1][-3:-1] == ["visual_studio_state=ignore", "cuda_windows_state=ignore"]


def test_no_room_anywhere(make_pc):
    refused(make_pc("full-disk", windows={"language": "zh-CN"}), "C: 盘剩余 6 GB，需要 22 GB。")
    refused(make_pc(), "没有 NTFS 盘 E:。", Drive="E:")


def test_the_distribution_that_is_there_is_used(make_pc):
    installed = [
        {"name": "wsl"},
        {"name": "distribution", "distribution": "Debian", "version": "13"},
        {"name": "distribution", "distribution": "Ubuntu", "version": "24.04", "default_user": "mei"},
    ]
    pc = make_pc(installed=installed, features={"VirtualMachinePlatform": "Enabled"})
    before = pc.state()
    code, said = pc.start(Yes=True)
    assert code == 0, said
    assert len(pc.machine.boots) == 1
    assert pc.inside.calls[1][1:3] == ["wsl_distribution=Ubuntu", "wsl_user=mei"]
    assert pc.inside.calls[-1] == ["proof", "mei"]
    assert sorted(pc.state()["distributions"]) == ["Debian", "Ubuntu"]
    assert pc.state()["machine"].keys() == {"install"}
    code, said = pc.start(Remove=True)  # nothing of the person's goes, so nothing is asked
    assert code == 0, said
    assert pc.world["asked"] == []
    pc.machine.firewall.clear()  # the role's part
    assert pc.state() == before | {"rules": []}


def test_a_user_that_the_distribution_does_not_have(make_pc):
    pc = make_pc("already-done", windows={"language": "zh-CN"})
    refused(pc, "发行版 Ubuntu-24.04 没有用户 you。", LinuxUser="you")


def test_a_registration_that_was_broken_off(make_pc):
    pc = make_pc()
    assert pc.start(Yes=True)[0] == 0
    pc.machine.reboot()
    view = pc.machine.registry.view("student")
    view.set("HKCU\\Software\\wsl-dl-playbook\\wsl_enable", "distribution", "Ubuntu-24.04")
    image = wsl.Content(1, data={"distribution": {"version": "24.04"}})
    wsl.register(pc.machine, "student", "Ubuntu-24.04", None, image, oobe=True)
    item = wsl.find(pc.machine, "student", "Ubuntu-24.04")
    view.set(f"{wsl.HKCU_LXSS}\\{item.id}", "State", 3)
    code, said = pc.sign_in()
    assert code == 0, said
    assert [state for state, _, _ in pc.state()["distributions"].values()] == [1]
    assert wsl.find(pc.machine, "student", "Ubuntu-24.04").id != item.id


def test_six_questions_and_no_password_of_windows(make_pc):
    """The account has a PIN only: Windows has no password that anybody could type."""
    pc = make_pc(users=[{"name": "student", "groups": ["Administrators", "Users"], "password": None}])
    code, said = pc.start(answers=["", "", "Mei", "mei", "no", "-lab", "LAB-7", "Gehe!m 密码", "later"])
    assert code == 0, said
    assert [text[:2] for text in pc.world["asked"]] == ["1.", "2.", "3.", "3.", "4.", "5.", "5.", "6.", "需要"]
    assert "再次登录后会自动继续。\n" in said
    assert len(pc.machine.boots) == 1 and not pc.machine.pending_shutdown
    log = (pc.drives["C"] / "ProgramData" / "wsl-dl-playbook" / "install.log").read_text()
    assert "/v password /t REG_SZ /d *** /f" in log and "Gehe" not in log
    pc.machine.reboot()
    code, said = pc.sign_in()
    assert code == 0, said
    assert pc.world["asked"] == ["按回车键关闭窗口"]
    assert pc.inside.calls[1][2] == "wsl_user=mei"
    assert pc.inside.calls[1][-1] == "windows_base_hostname=LAB-7"
    assert pc.inside.calls[3] == ["python", "7890", "-"]
    assert pc.state()["machine"]["install"]["password"] == "-"
    assert pc.state()["distributions"]["Ubuntu-24.04"][2]["password"].decode() == "Gehe!m 密码"


def test_not_elevated(make_pc):
    pc = make_pc()
    pc.elevated = False
    code, said = pc.start(ProxyPort=7890, LinuxUser="mei")
    assert code == 0, said
    (started,) = pc.world["elevated"]
    sid = pc.machine.sid("student")
    words = started["ArgumentList"].replace(str(pc.drives["C"]), "C:").replace("/", "\\")
    assert started["Verb"] == "RunAs"
    assert words.startswith(f'-NoProfile -ExecutionPolicy Bypass -File "{pc.script}" -StartedBy {sid} -OwnWindow -')
    assert ' -ProxyPort "7890"' in words and ' -LinuxUser "mei"' in words
    assert pc.start(Move="D:\\")[0] == 0
    assert pc.world["elevated"][0]["ArgumentList"].endswith(' -Move "D:"')  # after a backslash a quote would not end
    pc.world["refuses_elevation"] = True
    code, said = pc.start()
    assert code == 1
    assert "未获准以管理员身份运行。" in said
    assert [call for call in pc.calls if {"add", "delete", "/delete"} & set(call)] == []


def test_the_password_of_another_account_was_given(make_pc):
    refused(make_pc(), "提升权限时用了另一个账户", StartedBy="S-1-5-21-1-2-3-1002")


def test_remove_takes_everything_back(make_pc):
    pc = make_pc()
    before = pc.state()
    pc.finish()
    code, said = pc.start(Remove=True, answers=["Ubuntu"])
    assert (code, len(pc.world["asked"])) == (0, 1)
    assert "没有任何更改。" in said
    assert "Ubuntu-24.04" in pc.state()["distributions"]
    code, said = pc.start(Remove=True, answers=["Ubuntu-24.04"])
    assert code == 0, said
    assert pc.inside.calls[-3:] == [["run", "remove", "7890"], ["run", "remove", "7890"], ["forget"]]
    pc.machine.firewall.clear()  # the role's part
    pc.machine.reboot()
    assert pc.state() == before
    assert "没有需要撤销的内容。" in pc.start(Remove=True)[1]


def test_windows_10_in_english(make_pc):
    pc = make_pc("windows10-22h2")
    said = pc.finish()
    assert "[4/8] one restart\nwsl-dl-playbook restarts this PC and goes on when you sign in again.\n" in said
    assert 'Done. Open "Ubuntu-24.04" in the Start menu. To take it all back: Install.cmd -Remove\n' in said
    assert set(pc.state()["features"].values()) == {"Enabled"}
    assert said.isascii()


def test_a_new_name_of_the_computer_waits_for_a_restart(make_pc):
    pc = make_pc()
    pc.inside.renames = True
    assert pc.start(Yes=True)[0] == 0
    code, said = pc.restart_and_sign_in()
    assert code == 0, said
    assert pc.inside.calls[-1] == ["run", "site", "7890"]
    code, said = pc.restart_and_sign_in()
    assert code == 0, said
    assert (pc.machine.host_name, len(pc.machine.boots)) == ("NEW", 3)
    assert pc.inside.calls[-1] == ["proof", "dev"]


def test_what_fails_inside_is_not_tried_for_ever(make_pc):
    pc = make_pc()
    assert pc.start(Yes=True)[0] == 0
    pc.inside.fails = {"run": 2}
    code, said = pc.restart_and_sign_in()
    assert code == 1
    assert said.count("已停止：") == 1 and "playbooks/site.yml 未能完成（退出码 2）。" in said
    assert pc.inside.calls.count(["run", "site", "7890"]) == 1


def test_a_report_names_nobody(make_pc):
    pc = make_pc(users=[{"name": "student", "groups": ["Administrators"]}])
    pc.finish(PackageIndex="https://me:secret@192.168.7.7/simple")
    code, said = pc.start(Report=True)
    assert code == 0, said
    report = (pc.drives["C"] / "ProgramData" / "wsl-dl-playbook" / "report.txt").read_text("utf-8-sig")
    assert report.startswith(f"Windows 26100.6899 24H2\nWSL {WSL}\ndistribution Ubuntu-24.04 version 2 state 1\n")
    found = [word for word in ("student", "DESKTOP-7Q2M1KD", "secret", "192.168.7.7", "S-1-5-21") if word in report]
    assert found == []
    assert "https://<hidden>@<address>/simple" in report


def test_a_folder_that_is_not_unpacked(make_pc):
    pc = make_pc()
    (pc.home / "pins.json").unlink()
    code, said = pc.start(Yes=True)
    assert code == 1
    assert "脚本旁边没有压缩包里的其他文件。" in said


def test_what_a_person_should_know_stops_nobody(make_pc):
    pc = make_pc()
    pc.machine.need_reboot("windows update")
    desktop = pc.drives["C"] / "Program Files" / "Docker" / "Docker"
    desktop.mkdir(parents=True)
    (desktop / "Docker Desktop.exe").touch()
    code, said = pc.start(Yes=True)
    assert code == 0
    assert said.count("注意：") == 2
