"""Documentation of the action plugin win_fetch."""

from __future__ import annotations

DOCUMENTATION = r"""
module: win_fetch
short_description: Fetch a large file on Windows, resumed after a break and verified by its checksum
author: wsl-dl-playbook contributors
description:
  - It runs on the control node and asks Windows by ansible.windows modules only. Windows fetches by its own curl.exe,
    which is there since Windows 10 1803.
  - A file that has the checksum is not fetched again. A transfer that breaks is begun again where it stopped, up to
    O(tries) times, and that is no failure yet; neither is one that an interrupted run has left behind, which is waited
    for. Windows refuses to rename a file that is being written.
  - A file with another checksum is removed. If something was there before (a login page, say), the whole file is
    fetched once more.
  - The error names the cause, by curl's exit code, and the remedy.
  - While it waits, one look at the file is one round trip. How far it is goes to the callback plugin progress.
  - In check mode a transfer in the background is foreseen; one that is waited for is not.
options:
  url:
    type: str
    required: true
    description: Where the file is.
  dest:
    type: str
    required: true
    description: Full path of the file on Windows. Folders are created.
  checksum:
    type: str
    default: ""
    description: >-
      What the file must be, as C(algorithm:hex), with the algorithms of M(ansible.windows.win_stat), for example
      C(sha256:…). Without it the file is fetched anew each time, and who uses it has to verify it.
  proxy_url:
    type: str
    default: ""
    description: Proxy for the transfer, as a URL. Empty for none, whatever the environment says.
  cache:
    type: str
    default: ""
    description: >-
      Cache in the room, C(http://HOST:PORT), which is asked for the file at C(/HOST/PATH) before each try, without a
      proxy. Where it does not answer, has not got the file, or gives another one, the file comes from O(url), in the
      same task, and goes on where it stopped. It needs O(checksum).
  background:
    type: bool
    default: false
    description: >-
      Whether to begin the transfer and go on. The same task without it waits for the file then and verifies it. It
      needs O(checksum).
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
- name: Begin to fetch a file
  win_fetch:
    url: https://example.com/big.exe
    dest: C:\ProgramData\wsl-dl-playbook\downloads\big.exe
    checksum: sha256:…
    proxy_url: http://127.0.0.1:7890
    background: true

- name: Wait for it
  win_fetch:
    url: https://example.com/big.exe
    dest: C:\ProgramData\wsl-dl-playbook\downloads\big.exe
    checksum: sha256:…
    proxy_url: http://127.0.0.1:7890
"""

RETURN = r"""
attempts:
  type: int
  returned: when something was fetched
  description: How often curl was started.
rc:
  type: int
  returned: when it could not be fetched
  description: Exit code of the last curl.
"""
