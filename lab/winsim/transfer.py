"""The file transfer scripts of Ansible's winrm connection, carried out on the machine's file system."""

from __future__ import annotations

import base64
import hashlib
import json
import ntpath
from collections.abc import Iterable

from lab.winsim.process import CaseInsensitiveDict, Session


def put_file(session: Session, path: str, lines: Iterable[str]) -> str:
    """Write base64 lines to a file; return the JSON with the SHA-1 of what was written."""
    data = b"".join(base64.b64decode(line) for line in lines if line)
    session.machine.files.write_bytes(path, data)
    return json.dumps({"sha1": hashlib.sha1(data).hexdigest()}, separators=(",", ":"))


def fetch_file(session: Session, path: str, size: int, offset: int) -> str:
    """Return ``size`` bytes from ``offset`` as base64, ``[DIR]`` for a folder.

    Raises:
        FileNotFoundError: there is neither file nor folder.
    """
    files = session.machine.files
    if not files.exists(path):
        raise FileNotFoundError(f"{path} does not exist")
    if files.is_dir(path):
        return "[DIR]"
    return base64.b64encode(files.read_bytes(path)[offset : offset + size]).decode()


def make_temp_dir(session: Session, directory: str, name: str, environment: CaseInsensitiveDict) -> str:
    """Make a folder below ``directory`` (environment variables are expanded) and return its path."""
    path = ntpath.join(expand_variables(directory, environment), name)
    session.machine.files.mkdir(path)
    return path


def expand_user(session: Session, path: str) -> str:
    """Replace a leading ``~`` by the user's profile folder."""
    profile = session.environment.get("USERPROFILE", "C:\\")
    if path == "~":
        return profile
    return ntpath.join(profile, path[2:]) if path.startswith("~\\") else path


def expand_variables(text: str, environment: CaseInsensitiveDict) -> str:
    """Expand ``%NAME%`` as ExpandEnvironmentVariables does: unknown names stay."""
    parts = text.split("%")
    result, index = [parts[0]], 1
    while index < len(parts):
        if index + 1 < len(parts) and parts[index] in environment:
            result.append(environment[parts[index]] + parts[index + 1])
            index += 2
        else:
            result.append("%" + parts[index])
            index += 1
    return "".join(result)
