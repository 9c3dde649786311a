"""When old jobs are removed: beyond a number, and beyond an age."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from inglenook.jobs.ledger import Ledger
from inglenook.jobs.operations import Alone
from inglenook.jobs.upkeep import trim

logger = logging.getLogger(__name__)

URGENT_BEYOND = 64
"""Jobs beyond the limit that are removed even between two writes; fewer of them wait for a pause."""

PAUSE_S = 0.2
"""Time without writes that is a pause."""

SEARCH_EVERY_S = 600.0
"""How often jobs that have become too old are looked for, and the first time at once."""

RETRY_AFTER_S = 10.0
"""Time after which a removal that failed is tried again."""


class Trimming:
    """Decides when the writer removes jobs; each removal is small and is followed by another if need be."""

    def __init__(self, keep: int, age_ms: int | None, clock: Callable[[], int]) -> None:
        self._keep = keep
        self._age_ms = age_ms
        self._clock = clock
        self._search_at_s = self._not_before_s = time.monotonic()

    def delay_s(self, ledger: Ledger) -> float:
        """Seconds without a write after which the next removal is due."""
        now_s = time.monotonic()
        too_many = max(ledger.history, ledger.not_run) - self._keep
        pause_s = 0.0 if too_many >= URGENT_BEYOND else PAUSE_S if too_many > 0 else SEARCH_EVERY_S
        return max(0.0, self._not_before_s - now_s, min(pause_s, self._search_at_s - now_s))

    def removal(self) -> Alone:
        """The next removal; its outcome is to be told to `removed`."""
        ended_before_ms = None if self._age_ms is None else self._clock() - self._age_ms
        return Alone(lambda connection, ledger: trim(connection, ledger, self._keep, ended_before_ms))

    def removed(self, outcome: int | Exception) -> None:
        if isinstance(outcome, Exception):
            logger.error("old jobs could not be removed: %s", outcome)
            self._not_before_s = time.monotonic() + RETRY_AFTER_S
        elif outcome == 0:
            self._search_at_s = time.monotonic() + SEARCH_EVERY_S
