"""`/api/workflows` and `/api/workflow/{filename}`: stored workflows, listed, read, renamed, copied and removed."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal
from urllib.parse import quote

import orjson
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import object_body
from inglenook.api.deps import services, settings
from inglenook.api.errors import JSONResponse
from inglenook.api.gateway.library_models import (
    Body,
    Filename,
    NewName,
    Version,
    VersionsModel,
    Whole,
    WorkflowDetail,
    WorkflowPage,
    WorkflowSummary,
    json_documentation,
    summary,
    version_entry,
)
from inglenook.api.gateway.library_views import reading
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.api.identity import user_of
from inglenook.api.library import refuse_sample
from inglenook.api.library_entries import ListedWorkflow, entry_of

router = APIRouter(prefix="/api", tags=["workflows"])

_LIMIT = 50
_MOST = 500

Sort = Literal["updated", "created", "name", "size"]


@router.get("/workflows", summary="Stored workflows", response_model=WorkflowPage, responses=refusals(422))
async def get_workflows(
    request: Request,
    search: Annotated[str, Query(max_length=1000, description="Part of a name, a description or a tag")] = "",
    tags: Annotated[str, Query(max_length=2000, description="Only with all of these; separated by commas")] = "",
    sort: Annotated[Sort, Query(description="By what; names upwards, all others downwards")] = "updated",
    order: Annotated[Literal["asc", "desc"] | None, Query(description="The other way round")] = None,
    samples: Annotated[bool, Query(description="With the samples that ship with the server")] = True,
    page: Annotated[int, Query(ge=1, le=1 << 31)] = 1,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = _LIMIT,
) -> Response:
    """List the workflows of the user, newest first; samples come after them until they are copied."""
    found = await services(request).library.list_all(user_of(request))
    wanted = [tag.strip().casefold() for tag in tags.replace("，", ",").split(",") if tag.strip()]
    kept = await asyncio.to_thread(_select, found, search.casefold(), wanted, samples)
    is_downwards = order == "desc" if order is not None else sort != "name"
    ranked = await asyncio.to_thread(_sorted, kept, sort, is_downwards)
    part = ranked[(page - 1) * limit : page * limit]
    return JSONResponse(
        {
            "workflows": [summary(one) for one in part],
            "page": page,
            "limit": limit,
            "total": len(ranked),
            "has_more": page * limit < len(ranked),
            "tags": dict(Counter(tag for one in kept for tag in one.tags).most_common()),
        }
    )


def _select(found: Sequence[ListedWorkflow], search: str, tags: Sequence[str], samples: bool) -> list[ListedWorkflow]:
    return [
        one
        for one in found
        if (samples or not one.is_sample)
        and (not search or search in "\n".join((one.name, one.description, *one.tags)).casefold())
        and {*tags} <= {tag.casefold() for tag in one.tags}
    ]


def _sorted(found: Sequence[ListedWorkflow], sort: Sort, is_downwards: bool) -> list[ListedWorkflow]:
    by_name = sorted(found, key=lambda one: (one.name.casefold(), one.name), reverse=is_downwards and sort == "name")
    if sort == "name":
        return by_name
    keys = {
        "updated": lambda one: one.updated_ms,
        "created": lambda one: one.created_ms,
        "size": lambda one: one.size_bytes,
    }
    return sorted(by_name, key=keys[sort], reverse=is_downwards)


@router.get(
    "/workflow/{filename}",
    summary="A stored workflow",
    response_model=WorkflowDetail,
    responses=refusals(400, 404, 422),
)
async def get_workflow(request: Request, filename: Filename, version: Version = None) -> Response:
    """Return the workflow, its graph, its parameters, what it makes, and what it needs that is not there."""
    user, library = user_of(request), services(request).library
    stored = await library.get(user, filename, version)
    opened = await library.opened(stored)
    listed, versions = await library.versions(user, stored.name)
    return JSONResponse(
        {
            **summary(listed),
            "shown_version": stored.version,
            "workflow": opened.document,
            "graph": opened.graph,
            **await reading(opened),
            "versions": [version_entry(listed, one) for one in versions],
        }
    )


@router.delete(
    "/workflow/{filename}",
    summary="Remove a stored workflow",
    status_code=204,
    response_class=Response,
    responses=refusals(404, 409),
)
async def delete_workflow(request: Request, filename: Filename) -> Response:
    """Remove a workflow with all its versions. Its runs stay in the history."""
    await services(request).library.remove(user_of(request), filename)
    return Response(status_code=204)


@router.get(
    "/workflow/{filename}/download",
    summary="The file of a stored workflow",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": {"type": "object"}}}}, **refusals(400, 404, 422)},
)
async def get_workflow_download(
    request: Request,
    filename: Filename,
    version: Version = None,
    format: Annotated[Literal["stored", "api"], Query(description="`api`: converted to API format")] = "stored",
) -> Response:
    """Send the workflow as a file to be saved."""
    library = services(request).library
    stored = await library.get(user_of(request), filename, version)
    opened = await library.opened(stored)
    document = opened.graph if format == "api" else opened.document
    data = await asyncio.to_thread(orjson.dumps, document, option=orjson.OPT_INDENT_2)
    disposition = f"attachment; filename*=UTF-8''{quote(stored.name, safe='')}"
    headers = {"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"}
    return Response(data, media_type="application/json", headers=headers)


@router.get(
    "/workflow/{filename}/versions",
    summary="Versions of a stored workflow",
    response_model=VersionsModel,
    responses=refusals(404),
)
async def get_workflow_versions(request: Request, filename: Filename) -> Response:
    """List the versions that are kept, the newest first."""
    listed, versions = await services(request).library.versions(user_of(request), filename)
    return JSONResponse({"filename": listed.name, "versions": [version_entry(listed, one) for one in versions]})


@router.post(
    "/workflow/{filename}/versions/{version}/restore",
    summary="Make an older version the newest",
    response_model=WorkflowSummary,
    responses=refusals(404, 409, 422),
)
async def post_restore(request: Request, filename: Filename, version: int) -> Response:
    """Store an older version once more, as the newest one; those in between stay."""
    user, library = user_of(request), services(request).library
    stored = await library.get(user, filename, version)
    refuse_sample(stored.listed)
    saved = await library.store_document(user, stored.name, stored.document, stored.format, f"restore {version}")
    return JSONResponse(summary(entry_of(saved.record)))


class RenameBody(Body):
    """The new name."""

    name: NewName


@router.post(
    "/workflow/{filename}/rename",
    summary="Rename a stored workflow",
    response_model=WorkflowSummary,
    responses=refusals(400, 404, 409, 413, 422),
    openapi_extra=json_documentation(RenameBody),
)
async def post_rename(request: Request, filename: Filename) -> Response:
    """Give a workflow another name; its versions stay with it."""
    library = services(request).library
    listed = await library.find(user_of(request), filename)
    body = parsed(RenameBody, await object_body(request, settings(request).max_json_depth))
    saved = await library.change(user_of(request), listed, new_name=body.name)
    return JSONResponse(summary(entry_of(saved.record)))


class CopyBody(Body):
    """The name of the copy."""

    name: NewName | None = None
    """The same where a sample is copied."""
    version: Whole | None = None


@router.post(
    "/workflow/{filename}/copy",
    summary="Copy a stored workflow or a sample",
    status_code=201,
    response_model=WorkflowSummary,
    responses=refusals(400, 404, 409, 413, 422),
    openapi_extra=json_documentation(CopyBody, required=False),
)
async def post_copy(request: Request, filename: Filename) -> Response:
    """Store a workflow under another name, or a sample, also under its own, so that it can be changed."""
    user, library = user_of(request), services(request).library
    body = parsed(CopyBody, await object_body(request, settings(request).max_json_depth))
    stored = await library.get(user, filename, body.version)
    name = stored.name if body.name is None else body.name
    saved = await library.store_document(user, name, stored.document, stored.format, "copy", like=stored.listed)
    return JSONResponse(summary(entry_of(saved.record)), status_code=201)
