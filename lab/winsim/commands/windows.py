"""Small programs of Windows: shutdown, hostname, whoami, netsh, dism, ping …"""

from __future__ import annotations

import ntpath
import re

from lab.winsim.commands.output import ERROR, complain, either, is_elevated, say
from lab.winsim.errors import SimulatorError
from lab.winsim.handlers import command
from lab.winsim.model import firewall
from lab.winsim.model.proxy import read_winhttp
from lab.winsim.model.software import program_fault
from lab.winsim.model.system import FirewallRule
from lab.winsim.model.texts import win32
from lab.winsim.process import Process


@command("hostname.exe")
def hostname(process: Process) -> int:
    """The name of the computer."""
    say(process, process.machine.host_name)
    return 0


@command("whoami.exe")
def whoami(process: Process) -> int:
    """``HOST\\user`` in lower case, or the SID with ``/user``, with ``/groups`` those of the token."""
    name = process.machine.full_name(process.user).lower()
    arguments = [word.lower() for word in process.argv[1:]]
    if not arguments:
        say(process, name)
        return 0
    if arguments[:1] == ["/user"]:
        rest = arguments[1:]
        if rest == ["/groups", "/fo", "csv", "/nh"]:
            say(process, "\n".join([f'"{name}","{process.machine.sid(process.user)}"', *_groups(process)]))
            return 0
        if rest in ([], ["/fo", "csv", "/nh"]):
            sid = process.machine.sid(process.user)
            say(process, f'"{name}","{sid}"' if rest else f"{name} {sid}")
            return 0
    if arguments == ["/groups", "/fo", "csv", "/nh"]:
        say(process, "\n".join(_groups(process)))
        return 0
    raise SimulatorError(f"whoami: arguments not known: {arguments}")


def _groups(process: Process) -> list[str]:
    """The token's groups and its integrity level; Administrators is for denying only where it is not elevated."""
    rows = [("Everyone", "Well-known group", "S-1-1-0", "Mandatory group, Enabled by default, Enabled group")]
    enabled = "Mandatory group, Enabled by default, Enabled group"
    if process.machine.users.is_admin(process.user):
        kind = f"{enabled}, Group owner" if is_elevated(process) else "Group used for deny only"
        rows.append(("BUILTIN\\Administrators", "Alias", "S-1-5-32-544", kind))
    rows.append(("BUILTIN\\Users", "Alias", "S-1-5-32-545", enabled))
    level, sid = ("High", "S-1-16-12288") if is_elevated(process) else ("Medium", "S-1-16-8192")
    rows.append((f"Mandatory Label\\{level} Mandatory Level", "Label", sid, ""))
    return ['"' + '","'.join(row) + '"' for row in rows]


@command("taskkill.exe")
def taskkill(process: Process) -> int:
    """``/PID N /T /F``: a program that was started at a terminal, with what it has started."""
    words = process.argv[1:]
    if len(words) != 4 or words[0].upper() != "/PID" or [word.upper() for word in words[2:]] != ["/T", "/F"]:
        raise SimulatorError(f"taskkill: arguments not known: {words}")
    program = process.machine.interop.programs.get(int(words[1]))
    if program is None:
        text = either(process, f'错误: 没有找到进程 "{words[1]}"。', f'ERROR: The process "{words[1]}" not found.')
        complain(process, text)
        return 128
    process.machine.log("taskkill", pid=int(words[1]))
    program.cancel(1)
    english = f"SUCCESS: The process with PID {words[1]} has been terminated."
    say(process, either(process, f"成功: 已终止 PID {words[1]} 的进程。", english))
    return 0


@command("chcp.com")
def chcp(process: Process) -> int:
    """The code page of the console."""
    if process.argv[1:]:
        raise SimulatorError(f"chcp.com: arguments not known: {process.argv[1:]}")
    say(process, f"{either(process, '活动代码页', 'Active code page')}: {process.session.codepage}")
    return 0


