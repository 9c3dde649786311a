"""`/editor/`: the whole API once more below a prefix.

The editor takes the address of its API from the address of its page, so under `/editor/` it calls `/editor/api/prompt`,
`/editor/ws` and `/editor/extensions/...`. The prefix is taken off before anything else looks at the path: there is
one set of routes, and one set of checks.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/editor"
IS_EDITOR = "inglenook.is_editor"
"""Key of the scope of what came under the prefix."""


class UnderEditor:
    """Wraps an app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"].startswith(f"{PREFIX}/"):
            scope = _without_prefix(scope)
        await self._app(scope, receive, send)


def _without_prefix(scope: Scope) -> Scope:
    raw = scope.get("raw_path")
    start = f"{PREFIX}/".encode()
    if raw is not None and not raw.startswith(start):  # written with escapes, as no editor does
        return scope
    stripped = {**scope, "path": scope["path"].removeprefix(PREFIX), IS_EDITOR: True}
    if raw is not None:
        stripped["raw_path"] = raw[len(PREFIX) :]
    return stripped
