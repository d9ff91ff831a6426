"""Trust one apt repository by the fingerprint of its key."""

import json
import os
import re
import shutil
import tempfile
import time

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
  - Files that name the same repository in another way are moved away, since apt refuses two different C(Signed-By)
    values for one repository. O(state=absent) brings them back.
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
  originals:
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
files:
  description: The files that were written, moved away, brought back or removed.
  returned: success
  type: list
  elements: str
"""

PARTS = "/etc/apt/sources.list.d"
LISTS = "/var/lib/apt/lists"
DAY = 24 * 3600
ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"


CAUSES = [
    (
        "not valid yet",
        (
            "is not valid yet",
            "The clock of this machine is behind, as it can be after Windows slept: say 'wsl --shutdown' on Windows, "
            "then run again.",
        ),
    ),
    (
        "Hash Sum mismatch|unexpected size|Clearsigned file isn't valid",
        (
            "is not the one that was signed: a proxy or a mirror on the way has changed it or cut it short",
            "Run again; if it stays so, ask who runs the proxy, or wait until the vendor has finished publishing.",
        ),
    ),
    (
        "NO_PUBKEY|BADSIG|EXPKEYSIG|is not signed|Missing key|signature",
        (
            "is not signed by this key",
            "Look at the address in a browser (a proxy or a portal may answer in its place); if the vendor has "
            "announced a new key, put its fingerprint into the variable; then run again.",
        ),
    ),
    (
        "404 +Not Found",
        (
            "does not exist",
            "The repository has nothing for suite {suites}. Compare it with what the vendor offers, then run again.",
        ),
    ),
]
"""What apt says (a pattern; the first that fits counts), and the cause and the remedy in our words."""
UNKNOWN_CAUSE = (
    "could not be fetched",
    "Check that the proxy program runs on Windows and has a connection itself, and that the repository offers suite "
    "{suites}, then run again.",
)


class Refused(Exception):
    """The cause and the remedy, in one sentence each."""


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path, content):
    """Put the content in place in one step, readable by everybody as apt's sandbox user needs it."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(temporary, 0o644)
    os.replace(temporary, path)


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
    fixed = re.sub(r"^[a-z+]+://", "", uri.split("$(")[0]).rstrip("/")
    return re.sub(r"[\\|{}\[\]<>\"^~_=!@#$%^&*]", lambda match: f"%{ord(match.group()):02x}", fixed).replace("/", "_")


def repositories(text):
    """Return the addresses that the active lines of a sources file name, one-line or deb822."""
    active = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [
        address.rstrip("/")
        for line in active
        for address in re.findall(r"[a-z+]+:/+[^\s\]]+", line)
        if not line.startswith("Signed-By")
    ]


