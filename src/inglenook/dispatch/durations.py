"""How long a job will take, from how long the same work took before.

The same work: the same node classes, links, numbers and switches, whatever the texts, files and seeds. Where there was
none, the same classes and links, in proportion to the steps. Runs under half a second say nothing and are left out.
"""

from __future__ import annotations

import hashlib
import statistics
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from inglenook.dispatch.run import Run
from inglenook.jobs import JobStore, MeasuredRun

SHORTEST_MS = 500
_SEEDS = ("seed", "noise_seed")
_REMEMBERED = 8
_MOST_KINDS = 1000
_READ_AT_ONCE = 200
_READ_EVERY_S = 10.0
_TRUSTED_PERCENT = 5.0
_TRUSTED_S = 1.0


@dataclass(frozen=True, slots=True)
class Work:
    """What a graph makes a worker do, as far as it tells."""

    key: str
    shape: str
    """The same for graphs that differ in numbers alone."""
    steps: float


def work_of(graph: bytes) -> Work:
    """Read what is to be done from a graph in API format."""
    exact: list[Any] = []
    shape: list[Any] = []
    steps = 0.0
    for node_id, node in sorted(orjson.loads(graph).items()):
        links, numbers = [], []
        for name, value in sorted(node.get("inputs", {}).items()):
            if isinstance(value, list):
                links.append([name, value])
            elif isinstance(value, (int, float)) and name not in _SEEDS:
                numbers.append([name, value])
                if name == "steps":
                    steps += value
        shape.append([node_id, node.get("class_type"), links])
        exact.append(numbers)
    return Work(_digest([shape, exact]), _digest(shape), steps)


def _digest(document: Any) -> str:
    return hashlib.blake2b(orjson.dumps(document), digest_size=12).hexdigest()


@dataclass(slots=True)
class Durations:
    """What is known of earlier runs; read from the store when somebody asks, at most every ten seconds."""

    clock: Callable[[], float] = time.monotonic
    _exact: OrderedDict[str, deque[float]] = field(default_factory=OrderedDict)
    _shapes: OrderedDict[str, deque[tuple[float, float]]] = field(default_factory=OrderedDict)
    _read_at: float = float("-inf")
    _last_end: int = -1

    async def refresh(self, store: JobStore) -> None:
        """Take in what has ended since the last time."""
        if self.clock() - self._read_at < _READ_EVERY_S:
            return
        self._read_at = self.clock()
        found: list[tuple[MeasuredRun, Work]] = await store.measured_runs(
            lambda run: (run, work_of(run.graph)), self._last_end, _READ_AT_ONCE, SHORTEST_MS
        )
        for run, work in found:
            self._last_end = max(self._last_end, run.end_order)
            self.add(work, run.duration_ms / 1000)

    def add(self, work: Work, duration_s: float) -> None:
        """Remember how long a run took."""
        _put(self._exact, work.key, duration_s)
        _put(self._shapes, work.shape, (duration_s, work.steps))

    def expected_s(self, work: Work) -> float | None:
        """How long this work will take, None when nothing like it was done."""
        exact = self._exact.get(work.key)
        if exact:
            return statistics.median(exact)
        similar = self._shapes.get(work.shape)
        if not similar:
            return None
        return statistics.median(
            duration * work.steps / steps if steps > 0 and work.steps > 0 else duration for duration, steps in similar
        )


def _put(kinds: OrderedDict[str, deque[Any]], key: str, value: Any) -> None:
    kinds.setdefault(key, deque(maxlen=_REMEMBERED)).append(value)
    kinds.move_to_end(key)
    if len(kinds) > _MOST_KINDS:
        kinds.popitem(last=False)


def remaining_s(expected_s: float | None, elapsed_s: float, percent: float) -> float | None:
    """How long a run will go on: as expected, and when it is beyond that or nothing is expected, by its progress."""
    if expected_s is not None and elapsed_s < expected_s:
        return expected_s - elapsed_s
    if percent >= _TRUSTED_PERCENT and elapsed_s >= _TRUSTED_S:
        return elapsed_s * (100 - percent) / percent
    return None


def work_of_run(run: Run) -> Work:
    """The work of a run, read once."""
    if run.work is None:
        run.work = work_of(run.job.graph)
    work: Work = run.work
    return work
