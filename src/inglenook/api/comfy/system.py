"""`/system_stats`, `/object_info`, `/features`: what this server is and has."""

from __future__ import annotations

import asyncio
import os
import sys
from importlib import metadata
from typing import Any

import orjson
import psutil
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook import COMFYUI_VERSION, __version__
from inglenook.api.comfy import extensions
from inglenook.api.deps import Services, services
from inglenook.api.errors import JSONResponse
from inglenook.packs.report import PackReport
from inglenook.settings import Settings

router = APIRouter(tags=["comfy"])


def features(settings: Settings) -> dict[str, Any]:
    """Return the server's feature flags."""
    return {
        "supports_preview_metadata": True,
        "max_upload_size": settings.max_upload_bytes,
        "assets": settings.enable_assets,
        "supports_model_type_tags": settings.enable_assets,
    }


@router.get("/features", summary="Feature flags of the server")
async def get_features(request: Request) -> Response:
    return JSONResponse(features(services(request).settings))


@router.get("/system_stats", summary="Versions, memory and devices")
async def get_system_stats(request: Request) -> Response:
    server = services(request)
    memory = psutil.virtual_memory()
    versions: dict[str, str] = {}
    for worker in server.dispatcher.workers:
        versions.update(getattr(worker, "versions", {}))
    system = {
        "os": sys.platform,
        "ram_total": memory.total,
        "ram_free": memory.available,
        "comfyui_version": COMFYUI_VERSION,
        "inglenook_version": __version__,
        "python_version": sys.version,
        "pytorch_version": versions.get("torch", _installed_torch()),
        "embedded_python": False,
        "argv": ["inglenook"],
        "custom_nodes": [_summary(report) for report in extensions.reports(server)],
    }
    return JSONResponse({"system": system, "devices": _devices(server, memory.total, memory.available)})


def _summary(report: PackReport) -> dict[str, Any]:
    return {
        "name": report.name,
        "classes": len(report.classes),
        "import_seconds": round(report.import_seconds, 3),
        "error": report.error,
        "warnings": report.warnings,
    }


def _installed_torch() -> str:
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return "not installed"


def _devices(server: Services, total: int, free: int) -> list[dict[str, Any]]:
    devices = [device for worker in server.dispatcher.workers for device in worker.devices]
    if devices:
        return [
            {
                "name": device.name,
                "type": device.type,
                "index": device.index,
                "vram_total": device.vram_total,
                "vram_free": device.vram_free,
                "torch_vram_total": device.torch_vram_total,
                "torch_vram_free": device.torch_vram_free,
            }
            for device in devices
        ]
    host = {"name": "cpu", "type": "cpu", "index": None, "vram_total": total, "vram_free": free}
    return [{**host, "torch_vram_total": total, "torch_vram_free": free}]


@router.get("/object_info", summary="Every node class")
async def get_object_info(request: Request) -> Response:
    """Return the interface of every node class; answers If-None-Match with 304 and gzip where it is accepted."""
    await services(request).questions.refresh()
    info = await asyncio.to_thread(services(request).catalogs.object_info)
    headers = {"etag": info.etag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if info.etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if "gzip" in request.headers.get("accept-encoding", ""):
        return JSONResponse(info.compressed, headers={**headers, "content-encoding": "gzip"})
    return JSONResponse(info.body, headers=headers)


@router.get("/object_info/{class_type:path}", summary="One node class")
async def get_object_info_entry(request: Request) -> Response:
    """Return `{class: interface}`, `{}` for an unknown class."""
    await services(request).questions.refresh()
    catalog = services(request).catalogs.current
    class_type = request.path_params["class_type"]
    return JSONResponse(orjson.dumps(await asyncio.to_thread(catalog.object_info, class_type)))


@router.get("/health", summary="Whether the server answers", tags=["inglenook"])
async def get_health(request: Request) -> Response:
    """Answers while anything runs; `workers` says whether jobs can run now."""
    dispatcher = services(request).dispatcher
    return JSONResponse(
        {
            "status": "ok",
            "version": __version__,
            "queue_remaining": dispatcher.remaining,
            "workers": [
                {"name": worker.name, "state": str(worker.state), "pid": getattr(worker, "pid", None)}
                for worker in dispatcher.workers
            ],
            "pid": os.getpid(),
        }
    )
