"""Run a systemd service with what is on the disk now."""

import base64
import calendar
import json
import os
import re
import tempfile
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: service_current
short_description: Run a systemd service with what is on the disk now
description:
  - Enables and starts a service, and restarts it when it was started before its program, its unit or one of its
    configuration files was last changed.
  - A handler forgets that a restart is due when the run breaks before it. This module finds it again, whoever made the
    change, and does in one module run what otherwise takes a task for each unit, a reload and a handler.
  - A configuration file that M(json_merge) has changed is tried. When the service does not start with it, or
    O(smoke_test) fails, the file and its backup are put back as O(former) has them, and the service runs with them
    again.
  - systemd has O(timeout) seconds for each answer.
options:
  name:
    description: The service, with its ending.
    type: str
    required: true
  files:
    description: Files that the service reads when it starts. The time of their last modification counts.
    type: list
    elements: path
    default: []
  programs:
    description: Programs that the service looks for when it starts, beside its own. The time at which they came to
      this machine counts, since packages keep the modification time of their build.
    type: list
    elements: path
    default: []
  companions:
    description: Units that have to be enabled and active with it. A service among them is restarted when its own
      program is newer.
    type: list
    elements: str
    default: []
  restart:
    description: Restart the service whatever the times say.
    type: bool
    default: false
  former:
    description: Where M(json_merge) has kept the file as it was. The file there is removed when the new one has
      proved itself.
    type: path
  good:
    description: Where to keep a copy of the first of the O(files) with which the service has proved to work. When it
      does not run with what is there now, nor with what was there before, that copy takes the place of the file, which
      is kept beside it with the ending C(.refused).
    type: path
  smoke_test:
    description: Command that succeeds when the service really works. It runs after a start, and while there is
      something at O(former).
    type: list
    elements: str
    default: []
  timeout:
    description: Seconds that systemd has for one answer, a start included, and the O(smoke_test).
    type: int
    default: 180
attributes:
  check_mode:
    support: full
    description: A unit that is missing counts as to be started.
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Run Docker with the daemon.json that is there
  service_current:
    name: docker.service
    files: [/etc/docker/daemon.json]
    companions: [containerd.service, docker.socket]
    former: /var/lib/wsl-dl-playbook/example/former.json
    smoke_test: [docker, version]
"""

RETURN = r"""
done:
  description: What was done, in words.
  returned: success
  type: list
  elements: str
