"""Bodies that the system sends from a file itself: ASGI's extension `http.response.zerocopysend`, which uvicorn lacks.

sendfile(2) copies nothing into this process: 8 MB cost 1.5 ms of CPU instead of 3.5. It writes to the socket past the
transport, which works while the transport has nothing to write, reads on, and knows nothing of it; so what waits for
the client is in the system's buffer only. What the system does not have in memory is read by a thread first, since
sendfile would wait for the disk. Linux only, and not with TLS; without the extension in its scope a response sends
pieces itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from inglenook.api.joined_writes import JoinedWrites

EXTENSION = "http.response.zerocopysend"
"""Name of the extension and type of its message: `file` (a descriptor), `offset`, `count`, `more_body`. It stays open
until `send` returns; ASGI: https://asgi.readthedocs.io/en/latest/extensions.html#zero-copy-send"""
IS_AVAILABLE = all(hasattr(os, name) for name in ("sendfile", "RWF_NOWAIT")) and hasattr(socket, "MSG_MORE")

_MOST_BYTES = 2 << 20
"""In one call, which takes half a millisecond of the event loop; smaller ones cost more."""
_LOADED_BYTES = 512 << 10
"""Read from the disk at a time."""
_STEP_BYTES = 256 << 10
"""Between samples of what is in memory: files come and go in large pieces."""
_PIECE_BYTES = 128 << 10
"""Sent at a time where the file system does not know sendfile."""
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class SendingCycle(RequestResponseCycle):
    """uvicorn's request and answer, with the extension."""

    _waiting: asyncio.Future[None] | None = None
    """Done when the client takes more, or has gone."""
    _can_send = True
    """Whether the file system is one that sendfile knows."""

    async def send(self, message: Any) -> None:
        """Send as uvicorn does, or part of a file."""
        if message["type"] == EXTENSION:
            await self._send_file(message["file"], message["offset"], message["count"])
            if message.get("more_body", False):
                return
            message = {"type": "http.response.body"}
        await super().send(message)

    def connection_lost(self) -> None:
        """Wait for the client no longer."""
        _wake(self._waiting)

    async def _send_file(self, file: int, start: int, count: int) -> None:
        if self.disconnected:
            return
        if self.chunked_encoding is not False or count > self.expected_content_length or self.response_complete:
            raise RuntimeError("A file is sent after a head with its Content-Length")
        position, end = start, start + count
        if self._can_send:
            position = await self._send_directly(file, start, end)
        while position < end and not self.disconnected:
            piece = await asyncio.to_thread(os.pread, file, min(end - position, _PIECE_BYTES), position)
            if not piece:
                return
            await super().send({"type": "http.response.body", "body": piece, "more_body": True})
            position += len(piece)

    async def _send_directly(self, file: int, start: int, end: int) -> int:
        """Send bytes [start, end); return where others must go on."""
        transport = self.transport
        assert isinstance(transport, JoinedWrites)
        with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as out:
            out.setblocking(False)
            try:
                await self._send_held(transport, out)
                await self._send_parts(out.fileno(), file, start, end)
            except OSError as error:
                if error.errno in _UNSUPPORTED:
                    self._can_send = False
                    return start
                self.disconnected = True  # or the disk is broken: the answer ends here in any case
                transport.abort()
        return end

    async def _send_held(self, transport: JoinedWrites, out: socket.socket) -> None:
        """Send what the transport still has: the head, and in a pipeline the answers before."""
        held = transport.take()
        if held and not transport.get_write_buffer_size():
            with contextlib.suppress(BlockingIOError):
                held = held[out.send(held, socket.MSG_MORE) :]
        if held:
            transport.transport.write(held)
        if transport.get_write_buffer_size():
            transport.set_write_buffer_limits(high=0)
            try:
                await self.flow.drain()
            finally:
                transport.set_write_buffer_limits()

    async def _send_parts(self, out: int, file: int, position: int, end: int) -> None:
        ready = position  # up to here the file is in memory
        while position < end and not self.disconnected:
            if ready <= position:
                ready = min(end, position + _MOST_BYTES)
                if not _is_in_memory(file, position, ready):
                    ready = min(ready, position + _LOADED_BYTES)
                    await asyncio.to_thread(os.pread, file, ready - position, position)
            try:
                sent = os.sendfile(out, file, position, ready - position)
            except BlockingIOError:
                await self._writable(out)
                continue
            if not sent:  # the file is shorter than it was; uvicorn will say so
                return
            self.expected_content_length -= sent
            position += sent
            # At once the client would take some bytes only, and each call costs something
            await (self._writable(out) if position < ready else asyncio.sleep(0))

    async def _writable(self, out: int) -> None:
        """Wait until the client has taken a good part of what was sent, or has gone."""
        loop = asyncio.get_running_loop()
        self._waiting = waiting = loop.create_future()
        loop.add_writer(out, _wake, waiting)  # a duplicate: event loops let nobody listen to a transport's own
        try:
            await waiting
        finally:
            self._waiting = None
            loop.remove_writer(out)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)


def _is_in_memory(file: int, start: int, end: int) -> bool:
    """Whether the system need not read the disk for bytes [start, end), by samples; False where it cannot tell."""
    byte = [bytearray(1)]
    try:
        for position in (*range(start, end, _STEP_BYTES), end - 1):
            os.preadv(file, byte, position, os.RWF_NOWAIT)
    except OSError:
        return False
    return True
