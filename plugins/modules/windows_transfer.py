"""Documentation of the action plugin windows_transfer."""

from __future__ import annotations

DOCUMENTATION = r"""
module: windows_transfer
short_description: Wait for a download on Windows, or run one, and tell how far it is
author: wsl-dl-playbook contributors
description:
  - Part of the role windows_download; it runs on the control node and asks Windows by ansible.windows modules only.
  - Without O(argv) it waits until nobody writes the file any more. With O(argv) it runs curl in the background until
    the file is whole. A try that breaks is followed by another one, which goes on where it stopped.
  - While the file grows, one look at it is one round trip. How far it is goes to the callback plugin progress.
options:
  path:
    type: str
    required: true
    description: Full path of the file on Windows.
  argv:
    type: list
    elements: str
    description: Command line of curl.exe that fetches the file, or the rest of it.
  size_argv:
    type: list
    elements: str
    required: true
    description: Command line of curl.exe that prints the header fields; the last Content-Length counts.
  busy_argv:
    type: list
    elements: str
    required: true
    description: Command line that fails while somebody writes the file.
  delay:
    type: float
    default: 10
    description: Seconds between two looks, and between two tries.
  timeout:
    type: float
    default: 21600
    description: Seconds that a whole transfer may take.
  tries:
    type: int
    default: 6
    description: How often curl is started at most.
"""

EXAMPLES = r"""
- name: Fetch a file
  windows_transfer:
    path: C:\big.exe
    argv:
      - C:\Windows\System32\curl.exe
      - --fail
      - --silent
      - --show-error
      - --ssl-revoke-best-effort
      - --continue-at
      - "-"
      - --output
      - C:\big.exe
      - https://example.com/big.exe
    size_argv: [C:\Windows\System32\curl.exe, --silent, --head, --ssl-revoke-best-effort, https://example.com/big.exe]
    busy_argv: [C:\Windows\System32\cmd.exe, /d, /c, ren, C:\big.exe, big.exe]
"""

RETURN = r"""
attempts:
  type: int
  returned: with O(argv)
  description: How often curl was started.
rc:
  type: int
  returned: with O(argv)
  description: Exit code of the last curl.
stderr:
  type: str
  returned: with O(argv)
  description: What the last curl said.
"""
