"""What the key behind a connection allows beyond reading: asked where no route stands for it, as on sockets.

A connection that reached the app has been let in; without keys, everybody may do everything.
"""

from __future__ import annotations

from starlette.requests import HTTPConnection

CALLER_SCOPE = "inglenook.scope"
"""Key of the ASGI scope under which the caller's level stands: 1 read, 2 run, 3 admin."""
_RUN, _ADMIN = 2, 3


def may_submit(connection: HTTPConnection) -> bool:
    """Whether the caller may run workflows."""
    return _level(connection) >= _RUN


def may_read_logs(connection: HTTPConnection) -> bool:
    """Whether the caller may see what the server and its nodes print."""
    return _level(connection) >= _ADMIN


def _level(connection: HTTPConnection) -> int:
    level: int = connection.scope.get(CALLER_SCOPE, _ADMIN)
    return level
