"""Run a systemd service with what is on the disk now."""

import calendar
import os
import re
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: fresh_service
short_description: Run a systemd service with what is on the disk now
description:
  - Enables and starts a service, and restarts it when it was started before its program, its unit or one of its
    configuration files was last changed.
  - A handler forgets that a restart is due when the run breaks before it. This module finds it again, whoever made the
    change, and does in one module run what otherwise takes a task for each unit, a reload and a handler.
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
attributes:
  check_mode:
    support: full
    description: A unit that is missing counts as to be started.
  diff_mode:
    support: none
"""

EXAMPLES = r"""
- name: Run Docker with the daemon.json that is there
  fresh_service:
    name: docker.service
    files: [/etc/docker/daemon.json]
    companions: [containerd.service, docker.socket]
"""

RETURN = r"""
done:
  description: What was done, in words.
  returned: success
  type: list
  elements: str
"""

PROPERTIES = "Id,LoadState,UnitFileState,ActiveState,ExecMainStartTimestamp,NeedDaemonReload,ExecStart"


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
        self.state = self.look()

    def systemctl(self, *arguments):
        return self.module.run_command(["systemctl", *arguments], environ_update={"TZ": "UTC", "LC_ALL": "C.UTF-8"})

    def look(self):
        rc, out, err = self.systemctl("show", "--timestamp=us+utc", "-p", PROPERTIES, *self.units)
        if rc:
            raise Refused(f"systemd does not answer, so no service can be managed: {err.strip()}")
        blocks = [dict(line.split("=", 1) for line in block.splitlines()) for block in out.strip().split("\n\n")]
        return dict(zip(self.units, blocks, strict=True))

    def act(self, words, *arguments):
        self.done.append(words)
        if self.module.check_mode:
            return
        rc, _, err = self.systemctl(*arguments)
        if rc:
            journal = self.module.run_command(
                ["journalctl", "--no-pager", "-q", "-n", "15", "-o", "cat", "-u", arguments[-1]]
            )
            raise Refused(
                f"systemctl {' '.join(arguments)} failed: {err.strip()} Correct what its log names, then run again. "
                f"The last lines of the log:\n{journal[1].strip()}"
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
        if unit["ActiveState"] not in ("active", "activating", "reloading"):
            self.start(f"start {name}", "start", name)
        elif reason:
            self.start(f"restart {name} ({reason})", "restart", name)

    def start(self, words, verb, name):
        """Start it, with a clean slate: systemd refuses the fourth start within a minute."""
        if not self.module.check_mode:
            self.systemctl("reset-failed", name)
        self.act(words, verb, name)

    def run(self):
        if any(unit["NeedDaemonReload"] == "yes" for unit in self.state.values()):
            self.act("read the units again", "daemon-reload")
        for name in [*self.units[1:], self.units[0]]:
            self.bring(name)


def main():
    module = AnsibleModule(
        argument_spec={
            "name": {"type": "str", "required": True},
            "files": {"type": "list", "elements": "path", "default": []},
            "programs": {"type": "list", "elements": "path", "default": []},
            "companions": {"type": "list", "elements": "str", "default": []},
            "restart": {"type": "bool", "default": False},
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
