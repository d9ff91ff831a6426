#!/usr/bin/python
"""Tell what has to be known of a machine before Docker is touched."""

DOCUMENTATION = r"""
module: docker_facts
short_description: Tell what has to be known of a machine before Docker is touched
description:
  - Looks at daemon.json, at how dockerd is started, at each user's docker command, and at who else serves Docker here.
    Reads only, and each program and socket that it asks has a time limit.
options:
  users:
    description: Who uses Docker.
    type: list
    elements: str
    default: []
  options:
    description: Keys for daemon.json that win over what is there.
    type: dict
    default: {}
  bip:
    description: The address and network of docker0 where the machine's owner has chosen none, C(10.213.0.1/24).
    type: str
    default: ""
  backup:
    description: The backup of daemon.json by json_merge, which tells its keys from those of the owner.
    type: str
    default: ""
  clients:
    description: Folder with the backups of the users' config.json by json_merge.
    type: str
    default: ""
  packages:
    description: Packages to look for.
    type: list
    elements: str
    default: []
  note:
    description: File where the role has noted what was there before.
    type: str
    default: ""
  daemon:
    description: Ask systemd and the daemon what they run with, too.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Look at Docker
  docker_facts:
    users: [dev]
  register: looked
"""

RETURN = r"""
docker:
  description: What was found, one document.
  returned: success
  type: dict
  contains:
    wsl: {description: Is this WSL?, type: bool}
    wsl1: {description: The kernel's release where it is WSL 1; else empty., type: str}
    desktop: {description: Signs that Docker Desktop serves this distribution., type: list, elements: str}
    desktop_elsewhere: {description: Does Docker Desktop serve another distribution?, type: bool}
    snap: {description: Is there a Docker of snap?, type: bool}
    rootless: {description: Unit files of rootless Dockers., type: list, elements: str}
    users:
      description:
        - By name C(home), C(group), C(problems), C(windows), C(dead_stores), C(backed_up), C(changes) and C(misspelt).
      type: dict
    unknown: {description: Those of O(users) who have no account., type: list, elements: str}
    environment: {description: What leads a docker command away from this machine's Docker., type: list, elements: str}
    daemon_json: {description: "C(problem), C(content), and C(foreign): what others than the role wrote.", type: dict}
    flags: {description: "dockerd's options: C(option), C(key), C(value), C(file).", type: list, elements: dict}
    listens: {description: Where the daemon listens., type: list, elements: str}
    address: {description: DOCKER_HOST for it; empty where the docker command's own is right., type: str}
    bip: {description: docker0's address and network as they will be., type: str}
    overlaps: {description: Routes that docker0's network would hide., type: list, elements: str}
    bip_problem: {description: What is wrong with that network., type: str}
    disk: {description: "Free space where Docker keeps its data, in GB (10^9 bytes).", type: int}
    installed: {description: Version by package., type: dict}
    members: {description: Members of the group docker., type: list, elements: str}
    before: {description: What O(note) holds; null without it., type: dict}
    dockerd: {description: Path of the daemon; empty without one., type: str}
    stale: {description: What is newer than the running daemon., type: list, elements: str}
    uses: {description: "The daemon's proxies, without passwords: http, https, exceptions.", type: list, elements: str}
"""

import glob  # noqa: E402
import grp  # noqa: E402
import hashlib  # noqa: E402
import http.client  # noqa: E402
import ipaddress  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import re  # noqa: E402
import shlex  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.docker_json import Unreadable, read, value_at  # noqa: E402

