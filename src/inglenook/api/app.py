"""The ASGI app: every route bare and under `/api`, behind the boundary and the table of hot routes."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from inglenook import __version__
from inglenook.api import api_page, errors, health, metrics, outputs
from inglenook.api.access import routes as access_routes
from inglenook.api.access.layer import Access
from inglenook.api.access.sessions import Sessions
from inglenook.api.boundary import Boundary
from inglenook.api.cache_headers import CacheHeaders
from inglenook.api.comfy import (
    asset_exports,
    asset_scans,
    asset_uploads,
    assets,
    extensions,
    features,
    file_metadata,
    files,
    history,
    internal,
    jobs,
    logs,
    model_previews,
    models,
    prompt,
    queue,
    subgraphs,
    system,
    translations,
    userdata,
    users,
    workflow_templates,
)
from inglenook.api.comfy.asset_errors import AssetErrors
from inglenook.api.compression import Compressed
from inglenook.api.deps import Services
from inglenook.api.deps import services as services_of
from inglenook.api.editor import FrontEnd, FrontEndFiles, UnderEditor
from inglenook.api.editor import routes as editor
from inglenook.api.gateway import (
    batch,
    named_files,
    node_list,
    queue_control,
    system_info,
    task_archive,
    task_events,
    tasks,
    typed_endpoints,
    webhooks,
    workers,
    workflow_convert,
    workflow_library,
    workflow_parameters,
    workflow_run,
    workflow_submit,
    workflow_thumbnail,
    workflow_update,
    workflow_upload,
)
from inglenook.api.hot import HotRoutes
from inglenook.api.identity import Identity
from inglenook.api.offline import Offline
from inglenook.api.openapi_page import complete_page
from inglenook.api.pack_routes import PackRoutes
from inglenook.api.telemetry import MeteredRequests

_ROUTERS = (
    prompt.router,
    queue.router,
    history.router,
    jobs.router,
    system.router,
    files.router,
    file_metadata.router,
    outputs.router,
    models.router,
    model_previews.router,
    extensions.router,
    access_routes.router,
    features.router,
    translations.router,
    workflow_templates.router,
    subgraphs.router,
    users.router,
    userdata.router,
)
_BARE_ROUTERS = (api_page.router, internal.router, metrics.router, logs.router, editor.router)
"""Those that do not exist under `/api`."""
_BY_API_FIRST = (health.router,)
"""Those that stand under `/api` in the documentation, and exist bare too."""
_ONLY_UNDER_API = (
    asset_exports.router,
    assets.router,
    asset_uploads.router,
    asset_scans.router,
    workflow_convert.router,
    workflow_parameters.router,
    workflow_submit.router,
    workflow_run.router,
    workflow_upload.router,
    workflow_update.router,
    workflow_library.router,
    workflow_thumbnail.router,
    batch.router,
    queue_control.router,
    task_archive.router,
    task_events.router,
    tasks.router,
    webhooks.router,
    workers.router,
    node_list.router,
    system_info.router,
    named_files.router,
)
"""Routes whose paths begin with `/api` themselves."""


def create_app(services: Services) -> ASGIApp:
    """Return the ASGI app that serves `services` (see `api/services.py`)."""
    settings = services.settings
    app = FastAPI(
        title="inglenook",
        version=__version__,
        summary="Runs ComfyUI workflows and speaks the ComfyUI API",
        docs_url=None,
        redoc_url=None,
    )
    app.state.services = services
    app.state.front_end = FrontEnd.from_settings(settings)
    errors.install(app)
    typed_endpoints.install(app)
    _add_routes(app)
    complete_page(app)
    hot = HotRoutes(
        app,
        {
            ("POST", "/prompt"): prompt.post_prompt,
            ("GET", "/prompt"): prompt.get_prompt,
            ("GET", "/queue"): queue.get_queue,
            ("GET", "/history"): history.get_history,
            ("GET", "/jobs"): jobs.get_jobs,
            ("GET", "/system_stats"): system.get_system_stats,
            ("GET", "/object_info"): system.get_object_info,
            ("GET", "/view"): files.get_view,
        },
        {
            ("GET", "/history/"): ("prompt_id", history.get_history_entry),
            ("GET", "/prompt/"): ("prompt_id", jobs.get_prompt_state),
            ("GET", "/jobs/"): ("job_id", jobs.get_job),
        },
    )
    access = Access(
        CacheHeaders(Identity(hot, services.users, is_multi_user=settings.multi_user)),
        services.keys,
        Sessions(settings.data_folder, services.keys),
        is_insecure=settings.insecure,
        allowed_hosts=settings.allowed_hosts,
        cors_origin=settings.cors_origin,
        max_json_depth=settings.max_json_depth,
    )
    inner = AssetErrors(access)
    boundary = Boundary(
        Compressed(inner) if settings.compress_responses else inner,
        max_body_bytes=settings.max_upload_bytes,
        cors_origin=settings.cors_origin,
        allowed_hosts=settings.allowed_hosts,
        listens_on=settings.host,
    )
    whole = UnderEditor(AssetErrors(boundary))  # once more, for what the boundary refuses
    guarded = Offline(whole) if settings.offline else whole
    return MeteredRequests(guarded, services.telemetry, is_logged=settings.access_log)


def route_table() -> list[APIRoute]:
    """Return every route, by its bare path."""
    routers = (*_ROUTERS, *_BARE_ROUTERS, *_BY_API_FIRST, *_ONLY_UNDER_API)
    return [route for router in routers for route in router.routes if isinstance(route, APIRoute)]


def bare_routes() -> list[str]:
    """Return the paths that do not exist under `/api`."""
    return [route.path for router in _BARE_ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def _add_routes(app: FastAPI) -> None:
    sockets = APIRouter()

    @sockets.websocket("/ws")
    async def connect(websocket: WebSocket) -> None:
        await services_of(websocket).sockets.serve(websocket)

    @sockets.get("/ws", include_in_schema=False)
    async def not_a_socket() -> Response:
        return errors.error_response(400, "not_a_websocket", "This address speaks WebSocket only")

    for router in (*_ROUTERS, sockets):
        app.include_router(router)
        app.include_router(router, prefix="/api", include_in_schema=False)
    for router in _BY_API_FIRST:
        app.include_router(router, prefix="/api")
        app.include_router(router, include_in_schema=False)
    for router in _ONLY_UNDER_API:
        app.include_router(router)

    for router in _BARE_ROUTERS:
        app.include_router(router)

    # Last: everything above comes before it
    app.mount("/", FrontEndFiles(app.state.front_end, PackRoutes()), name="others")
