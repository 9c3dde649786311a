"""Jobs that wait for workers that have their models although another worker is free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from inglenook.dispatch.run import Run

_LOOK_AGAIN_S = 0.5
"""How often they are looked at when nothing happens."""


class HeldRuns:
    """Those that were held when workers were last chosen; since when is in `Run.held_since`."""

    def __init__(self, choose: Callable[[], None]) -> None:
        """choose: chooses workers again."""
        self._choose = choose
        self._runs: Sequence[Run] = ()
        self._look_again: asyncio.TimerHandle | None = None

    def hold(self, runs: Sequence[Run]) -> None:
        """Remember which jobs are held now, and look again soon."""
        loop = asyncio.get_running_loop()
        still = {run.job.id for run in runs}
        for run in self._runs:
            if run.job.id not in still:
                run.held_since = None
        for run in runs:
            run.held_since = loop.time() if run.held_since is None else run.held_since
        self._runs = runs
        if runs and self._look_again is None:
            self._look_again = loop.call_later(_LOOK_AGAIN_S, self._look)

    def close(self) -> None:
        """Look no more."""
        if self._look_again is not None:
            self._look_again.cancel()

    def _look(self) -> None:
        self._look_again = None
        self._choose()
