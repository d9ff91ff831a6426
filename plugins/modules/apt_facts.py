#!/usr/bin/python
"""Tell what is wrong with the apt of a machine, before anybody uses it."""

DOCUMENTATION = r"""
module: apt_facts
short_description: Tell what is wrong with the apt of a machine, before anybody uses it
description:
  - Looks at what apt effectively has, in whatever file and spelling, and names each trouble with file, line, reason and
    the command that repairs it. Reads only, needs no network, and each program that it asks has a time limit.
  - An error stops every use of apt. A warning concerns one repository or package and leaves the rest alone.
options:
  python:
    description: The Python that Ansible's own apt module needs.
    type: path
    default: /usr/bin/python3
  bindings:
    description: Where the distribution has apt's library for Python.
    type: path
    default: /usr/lib/python3/dist-packages
attributes:
  check_mode:
    support: full
"""

EXAMPLES = r"""
- name: Look at apt
  apt_facts:
  register: apt
"""

RETURN = r"""
findings:
  description: What is wrong, worst first.
  returned: success
  type: list
  elements: dict
  contains:
    severity: {description: V(error) or V(warning)., type: str}
    file: {description: The file that it is about; empty where there is none., type: str}
    line: {description: The line in it; null where there is none., type: int}
    what: {description: What was found., type: str}
    why: {description: Why it hurts., type: str}
    remedy: {description: What to do., type: str}
    text: {description: All of it in sentences., type: str}
locks:
  description: Who uses apt at this moment.
  returned: success
  type: list
  elements: dict
  sample: [{path: /var/lib/apt/lists/lock, process: 411, program: "apt-get, apt-daily.service"}]
sources:
  description:
    - What the sources files name, each with C(file), C(line), C(types), C(uris), C(suites), C(components), C(signed_by)
      and C(enabled).
  returned: success
  type: list
  elements: dict
"""

import glob  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import re  # noqa: E402
import stat  # noqa: E402

from ansible.module_utils.apt_program import Apt, errors, holder, program, run, text  # noqa: E402
from ansible.module_utils.basic import AnsibleModule  # noqa: E402

OURS = "# Ansible managed: apt_source"


def finding(what, why, remedy, file="", line=None, severity="error"):
    place = f"{file}:{line}: " if line else f"{file}: " if file else ""
    return {
        "severity": severity,
        "file": file,
        "line": line,
        "what": what,
        "why": why,
        "remedy": remedy,
        "text": f"{place}{what}. {why} {remedy}",
    }


# -- what stops every use of apt -------------------------------------------------------------------------------------


def configuration(apt):
    for error in errors(apt.said) or ([apt.said.strip() or "apt-config failed"] if apt.rc else []):
        file, line = apt.line_in(error)
        yield finding(
            f"apt cannot read its configuration ({error})",
            "No program of apt works until that is fixed.",
            f"Correct that line, or move the file away: sudo mv {file} /root/" if file else "Correct what it names.",
            file or "",
            line,
        )


def sources(apt, known):
    for error in apt.unreadable():
        if error == "The list of sources could not be read.":
            continue
        file, line = apt.line_in(error)
        guilty = apt.guilty(error, known)
        foreign = [entry for entry in guilty if OURS not in text(entry.file)] or guilty
        if foreign and not line:
            places = ", ".join(entry.where for entry in guilty)
            remedy = f"Keep one of them; this switches one off: {foreign[0].off}"
            error = f"{error}; it stands in {places}"
            file, line = foreign[0].file, foreign[0].first
        elif line and file.endswith(".list"):
            remedy = f"Correct that line, or switch it off: sudo sed -i '{line}s/^/# /' {file}"
        elif file:
            remedy = f"Correct it, or move the file away: sudo mv {file} /root/"
        else:
            remedy = "Correct what it names."
        yield finding(
            f"apt cannot read its sources ({error})",
            "No package can be installed until then.",
            remedy,
            file or "",
            line,
        )


def packages(apt):
    """Ask apt whether it could install anything at all, and dpkg what it left undone."""
    rc, _, said = run(["apt-get", "check", "-q", "-o", "Debug::NoLocking=true"])
    for error in errors(said) if rc else []:
        file, line = apt.line_in(error)
        broken = re.search(r"Unmet dependencies|needs to be reinstalled", error)
        remedy = "Let apt repair it: sudo apt-get --fix-broken install" if broken else "Correct what it names."
        if file and "preferences" in file:
            remedy = f"Correct that file, or move it away: sudo mv {file} /root/"
        yield finding(
            f"apt installs nothing ({error})", "It refuses every package until then.", remedy, file or "", line
        )
    if (
        any(re.fullmatch(r"\d+", name) for name in listing(f"{apt.dpkg}/updates"))
        and holder(f"{apt.dpkg}/lock") is None
    ):
        yield finding(
            "dpkg was interrupted",
            "apt refuses every package until it has finished.",
            "Let it finish: sudo dpkg --configure -a",
            f"{apt.dpkg}/updates",
        )
    _, out, _ = run(["dpkg", "--admindir", apt.dpkg, "--audit"])
    undone = sorted(set(re.findall(r"^ (\S+)", out.partition("missing the list control file")[0], re.MULTILINE)))
    if undone:
        yield finding(
            f"dpkg has not finished with {', '.join(undone)}",
            "Every later installation tries them again and may fail with them.",
            "Let it finish: sudo dpkg --configure -a; sudo apt-get --fix-broken install",
            f"{apt.dpkg}/status",
            severity="warning",
        )


