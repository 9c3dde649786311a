"""`POST /api/workflow/parameters`: what can be set in a workflow."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import services
from inglenook.api.errors import JSONResponse
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.task_models import Repair
from inglenook.api.gateway.workflow_convert import WORKFLOW_BODY, MissingClassModel, normalized_request
from inglenook.workflows.parameters import recognise, schema

router = APIRouter(prefix="/api", tags=["workflows"])


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
    repairs: list[Repair] = Field(description="What could not be taken as it was")
    missing: list[MissingClassModel] = Field(description="Classes that no worker has")


@router.post(
    "/workflow/parameters",
    summary="What can be set in a workflow",
    response_model=ParametersModel,
    responses=refusals(400, 413),
    openapi_extra=WORKFLOW_BODY,
)
async def post_workflow_parameters(request: Request) -> Response:
    """Return the parameters of a workflow of any format, with names, types, ranges and options.

    Takes what `/api/workflow/convert` takes.
    """
    server = services(request)
    found = await normalized_request(server, request)
    parameters = await asyncio.to_thread(recognise, found.graph, server.catalogs.current)
    return JSONResponse(
        {
            "parameters": [one.to_json() for one in parameters],
            "schema": schema(parameters),
            "repairs": [one.to_json() for one in found.repairs],
            "missing": [one.to_json() for one in found.missing],
        }
    )