@command("shutdown.exe")
def shutdown(process: Process) -> int:
    """``/r /t N [/c TEXT] [/f] [/d …]`` and ``/a``."""
    words = list(process.argv[1:])
    restart = abort = False
    delay, reason = 30.0, ""
    while words:
        word = words.pop(0).lower().replace("-", "/", 1)
        if word == "/r":
            restart = True
        elif word == "/a":
            abort = True
        elif word == "/t":
            delay = float(words.pop(0))
        elif word in ("/c", "/d"):
            reason = words.pop(0) if word == "/c" else (words.pop(0) and reason)
        elif word != "/f":
            raise SimulatorError(f"shutdown: option not known: {word}")
    if abort:
        if process.machine.cancel_shutdown():
            return 0
        complain(process, "Unable to abort the system shutdown because no shutdown was in progress.(1116)")
        return 1116
    if not restart:
        raise SimulatorError("shutdown: only /r and /a are known")
    if not is_elevated(process):
        complain(process, win32(5, process.machine.language) + "(5)")
        return 5
    if not process.machine.schedule_shutdown(delay, restart=True, reason=reason):
        complain(process, "A system shutdown has already been scheduled.(1190)")
        return 1190
    return 0


@command("tasklist.exe")
def tasklist(process: Process) -> int:
    """``/fi "imagename eq explorer.exe" /fo csv /nh``: the desktops of those who are signed in."""
    if [word.lower() for word in process.argv[1:]] != ["/fi", "imagename eq explorer.exe", "/fo", "csv", "/nh"]:
        raise SimulatorError(f"tasklist: arguments not known: {process.argv[1:]}")
    people = process.machine.extra.get("signed_in", [])
    for number, _ in enumerate(people, 1):
        say(
            process, f'"explorer.exe","{5000 + number * 12}","{"Console" if number == 1 else ""}","{number}","98,120 K"'
        )
    if not people:
        english = "INFO: No tasks are running which match the specified criteria."
        say(process, either(process, "信息: 没有运行的任务匹配指定标准。", english))
    return 0


def _excluded_ports(process: Process) -> None:
    title = either(process, "协议 tcp 端口排除范围", "Protocol tcp Port Exclusion Ranges")
    columns = either(process, "开始端口    结束端口", "Start Port    End Port")
    ranges = [f"{first:>10}  {last:>10}" for first, last in process.machine.description["network"]["excluded_ports"]]
    note = either(process, "* - 管理的端口排除。", "* - Administered port exclusions.")
    say(process, "\n".join(["", title, "", columns, "----------    --------", *ranges, "", note, ""]))


@command("netsh.exe")
def netsh(process: Process) -> int:
    """``winhttp show proxy``, ``int ipv4 show excludedportrange protocol=tcp``, ``advfirewall firewall show|add rule``."""
    words = list(process.argv[1:])
    machine = process.machine
    if words == ["int", "ipv4", "show", "excludedportrange", "protocol=tcp"]:
        _excluded_ports(process)
        return 0
    if words[:3] == ["winhttp", "show", "proxy"]:
        proxy, bypass = read_winhttp(machine)
        say(
            process,
            "\n" + (either(process, "当前的 WinHTTP 代理服务器设置:", "Current WinHTTP proxy settings:")) + "\n",
        )
        if proxy is None:
            say(process, either(process, "    直接访问(没有代理服务器)。", "    Direct access (no proxy server)."))
        else:
            say(process, f"    Proxy Server(s) :  {proxy}\n    Bypass List     :  {bypass or '(none)'}")
        return 0
    if words[:2] == ["advfirewall", "firewall"]:
        return _firewall(process, words[2:4], dict(word.partition("=")[::2] for word in words[4:]))
    raise SimulatorError(f"netsh: arguments not known: {words}")


