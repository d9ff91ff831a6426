"""Load what workers need once, in the process that starts them."""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader, become_loader, connection_loader, shell_loader
from ansible.template import Templar, trust_as_template

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Load what workers need once, instead of once for each task
author: wsl-dl-playbook contributors
description:
  - Ansible runs each task on each host in a new worker process, which loads the plugins that it needs. What nearly every
    task needs is loaded here before the workers are started, and they inherit it. The filters alone take a tenth of
    the time of a short task.
  - pywinrm takes a third of it, and is loaded when a play has hosts with a WinRM connection. Where it is missing nothing
    happens; the connection plugins say so when they are used.
  - It displays nothing and changes nothing.
requirements:
  - enabled in C(ansible.cfg) by C(callbacks_enabled)
"""

PLUGINS = [
    (action_loader, "ansible.builtin.normal"),
    (become_loader, "ansible.builtin.sudo"),
    (shell_loader, "ansible.builtin.sh"),
]
TEMPLATE = "{{ ('a' is match('a')) | ternary(lookup('ansible.builtin.env', 'HOME'), '') }}"
"""One filter, one test, one lookup: the first of a kind makes Ansible load all filters and all tests."""


def by_winrm(play: Any) -> bool:
    """Tell whether a host of the play may be reached by WinRM, from its variables as they are written."""
    variables = play.get_variable_manager().get_vars(play=play)
    hosts = variables["ansible_play_hosts_all"]
    return any("winrm" in str(variables["hostvars"].raw_get(host).get("ansible_connection")) for host in hosts)


class CallbackModule(CallbackBase):
    """Load, and nothing else."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preload"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for loader, name in PLUGINS:
            loader.get(name, class_only=True)
        Templar(loader=None).template(trust_as_template(TEMPLATE))

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Load what WinRM needs before the first worker of a play that needs it."""
        with contextlib.suppress(ImportError):
            if by_winrm(play):
                importlib.import_module("winrm.protocol")
                connection_loader.get("wsl_winrm", class_only=True)
