"""Keep a report of many PCs: one row a PC, as JSON and as one page for a browser."""

from __future__ import annotations

import html
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import callback_loader

DOCUMENTATION = r"""
name: fleet_report
type: aggregate
short_description: Keep a report of many PCs, one row a PC, as JSON and as HTML
author: wsl-dl-playbook contributors
description:
  - After a run on at least O(hosts) hosts that sets PCs up, or takes that back (a play has the variable
    C(progress_next)), it writes O(path), and the same as a page beside it (C(.html)), which needs
    nothing else.
  - A row is a PC with its distribution. It says what came of the last run that had to do with it, since when that is
    so, what stops it with cause and remedy, and which roles are done. PCs of earlier runs stay in the report.
  - With C(--check) nothing is written.
options:
  path:
    description: Where the report is kept; empty for none.
    type: path
    default: reports/fleet.json
    env: [{name: ANSIBLE_FLEET_REPORT}]
    ini: [{section: callback_fleet_report, key: path}]
  hosts:
    description: From how many hosts in a run on it is written; one PC is two.
    type: int
    default: 3
    env: [{name: ANSIBLE_FLEET_REPORT_HOSTS}]
    ini: [{section: callback_fleet_report, key: hosts}]
requirements:
  - enabled in C(ansible.cfg) by C(callbacks_enabled)
  - the callback plugin progress beside it
"""

progress = sys.modules[callback_loader.get("progress", class_only=True).__module__]