def _firewall(process: Process, action: list[str], options: dict[str, str]) -> int:
    machine = process.machine
    if action == ["show", "rule"] and set(options) == {"name"}:
        found = [rule for rule in firewall.rules(machine) if rule.name.lower() == options["name"].lower()]
        for rule in found:
            say(process, f"Rule Name:                            {rule.name}")
        if not found:
            say(process, either(process, "没有与指定标准相匹配的规则。", "No rules match the specified criteria."))
        return 0 if found else 1
    known = {"name", "dir", "action", "protocol", "localport", "remoteip"}
    if action != ["add", "rule"] or set(options) != known or (options["dir"], options["action"]) != ("in", "allow"):
        raise SimulatorError(f"netsh advfirewall firewall: arguments not known: {action} {options}")
    if not is_elevated(process):
        say(
            process,
            either(
                process,
                "请求的操作需要提升(作为管理员运行)。",
                "The requested operation requires elevation (Run as administrator).",
            ),
        )
        return 1
    rule = FirewallRule(
        options["name"],
        protocol=options["protocol"].lower(),
        localport=options["localport"],
        remoteip=options["remoteip"],
    )
    with machine.lock:
        firewall.add(machine, rule)
    say(process, either(process, "确定。\n", "Ok.\n"))
    return 0


@command("dism.exe")
def dism(process: Process) -> int:
    """``/online /english /get-featureinfo|enable-feature|disable-feature /featurename:X [/all] [/norestart]``."""
    words = [word.lower() for word in process.argv[1:]]
    verbs = {"/get-featureinfo": [], "/enable-feature": ["/all", "/norestart"], "/disable-feature": ["/norestart"]}
    verb, named = words[2] if len(words) > 3 else "", words[3] if len(words) > 3 else ""
    if words[:2] != ["/online", "/english"] or not named.startswith("/featurename:") or words[4:] != verbs.get(verb):
        raise SimulatorError(f"dism: arguments not known: {process.argv[1:]}")
    if not is_elevated(process):
        say(process, "Error: 740\n\nElevated permissions are required to run DISM.")
        return 740
    name = process.argv[4].partition(":")[2]
    feature = process.machine.features.find(name)
    if feature is None:
        say(process, f"Error: 0x800f080c\n\nFeature name {name} is unknown.")
        return 0x800F080C
    if verb != "/get-featureinfo":
        return _change_feature(process, feature.name, verb == "/enable-feature")
    pending = {"EnablePending": "Enable Pending", "DisablePending": "Disable Pending"}
    state = pending.get(feature.state, feature.state)
    say(process, f"Feature Name : {feature.name}\nRestart Required : Required\nState : {state}")
    return 0


def _change_feature(process: Process, name: str, enable: bool) -> int:
    """With /norestart the exit code is 3010 where a restart has to come."""
    machine = process.machine
    fault = program_fault(machine, "dism.exe", process)
    if fault:
        return int(fault["rc"]) & ERROR
    with machine.lock:
        waits = machine.features.enable(name) if enable else machine.features.disable(name)
        machine.clock.work(20.0, process.cancelled)
        if waits:
            machine.need_reboot("component servicing")
        machine.log("features", names=[name], enabled=enable, restart=waits)
    say(process, "The operation completed successfully.")
    return 3010 if waits else 0


@command("netstat.exe")
def netstat(process: Process) -> int:
    """``-a -n -o``: who listens, as far as it is modelled: the proxies."""
    if process.argv[1:] != ["-a", "-n", "-o"]:
        raise SimulatorError(f"netstat: arguments not known: {process.argv[1:]}")
    columns = either(
        process,
        "  协议  本地地址          外部地址        状态           PID",
        "  Proto  Local Address          Foreign Address        State           PID",
    )
    say(process, f"\n{either(process, '活动连接', 'Active Connections')}\n\n{columns}")
    say(process, "  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       1204")
    for address, proxy in process.machine.network.proxies.items():
        host, port = address.rsplit(":", 1)
        if proxy["running"] and host == "127.0.0.1":
            local = f"{proxy['listens']}:{port}"
            say(process, f"  TCP    {local:<22} 0.0.0.0:0              LISTENING       6620")
            say(process, f"  TCP    127.0.0.1:{port:<12} 127.0.0.1:52100        ESTABLISHED     6620")
    say(process, "  UDP    0.0.0.0:5353           *:*                                    2044")
    return 0


