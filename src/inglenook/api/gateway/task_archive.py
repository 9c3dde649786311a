"""`GET /api/task/{task_id}/archive`: everything that a task made, as a zip file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from inglenook.api.deps import owner, services
from inglenook.api.errors import ApiError
from inglenook.api.gateway.output_files import archive, files_of, path_of
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.task_views import whole_task
from inglenook.api.gateway.tasks import known_task
from inglenook.media.folders import Folders

router = APIRouter(prefix="/api", tags=["tasks"])


@router.get(
    "/task/{task_id:path}/archive",
    summary="Everything that a task made, as a zip file",
    response_class=Response,
    responses={
        200: {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}},
        **refusals(404, 409, 503),
    },
)
async def get_archive(request: Request, task_id: str) -> Response:
    """Send the files of a task that has ended, with `task.json` (what `/api/task/{task_id}` tells) and the graph.

    The archive is made while it is sent. 404 when none of the files is there any more.
    """
    server = services(request)
    job, finished = await known_task(server, task_id, owner(request))
    if finished is None:
        raise ApiError(409, "not_ended", "The task has no results yet" if not job.state.is_end else "It never ran")
    files = await asyncio.to_thread(_found, server.folders, finished.result.outputs)
    if not files:
        raise ApiError(404, "no_files", "The task has no files, or they were removed", task_id[:200])
    entry = await whole_task(server, job, finished)
    texts = {"task.json": orjson.dumps(entry, option=orjson.OPT_INDENT_2), "prompt.json": job.graph}
    name = f"{''.join(char for char in job.id if char.isalnum() or char in '-_')[:100] or 'task'}.zip"
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    return StreamingResponse(archive(files, texts), media_type="application/zip", headers=headers)


def _found(folders: Folders, outputs: Mapping[str, Any]) -> list[tuple[str, Path]]:
    """Name in the archive and place of each file that is there."""
    found = []
    for entry in files_of(outputs):
        path = path_of(folders, entry)
        if path is not None:
            above = () if entry["type"] == "output" else (entry["type"],)
            found.append(("/".join((*above, *_parts(entry["subfolder"]), path.name)), path))
    return found


def _parts(subfolder: str) -> list[str]:
    return [part for part in subfolder.replace("\\", "/").split("/") if part not in ("", ".")]
