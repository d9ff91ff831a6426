"""The probe on a finished PC: it changes nothing, tells nothing about its user, and can be compared."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.windows.pc import ROOT


def test_the_probe_reports_what_can_be_compared(finished, tmp_path):
    pc, _, _ = finished
    before = pc.state()
    path = tmp_path / "reports" / "probe.json"
    run = pc.play("-e", f"probe_report={path}", playbook="playbooks/probe.yml")
    assert (run.code, run.recap["failed"]) == (0, 0), run.output
    assert pc.state() == before
    text = path.read_text(encoding="utf-8")
    answers = json.loads(text)["answers"]
    for word in ("student", "DL-WS-01", pc.name, "127.0.0.1", "simulator"):
        assert word.lower() not in text.lower()
    assert answers["cmd-8191-characters"] == {"rc": 0, "stdout": "<8186 x>", "stderr": ""}
    assert answers["cmd-four-quotes"]["rc"] == 1
    assert answers["wsl-unknown-distribution"]["rc"] == 4294967295
    assert answers["wsl-networking-mode"]["stdout"] == "nat"
    assert answers["feature-virtual-machine-platform"]["stdout"] == "State : Enabled"
    assert "error" in answers["winget"]
    done = subprocess.run(
        [sys.executable, "-m", "lab", "probe", str(path)], cwd=ROOT, env=os.environ, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "same                  cmd-8191-characters" in done.stdout  # the lab's other PC speaks English
    assert "DIFFERS               wsl-unknown-distribution" in done.stdout
