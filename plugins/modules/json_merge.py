"""Own some keys of a JSON file that others write too."""

import base64
import copy
import hashlib
import json
import os
import pwd
import re
import shlex
import tempfile

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.docker_json import Unreadable, read, value_at

DOCUMENTATION = r"""
module: json_merge
short_description: Own some keys of a JSON file that others write too
description:
  - Sets and removes single keys of a JSON file, at any depth, and leaves every other key, their order and the
    file's indentation as they are.
  - Remembers in O(backup) what stood in the places that it changed. O(state=absent) puts that back, except where
    somebody has changed the value since, and removes the file when the module has made it and nothing else is in
    it. When nobody has written the file since, it is given back byte for byte.
  - Reads the file as Docker does. A byte order mark of UTF-8 and an empty file are taken, V(null) is C({}), and of two
    equal keys the last one counts, but two objects of one name at the top are one.
  - A key that is no longer wanted is put back in the same manner by the next run, so that the wanted keys are all that
    has to be declared.
  - The file is replaced in one step, and only after O(validate) has accepted the new content. A symbolic link is
    followed.
options:
  path:
    description: The file. A missing one and an empty one are C({}).
    type: path
    required: true
  state:
    description: V(present) sets and removes the wanted keys, V(absent) puts back what was there before.
    type: str
    choices: [present, absent]
    default: present
  merge:
    description: Wanted keys. Objects are merged into objects, everything else (lists too) replaces what is there.
    type: dict
    default: {}
  defaults:
    description:
      - Keys as in O(merge) that are set only where nobody else has set them. A value of somebody else stays, also when
        it came after the module's.
    type: dict
    default: {}
  remove:
    description: Keys to take away, each a list that leads to it, C([proxies, default, noproxy]).
    type: list
    elements: list
    default: []
  backup:
    description: File that remembers what was there before. It may hold values of O(path), so only its owner can
      read it.
    type: path
    required: true
  validate:
    description: Command that accepts or refuses the new content, with C(%s) where its file name goes.
      It has 60 seconds.
    type: str
  former:
    description: Where to keep the file as it was before the change, until M(service_current) has tried the new one.
      What an earlier run has left there stays.
    type: path
  hide_values:
    description: Show only the wanted keys in the diff, since the file holds secrets.
    type: bool
    default: false
  directory_mode:
    description: Mode of the file's folder when it has to be made, which then belongs to the file's owner. Without
      it, a missing folder is an error. With it, what root has left in a folder of somebody else becomes the owner's.
    type: str
extends_documentation_fragment: [ansible.builtin.files]
attributes:
  check_mode:
    support: full
    description: Validates the new content too, if the command exists.
  diff_mode:
    support: full
notes:
  - Fails and changes nothing when the file is not JSON, is not an object, or is refused by O(validate).
"""

EXAMPLES = r"""
- name: Rotate the logs of containers, whatever else is configured
  json_merge:
    path: /etc/docker/daemon.json
    merge: {log-driver: json-file, log-opts: {max-size: 10m}}
    backup: /var/lib/wsl-dl-playbook/example/daemon.json
    validate: dockerd --validate --config-file %s

- name: Give it back
  json_merge:
    path: /etc/docker/daemon.json
    backup: /var/lib/wsl-dl-playbook/example/daemon.json
    state: absent
"""

RETURN = r"""
keys:
  description: The keys that were changed, each as the list that leads to it.
  returned: success
  type: list
  elements: list
"""


class MISSING:
    """No value, which JSON's null is not."""


class Refused(Exception):
    """The cause and the remedy, in one sentence each."""


def dump(content, like):
    """Write JSON as the file is already indented, two spaces when that cannot be seen."""
    seen = re.search(r"^[\[{]\r?\n([ \t]+)\S", like)
    indent = seen.group(1) if seen else "  "
    return json.dumps(content, indent=indent, ensure_ascii=False) + "\n"


def get(content, key_path):
    """Return the value at the end of the key_path, or MISSING."""
    return value_at(content, key_path, MISSING)


def put(content, key_path, value):
    """Set, or with MISSING take away, the value at the end of the key path. Objects on it are made as needed."""
    for key in key_path[:-1]:
        if value is MISSING and not isinstance(content.get(key), dict):
            return
        if not isinstance(content.get(key), dict):
            content[key] = {}
        content = content[key]
    if value is MISSING:
        content.pop(key_path[-1], None)
    else:
        content[key_path[-1]] = value


