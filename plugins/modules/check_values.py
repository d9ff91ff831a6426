"""Documentation of the action plugin check_values."""

from __future__ import annotations

DOCUMENTATION = r"""
module: check_values
short_description: Check the values of all options of several roles
author: wsl-dl-playbook contributors
description:
  - Runs on the control node and needs no connection. It asks C(meta/argument_specs.yml) of each role, without the
    conversions that a role does not get either, and the checks in C(vars/main.yml) that name an C(option); the filter
    C(refusals) tells their forms.
  - It changes and refuses nothing; what it found is in RV(findings).
  - A value that depends on what the machine will say is left to the role.
options:
  path:
    type: str
    required: true
    description: Folder of the roles.
  roles:
    type: list
    elements: str
    required: true
    description: Their names, in the order in which findings are told.
  quiet:
    type: list
    elements: str
    default: []
    description: Those among them whose types alone are checked, as for C(state) V(ignore).
  settings:
    type: str
    default: ""
    description: File with C(options) and C(checks) of the inventory's variables of no role. They are told first.
"""

EXAMPLES = r"""
- name: Check the values
  check_values:
    path: "{{ playbook_dir }}/roles"
    roles: [docker_engine]
"""

RETURN = r"""
findings:
  type: list
  elements: dict
  returned: always
  description: >-
    What is wrong, with host, role, variable, settings (the variables that the person has set, from which it comes),
    value, allowed, message and remedy.
settings:
  type: dict
  returned: always
  description: Of each variable in findings that the person sets by others, the names of those.
"""
