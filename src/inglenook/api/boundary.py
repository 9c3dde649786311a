"""What every request passes before it reaches a route: origin check and CORS, body limit, HEAD and OPTIONS.

One ASGI layer around the whole app, so that sockets pass it too. Rules: ComfyUI's, with `null` refused as an origin.
"""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inglenook.api.errors import ApiError

logger = logging.getLogger(__name__)


class Boundary:
    """Wraps an app."""

    def __init__(
        self, app: ASGIApp, *, max_body_bytes: int, cors_origin: str | None, allowed_hosts: tuple[str, ...]
    ) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._allowed_hosts = frozenset(host.lower() for host in allowed_hosts)
        self._cors = None if cors_origin is None else _cors_headers(cors_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._cors is None and not self._is_own_origin(headers):
            await self._refuse(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        if self._cors is not None:
            send = _adding(send, self._cors)
        await self._http(scope, headers, receive, send)

    async def _http(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})
            return
        declared = headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > self._max_body_bytes:
            await _too_large(self._max_body_bytes).response()(scope, receive, send)
            return
        if method == "HEAD":
            scope = {**scope, "method": "GET"}
            send = _without_body(send)
        elif method != "GET":
            receive = _limited(receive, self._max_body_bytes)
        await self._app(scope, receive, send)

    def _is_own_origin(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a browser page of another site is not behind this request.

        A page that reaches a loopback server must come from that server: the hosts must be equal, ports too when both
        are given.
        """
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host is None or origin is None:
            return True
        try:
            ours, theirs = urlsplit(f"//{host.decode('latin-1')}"), urlsplit(origin.decode("latin-1"))
            our_port, their_port = ours.port, theirs.port
        except ValueError:
            return False
        name = (ours.hostname or "").lower()
        if not theirs.hostname:
            return False
        if theirs.hostname.lower() in self._allowed_hosts:
            return True
        if not _is_loopback(name):
            return True
        return name == theirs.hostname.lower() and (our_port is None or their_port is None or our_port == their_port)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        logger.warning("refused a request of another origin to %s", scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "foreign origin"})
            return
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", b"POST, GET, DELETE, PUT, OPTIONS, PATCH"),
        (b"access-control-allow-headers", b"Content-Type, Authorization"),
        (b"access-control-allow-credentials", b"true"),
    ]


def _adding(send: Send, headers: list[tuple[bytes, bytes]]) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), *headers]}
        await send(message)

    return sending


def _without_body(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return sending


def _limited(receive: Receive, limit: int) -> Receive:
    size = 0

    async def receiving() -> Message:
        nonlocal size
        message = await receive()
        if message["type"] == "http.request":
            size += len(message.get("body", b""))
            if size > limit:
                raise _too_large(limit)
        return message

    return receiving


def _too_large(limit: int) -> ApiError:
    return ApiError(413, "too_large", f"Maximum request body size {limit} exceeded.")
