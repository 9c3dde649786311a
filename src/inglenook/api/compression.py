"""gzip for JSON and plain text, for clients that accept it: ComfyUI's `--enable-compress-response-body`.

Left as they are: answers that are encoded already, ranges, answers without a known end (event streams, what packs send
bit by bit), and every other type. What comes in several parts is compressed part by part, so that none waits for the
others.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inglenook.api.boundary import IS_HEAD

WILL_COMPRESS = "inglenook.will_compress"
"""Key of the scope of a request whose answer is compressed if `is_compressible` says so."""

_TYPES = (b"application/json", b"text/plain")
_SMALL_BYTES = 16 << 10
"""What is compressed at once, in about 0.3 ms; more goes to a thread."""
_LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS

Headers = list[tuple[bytes, bytes]]


class Compressed:
    """Wraps an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope.get(IS_HEAD):
            await self._app(scope, receive, send)
            return
        accepts = accepts_gzip(dict(scope["headers"]).get(b"accept-encoding", b""))
        await self._app({**scope, WILL_COMPRESS: accepts}, receive, _Sender(send, accepts))


def accepts_gzip(accept_encoding: bytes) -> bool:
    """Whether a client that sends this Accept-Encoding takes gzip."""
    for entry in accept_encoding.lower().split(b","):
        coding, _, parameters = entry.partition(b";")
        if coding.strip() in (b"gzip", b"x-gzip", b"*"):
            return not _is_zero(parameters)
    return False


def _is_zero(parameters: bytes) -> bool:
    name, _, value = parameters.partition(b"=")
    return name.strip() == b"q" and value.strip().rstrip(b"0") in (b"", b"0.", b".")


class _Sender:
    """Stands in for `send` in one request."""

    def __init__(self, send: Send, accepts: bool) -> None:
        self._send = send
        self._accepts = accepts
        self._start: MutableMapping[str, Any] | None = None
        """The start of an answer that will be compressed, until its first part says how."""
        self._stream: Any = None
        self._passes = False

    async def __call__(self, message: Message) -> None:
        if self._passes:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._begin(message)
        elif self._start is not None:
            await self._first(message)
        else:
            await self._next(message)

    async def _begin(self, message: Message) -> None:
        headers: Headers = list(message.get("headers", ()))
        if not is_compressible(message["status"], headers):
            self._passes = True
            await self._send(message)
            return
        message = {**message, "headers": _with_vary(headers)}
        if self._accepts:
            self._start = message
        else:
            self._passes = True
            await self._send(message)

    async def _first(self, message: Message) -> None:
        start, self._start = self._start, None
        assert start is not None
        body, more = message.get("body", b""), message.get("more_body", False)
        if (more and not _has(start["headers"], b"content-length")) or (not more and not body):
            self._passes = True
            await self._send(start)
            await self._send(message)
            return
        self._stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        packed = await self._pack(body, is_last=not more)
        length = [] if more else [(b"content-length", str(len(packed)).encode())]
        await self._send({**start, "headers": [*_for_gzip(start["headers"]), *length]})
        await self._send({**message, "body": packed})

    async def _next(self, message: Message) -> None:
        packed = await self._pack(message.get("body", b""), is_last=not message.get("more_body", False))
        await self._send({**message, "body": packed})

    async def _pack(self, body: bytes, *, is_last: bool) -> bytes:
        def pack() -> bytes:
            packed: bytes = self._stream.compress(body)
            return packed + self._stream.flush() if is_last else packed

        return pack() if len(body) <= _SMALL_BYTES else await asyncio.to_thread(pack)


def is_compressible(status: int, headers: Headers) -> bool:
    """Whether this is an answer of the kind that is compressed."""
    if status < 200 or status in (204, 206, 304):
        return False
    known = dict(headers)
    if b"content-encoding" in known or b"content-range" in known:
        return False
    return known.get(b"content-type", b"").partition(b";")[0].strip().lower() in _TYPES


def _has(headers: Headers, name: bytes) -> bool:
    return any(key.lower() == name for key, _ in headers)


def _with_vary(headers: Headers) -> Headers:
    said = b", ".join(value for name, value in headers if name.lower() == b"vary")
    if b"accept-encoding" in said.lower() or b"*" in said:
        return headers
    others = [header for header in headers if header[0].lower() != b"vary"]
    return [*others, (b"vary", said + b", Accept-Encoding" if said else b"Accept-Encoding")]


def _for_gzip(headers: Headers) -> Headers:
    """Headers of a compressed answer: another length, no ranges, a tag that says "the same content" only."""
    kept: Headers = []
    for name, value in headers:
        match name.lower():
            case b"content-length" | b"accept-ranges":
                continue
            case b"etag" if not value.startswith(b"W/"):
                kept.append((name, b"W/" + value))
            case _:
                kept.append((name, value))
    return [*kept, (b"content-encoding", b"gzip")]
