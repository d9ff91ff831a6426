"""The virtual file system: Windows paths, no case, huge files without bytes.

A file's :class:`Content` is either real bytes (kept as blobs) or a declaration: size and digests of something that
is too large to be held, an installer for example, with its signer and the program that it is.
"""

from __future__ import annotations

import fnmatch
import hashlib
import ntpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Content:
    """What is in a file.

    ``program`` is the name of the command handler that plays it, ``data`` what that handler wants to know,
    ``signer`` the subject of its Authenticode signature, ``origin`` the URL it came from (partial downloads).
    """

    size: int
    digests: dict[str, str] = field(default_factory=dict, hash=False)
    blob: bytes | None = None
    signer: str | None = None
    program: str | None = None
    data: dict[str, Any] = field(default_factory=dict, hash=False)
    origin: str | None = None
    complete: bool = True

    def digest(self, algorithm: str) -> str:
        """Hexadecimal digest; of a declared file the declared one, else one derived from its identity."""
        if self.blob is not None:
            return hashlib.new(algorithm, self.blob).hexdigest()
        if algorithm in self.digests:
            return self.digests[algorithm]
        identity = f"{self.digests.get('sha256')}|{self.origin}|{self.size}|{self.complete}"
        return hashlib.new(algorithm, identity.encode()).hexdigest()

    @classmethod
    def of(cls, data: bytes, **more: Any) -> Content:
        """Content that is held as bytes."""
        return cls(len(data), blob=data, **more)


