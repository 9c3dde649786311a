"""Room for a file that is being encoded, before it gets its name."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO

from inglenook.media.writing import refused

_IN_MEMORY_BYTES = 64 << 20
_PIECE_BYTES = 1 << 20


class Scratch:
    """A file that encoders write into, back and forth; then an iterable of its bytes, as `writing` takes them.

    Small ones stay in memory; a larger one goes into a file without a name in `folder`, which goes when it is closed.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        # Closed by __exit__, as the whole object is a context manager.
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES, dir=str(folder))  # noqa: SIM115

    def write(self, data: bytes) -> int:
        """Raises MediaError when the disk refuses, DiskFull when it is full."""
        try:
            return self._file.write(data)
        except OSError as error:
            raise refused(self._folder, error) from error

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def truncate(self) -> None:
        self._file.truncate()

    def tell(self) -> int:
        return self._file.tell()

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while piece := self._file.read(_PIECE_BYTES):
            yield piece

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
