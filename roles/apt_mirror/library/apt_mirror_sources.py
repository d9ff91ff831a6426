#!/usr/bin/python
"""Point the release's own archive at a mirror, in the sources that are there."""

DOCUMENTATION = r"""
module: apt_mirror_sources
short_description: Point the release's own archive at a mirror, in the sources that are there
description:
  - Edits C(/etc/apt/sources.list) and the deb822 file of the distribution, whichever the machine has. Only addresses
    change; other repositories, comments and order stay.
  - Which address is the archive's is read from the sources themselves. It is the one that serves the suite
    C(CODENAME-updates), or C(CODENAME-security) for security updates; no other repository has such suites.
  - Nothing is changed before apt has fetched the mirror's index and has the archive from the mirror alone, with the
    sources as they will be. So a mirror that does not work leaves the machine as it was, with a former mirror too.
  - The mirror is judged by its own index only. Other sources in the same files are fetched as well where the mirror's
    index was missing; what is wrong with them becomes a warning with file and line.
  - The files as they were are kept. O(state=absent) brings them back byte for byte; when somebody edited the file
    meanwhile, it gives the edited file its old addresses.
options:
  codename:
    description: Codename of the release.
    type: str
    required: true
  uri:
    description: Address of the mirror, or C(mirror+file:PATH) for a list of addresses.
    type: str
    required: true
  direct:
    description: Hosts of these addresses, which apt reaches without a proxy; that of O(uri) where there are none.
    type: list
    elements: str
    default: []
  security:
    description: Whether security updates come from the mirror too.
    type: bool
    default: false
  security_uri:
    description: Where security updates come from otherwise, as O(uri); empty leaves their address as it is.
    type: str
    default: ""
  origin:
    description: How the archive and its mirrors call their origin in their index, V(Ubuntu) or V(Debian).
    type: str
    default: Ubuntu
  http_proxy:
    description: HTTP proxy for the other sources, C(http://HOST:PORT); empty for the environment's.
    type: str
    default: ""
  lock_timeout:
    description: How long to wait for another program that fetches an index, in seconds.
    type: int
    default: 120
  backup:
    description: Folder for the files as they were before.
    type: path
    required: true
  paths:
    description: The sources files to look at.
    type: list
    elements: path
    required: true
  state:
    description: Whether the mirror is used.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Use the mirror
  apt_mirror_sources:
    codename: noble
    uri: https://mirrors.ustc.edu.cn/ubuntu
    backup: /var/lib/wsl-dl-playbook/apt_mirror/sources
    paths: [/etc/apt/sources.list, /etc/apt/sources.list.d/ubuntu.sources]
"""

RETURN = r"""
files:
  description: The files that name the archive.
  returned: success
  type: list
  elements: str
fetched:
  description: Whether the mirror's index was fetched.
  returned: success
  type: bool
troubles:
  description: What apt said about other sources in these files.
  returned: success
  type: list
  elements: str
"""

import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402
from urllib.parse import urlsplit  # noqa: E402

from ansible.module_utils.apt_program import Apt, cause, errors, run  # noqa: E402
from ansible.module_utils.apt_sources import entries as sources_in  # noqa: E402
from ansible.module_utils.basic import AnsibleModule  # noqa: E402

ONE_LINE = re.compile(r"^(?P<head>\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?)(?P<uris>\S+)(?P<tail>\s+(?P<suites>\S+)\s.*)$")
SERVED = r" (\S+) {codename}(?:-updates|-backports)?/\S+ \S+ Packages\n *release [^\n]*\bo={origin},"
"""How "apt-cache policy" tells where apt has the release itself from: the archive and its mirrors name their origin."""
LOCAL = re.compile(r"disk of this machine|clock of this machine|sudo chmod")
"""Remedies of causes that are not the mirror's."""
FIELD = re.compile(r"^(?P<name>[A-Za-z-]+):[ \t]*(?P<value>.*?)[ \t]*$")


def entries(lines):
    """Yield each repository as (number of the line with its address, address, its suites)."""
    stanza = {}
    for number, line in enumerate([*lines, ""]):
        one_line, field = ONE_LINE.match(line), FIELD.match(line)
        if one_line:
            yield number, one_line["uris"], [one_line["suites"]]
        elif field:
            stanza[field["name"].lower()] = (number, field["value"])
        elif not line.strip():
            if "uris" in stanza and "suites" in stanza:
                yield *stanza["uris"], stanza["suites"][1].split()
            stanza = {}


def same(uris):
    return {uri.rstrip("/") for uri in uris.split()}


