"""What a role's variables come to, evaluated by Ansible without any host."""

from pathlib import Path

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).parents[2] / "roles"

init_plugin_loader()


def trusted(value):
    if isinstance(value, dict):
        return {key: trusted(item) for key, item in value.items()}
    if isinstance(value, list):
        return [trusted(item) for item in value]
    return trust_as_template(value) if isinstance(value, str) else value


def role_value(role, expression, **variables):
    """Evaluate a Jinja expression over the role's defaults and vars, and over what the test gives."""
    folder = ROLES / role
    known = {"ansible_managed": "Ansible managed", "ansible_check_mode": False, "role_path": str(folder)}
    for part in ("defaults", "vars"):
        known |= yaml.safe_load((folder / part / "main.yml").read_text()) or {}
    known |= variables | {"ansible_search_path": [str(folder)]}
    loader = DataLoader()
    loader.set_basedir(str(folder))
    return Templar(loader=loader, variables=trusted(known)).template(trust_as_template("{{ " + expression + " }}"))


def role_files(role, **variables):
    """Return the files that the role owns, path by path."""
    return {file["path"]: file for file in role_value(role, f"__{role}_files", **variables)}
