"""`/api/assets`: assets listed, looked at, changed and removed; their tags. Uploads are in `asset_uploads.py`."""

from __future__ import annotations

import asyncio
from typing import Any, cast, get_args
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.asset_services import AssetServices
from inglenook.api.bodies import object_body
from inglenook.api.comfy.asset_requests import (
    ASSET_FIELDS,
    HASH_OR_NONE,
    LARGEST_OFFSET,
    LIMIT,
    MOST,
    TAGS,
    asset_filter,
    asset_part,
    body_tags,
    json_wanted,
)
from inglenook.api.comfy.asset_shape import AssetRoute, asset_fields, is_uuid, page_fields
from inglenook.api.comfy.file_response import answer_with_file, headers_of_uploaded
from inglenook.api.deps import owner, services, settings
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.openapi import SUBFOLDER, WITHOUT_NUL, choice, object_documentation, query_documentation, whole
from inglenook.api.query_numbers import whole_number
from inglenook.assets import MISSING, Asset, AssetFilter, AssetLibrary, Change, Place, Sort, is_hash
from inglenook.media import paths

router = APIRouter(prefix="/api", tags=["assets"], route_class=AssetRoute)
"""Under `/api` alone: a front end has its own files at `/assets`."""

_MOST_COUNTS = 1000
_COUNTS = 100

_FILTERS = (
    ("tags_all", "only assets with all of these tags, comma-separated or repeated", WITHOUT_NUL),
    ("tags_any", "only assets with one of these tags", WITHOUT_NUL),
    ("tags_none", "only assets with none of these tags", WITHOUT_NUL),
    ("name_contains", "only assets whose name contains this", {**WITHOUT_NUL, "maxLength": 1000}),
    ("hash", "only assets with this content", HASH_OR_NONE),
    (
        "metadata_filter",
        "JSON object: only assets whose user_metadata has these values; of a list, one of them",
        {**WITHOUT_NUL, "maxLength": 8192},
    ),
)
_COUNT = ("limit", "tags at most", whole(1, _MOST_COUNTS, _COUNTS))


def library(request: Request) -> AssetLibrary:
    """Return the asset library of the server."""
    return cast(AssetServices, services(request).assets).library


async def settled(request: Request) -> AssetLibrary:
    """Return the library once it has all that jobs have written."""
    await cast(AssetServices, services(request).assets).recorder.settle()
    return library(request)


async def visible_asset(request: Request) -> Asset:
    """Return the asset that a path names. Raises ApiError 404."""
    asset_id: str = request.path_params["asset_id"]
    asset = await library(request).get(asset_id, owner(request)) if is_uuid(asset_id) else None
    if asset is None:
        raise no_asset(asset_id)
    return asset


def no_asset(asset_id: str) -> ApiError:
    return ApiError(404, "ASSET_NOT_FOUND", f"There is no asset {asset_id[:100]!r}")


# Listing


@router.get(
    "/assets",
    summary="Assets, a page at a time",
    openapi_extra=query_documentation(
        *_FILTERS[:-1],
        (
            "hash",
            "only assets with this content, `blake3:` and 64 digits, or the file that loader nodes know so",
            SUBFOLDER,
        ),
        ("limit", "assets of a page", whole(1, MOST, LIMIT)),
        ("offset", "assets before the page", whole(0, LARGEST_OFFSET, 0)),
        ("after", "`next_cursor` of the page before"),
        ("sort", "`created_at` without it", choice(*get_args(Sort))),
        ("order", "`desc` without it", choice("desc", "asc")),
    ),
)
async def get_assets(request: Request) -> Response:
    """Return `{"assets", "total", "has_more", "next_cursor"?}`."""
    query = request.query_params
    part = asset_part(query)
    named = query.get("hash") or ""
    if named and not is_hash(named.lower()):
        found = await _named(request, named)
        return JSONResponse(
            {"assets": [asset_fields(asset) for asset in found], "total": len(found), "has_more": False}
        )
    wanted = asset_filter(query, owner(request))
    assets = await settled(request)
    return JSONResponse(page_fields(await assets.page(wanted, part), part))


