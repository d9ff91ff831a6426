"""The file transfer scripts of the connection plugin wsl_interop, told again in Python.

Each is known by its digest, as the product's other scripts are: a changed one is not known until somebody has read here
whether the function still does what it does.
"""

from __future__ import annotations

import base64
import hashlib
import ntpath
import re
from collections.abc import Callable

from lab.winsim.process import Process
from lab.winsim.product_scripts import digest

PATH = re.compile(r"(GetUnresolvedProviderPathFromPSPath\(')((?:[^'\u2018-\u201b]|(['\u2018-\u201b])\3)*)('\))")
PIECE = 64 * 1024
Copy = Callable[[Process, str], str]


def recognise(text: str) -> tuple[Copy, str] | None:
    """Return what a text does, and with which path; None where it is none of these."""
    if (found := PATH.search(text)) is None:
        return None
    known = digest(text[: found.start()] + found[1] + "{path}" + found[4] + text[found.end() :])
    path = re.sub("(['\u2018-\u201b])\\1", r"\1", found[2])
    return (COPIES[known], path) if known in COPIES else None


def run(process: Process, copy: Copy, path: str) -> int:
    """Do it; what fails is told in one line, as the scripts do it."""
    try:
        process.write_stdout(copy(process, ntpath.join(process.cwd, path)).encode())
    except OSError as error:
        process.write_stderr(f"{error.strerror or error}\r\n".encode())
        return 1
    return 0


def _hash(process: Process, path: str) -> str:
    """HASH: the SHA-256 of a file."""
    files = process.machine.files
    with process.machine.lock:
        if files.is_file(path):
            return files.get(path).content.digest("sha256").upper() + "\r\n"
        files.read_bytes(path)  # raises what Windows says
    return ""


def _put(process: Process, path: str) -> str:
    """PUT: write what comes as lines of base64 on stdin, and tell its SHA-256."""
    files = process.machine.files
    with process.machine.lock:
        files.write_bytes(path, b"")  # Create() comes first: what fails, fails before the input is read
    pieces = []
    while line := process.stdin.readline():
        pieces.append(base64.b64decode(line))
    if process.cancelled.is_set():
        return ""
    data = b"".join(pieces)
    with process.machine.lock:
        files.write_bytes(path, data)
    return hashlib.sha256(data).hexdigest().upper() + "\r\n"


def _fetch(process: Process, path: str) -> str:
    """FETCH: the bytes on stdout, their SHA-256 on stderr."""
    with process.machine.lock:
        data = process.machine.files.read_bytes(path)
    for start in range(0, len(data), PIECE):
        process.write_stdout(data[start : start + PIECE])
    process.write_stderr(f"{hashlib.sha256(data).hexdigest().upper()}\r\n".encode())
    return ""


COPIES: dict[str, Copy] = {
    "9d57d75ae2717829544d6fce69d28fd5e85b76747380582b26d61ca6d6e178f7": _hash,
    "34e645bfeb3c94537cd704c0ce2f2f2bd9ee0cfdf0b60a360afe0a00587b4935": _put,
    "843ade245b286abc006638594fe6672ce9b033d6c4878c6e1171818e4c433035": _fetch,
}