"""

PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,SubState,ExecMainStartTimestamp,NeedDaemonReload,ExecStart"
CAUSE = r"failed to start daemon|unable to configure|level=(?:fatal|error)|^Error|: error"


class Refused(Exception):
    """The cause and the remedy, in one sentence each."""


def started(unit):
    """Return when the service was started, in seconds since the epoch; 0 for a unit that runs no program."""
    match = re.search(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(\.\d+)?", unit.get("ExecMainStartTimestamp", ""))
    if not match:
        return 0.0
    return calendar.timegm(time.strptime(match.group(1), "%Y-%m-%d %H:%M:%S")) + float(match.group(2) or 0)


def changed_at(path, kind):
    try:
        return getattr(os.stat(path), kind)
    except FileNotFoundError:
        return 0.0


class Service:
    def __init__(self, module):
        self.module = module
        self.units = [module.params["name"], *module.params["companions"]]
        self.done = []
        self.started = False
        self.since = time.time()
        self.state = self.look()

    def limited(self, *words):
        """Run a command that has a time limit; rc 124 tells that it was too slow."""
        limit = ["timeout", "--kill-after=5", str(self.module.params["timeout"])]
        return self.module.run_command([*limit, *words], environ_update={"TZ": "UTC", "LC_ALL": "C.UTF-8"})

    def systemctl(self, *arguments):
        return self.limited("systemctl", *arguments)

    def look(self):
        rc, out, err = self.systemctl("show", "--timestamp=us+utc", "-p", PROPERTIES, *self.units)
        if rc:
            raise Refused(f"systemd does not answer, so no service can be managed: {self.text(rc, err)}")
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
        return dict(zip(self.units, blocks, strict=True))

    def text(self, rc, error):
        return f"no answer within {self.module.params['timeout']} seconds" if rc in (124, 137) else error.strip()

    def journal(self, unit):
        """Return the last lines of the unit's log, the one with the cause apart."""
        since = f"@{int(self.since)}"
        argv = ["journalctl", "--no-pager", "-q", "-n", "40", "-o", "cat", "--since", since, "-u", unit]
        lines = self.limited(*argv)[1].strip().splitlines()
        causes = [line for line in lines if re.search(CAUSE, line)]
        return f"{causes[-1]} " if causes else "", "\n".join(lines[-15:])

    def act(self, words, *arguments):
        self.done.append(words)
        if self.module.check_mode:
            return
        rc, _, err = self.systemctl(*arguments)
        if rc:
            cause, log = self.journal(arguments[-1])
            raise Refused(
                f"systemctl {' '.join(arguments)} failed: {cause}{self.text(rc, err)} Correct what its log names, "
                f"then run again. The last lines of the log:\n{log}"
            )

    def reason(self, name):
        """Return why the running service is older than what is on the disk, or an empty string."""
        unit = self.state[name]
        own = re.search(r"path=(\S+)", unit.get("ExecStart", ""))
        programs, files, wanted = [own.group(1)] if own else [], [], False
        if name == self.module.params["name"]:
            programs += self.module.params["programs"]
            files, wanted = self.module.params["files"], self.module.params["restart"]
        newer = [path for path in files if changed_at(path, "st_mtime") > started(unit)]
        newer += [path for path in programs if changed_at(path, "st_ctime") > started(unit)]
        if unit["NeedDaemonReload"] == "yes":
            newer.append("its unit")
        return f"newer: {', '.join(newer)}" if newer else "asked for" if wanted else ""

    def bring(self, name):
        unit = self.state[name]
        if unit["LoadState"] == "not-found":
            if not self.module.check_mode:
                raise Refused(f"There is no unit {name} on this machine. Install the package that brings it.")
            self.done.append(f"start {name}")
            return
        if unit["UnitFileState"] == "masked":
            self.act(f"unmask {name}", "unmask", name)
        if unit["UnitFileState"] in ("disabled", "masked"):
            self.act(f"enable {name}", "enable", name)
        reason = self.reason(name) if name.endswith(".service") else ""
        waits = unit.get("SubState") == "auto-restart"  # it failed, and systemd will try it again
        if waits or unit["ActiveState"] not in ("active", "activating", "reloading"):
            self.start(f"start {name}", "start", name)
        elif reason:
            self.start(f"restart {name} ({reason})", "restart", name)

    def start(self, words, verb, name):
        """Start it, with a clean slate: systemd refuses the fourth start within a minute."""
        if not self.module.check_mode:
            self.systemctl("reset-failed", name)
        self.started = True
        self.act(words, verb, name)

    def bring_all(self):
        if any(unit["NeedDaemonReload"] == "yes" for unit in self.state.values()):
            self.act("read the units again", "daemon-reload")
        for name in [*self.units[1:], self.units[0]]:
            self.bring(name)

    def prove(self):
        smoke_test = self.module.params["smoke_test"]
        if not smoke_test:
            return
        rc, out, err = self.limited(*smoke_test)
        if rc:
            raise Refused(f"{self.units[0]} runs, but does not do its work: {self.text(rc, err or out)}")

    def run(self):
        former = self.module.params["former"]
        kept = former is not None and os.path.exists(former)
        try:
            self.bring_all()
            if (self.started or kept) and not self.module.check_mode:
                self.prove()
        except Refused as refusal:
            if self.module.check_mode:
                raise
            told = [*self.put_former_back(), *self.put_good_back()]
            if not told:
                raise
            raise Refused(f"{' '.join(told)} What was wrong with the new one: {refusal}") from refusal
        if (self.started or kept) and not self.module.check_mode:
            self.keep_good()
        if kept and not self.module.check_mode:
            os.remove(former)
            folder = os.path.dirname(former)
            if not os.listdir(folder):
                os.rmdir(folder)

    def keep_good(self):
        """Keep a copy of the configuration with which the service has proved to work."""
        good, path = self.module.params["good"], self.module.params["files"][:1]
        if not good or not path or not os.path.exists(path[0]):
            return
        entry = {**entry_of(path[0]), "path": good, "mode": 0o600, "uid": -1, "gid": -1}
        put({**entry, "content": base64.b64encode(json.dumps(entry_of(path[0])).encode()).decode()})

    def restarted(self):
        """Start it all again, and return what is wrong then."""
        self.since = time.time()
        self.systemctl("reset-failed", *self.units)
        answers = [self.systemctl("start", name) for name in self.units[1:]]
        answers.append(self.systemctl("restart", self.units[0]))
        failed = [self.text(rc, err) for rc, _, err in answers if rc]
        if failed:
            return f"{self.journal(self.units[0])[0]}{' '.join(failed)}"
        try:
            self.prove()
        except Refused as refusal:
            return str(refusal)
        return ""

    def put_former_back(self):
        """Bring the former file and its backup back, and run the service with them; return what to tell of it."""
        former, self.wrong = self.module.params["former"], "unknown"
        if not former or not os.path.exists(former):
            return []
        with open(former, encoding="utf-8") as file:
            kept = json.load(file)
        for entry in kept:
            put(entry)
        os.remove(former)
        self.wrong = self.restarted()
        now = (
            f"It does not run with that either: {self.wrong}" if self.wrong else f"{self.units[0]} runs with it again."
        )
        return [f"{kept[0]['path']} was put back as it was before. {now}"]

    def put_good_back(self):
        """Where nothing else helps, run the service with the file that worked last; return what to tell of it."""
        good = self.module.params["good"]
        if not self.wrong or not good or not os.path.exists(good):
            return []
        with open(good, encoding="utf-8") as file:
            worked = json.load(file)
        path = worked["path"]
        now = entry_of(path)
        if now["content"] == worked["content"]:
            return []
        put(worked)
        wrong = self.restarted()
        if wrong:
            put(now)
            return []
        put({**now, "path": f"{path}.refused"})
        return [f"{path} was set aside as {path}.refused, and {self.units[0]} runs with the one that worked last."]


