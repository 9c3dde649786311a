"""Names of the files below some folders, listed again only when a folder changed."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from inglenook.media.paths import is_utf8

logger = logging.getLogger(__name__)

_SETTLE_NS = 2_000_000_000
"""A folder changed this shortly before it was read may change again within the same time stamp (FAT counts in 2 s)."""

_SKIPPED_FOLDERS = frozenset({".git"})


@dataclass(frozen=True, slots=True)
class _Scan:
    names: tuple[str, ...]
    folders: tuple[str, ...]
    digest: bytes
    stamps: dict[str, int]
    """Modification time of every folder that was read, ns; -1 for one that is not there."""
    settled: bool


class Listing:
    """The files below `roots`, as names relative to the root that holds them, sorted; those of `last` at the end.

    Folders are walked with their symbolic links. An empty `extensions` lets every file through. A name that is not
    UTF-8 cannot stand in JSON: it is left out, with one warning in the log.
    """

    def __init__(
        self,
        roots: tuple[Path, ...],
        extensions: frozenset[str] = frozenset(),
        *,
        last: tuple[Path, ...] = (),
        recursive: bool = True,
    ) -> None:
        self._roots = roots
        self._last = last
        self._extensions = extensions
        self._recursive = recursive
        self._lock = Lock()
        self._scan: _Scan | None = None
        self._has_warned = False

    def names(self) -> tuple[str, ...]:
        """Relative file names, with `/` between folders."""
        return self._current().names

    def folders(self) -> tuple[str, ...]:
        """Relative names of the folders right below the roots, sorted."""
        return self._current().folders

    def digest(self) -> bytes:
        """A digest of the names: equal digests, equal lists."""
        return self._current().digest

    def _current(self) -> _Scan:
        with self._lock:
            scan = self._scan
            if scan is None or not scan.settled or any(_stamp(path) != mtime for path, mtime in scan.stamps.items()):
                scan = self._scan = self._read()
            return scan

    def _read(self) -> _Scan:
        started = time.time_ns()
        stamps: dict[str, int] = {}
        folders: set[str] = set()
        names = sorted({name for root in self._roots for name in self._walk(root, stamps, folders)})
        known = set(names)
        names += sorted({name for root in self._last for name in self._walk(root, stamps, folders)} - known)
        digest = hashlib.blake2b("\0".join([*names, "", *sorted(folders)]).encode(errors="replace"), digest_size=16)
        settled = started - max(stamps.values(), default=0) > _SETTLE_NS
        return _Scan(tuple(names), tuple(sorted(folders)), digest.digest(), stamps, settled)

    def _walk(self, root: Path, stamps: dict[str, int], folders: set[str]) -> Iterator[str]:
        """File names below `root`; fills in the stamps of the folders read and the folders right below the root."""
        pending: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(str(root), "", frozenset())]
        while pending:
            path, prefix, ancestors = pending.pop()
            try:
                status = os.stat(path)  # noqa: PTH116 - many calls
                stamps[path] = status.st_mtime_ns
                identity = (status.st_dev, status.st_ino)
                if identity in ancestors:  # a link back up
                    continue
                with os.scandir(path) as entries:
                    for entry in entries:
                        if not self._is_text(entry):
                            continue
                        if entry.is_dir():
                            if prefix == "":
                                folders.add(entry.name)
                            if self._recursive and entry.name not in _SKIPPED_FOLDERS:
                                pending.append((entry.path, prefix + entry.name + "/", ancestors | {identity}))
                        elif self._wanted(entry.name) and entry.is_file():
                            yield prefix + entry.name
            except OSError:  # not there, not readable, or gone meanwhile
                stamps.setdefault(path, -1)

    def _is_text(self, entry: os.DirEntry[str]) -> bool:
        if is_utf8(entry.name):
            return True
        if not self._has_warned:
            self._has_warned = True
            logger.warning("left out of all lists, its name is not UTF-8: %r; rename it", os.fsencode(entry.path))
        return False

    def _wanted(self, name: str) -> bool:
        return not self._extensions or os.path.splitext(name)[1].lower() in self._extensions  # noqa: PTH122


def _stamp(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116
    except OSError:
        return -1
