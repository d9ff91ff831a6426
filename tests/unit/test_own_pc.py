"""The site from inside the distribution, where Windows does not let it in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.unit.connection.interop_pc import MEDIUM, Pc

ROOT = Path(__file__).resolve().parents[2]


def test_a_terminal_that_is_not_an_administrators_ends_the_run_before_either_half_is_touched(tmp_path):
    pc = Pc(tmp_path)
    pc.account(level=MEDIUM)
    path = [str(pc.tools), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "PATH": os.pathsep.join(path), "ANSIBLE_CALLBACKS_ENABLED": "preload"}
    # In the distribution (this machine) only what is tagged always would run, and change nothing.
    argv = ["ansible-playbook", "-i", "inventory/own", "playbooks/site.yml", "--check", "--tags", "windows_base"]
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert 'Open the terminal by "Run as administrator"' in done.stdout
    assert "TASK [Reach the distribution]" not in done.stdout
    assert "pc                         : ok=2    changed=0    unreachable=1 " in done.stdout
    assert done.returncode == 4
