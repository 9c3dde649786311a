"""Hands one HTTP request on to a Unix socket, where routes of node packs are served, and its answer back.

Both ways are streams, at the same time: an upload passes through, an answer may never end (server-sent events). Every
request has a connection of its own, which cannot be stale; all of it adds 1 ms to a short request. RFC 9110, 7.6: what
concerns one connection only is not handed on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_from_bytes

import h11
from starlette.types import Receive, Scope, Send

from inglenook.api.boundary import IS_HEAD
from inglenook.api.cache_headers import cache_control
from inglenook.api.errors import ApiError
from inglenook.packs.route_names import UNMATCHED

logger = logging.getLogger(__name__)

FIRST_BYTE_LIMIT_S = 60.0
"""A route must begin to answer within this time after it has got the request."""
_TARGET_LIMIT = 16 << 10
_HEADERS_LIMIT = 64 << 10
_HEADER_COUNT_LIMIT = 200
_ANSWER_HEAD_LIMIT = 1 << 20
_PIECE_BYTES = 64 << 10
_PRINTABLE = bytes(range(0x21, 0x7F))

_ONE_CONNECTION = frozenset(
    (
        b"connection",
        b"expect",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)
_OURS = frozenset((b"date", b"server", UNMATCHED.lower().encode()))

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Unmatched:
    """No route of a pack fits the request."""

    allow: str | None = None
    """Methods that would fit this path, if there are any."""


def unavailable() -> ApiError:
    text = "The process that serves this route is being restarted; try again soon"
    return ApiError(503, "routes_unavailable", text, headers={"Retry-After": "5"})


def broken(details: str = "") -> ApiError:
    return ApiError(502, "route_failed", "The process that serves this route ended before it answered", details)


def late() -> ApiError:
    return ApiError(504, "route_timeout", f"The route did not begin to answer within {FIRST_BYTE_LIMIT_S:g} s")


async def forward(path: str, scope: Scope, receive: Receive, send: Send) -> Unmatched | None:
    """Answer a request by what listens at the socket `path`; None when that is done.

    Raises ApiError: 400, 414, 431 for what is not handed on; 502, 503, 504 when there is no answer; 413 from the limit
    on bodies.
    """
    head = _request(scope)
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=_PIECE_BYTES)
    except OSError:
        raise unavailable() from None
    try:
        return await _Exchange(reader, writer, scope, receive, send).run(head)
    finally:
        writer.transport.abort()


class _Exchange:
    """One request and its answer over a connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._path = scope["path"]
        self._receive = receive
        self._send = send
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_ANSWER_HEAD_LIMIT)
        self._limit = asyncio.timeout(None)
        self._has_head = False
        """Whether the answer has begun to come."""
        self._has_begun = False
        """Whether the client was told of it."""
        self._is_deaf = False
        """Whether the other side reads no more of the body."""

    async def run(self, head: h11.Request) -> Unmatched | None:
        try:
            self._writer.write(self._http.send(head) or b"")
        except h11.LocalProtocolError as error:
            raise ApiError(400, "invalid_request", "The request cannot be handed on", str(error)) from None
        taking, answering = asyncio.create_task(self._take()), asyncio.create_task(self._answer())
        try:
            async with self._limit:
                await asyncio.wait((taking, answering), return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                return answering.result()
            taking.result()
            return None  # the client is gone
        except TimeoutError:
            self._give_up(late())
        except ApiError as error:
            self._give_up(error)
        finally:
            for task in (taking, answering):
                task.cancel()
            await asyncio.gather(taking, answering, return_exceptions=True)
        return None

    def _give_up(self, error: ApiError) -> None:
        """Tell the error, or when the answer has begun, let the server break the connection off."""
        if not self._has_begun:
            raise error
        logger.warning("the answer to %s breaks off: %s", self._path, error)

    # The request

    async def _take(self) -> None:
        """Hand the body on; returns when the client is gone."""
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
            await self._hand_on(message.get("body", b""), more)
        self._wait_at_most(FIRST_BYTE_LIMIT_S)
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _hand_on(self, body: bytes, more: bool) -> None:
        if self._is_deaf:
            return
        self._wait_at_most(FIRST_BYTE_LIMIT_S)
        try:
            data = (self._http.send(h11.Data(body)) or b"") if body else b""
            if not more:
                data += self._http.send(h11.EndOfMessage()) or b""
            self._writer.write(data)
            await self._writer.drain()
        except (OSError, h11.LocalProtocolError):  # it has answered and closed, or has died: `_answer` sees which
            self._is_deaf = True
        if more:
            self._wait_at_most(None)  # a slow client is not the route's fault

    def _wait_at_most(self, seconds: float | None) -> None:
        if self._has_head:
            return
        with contextlib.suppress(RuntimeError):  # the time is up already
            self._limit.reschedule(None if seconds is None else asyncio.get_running_loop().time() + seconds)

    # The answer

    async def _answer(self) -> Unmatched | None:
        """Hand the answer on. Raises ApiError when it does not come or breaks off."""
        while True:
            match await self._next_event():
                case h11.Response() as response:
                    self._wait_at_most(None)
                    self._has_head = True
                    fields = dict(response.headers)
                    if UNMATCHED.lower().encode() in fields:
                        allow = fields.get(b"allow")
                        return Unmatched(None if allow is None else allow.decode("latin-1"))
                    await self._begin(response)
                case h11.Data(data=data):
                    await self._send({"type": "http.response.body", "body": bytes(data), "more_body": True})
                case h11.EndOfMessage():
                    await self._send({"type": "http.response.body", "body": b"", "more_body": False})
                    return None
                case h11.ConnectionClosed():
                    raise broken()

    async def _next_event(self) -> Any:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._reader.read(_PIECE_BYTES))
        except OSError:
            raise broken() from None
        except h11.RemoteProtocolError as error:
            raise broken(str(error)) from None
        return event

    async def _begin(self, response: h11.Response) -> None:
        kept = without_connection(response.headers)
        headers = [(bytes(name), bytes(value)) for name, value in kept if name not in _OURS]
        if not any(name == b"cache-control" for name, _ in headers):
            rule = cache_control(self._path, response.status_code)
            headers += [] if rule is None else [(b"cache-control", rule.encode())]
        self._has_begun = True
        await self._send({"type": "http.response.start", "status": response.status_code, "headers": headers})


