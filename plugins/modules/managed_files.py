#!/usr/bin/python
"""Own a set of files, and give back what was there before."""

DOCUMENTATION = r"""
module: managed_files
short_description: Own a set of files, and give back what was there before
description:
  - Brings all files of a role into their state in one module run, and keeps what stood in their place before.
  - O(state=absent) needs no list. It restores the files byte for byte with their mode and owner, and removes
    what the module created, folders included. A file that the module never wrote is left alone.
  - A file with the right content and another mode or owner than the wanted one is corrected.
  - Every file is validated, and its place tried, before the first one is written.
options:
  backup:
    description: Folder for the files as they were before, and for the list of what was written. One for each role.
    type: path
    required: true
  state:
    description: Whether the files are there.
    type: str
    choices: [present, absent]
    default: present
  files:
    description: The files. Needed with O(state=present).
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Absolute path.
        type: path
        required: true
      content:
        description: The whole text of the file.
        type: str
      block:
        description: >-
          Lines to have at the top (or end) of a file that others write too. Everything else in it stays. Instead of
          O(files[].content).
        type: str
      block_at_end:
        description: Put the O(files[].block) at the end of the file, where what is read last counts.
        type: bool
        default: false
      mode:
        description: Permissions in octal digits. A file with a O(files[].block) keeps its own.
        type: str
        default: "0644"
      validate:
        description: Command that must succeed with the candidate's path in place of C(%s).
        type: str
      in_existing_folder:
        description: Leave the file out on a machine that lacks its folder, which belongs to software that is not there.
        type: bool
        default: false
      owner:
        description: >-
          User whom the file and the folders made for it belong to, with his main group. Without it they belong to root,
          and a file with a O(files[].block) to whom it belonged before.
        type: str
      keep_edits:
        description: >-
          Give the file to the people of the machine. It is written where there is none, and again as long as it is as
          the module wrote it. A file that was there before, or that somebody changed, stays as it is, also with
          O(state=absent).
        type: bool
        default: false
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
"""

EXAMPLES = r"""
- name: Write apt's proxy
  managed_files:
    backup: /var/lib/wsl-dl-playbook/wsl_proxy
    files:
      - path: /etc/apt/apt.conf.d/99proxy
        content: "{{ lookup('ansible.builtin.template', '99proxy.j2') }}"

- name: Bring back what was there
  managed_files:
    backup: /var/lib/wsl-dl-playbook/wsl_proxy
    state: absent
"""

RETURN = r"""
files:
  description: The files that were written, brought back or removed.
  returned: success
  type: list
  elements: str
left:
  description: Files with O(files[].keep_edits) that differ from the wanted content and were left alone.
  returned: with O(state=present)
  type: list
  elements: str
"""

import hashlib  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import pwd  # noqa: E402
import re  # noqa: E402
import shlex  # noqa: E402
import shutil  # noqa: E402
import stat  # noqa: E402
import tempfile  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402

BEGIN = "# BEGIN wsl-dl-playbook"
END = "# END wsl-dl-playbook"
TOP_BLOCKS = re.compile(rf"(?:{BEGIN} (\w+)\n(?s:.*?)\n{END} \1\n)*".encode())
"""The blocks of other roles, at the top of a file."""


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def marks(name, at_end):
    """Return the first and the last line of our block; the newline before one at the end is ours, too."""
    begin = f"\n{BEGIN} {name}, last\n" if at_end else f"{BEGIN} {name}\n"
    return begin.encode(), f"{END} {name}\n".encode()


def without_block(content, name):
    """Return the content without our block; a block that lost its end is left for a human."""
    for at_end in (False, True):
        begin, end = marks(name, at_end)
        head, found, rest = content.partition(begin)
        _block, closed, tail = rest.partition(end)
        if found and closed:
            return head + tail
    return content


def with_block(content, name, block, at_end=False):
    """Return the content with our block on top (or at the end); one that stands below those of other roles stays."""
    begin, end = marks(name, at_end)
    lines, rest = begin + block.rstrip().encode() + b"\n" + end, without_block(content, name)
    if at_end:
        return rest + lines
    above, _found, _below = content.partition(begin)
    if rest != content and TOP_BLOCKS.fullmatch(above):
        return above + lines + rest[len(above) :]
    return lines + rest


def digest(content):
    return hashlib.sha256(content).hexdigest()


def owner_of(path):
    """Return the user and the group of a file, by number."""
    found = os.stat(path)
    return found.st_uid, found.st_gid


def found(path):
    """Return the mode of a file, its user and its group."""
    status = os.stat(path)
    return stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid


