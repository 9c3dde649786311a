"""What every request passes before it reaches a route: origin and host check, CORS, body limit, HEAD and OPTIONS.

One ASGI layer around the whole app, so that sockets pass it too. Pages of other sites are kept out by two rules:

* Origin must name the host of Host, or one of `allowed_hosts`, whatever Host is; `null` is refused. Not with CORS.
* DNS rebinding, where a foreign name leads to this server and so both are equal: a server that listens on loopback
  addresses only answers a browser under loopback names (`localhost`, `*.localhost`), IP addresses and `allowed_hosts`.
  A browser is known by Origin, Sec-Fetch-* or Accept-Language, of which it always sends one; curl and SDKs behind a
  reverse proxy that hands on a public Host send none and are served (all but Node's fetch, which sends two of them). A
  server on other addresses is meant to be called by names that it cannot know. With CORS for every origin there is
  nothing left to keep.
"""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inglenook.api.errors import ApiError

logger = logging.getLogger(__name__)

IS_HEAD = "inglenook.is_head"
"""Key of the scope of a HEAD request, which routes see as a GET; for those that end elsewhere."""


class Boundary:
    """Wraps an app."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int,
        cors_origin: str | None,
        allowed_hosts: tuple[str, ...],
        listens_on: str,
    ) -> None:
        """listens_on: addresses, comma-separated."""
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._allowed_hosts = frozenset(_plain(host) for host in allowed_hosts)
        is_local = all(_is_loopback(host.strip()) for host in listens_on.split(","))
        self._checks_hosts = is_local and cors_origin != "*"
        self._cors = None if cors_origin is None else _cors_headers(cors_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if self._cors is None and not self._is_own_origin(headers):
            await self._refuse(scope, receive, send)
            return
        if self._checks_hosts and _is_from_browser(headers) and not self._is_own_name(headers.get(b"host")):
            await self._refuse_host(scope, headers, receive, send)
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
            scope = {**scope, "method": "GET", IS_HEAD: True}
            send = _without_body(send)
        elif method != "GET":
            receive = _limited(receive, self._max_body_bytes)
        await self._app(scope, receive, send)

    def _is_own_origin(self, headers: dict[bytes, bytes]) -> bool:
        """Whether a browser page of another site is not behind this request.

        The hosts must be equal, whichever name or address of this server they are, and ports too when both are given.
        """
        host, origin = headers.get(b"host"), headers.get(b"origin")
        if host is None or origin is None:
            return True
        try:
            ours, theirs = urlsplit(f"//{host.decode('latin-1')}"), urlsplit(origin.decode("latin-1"))
            our_port, their_port = ours.port, theirs.port
        except ValueError:
            return False
        if not theirs.hostname:
            return False
        if _plain(theirs.hostname) in self._allowed_hosts:
            return True
        is_same_port = our_port is None or their_port is None or our_port == their_port
        return _plain(theirs.hostname) == _plain(ours.hostname or "") and is_same_port

    def _is_own_name(self, host: bytes | None) -> bool:
        """Whether a Host can only be this server: not a name that somebody else's DNS may lead to it."""
        if host is None:
            return True
        try:
            name = _plain(urlsplit(f"//{host.decode('latin-1')}").hostname or "")
        except ValueError:
            return False
        return name.endswith(".localhost") or name in self._allowed_hosts or _is_address(name) or _is_loopback(name)

    async def _refuse_host(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        host = headers.get(b"host", b"").decode("latin-1")[:200]
        logger.warning("refused a browser that calls this server %r; allowed_hosts may name it", host)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
            return
        hint = "Call it localhost, or start it with INGLENOOK_ALLOWED_HOSTS naming this host"
        refusal = ApiError(403, "unknown_host", "This server does not go by that name", f"Host is {host!r}. {hint}.")
        await refusal.response()(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        logger.warning("refused a request of another origin to %s", scope["path"])
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "foreign origin"})
            return
        await send({"type": "http.response.start", "status": 403, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def _plain(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_from_browser(headers: dict[bytes, bytes]) -> bool:
    return (
        b"origin" in headers or b"accept-language" in headers or any(name.startswith(b"sec-fetch-") for name in headers)
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


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
    replaced = {name for name, _ in headers}  # a route's own would make two, which browsers take for none

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [header for header in message.get("headers", ()) if header[0].lower() not in replaced]
            message = {**message, "headers": [*own, *headers]}
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