def leaves(wanted, content, key_path=()):
    """Return {key_path: value} for the places where the wanted object meets something that is not an object."""
    found = {}
    for key, value in wanted.items():
        there = content.get(key, {}) if isinstance(content, dict) else {}
        if isinstance(value, dict) and value and isinstance(there, dict):
            found.update(leaves(value, there, (*key_path, key)))
        else:
            found[(*key_path, key)] = value
    return found


def parents(key_path):
    """Return the key paths to the objects that hold the value, outermost first."""
    return [key_path[:length] for length in range(1, len(key_path))]


def same(one, other):
    """Compare as JSON does: 1 is not true."""
    if one is MISSING or other is MISSING:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def digest(raw):
    return hashlib.sha256(raw).hexdigest()


class Backup:
    """What the module found and what it left, for every key path that it has changed."""

    def __init__(self, path):
        self.path = path
        self.exists = os.path.exists(path)
        self.raw, _text, content = read(path)
        self.original = content.get("original")
        self.written = content.get("written")
        self.made_file = content.get("made_file", False)
        self.made_folder = content.get("made_folder", False)
        self.made_objects = [tuple(key_path) for key_path in content.get("made_objects", [])]
        self.entries = {
            tuple(entry.get("key_path") or entry["way"]): [entry.get("before", MISSING), entry.get("after", MISSING)]
            for entry in content.get("keys", [])
        }
        self.entries_before = bool(self.entries)

    def text(self):
        keys = []
        for key_path, (before, after) in self.entries.items():
            known = {"before": before, "after": after}
            keys.append(
                {"key_path": list(key_path), **{name: value for name, value in known.items() if value is not MISSING}}
            )
        made = {"made_file": self.made_file, "made_folder": self.made_folder, "made_objects": self.made_objects}
        kept = {"original": self.original, "written": self.written}
        return json.dumps({**made, **kept, "keys": keys}, indent=2) + "\n"

    def keep_bytes(self, file, text):
        """Remember the file byte for byte, unless somebody has written it since; then only keys can be given back."""
        if self.written is None and not self.entries_before:
            self.original = base64.b64encode(file.raw).decode()
        elif digest(file.raw) != self.written:
            self.original = None
        self.written = digest(text.encode())

    def bytes_before(self, file):
        """Return the file as it was before the module came, or None when somebody has written it since."""
        if self.original is None or digest(file.raw) != self.written:
            return None
        return base64.b64decode(self.original)

    def restore(self, content, key_path):
        """Put back what was there, unless somebody has changed it since, and drop our objects that are now empty."""
        before, after = self.entries.pop(key_path)
        if not same(get(content, key_path), after):
            return
        put(content, key_path, copy.deepcopy(before))
        for parent in reversed(parents(key_path)):
            if parent in self.made_objects and get(content, parent) == {}:
                self.made_objects.remove(parent)
                put(content, parent, MISSING)

    def change(self, content, key_path, value):
        """Set the value, remembering what somebody else has left there."""
        there = get(content, key_path)
        before, after = self.entries.get(key_path, [MISSING, MISSING])
        if key_path in self.entries and same(there, after):
            self.entries[key_path] = [before, value]
        elif not same(there, value):
            self.entries[key_path] = [copy.deepcopy(there), value]
        if value is not MISSING:
            self.made_objects += [parent for parent in parents(key_path) if get(content, parent) is MISSING]
        put(content, key_path, copy.deepcopy(value))


def target_of(content, backup, arguments):
    """Return {key_path: value} for all that has to be in the content, with MISSING for what must not."""

    def is_ours(key_path):
        there = get(content, key_path)
        if there is MISSING or there is None:
            return True
        before, after = backup.entries.get(key_path, [None, MISSING])
        return before is MISSING and same(there, after)

    defaults = leaves(arguments["defaults"], content)
    return {
        **{key_path: value for key_path, value in defaults.items() if is_ours(key_path)},
        **leaves(arguments["merge"], content),
        **dict.fromkeys(map(tuple, arguments["remove"]), MISSING),
    }


def merged(content, backup, arguments):
    """Return the content as it should be, and bring the backup along."""
    content = copy.deepcopy(content)
    target = target_of(content, backup, arguments)
    for key_path in [key_path for key_path in backup.entries if key_path not in target]:
        backup.restore(content, key_path)
    for key_path, value in target_of(content, backup, arguments).items():
        backup.change(content, key_path, value)
    return content