def entry_of(path):
    """Return a file as put() brings it back."""
    if not os.path.exists(path):
        return {"path": path, "content": None}
    status = os.stat(path)
    with open(path, "rb") as file:
        content = base64.b64encode(file.read()).decode()
    return {
        "path": path,
        "content": content,
        "mode": status.st_mode & 0o7777,
        "uid": status.st_uid,
        "gid": status.st_gid,
    }


def put(entry):
    """Bring one file back as it was, in one step; without content it was not there."""
    if entry["content"] is None:
        if os.path.exists(entry["path"]):
            os.remove(entry["path"])
        return
    os.makedirs(os.path.dirname(entry["path"]), mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".service_current.", dir=os.path.dirname(entry["path"]))
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64decode(entry["content"]))
    os.chmod(temporary, entry["mode"])
    os.chown(temporary, entry.get("uid", -1), entry.get("gid", -1))
    os.replace(temporary, entry["path"])


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "programs": {"type": "list", "elements": "path", "default": []},
            "companions": {"type": "list", "elements": "str", "default": []},
            "restart": {"type": "bool", "default": False},
            "former": {"type": "path"},
            "good": {"type": "path"},
            "smoke_test": {"type": "list", "elements": "str", "default": []},
            "timeout": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    try:
        service = Service(module)
        service.run()
        module.exit_json(changed=bool(service.done), done=service.done)
    except Refused as refusal:
        module.fail_json(msg=str(refusal))


if __name__ == "__main__":
    main()
