"""An event loop in a thread of its own, beside the thread that runs graphs: routes of packs, their start-up code."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading

logger = logging.getLogger(__name__)


class SideLoop:
    """Runs from `start` to `stop`."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._is_stopping = False

    def start(self) -> SideLoop:
        """Start the thread; it sees the context variables of the caller."""
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="side loop", daemon=True)
        self._thread.start()
        return self

    def _run(self) -> None:
        """Turn until `stop`: a task that raises SystemExit, or stops the loop, does not end it for all others."""
        asyncio.set_event_loop(self.loop)
        while not self._is_stopping:
            try:
                self.loop.run_forever()
            except BaseException:
                logger.exception("code of a node pack tried to end the event loop of all packs")

    def stop(self) -> None:
        """End the loop and its thread; what still runs on it is cancelled."""
        if self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._cancel_all(), self.loop).result(5)
        self._is_stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()
        self._thread = None

    async def _cancel_all(self) -> None:
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
