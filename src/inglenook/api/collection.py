"""Lets the garbage collector rest while millions of objects are made at once: all of them are alive, and it would look
at each again and again while every thread waits (1 million lists: 0.47 s instead of 0.05 s).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_lock = Lock()
_pauses = 0


@contextmanager
def collection_paused(*, is_long: bool = False) -> Iterator[None]:
    """No garbage collection during the block.

    is_long: the block waits for other things; then it pauses nothing while another does, so that requests that overlap
    without end do not keep the collector off for good.
    """
    if not _begin(only_first=is_long):
        yield
        return
    try:
        yield
    finally:
        _end()


def _begin(*, only_first: bool) -> bool:
    global _pauses
    with _lock:
        if _pauses and only_first:
            return False
        gc.disable()
        _pauses += 1
        return True


def _end() -> None:
    global _pauses
    with _lock:
        _pauses -= 1
        if not _pauses:
            gc.enable()
