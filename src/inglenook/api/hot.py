"""A small table in front of FastAPI for the requests that come hundreds of times a second.

A request behind FastAPI's routing, dependencies and exit stacks costs about twice what these handlers cost in all.
They are the same functions that the routers register, so documentation and behaviour cannot drift.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from inglenook.api.access.scopes import bare
from inglenook.api.errors import as_response
from inglenook.api.telemetry import NotedRoutes, note_route

logger = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]


class HotRoutes:
    """Answers some requests itself and hands the others on."""

    def __init__(
        self,
        app: ASGIApp,
        exact: Mapping[tuple[str, str], Handler],
        below: Mapping[tuple[str, str], tuple[str, Handler]],
    ) -> None:
        """exact: (method, path) -> handler. below: (method, prefix with slash) -> (path parameter, handler), for paths
        with exactly one more segment."""
        self._app = app
        self._others = NotedRoutes(app)
        self._exact = {
            (method, prefix + path): handler for (method, path), handler in exact.items() for prefix in ("", "/api")
        }
        self._below = {
            (method, prefix + path): target for (method, path), target in below.items() for prefix in ("", "/api")
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._others(scope, receive, send)
            return
        method, path = scope["method"], scope["path"]
        handler = self._exact.get((method, path))
        if handler is not None:
            note_route(scope, bare(path))
        else:
            head, slash, last = path.rpartition("/")
            target = self._below.get((method, head + slash)) if last else None
            if target is None:
                await self._others(scope, receive, send)
                return
            name, handler = target
            scope["path_params"] = {name: last}
            note_route(scope, f"{bare(head)}/{{{name}}}")
        scope["app"] = self._app
        try:
            response = await handler(Request(scope, receive))
        except Exception as error:
            response = as_response(error)
            if response.status_code == 500:
                logger.exception("%s %s failed", method, path)
        await response(scope, receive, send)