@dataclass
class Node:
    """A file, a folder or a link. Times are seconds since 1970."""

    name: str
    content: Content | None = None  # None: a folder
    children: dict[str, Node] = field(default_factory=dict)
    attributes: set[str] = field(default_factory=set)
    created: float = 0.0
    accessed: float = 0.0
    written: float = 0.0
    owner: str = "BUILTIN\\Administrators"
    target: str | None = None  # where a link leads
    link: str | None = None  # SymbolicLink | JunctionPoint | HardLink

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder (or a link to one)."""
        return self.content is None

    def attribute_text(self) -> str:
        """As .NET prints it, for example ``ReadOnly, Hidden, Archive``."""
        names = set(self.attributes)
        if self.is_dir:
            names.add("Directory")
        if self.link in ("SymbolicLink", "JunctionPoint"):
            names.add("ReparsePoint")
        order = ["ReadOnly", "Hidden", "System", "Directory", "Archive", "Normal", "Temporary", "ReparsePoint"]
        return ", ".join(name for name in order if name in names) or "Normal"


class FileSystem:
    """Drives with folders and files. Errors are the built-in OSError family with Windows' own texts.

    Args:
        now: gives the time of the machine, seconds since 1970.
        free: bytes left on each drive when nothing else is written, for example ``{"C:": 10**9}``.
        blobs: folder of the host where bytes are kept, or None for memory only.
    """

    def __init__(self, now: Callable[[], float], free: dict[str, int], blobs: Path | None = None) -> None:
        self._now = now
        self._free = {drive.upper(): size for drive, size in free.items()}
        self._blobs = blobs
        self._in_use: dict[str, int] = {}
        self._used: dict[str, int] = {}  # bytes on each drive, as far as counted
        self.drives = {drive: Node(drive + "\\", created=now(), written=now()) for drive in self._free}

    # --- open files --------------------------------------------------------------------------------------------

    @contextmanager
    def in_use(self, path: str) -> Iterator[None]:
        """While a program has a file open for writing nobody can rename, move or delete it."""
        key = self.normalize(path).lower()
        self._in_use[key] = self._in_use.get(key, 0) + 1
        try:
            yield
        finally:
            self._in_use[key] -= 1
            if not self._in_use[key]:
                del self._in_use[key]

    def _must_be_free(self, path: str) -> None:
        key = self.normalize(path).lower()
        if any(item == key or item.startswith(key + "\\") for item in self._in_use):
            raise PermissionError(
                32, "The process cannot access the file because it is being used by another process.", path
            )

    # --- paths -------------------------------------------------------------------------------------------------

    @staticmethod
    def normalize(path: str) -> str:
        """An absolute path with backslashes and an upper-case drive, without ``..`` and trailing backslash.

        Raises:
            OSError: the path is not absolute or has illegal characters.
        """
        text = path.replace("/", "\\")
        for prefix in ("\\\\?\\", "\\\\.\\"):
            text = text.removeprefix(prefix)
        if len(text) < 2 or text[1] != ":":
            raise OSError(f"The given path's format is not supported: '{path}'")
        if any(char in text[2:] for char in '<>"|?*:\0'):
            raise OSError(f"Illegal characters in path: '{path}'")
        text = ntpath.normpath(text if len(text) > 2 else text + "\\")
        return text[0].upper() + text[1:]

    def _parts(self, path: str) -> tuple[str, list[str]]:
        text = self.normalize(path)
        return text[:2], [part for part in text[3:].split("\\") if part]

    def get(self, path: str, *, follow: bool = True) -> Node | None:
        """The node at ``path`` or None; a link is followed unless told not to."""
        try:
            drive, parts = self._parts(path)
        except OSError:
            return None
        node = self.drives.get(drive)
        for index, part in enumerate(parts):
            node = node.children.get(part.rstrip(". ").lower() or part) if node else None
            if node is None:
                return None
            if node.target and (follow or index < len(parts) - 1):
                return self.get("\\".join([node.target, *parts[index + 1 :]]), follow=follow)
        return node

    def exists(self, path: str) -> bool:
        """Whether something is there."""
        return self.get(path) is not None

    def is_dir(self, path: str) -> bool:
        """Whether a folder is there."""
        node = self.get(path)
        return node is not None and node.is_dir

    def is_file(self, path: str) -> bool:
        """Whether a file is there."""
        node = self.get(path)
        return node is not None and not node.is_dir

    def true_path(self, path: str) -> str:
        """The path as it is spelled on the disk (unknown parts as given)."""
        drive, parts = self._parts(path)
        node, names = self.drives.get(drive), []
        for part in parts:
            node = node.children.get(part.lower()) if node else None
            names.append(node.name if node else part)
        return drive + "\\" + "\\".join(names)

    # --- changes -----------------------------------------------------------------------------------------------

    def mkdir(self, path: str, *, parents: bool = True, exist_ok: bool = True, owner: str | None = None) -> Node:
        """Make a folder.

        Raises:
            OSError: the drive, the parent or the name is impossible.
        """
        drive, parts = self._parts(path)
        node = self.drives.get(drive)
        if node is None:
            raise FileNotFoundError(f"Cannot find drive. A drive with the name '{drive[0]}' does not exist.")
        for index, part in enumerate(parts):
            child = node.children.get(part.lower())
            last = index == len(parts) - 1
            if child is None:
                if not last and not parents:
                    raise FileNotFoundError(f"Could not find a part of the path '{path}'.")
                now = self._now()
                child = Node(part, created=now, accessed=now, written=now)
                child.owner = owner or child.owner
                node.children[part.lower()] = child
                node.written = now
            elif child.target:
                child = self.get(child.target) or child
            elif not child.is_dir or last and not exist_ok:
                raise FileExistsError(f"An item with the specified name {self.normalize(path)} already exists.")
            node = child
        return node

    def _folder_of(self, path: str) -> tuple[Node, str]:
        text = self.normalize(path)
        folder = self.get(ntpath.dirname(text))
        if folder is None or not folder.is_dir:
            raise FileNotFoundError(f"Could not find a part of the path '{path}'.")
        return folder, ntpath.basename(text)

    def put(self, path: str, content: Content, *, parents: bool = False, owner: str | None = None) -> Node:
        """Write a file, replacing one that is there.

        Raises:
            OSError: no such folder, a folder of that name, read-only, or the disk is full.
        """
        if parents:
            self.mkdir(ntpath.dirname(self.normalize(path)), owner=owner)
        existing = self.get(path)
        if existing is not None and existing.is_dir:
            raise PermissionError(f"Access to the path '{path}' is denied.")
        if existing is not None and "ReadOnly" in existing.attributes:
            raise PermissionError(f"Access to the path '{path}' is denied.")
        growth = content.size - (existing.content.size if existing and existing.content else 0)
        if growth > max(0, self.free(path)):
            raise OSError(28, "There is not enough space on the disk.")
        now = self._now()
        if existing is not None:
            self._grow(path, growth)
            existing.content, existing.written, existing.accessed = content, now, now
            return existing
        folder, name = self._folder_of(path)
        self._grow(path, growth)
        node = Node(name, content, attributes={"Archive"}, created=now, accessed=now, written=now)
        node.owner = owner or node.owner
        folder.children[name.lower()] = node
        folder.written = now
        return node

    def write_bytes(self, path: str, data: bytes, *, parents: bool = False, owner: str | None = None) -> Node:
        """Write a file that is held as bytes; errors as :meth:`put`."""
        return self.put(path, Content.of(data), parents=parents, owner=owner)

    def write_text(self, path: str, text: str, *, parents: bool = False, owner: str | None = None) -> Node:
        """Write UTF-8 text as it is (no newline is changed); errors as :meth:`put`."""
        return self.write_bytes(path, text.encode(), parents=parents, owner=owner)

    def read_bytes(self, path: str) -> bytes:
        """The bytes of a file.

        Raises:
            FileNotFoundError: there is none.
            PermissionError: it is a folder.
            OSError: the bytes are not held (an installer, an image).
        """
        node = self.get(path)
        if node is None:
            if self.get(ntpath.dirname(self.normalize(path))) is None:
                raise FileNotFoundError(f"Could not find a part of the path '{path}'.")
            raise FileNotFoundError(f"Could not find file '{path}'.")
        if node.content is None:
            raise PermissionError(f"Access to the path '{path}' is denied.")
        if node.content.blob is None:
            raise OSError(f"simulator: the bytes of {path} are not held, only its size and digests")
        return node.content.blob

    def remove(self, path: str) -> None:
        """Remove a file, a link, or a folder with everything in it.

        Raises:
            FileNotFoundError: nothing is there.
        """
        node = self.get(path, follow=False)
        if node is None:
            raise FileNotFoundError(f"Cannot find path '{path}' because it does not exist.")
        self._must_be_free(path)
        self._used.clear()
        folder, name = self._folder_of(path)
        del folder.children[name.lower()]
        folder.written = self._now()

    def copy(self, source: str, target: str) -> Node:
        """Copy one file to a full path (its signer and program with it); errors as :meth:`put`."""
        node = self.get(source)
        if node is None or node.content is None:
            raise FileNotFoundError(f"Could not find file '{source}'.")
        written = node.written
        copied = self.put(target, node.content)
        copied.written = written  # as CopyFile does
        return copied

    def move(self, source: str, target: str) -> None:
        """Move a file or folder to a full path, replacing a file.

        Raises:
            OSError: nothing to move, or a folder is in the way.
        """
        node = self.get(source, follow=False)
        if node is None:
            raise FileNotFoundError(f"Could not find file '{source}'.")
        self._must_be_free(source)
        if self.is_dir(target) and self.get(target) is not node:
            raise FileExistsError("Cannot create a file when that file already exists.")
        folder, name = self._folder_of(target)
        self.remove(source)
        self._used.clear()
        node.name = name
        folder.children[name.lower()] = node

    # --- questions ---------------------------------------------------------------------------------------------

    def listdir(self, path: str) -> list[Node]:
        """The nodes in a folder, by name.

        Raises:
            FileNotFoundError: no such folder.
        """
        node = self.get(path)
        if node is None or not node.is_dir:
            raise FileNotFoundError(f"Cannot find path '{path}' because it does not exist.")
        return [node.children[name] for name in sorted(node.children)]

    def glob(self, pattern: str) -> list[str]:
        """Full paths that match a pattern with wildcards in its last part."""
        folder, mask = ntpath.split(pattern.replace("/", "\\"))
        if not self.is_dir(folder):
            return []
        names = [node.name for node in self.listdir(folder)]
        return [
            ntpath.join(self.normalize(folder), name) for name in names if fnmatch.fnmatch(name.lower(), mask.lower())
        ]

    def size(self, path: str) -> int:
        """Bytes of a file, or of all files below a folder."""
        node = self.get(path)
        return 0 if node is None else _total(node)

    def free(self, path: str) -> int:
        """Bytes left on the drive of a path."""
        drive = self.normalize(path)[:2]
        return self._free.get(drive, 0) - self._count(drive) if drive in self.drives else 0

    def _grow(self, path: str, size: int) -> None:
        drive = self.normalize(path)[:2]
        if drive in self._used:
            self._used[drive] += size

    def _count(self, drive: str) -> int:
        if drive not in self._used:
            self._used[drive] = _total(self.drives[drive])
        return self._used[drive]

    def set_free(self, drive: str, free: int) -> None:
        """Make exactly ``free`` bytes be left on a drive now."""
        self._free[drive.upper()] = free + _total(self.drives[drive.upper()])

    # --- state -------------------------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """A form that fits into JSON; bytes go to the blob folder."""
        return {"free": self._free, "drives": {name: self._dump(node) for name, node in self.drives.items()}}

    def _dump(self, node: Node) -> dict[str, Any]:
        out: dict[str, Any] = {"name": node.name, "times": [node.created, node.accessed, node.written]}
        out["owner"] = node.owner
        if node.attributes:
            out["attributes"] = sorted(node.attributes)
        if node.target:
            out["target"], out["link"] = node.target, node.link
        if node.content is None:
            out["children"] = [self._dump(child) for child in list(node.children.values())]
            return out
        content = {key: value for key, value in node.content.__dict__.items() if key != "blob" and value}
        content["complete"] = node.content.complete
        if node.content.blob is not None:
            content["blob"] = self._keep(node.content.blob)
        out["content"] = content
        return out

    def _keep(self, data: bytes) -> str:
        if self._blobs is None or len(data) <= 256:
            return "hex:" + data.hex()
        name = hashlib.sha256(data).hexdigest()
        path = self._blobs / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_suffix(".new")
            partial.write_bytes(data)
            partial.replace(path)
        return name

    def restore(self, data: dict[str, Any]) -> None:
        """The reverse of :meth:`dump`."""
        self._free = data["free"]
        self._used.clear()
        self.drives = {name: self._load(tree) for name, tree in data["drives"].items()}

    def _load(self, data: dict[str, Any]) -> Node:
        created, accessed, written = data["times"]
        node = Node(data["name"], created=created, accessed=accessed, written=written, owner=data["owner"])
        node.attributes = set(data.get("attributes", []))
        node.target, node.link = data.get("target"), data.get("link")
        for child in data.get("children", []):
            loaded = self._load(child)
            node.children[loaded.name.lower()] = loaded
        if "content" in data:
            fields = dict(data["content"])
            blob = fields.pop("blob", None)
            content = Content(**{"size": 0, **fields})
            if blob is not None:
                held = bytes.fromhex(blob[4:]) if blob.startswith("hex:") else (self._blobs / blob).read_bytes()
                content = replace(content, blob=held)
            node.content = content
        return node


def _total(node: Node) -> int:
    if node.content is not None:
        return node.content.size
    return sum(_total(child) for child in list(node.children.values()) if not child.target)
