"""Sockets to one server: one for each job, under a client id of its own, and one more that is open already.

Connecting takes longer than a short job. What a server tells everybody is taken from the waiting socket and dropped, or
it would fill the server's memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from dataclasses import dataclass, field

from inglenook.client import AsyncClient
from inglenook.client._async.job_stream import AsyncJobStream
from inglenook.client.errors import ClientError


@dataclass(frozen=True, slots=True)
class OwnSocket:
    """An open socket that nobody else's messages come to."""

    client_id: str
    stream: AsyncJobStream = field(repr=False)


class Sockets:
    """Makes the sockets of one server."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._spare: asyncio.Task[OwnSocket] | None = None
        self._emptying: asyncio.Task[None] | None = None

    async def take(self) -> OwnSocket:
        """An open socket for one job; the caller closes its stream. Raises ClientError."""
        spare = await self._take_spare()
        if spare is not None:
            if spare.stream.is_open:
                return spare
            await spare.stream.close()
        return await self._open()

    async def _take_spare(self) -> OwnSocket | None:
        task, self._spare = self._spare, None
        emptying, self._emptying = self._emptying, None
        if emptying is not None:
            emptying.cancel()
            await asyncio.gather(emptying, return_exceptions=True)
        if task is None or not task.done() or task.cancelled() or task.exception() is not None:
            if task is not None and not task.done():
                self._spare = task  # for the next one
            return None
        return task.result()

    async def _open(self) -> OwnSocket:
        socket = OwnSocket(client_id := uuid.uuid4().hex, self._client.stream(client_id))
        try:
            await socket.stream.open()
        except BaseException:
            await socket.stream.close()
            raise
        return socket

    def prepare(self) -> None:
        """Open the next socket in the background, unless it is there."""
        if self._spare is None or (self._spare.done() and self._is_useless(self._spare)):
            self._spare = asyncio.get_running_loop().create_task(self._open())
            self._spare.add_done_callback(self._opened)

    @staticmethod
    def _is_useless(task: asyncio.Task[OwnSocket]) -> bool:
        return task.cancelled() or task.exception() is not None or not task.result().stream.is_open

    def _opened(self, task: asyncio.Task[OwnSocket]) -> None:
        if task.cancelled() or task.exception() is not None:
            return  # the job that needs it will say what is wrong
        if task is self._spare:
            self._emptying = asyncio.get_running_loop().create_task(task.result().stream.skip())

    async def close(self) -> None:
        """Close the socket that waits."""
        task, self._spare = self._spare, None
        for running in (task, self._emptying):
            if running is not None:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError, ClientError):
                    await running
        if task is not None and not task.cancelled() and task.exception() is None:
            await task.result().stream.close()