def restored(content, backup):
    """Return the content as it would be without this module."""
    content = copy.deepcopy(content)
    for key_path in reversed(list(backup.entries)):
        backup.restore(content, key_path)
    return content


def key_paths(before, after, key_path=()):
    """Return the key paths at which two objects differ."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return [] if same(before, after) else [list(key_path)]
    keys = [*before, *(key for key in after if key not in before)]
    return [
        found
        for key in keys
        for found in key_paths(before.get(key, MISSING), after.get(key, MISSING), (*key_path, key))
    ]


class File:
    def __init__(self, module):
        self.module = module
        self.path = os.path.realpath(module.params["path"])
        self.folder = os.path.dirname(self.path)
        self.exists = os.path.exists(self.path)
        self.raw, self.text, self.content = read(self.path)

    def temporary(self, folder, text):
        handle, path = tempfile.mkstemp(prefix=".json_merge.", dir=folder)
        self.module.add_cleanup_file(path)
        with os.fdopen(handle, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        return path

    def validate(self, text):
        command = self.module.params["validate"]
        if not command:
            return
        if "%s" not in command:
            raise Refused(f"validate must name the file with %s: {command}")
        program = command.split()[0]
        if self.module.check_mode and not os.path.exists(program) and self.module.get_bin_path(program) is None:
            return
        words = shlex.split(command.replace("%s", self.temporary(self.module.tmpdir, text)))
        rc, out, err = self.module.run_command(["timeout", "--kill-after=5", "60", *words])
        if rc:
            raise Refused(
                f"The new {self.path} was refused by '{program}', so nothing was changed. "
                f"Correct the value that it names, here or in the file, then run again. It says: {(err or out).strip()}"
            )

    def make_folder(self):
        mode = self.module.params["directory_mode"]
        if os.path.isdir(self.folder):
            return False
        if mode is None:
            raise Refused(
                f"The folder {self.folder} is missing. Make it, or name the mode that it should have (directory_mode)."
            )
        if not self.module.check_mode:
            self.allow_owner(self.folder)
            os.makedirs(self.folder, mode=int(mode, 8))
            self.attributes(self.folder, mode)
        return True

    def repair_folder(self):
        """Give what root has left in somebody's folder (by sudo) to the owner of the file; links are not followed."""
        folder, parameters, changed = os.path.dirname(self.module.params["path"]), self.module.params, False
        if not parameters["owner"] or parameters["directory_mode"] is None or os.path.islink(folder):
            return False
        below = [os.path.join(top, name) for top, *names in os.walk(folder) for name in sum(names, [])]
        for path in [folder, *below]:
            if os.path.lexists(path) and os.lstat(path).st_uid == 0 and pwd.getpwnam(parameters["owner"]).pw_uid != 0:
                changed = self.module.set_owner_if_different(path, parameters["owner"], changed)
                changed = self.module.set_group_if_different(path, parameters["group"], changed)
        return changed

    def allow_owner(self, path):
        """Refuse a place whose files cannot get an owner, before anything is written there."""
        folder = path
        while not os.path.isdir(folder):
            folder = os.path.dirname(folder)
        uid, gid = os.geteuid(), -1
        if self.exists:
            uid, gid = os.stat(self.path).st_uid, os.stat(self.path).st_gid
        elif self.module.params["owner"]:
            uid = pwd.getpwnam(self.module.params["owner"]).pw_uid
        try:
            probe = tempfile.mkdtemp(prefix=".json_merge.", dir=folder)
            try:
                os.chown(probe, uid, gid)
            finally:
                os.rmdir(probe)
        except OSError as error:
            raise Refused(
                f"{self.path} lies where files cannot get an owner of Linux, or cannot be written ({error.strerror}), "
                f"as on a Windows drive. Nothing was changed. Let {self.module.params['path']} lie in the "
                "distribution's own file system: remove the link, or move the folder, then run again."
            ) from error

    def attributes(self, path, mode):
        arguments = self.module.load_file_common_arguments({**self.module.params, "path": path, "mode": mode})
        return self.module.set_fs_attributes_if_different(arguments, False)

    def replace(self, text):
        """Put the new text (or bytes) in the place of the file, in one step."""
        temporary = self.temporary(self.folder, text)
        if self.exists:
            status = os.stat(self.path)
            os.chmod(temporary, status.st_mode & 0o7777)
            os.chown(temporary, status.st_uid, status.st_gid)
        else:
            os.chmod(temporary, 0o600)
            self.attributes(temporary, self.module.params["mode"] or "0644")
        os.replace(temporary, self.path)

    def keep_former(self, backup):
        """Keep the file and the backup as they are, for service_current to put back, unless an earlier run did."""
        former = self.module.params["former"]
        if not former or os.path.exists(former):
            return

        def stored(path, raw):
            return {"path": path, "content": base64.b64encode(raw).decode() if os.path.exists(path) else None}

        status = os.stat(self.path) if self.exists else None
        attributes = {"mode": status.st_mode & 0o7777, "uid": status.st_uid, "gid": status.st_gid} if status else {}
        kept = [{**stored(self.path, self.raw), **attributes}, {**stored(backup.path, backup.raw), "mode": 0o600}]
        os.makedirs(os.path.dirname(former), mode=0o755, exist_ok=True)
        os.replace(self.temporary(os.path.dirname(former), json.dumps(kept, indent=2) + "\n"), former)

    def keep(self, backup):
        """Write the backup before the file, so that a run that is broken between them can be undone."""
        os.makedirs(os.path.dirname(backup.path), mode=0o755, exist_ok=True)
        os.replace(self.temporary(os.path.dirname(backup.path), backup.text()), backup.path)


