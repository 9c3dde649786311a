"""Who is behind a request: the user whose settings, files and jobs it means."""

from __future__ import annotations

from starlette.requests import HTTPConnection

DEFAULT_USER = "default"
"""Everybody, unless the server tells its users apart."""

USER = "inglenook.user"
"""Key of the scope under which the user's id stands once it is known."""


def user_of(connection: HTTPConnection) -> str:
    """Return the id of the user behind a request or a socket."""
    user: str = connection.scope.get(USER, DEFAULT_USER)
    return user