async def _named(request: Request, name: str) -> list[Asset]:
    """The assets that a loader node knows by this name; none when there is no such file.

    The editor asks for `hash=<value of a widget>` to find out whether the file of a node is there.
    """
    if len(name) > 4096 or name.startswith("blake3:"):
        raise ApiError(400, "INVALID_QUERY", "hash must be blake3: and 64 hexadecimal digits")
    parts = paths.parts(name)
    assets = library(request)
    shown: list[Asset] = []
    for root in ("input", "output", "temp") if parts else ():
        found = await asyncio.to_thread(assets.look_at, Place(root, "/".join(parts)))
        asset = None if found is None else await assets.note(found, owner(request))
        if asset is not None:
            shown.append(asset)
    return shown


# One asset


@router.get("/assets/{asset_id}", summary="One asset")
async def get_asset(request: Request) -> Response:
    """Return an asset; 404 once its file was found to be gone, though it can still be changed and removed."""
    asset = await visible_asset(request)
    if MISSING in asset.tags:
        raise no_asset(asset.id)
    return JSONResponse(asset_fields(asset))


@router.put(
    "/assets/{asset_id}",
    summary="Change what is said of an asset",
    openapi_extra=object_documentation(required=True, any_of=[*ASSET_FIELDS], **ASSET_FIELDS),
)
async def put_asset(request: Request) -> Response:
    """Set `name`, `tags`, `user_metadata`, `mime_type`, `preview_id`, those that are given; returns the asset."""
    asset, wanted = await visible_asset(request), await json_wanted(request)
    await require_preview(request, wanted.preview_id)
    change = Change(
        name=wanted.name,
        mime_type=wanted.mime_type,
        user_metadata=wanted.user_metadata,
        preview_id=wanted.preview_id,
        removes_preview=wanted.names_preview and wanted.preview_id is None,
        tags=wanted.tags,
    )
    if change == Change():
        raise ApiError(400, "INVALID_BODY", "Give name, tags, user_metadata, mime_type or preview_id")
    return JSONResponse(fields_of(await library(request).change(asset, change, owner(request)), asset.id))


def fields_of(asset: Asset | None, asset_id: str = "") -> dict[str, Any]:
    """Return an asset as clients see it. Raises ApiError 404 when it has been removed meanwhile."""
    if asset is None:
        raise no_asset(asset_id)
    return asset_fields(asset)


async def require_preview(request: Request, preview_id: str | None) -> None:
    """Raise ApiError 400 when an asset that is to be a preview is not there."""
    if preview_id is not None and await library(request).get(preview_id, owner(request)) is None:
        raise ApiError(400, "INVALID_BODY", "preview_id must be the id of an asset")


@router.delete(
    "/assets/{asset_id}",
    summary="Remove an asset",
    openapi_extra=query_documentation(("delete_content", "`true` removes the file, too, unless it is a model")),
)
async def delete_asset(request: Request) -> Response:
    """Take an asset out of the library: 204. Its file stays, unless `delete_content` is given."""
    asset = await visible_asset(request)
    with_file = (request.query_params.get("delete_content") or "").lower() in ("1", "true", "yes")
    await library(request).remove(asset, with_file=with_file)
    return Response(status_code=204)


@router.get(
    "/assets/{asset_id}/content",
    summary="The file of an asset",
    openapi_extra=query_documentation(("disposition", "`attachment` without it", choice("attachment", "inline"))),
)
async def get_content(request: Request) -> Response:
    """Send the file; answers ranges and conditions as `/view` does."""
    disposition = request.query_params.get("disposition") or "attachment"
    if disposition not in ("attachment", "inline"):
        raise ApiError(400, "INVALID_QUERY", "disposition must be attachment or inline")
    asset = await visible_asset(request)
    path = await library(request).file_of(asset)
    headers = headers_of_uploaded(path.name, request.headers)
    is_harmless = not headers["Content-Disposition"].startswith("attachment")
    kind = disposition if is_harmless else "attachment"
    headers["Content-Disposition"] = f"{kind}; filename*=UTF-8''{quote(asset.name, safe='')}"
    answer = await asyncio.to_thread(answer_with_file, path, request.headers, headers)
    await library(request).accessed(asset)
    return answer.response()


