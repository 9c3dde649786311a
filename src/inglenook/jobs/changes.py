"""Which jobs the writer has changed, told to the index of the readers (`job_index.py`) after each commit."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from inglenook.jobs.job import JobId

MOST_CHANGES = 10_000
"""Beyond this the index is read anew, which then is quicker, and nothing more is noted until it is."""


@dataclass(slots=True)
class Changes:
    """What one transaction, or several, did to stored jobs."""

    jobs: list[JobId] = field(default_factory=list)
    """Jobs that were added or have other values; some may be gone again."""
    removed: list[int] = field(default_factory=list)
    """Sequences of jobs that are gone."""
    is_everything: bool = False
    """Any job may have changed."""

    def add(self, later: Changes) -> None:
        self.jobs += later.jobs
        self.removed += later.removed
        self.is_everything |= later.is_everything


class ChangeFeed:
    """Hands changes from the writer's thread to those of the readers; keeps nothing until somebody has asked once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._changes = Changes(is_everything=True)

    def publish(self, changes: Changes) -> None:
        """Tell what was committed, before anybody else hears of it."""
        with self._lock:
            if self._changes.is_everything:
                return
            self._changes.add(changes)
            if len(self._changes.jobs) + len(self._changes.removed) > MOST_CHANGES:
                self._changes = Changes(is_everything=True)

    def take(self) -> Changes:
        """What was published since the last call. Read the database after this: it may be ahead, never behind."""
        with self._lock:
            taken, self._changes = self._changes, Changes()
            return taken