def mirrored(text, codename, uri, security):
    """Return the text with the archive's addresses replaced, or None when it does not name the archive."""
    lines = text.split("\n")
    found = list(entries(lines))
    archives = [uris for _number, uris, suites in found if f"{codename}-updates" in suites]
    if not archives:
        return None
    own = set().union(*map(same, archives))
    for number, uris, suites in found:
        only_security = suites == [f"{codename}-security"]
        if only_security and security:
            lines[number] = lines[number].replace(uris, security, 1)
        elif not only_security and same(uris) <= own:
            lines[number] = lines[number].replace(uris, uri, 1)
    return "\n".join(lines)


def pristine(current, original, written):
    """Return the current text with the lines that we wrote put back, whatever others added or removed since."""
    if current == written:
        return original
    before = {}
    for old, new in zip(original.split("\n"), written.split("\n"), strict=False):
        if old != new:
            before.setdefault(new, []).append(old)
    return "\n".join(before[line].pop(0) if before.get(line) else line for line in current.split("\n"))


def read(path):
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None


def write(path, content, like):
    """Put the content in place in one step, with the owner, mode and, for an original, times of another file."""
    handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(content)
    shutil.copystat(like, temporary)
    owner = os.stat(like)
    os.chown(temporary, owner.st_uid, owner.st_gid)
    os.replace(temporary, path)


class Sources:
    """One sources file, with its original and what we made of it."""

    def __init__(self, path, backup):
        self.path = path
        name = path.strip("/").replace("/", "_")
        self.original_path = f"{backup}/{name}.original"
        self.written_path = f"{backup}/{name}.written"
        self.current, original, written = read(path), read(self.original_path), read(self.written_path)
        self.owned = original is not None
        known = self.owned and self.current is not None
        self.before = pristine(self.current, original, written or original) if known else self.current
        self.untouched = known and self.before == original

    def keep(self, wanted):
        os.makedirs(os.path.dirname(self.original_path), mode=0o755, exist_ok=True)
        if not self.owned:
            shutil.copy2(self.path, self.original_path)
        elif not self.untouched:
            write(self.original_path, self.before, like=self.original_path)
        write(self.written_path, wanted, like=self.original_path)


class Refused(Exception):
    """The cause and the remedy."""


class Mirror:
    """The mirror, tried with the sources as they will be."""

    def __init__(self, wanted, plan):
        self.wanted, self.uri = wanted, wanted["uri"]
        self.plan = {sources.path: text for sources, text in plan.items() if text != sources.current}
        self.texts = {sources.path: text for sources, text in plan.items() if text is not None}
        self.apt = Apt()
        self.troubles = []

    def is_missing(self):
        """Tell whether apt lacks the mirror's index of a suite."""
        wanted = self.wanted
        suites = [wanted["codename"], f"{wanted['codename']}-updates"]
        suites += [f"{wanted['codename']}-security"] if wanted["security"] else []
        name = re.sub(r"^[a-z+]+:(//)?", "", self.uri).replace("_", "%5f").replace("~", "%7e").replace("/", "_")
        there = set(os.listdir(self.apt.lists)) if os.path.isdir(self.apt.lists) else set()
        return not all({f"{name}_dists_{suite}_InRelease", f"{name}_dists_{suite}_Release"} & there for suite in suites)

    def update(self, mirrors, **environment):
        """Fetch the index of the mirror, or of what else the files name; return rc and what apt said."""
        with tempfile.TemporaryDirectory(prefix="apt-mirror-") as folder:
            os.chmod(folder, 0o755)
            for path, text in self.texts.items():
                lines = text.split("\n")
                chosen = [entry for entry in sources_in(path, text) if (self.uri in entry.uris) == mirrors]
                kept = "\n\n".join("\n".join(lines[entry.first - 1 : entry.last]) for entry in chosen)
                name = os.path.basename(path) if path.endswith(".sources") else f"{os.path.basename(path)}.list"
                with open(f"{folder}/{name}", "w", encoding="utf-8", errors="surrogateescape") as file:
                    file.write(f"{kept}\n")
            direct = [
                word
                for host in self.wanted["direct"] or [urlsplit(self.uri).hostname]
                for scheme in ("http", "https")
                for word in ("-o", f"Acquire::{scheme}::Proxy::{host}=DIRECT")
            ]
            only = ["-o", "Dir::Etc::SourceList=/dev/null", "-o", f"Dir::Etc::SourceParts={folder}"]
            options = [*only, "-o", "APT::Get::List-Cleanup=0", *direct]
            return self.apt.update(options, self.wanted["lock_timeout"], 2 if mirrors else 0, **environment)

    def fetch(self):
        """Refuse a mirror whose index apt cannot fetch; tell what is wrong with the other sources."""
        rc, said = self.update(mirrors=True)
        if "apt is in use" in said:
            raise Refused(f"{' '.join(errors(said))} Nothing was changed.")
        if rc:
            why, remedy = cause(said, [self.wanted["codename"]])
            if not LOCAL.search(remedy):
                remedy = "Set apt_mirror_uri to another mirror, or run again later."
            raise Refused(
                f"apt cannot use the mirror {self.uri}: its index {why}. Nothing was changed. {remedy} "
                f"apt says: {' '.join(said.split())}"
            )
        proxy = self.wanted["http_proxy"]
        environment = {"http_proxy": proxy, "https_proxy": proxy} if proxy else {}
        rc, said = self.update(mirrors=False, **environment)
        self.troubles = self.apt.troubles(said) if rc else []

    def served(self):
        """Return where apt has the archive from, with the sources as they will be."""
        with self.apt.candidate({path: encoded(text) for path, text in self.plan.items()}) as options:
            memory = ["-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="]
            rc, out, said = run(["apt-cache", "policy", *([*options, *memory] if self.plan else [])], 300)
            said = self.apt.real(said)
        if rc:
            told = "; ".join(self.apt.troubles(said)) or said
            raise Refused(
                f"apt cannot read its sources or its preferences, which is not the mirror's fault: {told} "
                "Nothing was changed. Correct that place, or put a # in front of the line, then run again."
            )
        form = SERVED.format(codename=re.escape(self.wanted["codename"]), origin=re.escape(self.wanted["origin"]))
        return list(dict.fromkeys(re.findall(form, out)))

    def judge(self):
        """Refuse sources with which apt has the archive from somewhere else too."""
        served = self.served()
        if served == [self.uri]:
            return
        others = {uri.rstrip("/") for uri in served} - {self.uri}
        places = [
            entry.where
            for entry in self.apt.entries()
            if entry.enabled and entry.file not in self.texts and {uri.rstrip("/") for uri in entry.uris} & others
        ]
        have, where = ", ".join(served) or "nowhere", ", ".join(places) or self.apt.parts
        raise Refused(
            f"apt would have {self.wanted['origin']}'s packages from {have}, not from {self.uri} alone. Nothing was "
            f"changed. Take the second copy of the archive out of {where}, then run again."
        )