STATES = ("failed", "not reached", "paused", "done")
"""What can be said of a PC, what needs somebody first. A PC is what the worse of its two halves is."""
HALF = "-wsl"
"""The end of a distribution's name; the rest is its PC's (inventory/group_vars/all/connection.yml)."""
PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{done} of {all} PCs done</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #1f2328 }}
h1 {{ margin: 0 }} p {{ margin: .6em 0 1.4em }} small, summary {{ color: #59636e; font-size: 12px }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ text-align: left; vertical-align: top; padding: .5em .8em; border-bottom: 1px solid #d1d9e0 }}
th {{ position: sticky; top: 0; background: #f6f8fa; white-space: nowrap }} tr:hover td {{ background: #f6f8fa }}
td:nth-child(-n+4) {{ white-space: nowrap }} td:nth-child(5) {{ width: 60% }} td:first-child {{ font-weight: 600 }}
.state {{ display: inline-block; padding: 0 .7em; border-radius: 1em }} small {{ display: block }}
.done {{ background: #d8f3dc; color: #176f2c }} .paused {{ background: #fff1cc; color: #7a4f00 }}
.failed, .not.reached {{ background: #fde2e0; color: #a1231b }}
</style>
<h1>{done} of {all} PCs done</h1>
<p>{counts} &ensp; written {written}</p>
<table>
<tr><th>PC<th>state<th>since<th>last run<th>what stops it<th>roles done
{rows}
</table>
</html>
"""
ROW = '<tr><td>{name}<td><span class="state {state}">{state}</span><td>{since}<td>{seen}<td>{stops}<td>{roles}'
COUNT = '<span class="state {state}">{number} {state}</span>'
STOP = "<small>{host} &middot; {task}</small>{message}"
ROLES = "<details><summary>{number}</summary>{names}</details>"


def state_of(hosts: Iterable[tuple[Any, bool]]) -> str:
    """Return the state of a PC.

    :param hosts: its halves, each as a C(progress.Host), and whether it was out of reach.
    """
    found = {
        "not reached" if away else "done" if host.failure is None else "paused" if host.paused else "failed"
        for host, away in hosts
    }
    return next(state for state in STATES if state in found)


def row(name: str, halves: dict[str, Any], away: set[str], now: str, before: dict[str, Any]) -> dict[str, Any]:
    """Return the row of a PC.

    :param halves: its hosts by name, as the run has left them.
    :param away: names of the hosts that were not reached.
    :param now: the time, as ISO 8601.
    :param before: its row in the last report, or nothing.
    """
    stops = [
        {"host": host, "role": found.failure[0], "task": found.failure[1], "message": found.failure[2]}
        for host, found in halves.items()
        if found.failure is not None
    ]
    state = state_of((found, host in away) for host, found in halves.items())
    same = before.get("state") == state and before.get("stops") == stops
    roles = before.get("roles", {}) | {
        role: part.outcome for found in halves.values() for role, part in found.parts.items() if part.outcome
    }
    for stop in stops:
        roles.pop(stop["role"], None)
    return {
        "name": name,
        "state": state,
        "since": before["since"] if same else now,
        "seen": now,
        "stops": stops,
        "roles": roles,
    }


def merged(report: dict[str, Any], hosts: dict[str, Any], away: set[str], now: str) -> dict[str, Any]:
    """Return a report with what a run has left; PCs that were not in it keep their rows."""
    rows = {one["name"]: one for one in report.get("pcs", [])}
    pcs: dict[str, dict[str, Any]] = {}
    for name, host in hosts.items():
        pcs.setdefault(name.removesuffix(HALF), {})[name] = host
    for name, halves in pcs.items():
        rows[name] = row(name, halves, away, now, rows.get(name, {}))
    return {"written": now, "pcs": sorted(rows.values(), key=lambda one: (STATES.index(one["state"]), one["name"]))}


def page(report: dict[str, Any]) -> str:
    """Return the report as HTML; times to the minute, and their zone once."""

    def escaped(found: dict[str, Any]) -> dict[str, str]:
        return {key: html.escape(str(value)) for key, value in found.items()}

    def shown(pc: dict[str, Any]) -> str:
        words = escaped(
            {"name": pc["name"], "state": pc["state"], **{key: minute(pc[key]) for key in ("since", "seen")}}
        )
        stops = "".join(STOP.format(**escaped(one)) for one in pc["stops"])
        roles = ROLES.format(number=len(pc["roles"]), names=html.escape(", ".join(pc["roles"]))) if pc["roles"] else "0"
        return ROW.format(**words, stops=stops, roles=roles)

    pcs = report["pcs"]
    numbers = {state: sum(pc["state"] == state for pc in pcs) for state in STATES}
    counts = " ".join(COUNT.format(state=state, number=number) for state, number in numbers.items() if number)
    written = html.escape(f"{minute(report['written'])} {report['written'][19:]}".strip())
    rows = "\n".join(map(shown, pcs))
    return PAGE.format(done=numbers["done"], all=len(pcs), written=written, counts=counts, rows=rows)


def minute(time_of: str) -> str:
    """Return a time as ISO 8601 writes it without its seconds and zone."""
    return time_of[:16].replace("T", " ")


class CallbackModule(progress.CallbackModule):
    """See DOCUMENTATION above. It hears what the callback progress hears, and says nothing while it runs."""

    CALLBACK_NAME = "fleet_report"

    _wanted = False

    def set_options(self, *args: Any, **kwargs: Any) -> None:
        """Take the options; the language is that of progress."""
        CallbackBase.set_options(self, *args, **kwargs)

    def _say(self, line: str, color: str | None = None) -> None:
        """Say nothing."""

    def v2_playbook_on_start(self, playbook: Any) -> None:
        """A playbook that ends with a summary sets PCs up or takes it back; others only look."""
        self._wanted = any("progress_next" in play.get_vars() for play in playbook.get_plays())

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Nothing is to be noted."""

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        """A task begins on a host."""
        self._record.begin(host.get_name(), task)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Write the report where the run was about many hosts."""
        path, hosts = self.get_option("path"), self._record.hosts
        if not self._wanted or not path or len(hosts) < self.get_option("hosts") or context.CLIARGS.get("check"):
            return
        self._settle(stats)
        away = {name for name in hosts if stats.summarize(name)["unreachable"]}
        file = Path(path)
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # the first one, or half a file
            report = {}
        report = merged(report, hosts, away, time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            for target, text in ((file, json.dumps(report, indent=1)), (file.with_suffix(".html"), page(report))):
                fresh = target.with_name(f"{target.name}.new")
                fresh.write_text(text + "\n", encoding="utf-8")
                fresh.replace(target)
        except OSError as error:
            self._display.warning(f"The report of the fleet could not be written ({error}).")
