"""Which worker a job goes to: a pure function of what waits and what is free."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from inglenook.workers.worker import Worker, WorkerState

AnyWorker = TypeVar("AnyWorker", bound=Worker)


def choose(class_types: frozenset[str], workers: Sequence[AnyWorker]) -> AnyWorker | None:
    """Return a free worker that knows every node class, or None."""
    for worker in workers:
        if (
            worker.state is WorkerState.READY
            and worker.documents is not None
            and class_types <= worker.documents.keys()
        ):
            return worker
    return None
