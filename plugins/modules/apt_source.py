"""Trust one apt repository by the fingerprint of its key."""

import contextlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from urllib.parse import urlsplit

from ansible.module_utils.apt_program import LOCKED, Apt, cause
from ansible.module_utils.apt_sources import is_same, switched_off, switched_on, words
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: apt_source
short_description: Trust one apt repository by the fingerprint of its key
description:
  - Installs the signing key of an apt repository and a deb822 C(.sources) file that trusts this key for this
    repository only, and fetches its index.
  - The key is downloaded only when the keyring does not yet hold exactly the wanted key, and is refused before
    anything is written when its fingerprint is another one.
  - The index is fetched with the new key and the new source before either is put in place, so a repository that
    cannot be reached or is signed by somebody else changes nothing. Only this repository's index is fetched, unless
    the machine has no other index or none of this day.
  - Whatever names the same repository in another way or in another place is set aside, since apt refuses to work at all
    with two different C(Signed-By) values for one repository. A file that names nothing else is moved away; in a shared
    one the lines become comments and no other byte changes. O(state=absent) brings them back.
  - The sources as they will be are read by apt before any file is changed, so a source with which apt cannot read its
    sources never stays.
  - The key and the source file belong to root and can be read by everybody, since apt verifies as a user of its own;
    a wrong mode or owner is corrected, also of the folder of the key.
  - While another program holds the lock of apt's lists, the module waits for it, at most O(lock_timeout) seconds.
  - One run does what would otherwise take five tasks, and reads only when there is nothing to do.
