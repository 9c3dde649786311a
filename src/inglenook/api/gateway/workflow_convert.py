"""`POST /api/workflow/convert`: any workflow file as a graph in API format."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import Services, services
from inglenook.api.errors import JSONResponse
from inglenook.api.gateway.refusals import refusals
from inglenook.api.gateway.task_models import WORKFLOW, Repair
from inglenook.api.gateway.workflow_media import unwrapped_field, workflow_given
from inglenook.api.normalizing import normalized, unwrapped
from inglenook.workflows import Normalized

router = APIRouter(prefix="/api", tags=["workflows"])

_FILE = {"type": "string", "format": "binary"}
WORKFLOW_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "workflow": {**WORKFLOW, "description": "A workflow of any format, as object or JSON text"}
                    },
                    "minProperties": 1,
                    "description": "`{workflow: ...}`, or the workflow itself",
                }
            },
            "multipart/form-data": {
                "schema": {"type": "object", "properties": {"file": _FILE}, "required": ["file"]},
            },
            "image/png": {"schema": _FILE},
        },
    }
}
"""`openapi_extra` of a route that takes a workflow and nothing else."""


class NodeName(BaseModel):
    """A node of a class that is missing."""

    id: str
    title: str | None


class MissingClassModel(BaseModel):
    """A class that no worker has."""

    class_type: str
    nodes: list[NodeName]
    near_matches: list[str]


class ConvertedModel(BaseModel):
    """A workflow as a graph."""

    graph: dict[str, Any] = Field(description="In API format, as `/prompt` takes it")
    repairs: list[Repair] = Field(description="What could not be taken as it was")
    missing: list[MissingClassModel] = Field(description="Classes that no worker has")


async def normalized_request(server: Services, request: Request) -> Normalized:
    """The graph of the workflow that a request is about. Raises ApiError 400, 413, 503."""
    body = unwrapped_field(await workflow_given(server, request))
    document = await unwrapped(server.settings, body)
    return await normalized(server.settings, server.catalogs, document)


@router.post(
    "/workflow/convert",
    summary="A workflow of any format as a graph in API format",
    response_model=ConvertedModel,
    responses=refusals(400, 413),
    openapi_extra=WORKFLOW_BODY,
)
async def post_workflow_convert(request: Request) -> Response:
    """Return `graph`, `repairs` (what could not be taken as it was) and `missing` (classes that no worker has).

    Takes `{"workflow": ...}`, or as the body or in a form the workflow itself, or a picture, video or sound that
    carries one.
    """
    found = await normalized_request(services(request), request)
    return JSONResponse(
        {
            "graph": found.graph,
            "repairs": [one.to_json() for one in found.repairs],
            "missing": [one.to_json() for one in found.missing],
        }
    )
