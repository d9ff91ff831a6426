"""What this project pins of the vendors' files: the PC has the same versions, unless its description says others."""

import json
from pathlib import Path

PINS = json.loads(Path(__file__).parents[3].joinpath("pins.json").read_text(encoding="utf-8"))
