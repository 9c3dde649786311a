"""`/api/assets/export`: several assets and results of jobs as one zip file, as the official editor downloads them.

The editor asks, is told on its socket (`asset_export`) or asks `/api/tasks/{id}` after ten seconds, and then follows a
link. The event carries no address of a window, and every editor that hears it downloads: it goes out where a user has
one editor open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from inglenook.api.bodies import object_body
from inglenook.api.comfy.asset_shape import AssetRoute, is_uuid
from inglenook.api.comfy.assets import library
from inglenook.api.comfy.jobs import find_job
from inglenook.api.deps import folders, owner, services, settings
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.exports import Export
from inglenook.api.gateway.output_files import archive, files_of, path_of
from inglenook.api.identity import IS_BOUND
from inglenook.api.openapi import object_documentation
from inglenook.assets import AssetGone
from inglenook.jobs import FinishedJob
from inglenook.media import uploads
from inglenook.media.folders import Folders

router = APIRouter(prefix="/api", tags=["assets"], route_class=AssetRoute)

_NAMING = ("group_by_job_time", "group_by_job_id", "preserve", "asset_id")
_MOST = 1000
_MOST_FILES = 2000
_TEXTS = {"type": "array", "items": {"type": "string"}, "maxItems": _MOST}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a body asks for."""

    asset_ids: tuple[str, ...]
    job_ids: tuple[str, ...]
    only: Mapping[str, frozenset[str]]
    """Job -> names of the files that are wanted of it, where that is not all."""
    naming: str
    with_previews: bool


@dataclass(frozen=True, slots=True)
class _File:
    """A file that was found."""

    path: Path
    subfolder: str
    asset_id: str | None = None
    job_id: str | None = None
    made_ms: int = 0


@router.post(
    "/assets/export",
    summary="Several assets as a zip file",
    status_code=202,
    openapi_extra=object_documentation(
        required=True,
        any_of=["asset_ids", "job_ids"],
        asset_ids=_TEXTS,
        job_ids=_TEXTS,
        job_asset_name_filters={"type": "object"},
        naming_strategy={"enum": [*_NAMING]},
        include_previews={"type": "boolean"},
    ),
)
async def post_export(request: Request) -> Response:
    """Take `{"asset_ids"?, "job_ids"?, "job_asset_name_filters"?, "naming_strategy"?, "include_previews"?}`.

    Returns `{"task_id", "status"}`; the archive can be fetched at once, see `/api/tasks/{task_id}`. What is not there
    is left out; 404 when nothing is.
    """
    wanted = _wanted(await object_body(request, settings(request).max_json_depth))
    found = [file async for file in _found(request, wanted)]
    number = len(wanted.asset_ids) + len(wanted.job_ids)
    there = {one for file in found for one in (file.asset_id, file.job_id) if one is not None}
    if not found:
        raise ApiError(404, "ASSET_NOT_FOUND", "None of these assets and jobs has a file")
    files = await asyncio.to_thread(_named, found[:_MOST_FILES], wanted.naming)
    size = await asyncio.to_thread(_size, files)
    user = owner(request)
    export = services(request).exports.add(user, files, wanted=number, failed=number - len(there), size_bytes=size)
    services(request).sockets.tell_only_editor(user, "asset_export", _event(export))
    return JSONResponse({"task_id": export.id, "status": "created"}, status_code=202)


@router.get("/tasks/{task_id}", summary="What has become of an export of assets")
async def get_task(request: Request) -> Response:
    """Return the export as the official editor asks for it; tasks of the gateway are at `/api/task/{task_id}`."""
    export = services(request).exports.get(request.path_params["task_id"])
    if export is None or export.user != owner(request):
        raise ApiError(404, "TASK_NOT_FOUND", "There is no export with this id")
    made = datetime.fromtimestamp(export.made_s, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    times = dict.fromkeys(("create_time", "started_at", "completed_at", "update_time"), made)
    return JSONResponse(
        {
            "id": export.id,
            "idempotency_key": export.id,
            "task_name": "asset_export",
            "status": "completed",
            "payload": {},
            "result": {name: value for name, value in _event(export).items() if name not in ("task_id", "status")},
            **times,
        }
    )


@router.get("/assets/exports/{name}", summary="Where an export can be fetched")
async def get_export(request: Request) -> Response:
    """Return `{"url"}`, below `/api`."""
    return JSONResponse({"url": f"/assets/exports/{_export(request).name}/content"})


@router.get(
    "/assets/exports/{name}/content",
    summary="An export as a zip file",
    response_class=Response,
    responses={200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}},
)
async def get_export_content(request: Request) -> Response:
    """Send the archive, which is made meanwhile; a file that has gone since is left out."""
    export = _export(request)
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(export.name)}", "Cache-Control": "no-store"}
    return StreamingResponse(archive(export.files, {}), media_type="application/zip", headers=headers)


