"""A cache that keeps results over graphs until memory gets short."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from inglenook.engine.cache import Cache, NodeResult, Owner

_MAX_RESULTS = 20_000
"""So that a server that runs tiny graphs for weeks stays small."""
_MAX_ITEMS = 10_000
_CHECK_INTERVAL_S = 0.1


@dataclass(slots=True)
class _Entry:
    result: NodeResult
    size_bytes: int
    last_run: int


class MemoryPressureCache:
    """Keeps everything; below `min_free_bytes` of free memory large and old results go first."""

    def __init__(
        self,
        min_free_bytes: int,
        free_bytes: Callable[[], int],
        *,
        min_free_bytes_for_unused: int = 0,
        size_of: Callable[[Any], int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """free_bytes: the free memory of the machine now. size_of: bytes of main memory that a value holds.

        min_free_bytes_for_unused: the bound for results that the current run does not use, where it is larger.
        """
        self.min_free_bytes = min_free_bytes
        self._min_free_bytes_for_unused = max(min_free_bytes_for_unused, min_free_bytes)
        self._free_bytes = free_bytes
        self._size_of = size_of or size_bytes
        self._clock = clock
        self._entries: dict[bytes, _Entry] = {}
        self._run = 0
        self._next_check = -1.0

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, keys: Collection[bytes], owners: Collection[Owner]) -> None:
        self._run += 1
        for key in keys:
            entry = self._entries.get(key)
            if entry is not None:
                entry.last_run = self._run
        self._make_room()

    def get(self, key: bytes) -> NodeResult | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.last_run = self._run
        return entry.result

    def put(self, key: bytes, result: NodeResult) -> None:
        self._entries[key] = _Entry(result, self._size_of(result.outputs), self._run)
        now = self._clock()
        if now >= self._next_check or len(self._entries) > _MAX_RESULTS:
            self._next_check = now + _CHECK_INTERVAL_S
            self._make_room()

    def expansion(self, owner: Owner) -> Cache:
        return self

    def end(self) -> None:
        self._make_room()

    def clear(self) -> None:
        self._entries.clear()

    def _make_room(self) -> None:
        """Evict by size times age until enough is free. Freed memory may show late, so sizes are counted."""
        free = self._free_bytes()
        wanted, wanted_of_unused = self.min_free_bytes - free, self._min_free_bytes_for_unused - free
        surplus = len(self._entries) - _MAX_RESULTS
        if wanted_of_unused <= 0 and surplus <= 0:
            return
        for key in sorted(self._entries, key=self._cost, reverse=True):
            is_used = self._entries[key].last_run == self._run
            if (wanted if is_used else wanted_of_unused) <= 0 and surplus <= 0:
                continue
            size = self._entries.pop(key).size_bytes
            wanted -= size
            wanted_of_unused -= size
            surplus -= 1

    def _cost(self, key: bytes) -> int:
        entry = self._entries[key]
        return max(entry.size_bytes, 1) * (self._run - entry.last_run + 1)


def size_bytes(value: Any) -> int:
    """About how much main memory a value holds: arrays and tensors by `nbytes` (not those on a GPU), texts, bytes."""
    total, seen, stack = 0, 0, [value]
    while stack and seen < _MAX_ITEMS:
        item = stack.pop()
        seen += 1
        if isinstance(item, dict):
            stack += item.values()
        elif isinstance(item, (list, tuple, set)):
            stack += item
        elif isinstance(item, (str, bytes, bytearray)):
            total += sys.getsizeof(item)
        else:
            total += _array_bytes(item)
    return total


def _array_bytes(item: Any) -> int:
    nbytes = getattr(item, "nbytes", None)
    return nbytes if isinstance(nbytes, int) and getattr(item, "is_cpu", True) else 0
