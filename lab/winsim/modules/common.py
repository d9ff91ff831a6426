"""What several modules share: paths, links, backup copies, checksums, the text of Windows errors."""

from __future__ import annotations

import ntpath
import random
from typing import Any

from lab.winsim.errors import ModuleFailure
from lab.winsim.machine import Machine
from lab.winsim.model.files import Node
from lab.winsim.process import ModuleCall


def absolute(call: ModuleCall, path: str) -> str:
    """A path made absolute from the session's folder, with backslashes."""
    text = path.replace("/", "\\")
    if text[1:2] == ":" or text.startswith("\\\\"):
        return text
    if text.startswith("\\"):
        return call.session.cwd[:2] + text
    return ntpath.join(call.session.cwd, text)


def checksum(node: Node, algorithm: str = "sha1") -> str:
    """Digest of a file's content in lower case."""
    return node.content.digest(algorithm)


def random_name() -> str:
    """As .NET's GetRandomFileName, for example ``k3wdozxj.0qp``."""
    letters = "".join(random.choice("abcdefghijklmnopqrstuvwxyz012345") for _ in range(11))
    return f"{letters[:8]}.{letters[8:]}"


def backup(call: ModuleCall, path: str) -> str | None:
    """Copy a file beside itself, with a time stamp in the name; None if there is no file."""
    machine: Machine = call.machine
    if not machine.files.is_file(path):
        return None
    stamp = machine.clock.local().strftime("%Y%m%d-%H%M%S")
    target = f"{path}.{random.randint(1000, 9999)}.{stamp}.bak"
    if not call.check_mode:
        machine.files.copy(path, target)
    return target


def error_text(error: OSError) -> str:
    """The Windows text of an error from the file system."""
    if len(error.args) > 1 and isinstance(error.args[0], int):
        return str(error.args[1])
    return str(error)


def unhandled(error: Exception) -> ModuleFailure:
    """What a module answers when .NET threw something that it did not expect."""
    text = error_text(error) if isinstance(error, OSError) else str(error)
    return ModuleFailure(f"Unhandled exception while executing module: {text}")


def link_facts(path: str, node: Node, plain: Node) -> dict[str, Any]:
    """Keys about links for win_stat and win_find; ``plain`` is the node not followed."""
    if plain.link in ("SymbolicLink", "JunctionPoint") and plain.target:
        kind = "islnk" if plain.link == "SymbolicLink" else "isjunction"
        return {kind: True, "isreg": False, "lnk_target": plain.target, "lnk_source": plain.target}
    return {}
