"""uvicorn's WebSocket protocol, hardened: for an exposed server, and for many messages a second.

* Several messages in one write. A short job has a dozen messages for its client within a millisecond; each write of its
  own is a system call, and those were a third of the event loop's time. The ASGI message `{"type": "websocket.send",
  "frames": [bytes, ...]}` sends whole frames together, which may have been made once for many sockets. A connection
  that can take it says so by `EXTENSION` in `scope["extensions"]`.
* A handshake that cannot be read is answered. uvicorn waits for ever where a header line is longer than 8 KB, where
  there are more than 128 of them, or where the request has a body.
* A client that sends more than can be read gets a small part of the event loop: a read may hold 40,000 small frames,
  which take half a second.
* A transport that is closed waits until what is buffered has been sent: for ever, when the client does not read. So it
  gets ABORT_AFTER_S from the moment that the app is done with it, and is then cut.
* Pings go out: proxies cut connections that are silent, and a machine that has vanished acknowledges none, which its
  kernel's limits notice (`server.py`). But no pong is demanded: a script may not read for an hour and then want its
  socket.
"""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import HeaderLineTooLong, RequestLineTooLong, TooManyHeaders
from websockets.frames import CloseCode
from websockets.protocol import State

from inglenook.api.errors import error_response

EXTENSION = "inglenook.websocket.frames"
ABORT_AFTER_S = 5.0
PIECE_BYTES = 1024
"""Most that is parsed at once: up to 170 frames, 2 ms."""
_TURN_S = 0.001
_PAUSE_S = 0.004
_MOST_WAITING = 64
"""Messages that wait for the app; more are not parsed."""
_MOST_FRAGMENTS = 16_384
_LINGER_S = 2.0


class BatchingProtocol(WebSocketsSansIOProtocol):
    """Takes whole frames; neither waits for clients without end nor lets one take the event loop."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.app = _announcing(self.app)
        self._unread: deque[bytes] = deque()
        """What was received and not parsed yet; reading is paused meanwhile."""
        self._next_turn: Any = None
        self._has_failed = False

    # -- in ----------------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        if self._has_failed:
            return
        if not self.handshake_initiated:
            self._shake_hands(data)
        elif not self._unread and len(data) <= PIECE_BYTES:
            super().data_received(data)
        else:
            self._unread.append(data)
            self.transport.pause_reading()
            if self._next_turn is None:
                self._parse()

    def _shake_hands(self, head: bytes) -> None:
        try:
            super().data_received(head)
        except Exception:  # what no HTTP request is made of, such as a path in bytes that are no ASCII
            self.logger.debug("unreadable handshake", exc_info=True)
            self._refuse(400, "invalid_request", "This is no WebSocket handshake")
            return
        error = self.conn.handshake_exc
        if self.handshake_initiated or error is None:
            return
        match error:
            case RequestLineTooLong():
                self._refuse(414, "too_long", "The address is too long for a WebSocket")
            case HeaderLineTooLong() | TooManyHeaders():
                self._refuse(431, "headers_too_large", "The headers are too many or too long for a WebSocket")
            case _:
                self._refuse(400, "invalid_request", "This is no WebSocket handshake")

    def _refuse(self, status: int, kind: str, text: str) -> None:
        body = bytes(error_response(status, kind, text).body)
        head = (
            f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        self.handshake_complete = self.close_sent = True
        self.transport.write(head.encode() + body)
        self.transport.close()

    def _parse(self) -> None:
        """Parse for a moment, then go on a little later."""
        self._next_turn = None
        until = time.monotonic() + _TURN_S
        while self._unread and not self.transport.is_closing():
            if self.queue.qsize() >= _MOST_WAITING and not self.close_sent:
                return  # `receive` goes on
            data = self._unread.popleft()
            if len(data) > PIECE_BYTES:
                self._unread.appendleft(data[PIECE_BYTES:])
            super().data_received(data[:PIECE_BYTES])
            if time.monotonic() > until:
                break
        if self.transport.is_closing():
            self._unread.clear()
        elif self._unread:
            self._next_turn = self.loop.call_later(_PAUSE_S, self._parse)
        elif not self.read_paused:
            self.transport.resume_reading()

    async def receive(self) -> Any:
        message = await self.queue.get()
        if self.read_paused and self.queue.empty():
            self.read_paused = False
            if not self._unread:
                self.transport.resume_reading()
            elif self._next_turn is None:
                self._next_turn = self.loop.call_soon(self._parse)
        return message

    def handle_cont(self, event: Any) -> None:
        if len(self.frames) >= _MOST_FRAGMENTS:  # empty ones have no size that would end it
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.handle_parser_exception()
        else:
            super().handle_cont(event)

    # -- out ---------------------------------------------------------------------------------------------------------

    async def run_asgi(self) -> None:
        try:
            await super().run_asgi()
        finally:
            if not self.disconnected:
                self.loop.call_later(ABORT_AFTER_S, self._abort)

    def _abort(self) -> None:
        if not self.disconnected:
            self.transport.abort()

    async def send(self, message: Any) -> None:
        frames = message.get("frames")
        if frames is None or not self.handshake_complete:
            await super().send(message)
            if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
                self.handshake_complete = True  # refused, as ASGI has it: uvicorn takes it for a fault of the app
            return
        await self.writable.wait()
        if self.disconnected or self.close_sent or self.conn.state is not State.OPEN:
            raise ClientDisconnected
        self.transport.write(b"".join(frames) if len(frames) > 1 else frames[0])

    # -- the end -----------------------------------------------------------------------------------------------------

    def connection_lost(self, exc: Exception | None) -> None:
        self._unread.clear()
        if self._next_turn is not None:
            self._next_turn.cancel()
        super().connection_lost(exc)

    def handle_parser_exception(self) -> None:
        """Say why, and read on for a moment: what is closed with data unread is reset, and the reason lost."""
        closed = self.conn.close_sent
        assert closed is not None
        self._has_failed = True
        self._unread.clear()
        self.queue.put_nowait({"type": "websocket.disconnect", "code": closed.code, "reason": closed.reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.resume_reading()
        # run_asgi leaves closing to this timer
        self.close_timer = self.loop.call_later(_LINGER_S, self.transport.close)

    def shutdown(self) -> None:
        """Tell a client that the server stops: 1001, which is what browsers and libraries take for an ordinary end."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.stop_keepalive()
            self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.GOING_AWAY})
            self.conn.send_close(CloseCode.GOING_AWAY)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()
        else:
            super().shutdown()


def _announcing(app: Any) -> ASGIApp:
    async def announcing(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("extensions", {})[EXTENSION] = {}
        await app(scope, receive, send)

    return announcing
