#!/usr/bin/env python3
"""Break one promise at a time and see the test that guards it fail. Ends with code 0 when every mutant was killed.

Works in a clone of HEAD, in a lab of its own (LAB_ID=mutation). A mutant is either an edit of the code, seen by a
scenario's converge or verify or by another command, or a command on a scenario's finished machine, seen by verify.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Mutant:
    """One way to break a promise."""

    name: str
    seen_by: str
    """Text that must stand in the output of the failing run: the test's name, or the role's error."""
    scenario: str = ""
    """Molecule scenario that has to fail."""
    command: list[str] = field(default_factory=list)
    """Words after ``python -m`` that have to fail, where it is no scenario."""
    machine: str = ""
    """Shell command on the scenario's finished machine."""
    file: str = ""
    old: str = ""
    new: str = ""


CAMPAIGN = ["tests/faults/test_undisturbed.py", "tests/faults/test_disturbed.py"]
MERGE = "keys = key_paths(file.content, content)\n    text = dump(content"


def keeps_nothing(name: str) -> dict[str, str]:
    """Let json_merge overwrite the file of this name instead of merging into it."""
    condition = f'if module.params["path"].endswith("{name}"):'
    overwrite = f"{condition}\n        content = merged({{}}, backup, module.params)\n    "
    return {"file": "plugins/modules/json_merge.py", "old": MERGE, "new": overwrite + MERGE}


MUTANTS = [
    Mutant(
        "relay stopped",
        "test_a_login_shell_reaches_the_internet_through_the_proxy",
        "wsl_proxy",
        machine="systemctl stop wsl-proxy.socket wsl-proxy.service",
    ),
    Mutant(
        "wrong fingerprint accepted",
        "test_a_wrong_fingerprint_is_refused_before_any_change",
        "docker_engine",
        file="plugins/modules/apt_source.py",
        old="if found != [wanted]:",
        new="if not found:",
    ),
    Mutant(
        "foreign key in daemon.json lost",
        "test_daemon_json_keeps_foreign_keys_and_rotates_logs",
        "docker_engine",
        **keeps_nothing("daemon.json"),
    ),
    Mutant(
        "login in config.json lost",
        "test_the_login_survives_and_the_old_spelling_is_gone",
        "docker_proxy",
        **keeps_nothing("config.json"),
    ),
    Mutant(
        "runtime not registered",
        "test_the_runtime_works_as_dev_containers_use_it",
        "nvidia_ctk",
        machine="""python3 -c 'import json; p = "/etc/docker/daemon.json"; d = json.load(open(p)); del d["runtimes"]
json.dump(d, open(p, "w"))' && systemctl restart docker""",
    ),
    Mutant(
        "edited file overwritten",
        "test_what_the_user_edited_stays",
        "devcontainer",
        file="plugins/modules/managed_files.py",
        old='if file["keep_edits"] and self.is_edited(path, current):',
        new="if False:",
    ),
    Mutant(
        "cuda-drivers installable",
        "test_apt_refuses_to_install_a_linux_driver",
        "cuda_wsl",
        machine="rm /etc/apt/preferences.d/*; apt-get update",
    ),
    Mutant(
        "password hash shown",
        "test_no_secret_is_in_the_output_at_vvv",
        command=["pytest", "-p", "no:cacheprovider", "tests/windows/test_a_bare_pc.py", "-k", "no_secret"],
        file="roles/wsl_distribution/tasks/password.yml",
        old="  no_log: true\n",
        new="",
    ),
    Mutant(
        "another signing key accepted",
        "does not name the cause (is not the expected one)",
        command=["pytest", *CAMPAIGN, "--only", "wsl: Docker's key replaced"],
        file="plugins/modules/apt_source.py",
        old="if found != [wanted]:",
        new="if not found:",
    ),
    Mutant(
        "another file accepted",
        "FAILED tests/faults/test_disturbed.py",
        command=["pytest", *CAMPAIGN, "--only", "windows: the distribution's image with another"],
        file="plugins/action/win_fetch.py",
        old='if found in ("", self._digest):',
        new="if True:",
    ),
]


def molecule(tree: Path, *argv: str) -> subprocess.CompletedProcess:
    """Run Molecule in the clone."""
    command = ["molecule", "-c", ".config/molecule/config.yml", *argv]
    environment = {**os.environ, "LAB_ID": "mutation", "ANSIBLE_NOCOLOR": "1"}
    environment["MOLECULE_EPHEMERAL_DIRECTORY"] = str(tree / ".cache" / "molecule" / argv[-1])  # as scripts/molecule.sh
    return subprocess.run(
        command, cwd=tree, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def failing_output(tree: Path, one: Mutant) -> str:
    """Run what has to fail; return its output, empty when it did not fail."""
    if one.command:
        environment = {**os.environ, "LAB_ID": "mutation", "ANSIBLE_NOCOLOR": "1"}
        command = [sys.executable, "-m", *one.command]
        done = subprocess.run(
            command, cwd=tree, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        return done.stdout if done.returncode else ""
    try:
        converged = molecule(tree, "converge", "-s", one.scenario)
        if converged.returncode:
            return converged.stdout
        if one.machine:
            argv = ["docker", "exec", f"mutation-{one.scenario}-noble", "sh", "-c", one.machine]
            subprocess.run(argv, check=True, capture_output=True)
        verified = molecule(tree, "verify", "-s", one.scenario)
        return verified.stdout if verified.returncode else ""
    finally:
        molecule(tree, "destroy", "-s", one.scenario)


def run(tree: Path, one: Mutant) -> str:
    """Make one mutant; return the output of the run that had to fail, empty when nothing failed."""
    path = tree / one.file
    original = path.read_text() if one.file else ""
    if one.file:
        if one.old not in original:
            raise SystemExit(f"{one.name}: {one.file} has no {one.old!r} any more; bring this file up to date")
        path.write_text(original.replace(one.old, one.new))
    try:
        return failing_output(tree, one)
    finally:
        if one.file:
            path.write_text(original)


def main() -> int:
    """Make all mutants, or those whose name contains a word of the command line."""
    wanted = [one for one in MUTANTS if not sys.argv[1:] or any(word in one.name for word in sys.argv[1:])]
    survived = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(tree)], check=True)
        lab = {"cwd": tree, "env": {**os.environ, "LAB_ID": "mutation"}}
        subprocess.run([sys.executable, "-m", "lab", "up"], check=True, **lab)
        try:
            for one in wanted:
                output = run(tree, one)
                killed = one.seen_by in output
                survived += not killed
                where = one.scenario or one.command[0]
                print(f"{'killed  ' if killed else 'SURVIVED'}  {one.name:<34} {where}: {one.seen_by}", flush=True)
                if not killed:
                    print("\n".join(output.splitlines()[-30:]) or "nothing failed", flush=True)
        finally:
            subprocess.run([sys.executable, "-m", "lab", "clean"], check=True, **lab)
            shutil.rmtree(tree, ignore_errors=True)
    print(f"{len(wanted) - survived} mutants killed, {survived} survived")
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main())
