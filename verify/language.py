"""Say the table in the language of ``ANSIBLE_PROGRESS_LANGUAGE``, by the callback plugin that says what a run does."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).resolve().parent


def _progress() -> ModuleType:
    file = HERE.parent / "plugins" / "callback" / "progress.py"
    specification = importlib.util.spec_from_file_location("verify.progress", file)
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules["verify.progress"] = module  # dataclasses look themselves up there
    specification.loader.exec_module(module)
    module.MESSAGES.append(HERE / "zh_CN.yml")
    module.speak(os.environ.get("ANSIBLE_PROGRESS_LANGUAGE", "en"))
    return module


progress = _progress()
say, left = progress.translated, progress.left
