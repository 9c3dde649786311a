"""Input files of loader nodes: where they are, and whether their content changed."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from inglenook.errors import MediaError
from inglenook.nodes.environment import environment


def input_path(name: str) -> Path:
    """The path of an input file as clients name it (`a.wav`, `a.wav [output]`).

    Raises MediaError when it is not there, UnsafePath for a name that leaves its folder.
    """
    path = environment().folders.resolve_annotated(name)
    if not path.is_file():
        raise MediaError(f"there is no file {name!r}")
    return path


def content_hash(name: str) -> str:
    """The hash of an input file's content: the fingerprint of nodes that load it."""
    path = input_path(name)
    status = path.stat()
    return _hash(path, status.st_ino, status.st_mtime_ns, status.st_size)


@lru_cache(1000)
def _hash(path: Path, *_: int) -> str:
    """Kept as long as the file's inode, time and size are the same: videos are large."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
