"""The tasks that somebody has started: kept until they end, and what they raise is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Set
from typing import Any, TypeVar

Result = TypeVar("Result")


class OwnTasks:
    """Tasks of one owner."""

    def __init__(self, logger: logging.Logger | logging.LoggerAdapter[Any], owner: str) -> None:
        """owner: as messages call it."""
        self._logger = logger
        self._owner = owner
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, coroutine: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        """Run a coroutine; the event loop alone would forget its task."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def cancel(self, *, but: Set[asyncio.Task[Any]] = frozenset()) -> None:
        """Cancel all of them, `but` these."""
        for task in self._tasks - but:
            task.cancel()

    async def ended(self) -> None:
        """Wait until none is left."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._logger.error("a task of %s failed", self._owner, exc_info=error)
