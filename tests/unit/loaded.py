"""A file of this repository that is no package's, as a module."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]


def module(path: str) -> ModuleType:
    """Return a file as a new module.

    :param path: relative to the repository; the module is called like the file.
    """
    specification = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    loaded = importlib.util.module_from_spec(specification)
    sys.modules[loaded.__name__] = loaded  # dataclasses look themselves up there
    specification.loader.exec_module(loaded)
    return loaded
