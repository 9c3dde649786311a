"""Which result files each attempt at a job wrote, so that the next attempt can remove what a dead one left.

A device process notes every result just before the file gets its name: one line `[job id, path, inode]` in a file of
its own below `attempts/` in the data folder. A process that is killed loses nothing of it, because the line is in the
page cache. An empty line comes before each, so that one which a full disk cut short takes no other with it. The inode
tells its own file from one that somebody else put under the same name.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator
from pathlib import Path

import orjson

logger = logging.getLogger(__name__)

_FOLDER = "attempts"
_LARGEST_BYTES = 4 << 20
_KEPT_BYTES = 1 << 20


class AttemptJournal:
    """The notes of one device process."""

    def __init__(self, data_folder: Path) -> None:
        folder = data_folder / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{os.getpid()}.jsonl"
        self._file = self._path.open("ab", buffering=0)

    def note(self, job_id: str, path: str, inode: int) -> None:
        """Remember that the job is about to have a file of this inode under this path.

        Raises OSError when the note cannot be written whole.
        """
        line = memoryview(b"\n" + orjson.dumps([job_id, path, inode]) + b"\n")
        while line:
            line = line[self._file.write(line) :]
        if self._file.tell() > _LARGEST_BYTES:
            self._shorten()

    def close(self) -> None:
        self._file.close()

    def _shorten(self) -> None:
        """Forget what jobs of long ago wrote."""
        kept = self._path.read_bytes()[-_KEPT_BYTES:].partition(b"\n")[2]
        shorter = self._path.with_suffix(".new")
        shorter.write_bytes(kept)
        shorter.replace(self._path)
        self._file.close()
        self._file = self._path.open("ab", buffering=0)


def discard_files(data_folder: Path, job_ids: Collection[str]) -> list[Path]:
    """Remove every file that earlier attempts at these jobs wrote; return the paths."""
    removed = []
    for job_id, path, inode in _noted(data_folder, frozenset(job_ids)):
        try:
            if path.stat(follow_symlinks=False).st_ino == inode:
                path.unlink()
                removed.append(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            logger.warning("a file of an earlier attempt at job %s could not be removed: %s", job_id, error)
    return removed


def forget_all(data_folder: Path) -> None:
    """Remove all notes, once no attempt of before is left to be removed."""
    for file in (data_folder / _FOLDER).glob("*.jsonl"):
        file.unlink(missing_ok=True)


def _noted(data_folder: Path, job_ids: frozenset[str]) -> Iterator[tuple[str, Path, int]]:
    if not job_ids:
        return
    for file in (data_folder / _FOLDER).glob("*.jsonl"):
        for line in filter(None, file.read_bytes().splitlines()):
            try:
                job_id, path, inode = orjson.loads(line)
            except ValueError:  # a line that was cut short: its process died, or the disk was full
                continue
            if job_id in job_ids:
                yield job_id, Path(path), inode
