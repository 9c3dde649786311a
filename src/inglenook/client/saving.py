"""Files that arrive: names that stay in their folder, content that is there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from types import TracebackType


def plain_name(filename: str) -> str:
    """Return the last part of a name that a server gave, without what could leave the folder or hide the file.

    Raises ValueError when nothing is left.
    """
    last = filename.replace("\\", "/").rpartition("/")[2]
    cleaned = "".join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip().lstrip(".")
    if not cleaned:
        raise ValueError(f"not a file name: {filename!r}")
    return cleaned


class ArrivingFile:
    """A file that is written beside its place and gets its name at the end; a context manager.

    The name is `name.png`, or `name (1).png` and so on when that is taken. Without `commit` nothing is left.
    """

    def __init__(self, folder: Path, filename: str) -> None:
        self._name = Path(plain_name(filename))
        self._folder = folder

    def __enter__(self) -> ArrivingFile:
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".arriving-", dir=self._folder)
        self._file = os.fdopen(descriptor, "wb")
        self._part = Path(name)
        return self

    def write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> Path:
        """Give the file its name and return its path."""
        self._file.close()
        target = self._take_name()
        self._part.chmod(0o666 & ~_umask())
        self._part.replace(target)
        return target

    def _take_name(self) -> Path:
        number = 0
        while True:
            number_part = f" ({number})" if number else ""
            target = self._folder / f"{self._name.stem}{number_part}{self._name.suffix}"
            try:
                target.touch(exist_ok=False)
            except FileExistsError:
                number += 1
            else:
                return target

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
