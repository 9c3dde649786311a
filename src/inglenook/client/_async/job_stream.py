"""Follows one job over a socket that may fail, with the history behind it."""

from __future__ import annotations

import time
from asyncio import sleep
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any

from inglenook.client.errors import (
    ConnectionFailed,
    Forbidden,
    JobLost,
    ServerFailure,
    StatusError,
    Unauthorized,
)
from inglenook.client.events import Event, JobEnd, NodeOutput, read_message
from inglenook.client.following import Following
from inglenook.client.limits import Limits
from inglenook.client.sockets import AsyncSocket, SocketClosed
from inglenook.client.types import HistoryEntry

_FLAGS = '{"type":"feature_flags","data":{"supports_preview_metadata":true}}'
_QUIET_S = 5.0
"""After this time without a message the history is asked: the socket may be dead without knowing it."""
_AFTER_END_S = 0.5
_ENDED_FOR_S = 10.0
"""How long a job that was told to have ended may take to get into the history."""
_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.1, 2.0
_MISSES_UNTIL_LOST = 3


class AsyncJobStream:
    """The messages of one client id; a context manager that closes the socket.

    socket_url: None when there is no socket to listen to, and only the history tells.
    """

    def __init__(
        self,
        socket_url: str | None,
        headers: Mapping[str, str],
        *,
        use_proxy: bool,
        reconnect_s: float,
        limits: Limits,
        history: Callable[[str], Awaitable[HistoryEntry | None]],
        is_queued: Callable[[str], Awaitable[bool]],
    ) -> None:
        self.end: JobEnd | None = None
        """How the followed job ended."""
        self.outputs: dict[str, Mapping[str, Any]] = {}
        """Node id -> output of the followed job, as far as told."""
        self.connections = 0
        """How often the socket was connected: after more than once, messages may have been missed."""
        self._socket_url = socket_url
        self._headers = headers
        self._use_proxy = use_proxy
        self._reconnect_s = reconnect_s
        self._limits = limits
        self._history = history
        self._is_queued = is_queued
        self._socket: AsyncSocket | None = None
        self._away_since: float | None = None
        self._wait_s = _SHORTEST_WAIT_S
        self._misses = 0

    async def __aenter__(self) -> AsyncJobStream:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Connect if there is a socket to listen to and it is not connected.

        Raises ConnectionFailed, Unauthorized, Forbidden. A server that refuses sockets otherwise has none for us: the
        job is then followed through the history.
        """
        if self._socket is not None or self._socket_url is None:
            return
        try:
            self._socket = await AsyncSocket.connect(
                self._socket_url, self._headers, use_proxy=self._use_proxy, limits=self._limits
            )
            self.connections += 1
            await self._socket.send(_FLAGS)
        except (Unauthorized, Forbidden):
            raise
        except StatusError as error:
            if error.status >= 500:
                raise ConnectionFailed(self._socket_url, str(error)) from error
            self._socket_url = None
        except SocketClosed as error:
            await self.close()
            raise ConnectionFailed(str(self._socket_url), "the socket was closed at once") from error

    @property
    def is_open(self) -> bool:
        """Whether the socket is connected, as far as known; True where there is none to connect."""
        return self._socket_url is None or (self._socket is not None and self._socket.is_open)

    async def skip(self) -> None:
        """Take messages and drop them until the socket closes."""
        try:
            while self._socket is not None:
                await self._socket.receive(_QUIET_S)
        except SocketClosed:
            return

    async def events(self, prompt_id: str, *, is_old: bool = False) -> AsyncGenerator[Event, None]:
        """Yield the events of one job until it is over; see `AsyncClient.events`.

        is_old: it may have ended before the socket was opened.
        """
        following = Following(prompt_id)
        must_ask, ended_at = is_old, 0.0
        while not following.is_over:
            if must_ask or following.has_left:
                for event in self._record(await self._ask_history(following), following):
                    yield event
                if following.is_over:
                    return
            is_ending = following.end is not None or following.has_left
            message, must_ask = await self._next_message(_AFTER_END_S if is_ending else _QUIET_S)
            if message is not None:
                for event in self._record(following.feed(read_message(message)), following):
                    yield event
            if following.end is not None:
                ended_at = ended_at or time.monotonic()
                if time.monotonic() - ended_at > _ENDED_FOR_S:
                    return

    def _record(self, events: list[Event], following: Following) -> list[Event]:
        for event in events:
            if isinstance(event, NodeOutput):
                self.outputs[event.node] = event.output
        self.end = following.end
        return events

    async def _next_message(self, timeout_s: float) -> tuple[str | bytes | None, bool]:
        """Return the next message, if there is one, and whether the history should be asked."""
        try:
            if self._socket is None and self._socket_url is not None:
                await self.open()
                # What happened before it was open is not told there by every server.
                return None, True
            if self._socket is not None:
                message = await self._socket.receive(timeout_s)
                self._wait_s = _SHORTEST_WAIT_S
                return message, message is None
        except SocketClosed:
            await self.close()
        except ConnectionFailed as error:
            self._count_absence(error)
        await sleep(self._wait_s)
        self._wait_s = min(self._wait_s * 1.5, _LONGEST_WAIT_S)
        return None, True

    async def _ask_history(self, following: Following) -> list[Event]:
        """Return the news that the history has. Raises JobLost, and ConnectionFailed after `reconnect_s`."""
        try:
            entry = await self._history(following.prompt_id)
            is_known = entry is not None or following.end is not None or await self._is_queued(following.prompt_id)
        except (ConnectionFailed, ServerFailure) as error:
            self._count_absence(error)
            return []
        self._away_since = None
        if entry is not None:
            return following.catch_up(entry)
        # Between the two questions it may have moved from the queue to the history, so one miss says nothing.
        self._misses = 0 if is_known else self._misses + 1
        if self._misses >= _MISSES_UNTIL_LOST:
            raise JobLost(following.prompt_id)
        return []

    def _count_absence(self, error: ConnectionFailed | ServerFailure) -> None:
        now = time.monotonic()
        self._away_since = self._away_since or now
        if now - self._away_since >= self._reconnect_s:
            raise error

    async def close(self) -> None:
        """Close the socket, if it is open."""
        if self._socket is not None:
            socket, self._socket = self._socket, None
            await socket.close()
