"""A dispatcher for tests: hears a worker, and lets tests wait for what they expect."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from inglenook.engine.events import AnyEvent, Failed, Interrupted, NodeDone, Succeeded
from inglenook.workers.remote import RemoteWorker
from inglenook.workers.worker import Death, Request, Sent, WorkerState

END = (Succeeded, Failed, Interrupted)


class Listener:
    def __init__(self) -> None:
        self.events: dict[str, list[AnyEvent]] = {}
        self.deaths: dict[str, Death] = {}
        self.ready = 0
        self.sent: dict[str, list[Sent]] = {}
        """Under which names attempts were going to servers, before they did."""
        self.found: dict[str, Sent | None] = {}
        self.wants_attempts = True
        self._changed = asyncio.Condition()

    def worker_ready(self, worker: Any) -> None:
        self.ready += 1
        self._tell()

    def worker_events(self, worker: Any, job_id: str, attempt: int, events: Sequence[AnyEvent]) -> None:
        assert events
        assert not self.ended(job_id), "an event after the end"
        self.events.setdefault(job_id, []).extend(events)
        self._tell()

    def worker_died(self, worker: Any, job_id: str | None, attempt: int, death: Death) -> None:
        assert job_id is not None
        assert job_id not in self.deaths
        self.deaths[job_id] = death
        self._tell()

    def worker_notice(self, worker: Any, name: str, data: Any, client_id: str | None) -> None:
        raise AssertionError("remote servers send no notices")

    async def worker_sends(self, worker: Any, job_id: str, attempt: int, sent: Sent) -> bool:
        self.sent.setdefault(job_id, []).append(sent)
        await asyncio.sleep(0)
        return self.wants_attempts

    def worker_found(self, worker: Any, job_id: str, sent: Sent | None) -> None:
        self.found[job_id] = sent
        self._tell()

    def _tell(self) -> None:
        async def notify() -> None:
            async with self._changed:
                self._changed.notify_all()

        self._task = asyncio.get_running_loop().create_task(notify())

    async def until(self, condition: Callable[[], Any], timeout_s: float = 60) -> Any:
        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(condition)
        except TimeoutError:
            raise AssertionError(f"still not: events {self.events}, deaths {self.deaths}") from None
        return condition()

    def ended(self, job_id: str) -> Any:
        events = self.events.get(job_id) or [None]
        return events[-1] if isinstance(events[-1], END) else None

    async def end(self, job_id: str, timeout_s: float = 60) -> Any:
        """The end event of a job, or its worker's death."""
        return await self.until(lambda: self.ended(job_id) or self.deaths.get(job_id), timeout_s)

    def shown(self, job_id: str) -> dict[str, Any]:
        return {event.node.node_id: event.output for event in self.events[job_id] if isinstance(event, NodeDone)}


def request(job_id: str, graph: dict[str, Any], outputs: Sequence[str] = ("2",), **options: Any) -> Request:
    fields: dict[str, Any] = {"extra_data": {}, "timeout_s": None, "attempt": 1} | options
    return Request(job_id=job_id, graph=orjson.dumps(graph), outputs=tuple(outputs), **fields)


async def is_ready(listener: Listener, worker: RemoteWorker, timeout_s: float = 60) -> None:
    await listener.until(lambda: worker.state is WorkerState.READY, timeout_s)


async def eventually(condition: Callable[[], Any], timeout_s: float = 60) -> None:
    """Wait for something that nobody tells."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
