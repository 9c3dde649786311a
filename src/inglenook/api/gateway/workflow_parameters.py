"""`POST /api/workflow/parameters`: what can be set in a workflow."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import Services, services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.workflow_files import parse_document, workflow_body
from inglenook.engine.graph import GraphError, TooManyNodes
from inglenook.workflows import (
    Normalized,
    WorkflowFormatError,
    is_bare_graph,
    is_ui_format,
    needed_classes,
    normalize,
    unwrap,
)
from inglenook.workflows.parameters import recognise, schema

router = APIRouter(prefix="/api", tags=["workflows"])

_CATALOG_WAIT_S = 20.0


class ParameterModel(BaseModel):
    """One input that takes a value."""

    key: str = Field(description="Node id and input name: `6.text`")
    name: str = Field(description="Readable, unique in the workflow")
    role: str = Field(description="`positive_prompt`, `seed`, ...; `advanced` for all others")
    type: Literal["string", "integer", "number", "boolean", "choice", "image", "mask", "audio", "video", "file"]
    default: Any = Field(description="The value in the workflow")
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    options: list[Any] | None = None
    multiline: bool = False
    media: Literal["image", "audio", "video", "file"] | None = Field(None, description="Kind of file that it names")
    group: str = Field(description="prompt, sampling, size, time, model, media, input, output or advanced")
    title: str = Field(description="Of the node")
    required: bool = False
    description: str = ""
    node_id: str
    input_name: str


class ParametersModel(BaseModel):
    """The parameters of a workflow."""

    parameters: list[ParameterModel]
    value_schema: dict[str, Any] = Field(alias="schema", description="JSON schema of the values by name")
    repairs: list[dict[str, Any]] = Field(description="What could not be taken as it was")
    missing: list[dict[str, Any]] = Field(description="Classes that no worker has, with near matches")


class ErrorDetail(BaseModel):
    type: str
    message: str
    details: Any = ""


class ErrorModel(BaseModel):
    """Why a request was refused."""

    error: ErrorDetail


_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"workflow": {"description": "A workflow of any format, as object or JSON text"}},
                    "description": "`{workflow: ...}`, or the workflow itself",
                }
            },
            "image/png": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorModel, "description": "No workflow, or one that cannot be read"},
    413: {"model": ErrorModel, "description": "Too large"},
}


@router.post(
    "/workflow/parameters",
    summary="What can be set in a workflow",
    response_model=ParametersModel,
    responses=_REFUSALS,
    openapi_extra=_BODY,
)
async def post_workflow_parameters(request: Request) -> Response:
    """Return the parameters of a workflow of any format, with names, types, ranges and options.

    Takes `{"workflow": ...}`, or as the body the workflow itself or a picture that carries one.
    """
    server = services(request)
    depth = server.settings.max_json_depth
    body = await workflow_body(request, depth)
    if isinstance(body, dict) and "workflow" in body and not (is_bare_graph(body) or is_ui_format(body)):
        body = body["workflow"]
    normalized = await _normalized(server, body)
    catalog = server.catalogs.current
    parameters = await asyncio.to_thread(recognise, normalized.graph, catalog)
    return JSONResponse(
        {
            "parameters": [one.to_json() for one in parameters],
            "schema": schema(parameters),
            "repairs": [one.to_json() for one in normalized.repairs],
            "missing": [one.to_json() for one in normalized.missing],
        }
    )


async def _normalized(server: Services, body: Any) -> Normalized:
    """The graph of a workflow. Raises ApiError 400."""
    depth, limit = server.settings.max_json_depth, server.settings.max_nodes
    try:
        document = await asyncio.to_thread(unwrap, body, lambda data: parse_document(data, depth))
        if isinstance(document, dict) and len(document) > limit:
            raise TooManyNodes(len(document), limit)
        await server.catalogs.wait_for(await asyncio.to_thread(needed_classes, document), _CATALOG_WAIT_S)
        catalog, old_widgets = server.catalogs.current, server.catalogs.old_widgets()
        return await asyncio.to_thread(normalize, document, catalog, max_nodes=limit, old_widgets=old_widgets)
    except WorkflowFormatError as error:
        raise ApiError(400, "invalid_workflow", "This is no workflow that can be read", str(error)) from error
    except GraphError as error:
        raise ApiError(400, error.type, error.message, error.details) from error
