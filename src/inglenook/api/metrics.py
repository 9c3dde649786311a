"""`/metrics`: what a server measures, as Prometheus reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import psutil
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook import __version__
from inglenook.api.condition import free_bytes
from inglenook.api.deps import Services, services
from inglenook.api.telemetry.exposition import CONTENT_TYPE, Labels, document, gauge
from inglenook.dispatch.dispatcher import Dispatcher
from inglenook.workers.worker import Worker, WorkerState

router = APIRouter(tags=["system"])

_UP = (WorkerState.READY, WorkerState.BUSY)


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def get_metrics(request: Request) -> Response:
    """Queue, jobs, nodes, workers, requests, webhooks, memory and disk; needs an admin key where there are keys."""
    server = services(request)
    await server.telemetry.settle()
    deliveries = await server.webhooks.counts()
    processes, disk = await asyncio.gather(asyncio.to_thread(_memory, server.dispatcher.workers), _disk(server))
    groups = [
        gauge("inglenook_build_info", "The version that runs", {(__version__,): 1.0}, ("version",)),
        gauge("inglenook_uptime_seconds", "Since the server started", server.telemetry.uptime_s),
        *_of_jobs(server),
        *_of_workers(server.dispatcher),
        gauge("inglenook_process_memory_bytes", "Resident memory", processes, ("process",)),
        gauge("inglenook_disk_free_bytes", "Free on the disk of a folder", disk, ("folder",)),
        gauge("inglenook_sockets", "Connected WebSockets", server.sockets.count),
        gauge(
            "inglenook_event_loop_lag_seconds",
            "Longest lateness of the event loop in the last ten seconds",
            server.telemetry.loop_lag_s,
        ),
        gauge(
            "inglenook_webhook_deliveries",
            "Stored deliveries to webhooks, by state",
            {(state.value,): float(count) for state, count in deliveries.items()},
            ("state",),
        ),
    ]
    return Response(document(groups), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})


def _of_jobs(server: Services) -> list[list[str]]:
    dispatcher, telemetry = server.dispatcher, server.telemetry
    stored: dict[Labels, float] = {(state.value,): float(n) for state, n in server.store.counts.items()}
    return [
        gauge("inglenook_queue_pending", "Jobs that wait", len(dispatcher.waiting())),
        gauge("inglenook_jobs_running", "Jobs that run", len(dispatcher.running())),
        gauge("inglenook_jobs_stored", "Jobs in the store, by state", stored, ("state",)),
        gauge("inglenook_queue_waits_for_store", "1 while ends of jobs cannot be stored", dispatcher.waits_for_store),
        telemetry.jobs.lines(),
        telemetry.retries.lines(),
        telemetry.job_seconds.lines(),
        telemetry.wait_seconds.lines(),
        telemetry.node_seconds.lines(),
        telemetry.cached_nodes.lines(),
        telemetry.requests.lines(),
        telemetry.request_seconds.lines(),
    ]


def _of_workers(dispatcher: Dispatcher) -> list[list[str]]:
    workers = dispatcher.workers
    jobs: dict[Labels, float] = {(one.name,): float(one.running) for one in dispatcher.members}
    slots: dict[Labels, float] = {(one.name,): float(one.capacity) for one in dispatcher.members}
    ended: dict[Labels, float] = {
        (one.name, state): float(count) for one in dispatcher.members for state, count in one.ended.items()
    }
    up: dict[Labels, float] = {(worker.name,): float(worker.state in _UP) for worker in workers}
    busy: dict[Labels, float] = {(worker.name,): float(worker.state is WorkerState.BUSY) for worker in workers}
    loaded: dict[Labels, float] = {(worker.name,): float(getattr(worker, "models_loaded", 0)) for worker in workers}
    models: dict[Labels, float] = {(worker.name,): float(getattr(worker, "model_bytes", 0)) for worker in workers}
    total: dict[Labels, float] = {}
    free: dict[Labels, float] = {}
    for worker in workers:
        for device in worker.devices:
            total[worker.name, device.name] = float(device.vram_total)
            free[worker.name, device.name] = float(device.vram_free)
    names = ("worker", "device")
    return [
        gauge("inglenook_worker_up", "1 while a worker can run jobs", up, ("worker",)),
        gauge("inglenook_worker_busy", "1 while it runs one", busy, ("worker",)),
        gauge("inglenook_worker_jobs", "Jobs that a worker has", jobs, ("worker",)),
        gauge("inglenook_worker_slots", "Jobs that it takes at a time", slots, ("worker",)),
        gauge(
            "inglenook_worker_jobs_ended",
            "Jobs that ended there, by state; lost: went elsewhere",
            ended,
            ("worker", "state"),
        ),
        gauge("inglenook_models_loaded", "Networks on the device, after the last run", loaded, ("worker",)),
        gauge("inglenook_model_bytes", "Memory that they take", models, ("worker",)),
        gauge("inglenook_device_memory_bytes", "Memory of a device", total, names),
        gauge("inglenook_device_memory_free_bytes", "Free memory of a device, after the last run", free, names),
    ]


def _memory(workers: Sequence[Worker]) -> dict[Labels, float]:
    found: dict[Labels, float] = {("api",): float(psutil.Process().memory_info().rss)}
    for worker in workers:
        used = resident_bytes(worker)
        if used is not None:
            found[worker.name,] = float(used)
    return found


def resident_bytes(worker: Worker) -> int | None:
    """Memory of a worker's process; None where there is none on this machine."""
    pid = getattr(worker, "pid", None)
    if pid is None:
        return None
    try:
        return int(psutil.Process(pid).memory_info().rss)
    except psutil.Error:
        return None


async def _disk(server: Services) -> dict[Labels, float]:
    folders: dict[str, Path] = {"data": server.settings.data_folder, "output": server.folders.output}
    found: dict[Labels, float] = {}
    for name, path in folders.items():
        free = await free_bytes(path)
        if free is not None:
            found[name,] = float(free)
    return found
