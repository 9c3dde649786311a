"""The files below a folder with their sizes and times, to be listed page by page or looked through by a scan."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inglenook.errors import UnsafePath
from inglenook.media import paths
from inglenook.media.listing import Listing


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file below a folder."""

    path: str
    """Relative to the folder, with `/`."""
    size: int
    modified_ns: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def subfolder(self) -> str:
        return self.path.rpartition("/")[0]


def stored_file(root: Path, path: str) -> StoredFile | None:
    """The file of that relative path; None when there is none, or only one that clients cannot name."""
    try:
        status = paths.resolve(root, path).stat()
    except (UnsafePath, OSError):
        return None
    return StoredFile(path, status.st_size, status.st_mtime_ns)


def walk(root: Path) -> Iterator[StoredFile]:
    """The files below `root`; hidden ones (`.part`, `.DS_Store`) and what cannot be named are left out."""
    for path in Listing((root,)).names():
        if any(part.startswith(".") for part in path.split("/")):
            continue
        found = stored_file(root, path)
        if found is not None:
            yield found


def remove(root: Path, path: str) -> bool:
    """Remove a file, and the folders that are empty then; False when there is none. Raises UnsafePath, OSError."""
    target = paths.resolve(root, path)
    if not target.is_file():
        return False
    target.unlink(missing_ok=True)
    for folder in target.parents:
        if folder == root or not folder.is_relative_to(root):
            break
        try:
            os.rmdir(folder)  # noqa: PTH106 - only when it is empty
        except OSError:
            break
    return True