OPTIONS = {
    "users": {"type": "list", "elements": "str", "default": []},
    "options": {"type": "dict", "default": {}},
    "bip": {"type": "str", "default": ""},
    "backup": {"type": "str", "default": ""},
    "clients": {"type": "str", "default": ""},
    "packages": {"type": "list", "elements": "str", "default": []},
    "note": {"type": "str", "default": ""},
    "daemon": {"type": "bool", "default": False},
}
ROOT = ""
"""Before every path, for tests."""
CONFIG = "/etc/docker/daemon.json"
SOCKET = "unix:///var/run/docker.sock"
SECONDS = 10
UNIT_FOLDERS = ["/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"]
STOCK = "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock"
"""The ExecStart that Docker's package brings."""
KEYS = {
    "add-runtime": "runtimes",
    "authorization-plugin": "authorization-plugins",
    "cdi-spec-dir": "cdi-spec-dirs",
    "default-address-pool": "default-address-pools",
    "default-ulimit": "default-ulimits",
    "dns-opt": "dns-opts",
    "exec-opt": "exec-opts",
    "host": "hosts",
    "insecure-registry": "insecure-registries",
    "label": "labels",
    "log-opt": "log-opts",
    "node-generic-resource": "node-generic-resources",
    "registry-mirror": "registry-mirrors",
    "storage-opt": "storage-opts",
}
"""Options of dockerd whose key in daemon.json has another name; it takes the same setting in one place only."""
SHORT = {
    "b": "bridge",
    "D": "debug",
    "G": "group",
    "H": "hosts",
    "l": "log-level",
    "p": "pidfile",
    "s": "storage-driver",
}
WINDOWS = {"9p", "drvfs", "virtiofs", "cifs", "smb3", "vfat", "msdos", "exfat", "ntfs", "ntfs3", "fuseblk"}
"""File systems without owners of Linux; WSL shows a Windows drive as one of the first three."""


def at(path):
    return ROOT + path


def ask(*argv):
    """Return what a command prints, None when it fails or is too slow. A file, since a pipe may stay open for ever."""
    with tempfile.TemporaryFile() as output:
        try:
            command = ["timeout", "--kill-after=2", str(SECONDS), *argv]
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS + 5,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        output.seek(0)
        return output.read().decode(errors="replace") if done.returncode == 0 else None


# -- daemon.json and config.json -------------------------------------------------------------------------------------


def read_json(path):
    """Return the object of a file and what is wrong with it, both empty when there is no file."""
    try:
        return read(at(path))[2], ""
    except Unreadable as error:
        return {}, str(error).replace(at(path), path)


def entries_of(backup):
    """Return what json_merge has changed in a file, as it noted it."""
    return read_json(backup)[0].get("keys", []) if backup else []


def without_ours(content, entries):
    """Return the top of the object as its owner wrote it: without what json_merge put there."""
    content = json.loads(json.dumps(content))
    for entry in entries:
        *parents, last = entry.get("key_path") or entry["way"]
        holder = value_at(content, parents)
        if not isinstance(holder, dict) or "after" not in entry or holder.get(last) != entry["after"]:
            continue
        if "before" in entry:
            holder[last] = entry["before"]
        else:
            del holder[last]
    return {key: value for key, value in content.items() if value not in (None, {})}


# -- how dockerd is started, and where it listens ----------------------------------------------------------------------


def unit_files(name):
    """Return the unit's file and its drop-ins, in the order in which systemd reads them."""
    folders = [f"{folder}/systemd/system" for folder in UNIT_FOLDERS]
    unit = [f"{folder}/{name}" for folder in folders if os.path.isfile(at(f"{folder}/{name}"))][:1]
    drop_ins = {}
    for folder in reversed(folders):
        for path in glob.glob(at(f"{folder}/{name}.d/*.conf")):
            drop_ins[os.path.basename(path)] = path.removeprefix(ROOT)
    return unit + [drop_ins[key] for key in sorted(drop_ins)]


def directives(name):
    """Yield the name, the value and the file of each setting of a unit."""
    for path in unit_files(name):
        try:
            with open(at(path), encoding="utf-8", errors="replace") as file:
                text = file.read().replace("\\\n", " ")
        except OSError:
            continue
        for line in text.splitlines():
            key, equal, value = line.strip().partition("=")
            if equal and not key.startswith(("#", ";")):
                yield key.strip(), value.strip(), path


