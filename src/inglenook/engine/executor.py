"""Runs graphs: only what the roots need, each node when its sources are done, results from the cache where it has them.

One job at a time. Synchronous nodes run in the calling thread; asynchronous ones on an event loop of the executor's,
which turns between nodes and while nothing else is ready, in the same thread (so a thread with a running event loop
cannot call it).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from inglenook.engine.async_calls import AsyncCalls
from inglenook.engine.cache import Cache, ClassicCache
from inglenook.engine.events import End, Started
from inglenook.engine.execution import Emit, Execution, Run, now_ms
from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.node_class import NodeClasses

__all__ = ["Emit", "Executor", "Run"]


class Executor:
    """Node classes, results and instances kept over runs, and the loop of asynchronous nodes. Close it after use."""

    def __init__(
        self,
        implementations: Mapping[str, NodeImplementation],
        cache: Cache | None = None,
        *,
        on_out_of_memory: Callable[[], None] | None = None,
    ) -> None:
        """on_out_of_memory: called when a node ran out of memory, after the failed call's references are gone."""
        self.cache: Cache = ClassicCache() if cache is None else cache
        self._classes = NodeClasses(implementations)
        self._async_calls = AsyncCalls()
        self._on_out_of_memory = on_out_of_memory

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the event loop and what still runs on it."""
        self._async_calls.close()

    def clear(self) -> None:
        """Forget all results and node instances."""
        self.cache.clear()
        self._classes.clear()

    def execute(self, job: Run, emit: Emit, is_interrupted: Callable[[], bool]) -> End:
        """Run `job` and tell `emit` what happens; the last event is also returned.

        Whatever a node raises becomes a Failed event; KeyboardInterrupt alone passes through.
        """
        emit(Started(now_ms()))
        execution = Execution(
            job, self._classes, self.cache, self._async_calls, emit, is_interrupted, self._on_out_of_memory
        )
        try:
            end = execution.run()
        finally:
            self.cache.end()
        emit(end)
        return end
