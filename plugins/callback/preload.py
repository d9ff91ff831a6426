"""Load what WinRM connections need once, in the process that starts the workers."""

from __future__ import annotations

import contextlib

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: preload
type: aggregate
short_description: Load what WinRM connections need once, instead of once for each task
author: wsl-dl-playbook contributors
description:
  - Ansible runs each task on each host in a new worker process and loads connection plugins there. Loading pywinrm
    takes a third of the time of a short task, so it is loaded here before the workers are started, and they inherit it.
  - It displays nothing. Where pywinrm is missing it does nothing; the connection plugins say so when they are used.
requirements:
  - enabled in C(ansible.cfg) by C(callbacks_enabled)
"""

with contextlib.suppress(ImportError):
    import winrm.protocol  # noqa: F401 - to be loaded is all that is wanted


class CallbackModule(CallbackBase):
    """Nothing but the import above."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "preload"
    CALLBACK_NEEDS_ENABLED = True
