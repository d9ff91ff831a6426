"""What checks of a machine share, whether they ask a lab or a real one."""

from __future__ import annotations

from collections.abc import Callable

import pytest


@pytest.fixture
def user_run(host) -> Callable:
    """Return a function that runs a command line in a new login shell of the ordinary user (variable ``wsl_user``)."""
    user = host.ansible.get_variables()["wsl_user"]

    def run(command: str):
        return host.run("runuser --login %s --command %s", user, command)

    return run
