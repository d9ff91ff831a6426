"""verify/runner.py: Ansible for the promises, loaded once."""

from __future__ import annotations

import sys

from verify import runner


def test_questions_are_asked_where_pywinrm_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "winrm", None)  # as in a distribution that Install.cmd has set up
    argv = ["ansible", "-i", "localhost,", "-c", "local", "localhost", "-m", "ansible.builtin.debug"]
    assert runner._in_fork(argv).rc == 0
