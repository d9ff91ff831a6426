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
  - The originals are kept. O(state=absent) brings them back byte for byte; when somebody edited the file meanwhile, it
    gives the edited file its old addresses.
options:
  codename:
    description: Codename of the release.
    type: str
    required: true
  uri:
    description: Address of the mirror.
    type: str
    required: true
  security:
    description: Whether security updates come from the mirror too.
    type: bool
    default: false
  originals:
    description: Folder for the originals.
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
    originals: /var/lib/wsl-dl-playbook/apt_mirror/sources
    paths: [/etc/apt/sources.list, /etc/apt/sources.list.d/ubuntu.sources]
"""

RETURN = r"""
files:
  description: The files that name the archive.
  returned: success
  type: list
  elements: str
"""

import os  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import tempfile  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

ONE_LINE = re.compile(r"^(?P<head>\s*deb(?:-src)?\s+(?:\[[^\]]*\]\s+)?)(?P<uris>\S+)(?P<tail>\s+(?P<suites>\S+)\s.*)$")
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
        if (only_security and security) or (not only_security and same(uris) <= own):
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

    def __init__(self, path, originals):
        self.path = path
        name = path.strip("/").replace("/", "_")
        self.original_path = f"{originals}/{name}.original"
        self.written_path = f"{originals}/{name}.written"
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


def main():
    module = AnsibleModule(
        argument_spec={
            "codename": {"type": "str", "required": True},
            "uri": {"type": "str", "required": True},
            "security": {"type": "bool", "default": False},
            "originals": {"type": "path", "required": True},
            "paths": {"type": "list", "elements": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        },
        supports_check_mode=True,
    )
    os.umask(0o022)
    wanted = module.params
    present = wanted["state"] == "present"
    all_sources = [Sources(path, wanted["originals"]) for path in wanted["paths"]]
    plan = {}
    for sources in all_sources:
        if sources.current is None:
            continue
        if not present:
            plan[sources] = sources.before
        else:
            plan[sources] = mirrored(sources.before, wanted["codename"], wanted["uri"], wanted["security"])
    named = [sources.path for sources, content in plan.items() if content is not None]
    if present and not named:
        module.fail_json(
            msg=f"No file of {', '.join(wanted['paths'])} names the suite {wanted['codename']}-updates, so the "
            "release's archive cannot be told from other repositories. Restore the distribution's own sources."
        )
    plan = {sources: text for sources, text in plan.items() if text is not None and text != sources.current}
    if not module.check_mode:
        for sources, content in plan.items():
            if present:
                sources.keep(content)
                write(sources.path, content, like=sources.path)
            else:
                write(sources.path, content, like=sources.original_path if sources.untouched else sources.path)
        if not present:
            shutil.rmtree(wanted["originals"], ignore_errors=True)
    diff = [
        {"before_header": sources.path, "after_header": sources.path, "before": sources.current, "after": content}
        for sources, content in plan.items()
    ]
    module.exit_json(changed=bool(plan), files=named, diff=diff)


if __name__ == "__main__":
    main()
