"""What happens to one job, numbered, for streams that can be resumed where they were cut.

Names and data: `state` {status, attempt, worker, ...}, `retry` {reason}, `cached` {nodes}, `node_started` {node},
`node_done` {node, cached, outputs?}, `blocked` {node, message}, and, passing by, `progress` {node, value, max} and
`text` {node, text}. What passes is kept in a ring while the job runs and left out of what is stored at the end.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from inglenook.engine.events import AnyEvent, Blocked, Cached, NodeDone, NodeStarted, Progress, Text
from inglenook.jobs import to_json

MOST_KEPT = 4_000
"""Events of one job that are kept and stored; of larger graphs the rest of the nodes are not told one by one."""
RING = 100
_LARGEST_OUTPUT_BYTES = 16_384
"""Larger outputs of a node are told with the result alone."""


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """One event of a job."""

    number: int
    name: str
    time_ms: int
    data: dict[str, Any]

    def to_list(self) -> list[Any]:
        """As it is stored."""
        return [self.number, self.name, self.time_ms, self.data]


class EventLog:
    """The events of one job since it was accepted, or since the server that runs it was started."""

    def __init__(self) -> None:
        now_ms = time.time_ns() // 1_000_000
        self.epoch = f"{now_ms:x}"
        """Tells this log from that of the same job before a restart, whose numbers mean other events."""
        self.kept: list[LoggedEvent] = []
        self.told = 0
        """Number of the last event that readers may see: an end waits for its commit."""
        self.is_closed = False
        """The server stops; the job may go on after its next start."""
        self._passing: deque[LoggedEvent] = deque(maxlen=RING)
        self._last = 0
        self._has_end = False
        self._readers: set[asyncio.Event] = set()

    @property
    def last(self) -> int:
        """Number of the last event, told or not."""
        return self._last

    @property
    def is_over(self) -> bool:
        """Whether readers have been told the end."""
        return self._has_end and self.told >= self._last

    # -- writing -------------------------------------------------------------------------------------------------------

    def add_state(self, status: str, **more: Any) -> None:
        """Note that the job has another state, in the words of the store."""
        self._keep("state", {"status": status, **more})

    def add_retry(self, reason: str) -> None:
        """Note that an attempt died and another will be made."""
        self._keep("retry", {"reason": reason})

    def record(self, events: Sequence[AnyEvent]) -> None:
        """Note events of the run."""
        for event in events:
            match event:
                case NodeStarted(node=node):
                    self._keep_of_node("node_started", {"node": node.display_id})
                case NodeDone(node=node):
                    self._keep_of_node("node_done", _done(event))
                case Progress(node=node, value=value, total=total) if not event.is_told:
                    self._pass("progress", {"node": node.display_id, "value": value, "max": total})
                case Cached(nodes=nodes):
                    self._keep("cached", {"nodes": nodes})
                case Blocked(node=node, message=message):
                    self._keep_of_node("blocked", {"node": node.display_id, "message": message})
                case Text(node=node, text=text):
                    self._pass("text", {"node": node.display_id, "text": text})
                case _:
                    pass

    def _keep_of_node(self, name: str, data: dict[str, Any]) -> None:
        if len(self.kept) < MOST_KEPT:
            self._keep(name, data)

    def _keep(self, name: str, data: dict[str, Any]) -> None:
        self.kept.append(self._event(name, data))

    def _pass(self, name: str, data: dict[str, Any]) -> None:
        self._passing.append(self._event(name, data))

    def _event(self, name: str, data: dict[str, Any]) -> LoggedEvent:
        self._last += 1
        return LoggedEvent(self._last, name, time.time_ns() // 1_000_000, data)

    def set_end(self, status: str, error: dict[str, Any] | None = None) -> None:
        """Note how the job has ended, in place of an end that was noted before."""
        if self._has_end:
            self.kept.pop()
        self._has_end = True
        self._keep("state", {"status": status} if error is None else {"status": status, "error": error})

    def tell(self, number: int | None = None) -> None:
        """Let readers see everything up to a number, or everything."""
        self.told = self._last if number is None else max(self.told, number)
        self._wake()

    def close(self) -> None:
        """Send readers away."""
        self.is_closed = True
        self._wake()

    def _wake(self) -> None:
        for reader in self._readers:
            reader.set()

    # -- reading -------------------------------------------------------------------------------------------------------

    def after(self, number: int) -> Iterator[LoggedEvent]:
        """The told events after a number, in order; of what passed by those that are still there."""
        kept = (event for event in self.kept[_first_after(self.kept, number) :] if event.number <= self.told)
        passing = [event for event in self._passing if number < event.number <= self.told]
        position = 0
        for event in kept:
            while position < len(passing) and passing[position].number < event.number:
                yield passing[position]
                position += 1
            yield event
        yield from passing[position:]

    def join(self) -> asyncio.Event:
        """An event that is set whenever there is more to read; give it back to `leave`."""
        reader = asyncio.Event()
        self._readers.add(reader)
        return reader

    def leave(self, reader: asyncio.Event) -> None:
        self._readers.discard(reader)

    def stored(self) -> dict[str, Any]:
        """What is kept with the result."""
        return {"epoch": self.epoch, "events": [event.to_list() for event in self.kept]}


def _first_after(events: Sequence[LoggedEvent], number: int) -> int:
    """Index of the first event with a larger number."""
    low, high = 0, len(events)
    while low < high:
        middle = (low + high) // 2
        if events[middle].number <= number:
            low = middle + 1
        else:
            high = middle
    return low


def _done(event: NodeDone) -> dict[str, Any]:
    data: dict[str, Any] = {"node": event.node.display_id, "cached": event.cached}
    if event.output is not None and event.show and _is_small(event.output):
        data["outputs"] = event.output
    return data


def _is_small(output: dict[str, Any]) -> bool:
    try:
        return len(to_json(output)) <= _LARGEST_OUTPUT_BYTES
    except (TypeError, ValueError, RecursionError):
        return False
