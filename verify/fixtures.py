"""What checks of a machine share, whether they ask a lab or a real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from testinfra.backend.base import CommandResult

SET_UP = "test_the_playbook_was_applied"
APPLY = (
    "to set this machine up, run playbooks/site.yml (in the lab: make site); after playbooks/remove.yml nothing is left"
    " to check"
)
SECONDS = 600
"""How long a command of the user may take; pulling an image is among them."""


def promise(
    text: str, role: str, remedy: str = "", needs: tuple[str, ...] = (), causes: tuple[str, ...] = ()
) -> pytest.MarkDecorator:
    """Mark a test as a promise.

    :param text: what holds.
    :param role: the role that keeps it; it is asked for where the role's state is ``present``. Empty: it is asked for
        always, and every other promise of the file rests on it.
    :param remedy: what to do when it is broken; empty: apply the role again.
    :param needs: names of tests of the same file without which it can not hold.
    :param causes: areas of causes.yml; a remedy from there is better than this one where the cause is known.
    """
    remedy = remedy or f"run playbooks/site.yml --tags {role} again"
    needs = (*needs, SET_UP) if role else needs
    return pytest.mark.promise(text, role=role, remedy=remedy, needs=needs, causes=causes)


def told(shown: CommandResult) -> str:
    """Return what a command that failed has told, in words where it told nothing."""
    if shown.rc in (124, 137):
        return f"no answer within {SECONDS} seconds\n{shown.stderr}"
    return shown.stderr.strip() or shown.stdout.strip() or f"exit code {shown.rc} and no message"


@pytest.fixture
def user_run(host) -> Callable:
    """Return a function that runs a command line in a new login shell of the ordinary user (variable ``wsl_user``)."""
    user = host.ansible.get_variables()["wsl_user"]

    def run(command: str):
        return host.run("timeout --kill-after=10 %s runuser --login %s --command %s", str(SECONDS), user, command)

    return run
