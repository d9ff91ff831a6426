"""Run a module of plugins/modules in this process, as Ansible would."""

import json
from pathlib import Path

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args

from tests.unit import loaded

PLUGINS = Path(__file__).parents[2] / "plugins"
ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))  # as module_utils in ansible.cfg does


def load(name):
    return loaded.module(f"plugins/modules/{name}.py")


def run(module, capsys, check=False, **arguments):
    """Return what the module answers."""
    with patch_module_args({"_ansible_check_mode": check, **arguments}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)
