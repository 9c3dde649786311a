"""Paths that nothing else serves: routes that node packs added, else 404 or 405.

The device process serves them (`packs/route_server.py`) on a Unix socket that its worker names in `routes_at`. What
such a route does nobody knows, a GET too: reading needs the scope `run`, changing `admin`.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Match, Mount
from starlette.types import Receive, Scope, Send

from inglenook.api import errors
from inglenook.api.access import refusals
from inglenook.api.access.scopes import CALLER_SCOPE
from inglenook.api.access.scopes import Scope as Level
from inglenook.api.deps import Services

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


class PackRoutes:
    """An ASGI app for HTTP and WebSocket."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            from inglenook.api.socket_forwarding import forward_socket

            if (error := _refusal(scope, Level.RUN)) is not None:
                await refusals.refuse(error, scope, receive, send)
                return
            await forward_socket(_routes_at(scope), scope, receive, send)
        else:
            await answer_by_packs(scope, receive, send)


class AnsweredByPacks(Response):
    """What a route returns to leave the answer to packs; `missing` is told when none has one."""

    def __init__(self, missing: errors.ApiError) -> None:
        self.background = None
        self._missing = missing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer_by_packs(scope, receive, send, self._missing)


async def answer_by_packs(scope: Scope, receive: Receive, send: Send, missing: errors.ApiError | None = None) -> None:
    """Answer an HTTP request by a route of a pack. Raises ApiError when none has one: `missing`, or 404 and 405."""
    path = _routes_at(scope)
    allow = None
    if path is not None and scope["method"] in _METHODS:
        from inglenook.api.forwarding import forward  # loaded when there are packs

        if (error := _refusal(scope, Level.RUN if scope["method"] == "GET" else Level.ADMIN)) is not None:
            raise error
        unmatched = await forward(path, scope, receive, send)
        if unmatched is None:
            return
        allow = unmatched.allow
    raise missing or _nothing_there(scope, allow)


def _refusal(scope: Scope, needed: Level) -> errors.ApiError | None:
    has = scope.get(CALLER_SCOPE, Level.ADMIN)
    return None if has >= needed else refusals.scope_too_small(needed.label, has.label)


def _routes_at(scope: Scope) -> str | None:
    """The socket of the first worker that serves routes."""
    services: Services = scope["app"].state.services
    return next((worker.routes_at for worker in services.dispatcher.workers if worker.routes_at is not None), None)


def _nothing_there(scope: Scope, allow: str | None) -> errors.ApiError:
    """allow: methods that packs would take at this path."""
    method, path = scope["method"], scope["path"][:200]
    own = _own_methods(scope)
    allow = ",".join([*own, *(name for name in (allow or "").split(",") if name and name not in own)])
    if method == "GET" and not allow:
        return errors.ApiError(404, "not_found", f"There is nothing at {path}")
    message = f"{method} is not allowed at {path}"
    return errors.ApiError(405, "method_not_allowed", message, headers={"Allow": allow or "GET,HEAD"})


def _own_methods(scope: Scope) -> list[str]:
    """The methods that our own routes take at this path."""
    routes = [route for route in scope["app"].router.routes if not isinstance(route, Mount)]
    found = [
        method
        for method in _METHODS
        if any(route.matches({**scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return [*found, "HEAD"] if "GET" in found else found
