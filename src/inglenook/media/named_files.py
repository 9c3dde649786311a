"""Finds a file by its name alone, as clients ask who know no folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from inglenook.media import paths
from inglenook.media.listing import Listing


class NamedFiles:
    """Looks for names in some folders, one after another; blocks on the disk."""

    def __init__(self) -> None:
        self._listings: dict[Path, Listing] = {}
        self._lock = Lock()

    def find(self, roots: Sequence[Path], name: str) -> Path | None:
        """The file of that name (or relative path) in the first folder that has one; of several below it, the newest.

        Raises UnsafePath for what is no name.
        """
        parts = paths.parts(name)
        if not parts:
            return None
        for root in roots:
            path = paths.resolve(root, name)
            if path.is_file():
                return path
            if len(parts) == 1 and (found := self._newest(root, parts[0])) is not None:
                return found
        return None

    def _newest(self, root: Path, name: str) -> Path | None:
        """The newest file of that name somewhere below a folder."""
        with self._lock:
            listing = self._listings.setdefault(root, Listing((root,)))
        suffix = f"/{name}"
        found = [paths.resolve(root, one) for one in listing.names() if one.endswith(suffix)]
        return max((path for path in found if path.is_file()), key=_modified, default=None)


def _modified(path: Path) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return -1
