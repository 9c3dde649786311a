"""WebSocket connections with one face for both clients: connect, send, receive for at most a time, close."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack

import websockets.asyncio.client
import websockets.sync.client
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.protocol import State

from inglenook.client.blackening import of_headers
from inglenook.client.errors import ConnectionFailed, Forbidden, StatusError, Unauthorized
from inglenook.client.limits import Limits

_CONNECT_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 1.0


class SocketClosed(Exception):
    """The connection ended; it may be made again."""


class _Connect(websockets.asyncio.client.connect):
    """Goes where it is told and nowhere else: the servers of this API do not redirect."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class AsyncSocket:
    """An open connection of the asyncio client."""

    def __init__(self, connection: websockets.asyncio.client.ClientConnection) -> None:
        self._connection = connection

    @classmethod
    async def connect(cls, url: str, headers: Mapping[str, str], *, use_proxy: bool, limits: Limits) -> AsyncSocket:
        """Raises ConnectionFailed, or the StatusError with which the server refused."""
        try:
            return cls(
                await _Connect(
                    url,
                    additional_headers=headers,
                    compression=None,
                    max_size=limits.message_bytes,
                    max_queue=limits.waiting_messages,
                    open_timeout=_CONNECT_TIMEOUT_S,
                    close_timeout=_CLOSE_TIMEOUT_S,
                    proxy=True if use_proxy else None,
                )
            )
        except (OSError, WebSocketException, EOFError) as error:
            raise _refusal(url, error, headers) from error

    @property
    def is_open(self) -> bool:
        return self._connection.state is State.OPEN

    async def send(self, text: str) -> None:
        try:
            await self._connection.send(text)
        except ConnectionClosed as error:
            raise SocketClosed from error

    async def receive(self, timeout_s: float) -> str | bytes | None:
        """Return the next message, or None when none came in time. Raises SocketClosed."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connection.recv()
        except TimeoutError:
            return None
        except (ConnectionClosed, OSError) as error:
            raise SocketClosed from error

    async def close(self) -> None:
        await self._connection.close()


class Socket:
    """An open connection of the synchronous client."""

    def __init__(self, connection: websockets.sync.client.ClientConnection, closing: ExitStack) -> None:
        self._connection = connection
        self._closing = closing

    @classmethod
    def connect(cls, url: str, headers: Mapping[str, str], *, use_proxy: bool, limits: Limits) -> Socket:
        """Raises ConnectionFailed, or the StatusError with which the server refused."""
        stack = ExitStack()
        try:
            connection = stack.enter_context(
                websockets.sync.client.connect(
                    url,
                    additional_headers=headers,
                    compression=None,
                    max_size=limits.message_bytes,
                    max_queue=limits.waiting_messages,
                    open_timeout=_CONNECT_TIMEOUT_S,
                    close_timeout=_CLOSE_TIMEOUT_S,
                    proxy=True if use_proxy else None,
                )
            )
        except (OSError, WebSocketException, EOFError) as error:
            raise _refusal(url, error, headers) from error
        return cls(connection, stack)

    @property
    def is_open(self) -> bool:
        return self._connection.state is State.OPEN

    def send(self, text: str) -> None:
        try:
            self._connection.send(text)
        except ConnectionClosed as error:
            raise SocketClosed from error

    def receive(self, timeout_s: float) -> str | bytes | None:
        """Return the next message, or None when none came in time. Raises SocketClosed."""
        try:
            return self._connection.recv(timeout=timeout_s)
        except TimeoutError:
            return None
        except (ConnectionClosed, OSError) as error:
            raise SocketClosed from error

    def close(self) -> None:
        self._closing.close()


def _refusal(url: str, error: Exception, headers: Mapping[str, str]) -> ConnectionFailed | StatusError:
    if isinstance(error, InvalidStatus):
        status, body = error.response.status_code, of_headers(headers).body(bytes(error.response.body or b""))
        kind = {401: Unauthorized, 403: Forbidden}.get(status, StatusError)
        return kind(status, "GET /ws", body[:200].decode("utf-8", "replace"), body)
    return ConnectionFailed(url, str(error) or type(error).__name__)
