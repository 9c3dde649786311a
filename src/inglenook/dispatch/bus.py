"""Tells everybody who listens what happens to jobs and to the queue, in order.

Listeners are called on the event loop and must not block; each keeps its own bounded queue.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent

logger = logging.getLogger(__name__)


class BusListener(Protocol):
    """Hears of runs and of the queue."""

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        """Events of a run; by the time its end is told, the history holds it."""

    def run_left(self, run: Run) -> None:
        """The run is over and out of the queue: ComfyUI's `executing: null`."""

    def queue_changed(self, remaining: int, run: Run | None) -> None:
        """Pending and running jobs are now this many; `run` is the job that changed it, if one did."""

    def run_retried(self, run: Run, reason: str) -> None:
        """The process that ran it died, for this reason; the run waits in its old place again."""

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        """These have been taken out of the queue; they never ran."""

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        """A node pack has a message for one client, or for all."""


class Bus:
    """Calls every listener; one that raises does not keep the others from hearing."""

    def __init__(self) -> None:
        self._listeners: list[BusListener] = []

    def join(self, listener: BusListener) -> None:
        self._listeners.append(listener)

    def leave(self, listener: BusListener) -> None:
        self._listeners.remove(listener)

    def run_events(self, run: Run, events: Sequence[AnyEvent]) -> None:
        self._tell(lambda listener: listener.run_events(run, events), f"events of job {run.job.id}")

    def run_left(self, run: Run) -> None:
        self._tell(lambda listener: listener.run_left(run), f"the end of job {run.job.id}")

    def run_retried(self, run: Run, reason: str) -> None:
        self._tell(lambda listener: listener.run_retried(run, reason), f"another attempt at job {run.job.id}")

    def runs_cancelled(self, runs: Sequence[Run]) -> None:
        self._tell(lambda listener: listener.runs_cancelled(runs), f"the end of {len(runs)} pending jobs")

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        self._tell(lambda listener: listener.notice(name, data, client_id), "a message of a node pack")

    def queue_changed(self, remaining: int, run: Run | None = None) -> None:
        self._tell(lambda listener: listener.queue_changed(remaining, run), "a change of the queue")

    def _tell(self, what: Callable[[BusListener], None], name: str) -> None:
        for listener in self._listeners:
            try:
                what(listener)
            except Exception:
                logger.exception("a listener failed on %s", name)
