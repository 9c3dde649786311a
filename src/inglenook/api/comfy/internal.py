"""`/internal/...`: what the editor asks for itself. Exists without `/api` only."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.deps import folders
from inglenook.api.errors import JSONResponse
from inglenook.media.paths import is_utf8

router = APIRouter(prefix="/internal", tags=["comfy"])


@router.get("/folder_paths", summary="Paths of all model folders")
async def get_folder_paths(request: Request) -> Response:
    """Return the absolute paths of each model folder by its name."""
    models = folders(request).models
    return JSONResponse({name: [str(path) for path in folder.paths] for name, folder in models.items()})


@router.get("/files/{kind}", summary="Files of the input, output or temp folder")
async def get_files(request: Request) -> Response:
    """Return the names of the files right in the folder, the newest first."""
    kind = request.path_params["kind"]
    if kind not in ("input", "output", "temp"):
        return JSONResponse({"error": "Invalid directory type"}, status_code=400)
    return JSONResponse(await asyncio.to_thread(_newest_first, folders(request).directory(kind)))


def _newest_first(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [(_modified_ns(entry), entry.name) for entry in entries if _is_shown(entry)]
    except OSError:  # no such folder
        found = []
    return [name for _, name in sorted(found, key=lambda file: (-file[0], file[1]))]


def _modified_ns(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_mtime_ns
    except OSError:  # gone meanwhile
        return 0


def _is_shown(entry: os.DirEntry[str]) -> bool:
    try:
        return not entry.name.startswith(".") and is_utf8(entry.name) and entry.is_file()
    except OSError:
        return False