def words_of(line):
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def command_line():
    """Return the words with which dockerd is started, each with the file that it comes from."""
    there = [path for path in unit_files("docker.service") if not path.endswith(".conf")]
    starts, environment = [] if there else [(STOCK, "the unit of Docker's package")], {}
    for key, value, path in directives("docker.service"):
        if key == "ExecStart":
            starts = [*starts, (value, path)] if value else []
        elif key == "Environment":
            environment.update({word.partition("=")[0]: (word.partition("=")[2], path) for word in words_of(value)})
        elif key == "EnvironmentFile":
            for word in environment_file(value.lstrip("-")):
                environment[word.partition("=")[0]] = (word.partition("=")[2], value.lstrip("-"))
    words = []
    for word, path in [(word, path) for line, path in starts for word in words_of(line.lstrip("@-:+!|"))]:
        whole = re.fullmatch(r"\$(\w+)|\$\{(\w+)\}", word)
        if whole:
            text, source = environment.get(whole[1] or whole[2], ("", path))
            words += [(part, source) for part in (words_of(text) if whole[1] else [text]) if part]
        else:
            words.append((re.sub(r"\$\{(\w+)\}", lambda name: environment.get(name[1], ("",))[0], word), path))
    return words


def environment_file(path):
    try:
        with open(at(path), encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file]
    except OSError:
        return []
    return [
        re.sub(r"=([\"'])(.*)\1$", r"=\2", line) for line in lines if "=" in line and not line.startswith(("#", ";"))
    ]


def flags():
    """Return the options with which dockerd is started: as written, the key in daemon.json, the value and the file."""
    found, words = [], command_line()[1:]
    for index, (word, path) in enumerate(words):
        following = words[index + 1][0] if index + 1 < len(words) else ""
        long, short = re.fullmatch(r"--([\w-]+)(?:=(.*))?", word), re.fullmatch(r"-([bDGHlps])=?(.*)", word)
        if long:
            key, value = KEYS.get(long[1], long[1]), long[2]
        elif short:
            key, value = SHORT[short[1]], short[2] or None
        else:
            continue
        alone = value is None and following and not following.startswith("-")
        value = following if alone else value or ""
        option = f"{word} {following}" if alone else word
        found.append({"option": option, "key": key, "value": value, "file": path})
    return found


def listens(content, options):
    """Return where the daemon listens, as addresses of DOCKER_HOST."""
    own = content.get("hosts")
    hosts = [option["value"] for option in options if option["key"] == "hosts"] + (own if isinstance(own, list) else [])
    found = []
    for host in map(str, hosts or [SOCKET]):
        if host.startswith("fd://"):
            streams = [value for key, value, _ in directives("docker.socket") if key == "ListenStream"]
            found += [f"unix://{value}" for value in streams or ["/run/docker.sock"]]
        else:
            found.append(host if "://" in host else f"tcp://{host}")
    return found


def plain_address(address):
    """Return an address in one spelling."""
    address = address.strip().rstrip("/")
    address = f"unix://{address}" if address.startswith("/") else address
    return re.sub(r"^unix:///var/run/", "unix:///run/", address)


def info(address):
    """Return what the daemon tells about itself, None when it does not answer in time."""
    kind, _, place = address.partition("://")
    try:
        if kind == "unix":
            daemon = http.client.HTTPConnection("localhost", timeout=SECONDS)
            daemon.sock = socket.socket(socket.AF_UNIX)
            daemon.sock.settimeout(SECONDS)
            daemon.sock.connect(at(place))
        else:
            host, _, port = place.strip("/").rpartition(":")
            daemon = http.client.HTTPConnection(host, int(port), timeout=SECONDS)
        daemon.request("GET", "/info")
        found = json.load(daemon.getresponse())
        return found if isinstance(found, dict) else None
    except (OSError, ValueError, http.client.HTTPException):
        return None


