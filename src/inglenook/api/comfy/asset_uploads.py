"""Files that become assets: `POST /api/assets`, `POST /api/assets/from-hash`, and what `/upload/image` stores."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import Any

from fastapi import APIRouter
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.asset_requests import ASSET_FIELDS, HASH, HASH_OR_NONE, Wanted, form_wanted, json_wanted
from inglenook.api.comfy.asset_shape import AssetRoute, asset_fields
from inglenook.api.comfy.assets import fields_of, library, no_asset, require_preview
from inglenook.api.deps import owner, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.forms import parsed_form
from inglenook.api.openapi import form_documentation, object_documentation
from inglenook.assets import Asset, AssetLibrary, Found, Place
from inglenook.jobs import JobStoreError
from inglenook.media import paths, uploads
from inglenook.media.uploads import Pieces

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/api", tags=["assets"], route_class=AssetRoute)

_FIELDS = (
    ("tags", "JSON list or comma-separated; `input` (default), `output` or `models` says where the file goes, and after"
     " `models` the folder: `checkpoints`"),
    ("name", "instead of the name of the file"),
    ("user_metadata", "JSON object", {"type": "object"}),
    ("hash", "of the content, which is compared; without a file, of a content that the server has", HASH_OR_NONE),
    ("mime_type", "what the asset says of itself"),
    ("preview_id", "asset that shows it"),
)  # fmt: skip


@router.post(
    "/assets",
    summary="Upload an asset",
    responses={200: {"description": "The content was there already"}, 201: {"description": "The asset is new"}},
    openapi_extra=form_documentation("file", *_FIELDS),
)
async def post_asset(request: Request) -> Response:
    """Store a form's `file`; returns the asset with `created_new`: 201, or 200 for content that is there already."""
    async with parsed_form(request) as form:
        wanted = form_wanted(request, form)
        await require_preview(request, wanted.preview_id)
        upload = form.get("file")
        if isinstance(upload, UploadFile):
            return await _stored(request, wanted, upload)
    if wanted.hash is None:
        raise ApiError(400, "MISSING_INPUT", "The form has neither a file nor a hash")
    return await _from_hash(request, wanted, wanted.hash)


async def _stored(request: Request, wanted: Wanted, upload: UploadFile) -> Response:
    assets, content = library(request), Pieces(upload.file)
    name = uploads.file_name(wanted.name or upload.filename or "")
    content_hash = await assets.hash_of(content)
    if wanted.hash not in (None, content_hash):
        raise ApiError(400, "HASH_MISMATCH", f"The file has the hash {content_hash}")
    root = wanted.role or "input"
    if root == "temp":
        raise ApiError(400, "INVALID_BODY", "The first tag must be input, output or models")
    known = await _known(request, root, content_hash)
    if known is not None:
        if wanted.labels:
            await assets.add_tags(known, wanted.labels)
        return _answer(await assets.get(known.id, owner(request)), is_new=False)
    folder = _model_folder(wanted) if root == "models" else ""
    place = await assets.store_upload(root, folder, name, content)
    asset = await _note(request, assets, place, content_hash, wanted)
    return _answer(asset, is_new=True)


async def _known(request: Request, root: str, content_hash: str) -> Asset | None:
    """The asset that has this content in this folder already."""
    found = await library(request).with_content(content_hash, owner(request), (root,))
    return None if found is None else found[0]


def _model_folder(wanted: Wanted) -> str:
    """The folder of an uploaded model: `model_type:loras`, or the first tag that is not a role."""
    typed = [tag.removeprefix("model_type:") for tag in wanted.labels if tag.startswith("model_type:")]
    folder = next(iter([*typed, *wanted.labels]), None)
    if folder is None:
        raise ApiError(400, "INVALID_BODY", "A model needs its folder among the tags, such as checkpoints")
    return folder


async def _note(
    request: Request, assets: AssetLibrary, place: Place, content_hash: str, wanted: Wanted
) -> Asset | None:
    found = await asyncio.to_thread(assets.look_at, place)
    if found is None:
        return None
    news = replace(
        found,
        hash=content_hash,
        owner=owner(request) or "",
        tags=wanted.labels,
        mime_type=wanted.mime_type or found.mime_type,
        user_metadata=wanted.user_metadata or {},
        preview_id=wanted.preview_id,
        is_news=True,
    )
    return await assets.note(news, owner(request))


def _answer(asset: Asset | None, *, is_new: bool) -> Response:
    return JSONResponse({**fields_of(asset), "created_new": is_new}, status_code=201 if is_new else 200)


@router.post(
    "/assets/from-hash",
    summary="A further asset of content that the server has",
    responses={200: {"description": "There was such an asset already"}, 201: {"description": "The asset is new"}},
    openapi_extra=object_documentation(required=True, needs=["hash"], **ASSET_FIELDS, hash=HASH),
)
async def post_from_hash(request: Request) -> Response:
    """Make an asset of `{"hash", "name"?, "tags"?, "user_metadata"?, ...}`; 404 when nothing has this content."""
    wanted = await json_wanted(request)
    if wanted.hash is None:
        raise ApiError(400, "MISSING_INPUT", "The body has no hash")
    await require_preview(request, wanted.preview_id)
    return await _from_hash(request, wanted, wanted.hash)


async def _from_hash(request: Request, wanted: Wanted, content_hash: str) -> Response:
    found = await library(request).with_content(content_hash, owner(request))
    if found is None:
        raise no_asset(content_hash)
    source, _path = found
    reference = Found(
        source.place,
        source.size,
        source.modified_ns,
        mime_type=wanted.mime_type or source.mime_type,
        hash=content_hash,
        owner=owner(request) or "",
        name=wanted.name or source.name,
        job_id=source.job_id,
        node_id=source.node_id,
        tags=wanted.labels,
        user_metadata=wanted.user_metadata or {},
        preview_id=wanted.preview_id,
        is_news=True,
    )
    asset, is_new = await library(request).refer(source, reference, owner(request))
    return _answer(asset, is_new=is_new)


async def asset_of_upload(request: Request, kind: str, subfolder: str, name: str, content: Pieces) -> dict[str, Any]:
    """Return `{"asset"}` for the answer of `/upload/image`, `{}` where there is no library.

    Only an editor is told, which sends `Comfy-User` with everything: scripts compare the answer with the three fields
    that it had for years. The file is stored already: a library that cannot answer now does not undo that.
    """
    opened = services(request).assets
    if opened is None:
        return {}
    assets = opened.library
    place = Place(kind, "/".join((*paths.parts(subfolder), name)))
    try:
        asset = await _note(request, assets, place, await assets.hash_of(content), Wanted())
    except JobStoreError as error:
        logger.warning("an upload was not taken into the asset library: %s", error)
        return {}
    if asset is None:
        return {}
    fields = asset_fields(asset)
    told = {name: fields[name] for name in ("id", "name", "size", "mime_type", "tags") if name in fields}
    return {"asset": {**told, "asset_hash": asset.hash}} if "comfy-user" in request.headers else {}
