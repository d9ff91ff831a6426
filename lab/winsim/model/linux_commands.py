"""The few Linux commands that the in-memory distributions know. Anything else fails loudly."""

from __future__ import annotations

import posixpath
import re
import time
import uuid
from typing import Any

from lab.winsim.errors import SimulatorError
from lab.winsim.model import wsl
from lab.winsim.model.linux_shell import Shell, command, run_argv, script, write


@command("sh", "bash", "dash")
def _sh(shell: Shell, args: list[str]) -> int:
    while args and args[0] in ("-l", "-e", "--login", "-s"):
        if args[0] == "-s":
            return script(shell, shell.process.stdin.read(-1).decode())
        args = args[1:]
    if args and re.fullmatch(r"-[lex]*c", args[0]) and len(args) == 2:
        return script(shell, args[1])
    raise SimulatorError(f"sh: arguments not known: {args}")


@command("id")
def _id(shell: Shell, args: list[str]) -> int:
    flags = "".join(arg.lstrip("-") for arg in args if arg.startswith("-"))
    flags = flags.replace("user", "u").replace("group", "g").replace("name", "n")
    names = [arg for arg in args if not arg.startswith("-")]
    user = shell.guest.users.get(names[0]) if names else shell.user
    if user is None:
        shell.err(f"id: ‘{names[0]}’: no such user\n")
        return 1
    group = next((name for name, gid in shell.guest.groups.items() if gid == user.gid), str(user.gid))
    groups = [group, *[name for name in user.groups if name != group]]
    if "u" in flags:
        shell.out(f"{user.name if 'n' in flags else user.uid}\n")
    elif "G" in flags:
        shell.out(" ".join(name if "n" in flags else str(shell.guest.groups[name]) for name in groups) + "\n")
    elif "g" in flags:
        shell.out(f"{group if 'n' in flags else user.gid}\n")
    else:
        listed = ",".join(f"{shell.guest.groups[name]}({name})" for name in groups)
        shell.out(f"uid={user.uid}({user.name}) gid={user.gid}({group}) groups={listed}\n")
    return 0


@command("whoami")
def _whoami(shell: Shell, args: list[str]) -> int:
    shell.out(shell.user.name + "\n")
    return 0


