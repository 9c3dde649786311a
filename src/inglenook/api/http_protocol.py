"""uvicorn's HTTP protocol with limits for clients that nobody knows yet: size and time of a head, time of a body, and
how many connections there are.

What uvicorn leaves open: a connection that sends nothing, or a byte a minute, stays for ever; a head may have any size.
A client that does not read is the system's to drop (`server.py`: TCP_USER_TIMEOUT). Nothing here costs a short request
more than one sum over its headers.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from inglenook.api import file_sending
from inglenook.api.file_sending import SendingCycle
from inglenook.api.joined_writes import JoinedWrites

logger = logging.getLogger(__name__)

HEAD_BYTES = 64 << 10
HEAD_LINES = 200
HEAD_PATIENCE_S = 30.0
"""From the first byte of a head, or from the start of the connection, to its end."""
BODY_INTERVAL_S = 30.0
BODY_BYTES = 8 << 10
"""A body of which less than this comes in two intervals one after another is given up; a telephone line has more."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends connections that are too slow, too many or too large in their heads."""

    def __init__(self, *arguments: Any, most_connections: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most_connections = most_connections
        self._is_over = False
        """It was answered for the last time."""
        self._in_head = True
        self._head_bytes = 0
        """Of a head that came in several pieces."""
        self._timer: asyncio.TimerHandle | None = None
        self._body_bytes = 0
        """Since the last look at it."""
        self._slow_intervals = 0

    # -- connections ---------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.transport = JoinedWrites(transport, self.loop)  # type: ignore[assignment]
        if len(self.connections) > self._most_connections:
            logger.warning("refused a connection: there are %s", self._most_connections)
            self._refuse(
                503, "too_many_connections", "The server has as many connections as it takes", ("retry-after", "5")
            )
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)
        if isinstance(self.cycle, SendingCycle):
            self.cycle.connection_lost()

    def data_received(self, data: bytes) -> None:
        if self._is_over:
            return
        if self._in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_over:
            return
        if self._in_head and self._head_bytes > HEAD_BYTES:
            self._refuse_head()
        elif self._timer is None and not self._in_head:
            self._wait_for_body()
        elif self._timer is None and self._head_bytes:
            self._wait_for_head()

    def handle_websocket_upgrade(self) -> None:
        if not self._is_over:
            self._is_over = True  # another protocol takes over
            self._stop_timer()
            if isinstance(self.transport, JoinedWrites):
                self.transport = self.transport.transport
            super().handle_websocket_upgrade()

    # -- the parser speaks ---------------------------------------------------------------------------------------------

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._head_bytes = 0
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > HEAD_BYTES or len(self.headers) > HEAD_LINES:
            self._refuse_head()
            return
        sends_files = file_sending.IS_AVAILABLE and self.scheme == "http"
        self.scope["extensions"] = {file_sending.EXTENSION: {}} if sends_files else {}
        before = self.cycle
        super().on_headers_complete()
        if sends_files and self.cycle is not before:  # not for an upgrade
            self.cycle.__class__ = SendingCycle
        self._body_bytes = self._slow_intervals = 0

    def on_body(self, body: bytes) -> None:
        if self._is_over:
            return
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head = True
        self._stop_timer()
        if not self._is_over:
            super().on_message_complete()

    # -- patience ------------------------------------------------------------------------------------------------------

    def _wait_for_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_PATIENCE_S, self._head_is_late)

    def _head_is_late(self) -> None:
        if self._is_answering():  # it has sent a part of its next request already
            self._wait_for_head()
            return
        self._timer = None
        if self._head_bytes:
            self._refuse(408, "too_slow", f"The head of the request did not come within {HEAD_PATIENCE_S:g} s")
        else:
            self._is_over = True
            self.transport.close()

    def _wait_for_body(self) -> None:
        self._timer = self.loop.call_later(BODY_INTERVAL_S, self._look_at_body)

    def _look_at_body(self) -> None:
        """Two intervals, since in one it may have been us who did not read."""
        is_slow = self._body_bytes < BODY_BYTES and not self.flow.read_paused
        self._slow_intervals = self._slow_intervals + 1 if is_slow else 0
        self._body_bytes = 0
        if self._slow_intervals < 2:
            self._wait_for_body()
            return
        self._timer = None
        self._is_over = True
        self.transport.abort()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # -- last answers --------------------------------------------------------------------------------------------------

    def send_400_response(self, msg: str) -> None:
        self._refuse(400, "invalid_request", msg)

    def _refuse_head(self) -> None:
        self._refuse(431, "headers_too_large", f"The head has more than {HEAD_BYTES} bytes or {HEAD_LINES} headers")

    def _refuse(self, status: int, kind: str, message: str, *headers: tuple[str, str]) -> None:
        """Answer and close, whatever else the client sends."""
        self._is_over = True
        self._stop_timer()
        if self._is_answering():
            self.transport.abort()
            return
        body = orjson.dumps({"error": {"type": kind, "message": message, "details": ""}})
        lines = [
            ("content-type", "application/json; charset=utf-8"),
            ("content-length", str(len(body))),
            ("connection", "close"),
            ("x-content-type-options", "nosniff"),
            *headers,
        ]
        head = "".join(f"{name}: {value}\r\n" for name, value in lines)
        self.transport.write(STATUS_LINE[status] + head.encode() + b"\r\n" + body)
        self.transport.close()
