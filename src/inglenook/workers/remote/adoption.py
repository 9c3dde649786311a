"""Finds attempts on a server that an earlier process of this one sent there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from inglenook.client import AsyncClient, HistoryEntry
from inglenook.client.errors import ClientError
from inglenook.client.types import QueueEntry
from inglenook.workers.worker import Sent

LOOK_AGAIN_S = 1.0
_NEWEST = 50
"""How many runs are looked through for the jobs of a server that chooses ids itself."""


async def find(client: AsyncClient, wanted: Mapping[str, Sent]) -> dict[str, Sent]:
    """Which of these (job id -> names) the server has, waiting, running or ended; under the ids that it calls them by.

    Looks twice, since a submission may still be on its way. Raises ClientError.
    """
    found = await _look(client, wanted)
    if len(found) < len(wanted):
        await asyncio.sleep(LOOK_AGAIN_S)
        found |= await _look(client, {job_id: sent for job_id, sent in wanted.items() if job_id not in found})
    return found


async def _look(client: AsyncClient, wanted: Mapping[str, Sent]) -> dict[str, Sent]:
    # The queue first: what leaves it meanwhile is then in the history.
    queue = await client.queue()
    found = _matches(wanted, (*queue.running, *queue.pending))
    for job_id, sent in wanted.items():
        if job_id not in found and await client.history(sent.prompt_id) is not None:
            found[job_id] = sent
    missing = {job_id: sent for job_id, sent in wanted.items() if job_id not in found}
    return found | _matches(missing, await _newest(client)) if missing else found


async def _newest(client: AsyncClient) -> list[HistoryEntry]:
    try:
        return await client.recent_history(_NEWEST)
    except ClientError:  # such as an answer that is too long: those by id say enough for servers of today
        return []


def _matches(wanted: Mapping[str, Sent], entries: tuple[QueueEntry, ...] | list[HistoryEntry]) -> dict[str, Sent]:
    ids = {entry.prompt_id for entry in entries}
    of_client = {client_id: entry.prompt_id for entry in entries if (client_id := entry.extra_data.get("client_id"))}
    found = {}
    for job_id, sent in wanted.items():
        if sent.prompt_id in ids:
            found[job_id] = sent
        elif sent.client_id in of_client:
            found[job_id] = replace(sent, prompt_id=of_client[sent.client_id])
    return found
