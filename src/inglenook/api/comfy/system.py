"""`/system_stats`, `/object_info`: what this server is and has."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import msgspec
import orjson
import psutil
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook import COMFYUI_VERSION, __version__
from inglenook.api.comfy import extensions
from inglenook.api.comfy.versions import editor_versions, installed
from inglenook.api.compression import accepts_gzip
from inglenook.api.deps import Services, services
from inglenook.api.errors import JSONResponse
from inglenook.api.etags import is_known
from inglenook.packs.report import PackReport

router = APIRouter(tags=["comfy"])


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
        **editor_versions(),
        "deploy_environment": "local",
        "python_version": sys.version,
        "pytorch_version": versions.get("torch", installed("torch") or "not installed"),
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


def _devices(server: Services, total: int, free: int) -> list[dict[str, Any]]:
    workers = server.dispatcher.workers
    devices = [(worker.name, device) for worker in workers for device in worker.devices]
    is_pool = len(workers) > 1
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
                **({"worker": name} if is_pool else {}),
            }
            for name, device in devices
        ]
    host = {"name": "cpu", "type": "cpu", "index": None, "vram_total": total, "vram_free": free}
    return [{**host, "torch_vram_total": total, "torch_vram_free": free}]


@router.get("/object_info", summary="Every node class")
async def get_object_info(request: Request) -> Response:
    """Return the interface of every node class; answers If-None-Match with 304 and gzip where it is accepted."""
    await services(request).questions.refresh()
    info = await asyncio.to_thread(services(request).catalogs.object_info)
    headers = {"etag": info.etag, "cache-control": "no-cache", "vary": "accept-encoding"}
    if is_known(request.headers, info.etag):
        return Response(status_code=304, headers=headers)
    if accepts_gzip(request.headers.get("accept-encoding", "").encode("latin-1")):
        return JSONResponse(info.compressed, headers={**headers, "content-encoding": "gzip"})
    return JSONResponse(info.body, headers=headers)


@router.get("/object_info/{class_type:path}", summary="One node class")
async def get_object_info_entry(request: Request) -> Response:
    """Return `{class: interface}`, `{}` for an unknown class."""
    await services(request).questions.refresh()
    catalog = services(request).catalogs.current
    class_type = request.path_params["class_type"]
    return JSONResponse(orjson.dumps(await asyncio.to_thread(catalog.object_info, class_type)))


@router.get("/node_replacements", summary="Classes that were replaced by others")
async def get_node_replacements(request: Request) -> Response:
    """Return the replacements that node packs registered, by the old class."""
    found = services(request).catalogs.replacements
    return JSONResponse({old: [msgspec.to_builtins(item) for item in items] for old, items in found.items()})
