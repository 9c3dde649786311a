"""The files of one user, as `/userdata` shows and changes them. All of it blocks on the disk."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from inglenook.errors import MediaError, UnsafePath
from inglenook.media import paths, uploads, writing
from inglenook.media.writing import Data

_UNFINISHED = re.compile(r"^\.[0-9a-f]{16}\.part$")
"""A file that is being written, or was when the server died (`media/writing.py`)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder in a listing."""

    path: str
    """Relative to the folder that was listed, with `/`."""
    is_folder: bool
    size: int
    modified_ns: int
    created_ns: int

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


class UserFiles:
    """Names are relative to the user's folder, with `/`; it is made when the first file is written."""

    def __init__(self, root: Path, data_folder: Path) -> None:
        """data_folder: the server's own, of which nothing is shown even if it lies within `root`."""
        self.root = root
        real_root, real_data = os.path.realpath(root), os.path.realpath(data_folder)
        self._real_root = real_root
        self._hidden = real_data if real_data.startswith(real_root + os.sep) else None

    def path(self, name: str) -> Path:
        """The path of a name, which need not exist. Raises UnsafePath when it leaves the folder of the user."""
        path = paths.resolve(self.root, name)
        if self._is_hidden(path):
            raise UnsafePath(f"{name[:100]!r} belongs to the server")
        return path

    def _is_hidden(self, path: Path) -> bool:
        if self._hidden is None:
            return False
        real = os.path.realpath(path)
        return real == self._hidden or real.startswith(self._hidden + os.sep)

    def relative(self, path: Path) -> str:
        """The name of a path that `path` has returned."""
        return path.relative_to(self.root).as_posix()

    def entry(self, name: str) -> Entry:
        """What is known of a file. Raises FileNotFoundError."""
        path = self.path(name)
        return _entry(self.relative(path), path.stat(), is_folder=False)

    # Listing

    def listing(self, folder: str, *, recurse: bool) -> list[Entry]:
        """The files in a folder, with those of its subfolders if `recurse`, sorted, named relative to it.

        Raises FileNotFoundError without such a folder.
        """
        entries = (entry for entry in self._walk(self._folder(folder), recurse) if not entry.is_folder)
        return sorted(entries, key=lambda entry: entry.path)

    def tree(self, folder: str) -> list[Entry]:
        """Everything below a folder, folders first, named relative to it. Raises as `listing`, NotADirectoryError."""
        return sorted(
            self._walk(self._folder(folder), True),
            key=lambda entry: (not entry.is_folder, entry.name.lower(), entry.path),
        )

    def _folder(self, name: str) -> Path:
        path = self.path(name)
        if not path.exists():
            raise FileNotFoundError(path)
        if not path.is_dir():
            raise NotADirectoryError(path)
        return path

    def _walk(self, folder: Path, recurse: bool) -> Iterator[Entry]:
        """Entries below `folder`. Links to folders are not followed: inside the root they would show files twice."""
        pending = [(folder, "")]
        while pending:
            place, prefix = pending.pop()
            try:
                found = [entry for entry in os.scandir(place) if self._is_shown(entry)]
            except OSError:  # gone meanwhile, or not readable
                continue
            for entry in found:
                try:
                    is_folder, status = entry.is_dir(), entry.stat()
                except OSError:
                    continue
                if is_folder and entry.is_symlink():
                    continue
                if is_folder or entry.is_file():
                    yield _entry(prefix + entry.name, status, is_folder=is_folder)
                if is_folder and recurse:
                    pending.append((Path(entry.path), f"{prefix}{entry.name}/"))

    def _is_shown(self, entry: os.DirEntry[str]) -> bool:
        if not paths.is_utf8(entry.name) or _UNFINISHED.match(entry.name):
            return False
        if entry.is_symlink() and not os.path.realpath(entry.path).startswith(self._real_root + os.sep):
            return False
        return not self._is_hidden(Path(entry.path))

    # Changing

    def write(self, name: str, content: Data, *, overwrite: bool) -> str:
        """Write a file; return its name. Raises UnsafePath, FileExistsError, MediaError (DiskFull)."""
        path = self._file(name)
        if path.is_dir():
            raise MediaError(f"{name[:100]!r} is a folder")
        if overwrite:
            writing.replace(path, content, flush=True)
        elif path.exists() or not uploads.place_as(path.parent, path.name, content):
            raise FileExistsError(path)
        return self.relative(path)

    def move(self, name: str, target: str, *, overwrite: bool) -> str:
        """Give a file another name; return it. Raises FileNotFoundError, OSError, and as `write` does."""
        source, path = self.path(name), self._file(target)
        if not source.is_file():
            raise FileNotFoundError(source)
        if path.is_dir():
            raise MediaError(f"{target[:100]!r} is a folder")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MediaError(f"cannot move to {target[:100]!r}: {error.strerror or error}") from error
        if overwrite:
            _rename(source, path)
        else:
            _rename_to_free(source, path)
        return self.relative(path)

    def remove(self, name: str) -> None:
        """Remove a file. Raises UnsafePath, FileNotFoundError, OSError."""
        path = self._file(name)
        if not path.is_file():
            raise FileNotFoundError(path)
        path.unlink()

    def _file(self, name: str) -> Path:
        path = self.path(name)
        if path == self.root:
            raise UnsafePath("the name of the file is empty")
        return path


def _entry(path: str, status: os.stat_result, *, is_folder: bool) -> Entry:
    return Entry(path, is_folder, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _rename(source: Path, target: Path) -> None:
    try:
        source.replace(target)
    except OSError:
        if source.stat().st_dev == target.parent.stat().st_dev:
            raise
        shutil.move(source, target)  # a folder that is mounted inside the user's


def _rename_to_free(source: Path, target: Path) -> None:
    if target.exists():
        raise FileExistsError(target)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        _rename(source, target)
    else:
        source.unlink()
