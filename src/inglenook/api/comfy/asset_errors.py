"""Errors of the routes of assets: `{"error": {"code", "message", "details"}}`, whoever refused the request.

An ASGI layer, so that a body that is too large, a wrong method, an unknown path or a missing key has that shape too.
"""

from __future__ import annotations

from http import HTTPStatus

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_PATHS = ("/api/assets", "/api/tags")
_CODES = {
    "invalid_json": "INVALID_BODY",
    "invalid_form": "INVALID_BODY",
    "incomplete_body": "INVALID_BODY",
    "no_image": "MISSING_INPUT",
    "invalid_query": "INVALID_QUERY",
    "invalid_file": "INVALID_BODY",
    "error": "INVALID_BODY",
    "internal_error": "INTERNAL",
}
_LARGEST_BYTES = 1 << 16
_JSON = b"application/json; charset=utf-8"
_REPLACED = (b"content-type", b"content-length")


class AssetErrors:
    """Wraps an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] != "HEAD" and _is_of_assets(scope["path"]):
            send = _Answer(send)
        await self._app(scope, receive, send)


def _is_of_assets(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in _PATHS)


class _Answer:
    """Sends an answer on; an error in the shape of other routes, or one without a body, in this one."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400 and _is_json(message):
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        is_whole, start = not message.get("more_body", False), self._start
        if not is_whole and len(self._body) <= _LARGEST_BYTES:
            return
        self._start = None
        if is_whole:
            start, self._body = _translated(start, self._body)
        await self._send(start)
        await self._send({**message, "body": self._body})


def _is_json(start: Message) -> bool:
    headers = {name.lower(): value for name, value in start.get("headers", ())}
    return headers.get(b"content-type", _JSON).startswith(b"application/json") and b"content-encoding" not in headers


def _translated(start: Message, body: bytes) -> tuple[Message, bytes]:
    try:
        error = orjson.loads(body)["error"] if body else _unspoken(start["status"])
        kind, message, details = error["type"], error["message"], error.get("details")
    except (orjson.JSONDecodeError, LookupError, TypeError):
        return start, body
    shown = {"reason": details} if details else {}
    body = orjson.dumps({"error": {"code": _CODES.get(kind, kind.upper()), "message": message, "details": shown}})
    headers = [(name, value) for name, value in start.get("headers", ()) if name.lower() not in _REPLACED]
    length = (b"content-length", str(len(body)).encode())
    return {**start, "headers": [*headers, (b"content-type", _JSON), length]}, body


def _unspoken(status: int) -> dict[str, str]:
    """What an error without a body says, such as the one for pages of other origins."""
    phrase = HTTPStatus(status).phrase
    return {"type": phrase.lower().replace(" ", "_"), "message": phrase}
