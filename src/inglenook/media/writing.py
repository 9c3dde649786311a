"""Files that appear under their name whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from inglenook.engine import context
from inglenook.errors import DiskFull, MediaError
from inglenook.media.attempts import AttemptJournal

Buffer = bytes | bytearray | memoryview
Data = Buffer | Iterable[bytes]
"""The content of a file: at once, or in pieces that can be gone through several times."""

_COLLISIONS_BEFORE_SCAN = 4
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def place(folder: Path, next_name: Callable[[bool], str], data: Data, *, flush: bool) -> str:
    """Write a file under the first name of `next_name` that is free; return the name.

    next_name: called until a name is free, with True once several were taken (by another process). A crash at any
    moment leaves no file with a part of the data under such a name. Raises MediaError when the disk refuses, DiskFull
    (one of them) when it is full.
    """
    try:
        try:
            return _place(str(folder), next_name, data, flush)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            return _place(str(folder), next_name, data, flush)
    except OSError as error:
        raise refused(folder, error) from error


def replace(path: Path, data: Data, *, flush: bool) -> None:
    """Write a file in place of the one that has this name, if any. Raises MediaError as `place` does."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        source = _hidden_name(str(path.parent))
        try:
            _write_as(source, data, flush)
            os.replace(source, path)  # noqa: PTH105
        finally:
            with suppress(FileNotFoundError):
                os.unlink(source)  # noqa: PTH108
    except OSError as error:
        raise refused(path.parent, error) from error


def refused(folder: Path, error: OSError) -> MediaError:
    """The error to raise when the disk refuses."""
    kind = DiskFull if error.errno in _FULL else MediaError
    return kind(f"cannot write into {folder}: {error.strerror or error}")


def _place(folder: str, next_name: Callable[[bool], str], data: Data, flush: bool) -> str:
    if _HAS_UNNAMED_FILES:
        try:
            return _place_unnamed(folder, next_name, data, flush)
        except OSError as error:
            if error.errno not in _UNNAMED_REFUSED:
                raise
    return _place_hidden(folder, next_name, data, flush)


_HAS_UNNAMED_FILES = hasattr(os, "O_TMPFILE") and Path("/proc/self/fd").is_dir()
_UNNAMED_REFUSED = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.EXDEV, errno.EPERM, errno.ENOSYS})
"""How file systems say that they have no files without a name, or cannot name them later."""


def _place_unnamed(folder: str, next_name: Callable[[bool], str], data: Data, flush: bool) -> str:
    """Write a file that has no name (Linux), then link it: a crash leaves nothing behind."""
    with _unnamed(folder, data, flush) as (link_to, inode):
        return _first_free(folder, next_name, link_to, inode if flush else None)


@contextmanager
def _unnamed(folder: str, data: Data, flush: bool) -> Iterator[tuple[Callable[[str], None], int]]:
    """A written file without a name: what gives it one, and its inode."""
    descriptor = os.open(folder, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
    try:
        _write(descriptor, data, flush)
        source = f"/proc/self/fd/{descriptor}"
        # With src_dir_fd, os.link follows the link that the source is; the descriptor itself is ignored.
        yield (lambda target: os.link(source, target, src_dir_fd=descriptor)), os.fstat(descriptor).st_ino
    finally:
        os.close(descriptor)


def _place_hidden(folder: str, next_name: Callable[[bool], str], data: Data, flush: bool) -> str:
    """Write a hidden file, then link it under its name and remove the hidden one."""
    source = _hidden_name(folder)
    try:
        _write_hidden(source, data, flush)
        inode = os.stat(source).st_ino if flush else None  # noqa: PTH116
        return _first_free(folder, next_name, lambda target: _link_or_rename(source, target), inode)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(source)  # noqa: PTH108


def flush_to_disk(enabled: bool) -> None:
    """Whether this process waits until the disk has what it writes with `flush`.

    Costs 0.3 ms a file, several when the disk is busy. Without it a killed process loses nothing, but a power cut may.
    """
    global _flushes
    _flushes = enabled


_flushes = True


def keep_journal(journal: AttemptJournal | None) -> None:
    """Note every result of this process in `journal` before it gets its name."""
    global _journal
    _journal = journal


_journal: AttemptJournal | None = None


def _note(target: str, inode: int) -> None:
    running = context.current()
    if _journal is not None and running is not None:
        _journal.note(running.job_id, target, inode)


def _hidden_name(folder: str) -> str:
    return f"{folder}{os.sep}.{secrets.token_hex(8)}.part"


def _write_as(target: str, data: Data, flush: bool) -> None:
    """Write a new file; a crash leaves nothing behind where the system has files without a name."""
    if _HAS_UNNAMED_FILES:
        try:
            with _unnamed(os.path.dirname(target), data, flush) as (link_to, _):  # noqa: PTH120
                link_to(target)
                return
        except OSError as error:
            if error.errno not in _UNNAMED_REFUSED:
                raise
    _write_hidden(target, data, flush)


def _write_hidden(source: str, data: Data, flush: bool) -> None:
    descriptor = os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        _write(descriptor, data, flush)
    finally:
        os.close(descriptor)


def _link_or_rename(source: str, target: str) -> None:
    try:
        os.link(source, target)  # fails when the target exists, unlike a rename
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise FileExistsError(target) from None
        os.rename(source, target)  # noqa: PTH104


def _first_free(folder: str, next_name: Callable[[bool], str], give: Callable[[str], None], inode: int | None) -> str:
    """Give the file the first name that is free; with its inode it is noted as a result of the job that runs."""
    collisions = 0
    while True:
        name = next_name(collisions == _COLLISIONS_BEFORE_SCAN)
        target = f"{folder}{os.sep}{name}"
        if inode is not None:
            _note(target, inode)
        try:
            give(target)
            return name
        except FileExistsError:
            collisions += 1


def _write(descriptor: int, data: Data, flush: bool) -> None:
    for piece in (data,) if isinstance(data, Buffer) else data:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]
    if flush and _flushes:
        os.fsync(descriptor)
