"""Builds the server: everything in one lifespan, closed in the reverse order."""

from __future__ import annotations

import logging
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from inglenook import __version__
from inglenook.api import errors
from inglenook.api.boundary import Boundary
from inglenook.api.comfy import files, models, prompt, queue, system
from inglenook.api.comfy.sockets import SocketHub
from inglenook.api.deps import Services, services
from inglenook.api.hot import HotRoutes
from inglenook.dispatch.bus import Bus
from inglenook.dispatch.catalogs import Catalogs
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.jobs import DataFolderLock, Job, JobStore
from inglenook.media.attempts import discard_files, forget_all
from inglenook.media.folders import Folders
from inglenook.settings import Settings
from inglenook.workers.device import DeviceWorker
from inglenook.workers.worker import Worker

logger = logging.getLogger(__name__)

_ROUTERS = (prompt.router, queue.router, system.router, files.router, models.router)


def create_app(settings: Settings) -> ASGIApp:
    """Return the ASGI app of a server; its lifespan opens the store and starts the workers."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.services = await _build(settings, stack)
            yield
            logger.info("stopping")

    app = FastAPI(
        title="inglenook",
        version=__version__,
        summary="Runs ComfyUI workflows and speaks the ComfyUI API",
        lifespan=lifespan,
    )
    errors.install(app)
    _add_routes(app)
    hot = HotRoutes(
        app,
        {
            ("POST", "/prompt"): prompt.post_prompt,
            ("GET", "/prompt"): prompt.get_prompt,
            ("GET", "/queue"): queue.get_queue,
            ("GET", "/system_stats"): system.get_system_stats,
            ("GET", "/object_info"): system.get_object_info,
        },
        {("GET", "/history/"): ("prompt_id", queue.get_history_entry)},
    )
    return Boundary(
        hot,
        max_body_bytes=settings.max_upload_bytes,
        cors_origin=settings.cors_origin,
        allowed_hosts=settings.allowed_hosts,
    )


def _add_routes(app: FastAPI) -> None:
    sockets = APIRouter()

    @sockets.websocket("/ws")
    async def connect(websocket: WebSocket) -> None:
        await services(websocket).sockets.serve(websocket)

    @sockets.get("/ws", include_in_schema=False)
    async def not_a_socket() -> Response:
        return errors.error_response(400, "not_a_websocket", "This address speaks WebSocket only")

    for router in (*_ROUTERS, sockets):
        app.include_router(router)
        app.include_router(router, prefix="/api", include_in_schema=False)

    @app.get("/", include_in_schema=False)
    async def root() -> Response:
        return errors.JSONResponse({"name": "inglenook", "version": __version__, "docs": "/docs"})

    @app.api_route("/{path:path}", methods=["POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def no_such_route(request: Request) -> Response:
        message = f"{request.method} is not allowed at {request.url.path[:200]}"
        return errors.error_response(405, "method_not_allowed", message, headers={"Allow": "GET,HEAD"})


async def _build(settings: Settings, stack: AsyncExitStack) -> Services:
    settings.data_folder.mkdir(parents=True, exist_ok=True)
    stack.enter_context(DataFolderLock(settings.data_folder))
    folders = Folders.from_settings(settings)
    shutil.rmtree(settings.temp_folder, ignore_errors=True)
    folders.create()
    store = await stack.enter_async_context(
        JobStore.open(
            settings.database_url or f"sqlite:///{settings.data_folder / 'jobs.sqlite'}",
            history_limit=settings.history_limit,
            history_age_s=None if settings.history_days is None else settings.history_days * 86400,
        )
    )
    catalogs = Catalogs(folders, settings.data_folder / "catalog.json")
    bus = Bus()
    dispatcher = Dispatcher(
        store,
        bus,
        [_local_worker(settings)],
        queue_limit=settings.queue_limit,
        job_timeout_s=settings.job_timeout_s,
        on_worker_ready=lambda worker: _learn(catalogs, worker),
        discard_attempt=lambda job_id: discard_files(settings.data_folder, job_id),
    )
    hub = SocketHub(dispatcher, store, system.features(settings))
    bus.join(hub)
    stack.push_async_callback(dispatcher.close, settings.shutdown_grace_s)
    await dispatcher.recover(_class_types)
    forget_all(settings.data_folder)
    await dispatcher.start()
    return Services(settings, store, folders, catalogs, dispatcher, hub)


def _local_worker(settings: Settings) -> DeviceWorker:
    limit = settings.worker_memory_limit_gb
    return DeviceWorker(
        "local",
        settings.model_dump_json().encode(),
        device="cpu" if settings.cpu else "auto",
        interrupt_grace_s=settings.interrupt_grace_s,
        memory_limit_bytes=None if limit is None else round(limit * (1 << 30)),
    )


def _learn(catalogs: Catalogs, worker: Worker) -> None:
    if worker.documents is not None:
        catalogs.update(worker.documents)


def _class_types(job: Job) -> frozenset[str]:
    return frozenset(node["class_type"] for node in orjson.loads(job.graph).values())