@router.get("/assets/hash/{content_hash}", summary="Whether there is an asset with this content")
async def get_hash(request: Request) -> Response:
    """Answer 200 or 404 without a body, to `HEAD` as to `GET`; 400 for what is no hash."""
    content_hash = request.path_params["content_hash"].lower()
    if not is_hash(content_hash):
        raise ApiError(400, "INVALID_HASH", "A hash is blake3: and 64 hexadecimal digits")
    if await library(request).with_content(content_hash, owner(request)) is None:
        raise ApiError(404, "ASSET_NOT_FOUND", "There is no asset with this content")
    return Response()


# Tags


@router.post(
    "/assets/{asset_id}/tags",
    summary="Give an asset tags",
    openapi_extra=object_documentation(required=True, needs=["tags"], tags=TAGS),
)
async def post_tags(request: Request) -> Response:
    """Add `{"tags"}`; returns `{"added", "already_present", "total_tags"}`."""
    asset = await visible_asset(request)
    tags = _some(body_tags(await object_body(request, settings(request).max_json_depth)))
    wanted = [tag for tag in tags if tag not in asset.tags]
    added = await library(request).add_tags(asset, wanted)
    present = [tag for tag in tags if tag not in added]
    return JSONResponse({"added": added, "already_present": present, "total_tags": await _tags_of(request, asset)})


@router.delete(
    "/assets/{asset_id}/tags",
    summary="Take tags from an asset",
    openapi_extra=object_documentation(required=True, needs=["tags"], tags=TAGS),
)
async def delete_tags(request: Request) -> Response:
    """Remove `{"tags"}`; returns `{"removed", "not_present", "total_tags"}`. The tag of its folder stays."""
    asset = await visible_asset(request)
    tags = _some(body_tags(await object_body(request, settings(request).max_json_depth)))
    removed = await library(request).remove_tags(asset, tags)
    absent = [tag for tag in tags if tag not in removed]
    return JSONResponse({"removed": removed, "not_present": absent, "total_tags": await _tags_of(request, asset)})


def _some(tags: tuple[str, ...]) -> tuple[str, ...]:
    if not tags:
        raise ApiError(400, "INVALID_BODY", "tags must be a list of texts, at least one")
    return tags


async def _tags_of(request: Request, asset: Asset) -> list[str]:
    now = await library(request).get(asset.id, owner(request))
    return list(fields_of(now, asset.id)["tags"])


@router.get(
    "/tags",
    summary="Tags with the number of their assets",
    openapi_extra=query_documentation(
        ("prefix", "only tags that begin so"),
        ("order", "`count_desc` without it", choice("count_desc", "name_asc")),
        _COUNT,
        ("offset", "tags before the first", whole(0, LARGEST_OFFSET, 0)),
    ),
)
async def get_tags(request: Request) -> Response:
    """Return `{"tags": [{"name", "count"}], "total", "has_more"}`."""
    query = request.query_params
    order = query.get("order") or "count_desc"
    if order not in ("count_desc", "name_asc"):
        raise ApiError(400, "INVALID_QUERY", "order must be count_desc or name_asc")
    limit = whole_number(query, "limit", _COUNTS, least=1, most=_MOST_COUNTS)
    offset = whole_number(query, "offset", 0, least=0, most=LARGEST_OFFSET)
    assets = await settled(request)
    counts, total = await assets.tag_counts(
        AssetFilter(owner(request)),
        prefix=(query.get("prefix") or "").replace("\0", "")[:200],
        by_name=order == "name_asc",
        limit=limit,
        offset=offset,
    )
    tags = [{"name": tag.name, "count": tag.count} for tag in counts]
    return JSONResponse({"tags": tags, "total": total, "has_more": offset + len(tags) < total})


@router.get(
    "/assets/tags/refine",
    summary="Tags of the assets that match",
    openapi_extra=query_documentation(*_FILTERS, _COUNT),
)
async def get_tag_histogram(request: Request) -> Response:
    """Return `{"tag_counts": {tag: number}}`, the most frequent ones."""
    wanted = asset_filter(request.query_params, owner(request))
    limit = whole_number(request.query_params, "limit", _COUNTS, least=1, most=_MOST_COUNTS)
    counts, _total = await (await settled(request)).tag_counts(wanted, limit=limit)
    return JSONResponse({"tag_counts": {tag.name: tag.count for tag in counts}})
