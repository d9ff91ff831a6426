"""Load what workers need once, in the process that starts them."""

from __future__ import annotations

import contextlib
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import action_loader
from ansible.template import Templar, trust_as_template

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Load what workers need once, instead of once for each task
author: wsl-dl-playbook contributors
description:
  - Ansible runs each task on each host in a new worker process, which loads the plugins that it needs. What nearly
    every task needs is loaded here before the workers are started, and they inherit it. pywinrm takes a third of the
    time of a short task, the filters and tests a tenth.
  - It displays nothing. Where pywinrm is missing it does nothing; the connection plugins say so when they are used.
requirements:
  - enabled in C(ansible.cfg) by C(callbacks_enabled)
"""

TEMPLATE = "{{ ('a' is match('a')) | ternary(lookup('ansible.builtin.env', 'HOME'), '') }}"
"""One test, one filter, one lookup: the first of a kind makes Ansible load all tests and all filters."""

with contextlib.suppress(ImportError):
    import winrm.protocol  # noqa: F401 - to be loaded is all that is wanted


class CallbackModule(CallbackBase):
    """Load, and nothing else."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preload"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        action_loader.get("ansible.builtin.normal", class_only=True)
        Templar(loader=None).template(trust_as_template(TEMPLATE))