def encoded(text):
    return None if text is None else text.encode("utf-8", errors="surrogateescape")


def main():
    module = AnsibleModule(
        argument_spec={
            "codename": {"type": "str", "required": True},
            "uri": {"type": "str", "required": True},
            "direct": {"type": "list", "elements": "str", "default": []},
            "security": {"type": "bool", "default": False},
            "security_uri": {"type": "str", "default": ""},
            "origin": {"type": "str", "default": "Ubuntu"},
            "http_proxy": {"type": "str", "default": ""},
            "lock_timeout": {"type": "int", "default": 120},
            "backup": {"type": "path", "required": True},
            "paths": {"type": "list", "elements": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    wanted = module.params
    present = wanted["state"] == "present"
    all_sources = [Sources(path, wanted["backup"]) for path in wanted["paths"]]
    plan = {}
    for sources in all_sources:
        if sources.current is None:
            continue
        if not present:
            plan[sources] = sources.before
        else:
            security = wanted["uri"] if wanted["security"] else wanted["security_uri"]
            plan[sources] = mirrored(sources.before, wanted["codename"], wanted["uri"], security)
    named = [sources.path for sources, content in plan.items() if content is not None]
    if present and not named:
        module.fail_json(
            msg=f"No file of {', '.join(wanted['paths'])} names the suite {wanted['codename']}-updates, so the "
            "release's archive cannot be told from other repositories. Restore the distribution's own sources."
        )
    plan = {sources: text for sources, text in plan.items() if text is not None}
    mirror = Mirror(wanted, plan)
    fetched = present and mirror.is_missing()
    if present and not module.check_mode:
        try:
            if fetched:
                mirror.fetch()
            mirror.judge()
        except Refused as refusal:
            module.fail_json(msg=str(refusal))
        for trouble in mirror.troubles:
            module.warn(f"Another source could not be refreshed, which is not the mirror's fault: {trouble}")
    plan = {sources: text for sources, text in plan.items() if text != sources.current}
    if not module.check_mode:
        for sources, content in plan.items():
            if present:
                sources.keep(content)
                write(sources.path, content, like=sources.path)
            else:
                write(sources.path, content, like=sources.original_path if sources.untouched else sources.path)
        if not present:
            shutil.rmtree(wanted["backup"], ignore_errors=True)
    diff = [
        {"before_header": sources.path, "after_header": sources.path, "before": sources.current, "after": content}
        for sources, content in plan.items()
    ]
    module.exit_json(changed=bool(plan) or fetched, files=named, fetched=fetched, troubles=mirror.troubles, diff=diff)


if __name__ == "__main__":
    main()