@command("certutil.exe")
def certutil(process: Process) -> int:
    """``-hashfile FILE SHA256``."""
    words = process.argv[1:]
    if len(words) != 3 or words[0] != "-hashfile" or words[2] != "SHA256":
        raise SimulatorError(f"certutil: arguments not known: {words}")
    node = process.machine.files.get(ntpath.join(process.cwd, words[1]))
    if node is None or node.content is None:
        say(process, "CertUtil: -hashfile command FAILED: 0x80070002 (WIN32: 2 ERROR_FILE_NOT_FOUND)")
        return 0x80070002
    head = either(process, f"SHA256 的 {words[1]} 哈希:", f"SHA256 hash of {words[1]}:")
    say(process, f"{head}\n{node.content.digest('sha256')}")
    say(
        process,
        either(process, "CertUtil: -hashfile 命令成功完成。", "CertUtil: -hashfile command completed successfully."),
    )
    return 0


@command("fsutil.exe")
def fsutil(process: Process) -> int:
    """``fsinfo drives``, ``fsinfo ntfsinfo D:``, ``fsinfo volumeinfo D:``, ``volume diskfree D:``."""
    words, files = [word.lower() for word in process.argv[1:]], process.machine.files
    if words == ["fsinfo", "drives"]:
        say(process, f"\n{either(process, '驱动器', 'Drives')}: " + " ".join(f"{drive}\\" for drive in files.drives))
        return 0
    if len(words) != 3 or words[:2] not in (
        ["fsinfo", "ntfsinfo"],
        ["fsinfo", "volumeinfo"],
        ["volume", "diskfree"],
    ):
        raise SimulatorError(f"fsutil: arguments not known: {words}")
    if words[2].upper() not in files.drives:
        say(
            process,
            either(process, "错误 3: 系统找不到指定的路径。", "Error 3:  The system cannot find the path specified."),
        )
        return 1
    system = process.machine.description["disks"][words[2][0].upper()].get("filesystem", "NTFS")
    if words[1] == "volumeinfo":
        say(process, f"{either(process, '文件系统名', 'File System Name')} : {system}")
        return 0
    if words[1] == "ntfsinfo" and system != "NTFS":
        say(process, either(process, "错误: 卷不是 NTFS。", "Error:  The volume is not NTFS."))
        return 1
    if words[1] == "ntfsinfo":
        say(process, "NTFS Volume Serial Number :        0x6a1c8f7e1c8f4a01")
        return 0
    free = files.free(words[2] + "\\")
    label = either(process, "总可用字节数", "Total free bytes")
    say(process, f"{label}        : {free:>19,} ({free / 2**30:>7.1f} GB)")
    return 0


@command("ipconfig.exe")
def ipconfig(process: Process) -> int:
    """``/all``, which pywinrm's own tests ask for."""
    if [word.lower() for word in process.argv[1:]] != ["/all"]:
        raise SimulatorError(f"ipconfig: arguments not known: {process.argv[1:]}")
    say(process, f"\nWindows IP Configuration\n\n   Host Name . . . . . . . . . . . . : {process.machine.host_name}")
    return 0


@command("ping.exe")
def ping(process: Process) -> int:
    """Only as a way to wait: ``-n N 127.0.0.1``."""
    match = re.search(r"-n (\d+)", " ".join(process.argv))
    if match is None or process.argv[-1] not in ("127.0.0.1", "localhost"):
        raise SimulatorError(f"ping: arguments not known: {process.argv[1:]}")
    finished = process.machine.clock.work(float(match[1]), process.cancelled)
    say(
        process,
        f"Ping statistics for 127.0.0.1:\n    Packets: Sent = {match[1]}, Received = {match[1]}, Lost = 0 (0% loss),",
    )
    return 0 if finished else 0xC000013A


@command("cscript.exe")
def cscript(process: Process) -> int:
    """VBScript is a feature on demand that is off (Microsoft 365 developer blog, 2025-09-09): no script runs."""
    scripts = [word for word in process.argv[1:] if not word.startswith("/")]
    if not scripts or ntpath.splitext(scripts[0])[1].lower() != ".vbs":
        raise SimulatorError(f"cscript: arguments not known: {process.argv[1:]}")
    say(process, 'Input Error: There is no script engine for file extension ".vbs".')
    return 1