options:
  name:
    description: Name of the C(.sources) file in C(/etc/apt/sources.list.d), without its ending.
    type: str
    required: true
  state:
    description: Whether the machine trusts the repository.
    type: str
    choices: [present, absent]
    default: present
  key_url:
    description: Where the vendor publishes the key, armored or binary. Needed with O(state=present).
    type: str
  fingerprint:
    description: The 40 hexadecimal digits of the primary key's fingerprint; spaces and case do not matter. Needed
      with O(state=present).
    type: str
  keyring:
    description: Where the key is kept. A name ending in C(.asc) is stored armored, one ending in C(.gpg) is stored
      binary, as apt expects.
    type: path
    required: true
  uris:
    description: Addresses of the repository. C($(ARCH)) is apt's own variable. Needed with O(state=present).
    type: list
    elements: str
    default: []
  suites:
    description: Suites of the repository, C(/) for a flat one. Needed with O(state=present).
    type: list
    elements: str
    default: []
  components:
    description: Components of the repository; a flat one has none.
    type: list
    elements: str
    default: []
  architectures:
    description: Debian architectures to fetch; the machine's own when empty.
    type: list
    elements: str
    default: []
  cache:
    description: >-
      Address of a cache that has the repository below its host and path, C(http://HOST:PORT); empty for none. apt then
      asks it first and goes on at O(uris) where it does not answer, by a list of mirrors (apt-transport-mirror(1)).
    type: str
    default: ""
  replaces:
    description: Files to move away, such as those of an older way to install the same packages.
    type: list
    elements: path
    default: []
  http_proxy:
    description: HTTP proxy for the key and for the index, C(http://HOST:PORT); empty for the environment's. What
      apt's own configuration says about a proxy comes first.
    type: str
    default: ""
  lock_timeout:
    description: How long to wait for another program that fetches an index, in seconds.
    type: int
    default: 120
  backup:
    description: Folder that keeps what was there before, one folder below it for each O(name).
    type: path
    default: /var/lib/wsl-dl-playbook/apt_source
attributes:
  check_mode:
    support: full
    description: Downloads nothing and writes nothing.
  diff_mode:
    support: full
    description: Shows the source file and the names of the other files.
"""

EXAMPLES = r"""
- name: Trust Docker's apt repository
  apt_source:
    name: docker
    key_url: https://download.docker.com/linux/ubuntu/gpg
    fingerprint: 9DC858229FC7DD38854AE2D88D81803C0EBFCD88
    keyring: /etc/apt/keyrings/docker.asc
    uris: [https://download.docker.com/linux/ubuntu]
    suites: [noble]
    components: [stable]
    replaces: [/etc/apt/sources.list.d/docker.list]
"""

RETURN = r"""
index:
  description: Which index was fetched, V(none), V(source) or V(all).
  returned: success
  type: str
set_aside:
  description: Where the same repository was named, each as FILE:LINE.
  returned: with O(state=present)
  type: list
  elements: str
files:
  description: The files that were written, moved away, brought back or removed, and the folders that were opened.
  returned: success
  type: list
  elements: str
"""

DAY = 24 * 3600
ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


class Refused(Exception):
    """The cause and the remedy, in one sentence each."""


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path, content, like=None):
    """Put the content in place in one step, readable by everybody as apt's user needs it, or as another file is."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    if like:
        shutil.copymode(like, temporary)
        owner = os.stat(like)
        os.chown(temporary, owner.st_uid, owner.st_gid)
    else:
        os.chmod(temporary, 0o644)
    os.replace(temporary, path)


def is_open(path):
    """Tell whether a file is root's own and everybody may read it."""
    status = os.lstat(path)
    return stat.S_ISREG(status.st_mode) and stat.S_IMODE(status.st_mode) == 0o644 and status.st_uid == os.geteuid()


def deb822(uris, suites, components, architectures, keyring):
    fields = {
        "Types": "deb",
        "URIs": " ".join(uris),
        "Suites": " ".join(suites),
        "Components": " ".join(components),
        "Architectures": " ".join(architectures),
        "Signed-By": keyring,
    }
    return "# Ansible managed: apt_source\n" + "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def list_prefix(uri):
    """Return how the names of a repository's files in /var/lib/apt/lists begin, on any architecture."""
    fixed = re.sub(r"^[a-z+]+:(//)?", "", uri.split("$(")[0]).rstrip("/")
    return re.sub(r"[\\|{}\[\]<>\"^~_=!@#$%^&*]", lambda match: f"%{ord(match.group()):02x}", fixed).replace("/", "_")


class Source:
    def __init__(self, module):
        self.module = module
        self.wanted = module.params
        self.apt = Apt()
        self.aside = []
        self.path = f"{self.apt.parts}/{self.wanted['name']}.sources"
        self.mirrors = f"{os.path.dirname(self.apt.list)}/{self.wanted['name']}.mirrors"
        self.uris = [f"mirror+file:{self.mirrors}"] if self.wanted["cache"] else self.wanted["uris"]
        self.backup = os.path.join(self.wanted["backup"], self.wanted["name"])
        self.backed_up = json.loads(read(f"{self.backup}/record.json") or "{}")

    # -- the key -----------------------------------------------------------------------------------------------------

    def gpg(self, *arguments, data):
        gpg = self.module.get_bin_path("gpg")
        if gpg is None:
            raise Refused("gpg is missing, so no key can be verified. Install it: apt-get install gpg")
        with tempfile.TemporaryDirectory() as home:
            return self.module.run_command(
                ["timeout", "60", gpg, "--homedir", home, "--batch", "--no-tty", *arguments],
                data=data,
                binary_data=True,
                encoding=None,
            )

    def fingerprints(self, key):
        """Return the fingerprints of the primary keys in it."""
        rc, out, _ = self.gpg("--with-colons", "--show-keys", data=key)
        records = [line.split(":") for line in out.decode(errors="replace").splitlines()] if rc == 0 else []
        return [records[at + 1][9] for at, record in enumerate(records[:-1]) if record[0] == "pub"]

    def key(self):
        """Return the verified key, or None when the keyring already holds exactly this one and apt can read it."""
        wanted = re.sub(r"\s", "", self.wanted["fingerprint"]).upper()
        if not re.fullmatch(r"[0-9A-F]{40}", wanted):
            raise Refused(
                f"'{self.wanted['fingerprint']}' is not a fingerprint. Give all 40 digits of the primary key."
            )
        installed = read(self.wanted["keyring"])
        if installed and self.fingerprints(installed) == [wanted]:
            return None if is_open(self.wanted["keyring"]) else installed
        if self.module.check_mode:
            return b""
        key, url = self.from_cache(wanted) or self.download(), self.wanted["key_url"]
        found = self.fingerprints(key)
        if found != [wanted]:
            raise Refused(
                f"The key at {url} is not the expected one: wanted {wanted}, "
                f"found {', '.join(found) or 'no OpenPGP key'}. Nothing was changed. "
                "Look at the address in a browser (a proxy or a portal may answer in its place); "
                "if the vendor has announced a new key, put its fingerprint into the variable."
            )
        return self.in_the_form_of_the_keyring(key)

    def from_cache(self, wanted):
        """Return the key that the cache has, or None: it may be off, and is not trusted."""
        from ansible.module_utils.urls import open_url

        if not self.wanted["cache"]:
            return None
        try:
            key = open_url(self.cached(self.wanted["key_url"]), timeout=10, use_proxy=False).read()
        except Exception:  # the vendor is asked next
            return None
        return key if self.fingerprints(key) == [wanted] else None

    def download(self):
        # Imported here: most runs download nothing, and ssl takes longer to load than the rest of the module.
        from ansible.module_utils.urls import open_url

        url, proxy = self.wanted["key_url"], self.wanted["http_proxy"]
        try:
            return open_url(url, timeout=30).read()
        except Exception as error:  # whatever went wrong, the user needs the address and the proxy
            raise Refused(
                f"The key at {url} could not be downloaded {f'through {proxy}' if proxy else 'directly'}: {error}. "
                "Nothing was changed. Check that the proxy answers and that the address is right, then run again."
            ) from error

    def in_the_form_of_the_keyring(self, key):
        armored = key.lstrip().startswith(ARMOR)
        if self.wanted["keyring"].endswith(".asc"):
            if not armored:
                raise Refused(
                    f"{self.wanted['key_url']} holds a binary key. Name the keyring {self.wanted['keyring'][:-4]}.gpg"
                )
            return key
        return self.gpg("--dearmor", data=key)[1] if armored else key

    # -- the files ---------------------------------------------------------------------------------------------------

    def cached(self, uri):
        """Return where the cache has it."""
        return f"{self.wanted['cache'].rstrip('/')}/{re.sub('^https?://', '', uri)}"

    def list_of_mirrors(self):
        """Return the addresses in the order in which apt asks them."""
        uris = [uri.replace("$(ARCH)", self.apt.architecture) for uri in self.wanted["uris"]]
        lines = [f"{self.cached(uri)}\tpriority:1\n{uri}\tpriority:2\n" for uri in uris]
        return f"# Ansible managed: apt_source\n{''.join(lines)}".encode()

    def content(self):
        wanted = self.wanted
        architectures = wanted["architectures"] or [self.apt.architecture]
        return deb822(self.uris, wanted["suites"], wanted["components"], architectures, wanted["keyring"]).encode()

    def named(self, entry):
        """Return those addresses of an entry that are this repository."""
        if entry.uris == [f"mirror+file:{self.mirrors}"]:
            return entry.uris
        return is_same(entry, self.wanted["uris"], self.wanted["suites"], self.apt.architecture)

    def is_the_vendors(self, entry):
        """Tell whether an entry is this repository, or another one of its vendor."""
        hosts = [(urlsplit(uri).hostname or "").rpartition(".")[0] for uri in self.wanted["uris"]]
        names = {name for host in hosts for name in words(host, []) if len(name) > 4} - {"github"}
        return bool(self.named(entry)) or any(name in uri for name in names for uri in entry.uris)

    def twice(self, known):
        """Return {file: entries} for what names this repository in another place."""
        found = {}
        for entry in known:
            if not entry.enabled:
                continue
            named = self.named(entry)
            if entry.file == self.path:
                if not named:
                    raise Refused(
                        f"{entry.where} names {', '.join(entry.uris)}, in the file that this repository takes. Nothing "
                        "was changed. Move it into a file of its own, then run again."
                    )
                continue
            if named and len(named) < len(entry.uris):
                raise Refused(
                    f"{entry.where} names {', '.join(named)} beside other repositories, which would then carry two "
                    "signing keys, and apt would refuse to read its sources. Nothing was changed. Give it a stanza of "
                    "its own, or take it out, then run again."
                )
            if named:
                found.setdefault(entry.file, []).append(entry)
        return found

    def set_aside(self):
        """Return {file: content} for the files with this repository: None for those to move away."""
        known = self.apt.entries()
        found = self.twice(known)
        plan = {}
        for path in self.wanted["replaces"]:
            active = [entry for entry in known if entry.file == path and entry.enabled]
            if active and all(map(self.is_the_vendors, active)):
                plan[path] = None
            elif active and any(map(self.is_the_vendors, active)):
                found[path] = [entry for entry in active if self.is_the_vendors(entry)]
        for path, entries in found.items():
            if path in plan:
                continue
            others = [entry for entry in known if entry.file == path and entry.enabled and entry not in entries]
            if others or path == self.apt.list:
                text = read(path).decode(errors="surrogateescape")
                plan[path] = switched_off(text, entries, self.wanted["name"]).encode(errors="surrogateescape")
            else:
                plan[path] = None
            self.aside += [entry.where for entry in entries]
            self.module.warn(
                f"{', '.join(entry.where for entry in entries)} named this repository in another way and "
                f"{'was moved away' if plan[path] is None else 'is a comment now'}; 'absent' brings it back."
            )
        return plan

    def check(self, plan):
        """Refuse a plan with which apt could not read its sources."""
        sources = self.sources(plan)
        if not sources:
            return
        for error in self.apt.unreadable(sources):
            file, line = self.apt.line_in(error)
            places = [entry.where for entry in self.apt.guilty(error, self.apt.entries())]
            where = f"{file}:{line}" if line else ", ".join(places) or file or "its sources"
            raise Refused(
                f"apt cannot read its sources because of {where}: {error}. No file was changed. Correct that place, or "
                "put a # in front of it, then run again."
            )

    def sources(self, plan):
        """Return what of a plan are files that apt reads as sources."""
        return {path: text for path, text in plan.items() if path not in (self.wanted["keyring"], self.mirrors)}

    def shut_folders(self):
        """Return the folder of the key, and apt's own above it, when others may not look into them."""
        folder, own = os.path.dirname(self.wanted["keyring"]), os.path.dirname(self.apt.list)
        folders = [own, folder] if folder.startswith(f"{own}/") else [folder]
        modes = {one: stat.S_IMODE(os.stat(one).st_mode) for one in folders if os.path.isdir(one)}
        return [one for one, mode in modes.items() if mode & 0o055 != 0o055]

    def keep(self, path, content):
        """Note what stands in the place of a file, once; of the files of others what stands there last."""
        ours = path in (self.path, self.wanted["keyring"], self.mirrors)
        if ours and path in self.backed_up:
            return
        if content is not None and not ours:  # a shared file: its lines tell what they were
            self.backed_up[path] = {"commented": True}
            return
        self.backed_up[path] = os.path.basename(path) if os.path.exists(path) else None
        if self.backed_up[path]:
            os.makedirs(self.backup, mode=0o755, exist_ok=True)
            shutil.copy2(path, f"{self.backup}/{self.backed_up[path]}")
            owner = os.stat(path)
            os.chown(f"{self.backup}/{self.backed_up[path]}", owner.st_uid, owner.st_gid)

    def apply(self, plan, shut):
        """Bring each file of the plan (path: content, or None for gone) into its state, keeping what was there."""
        for path, content in plan.items():
            if content != read(path):
                self.keep(path, content)
        if plan:
            write(f"{self.backup}/record.json", json.dumps(self.backed_up, indent=2).encode() + b"\n")
        for folder in shut:
            os.chmod(folder, stat.S_IMODE(os.stat(folder).st_mode) | 0o055)
        for path, content in plan.items():
            if content is None:
                os.remove(path)
            else:
                write(path, content, like=None if path in (self.path, self.wanted["keyring"], self.mirrors) else path)

    # -- the index ---------------------------------------------------------------------------------------------------

    def releases(self):
        """Return the release files that apt has, split into this repository's and others."""
        lists = self.apt.lists
        names = [name for name in (os.listdir(lists) if os.path.isdir(lists) else []) if name.endswith("Release")]
        prefixes = tuple(list_prefix(uri) for uri in self.uris)
        return [name for name in names if name.startswith(prefixes)], [
            name for name in names if not name.startswith(prefixes)
        ]

    def index(self):
        """Say which index to fetch: this repository's, or all when the others are missing or older than a day."""
        others = self.releases()[1]
        return "source" if others and time.time() - os.stat(self.apt.lists).st_mtime < DAY else "all"

    def fetch(self, scope, source, key, plan):
        """Fetch the index as it will be, before the files are in place."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            keyring = self.wanted["keyring"]
            if key:
                keyring = f"{folder}/{os.path.basename(keyring)}"
                write(keyring, key)
            candidate = f"{folder}/{os.path.basename(self.path)}"
            signed = f"Signed-By: {self.wanted['keyring']}".encode(), f"Signed-By: {keyring}".encode()
            write(candidate, source.replace(*signed))
            only = ["-o", f"Dir::Etc::SourceList={candidate}", "-o", "Dir::Etc::SourceParts=-"]
            rc, said = self.apt.update([*only, "-o", "APT::Get::List-Cleanup=0"], self.wanted["lock_timeout"])
        if rc and LOCKED.search(said) or "apt is in use" in said:
            raise Refused(f"{' '.join(said.split()).removeprefix('E: ')} No file was changed.")
        if rc:
            why, remedy = cause(said, self.wanted["suites"])
            raise Refused(
                f"The index of {', '.join(self.wanted['uris'])} {why}. No file was changed. {remedy} "
                f"apt says: {' '.join(said.split())}"
            )
        if scope == "all":
            self.refresh(self.sources(plan))

    @contextlib.contextmanager
    def list_in_place(self, plan):
        """Have the list of mirrors in its place, whose name the index gets; it goes again when the index is refused."""
        content, before = plan.get(self.mirrors), read(self.mirrors)
        if content:
            self.keep(self.mirrors, content)
            write(self.mirrors, content)
        try:
            yield
        except Refused:
            if content and before is None:
                os.remove(self.mirrors)
            raise

    def refresh(self, plan):
        """Fetch what the machine's other sources have; what is wrong with them is no reason to stop."""
        plan = {**plan, self.path: None}
        with self.apt.candidate(plan) as options:
            rc, said = self.apt.update([*options, "-o", "APT::Get::List-Cleanup=0"], self.wanted["lock_timeout"], 0)
        for trouble in self.apt.troubles(said) if rc else []:
            self.module.warn(f"Another repository of this machine could not be refreshed: {trouble}")

    # -- the two states ----------------------------------------------------------------------------------------------

    def present(self):
        missing = [option for option in ("key_url", "fingerprint", "uris", "suites") if not self.wanted[option]]
        if missing:
            raise Refused(f"Nothing is known about {self.wanted['name']}'s {', '.join(missing)}. Give them.")
        source, plan, shut = self.content(), self.set_aside(), self.shut_folders()
        key = self.key()
        if key is not None:
            plan[self.wanted["keyring"]] = key
        if read(self.path) != source or not is_open(self.path):
            plan[self.path] = source
        mirrors = self.list_of_mirrors() if self.wanted["cache"] else None
        if read(self.mirrors) != mirrors and (mirrors or self.mirrors in self.backed_up):
            plan[self.mirrors] = mirrors
        self.check(plan)
        refresh = key is not None or self.path in plan or not self.releases()[0]
        scope = self.index() if refresh else "none"
        diff = self.diff(plan)
        if not self.module.check_mode:
            if refresh:
                with self.list_in_place(plan):
                    self.fetch(scope, source, key, plan)
            self.apply(plan, shut)
        changed = bool(plan or shut) or refresh
        files = sorted({*plan, *shut})
        return {"changed": changed, "index": scope, "files": files, "set_aside": self.aside, "diff": diff}

    def absent(self):
        plan, like = {}, {}
        for path, original in reversed(
            list(self.backed_up.items())
        ):  # ours go first, or apt would have two keys for one
            current = read(path)
            if isinstance(original, dict):
                text = (current or b"").decode(errors="surrogateescape")
                content = switched_on(text, self.wanted["name"]).encode(errors="surrogateescape") if current else None
                like[path] = path
            else:
                content = read(f"{self.backup}/{original}") if original else None
                like[path] = f"{self.backup}/{original}"
            if current != content:
                plan[path] = content
        diff = self.diff(plan)
        if not self.module.check_mode:
            for path, content in plan.items():
                if content is None:
                    os.remove(path)
                else:
                    write(path, content, like[path])
            shutil.rmtree(self.backup, ignore_errors=True)
        return {"changed": bool(plan or self.backed_up), "index": "none", "files": sorted(plan), "diff": diff}

    def diff(self, plan):
        def show(path, content):
            if content is None:
                return ""
            return (
                content.decode(errors="replace")
                if path.endswith((".list", ".sources", ".mirrors"))
                else "(an OpenPGP key)\n"
            )

        return [
            {
                "before_header": path,
                "after_header": path,
                "before": show(path, read(path)),
                "after": show(path, plan[path]),
            }
            for path in sorted(plan)
        ]


def main():
    texts = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "key_url": {"type": "str", "no_log": False},
            "fingerprint": {"type": "str"},
            "keyring": {"type": "path", "required": True, "no_log": False},
            "uris": texts,
            "suites": texts,
            "components": texts,
            "architectures": texts,
            "cache": {"type": "str", "default": ""},
            "replaces": {"type": "list", "elements": "path", "default": []},
            "http_proxy": {"type": "str", "default": ""},
            "lock_timeout": {"type": "int", "default": 120},
            "backup": {"type": "path", "default": "/var/lib/wsl-dl-playbook/apt_source"},
        },
        supports_check_mode=True,
    )
    module.run_command_environ_update = {"LC_ALL": "C.UTF-8"}
    os.umask(0o022)
    if module.params["http_proxy"]:
        os.environ.update(
            dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), module.params["http_proxy"])
        )
    try:
        source = Source(module)
        module.exit_json(**(source.present() if module.params["state"] == "present" else source.absent()))
    except Refused as refusal:
        module.fail_json(msg=str(refusal))


if __name__ == "__main__":
    main()
