#!/usr/bin/python
"""Wait until no other program uses apt or dpkg."""

DOCUMENTATION = r"""
module: apt_lock
short_description: Wait until no other program uses apt or dpkg
description:
  - Waits until nobody holds one of the four locks of apt and dpkg (the frontend's, the database's, the lists', the
    archives'), and fails with the name of who does when that takes too long. Changes nothing.
  - apt itself waits for the first two only (C(DPkg::Lock::Timeout)). C(apt-daily.service), which runs after boot, holds
    the lists' lock.
options:
  timeout:
    description: How long to wait, in seconds.
    type: int
    default: 120
attributes:
  check_mode:
    support: full
    description: Does not wait, since apt takes no lock then.
"""

EXAMPLES = r"""
- name: Wait for other programs that use apt
  apt_lock:
"""

RETURN = r"""
waited:
  description: How long it took, in seconds.
  returned: success
  type: int
"""

import time  # noqa: E402

from ansible.module_utils.apt_program import Apt  # noqa: E402
from ansible.module_utils.basic import AnsibleModule  # noqa: E402


def main():
    module = AnsibleModule(argument_spec={"timeout": {"type": "int", "default": 120}}, supports_check_mode=True)
    begun = time.monotonic()
    held = "" if module.check_mode else Apt().wait(module.params["timeout"])
    if held:
        module.fail_json(msg=held)
    module.exit_json(changed=False, waited=round(time.monotonic() - begun))


if __name__ == "__main__":
    main()
