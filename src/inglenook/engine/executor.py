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
from inglenook.engine.execution import Emit, Execution, Run, Services, now_ms
from inglenook.engine.implementation import NodeImplementation
from inglenook.engine.node_class import NodeClasses
from inglenook.engine.providers import Providers
from inglenook.engine.validators import ValidatorAnswer, ValidatorCall, answer

__all__ = ["Emit", "Executor", "Run"]


class Executor:
    """Node classes, results and instances kept over runs, and the loop of asynchronous nodes. Close it after use."""

    def __init__(
        self,
        implementations: Mapping[str, NodeImplementation],
        cache: Cache | None = None,
        *,
        on_out_of_memory: Callable[[], None] | None = None,
        providers: Providers | None = None,
    ) -> None:
        """on_out_of_memory: called when a node ran out of memory, after the failed call's references are gone.

        providers: caches outside this process.
        """
        self._services = Services(
            NodeClasses(implementations),
            ClassicCache() if cache is None else cache,
            AsyncCalls(),
            on_out_of_memory,
            Providers() if providers is None else providers,
        )

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the event loop and what still runs on it."""
        self._services.async_calls.close()

    def clear(self) -> None:
        """Forget all results and node instances."""
        self._services.cache.clear()
        self._services.classes.clear()

    def validate(self, call: ValidatorCall) -> ValidatorAnswer:
        """Ask the validator of a node class; a class without one has nothing against anything."""
        node_class = self._services.classes.get(call.class_type)
        validator = None if node_class is None else node_class.implementation.validate
        if node_class is None or validator is None:
            return ValidatorAnswer([])
        schema = node_class.implementation.schema
        return answer(call, schema, validator, self._services.async_calls.wait_for)

    def execute(self, job: Run, emit: Emit, is_interrupted: Callable[[], bool]) -> End:
        """Run `job` and tell `emit` what happens; the last event is also returned.

        Whatever a node raises becomes a Failed event; KeyboardInterrupt alone passes through.
        """
        emit(Started(now_ms()))
        try:
            end = Execution(job, self._services, emit, is_interrupted).run()
        finally:
            self._services.cache.end()
        emit(end)
        return end