def present(module, file, backup):
    before = backup.text()
    content = merged(file.content, backup, module.params)
    keys = key_paths(file.content, content)
    text = dump(content, file.text)
    if keys:
        file.validate(text)
        if not module.check_mode:
            file.allow_owner(file.folder)
        backup.made_folder = file.make_folder() or backup.made_folder
        backup.made_file = backup.made_file or not file.exists
        backup.keep_bytes(file, text)
    if not module.check_mode:
        if keys:
            file.keep_former(backup)
        if backup.text() != before:
            file.keep(backup)
        if keys:
            file.replace(text)
    changed = file.repair_folder()
    changed = (os.path.exists(file.path) and file.attributes(file.path, module.params["mode"])) or changed
    return bool(keys) or changed, keys, content


def absent(module, file, backup):
    if not backup.exists:
        return False, [], file.content
    content = restored(file.content, backup)
    keys = key_paths(file.content, content)
    gone = backup.made_file and content == {}
    original = backup.bytes_before(file)
    text = dump(content, file.text) if original is None else original
    if keys and not gone:
        file.validate(text)
    if not module.check_mode:
        if keys:
            file.keep_former(backup)
        if gone and file.exists:
            os.remove(file.path)
        elif keys:
            file.replace(text)
        if gone and backup.made_folder and os.path.isdir(file.folder) and not os.listdir(file.folder):
            os.rmdir(file.folder)
        os.remove(backup.path)
        if not os.listdir(os.path.dirname(backup.path)):
            os.rmdir(os.path.dirname(backup.path))
    return True, keys, MISSING if gone else content


def diff(module, file, keys, content):
    """Show the file before and after; with hide_values only the names of the changed keys."""

    def show(some):
        if some is MISSING:
            return ""
        if not module.params["hide_values"]:
            return dump(some, file.text)
        return "".join(f"{'.'.join(key_path)}: (a value)\n" for key_path in keys if get(some, key_path) is not MISSING)

    before = show(file.content) if file.exists else ""
    if module.params["hide_values"]:
        after = "".join(
            f"{'.'.join(key_path)}: (another value)\n"
            for key_path in keys
            if content is not MISSING and get(content, key_path) is not MISSING
        )
    else:
        after = show(content)
    return {"before_header": file.path, "after_header": file.path, "before": before, "after": after}


def main():
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "merge": {"type": "dict", "default": {}},
            "defaults": {"type": "dict", "default": {}},
            "remove": {"type": "list", "elements": "list", "default": []},
            "backup": {"type": "path", "required": True},
            "validate": {"type": "str"},
            "former": {"type": "path"},
            "hide_values": {"type": "bool", "default": False},
            "directory_mode": {"type": "str"},
        },
        add_file_common_args=True,
        supports_check_mode=True,
    )
    try:
        file, backup = File(module), Backup(module.params["backup"])
        state = present if module.params["state"] == "present" else absent
        changed, keys, content = state(module, file, backup)
        module.exit_json(changed=changed, keys=keys, diff=diff(module, file, keys, content))
    except Unreadable as error:
        module.fail_json(msg=f"{error} Nothing was changed.")
    except Refused as refusal:
        module.fail_json(msg=str(refusal))


if __name__ == "__main__":
    main()
