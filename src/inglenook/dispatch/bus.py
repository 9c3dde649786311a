"""Tells everybody who listens what happens to jobs and to the queue, in order.

Listeners are called on the event loop and must not block; each keeps its own bounded queue.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
        for listener in self._listeners:
            try:
                listener.run_events(run, events)
            except Exception:
                logger.exception("a listener failed on events of job %s", run.job.id)

    def run_left(self, run: Run) -> None:
        for listener in self._listeners:
            try:
                listener.run_left(run)
            except Exception:
                logger.exception("a listener failed on the end of job %s", run.job.id)

    def notice(self, name: str, data: Any, client_id: str | None) -> None:
        for listener in self._listeners:
            try:
                listener.notice(name, data, client_id)
            except Exception:
                logger.exception("a listener failed on a message of a node pack")

    def queue_changed(self, remaining: int, run: Run | None = None) -> None:
        for listener in self._listeners:
            try:
                listener.queue_changed(remaining, run)
            except Exception:
                logger.exception("a listener failed on a change of the queue")
