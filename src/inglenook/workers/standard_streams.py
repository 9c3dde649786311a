"""Standard input, output and error of a device process, brought back when a node has closed or replaced them.

Without them the next file that is opened gets descriptor 1, and what is printed goes into a picture.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TextIO


class StandardStreams:
    """Copies of descriptors 0 to 2 as they were at the start."""

    def __init__(self) -> None:
        self._copies = [os.dup(number) for number in range(3)]
        self._identities = [_identity(number) for number in range(3)]
        self.error_copy = self._copies[2]
        """A descriptor of standard error that nodes do not close by accident."""

    def restore(self) -> None:
        """Bring back what is closed or leads elsewhere, and the Python objects over it."""
        for number, copy in enumerate(self._copies):
            if _identity(number) != self._identities[number]:
                with contextlib.suppress(OSError):  # somebody closed the copy too: nothing is left to bring back
                    os.dup2(copy, number, inheritable=True)
        if _is_unusable(sys.stdout):
            sys.stdout = _writer(1)
        if _is_unusable(sys.stderr):
            sys.stderr = _writer(2)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_unusable(stream: TextIO | None) -> bool:
    return stream is None or stream.closed


def _writer(descriptor: int) -> TextIO:
    file = os.fdopen(descriptor, "wb", buffering=0, closefd=False)
    return io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", write_through=True)
