"""What this project pins of the vendors' files: ``pins.json``, read from wherever Ansible evaluates an expression."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: pins
short_description: What the project pins of the vendors' files
description:
  - Returns the content of C(pins.json) at the top of the project, which names every version, URL, checksum (sha256)
    and fingerprint of a vendor's file once. C(make pins) brings it up to date.
options: {}
"""
EXAMPLES = """
docker_engine_key_fingerprint: "{{ lookup('pins').docker_engine.fingerprint }}"
"""
RETURN = """
_raw:
  description: The pins, by the role that uses them or the product they belong to.
  type: dict
"""

FILE = Path(__file__).resolve().parents[2] / "pins.json"


class LookupModule(LookupBase):
    """Give the roles the pins."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return the pins as a list of one dictionary.

        Raises:
            AnsibleError: ``pins.json`` is missing or is no JSON; the message says how to get it back.
        """
        try:
            return [json.loads(FILE.read_text(encoding="utf-8"))]
        except (OSError, ValueError) as error:
            raise AnsibleError(f"{FILE} cannot be read ({error}). Fetch it again: git checkout -- pins.json") from error
