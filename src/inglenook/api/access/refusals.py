"""What callers hear who may not: JSON for programs, the login page for people, a refused handshake for sockets."""

from __future__ import annotations

import math

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inglenook.api.errors import ApiError

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="inglenook"', "Cache-Control": "no-store"}
_WHERE = (
    "Give it as 'Authorization: Bearer KEY', as 'X-API-Key: KEY', as extra_data.api_key of POST /prompt, as ?token=KEY"
    " of a WebSocket, or log in at /login"
)


def key_missing() -> ApiError:
    return ApiError(401, "unauthorized", "This server needs an API key", _WHERE, _CHALLENGE)


def key_wrong() -> ApiError:
    return ApiError(401, "unauthorized", "The API key is not known here, or is revoked", _WHERE, _CHALLENGE)


def not_from_here(why: str) -> ApiError:
    """why: what makes the request one of another machine."""
    hint = (
        f"This request counts as one of another machine: {why}. Start the server with --api-key, or make a key with"
        " 'inglenook keys add', and give it with each request; --insecure serves everybody without one"
    )
    return ApiError(401, "unauthorized", "Without an API key this server serves its own machine only", hint, _CHALLENGE)


def scope_too_small(needed: str, has: str) -> ApiError:
    details = f"It needs the scope '{needed}'; the key has '{has}'"
    return ApiError(403, "insufficient_scope", "The API key is not good for this request", details)


def foreign_page() -> ApiError:
    details = (
        "A browser's login counts for pages of this server alone, and the browser did not say that this is one. Behind"
        " a proxy, hand on Host with its port (nginx: proxy_set_header Host $http_host), or name it by --allowed-host"
    )
    return ApiError(403, "foreign_origin", "The login does not count for this request", details)


def too_many_wrong_keys(wait_s: float) -> ApiError:
    seconds = math.ceil(wait_s)
    text = f"Too many wrong API keys from this address; try again in {seconds} s"
    return ApiError(429, "too_many_wrong_keys", text, headers={"Retry-After": str(seconds)})


async def refuse(error: ApiError, scope: Scope, receive: Receive, send: Send) -> None:
    """End a request or a handshake with an error."""
    response = error.response()
    if scope["type"] == "http":
        await response(scope, receive, send)
        return
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008, "reason": error.message[:100]})
        return
    headers = response.raw_headers
    await send({"type": "websocket.http.response.start", "status": error.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": bytes(response.body)})


def redirect(where: str, headers: dict[str, str] | None = None) -> Response:
    """See Other: a browser then GETs `where`."""
    return Response(status_code=303, headers={"Location": where, "Cache-Control": "no-store", **(headers or {})})