def listing(folder):
    return os.listdir(folder) if os.path.isdir(folder) else []


def python(path, bindings):
    """Ansible's apt module runs with the distribution's Python and apt's library for exactly this one."""
    if not glob.glob(f"{bindings}/apt/__init__.py"):
        return  # not installed: Ansible installs it
    rc, _, said = run([path, "-c", "import apt, apt_pkg"])
    if not rc:
        return
    _, version, _ = run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
    version = version.strip()
    fits = [
        f"3.{minor}"
        for file in glob.glob(f"{bindings}/apt_pkg.cpython-*.so")
        for minor in re.findall(r"cpython-3(\d+)", file)
    ]
    own = next((one for one in sorted(fits) if os.path.exists(f"{path[: -len('python3')]}python{one}")), None)
    real = os.path.realpath(path)
    if own and own != version:
        what = f"{path} is {real}, and apt's library for Python (python3-apt) is built for Python {own}"
        link = os.readlink(path) if os.path.islink(path) else ""
        forget = "sudo update-alternatives --remove-all python3; " if "alternatives" in link else ""
        remedy = f"Give the distribution its own Python back: {forget}sudo ln -sf python{own} {path}"
    else:
        last = said.strip().splitlines()[-1] if said.strip() else f"rc {rc}"
        what = f"apt's library for Python (python3-apt) does not work with {path} ({real}): {last}"
        remedy = "Install it again: sudo apt-get install --reinstall python3-apt"
    yield finding(
        what,
        "Ansible's apt module and Ubuntu's own programs (add-apt-repository, unattended-upgrades) do not work with it.",
        f"{remedy}. Other versions of Python stay usable under their own names.",
        path,
    )


# -- what concerns one repository ------------------------------------------------------------------------------------


def locked_door(path, user):
    """Return the folder or the file on the way to it that the user may not read, with the mode that it should have."""
    real = os.path.realpath(path)
    for part in [*reversed(list(parents(real))), real]:
        if not os.path.exists(part):
            return None
        status = os.stat(part)
        wanted = 0o1 if stat.S_ISDIR(status.st_mode) else 0o4
        own = status.st_uid == user.pw_uid
        group = status.st_gid == user.pw_gid
        if not (status.st_mode >> (6 if own else 3 if group else 0)) & wanted:
            return part, "755" if stat.S_ISDIR(status.st_mode) else "644", stat.S_IMODE(status.st_mode)
    return None


def parents(path):
    while path != "/":
        path = os.path.dirname(path)
        yield path


def is_the_archives(entry):
    return any(suite.endswith(("-updates", "-security", "-backports")) for suite in entry.suites)


def key_trouble(key, user, entry, severity):
    """Tell why apt cannot use a key that a source needs."""
    names, file, line = " ".join(entry.uris), entry.file, entry.first
    door = user and locked_door(key, user)
    if not os.path.exists(key):
        remedy = f"Put the vendor's key there, or switch the repository off: {entry.off}"
        if severity == "error":
            remedy = "Bring it back: sudo apt-get install --reinstall ubuntu-keyring"
        what = f"the key {key} that it names does not exist"
        yield finding(what, f"apt cannot verify {names}.", remedy, file, line, severity)
    elif door:
        part, mode, now = door
        what = f"{part} has mode {now:04o}, so apt's user {user.pw_name} cannot read the key {key}"
        yield finding(
            what, f"apt takes {names} for unsigned.", f"Open it: sudo chmod {mode} {part}", file, line, severity
        )


def keys(apt, known):
    """Look at the keys that the sources need, but for those of sources that apt_source itself keeps in order."""
    try:
        user = pwd.getpwnam(apt.user)
    except KeyError:
        user = None  # apt does everything as root
    trusted = [f"{apt.trusted}/{name}" for name in sorted(listing(apt.trusted)) if name.endswith((".gpg", ".asc"))]
    seen = set()
    for entry in known:
        if not entry.enabled or text(entry.file).startswith(OURS) or "\n" in entry.signed_by:
            continue
        severity = "error" if is_the_archives(entry) else "warning"
        own = [] if entry.signed_by or severity == "warning" else trusted
        for key in [*re.findall(r"/\S+", entry.signed_by), *own]:
            if key not in seen:
                distribution = entry.signed_by or os.path.basename(key).startswith(("ubuntu-", "debian-"))
                yield from key_trouble(key, user, entry, severity if distribution else "warning")
            seen.add(key)


def look(module):
    apt = Apt()
    known = apt.entries()
    found = list(configuration(apt))
    if not found:
        unreadable = list(sources(apt, known))
        found = unreadable + list(packages(apt) if not unreadable else [])
    found += [*python(module.params["python"], module.params["bindings"]), *keys(apt, known)]
    held = [(path, process) for path in apt.locks if (process := holder(path)) is not None]
    return {
        "findings": sorted(found, key=lambda one: one["severity"]),
        "locks": [{"path": path, "process": process, "program": program(process)} for path, process in held],
        "sources": [entry.as_dict() for entry in known],
    }


def main():
    paths = {
        "python": {"type": "path", "default": "/usr/bin/python3"},
        "bindings": {"type": "path", "default": "/usr/lib/python3/dist-packages"},
    }
    module = AnsibleModule(argument_spec=paths, supports_check_mode=True)
    module.exit_json(changed=False, **look(module))


if __name__ == "__main__":
    main()
