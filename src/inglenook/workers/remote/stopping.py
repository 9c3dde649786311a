"""Stops jobs on a server, and no others.

Servers of today stop a running job by its id. Old ones know a global interrupt alone and ignore the id, so that it is
sent only while the job is the one that runs. It is sent once: some take a second one as an order to stop by force.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto

from inglenook.client import AsyncClient


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


async def stop_all(client: AsyncClient, jobs: Mapping[str, bool]) -> dict[str, bool]:
    """Stop jobs that nobody waits for any more: prompt id -> whether its run has been interrupted already.

    Returns the same of those that the server still had. Raises ClientError.
    """
    queue = await client.queue()
    left = {}
    for prompt_id, was_interrupted in jobs.items():
        if prompt_id in queue:
            place = await stop(client, prompt_id, interrupts=not was_interrupted)
            left[prompt_id] = was_interrupted or place is Place.RUNNING
    return left
