"""Stops jobs on a server, and no others.

Servers of today stop a running job by its id. Old ones know a global interrupt alone and ignore the id, so that it is
sent only while the job is the one that runs. It is sent once: some take a second one as an order to stop by force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

from inglenook.client import AsyncClient
from inglenook.workers.worker import Sent


class Place(Enum):
    """Where a server has a job."""

    GONE = auto()
    WAITING = auto()
    RUNNING = auto()


async def stop(client: AsyncClient, prompt_id: str, *, interrupts: bool = True) -> Place:
    """Take a job out of the queue or interrupt its run; return where it was. Raises ClientError."""
    await client.remove(prompt_id)
    queue = await client.queue()
    if any(entry.prompt_id == prompt_id for entry in queue.running):
        if interrupts:
            await client.interrupt(prompt_id)
        return Place.RUNNING
    return Place.WAITING if prompt_id in queue else Place.GONE


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A job that the server may still have although nobody waits for it."""

    sent: Sent
    was_interrupted: bool = False
    """Its run has been interrupted already."""


async def stop_all(client: AsyncClient, jobs: Mapping[str, GivenUp]) -> dict[str, GivenUp]:
    """Stop jobs that nobody waits for any more (client id -> job); return those that the server still had.

    They are known by their prompt id, or by the client id where the server chose another one. Raises ClientError.
    """
    queue = await client.queue()
    entries = (*queue.running, *queue.pending)
    of_client = {entry.extra_data.get("client_id"): entry.prompt_id for entry in entries}
    left = {}
    for client_id, job in jobs.items():
        prompt_id = job.sent.prompt_id if job.sent.prompt_id in queue else of_client.get(client_id)
        if prompt_id is not None:
            place = await stop(client, prompt_id, interrupts=not job.was_interrupted)
            left[client_id] = replace(job, was_interrupted=job.was_interrupted or place is Place.RUNNING)
    return left
