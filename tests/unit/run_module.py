"""Run a module of plugins/modules in this process, as Ansible would."""

import importlib.util
import json
from pathlib import Path

import ansible.module_utils
import pytest
from ansible.module_utils.testing import patch_module_args

PLUGINS = Path(__file__).parents[2] / "plugins"
MODULES = PLUGINS / "modules"
ansible.module_utils.__path__.append(str(PLUGINS / "module_utils"))  # as module_utils in ansible.cfg does


def load(name):
    specification = importlib.util.spec_from_file_location(name, MODULES / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def run(module, capsys, check=False, **arguments):
    """Return what the module answers."""
    with patch_module_args({"_ansible_check_mode": check, **arguments}), pytest.raises(SystemExit):
        module.main()
    return json.loads(capsys.readouterr().out)