def service():
    """Return the state of docker.service."""
    shown = ask("systemctl", "show", "-p", "ActiveState,NeedDaemonReload,UnitFileState,MainPID", "docker.service") or ""
    return dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)


def proxies(state, addresses):
    """Return the proxies that the daemon uses, as it or else its environment tells them; empty when it is not up."""
    if state.get("ActiveState") != "active":
        return []
    for address in sorted(addresses, key=lambda address: not address.startswith("unix:")):
        found = info(address)
        if found:
            return [found.get(name) or "" for name in ("HttpProxy", "HttpsProxy", "NoProxy")]
    try:
        with open(at(f"/proc/{state['MainPID']}/environ"), "rb") as file:
            lines = file.read().decode(errors="replace").split("\0")
    except (OSError, KeyError):
        return []
    known = dict(line.split("=", 1) for line in lines if "=" in line)
    masked = [known.get(name, "") for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")]
    return [re.sub(r"//[^@/]*@", "//xxxxx:xxxxx@", value) for value in masked]


# -- networks ----------------------------------------------------------------------------------------------------------


def overlaps(bip, fixed):
    """Return the routes of other devices that docker0's network would hide, and what is wrong with the network."""
    if not bip:
        return [], ""
    try:
        network = ipaddress.ip_interface(bip).network
        if fixed and not ipaddress.ip_network(str(fixed), strict=False).subnet_of(network):
            return [], (
                f"fixed-cidr {fixed} in {CONFIG} does not lie in docker0's network {network}, and no container would "
                f"start. Write docker0's address beside it (bip), or take fixed-cidr out."
            )
    except (ValueError, TypeError) as error:
        return (
            [],
            f"docker0's address {bip!r} is none ({error}). Give it with the length of its network, as 10.213.0.1/24.",
        )
    found = []
    for route in json.loads(ask("ip", "-json", "-4", "route", "show") or "[]"):
        if route.get("dst", "default") == "default" or route.get("dev", "docker0") == "docker0":
            continue
        other = ipaddress.ip_network(route["dst"], strict=False)
        if other.prefixlen >= 8 and other.overlaps(network):  # shorter ones stand for "everything", as VPNs write it
            found.append(f"{other} of {route['dev']}")
    return found, ""


# -- the users and their docker command --------------------------------------------------------------------------------


def filesystem(path):
    """Return the real place of a path and the kind of its file system."""
    real = os.path.realpath(at(path))
    kind, longest = "", -1
    with open(at("/proc/self/mounts"), encoding="utf-8", errors="replace") as file:
        for line in file:
            _device, folder, name = line.split()[:3]
            folder = at(folder.replace("\\040", " "))
            if (real == folder or real.startswith(folder.rstrip("/") + "/")) and len(folder) >= longest:
                kind, longest = name, len(folder)
    return real.removeprefix(ROOT), kind


def in_any_case(content, name):
    """Return the value of a key that the docker command reads in any case; the last one counts."""
    found = [value for key, value in content.items() if key.lower() == name.lower()]
    return found[-1] if found else None


def helper_is_there(user, name):
    """Tell whether the user's docker command finds a credential helper."""
    program = f"docker-credential-{name}"
    shell = ask("runuser", "--login", user, "--command", f"command -v {shlex.quote(program)}")
    folders = [
        *os.environ.get("PATH", "").split(":"),
        *glob.glob(at("/mnt/*/Program Files/Docker/Docker/resources/bin")),
    ]
    return bool(shell) or any(os.access(f"{folder}/{program}", os.X_OK) for folder in folders if folder)


def taken_out(backup):
    """Return the keys that json_merge took out of a file, and what stood there."""
    return [
        (entry.get("key_path") or entry["way"], entry["before"])
        for entry in entries_of(backup)
        if "before" in entry and "after" not in entry
    ]


def is_store(key_path):
    return key_path[0].lower() in ("credsstore", "credhelpers")


def dead_stores(user, content, taken):
    """Return the keys of config.json that name a credential helper that is not there, now or when we took them out."""
    here = [([key], value) for key, value in content.items() if key.lower() == "credsstore"]
    for key, helpers in content.items():
        if key.lower() == "credhelpers" and isinstance(helpers, dict):
            hub = [name for name in helpers if name in ("docker.io", "index.docker.io", "https://index.docker.io/v1/")]
            here += [([key, name], helpers[name]) for name in hub]
    before = [(key_path, value) for key_path, value in taken if is_store(key_path)]
    named = {json.dumps(key_path): value for key_path, value in before + here if isinstance(value, str) and value}
    there = {value: helper_is_there(user, value) for value in set(named.values())}
    return [json.loads(key_path) for key_path, value in named.items() if not there[value]]


def misspelt(content, taken):
    """Return the keys that the docker command takes for ours because it reads them in any case, now or before."""
    ours, found = ("httpProxy", "httpsProxy", "noProxy"), [key_path for key_path, _ in taken if not is_store(key_path)]
    for top, group in content.items():
        if top.lower() != "proxies" or not isinstance(group, dict) or not isinstance(group.get("default"), dict):
            continue
        if top != "proxies":
            found.append([top, "default"])
            continue
        lower = [name.lower() for name in ours]
        found += [[top, "default", key] for key in group["default"] if key.lower() in lower and key not in ours]
    return found


def context_problem(user, home, content, addresses):
    """Return what is wrong with the context that the user's docker command is switched to."""
    name = in_any_case(content, "currentContext")
    if not name or name == "default":
        return ""
    remedy = (
        f'As {user} run "docker context use default".'
        if os.path.exists(at("/usr/bin/docker"))
        else (f'Take the line with "currentContext" out of {home}/.docker/config.json.')
    )
    digest = hashlib.sha256(str(name).encode()).hexdigest()
    meta, _ = read_json(f"{home}/.docker/contexts/meta/{digest}/meta.json")
    host = value_at(meta, ["Endpoints", "docker", "Host"])
    if host is None:
        return (
            f'{home}/.docker/config.json: "currentContext" leads the docker command of {user} to "{name}", which does '
            f"not exist, so it fails. {remedy}"
        )
    if plain_address(host) in map(plain_address, addresses):
        return ""
    return (
        f'{home}/.docker/config.json: "currentContext" leads the docker command of {user} to "{name}", which is {host} '
        f"and not the Docker of this machine. {remedy}"
    )


def left_by_root(account, home):
    """Tell whether root has left something in the user's folder for Docker (by sudo), which json_merge gives to him."""
    folder = f"{home}/.docker"
    if account.pw_uid == 0 or os.path.islink(at(folder)) or filesystem(folder)[1] in WINDOWS:
        return False
    below = (os.path.join(top, name) for top, *names in os.walk(at(folder)) for name in sum(names, []))
    return any(os.path.lexists(path) and os.lstat(path).st_uid == 0 for path in (at(folder), *below))


def owner_problem(user, account, home):
    """Name a part of the user's folder for Docker that he cannot write, and that is not repaired by the role."""
    repaired = left_by_root(account, home)
    for name in ("", "/config.json", "/buildx", "/contexts", "/cli-plugins"):
        path = f"{home}/.docker{name}"
        try:
            owner = os.stat(at(path)).st_uid
        except OSError:
            continue
        if owner in (account.pw_uid, 0 if repaired else None) or account.pw_uid == 0 or filesystem(path)[1] in WINDOWS:
            continue
        return (
            f"{path} belongs to {owner_name(owner)}, so the docker command of {user} cannot use it. "
            f"Run: sudo chown -R {user}: {home}/.docker"
        )
    return ""


def plugin_problems(user, home, content):
    """Name plugins that the docker command of the user finds before those of the packages, and cannot run."""
    extra = in_any_case(content, "cliPluginsExtraDirs")
    folders = [*(extra if isinstance(extra, list) else []), f"{home}/.docker/cli-plugins"]
    folders += ["/usr/local/lib/docker/cli-plugins", "/usr/local/libexec/docker/cli-plugins"]
    found = []
    for path in [f"{folder}/docker-{name}" for folder in folders for name in ("buildx", "compose")]:
        if os.path.exists(at(path)) and not (os.path.isfile(at(path)) and os.stat(at(path)).st_mode & 0o111):
            found.append(
                f"{path} cannot be run, and the docker command of {user} takes it for its own. Run: sudo rm -r {path}"
            )
    return found


def owner_name(number):
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group_name(number):
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def user_facts(name, wanted, addresses):
    """Return what is known of a user and of his docker command, None for one that is not there."""
    try:
        account = pwd.getpwnam(name)
    except KeyError:
        return None
    home = account.pw_dir
    path = f"{home}/.docker/config.json"
    real, kind = filesystem(path)
    content, problem = read_json(path)
    backup = f"{wanted['clients']}/{name}.json" if wanted["clients"] else ""
    taken = taken_out(backup)
    dead = dead_stores(name, content, taken)
    backed_up = bool(backup) and os.path.exists(at(backup))
    place = (
        f"{path} is {real}, on a Windows drive, where files have no owner of Linux. Remove the link."
        if dead and kind in WINDOWS
        else ""
    )
    checks = [place, context_problem(name, home, content, addresses), owner_problem(name, account, home)]
    return {
        "home": home,
        "group": group_name(account.pw_gid),
        "problems": [text for text in [problem, *checks, *plugin_problems(name, home, content)] if text],
        "windows": real if kind in WINDOWS else "",
        "dead_stores": dead,
        "backed_up": backed_up,
        "changes": bool(dead) or backed_up or left_by_root(account, home),
        "misspelt": misspelt(content, taken),
    }


# -- environment that leads the docker command elsewhere ---------------------------------------------------------------

VARIABLES = (
    "DOCKER_HOST",
    "DOCKER_CONTEXT",
    "DOCKER_CONFIG",
    "DOCKER_TLS_VERIFY",
    "DOCKER_TLS",
    "DOCKER_API_VERSION",
    "BUILDX_BUILDER",
)
SETTING = re.compile(
    rf"(?<![\w$-])({'|'.join(VARIABLES)})(?:\s*=\s*|\s+DEFAULT=|\s+(?=[\w/:\"']))(\"[^\"]*\"|'[^']*'|[^\s;&|)]*)"
)
ALIAS = re.compile(r"^\s*alias\s+docker=(.*)")
SOURCED = re.compile(r"(?:^|[;&|]|\bthen)\s*(?:\.|source)\s+[\"']?((?:~|\$HOME|\$\{HOME\}|/)[^\s\"';&|]*)")
OF_ALL = (
    "/etc/environment",
    "/etc/security/pam_env.conf",
    "/etc/profile",
    "/etc/profile.d/*.sh",
    "/etc/bash.bashrc",
    "/etc/zsh/*",
    "/etc/fish/config.fish",
)
OF_USER = (
    ".profile",
    ".bash_profile",
    ".bash_login",
    ".bashrc",
    ".bash_aliases",
    ".zshenv",
    ".zprofile",
    ".zshrc",
    ".zlogin",
    ".pam_environment",
    ".config/environment.d/*.conf",
    ".config/fish/config.fish",
    ".config/fish/conf.d/*.fish",
)
PLAIN = ("environment", "pam_env.conf", ".pam_environment", "environment.d")
"""Files that are no scripts: what they say is so."""


def settings_in(path, home, seen):
    """Yield the settings of a file and of those that it reads: name, value, file, line number, text."""
    if path in seen or len(seen) > 60:
        return
    seen.add(path)
    try:
        with open(at(path), encoding="utf-8", errors="replace") as file:
            lines = file.read(1_000_000).splitlines()
    except OSError:
        return
    for number, line in enumerate(lines, 1):
        text = re.sub(r"(^|\s)#.*", "", line).strip()
        if re.match(r"(?:unset|echo|printf)\b", text):
            continue
        for name, value in SETTING.findall(text):
            yield name, value.strip("\"'"), path, number, text
        for value in ALIAS.findall(text):
            yield "alias", value.strip("\"'"), path, number, text
        for other in SOURCED.findall(text):
            yield from settings_in(re.sub(r"^(~|\$HOME|\$\{HOME\})", home, other), home, seen)


def leads_elsewhere(name, value, home, addresses):
    """Tell whether the docker command does not reach this machine's Docker with this setting."""
    if not value:
        return False
    if name == "alias":
        words = value.split()
        return "docker" not in words[:2] or any(re.match(r"-H|--host|-c\b|--context", word) for word in words)
    if name == "DOCKER_HOST":
        return plain_address(value) not in map(plain_address, addresses)
    if name in ("DOCKER_CONTEXT", "BUILDX_BUILDER"):
        return value != "default" and not (
            name == "BUILDX_BUILDER" and os.path.exists(at(f"{home}/.docker/buildx/instances/{value}"))
        )
    if name == "DOCKER_CONFIG":
        return re.sub(r"^(~|\$HOME|\$\{HOME\})", home, value).rstrip("/") != f"{home}/.docker"
    return True


def environment_of(user):
    """Return the environment of the user's interactive shells, None when they do not tell it in time."""
    shell = "printf '\\0'; env -0"
    shown = ask("runuser", "--login", user, "--command", f'"$SHELL" -ic {shlex.quote(shell)}')
    if shown is None:
        return None
    return dict(item.split("=", 1) for item in shown.split("\0") if "=" in item)


def environment(user, home, addresses):
    """Return the places that lead the user's docker command elsewhere, a sentence each."""
    patterns = [*OF_ALL, *(f"{home}/{name}" for name in OF_USER)]
    paths = [path.removeprefix(ROOT) for pattern in patterns for path in sorted(glob.glob(at(pattern)))]
    seen, found = set(), []
    for path in paths:
        found += settings_in(path, home, seen)
    if not found:
        return []
    known = None
    if any(name != "alias" and not any(part in path for part in PLAIN) for name, _, path, _, _ in found):
        known = environment_of(user)
    places = {}
    for name, value, path, number, text in found:
        script = name != "alias" and not any(part in path for part in PLAIN)
        if script and known is not None:
            value = known.get(name, "")
        if leads_elsewhere(name, value, home, addresses):
            places.setdefault(name, []).append(f"{path}:{number}: {text}")
    return [
        f"{'An alias' if name == 'alias' else name} leads the docker command of "
        f"{user if any(line.startswith(home) for line in lines) else 'every user'} away from this machine's Docker "
        f"({'; '.join(lines)}). Take that out, and open a new terminal."
        for name, lines in places.items()
    ]


# -- all of it ---------------------------------------------------------------------------------------------------------


def desktop():
    """Return the signs that Docker Desktop serves this distribution."""
    found = []
    for path in ("/usr/bin/docker", "/usr/local/bin/docker", "/var/run/docker.sock", "/run/docker.sock"):
        target = os.readlink(at(path)) if os.path.islink(at(path)) else ""
        if "docker-desktop" in target + os.path.realpath(at(path)).removeprefix(ROOT):
            if not os.path.exists(at(path)):
                found.append(f"{path} is {target}, which is not there now")
            else:
                found.append(f"{path} is {target}" if target else f"{path} is part of it")
    return found[:3]


def installed(packages):
    command = 'dpkg-query -W -f "\\${db:Status-Status} \\${Package}=\\${Version}\\n" "$@" || :'
    shown = ask("sh", "-c", command, "sh", *packages) if packages else ""
    lines = [line.removeprefix("installed ") for line in (shown or "").splitlines() if line.startswith("installed ")]
    return dict(line.split("=", 1) for line in lines)


def members():
    try:
        return grp.getgrnam("docker").gr_mem
    except KeyError:
        return []


def before(note):
    """Return what the role has noted of the time before it, None without a note."""
    return read_json(note)[0] if note and os.path.exists(at(note)) else None


def free_gb(folder):
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize // 10**9


def in_wsl():
    """Tell whether this is WSL, by what its kernel shows: its name, its way to start programs, what Windows mounts."""

    def text(path):
        try:
            with open(at(path), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    name = text("/proc/sys/kernel/osrelease").lower()
    interop = os.path.exists(at("/proc/sys/fs/binfmt_misc/WSLInterop"))
    return "microsoft" in name or "wsl" in name or interop or " /usr/lib/wsl/" in text("/proc/mounts")


def look(wanted):
    """Return the whole document."""
    content, problem = read_json(CONFIG)
    foreign = without_ours(content, entries_of(wanted["backup"]))
    options = flags()
    addresses = listens({**content, **wanted["options"]}, options)
    bip = str(wanted["options"].get("bip") or foreign.get("bip") or ("" if foreign.get("bridge") else wanted["bip"]))
    routes, bip_problem = overlaps(bip, {**content, **wanted["options"]}.get("fixed-cidr"))
    state = service() if wanted["daemon"] else {}
    pid_file = at(str(content.get("pidfile") or "/var/run/docker.pid"))
    stale = sorted(f"{name}={state.get(name)}" for name in ("ActiveState", "NeedDaemonReload", "UnitFileState"))
    stale = (
        [] if stale == ["ActiveState=active", "NeedDaemonReload=no", "UnitFileState=enabled"] else ["docker.service"]
    )
    if os.path.exists(at(CONFIG)) and os.path.exists(pid_file):
        stale += [CONFIG] if os.stat(at(CONFIG)).st_mtime > os.stat(pid_file).st_mtime else []
    users = {name: user_facts(name, wanted, addresses) for name in wanted["users"]}
    known = {name: user for name, user in users.items() if user}
    data = content.get("data-root") if isinstance(content.get("data-root"), str) else "/var/lib"
    release = os.uname().release
    return {
        "wsl": in_wsl(),
        "wsl1": release if release.endswith("-Microsoft") else "",
        "desktop": desktop(),
        "desktop_elsewhere": os.path.exists(at("/mnt/wsl/docker-desktop")),
        "snap": os.path.exists(at("/snap/bin/docker")),
        "rootless": sorted(
            {
                f"{account.pw_dir}/.config/systemd/user/docker.service"
                for account in pwd.getpwall()
                if os.path.exists(at(f"{account.pw_dir}/.config/systemd/user/docker.service"))
            }
        ),
        "users": known,
        "unknown": [name for name, user in users.items() if user is None],
        "environment": list(
            dict.fromkeys(text for name, user in known.items() for text in environment(name, user["home"], addresses))
        ),
        "daemon_json": {"problem": problem, "content": content, "foreign": foreign},
        "flags": options,
        "listens": addresses,
        "address": "" if plain_address(SOCKET) in map(plain_address, addresses) else addresses[0],
        "bip": bip,
        "overlaps": routes,
        "bip_problem": bip_problem,
        "disk": free_gb(at(data)),
        "installed": installed(wanted["packages"]),
        "members": members(),
        "before": before(wanted["note"]),
        "dockerd": next((path for path in ("/usr/bin/dockerd", "/usr/sbin/dockerd") if os.path.exists(at(path))), ""),
        "stale": stale,
        "uses": proxies(state, addresses),
    }


def main():
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    module.exit_json(changed=False, docker=look(module.params))


if __name__ == "__main__":
    main()
