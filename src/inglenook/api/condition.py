"""How a server is, in one word and with reasons, found out without waiting for anything that may hang."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from inglenook.api.deps import Services
from inglenook.workers.worker import Worker, WorkerState

Word = Literal["ok", "degraded", "starting", "stopping"]

LEAST_FREE_BYTES = 64 << 20
"""With less than this on its disk a server takes no work from a load balancer: the next result may not fit."""
_LOOK_S = 0.5
"""How long a look at the disk may take; a network folder may hang."""


@dataclass(frozen=True, slots=True)
class Condition:
    """How a server is."""

    word: Word
    is_ready: bool
    """It takes jobs, and they will run."""
    reasons: tuple[str, ...] = ()
    """Why it is not `ok`."""


async def condition_of(server: Services) -> Condition:
    """Return how a server is now."""
    dispatcher = server.dispatcher
    if dispatcher.is_closing:
        return Condition("stopping", False, ("the server is shutting down",))
    if dispatcher.workers and all(worker.documents is None for worker in dispatcher.workers):
        return Condition("starting", False, ("no worker has been ready yet",))
    reasons = ["jobs cannot be stored"] if dispatcher.waits_for_store else []
    for name, path in (("data", server.settings.data_folder), ("output", server.folders.output)):
        free = await free_bytes(path)
        if free is not None and free < LEAST_FREE_BYTES:
            reasons.append(f"the disk of the {name} folder is full: {free >> 20} MB are free")
    is_ready = not reasons
    if not dispatcher.workers:
        reasons.append("there is no worker")
    down = [worker for worker in dispatcher.workers if worker.state not in (WorkerState.READY, WorkerState.BUSY)]
    reasons += [_why_down(worker) for worker in down]
    return Condition("degraded" if reasons else "ok", is_ready, tuple(reasons))


def _why_down(worker: Worker) -> str:
    """In words; a remote server knows more than that it is not there."""
    problem = getattr(worker, "problem", None)
    if problem:
        return f"worker {worker.name} cannot be used: {str(problem)[:300]}"
    return f"worker {worker.name} is starting again"


async def free_bytes(path: Path) -> int | None:
    """Free bytes on the disk of a folder; None when that is not found out soon."""
    try:
        async with asyncio.timeout(_LOOK_S):
            return (await asyncio.to_thread(shutil.disk_usage, path)).free
    except (OSError, TimeoutError):
        return None
