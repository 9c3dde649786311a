"""`/api/assets/seed` and `/api/assets/prune`: the scan that fills the asset library, started, watched and ended."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.asset_services import AssetServices
from inglenook.api.comfy.asset_requests import scan_wanted
from inglenook.api.comfy.asset_shape import AssetRoute
from inglenook.api.deps import services
from inglenook.api.errors import JSONResponse
from inglenook.api.openapi import TEXT, object_documentation, query_documentation
from inglenook.assets import Scanner

router = APIRouter(prefix="/api", tags=["assets"], route_class=AssetRoute)


def _scanner(request: Request) -> Scanner:
    return cast(AssetServices, services(request).assets).scanner


@router.post(
    "/assets/seed",
    summary="Look for new files",
    responses={
        200: {"description": "With `wait`, the scan has ended"},
        202: {"description": "The scan has begun"},
        409: {
            "description": "A scan is under way",
            "content": {"application/json": {"schema": {"type": "object", "properties": {"status": TEXT}}}},
        },
    },
    openapi_extra={
        **query_documentation(("wait", "`true` answers when the scan has ended")),
        **object_documentation(
            roots={"type": ["array", "null"], "minItems": 1, "items": {"enum": ["models", "input", "output"]}}
        ),
    },
)
async def post_seed(request: Request) -> Response:
    """Scan `{"roots"?: ["models", "input", "output"]}`: 202 started, 409 when one is under way; 200 with `wait`."""
    scanner, wanted = _scanner(request), await scan_wanted(request)
    if not scanner.start(wanted.roots):
        return JSONResponse({"status": "already_running"}, status_code=409)
    if (request.query_params.get("wait") or "").lower() not in ("1", "true"):
        return JSONResponse({"status": "started"}, status_code=202)
    await scanner.wait()
    return JSONResponse({"status": "completed", **_told(scanner)})


@router.get("/assets/seed/status", summary="How far the scan is")
async def get_seed_status(request: Request) -> Response:
    """Return `{"state": "IDLE" | "RUNNING" | "CANCELLING", "progress", "errors"}` of this scan or the last one."""
    scanner = _scanner(request)
    return JSONResponse({"state": scanner.state, **_told(scanner)})


def _told(scanner: Scanner) -> dict[str, Any]:
    progress = None if scanner.progress is None else asdict(scanner.progress)
    return {"progress": progress, "errors": scanner.errors}


@router.post("/assets/seed/cancel", summary="End the scan")
async def post_seed_cancel(request: Request) -> Response:
    """End the scan after its next step: `{"status": "cancelling"}`, or `idle` when there is none."""
    return JSONResponse({"status": "cancelling" if _scanner(request).cancel() else "idle"})


@router.post("/assets/prune", summary="Mark assets whose file is gone")
async def post_prune(request: Request) -> Response:
    """Give the tag `missing` to assets whose file is gone; returns `{"status": "completed", "marked"}`."""
    return JSONResponse({"status": "completed", "marked": await _scanner(request).prune()})
