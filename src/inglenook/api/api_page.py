"""`/docs`: the API to read and to try, with Swagger UI from a package, so that it works without any other host."""

from __future__ import annotations

import asyncio
from importlib import resources

from fastapi import APIRouter
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response

from inglenook.api.errors import ApiError

router = APIRouter(include_in_schema=False)

_PACKAGE = "fastapi_swagger"
_FILES = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon-32x32.png": "image/png",
}


@router.get("/docs", summary="The API to read and to try")
async def get_docs() -> Response:
    """Show the page. Its addresses are relative: the server may lie below a path of a proxy."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="inglenook API",
        swagger_js_url="swagger/swagger-ui-bundle.js",
        swagger_css_url="swagger/swagger-ui.css",
        swagger_favicon_url="swagger/favicon-32x32.png",
        swagger_ui_parameters={"docExpansion": "none", "filter": True, "tryItOutEnabled": True},
    )


@router.get("/swagger/{name}", summary="A file of that page")
async def get_swagger_file(name: str) -> Response:
    """Send a file of the page."""
    if name not in _FILES:
        raise ApiError(404, "not_found", f"There is no file {name[:100]!r}")
    content = await asyncio.to_thread((resources.files(_PACKAGE) / "resources" / name).read_bytes)
    return Response(content, media_type=_FILES[name], headers={"Cache-Control": "public, max-age=86400"})