# What is handed on


def _request(scope: Scope) -> h11.Request:
    given = dict(scope["headers"])
    headers = [*handed_on(scope), (b"connection", b"close")]
    if b"host" not in given:
        headers.append((b"host", b"localhost"))
    if b"content-length" not in given and b"transfer-encoding" in given:
        headers.append((b"transfer-encoding", b"chunked"))
    method = "HEAD" if scope.get(IS_HEAD) else scope["method"]
    try:
        return h11.Request(method=method, target=target(scope), headers=headers)
    except h11.LocalProtocolError as error:
        raise ApiError(400, "invalid_request", "The request cannot be handed on", str(error)) from None


def handed_on(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The headers of a request without those of its connection. Raises ApiError 431."""
    headers = scope["headers"]
    if len(headers) > _HEADER_COUNT_LIMIT or sum(len(name) + len(value) for name, value in headers) > _HEADERS_LIMIT:
        text = f"The headers are more than {_HEADER_COUNT_LIMIT}, or more than {_HEADERS_LIMIT} bytes"
        raise ApiError(431, "headers_too_large", text)
    return list(without_connection(headers))


def without_connection(headers: Headers) -> Iterator[tuple[bytes, bytes]]:
    """Headers without those that concern the connection, and those that `Connection` names."""
    fields = list(headers)
    named = {
        token.strip().lower() for name, value in fields if name == b"connection" for token in bytes(value).split(b",")
    }
    return (field for field in fields if field[0] not in _ONE_CONNECTION and field[0] not in named)


def target(scope: Mapping[str, Any]) -> bytes:
    """The path as it was sent, with the query.

    Raises ApiError 400 for a path with `..` or control characters, encoded or not: browsers send none, and a route that
    takes a file's name from its path may not be prepared for it. 414 for a very long one.
    """
    path = scope["path"]
    if not path.startswith("/") or any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise ApiError(400, "invalid_path", "The path has characters that no path has")
    if ".." in path.replace("\\", "/").split("/"):
        raise ApiError(400, "invalid_path", "The path has '..' in it")
    raw = scope.get("raw_path") or quote(path).encode()
    query = scope.get("query_string", b"")
    whole = _printable(raw) + (b"?" + _printable(query) if query else b"")
    if len(whole) > _TARGET_LIMIT:
        raise ApiError(414, "too_long", f"The address is longer than {_TARGET_LIMIT} bytes")
    return whole


def _printable(part: bytes) -> bytes:
    """Bytes that a request line cannot have, encoded; the rest as it is."""
    return quote_from_bytes(part, safe=_PRINTABLE).encode("ascii")
