"""Ask a Molecule scenario's machine what "make verify" asks, from a test."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINE = re.compile(r"^(holds|BROKEN|not asked) +\S+  (.*?)(?:: (.*))?$", re.MULTILINE)


def verified(host, *tests):
    """Return {promise: (outcome, note)} of some tests of verify/test_wsl.py."""
    inventory = f"{os.environ['MOLECULE_EPHEMERAL_DIRECTORY']}/inventory"
    argv = [sys.executable, "-m", "pytest", "verify/test_wsl.py", f"--hosts=ansible://{host.backend.get_hostname()}"]
    argv += [f"--ansible-inventory={inventory}", "--force-ansible", "--tb=no", "-rN", "-p", "no:cacheprovider"]
    settings = {"ANSIBLE_CONFIG": f"{ROOT}/ansible.cfg", "NO_COLOR": "1"}
    done = subprocess.run(
        [*argv, "-k", " or ".join(tests)],
        cwd=ROOT,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        timeout=900,
    )
    answers = {text: (outcome, note) for outcome, text, note in LINE.findall(done.stdout)}
    assert answers, done.stdout + done.stderr
    return answers
