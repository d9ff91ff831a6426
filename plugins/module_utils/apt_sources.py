"""apt's sources as text: what the files name, in which line, and how one of them is switched off and on again."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

OFF = {"no", "false", "without", "off", "disable"}
"""How apt writes that something is not so, in any case."""
ONE_LINE = re.compile(
    r"^\s*(?P<type>deb|deb-src)\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<rest>.*)$"
)
FIELD = re.compile(r"^(?P<name>[^\s:#][^:]*):\s*(?P<value>.*)$")


class Entry:
    """One line of a C(.list) file or one stanza of a C(.sources) file."""

    def __init__(self, file, first, last, types, uris, suites, components, options):
        self.file, self.first, self.last = file, first, last  # lines, counted from one
        self.types, self.uris, self.suites, self.components = types, uris, suites, components
        self.options = options
        self.enabled = options.get("enabled", "yes").lower() not in OFF
        self.signed_by = options.get("signed-by", "")

    @property
    def where(self):
        return f"{self.file}:{self.first}"

    @property
    def off(self):
        """Return the command that switches it off."""
        lines = str(self.first) if self.first == self.last else f"{self.first},{self.last}"
        return f"sudo sed -i '{lines}s/^/# /' {self.file}"

    def as_dict(self):
        return {
            "file": self.file,
            "line": self.first,
            "types": self.types,
            "uris": self.uris,
            "suites": self.suites,
            "components": self.components,
            "signed_by": self.signed_by,
            "enabled": self.enabled,
        }


def entries(path, text):
    """Return what a sources file names, switched off or not; lines that apt would not understand are left out."""
    lines = text.split("\n")
    return list((stanzas if path.endswith(".sources") else one_lines)(path, lines))


def one_lines(path, lines):
    for number, line in enumerate(lines, 1):
        found = ONE_LINE.match(line.rstrip("\r"))
        if not found:
            continue
        pairs = [option.partition("=") for option in (found["options"] or "").split()]
        options = {name.rstrip("+-").lower(): value for name, _, value in pairs}
        components = found["rest"].partition("#")[0].split()
        yield Entry(path, number, number, [found["type"]], [found["uri"]], [found["suite"]], components, options)


def stanzas(path, lines):
    fields, name = {}, ""
    first = last = 0
    for number, line in enumerate([*lines, ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if {"types", "uris", "suites"} <= fields.keys():
                words = {key: fields.get(key, "").split() for key in ("types", "uris", "suites", "components")}
                yield Entry(path, first, last, *words.values(), fields)
            fields, first = {}, 0
            continue
        first, last = first or number, number
        field = FIELD.match(line.rstrip("\r"))
        if field and not line[0].isspace():
            name = field["name"].strip().lower()
            fields[name] = field["value"].strip()
        elif name:
            fields[name] = f"{fields.get(name, '')}\n{line.strip()}".strip()


def stanza_at(text, number):
    """Return the line in which a stanza begins, counted as apt counts them."""
    begun, seen = False, 0
    for at, line in enumerate(text.split("\n"), 1):
        if line.startswith("#"):
            continue
        if line.strip() and not begun:
            seen += 1
            if seen == number:
                return at
        begun = bool(line.strip())
    return None


# -- one repository, however it is written ---------------------------------------------------------------------------


def place(uri, suite, architecture):
    """Return where a repository lies, however it is written: host and path, with the suite of a flat one."""
    uri = uri.replace("$(ARCH)", architecture)
    if suite.endswith("/"):
        uri = f"{uri}/{suite}"
    scheme, _, rest = uri.partition("://")
    parts = urlsplit(f"//{rest}") if rest else urlsplit(uri)
    port = {"http": ":80", "https": ":443"}.get(scheme.rpartition("+")[2], "\0")
    host = parts.netloc.rpartition("@")[2].lower().removesuffix(port)
    return host, [part for part in parts.path.split("/") if part not in ("", ".")]


GENERIC = {
    "",
    "www",
    "download",
    "downloads",
    "mirror",
    "mirrors",
    "apt",
    "deb",
    "packages",
    "repo",
    "com",
    "org",
    "cn",
}


def words(host, path):
    return set(re.split(r"[^a-z0-9]+", "/".join([host, *path]).lower())) - GENERIC


def same(ours, theirs):
    """Tell whether two places are one repository: the same address, or the same tree on a mirror."""
    if ours == theirs:
        return True
    shared = len(min(ours[1], theirs[1], key=len))
    if shared < 2 or ours[1][-shared:] != theirs[1][-shared:]:
        return False
    return shared > 2 or bool(words(ours[0], ours[1][:-2]) & words(theirs[0], theirs[1][:-2]))


def is_same(entry, uris, suites, architecture):
    """Return those addresses of the entry that are the repository; a mirror of it counts for the same suites only."""
    mine = [place(uri, suite, architecture) for uri in uris for suite in suites]
    found = []
    for uri in entry.uris:
        for suite in entry.suites:
            theirs = place(uri, suite.replace("$(ARCH)", architecture), architecture)
            if theirs in mine or (
                (suite in suites or suite.endswith("/")) and any(same(other, theirs) for other in mine)
            ):
                found.append(uri)
                break
    return found


# -- switched off and on again ---------------------------------------------------------------------------------------


def mark(name):
    return f"# wsl-dl-playbook {name}: "


def switched_off(text, off, name):
    """Return the text with the lines of these entries as comments; no other byte changes."""
    lines = text.split("\n")
    for entry in off:
        for at in range(entry.first - 1, entry.last):
            if not lines[at].startswith("#"):
                lines[at] = mark(name) + lines[at]
    return "\n".join(lines)


def switched_on(text, name):
    """Return the text with the lines as they were before."""
    return "\n".join(line.removeprefix(mark(name)) for line in text.split("\n"))
