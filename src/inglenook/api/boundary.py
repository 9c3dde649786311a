"""What every request passes before it reaches a route: origin and host check, CORS, body limit, HEAD and OPTIONS.

One ASGI layer around the whole app, so that sockets pass it too. Pages of other sites are kept out by two rules:

* Origin must name the host of Host, or one of `allowed_hosts`, whatever Host is; `null` is refused. Not with CORS.
* DNS rebinding, where a foreign name leads to this server and so both are equal: a server that listens on loopback
  addresses only, or whose `allowed_hosts` are told, answers a browser under loopback names (`localhost`,
  `*.localhost`), IP addresses and `allowed_hosts` alone. A browser is known by Origin, Sec-Fetch-* or Accept-Language,
  of which it always sends one; curl and SDKs send none (all but Node's fetch, which sends two of them), and what they
  may do is for `access/` to say. Another server is meant to be called by names that it cannot know. With CORS for every
  origin there is nothing left to keep.

What it adds to every answer keeps browsers from guessing types, from telling other sites where a link was, and, unless
CORS lets other pages in, from showing this server inside them.
"""

from __future__ import annotations

import logging

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inglenook.api import origins
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
        self._allowed_hosts = frozenset(origins.plain(host) for host in allowed_hosts)
        is_local = all(origins.is_loopback(host.strip()) for host in listens_on.split(","))
        self._checks_hosts = (is_local or bool(allowed_hosts)) and cors_origin != "*"
        self._allows_pages = cors_origin is not None
        self._always = _cors_headers(cors_origin) if cors_origin is not None else []
        self._unless_set = _safety_headers(cors_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if scope["type"] == "http":
            send = _adding(send, self._always, self._unless_set)
        if not self._allows_pages and not self._is_own_origin(headers):
            await self._refuse(scope, receive, send)
        elif self._checks_hosts and origins.is_from_browser(headers) and not self._is_own_name(headers.get(b"host")):
            await self._refuse_host(scope, headers, receive, send)
        elif scope["type"] == "websocket":
            await self._app(scope, receive, send)
        else:
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
        """Whether a browser page of another site is not behind this request."""
        host, origin = headers.get(b"host"), headers.get(b"origin")
        return host is None or origin is None or origins.is_own_origin(host, origin, self._allowed_hosts)

    def _is_own_name(self, host: bytes | None) -> bool:
        """Whether a Host can only be this server: not a name that somebody else's DNS may lead to it."""
        if host is None:
            return True
        name = origins.host_name(host)
        return name is not None and (
            name in self._allowed_hosts or origins.is_address(name) or origins.is_loopback(name)
        )

    async def _refuse_host(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        host = headers.get(b"host", b"").decode("latin-1")[:200]
        logger.warning("refused a browser that calls this server %r; allowed_hosts may name it", host)
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
            return
        hint = "Call it localhost, or start it with --allowed-host (INGLENOOK_ALLOWED_HOSTS) naming this host"
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


def _cors_headers(origin: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-methods", b"POST, GET, DELETE, PUT, OPTIONS, PATCH"),
        (b"access-control-allow-headers", b"Content-Type, Authorization, X-API-Key"),
        (b"access-control-allow-credentials", b"true"),
    ]


def _safety_headers(cors_origin: str | None) -> list[tuple[bytes, bytes]]:
    """What every answer says unless a route says otherwise.

    `same-origin`: with `no-referrer` the form of `/login` would be sent with the origin `null`. No
    Cross-Origin-Opener-Policy and no Cross-Origin-Resource-Policy: they would break sign-in windows of the editor, and
    pages that show pictures of this server.
    """
    headers = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"same-origin")]
    if cors_origin is None:
        headers.append((b"x-frame-options", b"SAMEORIGIN"))
    elif cors_origin != "*":
        headers.append((b"content-security-policy", b"frame-ancestors 'self' " + cors_origin.encode("latin-1")))
    return headers


def _adding(send: Send, always: list[tuple[bytes, bytes]], unless_set: list[tuple[bytes, bytes]]) -> Send:
    """always: in place of a route's own, since two would be none for a browser."""
    replaced = {name for name, _ in always}

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = [(name.lower(), value) for name, value in message.get("headers", ())]
            if replaced:
                own = [header for header in own if header[0] not in replaced]
            names = {name for name, _ in own}
            own += always
            own += [header for header in unless_set if header[0] not in names]
            message = {**message, "headers": own}
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
