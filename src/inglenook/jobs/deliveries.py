"""The side of the job store that webhooks need; `JobStore.outbox` is one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence

from inglenook.jobs import delivery_queries, outbox
from inglenook.jobs.job import JobId
from inglenook.jobs.operations import Alone
from inglenook.jobs.readers import Readers
from inglenook.jobs.webhooks import Attempt, Delivery, DeliveryFilter, DeliveryPage, DeliveryState, Webhook
from inglenook.jobs.writer import Writer

FINISHED_KEPT = 10_000
KEPT_MS = 7 * 86_400_000
"""How many deliveries that are done are kept, and for how long."""


class Outbox:
    """Registers webhooks, and hands out and finishes deliveries. Raises what the store raises."""

    def __init__(self, writer: Writer, readers: Readers, clock: Callable[[], int]) -> None:
        self._writer = writer
        self._readers = readers
        self._clock = clock

    @property
    def written(self) -> int:
        """A number that grows with every delivery that is written or is to be repeated."""
        return self._writer.ledger.deliveries

    @property
    def has_webhooks(self) -> bool:
        """Whether anybody waits to hear of a job."""
        return self._writer.ledger.webhooks > 0

    def register(self, job_id: JobId, hooks: Sequence[Webhook]) -> asyncio.Future[bool]:
        """Let somebody hear of a job, also of one that has just ended; False when there is no such job.

        `JobStore.add` takes webhooks together with the job.
        """
        now_ms = self._clock()
        return self._writer.submit(
            Alone(lambda connection, ledger: outbox.register_late(connection, ledger, job_id, hooks, now_ms))
        )

    def set_standing(self, hooks: Sequence[Webhook]) -> asyncio.Future[None]:
        """Make these the ones that hear of every job."""
        return self._writer.submit(Alone(lambda connection, ledger: outbox.set_standing(connection, ledger, hooks)))

    async def due(
        self, now_ms: int, limit: int, without: Collection[int] = (), without_origins: Collection[str] = ()
    ) -> list[Delivery]:
        """Deliveries whose time has come, without those under way and those to busy receivers."""
        return await self._readers.ask(delivery_queries.due_deliveries, now_ms, limit, without, without_origins)

    async def next_due_ms(self, after_ms: int) -> int | None:
        return await self._readers.ask(delivery_queries.next_due_ms, after_ms)

    def record(self, delivery: Delivery, attempt: Attempt) -> asyncio.Future[None]:
        """Write down how an attempt at a delivery ended."""
        return self._writer.submit(
            Alone(lambda connection, _ledger: outbox.record_attempt(connection, delivery, attempt))
        )

    def redeliver(self, delivery: Delivery) -> asyncio.Future[None]:
        """Let a delivery be tried again, now."""
        now_ms = self._clock()
        return self._writer.submit(
            Alone(lambda connection, ledger: outbox.redeliver(connection, ledger, delivery.sequence, now_ms))
        )

    def trim(self) -> asyncio.Future[int]:
        """Remove some deliveries that are done and are too old or too many; returns how many."""
        before_ms = self._clock() - KEPT_MS
        return self._writer.submit(
            Alone(lambda connection, _ledger: outbox.trim_deliveries(connection, FINISHED_KEPT, before_ms))
        )

    async def get(self, delivery_id: str, *, user: str | None = None) -> Delivery | None:
        """A delivery (of a user's job)."""
        return await self._readers.ask(delivery_queries.get_delivery, delivery_id, user)

    async def list(self, wanted: DeliveryFilter, *, limit: int, offset: int = 0) -> DeliveryPage:
        """A page of deliveries, newest first."""
        return await self._readers.ask(delivery_queries.list_deliveries, wanted, limit, offset)

    async def counts(self) -> dict[DeliveryState, int]:
        """How many are stored in each state."""
        return await self._readers.ask(delivery_queries.count_deliveries)