@command("getent")
def _getent(shell: Shell, args: list[str]) -> int:
    if args[:1] == ["passwd"] and len(args) == 2:
        found = [user for user in shell.guest.users.values() if args[1] in (user.name, str(user.uid))]
        for user in found:
            shell.out(f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:{user.shell}\n")
        return 0 if found else 2
    if args[:1] == ["group"] and len(args) == 2:
        gid = shell.guest.groups.get(args[1])
        if gid is None:
            return 2
        members = [user.name for user in shell.guest.users.values() if args[1] in user.groups]
        shell.out(f"{args[1]}:x:{gid}:{','.join(members)}\n")
        return 0
    if args[:1] == ["shadow"] and len(args) == 2:
        user = shell.guest.users.get(args[1])
        if user is None or not shell.need_root("getent"):
            return 2
        shell.out(f"{user.name}:{user.hash}:20000:0:99999:7:::\n")
        return 0
    raise SimulatorError(f"getent: arguments not known: {args}")


@command("passwd")
def _passwd(shell: Shell, args: list[str]) -> int:
    if len(args) != 2 or args[0] not in ("-S", "--status"):
        raise SimulatorError(f"passwd: arguments not known: {args}")
    user = shell.guest.users.get(args[1])
    if user is None:
        shell.err(f"passwd: user '{args[1]}' does not exist\n")
        return 1
    state = "L" if user.hash.startswith(("!", "*")) else "P"
    shell.out(f"{user.name} {state} 2026-11-01 0 99999 7 -1\n")
    return 0


@command("groupadd")
def _groupadd(shell: Shell, args: list[str]) -> int:
    names = [arg for arg in args if not arg.startswith("-")]
    if not shell.need_root("groupadd"):
        return 1
    if names[-1] in shell.guest.groups:
        if "-f" in args:
            return 0
        shell.err(f"groupadd: group '{names[-1]}' already exists\n")
        return 9
    shell.guest.groups[names[-1]] = max(1000, *shell.guest.groups.values()) + 1
    return 0


def _options(args: list[str], valued: str, plain: str, command: str) -> tuple[dict[str, str], list[str]]:
    """Short options with and without value; long ones by their usual names."""
    long = {
        "--shell": "-s",
        "--uid": "-u",
        "--groups": "-G",
        "--create-home": "-m",
        "--append": "-a",
        "--comment": "-c",
    }
    long |= {"--home-dir": "-d", "--user-group": "-U", "--gid": "-g", "--encrypted": "-e", "--password": "-p"}
    options: dict[str, str] = {}
    rest: list[str] = []
    queue = list(args)
    while queue:
        arg = queue.pop(0)
        if arg.startswith("--") and "=" in arg:
            arg, value = arg.split("=", 1)
            queue.insert(0, value)
        arg = long.get(arg, arg)
        if not arg.startswith("-"):
            rest.append(arg)
        elif len(arg) == 2 and arg[1] in valued:
            options[arg[1]] = queue.pop(0)
        elif all(letter in plain for letter in arg[1:]):
            options.update(dict.fromkeys(arg[1:], ""))
        elif all(letter in plain for letter in arg[1:-1]) and arg[-1] in valued:
            options.update(dict.fromkeys(arg[1:-1], ""))
            options[arg[-1]] = queue.pop(0)
        else:
            raise SimulatorError(f"{command}: option not known: {arg}")
    return options, rest


@command("useradd")
def _useradd(shell: Shell, args: list[str]) -> int:
    from lab.winsim.wsl_backend import LinuxUser

    options, names = _options(args, "sugGcd", "mUN", "useradd")
    if not shell.need_root("useradd"):
        return 1
    guest, name = shell.guest, names[0]
    if name in guest.users:
        shell.err(f"useradd: user '{name}' already exists\n")
        return 9
    if not re.fullmatch(r"[a-z_][a-z0-9_-]{0,31}", name):
        shell.err(f"useradd: invalid user name '{name}'\n")
        return 3
    taken = {user.uid for user in guest.users.values()}
    uid = int(options["u"]) if "u" in options else max([999, *[uid for uid in taken if uid < 60000]]) + 1
    if uid in taken:
        shell.err(f"useradd: UID {uid} is not unique\n")
        return 4
    groups = [group for group in options.get("G", "").split(",") if group]
    for group in groups:
        if group not in guest.groups:
            shell.err(f"useradd: group '{group}' does not exist\n")
            return 6
    guest.groups.setdefault(name, uid)
    home = options.get("d", f"/home/{name}")
    guest.users[name] = LinuxUser(name, uid, guest.groups[name], groups, home, options.get("s", "/bin/sh"))
    if "m" in options:
        guest.folders.add(home)
    shell.machine.log("linux user", distro=shell.process.distro.name, name=name, uid=uid)
    return 0


@command("usermod")
def _usermod(shell: Shell, args: list[str]) -> int:
    options, names = _options(args, "sGg", "aL", "usermod")
    user = shell.guest.users.get(names[0])
    if user is None:
        shell.err(f"usermod: user '{names[0]}' does not exist\n")
        return 6
    if not shell.need_root("usermod"):
        return 1
    if "G" in options:
        wanted = options["G"].split(",")
        for group in wanted:
            if group not in shell.guest.groups:
                shell.err(f"usermod: group '{group}' does not exist\n")
                return 6
        user.groups = [*user.groups, *[g for g in wanted if g not in user.groups]] if "a" in options else wanted
    user.shell = options.get("s", user.shell)
    return 0


@command("chpasswd")
def _chpasswd(shell: Shell, args: list[str]) -> int:
    if args not in (["-e"], ["--encrypted"], []):
        raise SimulatorError(f"chpasswd: arguments not known: {args}")
    if not shell.need_root("chpasswd"):
        return 1
    lines = shell.process.stdin.read(-1).decode().splitlines()
    for number, line in enumerate(lines, 1):
        name, colon, secret = line.partition(":")
        if not colon or name not in shell.guest.users:
            shell.err(
                f"chpasswd: line {number}: user '{name}' does not exist\nchpasswd: error detected, changes ignored\n"
            )
            return 1
        secret = secret.rstrip("\r")
        shell.guest.users[name].hash = secret if args else "$y$plain$" + str(len(secret))
    return 0


@command("cat")
def _cat(shell: Shell, args: list[str]) -> int:
    rc = 0
    if not args:
        shell.out(shell.process.stdin.read(-1))
    for arg in args:
        path = shell.path(arg)
        special = _generated(shell, path)
        if special is not None:
            shell.out(special)
        elif path in shell.guest.files:
            shell.out(shell.guest.files[path])
        else:
            shell.err(f"cat: {arg}: No such file or directory\n")
            rc = 1
    return rc


def _generated(shell: Shell, path: str) -> str | None:
    users = shell.guest.users.values()
    if path == "/proc/sys/kernel/random/boot_id":
        start = f"{shell.machine.boots[-1]['time']} {wsl.runtime(shell.machine)['starts']}"
        return f"{uuid.uuid5(uuid.NAMESPACE_OID, start)}\n"
    if path == "/etc/passwd":
        return "".join(f"{user.name}:x:{user.uid}:{user.gid}::{user.home}:{user.shell}\n" for user in users)
    if path == "/etc/shadow":
        return "".join(f"{user.name}:{user.hash}:20000:0:99999:7:::\n" for user in users)
    if path == "/etc/group":
        return "".join(f"{name}:x:{gid}:\n" for name, gid in shell.guest.groups.items())
    if path == "/etc/hostname":
        return shell.machine.host_name + "\n"
    return None


@command("tee")
def _tee(shell: Shell, args: list[str]) -> int:
    append = bool({"-a", "--append"} & set(args))
    data, rc = shell.process.stdin.read(-1), 0
    for arg in args:
        if not arg.startswith("-"):
            path = shell.path(arg)
            rc = write(shell, path, (shell.guest.files.get(path, b"") if append else b"") + data) or rc
    shell.out(data)
    return rc


@command("test", "[")
def _test(shell: Shell, args: list[str]) -> int:
    args = [arg for arg in args if arg != "]"]
    if args[:1] == ["!"]:
        return 1 - _test(shell, args[1:])
    if len(args) == 2 and args[0] in ("-e", "-f", "-d", "-s", "-r"):
        path = shell.path(args[1])
        is_file = path in shell.guest.files or _generated(shell, path) is not None
        is_folder = path in shell.guest.folders
        return 0 if {"-f": is_file, "-d": is_folder, "-s": is_file}.get(args[0], is_file or is_folder) else 1
    if len(args) == 3 and args[1] in ("=", "=="):
        return 0 if args[0] == args[2] else 1
    raise SimulatorError(f"test: arguments not known: {args}")


@command("echo")
def _echo(shell: Shell, args: list[str]) -> int:
    newline = args[:1] != ["-n"]
    shell.out(" ".join(args if newline else args[1:]) + ("\n" if newline else ""))
    return 0


@command("printf")
def _printf(shell: Shell, args: list[str]) -> int:
    text = args[0].replace("\\n", "\n").replace("\\t", "\t")
    for value in args[1:]:
        text = text.replace("%s", value, 1)
    if "%" in text.replace("%%", ""):
        raise SimulatorError(f"printf: format not known: {args[0]}")
    shell.out(text.replace("%%", "%"))
    return 0


@command("mkdir")
def _mkdir(shell: Shell, args: list[str]) -> int:
    for arg in [arg for arg in args if not arg.startswith("-") and not arg.isdigit()]:
        path = shell.path(arg)
        while path not in shell.guest.folders:
            shell.guest.folders.add(path)
            path = posixpath.dirname(path)
    return 0


@command("rm")
def _rm(shell: Shell, args: list[str]) -> int:
    for arg in [arg for arg in args if not arg.startswith("-")]:
        path = shell.path(arg)
        doomed = [known for known in shell.guest.files if known == path or known.startswith(path + "/")]
        if not doomed and path not in shell.guest.folders and not any("f" in flag for flag in args if flag[0] == "-"):
            shell.err(f"rm: cannot remove '{arg}': No such file or directory\n")
            return 1
        for known in doomed:
            del shell.guest.files[known]
        shell.guest.folders -= {known for known in shell.guest.folders if known == path or known.startswith(path + "/")}
    return 0


@command("chmod", "chown")
def _attributes(shell: Shell, args: list[str]) -> int:
    plain = [arg for arg in args if not arg.startswith("-")]
    for arg in plain[1:]:
        path = shell.path(arg)
        if path not in shell.guest.files and path not in shell.guest.folders:
            shell.err(f"cannot access '{arg}': No such file or directory\n")
            return 1
        table = shell.guest.owners if re.match(r"[a-z_]", plain[0]) and ":" in plain[0] else shell.guest.modes
        table[path] = plain[0]
    return 0


@command("sleep")
def _sleep(shell: Shell, args: list[str]) -> int:
    limit = None if args == ["infinity"] else time.monotonic() + float(args[0]) * shell.machine.clock.scale
    if limit is not None:
        shell.machine.clock.advance(float(args[0]))
    while not shell.process.cancelled.is_set() and not shell.ended.is_set():
        if limit is not None and time.monotonic() >= limit:
            return 0
        shell.ended.wait(0.1)
    return 143


@command("true", ":", "sync")
def _true(shell: Shell, args: list[str]) -> int:
    return 0


@command("false")
def _false(shell: Shell, args: list[str]) -> int:
    return 1


@command("uname")
def _uname(shell: Shell, args: list[str]) -> int:
    release = wsl.KERNEL.rpartition("-")[0] + "-microsoft-standard-WSL2"
    values = {"-r": release, "-m": "x86_64", "-s": "Linux", "": "Linux", "-n": shell.machine.host_name}
    shell.out(values.get("".join(args), f"Linux {shell.machine.host_name} {release} x86_64 GNU/Linux") + "\n")
    return 0


@command("hostname")
def _hostname(shell: Shell, args: list[str]) -> int:
    shell.out(shell.machine.host_name + "\n")
    return 0


@command("wslinfo")
def _wslinfo(shell: Shell, args: list[str]) -> int:
    answers = {
        "--networking-mode": wsl.networking_mode(shell.machine, shell.process.distro.user),
        "--wsl-version": (wsl.package_version(shell.machine) or "").removesuffix(".0"),
        "--version": (wsl.package_version(shell.machine) or "").removesuffix(".0"),
    }
    if len(args) != 1 or args[0] not in answers:
        raise SimulatorError(f"wslinfo: arguments not known: {args}")
    shell.out(answers[args[0]] + "\n")
    return 0


@command("wslpath")
def _wslpath(shell: Shell, args: list[str]) -> int:
    text = args[-1].replace("\\", "/")
    drive = re.match(r"([A-Za-z]):/?(.*)", text)
    if drive is None or any(arg.startswith("-") and arg not in ("-u", "-a") for arg in args):
        raise SimulatorError(f"wslpath: arguments not known: {args}")
    shell.out(f"/mnt/{drive[1].lower()}/{drive[2]}".rstrip("/") + "\n")
    return 0


@command("systemctl")
def _systemctl(shell: Shell, args: list[str]) -> int:
    systemd = b"systemd=true" in shell.guest.conf.replace(b" ", b"").lower()
    if args[:1] == ["is-system-running"]:
        shell.out("running\n" if systemd else "offline\n")
        return 0 if systemd else 1
    raise SimulatorError(f"systemctl: arguments not known: {args}")


@command("ps")
def _ps(shell: Shell, args: list[str]) -> int:
    systemd = b"systemd=true" in shell.guest.conf.replace(b" ", b"").lower()
    if args == ["-p", "1", "-o", "comm="]:
        shell.out("systemd\n" if systemd else "init\n")
        return 0
    raise SimulatorError(f"ps: arguments not known: {args}")


@command("ip")
def _ip(shell: Shell, args: list[str]) -> int:
    if [arg for arg in args if not arg.startswith("-")] in (["route", "show", "default"], ["route"]):
        gateway: Any = shell.machine.registry.get(wsl.HKLM_LXSS, "NatGatewayIpAddress")
        shell.out(f"default via {gateway} dev eth0 proto kernel \n")
        return 0
    raise SimulatorError(f"ip: arguments not known: {args}")


@command("env")
def _env(shell: Shell, args: list[str]) -> int:
    rest = list(args)
    while rest and (rest[0].startswith("-") or re.fullmatch(r"\w+=.*", rest[0])):
        rest.pop(0)
    if not rest:
        raise SimulatorError(f"env: arguments not known: {args}")
    return run_argv(shell, rest)
