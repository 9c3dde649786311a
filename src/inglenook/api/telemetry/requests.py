"""Counts requests by route and status, and logs them where a setting asks for it.

The outer layer sees every answer, also refusals; the inner one knows the route. They share a note in the scope.
"""

from __future__ import annotations

import logging
import time
from urllib.parse import quote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inglenook.api.telemetry.observer import Telemetry

logger = logging.getLogger("inglenook.access")

_NOTE = "inglenook.route"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ELSEWHERE = "other"
"""Route of what no route of ours answered: refusals, files of the front end, routes of node packs."""
_LONGEST_PATH = 500


def note_route(scope: Scope, path: str) -> None:
    """Let the request count under this route, written without `/api`."""
    note = scope.get(_NOTE)
    if note is not None:
        note[0] = path


class NotedRoutes:
    """Wraps the FastAPI app: notes which of its routes answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            path = getattr(scope.get("route"), "path", None)
            if isinstance(path, str) and path != "/":
                note_route(scope, path[4:] if path.startswith("/api/") else path)


class MeteredRequests:
    """Wraps everything."""

    def __init__(self, app: ASGIApp, telemetry: Telemetry, *, is_logged: bool) -> None:
        self._app = app
        self._telemetry = telemetry
        self._is_logged = is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        note = [_ELSEWHERE]
        scope[_NOTE] = note
        status = 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, sending)
        finally:
            self._count(scope, note[0], status, time.perf_counter() - started)

    def _count(self, scope: Scope, route: str, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        self._telemetry.requests.add(method, route, str(status))
        self._telemetry.request_seconds.observe(seconds, route)
        if self._is_logged:
            client = scope.get("client")
            path = quote(scope["path"][:_LONGEST_PATH], errors="replace")  # without the query: keys may stand there
            logger.info("%s %s %s %d %.1f ms", client[0] if client else "-", method, path, status, seconds * 1000)
