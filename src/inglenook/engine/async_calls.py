"""Asynchronous node functions: an event loop that turns in the executor's thread, between nodes and while it waits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

_POLL_S = 0.05
"""How often a wait looks whether the run was interrupted."""
_CANCEL_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Raised:
    """In place of a value: what an awaited call raised."""

    error: BaseException


async def _settle(awaitable: Awaitable[Any]) -> Any:
    try:
        return await awaitable
    except BaseException as error:  # a node may raise anything; it is told by whoever collects the values
        return Raised(error)


async def _gather(values: Sequence[Any]) -> list[Any]:
    return [await value if isinstance(value, asyncio.Task) else value for value in values]


class AsyncCalls:
    """Calls that are under way, each under a name (the node's id)."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._calls: dict[asyncio.Task[list[Any]], str] = {}
        self._inner: set[asyncio.Task[Any]] = set()

    def __bool__(self) -> bool:
        return bool(self._calls)

    def task(self, awaitable: Awaitable[Any]) -> asyncio.Task[Any]:
        """Let `awaitable` make progress whenever the loop turns, in the current context; its result may be a Raised."""
        task = self._started().create_task(_settle(awaitable))
        self._inner.add(task)
        task.add_done_callback(self._inner.discard)
        if inspect.iscoroutine(awaitable):  # cancelled before its first step it would never be awaited
            task.add_done_callback(lambda _: awaitable.close())
        return task

    @staticmethod
    def any_task(values: Sequence[Any]) -> bool:
        """Whether some of `values` are still to come."""
        for value in values:  # noqa: SIM110 - once per node: a generator would cost more than the loop
            if isinstance(value, asyncio.Task):
                return True
        return False

    def start(self, name: str, values: Sequence[Any]) -> None:
        """Collect `values`, some of which come from `task`, under `name`."""
        self._calls[self._started().create_task(_gather(values))] = name

    def wait_for(self, value: Any) -> Any:
        """`value`, awaited if it is awaitable; raises what it raises."""
        if not inspect.isawaitable(value):
            return value
        result = self._started().run_until_complete(_settle(value))
        if isinstance(result, Raised):
            raise result.error
        return result

    def turn(self) -> None:
        """Give the calls one turn, without waiting."""
        loop = self._started()
        loop.call_soon(loop.stop)
        loop.run_forever()

    def finished(self) -> list[tuple[str, list[Any]]]:
        """Names and values of the calls that ended since the last time."""
        ended = [(task, name) for task, name in self._calls.items() if task.done()]
        for task, _ in ended:
            del self._calls[task]
        return [(name, task.result()) for task, name in ended]

    def wait(self, is_interrupted: Callable[[], bool]) -> None:
        """Turn until a call ends or the run is interrupted."""
        loop = self._started()
        while not any(task.done() for task in self._calls) and not is_interrupted():
            waiting = asyncio.wait(self._calls, timeout=_POLL_S, return_when=asyncio.FIRST_COMPLETED)
            loop.run_until_complete(waiting)

    def cancel(self) -> None:
        """Cancel what is under way and give it a few seconds to end."""
        tasks = [*self._inner, *self._calls]
        self._calls.clear()
        for task in tasks:
            task.cancel()
        if tasks:
            self._started().run_until_complete(asyncio.wait(tasks, timeout=_CANCEL_GRACE_S))

    def close(self) -> None:
        """Cancel everything and close the loop; it is opened again when it is needed."""
        if self._loop is not None:
            self.cancel()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._loop = None

    def _started(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop
