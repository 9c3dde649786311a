"""`/models`, `/embeddings`, `/experiment/models`: model files that this server and those behind it have."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from inglenook.api import model_lists
from inglenook.api.deps import CurrentServices, Services
from inglenook.api.errors import ApiError, JSONResponse

router = APIRouter(tags=["models"])

_NOT_MODELS = ("configs", "custom_nodes")


@router.get("/embeddings", summary="Names of textual inversions")
async def get_embeddings(server: CurrentServices) -> Response:
    """Return the names of embeddings, without extension."""
    return JSONResponse(await asyncio.to_thread(model_lists.embeddings, server))


@router.get("/models", summary="Model folders, or the files of one")
async def get_models(
    server: CurrentServices,
    type: Annotated[str | None, Query(description="A model folder: its files are listed instead")] = None,
    name: Annotated[str, Query(description="Only files whose name contains this")] = "",
) -> Response:
    """Return the names of the model folders; with `type`, the files of that folder."""
    if type is None:
        return JSONResponse(model_lists.model_folders(server))
    files = await _files(server, type)
    return JSONResponse([file for file in files if name.lower() in file.lower()])


@router.get("/models/{folder}", summary="Files of a model folder")
async def get_model_folder(server: CurrentServices, folder: str) -> Response:
    """Return relative file names."""
    return JSONResponse(await _files(server, folder))


async def _files(server: Services, folder: str) -> list[str]:
    files = await asyncio.to_thread(model_lists.model_files, server, folder)
    if files is None:
        known = ", ".join(model_lists.model_folders(server))
        raise ApiError(404, "not_found", f"There is no model folder {folder[:50]!r}", known)
    return files


@router.get("/experiment/models", summary="Model folders with their paths")
async def get_folder_paths(server: CurrentServices) -> Response:
    """Return `[{"name", "folders"}]`; folders that only other servers have are without paths."""
    own = server.folders.models
    return JSONResponse(
        [
            {"name": name, "folders": [str(path) for path in own[name].paths] if name in own else []}
            for name in model_lists.model_folders(server)
            if name not in _NOT_MODELS
        ]
    )


@router.get("/experiment/models/{folder}", summary="Files of a model folder with their sizes")
async def get_folder_details(server: CurrentServices, folder: str) -> Response:
    """Return `[{"name", "pathIndex", "modified", "created", "size"}]`, times in seconds.

    Of a file that only another server has, the last three are null.
    """
    names = await _files(server, folder)
    return JSONResponse(await asyncio.to_thread(_details, server, folder, names))


def _details(server: Services, folder: str, names: list[str]) -> list[dict[str, Any]]:
    model_folder = server.folders.model_folder(folder)
    roots = () if model_folder is None else (*model_folder.paths, *model_folder.packaged)
    far = model_lists.far_files(server, folder)
    return [entry for name in names if (entry := _detail(roots, name) or _far_detail(far, name)) is not None]


def _far_detail(far: Collection[str], name: str) -> dict[str, Any] | None:
    if name not in far:
        return None
    return {"name": name, "pathIndex": 0, "modified": None, "created": None, "size": None}


def _detail(roots: tuple[Path, ...], name: str) -> dict[str, Any] | None:
    for index, root in enumerate(roots):
        try:
            status = (root / name).stat()
        except OSError:
            continue
        return {
            "name": name,
            "pathIndex": index,
            "modified": status.st_mtime,
            "created": status.st_ctime,
            "size": status.st_size,
        }
    return None
