"""Run the role of the current Molecule scenario once more, from a test, with other variables."""

import json
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def converge(host, **variables):
    """Return (changed, message): how many tasks changed something, and why the run failed (empty when it did not)."""
    inventory = f"{os.environ['MOLECULE_EPHEMERAL_DIRECTORY']}/inventory"
    argv = ["ansible-playbook", "-i", inventory, "-l", host.backend.get_hostname(), "molecule/_shared/converge.yml"]
    settings = {"ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_NOCOLOR": "1"}
    done = subprocess.run(
        [*argv, "-e", json.dumps(variables)], cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True
    )
    output = done.stdout + done.stderr
    changed = re.search(r"changed=(\d+)", output)
    assert changed, output
    return int(changed.group(1)), "" if done.returncode == 0 else " ".join(output.split())
