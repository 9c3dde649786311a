"""Names of results, and files that appear under them whole or not at all.

A result is called `<prefix>_<number>_.<extension>`. Numbers are kept in memory per folder and prefix, seeded by one
scan of the folder; files are created exclusively, so that processes which share a folder never overwrite each other.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from inglenook.engine import context
from inglenook.errors import MediaError
from inglenook.media import paths
from inglenook.media.attempts import AttemptJournal
from inglenook.media.folders import FileKind, Folders

_REMEMBERED_PREFIXES = 10_000
_COLLISIONS_BEFORE_SCAN = 4
_BATCH_NUMBER = "%batch_num%"
_DEFAULT_PREFIX = "ComfyUI"

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class FileRef:
    """A file as clients name it."""

    filename: str
    subfolder: str
    type: FileKind

    def as_json(self) -> dict[str, str]:
        """An item of a node's `ui` lists."""
        return {"filename": self.filename, "subfolder": self.subfolder, "type": self.type}


def write_output(
    folders: Folders,
    kind: FileKind,
    prefix: str,
    extension: str,
    data: Buffer,
    *,
    width: int = 0,
    height: int = 0,
    batch_number: int = 0,
) -> FileRef:
    """Write one result under the next free name of its prefix.

    prefix: may hold folders and `%width% %height% %year% %month% %day% %hour% %minute% %second% %batch_num%`.
    extension: without a dot. Files of the output folder are flushed to the disk before they get their name.
    Raises UnsafePath for a prefix that leaves the folder, MediaError when the disk refuses.
    """
    *subfolders, name = paths.parts(expand(prefix, width, height)) or (_DEFAULT_PREFIX,)
    subfolder = "/".join(subfolders)
    root = folders.directory(kind)
    folder = paths.resolve(root, subfolder) if subfolder else root
    shown = name.replace(_BATCH_NUMBER, str(batch_number))

    def next_name(rescan: bool) -> str:
        return f"{shown}_{_numbers.take(folder, name, rescan):05}_.{extension}"

    return FileRef(place(folder, next_name, data, flush=kind == "output"), subfolder, kind)


def expand(prefix: str, width: int, height: int) -> str:
    """The prefix with sizes and the time filled in; `%batch_num%` stays."""
    if "%" not in prefix:
        return prefix
    now = time.localtime()
    values = {
        "%width%": str(width),
        "%height%": str(height),
        "%year%": str(now.tm_year),
        "%month%": f"{now.tm_mon:02}",
        "%day%": f"{now.tm_mday:02}",
        "%hour%": f"{now.tm_hour:02}",
        "%minute%": f"{now.tm_min:02}",
        "%second%": f"{now.tm_sec:02}",
    }
    for placeholder, value in values.items():
        prefix = prefix.replace(placeholder, value)
    return prefix


def temporary_prefix() -> str:
    """The prefix of this process's previews, such as `ComfyUI_temp_abcde`."""
    return _TEMPORARY_PREFIX


_TEMPORARY_PREFIX = "ComfyUI_temp_" + "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(5))


class _Numbers:
    """The next number of each prefix, for the prefixes used last."""

    def __init__(self) -> None:
        self._next: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._lock = Lock()

    def take(self, folder: Path, name: str, rescan: bool) -> int:
        key = (str(folder), name)
        with self._lock:
            number = self._next.get(key, 0)
            if number == 0 or rescan:
                number = max(number, 1 + highest_number(folder, name))
            self._next[key] = number + 1
            self._next.move_to_end(key)
            if len(self._next) > _REMEMBERED_PREFIXES:
                self._next.popitem(last=False)
            return number


_numbers = _Numbers()


def highest_number(folder: Path, name: str) -> int:
    """The largest number that a result with this prefix has in the folder, 0 if there is none."""
    stem = r"\d+".join(map(re.escape, name.split(_BATCH_NUMBER)))
    pattern = re.compile(stem + r"_(\d+)(?:[_.]|$)", re.IGNORECASE if os.name == "nt" else 0)
    try:
        with os.scandir(folder) as entries:
            return max((int(match[1]) for entry in entries if (match := pattern.match(entry.name))), default=0)
    except FileNotFoundError:
        return 0


def place(folder: Path, next_name: Callable[[bool], str], data: Buffer, *, flush: bool) -> str:
    """Write a file under the first name of `next_name` that is free; return the name.

    next_name: called until a name is free, with True once several were taken (by another process). A crash at any
    moment leaves no file with a part of the data under such a name. Raises MediaError when the disk refuses.
    """
    try:
        try:
            return _place(str(folder), next_name, data, flush)
        except FileNotFoundError:
            folder.mkdir(parents=True, exist_ok=True)
            return _place(str(folder), next_name, data, flush)
    except OSError as error:
        raise MediaError(f"cannot write into {folder}: {error.strerror or error}") from error


def _place(folder: str, next_name: Callable[[bool], str], data: Buffer, flush: bool) -> str:
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


def _place_unnamed(folder: str, next_name: Callable[[bool], str], data: Buffer, flush: bool) -> str:
    """Write a file that has no name (Linux), then link it: a crash leaves nothing behind."""
    descriptor = os.open(folder, os.O_WRONLY | os.O_TMPFILE | os.O_CLOEXEC, 0o666)
    try:
        _write(descriptor, data, flush)
        source = f"/proc/self/fd/{descriptor}"
        # With src_dir_fd, os.link follows the link that the source is; the descriptor itself is ignored.
        inode = os.fstat(descriptor).st_ino if flush else None
        return _first_free(folder, next_name, lambda target: os.link(source, target, src_dir_fd=descriptor), inode)
    finally:
        os.close(descriptor)


def _place_hidden(folder: str, next_name: Callable[[bool], str], data: Buffer, flush: bool) -> str:
    """Write a hidden file, then link it under its name and remove the hidden one."""
    source = f"{folder}{os.sep}.{secrets.token_hex(8)}.part"
    descriptor = os.open(source, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            _write(descriptor, data, flush)
        finally:
            os.close(descriptor)
        inode = os.stat(source).st_ino if flush else None  # noqa: PTH116
        return _first_free(folder, next_name, lambda target: _link_or_rename(source, target), inode)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(source)  # noqa: PTH108


def keep_journal(journal: AttemptJournal | None) -> None:
    """Note every result of this process in `journal` before it gets its name."""
    global _journal
    _journal = journal


_journal: AttemptJournal | None = None


def _note(target: str, inode: int) -> None:
    running = context.current()
    if _journal is not None and running is not None:
        _journal.note(running.job_id, target, inode)


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


def _write(descriptor: int, data: Buffer, flush: bool) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    if flush:
        os.fsync(descriptor)
