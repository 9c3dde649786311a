"""Assets and cursors as clients see them: the wire format of `/api/assets`."""

from __future__ import annotations

import base64
import re
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

import orjson
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import services
from inglenook.api.errors import ApiError
from inglenook.assets import Asset, AssetGone, AssetPage, AssetProtected, Cursor, Page
from inglenook.media.kinds import media_kind

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_SHOWN_KINDS = ("image", "video", "audio")

# Assets


def is_uuid(text: str) -> bool:
    """Whether a text is an id as assets have it."""
    return _UUID.fullmatch(text) is not None


def asset_fields(asset: Asset) -> dict[str, Any]:
    """Return an asset as clients see it; what is not known is left out."""
    fields: dict[str, Any] = {
        "id": asset.id,
        "name": asset.name,
        "hash": asset.hash,
        "size": asset.size,
        "mime_type": asset.mime_type,
        "tags": list(asset.tags),
        "preview_url": _preview_url(asset),
        "preview_id": asset.preview_id,
        "user_metadata": {**_job_fields(asset), **asset.user_metadata},
        "metadata": {"filename": asset.place.loader_path} if asset.place.root == "models" else None,
        # The official editor takes a list with a job id of another form for no list at all.
        "job_id": asset.job_id if asset.job_id and is_uuid(asset.job_id) else None,
        "prompt_id": asset.job_id,
        "loader_path": asset.place.loader_path,
        "created_at": _time(asset.created_ms),
        "updated_at": _time(asset.updated_ms),
        "last_access_time": _time(asset.accessed_ms) if asset.accessed_ms else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _job_fields(asset: Asset) -> dict[str, str]:
    """What the editor looks for in the results of a job, to group them and to find those in subfolders."""
    if asset.job_id is None or asset.place.root not in ("output", "temp"):
        return {}
    return {"jobId": asset.job_id, "nodeId": asset.node_id or "", "subfolder": asset.place.subfolder}


def _preview_url(asset: Asset) -> str | None:
    if asset.preview_id is not None:
        return f"/api/assets/{asset.preview_id}/content?disposition=inline"
    if asset.place.root == "models" or media_kind(asset.place.name) not in _SHOWN_KINDS:
        return None
    folder = asset.place.subfolder
    more = f"&subfolder={quote_plus(folder)}" if folder else ""
    return f"/api/view?filename={quote_plus(asset.place.name)}&type={asset.place.root}{more}"


@lru_cache(maxsize=8192)
def _time(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def page_fields(page: AssetPage, part: Page) -> dict[str, Any]:
    """Return a page of assets as clients see it."""
    fields: dict[str, Any] = {
        "assets": [asset_fields(asset) for asset in page.assets],
        "total": page.total,
        "has_more": page.next is not None,
    }
    if page.next is not None:
        fields["next_cursor"] = cursor_text(page.next, part)
    return fields


# Cursors


def cursor_text(cursor: Cursor, part: Page) -> str:
    """Return where a page ended, as a text that only `parsed_cursor` understands."""
    value = orjson.dumps([part.sort, part.descending, cursor.value, cursor.id])
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


def parsed_cursor(text: str, sort: str, descending: bool) -> Cursor:
    """Return what `cursor_text` made. Raises ApiError 400 for another text, or one of another order."""
    try:
        padded = text + "=" * (-len(text) % 4)
        found = orjson.loads(base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True))
    except ValueError:
        found = None
    if isinstance(found, list) and len(found) == 4 and found[:2] == [sort, descending]:
        value, asset_id = found[2:]
        is_value = isinstance(value, str) if sort == "name" else type(value) is int and abs(value) < 1 << 63
        if is_value and isinstance(asset_id, str) and is_uuid(asset_id):
            return Cursor(value, asset_id)
    raise ApiError(400, "INVALID_CURSOR", "after is not a next_cursor of this order")


# Errors


class AssetRoute(APIRoute):
    """A route of the asset library: 503 where there is none. `asset_errors.py` gives errors their shape."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle: Callable[[Request], Awaitable[Response]] = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            if services(request).assets is None:
                raise ApiError(503, "SERVICE_DISABLED", "The asset library of this server is switched off")
            try:
                return await handle(request)
            except AssetGone as error:
                raise ApiError(404, "ASSET_NOT_FOUND", str(error)) from error
            except AssetProtected as error:
                raise ApiError(403, "FORBIDDEN", str(error)) from error

        return guarded
