"""Routes whose parameters are single segments of the path as it was sent: `a%2Fb` is one, `a/b` two.

ComfyUI names a file of a user in one segment, `/userdata/workflows%2Fa.json`. The decoded path, by which routes are
found otherwise, no longer tells the slashes of a name from those between segments.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Scope


class SegmentRoute(APIRoute):
    """Found by the path as it was sent. Bytes of a parameter that are not UTF-8 become lone surrogates."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches({**scope, "path": _sent_path(scope)})
        if match is not Match.NONE:
            found["path_params"] = {name: _decoded(value) for name, value in found.get("path_params", {}).items()}
        return match, found


def segment_router(tag: str) -> APIRouter:
    """A router of such routes."""
    return APIRouter(tags=[tag], route_class=SegmentRoute)


def _sent_path(scope: Scope) -> str:
    raw: bytes | None = scope.get("raw_path")
    return quote(scope["path"]) if raw is None else raw.decode("latin-1")


def _decoded(value: Any) -> Any:
    return unquote(value, errors="surrogateescape") if isinstance(value, str) else value