def write(path, content, mode, owner=None):
    """Put the content in place in one step, owned by the given user and group, else by root."""
    handle, temporary = tempfile.mkstemp(prefix=".", dir=os.path.dirname(path))
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chmod(temporary, mode)
    if owner:
        os.chown(temporary, *owner)
    os.replace(temporary, path)


def missing_folders(path):
    """Return the folders that have to be made for the path, outermost first."""
    folder, missing = os.path.dirname(path), []
    while not os.path.isdir(folder):
        missing.insert(0, folder)
        folder = os.path.dirname(folder)
    return missing


class Files:
    def __init__(self, module):
        self.module = module
        self.backup = module.params["backup"]
        self.name = os.path.basename(self.backup)
        self.backed_up = json.loads(read(f"{self.backup}/record.json") or "{}")
        self.left = []

    def original(self, path):
        return self.backup + path

    def is_edited(self, path, current):
        """Tell whether a file that people may edit is not as the module wrote it."""
        return current is not None and digest(current) not in self.backed_up.get(path, {}).get("written", [])

    # -- present -----------------------------------------------------------------------------------------------------

    def plan(self):
        """Return the files to write, each with its content and mode."""
        plan = {}
        for file in self.module.params["files"]:
            path = file["path"]
            if file["in_existing_folder"] and not os.path.isdir(os.path.dirname(path)):
                continue
            current, mode = read(path), int(file["mode"], 8)
            if file["keep_edits"] and self.is_edited(path, current):
                if current != file["content"].encode():
                    self.left.append(path)
                continue
            if file["block"] is not None:
                content = with_block(current or b"", self.name, file["block"], file["block_at_end"])
                mode = mode if current is None else stat.S_IMODE(os.stat(path).st_mode)
            else:
                content = file["content"].encode()
            owner = self.owner(file, current)
            if path not in self.backed_up or current != content or found(path) != (mode, *owner):
                plan[path] = {
                    "content": content,
                    "mode": mode,
                    "block": file["block"] is not None,
                    "validate": file["validate"],
                    "owner": owner,
                    "folders": owner if file["owner"] else None,
                    "keep_edits": file["keep_edits"],
                }
        return plan

    def owner(self, file, current):
        """Return whom the file shall belong to: user and group, by number."""
        if file["block"] is not None and current is not None:
            return owner_of(file["path"])
        if file["owner"]:
            try:
                user = pwd.getpwnam(file["owner"])
            except KeyError:
                if self.module.check_mode:  # an earlier task would have made him
                    return os.geteuid(), os.getegid()
                self.module.fail_json(
                    msg=f"{file['path']} shall belong to {file['owner']}, whom this machine does not know. "
                    "No file was changed. Create the user, or name another one."
                )
            return user.pw_uid, user.pw_gid
        return os.geteuid(), os.getegid()

    def dropped(self):
        """Return the files that an earlier run wrote and that this one no longer wants."""
        return self.backed_up.keys() - {file["path"] for file in self.module.params["files"]}

    def validate(self, plan):
        for path, wanted in plan.items():
            if not wanted["validate"]:
                continue
            with tempfile.NamedTemporaryFile(prefix="candidate-") as candidate:
                candidate.write(wanted["content"])
                candidate.flush()
                rc, out, err = self.module.run_command(
                    [word.replace("%s", candidate.name) for word in shlex.split(wanted["validate"])]
                )
            if rc:
                self.module.fail_json(msg=f"{path} would be invalid, so no file was changed: {(err or out).strip()}")

    def try_places(self, plan):
        """Refuse a place where files cannot get their owner, as on a Windows drive, before the first one is written."""
        tried = set()
        for path, wanted in plan.items():
            if not wanted["folders"]:
                continue
            folder = os.path.dirname(path)
            while not os.path.isdir(folder):
                folder = os.path.dirname(folder)
            folder = os.path.realpath(folder)
            uid, gid = wanted["folders"]
            if (folder, uid) in tried:
                continue
            tried.add((folder, uid))
            try:
                probe = tempfile.mkdtemp(prefix=".", dir=folder)
                try:
                    os.chown(probe, uid, gid)
                finally:
                    os.rmdir(probe)
            except OSError as error:
                self.module.fail_json(
                    msg=f"{path} cannot be written: {folder} is where files cannot get an owner of Linux, or cannot be "
                    f"written ({error.strerror}), as on a Windows drive. No file was changed. Choose a folder in the "
                    "distribution's own file system, or remove the link that leads there, then run again."
                )

    def remember(self, path, wanted):
        """Keep what stands at the path, once, before the first write; of a file that people may edit, how it looks."""
        current, written = read(path), {}
        if wanted["keep_edits"]:  # both, since this run may break before it writes
            written = {"written": [digest(content) for content in (current, wanted["content"]) if content is not None]}
        if path in self.backed_up:
            self.backed_up[path].update(written)
            return
        kept = current is not None and not wanted["block"] and current != wanted["content"]
        if kept:
            os.makedirs(os.path.dirname(self.original(path)), mode=0o700, exist_ok=True)
            shutil.copy2(path, self.original(path))
            owner = os.stat(path)
            os.chown(self.original(path), owner.st_uid, owner.st_gid)
        self.backed_up[path] = {
            "kept": kept,
            "block": wanted["block"],
            "created": current is None,
            "folders": missing_folders(path),
            **written,
        }

    def present(self):
        plan = self.plan()
        self.validate(plan)
        dropped = {path: self.before(path) for path in self.dropped()}
        contents = {path: wanted["content"] for path, wanted in plan.items()} | dropped
        diff = self.diff(contents)
        if contents and not self.module.check_mode:
            self.try_places(plan)
            os.makedirs(self.backup, mode=0o700, exist_ok=True)
            for path, content in dropped.items():
                self.bring_back(path, content)
            self.remove_folders(self.backed_up.pop(path) for path in dropped)
            for path, wanted in plan.items():
                self.remember(path, wanted)
            write(f"{self.backup}/record.json", json.dumps(self.backed_up, indent=2).encode() + b"\n", 0o600)
            for path, wanted in plan.items():
                self.put(path, wanted)
        return {"changed": bool(contents), "files": sorted(contents), "left": sorted(self.left), "diff": diff}

    def put(self, path, wanted):
        for folder in missing_folders(path):
            os.mkdir(folder, 0o755)
            if wanted["folders"]:
                os.chown(folder, *wanted["folders"])
        write(path, wanted["content"], wanted["mode"], wanted["owner"])

    # -- absent ------------------------------------------------------------------------------------------------------

    def before(self, path):
        """Return what the file is without us: its content, or None when it has no business to be there."""
        entry, current = self.backed_up[path], read(path)
        if "written" in entry and self.is_edited(path, current):
            return current
        if entry["kept"]:
            return read(self.original(path))
        if entry["block"] and current is not None:
            rest = without_block(current, self.name)
            return None if entry["created"] and not rest else rest
        return None

    def absent(self):
        plan = {path: self.before(path) for path in self.backed_up}
        plan = {path: content for path, content in plan.items() if read(path) != content}
        diff = self.diff(plan)
        if not self.module.check_mode:
            for path, content in plan.items():
                self.bring_back(path, content)
            self.remove_folders(self.backed_up.values())
            shutil.rmtree(self.backup, ignore_errors=True)
            shared = os.path.dirname(self.backup)
            if os.path.isdir(shared) and not os.listdir(shared):
                os.rmdir(shared)
        return {"changed": bool(plan or self.backed_up), "files": sorted(plan), "diff": diff}

    def remove_folders(self, entries):
        """Remove the folders that were made for the files, unless somebody else put something into them."""
        folders = {folder for entry in entries for folder in entry["folders"]}
        for folder in sorted(folders, key=len, reverse=True):
            if os.path.isdir(folder) and not os.listdir(folder):
                os.rmdir(folder)

    def bring_back(self, path, content):
        if content is None:
            if os.path.exists(path):
                os.remove(path)
            return
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        kept = self.backed_up[path]["kept"]
        model = self.original(path) if kept else path
        like = os.stat(model)
        write(path, content, stat.S_IMODE(like.st_mode), owner_of(model))
        if kept:
            os.utime(path, ns=(like.st_atime_ns, like.st_mtime_ns))

    def diff(self, plan):
        def show(content):
            return re.sub(r"://[^\s\"']*@", "://***@", (content or b"").decode(errors="replace"))  # a proxy's password

        return [
            {"before_header": path, "after_header": path, "before": show(read(path)), "after": show(plan[path])}
            for path in sorted(plan)
        ]


def main():
    file = {
        "path": {"type": "path", "required": True},
        "content": {"type": "str"},
        "block": {"type": "str"},
        "block_at_end": {"type": "bool", "default": False},
        "mode": {"type": "str", "default": "0644"},
        "validate": {"type": "str"},
        "in_existing_folder": {"type": "bool", "default": False},
        "owner": {"type": "str"},
        "keep_edits": {"type": "bool", "default": False},
    }
    exactly_one = {"required_one_of": [("content", "block")], "mutually_exclusive": [("content", "block")]}
    module = AnsibleModule(
        argument_spec={
            "backup": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "files": {"type": "list", "elements": "dict", "options": file, "default": [], **exactly_one},
        },
        required_if=[("state", "present", ("files",))],
        supports_check_mode=True,
    )
    os.umask(0o022)
    files = Files(module)
    module.exit_json(**(files.present() if module.params["state"] == "present" else files.absent()))


if __name__ == "__main__":
    main()
