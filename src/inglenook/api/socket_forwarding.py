"""Hands a WebSocket on to a Unix socket, where routes of node packs are served: message by message, both ways."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocketClose
from websockets.asyncio.client import ClientConnection, unix_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from inglenook.api.errors import ApiError
from inglenook.api.forwarding import FIRST_BYTE_LIMIT_S, broken, handed_on, late, target, unavailable
from inglenook.packs.route_names import UNMATCHED

_HOST = re.compile(rb"^[A-Za-z0-9._\-]+(:\d{1,5})?$|^\[[0-9A-Fa-f:.]+\](:\d{1,5})?$")
_CLOSE_LIMIT_S = 2.0
_NO_STATUS, _ABNORMAL, _GOING_AWAY, _NORMAL, _INTERNAL_ERROR = 1005, 1006, 1001, 1000, 1011


async def forward_socket(path: str | None, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a WebSocket by what listens at the socket `path`; without one, or without a route for it, refuse it."""
    if (await receive())["type"] != "websocket.connect":
        return
    if path is None:
        await WebSocketClose()(scope, receive, send)
        return
    try:
        upstream = await _connect(path, scope)
    except InvalidStatus as refusal:
        await _refuse(refusal, scope, receive, send)
        return
    except ApiError as error:
        await _deny(error, scope, receive, send)
        return
    async with upstream:
        await send({"type": "websocket.accept", "subprotocol": upstream.subprotocol})
        await _hand_on(upstream, receive, send)


async def _connect(path: str, scope: Scope) -> ClientConnection:
    """Raises ApiError, or InvalidStatus when it is refused."""
    headers = handed_on(scope)
    host = next((value for name, value in headers if name == b"host" and _HOST.match(value)), b"localhost")
    kept = [
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in headers
        if name != b"host" and not name.startswith(b"sec-websocket-")
    ]
    where, question, query = target(scope).partition(b"?")
    # `;` has no meaning in a path, but the parser of addresses drops what follows it
    address = b"ws://" + host + where.replace(b";", b"%3B").replace(b"#", b"%23") + question + query
    try:
        return await unix_connect(
            path,
            address.decode("ascii"),
            additional_headers=kept,
            subprotocols=[Subprotocol(name) for name in scope.get("subprotocols", ())] or None,
            user_agent_header=None,
            compression=None,
            proxy=None,
            max_size=None,
            ping_interval=None,
            open_timeout=FIRST_BYTE_LIMIT_S,
            close_timeout=_CLOSE_LIMIT_S,
        )
    except InvalidStatus:
        raise
    except TimeoutError:
        raise late() from None
    except OSError:
        raise unavailable() from None
    except (WebSocketException, EOFError, ValueError) as error:
        raise broken(str(error)) from None


async def _refuse(refusal: InvalidStatus, scope: Scope, receive: Receive, send: Send) -> None:
    """Hand on why a route wants no socket; one that is no socket at all is refused as unknown paths are."""
    response = refusal.response
    if UNMATCHED in response.headers or response.status_code < 400:
        await WebSocketClose()(scope, receive, send)
        return
    headers = [(b"content-type", response.headers.get("Content-Type", "text/plain").encode("latin-1"))]
    await _answer(response.status_code, headers, bytes(response.body or b""), scope, send)


async def _deny(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    response = error.response()
    await _answer(error.status, response.raw_headers, bytes(response.body), scope, send)


async def _answer(status: int, headers: list[tuple[bytes, bytes]], body: bytes, scope: Scope, send: Send) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": _INTERNAL_ERROR})
        return
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})


async def _hand_on(upstream: ClientConnection, receive: Receive, send: Send) -> None:
    """Hand messages on until one side closes, then close the other."""
    tasks = [asyncio.create_task(_up(upstream, receive)), asyncio.create_task(_down(upstream, send))]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _up(upstream: ClientConnection, receive: Receive) -> None:
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            code = message.get("code", _NO_STATUS)
            await upstream.close(_sendable(code, _GOING_AWAY), _reason(message))
            return
        data = message.get("text")
        with contextlib.suppress(ConnectionClosed):  # `_down` tells the client
            await upstream.send(message["bytes"] if data is None else data)


async def _down(upstream: ClientConnection, send: Send) -> None:
    with contextlib.suppress(OSError):  # the client is gone
        try:
            async for message in upstream:
                kind = "text" if isinstance(message, str) else "bytes"
                await send({"type": "websocket.send", kind: message})
        except ConnectionClosed:
            pass
        code = _sendable(upstream.close_code or _ABNORMAL, _INTERNAL_ERROR)
        await send({"type": "websocket.close", "code": code, "reason": upstream.close_reason or ""})


def _sendable(code: int, broken_off: int) -> int:
    """A close code as a frame may carry it; broken_off: the code for a connection that ended without one."""
    if code == _NO_STATUS:
        return _NORMAL
    if code in (1000, 1001, 1002, 1003, *range(1007, 1015)) or 3000 <= code < 5000:
        return code
    return broken_off


def _reason(message: Any) -> str:
    return str(message.get("reason") or "").encode()[:123].decode("utf-8", "ignore")
