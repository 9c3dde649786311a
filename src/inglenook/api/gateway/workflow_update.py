"""`POST /api/workflow/update`: values of parameters, or the whole, changed in the library."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.bodies import object_body
from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.gateway.library_models import (
    Body,
    Description,
    MissingModel,
    NewName,
    Tags,
    WorkflowSummary,
    json_documentation,
    summary,
)
from inglenook.api.gateway.library_views import reading
from inglenook.api.gateway.media_values import store_files
from inglenook.api.gateway.parsing import parsed
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.workflow_parameters import ParameterModel
from inglenook.api.identity import user_of
from inglenook.api.library import encoded, format_of, refuse_sample
from inglenook.api.library_entries import OpenedWorkflow, StoredWorkflow, entry_of
from inglenook.api.normalizing import unwrapped
from inglenook.engine.graph import GraphError
from inglenook.jobs.workflow_records import NewVersion, Saved, VersionMoved
from inglenook.workflows import WorkflowFormatError, is_ui_format
from inglenook.workflows.parameters import Inputs, apply
from inglenook.workflows.write_back import write_values

router = APIRouter(prefix="/api", tags=["workflows"])

_ATTEMPTS = 5


class UpdateBody(Body):
    """What is to be changed; what is left out stays."""

    filename: NewName
    workflow: dict[str, Any] | str | None = None
    """Takes the place of the whole, in any format."""
    params: dict[str, Any] | None = None
    """Values by parameter, written into the workflow."""
    tags: Tags | None = None
    description: Description | None = None
    name: NewName | None = None
    """A new name."""


class UpdatedWorkflow(WorkflowSummary):
    """The workflow as it is now."""

    is_changed: bool = Field(description="There is a new version")
    used: dict[str, Any] = Field(description="The values that were written, by parameter")
    parameters: list[ParameterModel]
    missing: MissingModel


@router.post(
    "/workflow/update",
    summary="Change a stored workflow",
    response_model=UpdatedWorkflow,
    responses=refusals(400, 404, 409, 413, 422),
    openapi_extra=json_documentation(UpdateBody),
)
async def post_workflow_update(request: Request) -> Response:
    """Write values into a workflow, or take another in its place, as a new version of it.

    A workflow of the editor keeps its format: the values are those that its widgets then show.
    """
    server, user = services(request), user_of(request)
    body = parsed(UpdateBody, await object_body(request, server.settings.max_json_depth))
    saved, used = await _updated(server, user, body)
    stored = await server.library.get(user, saved.record.name, saved.record.version)
    found = await reading(await server.library.opened(stored))
    return JSONResponse(
        {
            **summary(entry_of(saved.record)),
            "is_changed": saved.is_changed,
            "used": used,
            "parameters": found["parameters"],
            "missing": found["missing"],
        }
    )


async def _updated(server: Services, user: str, body: UpdateBody) -> tuple[Saved, dict[str, Any]]:
    """Change the newest version, once more when another request has changed it meanwhile."""
    for _ in range(_ATTEMPTS):
        stored = await server.library.get(user, body.filename)
        refuse_sample(stored.listed)
        new, used = await _new_version(server, stored, body)
        try:
            saved = await server.library.change(
                user, stored.listed, new, new_name=body.name, tags=body.tags, description=body.description
            )
        except VersionMoved:
            continue
        return saved, used
    raise ApiError(409, "conflict", "Others change this workflow at the same time", stored.name, {"Retry-After": "1"})


async def _new_version(
    server: Services, stored: StoredWorkflow, body: UpdateBody
) -> tuple[NewVersion | None, dict[str, Any]]:
    """The version that a request makes of a workflow, and the values in it; None where only words are changed."""
    if body.workflow is None and not body.params:
        return None, {}
    library, used = server.library, dict[str, Any]()
    if body.workflow is not None:
        document = await unwrapped(server.settings, body.workflow)
        opened = await library.opened_document(stored, document)
    else:
        opened = await library.opened(stored)
    document = opened.document
    if body.params:
        values = await store_files(server, opened.graph, opened.parameters, body.params)
        document, used = await asyncio.to_thread(_with_values, server, opened, values)
    data = await asyncio.to_thread(encoded, document)
    base = stored.version if body.workflow is None else None
    return NewVersion(stored.name, data, format_of(document), "update", base=base), used


def _with_values(
    server: Services, opened: OpenedWorkflow, values: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The document with values, in the format that it has. Raises ParameterError, ApiError 422."""
    applied = apply(opened.graph, opened.parameters, values, opened.catalog)
    inputs = Inputs(opened.graph, opened.parameters, opened.catalog)
    used, places = {}, {}
    for address, given in values.items():
        if given is None:
            continue
        parameter = inputs.find(address)
        # A seed that is drawn for each run stays one: only runs draw it
        value = -1 if parameter.role == "seed" and str(given).strip() == "-1" else applied.used[parameter.name]
        used[parameter.name] = places[parameter.node_id, parameter.input_name] = value
    if not is_ui_format(opened.document):
        return _with_inputs(opened.document, places), used
    try:
        document = write_values(
            opened.document,
            places,
            opened.catalog,
            max_nodes=server.settings.max_nodes,
            old_widgets=server.catalogs.old_widgets(),
        )
    except (WorkflowFormatError, GraphError) as error:
        raise ApiError(422, "not_writable", "The values cannot be written into this workflow", str(error)) from error
    return document, used


def _with_inputs(graph: Mapping[str, Any], places: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    changed = dict(graph)
    for (node_id, name), value in places.items():
        node = changed[node_id]
        changed[node_id] = {**node, "inputs": {**(node.get("inputs") or {}), name: value}}
    return changed
