"""The jobs that wait, in order: larger priority first, then smaller number, then arrival."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterator
from itertools import count

from inglenook.dispatch.run import Run

_Key = tuple[int, float, int]


class WaitingRuns:
    """A sorted list of runs with lookup by job id. All operations on the event loop."""

    def __init__(self) -> None:
        self._keys: list[_Key] = []
        self._runs: dict[_Key, Run] = {}
        self._key_of: dict[str, _Key] = {}
        self._arrival = count()
        self._of_user: Counter[str | None] = Counter()
        self.size_bytes = 0
        """What the jobs take together."""

    def add(self, run: Run) -> None:
        """Put a run in its place; a run that comes back goes before later arrivals of the same number."""
        job = run.job
        key = (-job.priority, float(job.number), next(self._arrival))
        self._key_of[job.id] = key
        self._runs[key] = run
        self._of_user[job.user] += 1
        self.size_bytes += job.size_bytes
        if not self._keys or key > self._keys[-1]:
            self._keys.append(key)
        else:
            bisect.insort(self._keys, key)

    def remove(self, job_id: str) -> Run | None:
        """Take a run out; None when it does not wait."""
        key = self._key_of.pop(job_id, None)
        if key is None:
            return None
        del self._keys[bisect.bisect_left(self._keys, key)]
        run = self._runs.pop(key)
        self._of_user[run.job.user] -= 1
        self.size_bytes -= run.job.size_bytes
        return run

    def get(self, job_id: str) -> Run | None:
        key = self._key_of.get(job_id)
        return None if key is None else self._runs[key]

    def position(self, job_id: str) -> int | None:
        """The place of a waiting run, 1 is next; None when it does not wait."""
        key = self._key_of.get(job_id)
        return None if key is None else bisect.bisect_left(self._keys, key) + 1

    def count(self, user: str | None) -> int:
        """How many runs wait, of one user or (None) in all."""
        return len(self._keys) if user is None else self._of_user[user]

    def __iter__(self) -> Iterator[Run]:
        return (self._runs[key] for key in self._keys)

    def __len__(self) -> int:
        return len(self._keys)