def _export(request: Request) -> Export:
    export = services(request).exports.named(request.path_params["name"])
    if export is None or (request.scope.get(IS_BOUND) and export.user != owner(request)):
        raise ApiError(404, "ASSET_NOT_FOUND", "There is no export with this name, or no longer")
    return export


def _event(export: Export) -> dict[str, Any]:
    """What the editor shows of an export that is ready."""
    return {
        "task_id": export.id,
        "export_name": export.name,
        "assets_total": export.wanted,
        "assets_attempted": export.wanted,
        "assets_failed": export.failed,
        "bytes_total": export.size_bytes,
        "bytes_processed": export.size_bytes,
        "progress": 1,
        "status": "completed",
    }


# What is asked for


def _wanted(body: Mapping[str, Any]) -> _Wanted:
    assets, jobs = _texts(body, "asset_ids"), _texts(body, "job_ids")
    if not assets and not jobs:
        raise ApiError(400, "INVALID_BODY", "Give asset_ids or job_ids")
    only = body.get("job_asset_name_filters") or {}
    if not isinstance(only, dict) or len(only) > _MOST:
        raise ApiError(400, "INVALID_BODY", "job_asset_name_filters must be an object: job -> names")
    naming = body.get("naming_strategy") or _NAMING[0]
    if naming not in _NAMING:
        raise ApiError(400, "INVALID_BODY", f"naming_strategy must be one of {', '.join(_NAMING)}")
    filters = {job: frozenset(_texts(only, job)) for job in only}
    return _Wanted(assets, jobs, filters, naming, body.get("include_previews") is True)


def _texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    given = body.get(name)
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) > _MOST or not all(isinstance(one, str) for one in given):
        raise ApiError(400, "INVALID_BODY", f"{name[:100]} must be a list of up to {_MOST} texts")
    return tuple(dict.fromkeys(given))


# What is there


async def _found(request: Request, wanted: _Wanted) -> AsyncIterator[_File]:
    user = owner(request)
    for asset_id in wanted.asset_ids:
        asset = await library(request).get(asset_id, user) if is_uuid(asset_id) else None
        if asset is not None:
            try:
                path = await library(request).file_of(asset)
            except AssetGone:
                continue
            yield _File(path, asset.place.subfolder, asset.id, asset.job_id, asset.created_ms)
    for job_id in wanted.job_ids:
        job = await find_job(services(request), job_id, user)
        if job is not None and job[1] is not None:
            for file in await asyncio.to_thread(_of_job, folders(request), wanted, job_id, job[1]):
                yield file


def _of_job(folders: Folders, wanted: _Wanted, job_id: str, finished: FinishedJob) -> list[_File]:
    entries, found = files_of(finished.result.outputs), []
    has_results = any(entry["type"] == "output" for entry in entries)
    only = wanted.only.get(job_id)
    for entry in entries:
        is_shown = entry["type"] == "output" or wanted.with_previews or not has_results
        path = path_of(folders, entry) if is_shown else None
        if path is not None and (only is None or entry["filename"] in only):
            found.append(_File(path, entry["subfolder"], job_id=job_id, made_ms=finished.job.created_ms))
    return found


def _named(found: Iterable[_File], naming: str) -> list[tuple[str, Path]]:
    """A name in the archive for each file, which no other has."""
    taken: set[str] = set()
    files = []
    for file in {file.path: file for file in found}.values():
        *folder, name = PurePosixPath(_name(file, naming)).parts
        free = next(one for one in uploads.numbered(name) if "/".join((*folder, one)).casefold() not in taken)
        whole = "/".join((*folder, free))
        taken.add(whole.casefold())
        files.append((whole, file.path))
    return files


def _name(file: _File, naming: str) -> str:
    kept = f"{file.subfolder}/{file.path.name}".replace("\\", "/").lstrip("/")
    match naming:
        case "asset_id" if file.asset_id is not None:
            return f"{file.asset_id}{file.path.suffix}"
        case "group_by_job_id" if file.job_id is not None:
            return f"{_plain(file.job_id)}/{kept}"
        case "group_by_job_time" if file.job_id is not None:
            return f"{datetime.fromtimestamp(file.made_ms / 1000, UTC):%Y-%m-%d_%H-%M-%S}/{kept}"
        case _:
            return kept


def _plain(text: str) -> str:
    """A text as a name of a folder anywhere."""
    return "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "_" for char in text[:100]) or "job"


def _size(files: Iterable[tuple[str, Path]]) -> int:
    size = 0
    for _, path in files:
        try:
            size += path.stat().st_size
        except OSError:
            continue
    return size
