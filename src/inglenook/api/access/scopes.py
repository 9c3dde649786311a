"""What a key is good for, and what a request asks for.

Three levels, each with all of those below it. GETs need `read`; what the editor and clients do to run workflows needs
`run`, listed here; everything else that changes something needs `admin`, so that a route nobody thought of is closed.
"""

from __future__ import annotations

import enum

from starlette.requests import HTTPConnection

CALLER_SCOPE = "inglenook.scope"
"""Key of the ASGI scope under which the caller's `Scope` stands."""


class Scope(enum.IntEnum):
    """A level; a larger one includes the smaller ones."""

    READ = 1
    RUN = 2
    ADMIN = 3

    @property
    def label(self) -> str:
        return self.name.lower()

    @classmethod
    def of(cls, label: str) -> Scope:
        """Raises KeyError for an unknown one."""
        return cls[label.upper()]


UNKNOWN_CALLER = "inglenook.is_unknown"
"""Key of the ASGI scope of a request that is answered although its caller may do nothing: it is told less."""

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_ADMIN_READS = ("/keys", "/internal/logs", "/metrics", "/workers")
_RUN = frozenset(
    {
        "/prompt",
        "/queue",
        "/queue/clear",
        "/clear",
        "/interrupt",
        "/jobs/cancel",
        "/settings",
        "/userdata",
        "/workflow_templates",
        "/batch",
        "/task",
        "/tasks",
        "/workflow",
        "/workflows",
        "/assets",
        "/assets/from-hash",
    }
)
_RUN_BELOW = (
    "/upload/",
    "/interrupt/",
    "/jobs/",
    "/settings/",
    "/userdata/",
    "/workflow_templates/",
    "/batch/",
    "/task/",
    "/tasks/",
    "/workflow/",
    "/workflows/",
    "/run/",
    "/webhooks/",
)
_ASSETS = "/assets/"
_ASSETS_ADMIN = ("/assets/seed", "/assets/prune")


def needed(method: str, path: str) -> Scope:
    """What a request to one of our own routes needs; path: without `/api`. `pack_routes.py` asks more for others."""
    if method in _SAFE:
        return Scope.ADMIN if _is_below(path, _ADMIN_READS) else Scope.READ
    if path in _RUN or path.startswith(_RUN_BELOW):
        return Scope.RUN
    if path.startswith(_ASSETS) and not _is_below(path, _ASSETS_ADMIN):
        return Scope.RUN
    return Scope.ADMIN


def bare(path: str) -> str:
    """A path without `/api` before it."""
    return path[4:] if path.startswith("/api/") else path


def scope_of(connection: HTTPConnection) -> Scope:
    """What the caller of a request or a socket may do; everything where nobody has asked for a key."""
    found: Scope = connection.scope.get(CALLER_SCOPE, Scope.ADMIN)
    return found


def is_unknown(connection: HTTPConnection) -> bool:
    """Whether a caller gave no key where one is needed."""
    return UNKNOWN_CALLER in connection.scope


def _is_below(path: str, roots: tuple[str, ...]) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in roots)
