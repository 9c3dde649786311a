"""Who is behind a request: the user whose settings, files and jobs it means.

One server for several users (`multi_user`) is told by the header `Comfy-User`, as ComfyUI's editor sends it; a socket,
which a browser opens without headers, by `?user=`; one that says nothing learns it later (`comfy/connected.py`). What a
page loads by itself has no headers either: for that a cookie keeps what the header said (`user_cookie.py`). This is no
protection: whoever may call may name any user. What comes before this layer and knows better (a key that belongs
to a user) puts the id into the scope, and it stays.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from inglenook.api.errors import ApiError
from inglenook.api.user_cookie import remembered, remembering
from inglenook.media.users import DEFAULT_USER, Users

USER = "inglenook.user"
"""Key of the scope under which the user's id stands once it is known; None for a user who is not there."""

IS_BOUND = "inglenook.user_is_bound"
"""Key of the scope: the user is known from a key, not from what the request says."""

IS_OPEN = "inglenook.user_is_open"
"""Key of the scope of a socket: whether neither a key nor the handshake has said whose it is."""


def user_of(connection: HTTPConnection) -> str:
    """Return the id of the user behind a request or a socket. Raises ApiError 401 for a user who is not there."""
    user: str | None = connection.scope.get(USER, DEFAULT_USER)
    if user is None:
        raise ApiError(401, "unknown_user", "The user that Comfy-User names does not exist")
    return user


class Identity:
    """Wraps an app: finds the user of each request and socket once."""

    def __init__(self, app: ASGIApp, users: Users, *, is_multi_user: bool) -> None:
        self._app = app
        self._users = users
        self._is_multi_user = is_multi_user

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if USER in scope:
            self._bind(scope)
        elif self._is_multi_user and scope["type"] in ("http", "websocket"):
            named = _named(scope)
            if named is None:
                scope[USER] = self._remembered(scope)
                scope[IS_OPEN] = scope["type"] == "websocket"
            else:
                scope[USER] = (named or DEFAULT_USER) if self._users.knows(named or DEFAULT_USER) else None
            if named and scope[USER] is not None and scope["type"] == "http":
                send = remembering(named, scope, send)
            if scope[USER] is None and scope["type"] == "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "unknown user"})
                return
        await self._app(scope, receive, send)

    def _remembered(self, scope: Scope) -> str:
        """The user whom nobody names: of the browser, else the default one."""
        user = remembered(scope)
        return user if user is not None and self._users.knows(user) else DEFAULT_USER

    def _bind(self, scope: Scope) -> None:
        """Take the user of a key; where there is one user only, all keys are that one's."""
        if not self._is_multi_user:
            del scope[USER]
            return
        scope[IS_BOUND] = True
        if not self._users.knows(scope[USER]):
            scope[USER] = None


def _named(scope: Scope) -> str | None:
    """The user that a request names: empty for the default one, None without a name."""
    for name, value in scope["headers"]:
        if name == b"comfy-user":
            return bytes(value).decode("utf-8", "replace")
    if scope["type"] == "websocket":
        for user in parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("user", ()):
            return str(user)
    return None
