"""`GET /api/system/info`: what this server is, has and does."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
from typing import Any

import psutil
from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request

from inglenook import COMFYUI_VERSION, __version__
from inglenook.api import model_lists
from inglenook.api.comfy import extensions
from inglenook.api.comfy.versions import installed
from inglenook.api.condition import condition_of
from inglenook.api.deps import CurrentServices, Services, owner
from inglenook.api.gateway.refusals import refusals
from inglenook.api.metrics import resident_bytes
from inglenook.dispatch.run import Run
from inglenook.workers.worker import Worker

router = APIRouter(prefix="/api", tags=["system"])

_DISK_S = 1.0


class WorkerInfo(BaseModel):
    """A process that runs jobs."""

    name: str
    state: str
    pid: int | None
    url: str | None = Field(description="Of another server")
    problem: str | None = Field(description="Why it cannot be used now")
    is_draining: bool = Field(description="It gets no more jobs")
    task_id: str | None = Field(description="The job that it runs; null also for that of another user")
    node_id: str | None
    memory_bytes: int | None
    models_loaded: int
    model_bytes: int
    devices: list[dict[str, Any]]


class PackInfo(BaseModel):
    name: str
    classes: int
    error: str | None


class DiskInfo(BaseModel):
    total_bytes: int
    free_bytes: int


class QueueInfo(BaseModel):
    paused: bool = Field(description="Nothing is started until `/api/queue/resume`")
    running: int
    pending: int
    limit: int


class MemoryInfo(BaseModel):
    total_bytes: int
    available_bytes: int
    server_bytes: int = Field(description="Of the API process")


class SystemInfo(BaseModel):
    """What a server is."""

    version: str
    comfyui_version: str = Field(description="The version of ComfyUI whose interface it speaks")
    status: str
    reasons: list[str]
    uptime_s: float
    started_at: float = Field(description="Seconds since the epoch")
    python: str
    platform: str
    torch: str | None
    cpus: int
    memory: MemoryInfo
    disk: dict[str, DiskInfo]
    workers: list[WorkerInfo]
    queue: QueueInfo
    jobs: dict[str, int] = Field(description="Stored jobs by state")
    models: dict[str, int] = Field(description="Files in each model folder that has some")
    node_classes: int
    packs: list[PackInfo]
    sockets: int


@router.get("/system/info", summary="What this server is, has and does", responses=refusals())
async def get_system_info(request: Request, server: CurrentServices) -> SystemInfo:
    user = owner(request)
    dispatcher = server.dispatcher
    condition = await condition_of(server)
    members = list(dispatcher.members)
    runs = {run.worker: run for run in dispatcher.running(user)}
    models, memory, workers, disk = await asyncio.gather(
        asyncio.to_thread(_models, server),
        asyncio.to_thread(_memory),
        asyncio.to_thread(
            lambda: [_worker(one.worker, runs.get(one.name), is_draining=one.is_draining) for one in members]
        ),
        _disk(server),
    )
    versions: dict[str, str] = {}
    for one in dispatcher.workers:
        versions.update(getattr(one, "versions", {}))
    return SystemInfo(
        version=__version__,
        comfyui_version=COMFYUI_VERSION,
        status=condition.word,
        reasons=list(condition.reasons),
        uptime_s=round(server.telemetry.uptime_s, 1),
        started_at=server.telemetry.started_s,
        python=platform.python_version(),
        platform=platform.platform(),
        torch=versions.get("torch") or installed("torch"),
        cpus=os.cpu_count() or 1,
        memory=memory,
        disk=disk,
        workers=workers,
        queue=QueueInfo(
            paused=server.dispatcher.is_paused,
            running=len(dispatcher.running(user)),
            pending=len(dispatcher.waiting(user)),
            limit=server.settings.queue_limit,
        ),
        jobs={state.value: count for state, count in server.store.counts.items()},
        models=models,
        node_classes=len(server.catalogs.current),
        packs=[
            PackInfo(name=one.name, classes=len(one.classes), error=one.error) for one in extensions.reports(server)
        ],
        sockets=server.sockets.count,
    )


def _worker(worker: Worker, run: Run | None, *, is_draining: bool) -> WorkerInfo:
    return WorkerInfo(
        name=worker.name,
        state=worker.state.value,
        pid=getattr(worker, "pid", None),
        url=getattr(worker, "url", None),
        problem=getattr(worker, "problem", None),
        is_draining=is_draining,
        task_id=None if run is None else run.job.id,
        node_id=None if run is None or run.current is None else run.current.node_id,
        memory_bytes=resident_bytes(worker),
        models_loaded=getattr(worker, "models_loaded", 0),
        model_bytes=getattr(worker, "model_bytes", 0),
        devices=[
            {
                "name": device.name,
                "type": device.type,
                "memory_total": device.vram_total,
                "memory_free": device.vram_free,
            }
            for device in worker.devices
        ],
    )


def _models(server: Services) -> dict[str, int]:
    names = [name for name in model_lists.model_folders(server) if name != "custom_nodes"]
    counts = {name: len(model_lists.model_files(server, name) or ()) for name in names}
    return {name: count for name, count in counts.items() if count}


def _memory() -> MemoryInfo:
    memory = psutil.virtual_memory()
    own = psutil.Process().memory_info().rss
    return MemoryInfo(total_bytes=memory.total, available_bytes=memory.available, server_bytes=own)


async def _disk(server: Services) -> dict[str, DiskInfo]:
    """What is found out soon: a network folder may hang."""
    found: dict[str, DiskInfo] = {}
    for name, path in (("data", server.settings.data_folder), ("output", server.folders.output)):
        try:
            async with asyncio.timeout(_DISK_S):
                usage = await asyncio.to_thread(shutil.disk_usage, path)
        except (OSError, TimeoutError):
            continue
        found[name] = DiskInfo(total_bytes=usage.total, free_bytes=usage.free)
    return found
