"""PowerShell subset; to be replaced."""
from dataclasses import dataclass, field
from typing import Any
from winsim.runtime import SimulatorError

@dataclass
class ScriptResult:
    exit_code: int = 0
    errors: list[str] = field(default_factory=list)

def run_script(process: Any, text: str, arguments: Any = (), variables: Any = None) -> ScriptResult:
    raise SimulatorError("PowerShell not understood: " + text[:200])