class Source:
    def __init__(self, module):
        self.module = module
        self.wanted = module.params
        self.path = f"{PARTS}/{self.wanted['name']}.sources"
        self.saved = os.path.join(self.wanted["originals"], self.wanted["name"])
        self.record = json.loads(read(f"{self.saved}/record.json") or "{}")

    # -- the key -----------------------------------------------------------------------------------------------------

    def gpg(self, *arguments, data):
        gpg = self.module.get_bin_path("gpg")
        if gpg is None:
            raise Refused("gpg is missing, so no key can be verified. Install it: apt-get install gpg")
        with tempfile.TemporaryDirectory() as home:
            return self.module.run_command(
                [gpg, "--homedir", home, "--batch", "--no-tty", *arguments], data=data, binary_data=True, encoding=None
            )

    def fingerprints(self, key):
        """Return the fingerprints of the primary keys in it."""
        rc, out, _ = self.gpg("--with-colons", "--show-keys", data=key)
        records = [line.split(":") for line in out.decode(errors="replace").splitlines()] if rc == 0 else []
        return [records[at + 1][9] for at, record in enumerate(records[:-1]) if record[0] == "pub"]

    def key(self):
        """Return the verified key, or None when the keyring already holds exactly this one."""
        wanted = re.sub(r"\s", "", self.wanted["fingerprint"]).upper()
        if not re.fullmatch(r"[0-9A-F]{40}", wanted):
            raise Refused(
                f"'{self.wanted['fingerprint']}' is no fingerprint. Give the 40 hexadecimal digits of the primary key."
            )
        installed = read(self.wanted["keyring"])
        if installed and self.fingerprints(installed) == [wanted]:
            return None
        if self.module.check_mode:
            return b""
        key, url = self.download(), self.wanted["key_url"]
        found = self.fingerprints(key)
        if found != [wanted]:
            raise Refused(
                f"The key at {url} is not the expected one: wanted {wanted}, "
                f"found {', '.join(found) or 'no OpenPGP key'}. Nothing was changed. "
                "Look at the address in a browser (a proxy or a portal may answer in its place); "
                "if the vendor has announced a new key, put its fingerprint into the variable."
            )
        return self.in_the_form_of_the_keyring(key)

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

    def content(self):
        wanted = self.wanted
        architectures = wanted["architectures"] or [
            self.module.run_command(["dpkg", "--print-architecture"], check_rc=True)[1].strip()
        ]
        return deb822(wanted["uris"], wanted["suites"], wanted["components"], architectures, wanted["keyring"]).encode()

    def leftovers(self):
        """Return the files that name this repository in another way, and those that the caller wants away."""
        ours = {uri.rstrip("/") for uri in self.wanted["uris"]}
        others = [f"{PARTS}/{name}" for name in sorted(os.listdir(PARTS))] if os.path.isdir(PARTS) else []
        found = [path for path in self.wanted["replaces"] if os.path.exists(path)]
        for path in others:
            if path in found or path == self.path or not path.endswith((".list", ".sources")):
                continue
            named = set(repositories((read(path) or b"").decode(errors="replace")))
            if named & ours and named - ours:
                raise Refused(
                    f"{path} names {', '.join(sorted(named & ours))} beside other repositories, "
                    "which would then carry two signing keys. Take its lines out of that file and run again."
                )
            if named & ours:
                found.append(path)
        return found

    def apply(self, plan):
        """Bring each file of the plan (path: content, or None for gone) into its state, keeping the originals."""
        for path in plan:
            if path not in self.record:
                self.record[path] = os.path.basename(path) if os.path.exists(path) else None
                if self.record[path]:
                    os.makedirs(self.saved, mode=0o755, exist_ok=True)
                    shutil.copy2(path, f"{self.saved}/{self.record[path]}")
        if plan:
            write(f"{self.saved}/record.json", json.dumps(self.record, indent=2).encode() + b"\n")
        for path, content in plan.items():
            if content is None:
                os.remove(path)
            else:
                write(path, content)

    # -- the index ---------------------------------------------------------------------------------------------------

    def releases(self):
        """Return the release files that apt has, split into this repository's and others."""
        names = [name for name in (os.listdir(LISTS) if os.path.isdir(LISTS) else []) if name.endswith("Release")]
        prefixes = tuple(list_prefix(uri) for uri in self.wanted["uris"])
        return [name for name in names if name.startswith(prefixes)], [
            name for name in names if not name.startswith(prefixes)
        ]

    def index(self):
        """Say which index to fetch: this repository's, or all when the others are missing or older than a day."""
        others = self.releases()[1]
        return "source" if others and time.time() - os.stat(LISTS).st_mtime < DAY else "all"

    def fetch(self, scope, source, key, leftovers):
        """Fetch the index as it will be, before the files are in place."""
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            keyring = self.wanted["keyring"]
            if key:
                keyring = f"{folder}/{os.path.basename(keyring)}"
                write(keyring, key)
            candidate = f"{folder}/parts/{os.path.basename(self.path)}"
            write(
                candidate,
                source.replace(f"Signed-By: {self.wanted['keyring']}".encode(), f"Signed-By: {keyring}".encode()),
            )
            if scope == "all":
                for name in set(os.listdir(PARTS)) - {os.path.basename(path) for path in [*leftovers, self.path]}:
                    os.symlink(f"{PARTS}/{name}", f"{folder}/parts/{name}")
                where = ["-o", f"Dir::Etc::SourceParts={folder}/parts"]
            else:
                where = [
                    "-o",
                    f"Dir::Etc::SourceList={candidate}",
                    "-o",
                    "Dir::Etc::SourceParts=-",
                    "-o",
                    "APT::Get::List-Cleanup=0",
                ]
            os.chmod(f"{folder}/parts", 0o755)
            rc, _, err = self.module.run_command(
                ["apt-get", "update", "-q", "-o", "APT::Update::Error-Mode=any", *where]
            )
        if rc and (scope == "source" or not self.releases()[0] or any(uri in err for uri in self.wanted["uris"])):
            cause, remedy = next((words for pattern, words in CAUSES if re.search(pattern, err)), UNKNOWN_CAUSE)
            raise Refused(
                f"The index of {', '.join(self.wanted['uris'])} {cause}. No file was changed. "
                f"{remedy.format(suites=' '.join(self.wanted['suites']))} apt says: {' '.join(err.split())}"
            )
        if rc:
            self.module.warn(f"Another repository of this machine could not be refreshed: {err.strip()}")

    # -- the two states ----------------------------------------------------------------------------------------------

    def present(self):
        missing = [option for option in ("key_url", "fingerprint", "uris", "suites") if not self.wanted[option]]
        if missing:
            raise Refused(f"Nothing is known about {self.wanted['name']}'s {', '.join(missing)}. Give them.")
        source, leftovers, key = self.content(), self.leftovers(), self.key()
        plan = dict.fromkeys(leftovers)
        if key is not None:
            plan[self.wanted["keyring"]] = key
        if read(self.path) != source:
            plan[self.path] = source
        refresh = key is not None or self.path in plan or not self.releases()[0]
        scope = self.index() if refresh else "none"
        diff = self.diff(plan)
        if not self.module.check_mode:
            if refresh:
                self.fetch(scope, source, key, leftovers)
            self.apply(plan)
        return {"changed": bool(plan) or refresh, "index": scope, "files": sorted(plan), "diff": diff}

    def absent(self):
        plan = {}
        for path, original in self.record.items():
            content = read(f"{self.saved}/{original}") if original else None
            if read(path) != content:
                plan[path] = content
        diff = self.diff(plan)
        if not self.module.check_mode:
            self.apply(plan)
            shutil.rmtree(self.saved, ignore_errors=True)
        return {"changed": bool(plan or self.record), "index": "none", "files": sorted(plan), "diff": diff}

    def diff(self, plan):
        def show(path, content):
            if content is None:
                return ""
            return content.decode(errors="replace") if path.endswith((".list", ".sources")) else "(an OpenPGP key)\n"

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
            "replaces": {"type": "list", "elements": "path", "default": []},
            "http_proxy": {"type": "str", "default": ""},
            "originals": {"type": "path", "default": "/var/lib/wsl-dl-playbook/apt_source"},
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
