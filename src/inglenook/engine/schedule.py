"""Which nodes of a run still have to run, and which one is next."""

from __future__ import annotations

import heapq
from collections.abc import Callable


class Schedule:
    """Nodes that were asked for, each with the number of sources it waits for.

    Among ready nodes the next is: an output or async node; one that feeds an output node; one two steps away; then the
    one that was added first. Every operation costs the links of its node, not the size of the graph.
    """

    def __init__(self, is_output: Callable[[str], bool], is_async: Callable[[str], bool]) -> None:
        self._is_output = is_output
        self._is_async = is_async
        self._missing: dict[str, int] = {}
        self._consumers: dict[str, list[str]] = {}
        self._ready: list[tuple[int, int, str]] = []
        self._number: dict[str, int] = {}
        self._feeds_output: dict[str, bool] = {}
        self._count = 0

    def __contains__(self, node_id: str) -> bool:
        return node_id in self._missing

    def __len__(self) -> int:
        return len(self._missing)

    def add(self, node_id: str) -> None:
        """Take in a node; `wait` for its sources, then `release` it."""
        self._missing[node_id] = 1
        self._count += 1
        self._number[node_id] = self._count

    def wait(self, node_id: str, source: str) -> None:
        """`node_id` is not ready before `source` is done."""
        self._missing[node_id] += 1
        self._consumers.setdefault(source, []).append(node_id)

    def release(self, node_id: str) -> None:
        """One thing less that `node_id` waits for."""
        missing = self._missing[node_id] - 1
        self._missing[node_id] = missing
        if missing == 0:
            heapq.heappush(self._ready, (self._priority(node_id), self._number[node_id], node_id))

    def hold(self, node_id: str) -> None:
        """A node that was taken by `next` is to be given again, after another `release`."""
        self._missing[node_id] = 1

    def next(self) -> str | None:
        """The next node that can run, None when there is none."""
        return heapq.heappop(self._ready)[2] if self._ready else None

    def done(self, node_id: str) -> None:
        """The node has its result: it leaves, and those that wait for it may become ready."""
        del self._missing[node_id]
        for consumer in self._consumers.pop(node_id, ()):
            self.release(consumer)

    def waiting(self) -> dict[str, list[str]]:
        """Source -> nodes that wait for it."""
        return self._consumers

    def _priority(self, node_id: str) -> int:
        if self._is_output(node_id) or self._is_async(node_id):
            return 0
        if self._feeds(node_id):
            return 1
        return 2 if any(self._feeds(consumer) for consumer in self._consumers.get(node_id, ())) else 3

    def _feeds(self, node_id: str) -> bool:
        found = self._feeds_output.get(node_id)
        if found is None:
            found = any(self._is_output(consumer) for consumer in self._consumers.get(node_id, ()))
            self._feeds_output[node_id] = found
        return found
