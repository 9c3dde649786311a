"""What a key has opened ends with the key: sockets are closed, streams break off."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.types import Message, Receive, Send

CLOSE_POLICY = 1008
"""Close code of a socket whose key was revoked (RFC 6455, 7.4.1)."""


class Revoked(OSError):
    """The key of an answer that is still being sent is no longer good; as if the client had gone."""


def ending_stream(ended: asyncio.Event, send: Send) -> Send:
    """`send` that raises Revoked before the next piece of an answer, once the key has ended; a last piece is sent."""

    async def sending(message: Message) -> None:
        if message.get("more_body") and ended.is_set():
            raise Revoked("the key was revoked")
        await send(message)

    return sending


class EndingSocket:
    """Both directions of a WebSocket that is closed when `ended` is set."""

    def __init__(self, ended: asyncio.Event, receive: Receive, send: Send) -> None:
        self._ended = ended
        self._receive = receive
        self._send = send
        self._next: asyncio.Task[Message] | None = None
        self._end = asyncio.ensure_future(ended.wait())
        self._is_closed = False

    async def receive(self) -> Message:
        """The next message; that the client has left, once the key has ended."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._receive())
        await asyncio.wait((self._next, self._end), return_when=asyncio.FIRST_COMPLETED)
        if self._next.done():
            done, self._next = self._next, None
            return done.result()
        if not self._is_closed:
            self._is_closed = True
            with suppress(Exception):  # it may have left meanwhile
                await self._send({"type": "websocket.close", "code": CLOSE_POLICY, "reason": "the key was revoked"})
        return {"type": "websocket.disconnect", "code": CLOSE_POLICY}

    async def send(self, message: Message) -> None:
        if not self._is_closed:
            await self._send(message)

    async def aclose(self) -> None:
        """Wait for nothing any more."""
        waiting = [task for task in (self._next, self._end) if task is not None]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
