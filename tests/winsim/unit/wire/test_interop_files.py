"""The scripts that wsl_interop copies files with are known as they are, and not otherwise."""

import importlib.util
from pathlib import Path

import pytest

from lab.winsim import interop_files

PLUGIN = Path(__file__).resolve().parents[4] / "plugins" / "connection" / "wsl_interop.py"


@pytest.fixture(scope="module")
def plugin():
    spec = importlib.util.spec_from_file_location("wsl_interop", PLUGIN)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["HASH", "PUT", "FETCH"])
def test_each_script_is_known_with_its_path(plugin, name):
    path = "C:\\it's\\‘到’ (100%)"
    copy, found = interop_files.recognise(plugin.Connection._with_path(getattr(plugin, name), path))
    assert (copy.__name__, found) == (f"_{name.lower()}", path)


def test_a_changed_script_is_not_known(plugin):
    script = plugin.Connection._with_path(plugin.HASH, "C:\\x")
    assert interop_files.recognise(script + "Remove-Item $path") is None
    assert interop_files.recognise(script.replace("'Stop'", "'Continue'")) is None
