"""`POST /api/workflow/convert`: any workflow file as a graph in API format."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import services
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.workflow_files import parse_document, workflow_body
from inglenook.engine.graph import GraphError
from inglenook.workflows import WorkflowFormatError, is_bare_graph, is_ui_format, needed_classes, normalize, unwrap

router = APIRouter(prefix="/api", tags=["workflows"])

_CATALOG_WAIT_S = 20.0


@router.post("/workflow/convert", summary="A workflow of any format as a graph in API format")
async def post_workflow_convert(request: Request) -> Response:
    """Return `graph`, `repairs` (what could not be taken as it was) and `missing` (classes that no worker has).

    Takes `{"workflow": ...}`, or as the body the workflow itself or a picture that carries one.
    """
    server = services(request)
    depth = server.settings.max_json_depth
    body = await workflow_body(request, depth)
    if isinstance(body, dict) and "workflow" in body and not (is_bare_graph(body) or is_ui_format(body)):
        body = body["workflow"]
    try:
        document = await asyncio.to_thread(unwrap, body, lambda data: parse_document(data, depth))
        await server.catalogs.wait_for(await asyncio.to_thread(needed_classes, document), _CATALOG_WAIT_S)
        catalog, limit = server.catalogs.current, server.settings.max_nodes
        old_widgets = server.catalogs.old_widgets()
        normalized = await asyncio.to_thread(normalize, document, catalog, max_nodes=limit, old_widgets=old_widgets)
    except WorkflowFormatError as error:
        raise ApiError(400, "invalid_workflow", "This is no workflow that can be converted", str(error)) from error
    except GraphError as error:
        raise ApiError(400, error.type, error.message, error.details) from error
    return JSONResponse(
        {
            "graph": normalized.graph,
            "repairs": [one.to_json() for one in normalized.repairs],
            "missing": [one.to_json() for one in normalized.missing],
        }
    )
