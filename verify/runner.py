"""Ansible for tests, loaded once.

Testinfra starts the command ``ansible`` for each question that it asks through Ansible, and for a short question most
of the time is the start of that command. Here the same command line runs in a fork of a process that has it loaded.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import tempfile
import traceback
from typing import Any

from testinfra.backend.base import CommandResult
from testinfra.utils import ansible_runner


class LoadedLocal:
    """Testinfra's way to run commands on this machine, but for the command ``ansible --tree …``."""

    def __init__(self, local: Any) -> None:
        self.local = local

    def __getattr__(self, name: str) -> Any:
        return getattr(self.local, name)

    def run_expect(self, expected: list[int], command: str, *arguments: str) -> CommandResult:
        """Run a command and fail when its exit code is none of the expected ones."""
        if not command.startswith("ansible --tree"):
            return self.local.run_expect(expected, command, *arguments)
        line = self.local.backend.get_command(command, *arguments)
        done = _in_fork(shlex.split(line))
        assert done.rc in expected, f"Unexpected exit code {done.rc} of {line}: {done.stdout}"
        return done


def _in_fork(argv: list[str]) -> CommandResult:
    # With the first question: tests that never ask through Ansible do not wait for it. The forks find pywinrm loaded.
    with contextlib.suppress(ImportError):  # inside the distribution nothing goes over WinRM
        import winrm.protocol  # noqa: F401
    from ansible.cli.adhoc import AdHocCLI

    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            code = 250
            try:
                code = AdHocCLI(argv).run()
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        output.seek(0)
        return CommandResult(None, code, argv, output.read().decode(errors="replace"), "")


def load() -> None:
    """Let testinfra's Ansible backend use this."""
    if not isinstance(ansible_runner.local, LoadedLocal):
        ansible_runner.local = LoadedLocal(ansible_runner.local)
