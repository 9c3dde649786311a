"""Which user a browser acts as, where it cannot say so: pictures, sounds and sockets are asked for without headers.

The editor names its user with every request of its scripts. A cookie keeps that name for what its page loads by itself.
It is as little proof of anything as the header is, and counts only for what changes nothing.
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.types import Message, Scope, Send

from inglenook.api import origins

_NAME = "inglenook-user"


def remembered(scope: Scope) -> str | None:
    """The user that a browser acted as last, for a socket or a request that changes nothing."""
    if scope["type"] == "http" and scope["method"] != "GET":  # HEAD is a GET here
        return None
    name = _name(scope)
    for header, value in scope["headers"]:
        if header == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, user = part.strip().partition("=")
                if key == name:
                    return unquote(user, errors="replace")
    return None


def remembering(user: str, scope: Scope, send: Send) -> Send:
    """Have a browser keep the user that a request names, unless it does already."""
    if not origins.is_from_browser(name for name, _ in scope["headers"]) or remembered(scope) == user:
        return send
    cookie = f"{_name(scope)}={quote(user, safe='')}; Path=/; HttpOnly; SameSite=Lax".encode()

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"set-cookie", cookie)]}
        await send(message)

    return sending


def _name(scope: Scope) -> str:
    """Browsers send cookies to every port of a host: two servers must not overwrite each other's."""
    server = scope.get("server")
    return f"{_NAME}-{server[1]}" if server and server[1] else _NAME
