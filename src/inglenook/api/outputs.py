"""`/api/outputs`: the result files of a server, listed and removed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import folders, owner, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.openapi import choice, query_documentation, whole
from inglenook.api.query_numbers import whole_number
from inglenook.assets import Place
from inglenook.jobs import OutputFile
from inglenook.media import paths, stored_files
from inglenook.media.kinds import FILE_KINDS, file_kind
from inglenook.media.stored_files import StoredFile

router = APIRouter(tags=["inglenook"])

_LIMIT = 50
_MOST = 500


@router.get(
    "/outputs",
    summary="Result files, newest first",
    openapi_extra=query_documentation(
        ("page", "number of the page", whole(1, 1 << 40, 1)),
        ("limit", "files of a page", whole(1, _MOST, _LIMIT)),
        ("kind", "only files of a kind", choice(*FILE_KINDS)),
        ("search", "only files whose path contains this"),
    ),
)
async def get_outputs(request: Request) -> Response:
    """Return `{"outputs", "page", "limit", "total", "has_more"}`.

    An output is `{"filename", "subfolder", "type", "kind", "size", "modified", "url", "prompt_id"?}`, `modified` in
    seconds since the epoch, `prompt_id` that of the job in the history that wrote the file.
    """
    query = request.query_params
    page = whole_number(query, "page", 1, least=1, most=1 << 40)
    limit = whole_number(query, "limit", _LIMIT, least=1, most=_MOST)
    kind = query.get("kind") or None
    if kind is not None and kind not in FILE_KINDS:
        raise ApiError(400, "invalid_kind", f"Unknown kind {kind[:50]!r}: use {', '.join(FILE_KINDS)}")
    found = await asyncio.to_thread(_newest, request, kind, (query.get("search") or "").lower())
    part = found[(page - 1) * limit : page * limit]
    writers = await services(request).store.jobs_of_files({file.name for file in part}, user=owner(request))
    return JSONResponse(
        {
            "outputs": _entries(part, writers),
            "page": page,
            "limit": limit,
            "total": len(found),
            "has_more": page * limit < len(found),
        }
    )


def _newest(request: Request, kind: str | None, search: str) -> list[StoredFile]:
    files = [
        file
        for file in stored_files.walk(folders(request).output)
        if (kind is None or file_kind(file.name) == kind) and search in file.path.lower()
    ]
    files.sort(key=lambda file: (-file.modified_ns, file.path))
    return files


def _entries(files: Sequence[StoredFile], writers: Sequence[OutputFile]) -> list[dict[str, Any]]:
    jobs = {(file.subfolder, file.filename): file.job_id for file in writers if file.type == "output"}
    entries = []
    for file in files:
        place = {"filename": file.name, "subfolder": file.subfolder, "type": "output"}
        entry = {
            **place,
            "kind": file_kind(file.name),
            "size": file.size,
            "modified": file.modified_ns / 1e9,
            "url": f"/api/view?{urlencode(place)}",
        }
        if (file.subfolder, file.name) in jobs:
            entry["prompt_id"] = jobs[file.subfolder, file.name]
        entries.append(entry)
    return entries


@router.delete("/outputs/{path:path}", summary="Remove a result file")
async def delete_output(request: Request) -> Response:
    """Remove a file of the output folder, subfolders first in its path: 204, or 404 when there is none."""
    path = request.path_params["path"]
    await _refuse_of_others(request, path)
    try:
        removed = await asyncio.to_thread(stored_files.remove, folders(request).output, path)
    except OSError as error:
        raise ApiError(409, "not_removed", f"{path[:100]!r} cannot be removed", error.strerror or "") from None
    if not removed:
        raise ApiError(404, "not_found", f"There is no result file {path[:100]!r}")
    opened = services(request).assets
    if opened is not None:
        await opened.library.forget_file(Place("output", "/".join(paths.parts(path))))
    return Response(status_code=204)


async def _refuse_of_others(request: Request, path: str) -> None:
    """Raise ApiError 403 for what a job of another user wrote last, on a server that tells its users apart."""
    user, place = owner(request), paths.parts(path)
    if user is None or not place:
        return
    store = services(request).store
    written = [
        [file for file in found if (file.type, file.subfolder) == ("output", "/".join(place[:-1]))]
        for found in (await store.jobs_of_files([place[-1]]), await store.jobs_of_files([place[-1]], user=user))
    ]
    if written[0] and written[0][-1:] != written[1][-1:]:
        raise ApiError(403, "forbidden", "A job of another user wrote this file")
