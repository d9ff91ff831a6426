"""What checks of a machine share, whether they ask a lab or a real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest


def promise(text: str, role: str, remedy: str = "", needs: tuple[str, ...] = ()) -> pytest.MarkDecorator:
    """Mark a test as a promise.

    :param text: what holds.
    :param role: the role that keeps it; it is asked for where the role's state is ``present``.
    :param remedy: what to do when it is broken; empty: apply the role again.
    :param needs: names of tests of the same file without which it can not hold.
    """
    remedy = remedy or f"run playbooks/site.yml --tags {role} again"
    return pytest.mark.promise(text, role=role, remedy=remedy, needs=needs)


@pytest.fixture
def user_run(host) -> Callable:
    """Return a function that runs a command line in a new login shell of the ordinary user (variable ``wsl_user``)."""
    user = host.ansible.get_variables()["wsl_user"]

    def run(command: str):
        return host.run("runuser --login %s --command %s", user, command)

    return run
