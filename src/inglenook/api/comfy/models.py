"""`/models`, `/embeddings`, `/experiment/models`: model files that the server has."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from inglenook.api.deps import CurrentFolders
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.media.folders import Folders

router = APIRouter(tags=["models"])

_NOT_MODELS = ("configs", "custom_nodes")


@router.get("/embeddings", summary="Names of textual inversions")
async def get_embeddings(folders: CurrentFolders) -> Response:
    """Return the names of embeddings, without extension."""
    names = await asyncio.to_thread(folders.list, "embeddings")
    return JSONResponse([os.path.splitext(name)[0] for name in names])  # noqa: PTH122


@router.get("/models", summary="Model folders, or the files of one")
async def get_models(
    folders: CurrentFolders,
    type: Annotated[str | None, Query(description="A model folder: its files are listed instead")] = None,
    name: Annotated[str, Query(description="Only files whose name contains this")] = "",
) -> Response:
    """Return the names of the model folders; with `type`, the files of that folder."""
    if type is None:
        return JSONResponse([*folders.models])
    files = await _files(folders, type)
    return JSONResponse([file for file in files if name.lower() in file.lower()])


@router.get("/models/{folder}", summary="Files of a model folder")
async def get_model_folder(folders: CurrentFolders, folder: str) -> Response:
    """Return relative file names."""
    return JSONResponse(await _files(folders, folder))


async def _files(folders: Folders, folder: str) -> list[str]:
    if folders.model_folder(folder) is None:
        raise ApiError(404, "not_found", f"There is no model folder {folder[:50]!r}", ", ".join(folders.models))
    return await asyncio.to_thread(folders.list, folder)


@router.get("/experiment/models", summary="Model folders with their paths")
async def get_folder_paths(folders: CurrentFolders) -> Response:
    """Return `[{"name", "folders"}]`."""
    return JSONResponse(
        [
            {"name": folder.name, "folders": [str(path) for path in folder.paths]}
            for folder in folders.models.values()
            if folder.name not in _NOT_MODELS
        ]
    )


@router.get("/experiment/models/{folder}", summary="Files of a model folder with their sizes")
async def get_folder_details(folders: CurrentFolders, folder: str) -> Response:
    """Return `[{"name", "pathIndex", "modified", "created", "size"}]`, times in seconds."""
    names = await _files(folders, folder)
    return JSONResponse(await asyncio.to_thread(_details, folders, folder, names))


def _details(folders: Folders, folder: str, names: list[str]) -> list[dict[str, Any]]:
    model_folder = folders.model_folder(folder)
    roots = () if model_folder is None else (*model_folder.paths, *model_folder.packaged)
    return [entry for name in names if (entry := _detail(roots, name)) is not None]


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
