"""What runs have told and the bus has not heard yet, worker by worker and in order: an end waits for its commit."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.dispatch.bus import Bus
from inglenook.dispatch.run import Run
from inglenook.engine.events import AnyEvent

_MOST_HELD_BACK = 10_000


@dataclass(slots=True)
class Told:
    """Events of a run that wait for their turn on the bus; an end waits for its commit too."""

    run: Run
    events: Sequence[AnyEvent]
    is_end: bool
    last_number: int
    """Of the events in the log of the run, without the end."""
    worker: str
    """Whose lane they are in."""
    is_committed: bool = False


@dataclass(frozen=True, slots=True)
class _Notice:
    """A message of a node pack that waits for its turn on the bus."""

    name: str
    data: Any
    client_id: str | None


class Lanes:
    """One lane for each worker."""

    def __init__(self, bus: Bus, left: Callable[[Run], None]) -> None:
        """left: is told of a run whose end the bus has heard."""
        self._bus = bus
        self._left = left
        self._lanes: dict[str, deque[Told | _Notice]] = {}

    def add(self, told: Told) -> None:
        """Put events behind what the worker has told before; `drain` tells them."""
        self._lanes.setdefault(told.worker, deque()).append(told)

    def drain(self, worker_name: str) -> None:
        """Tell the bus what may be told: everything up to an end that is not committed yet."""
        lane = self._lanes[worker_name]
        while lane:
            told = lane[0]
            if isinstance(told, _Notice):
                lane.popleft()
                self._bus.notice(told.name, told.data, told.client_id)
                continue
            run = told.run
            if told.is_end and not told.is_committed:
                run.log.tell(told.last_number)
                if len(told.events) > 1:
                    self._bus.run_events(told.run, told.events[:-1])
                    told.events = told.events[-1:]
                return
            lane.popleft()
            told.run.is_told = True
            told.run.is_committed = told.is_end
            run.log.tell(None if told.is_end else told.last_number)
            self._bus.run_events(told.run, told.events)
            if told.is_end:
                self._left(told.run)

    def notice(self, worker_name: str, name: str, data: Any, client_id: str | None) -> None:
        """Passed on behind what is held back of the worker's runs, unless that is much: the store may be down."""
        lane = self._lanes.get(worker_name)
        if lane and len(lane) < _MOST_HELD_BACK:
            lane.append(_Notice(name, data, client_id))
        else:
            self._bus.notice(name, data, client_id)
