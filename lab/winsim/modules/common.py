"""What several modules share: paths, links, backup copies, checksums, the text of Windows errors."""

from __future__ import annotations

import ntpath
from typing import Any

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


def error_text(error: OSError) -> str:
    """The Windows text of an error from the file system."""
    if len(error.args) > 1 and isinstance(error.args[0], int):
        return str(error.args[1])
    return str(error)


def link_facts(path: str, node: Node, plain: Node) -> dict[str, Any]:
    """Keys about links for win_stat and win_find; ``plain`` is the node not followed."""
    if plain.link in ("SymbolicLink", "JunctionPoint") and plain.target:
        kind = "islnk" if plain.link == "SymbolicLink" else "isjunction"
        return {kind: True, "isreg": False, "lnk_target": plain.target, "lnk_source": plain.target}
    return {}
