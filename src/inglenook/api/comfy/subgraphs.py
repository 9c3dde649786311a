"""`/global_subgraphs`: subgraphs that node packs bring, `subgraphs/*.json`, for the editor's list of nodes."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.pack_files import PackFile, files_in, pack_folders
from inglenook.api.deps import Services, services
from inglenook.api.errors import JSONResponse
from inglenook.api.segments import segment_router

router = segment_router("comfy")

_FOLDER = "subgraphs"
_SOURCE = "custom_node"


@router.get("/global_subgraphs", summary="Subgraphs of node packs")
async def get_subgraphs(request: Request) -> Response:
    """Return each subgraph by its id, without its workflow."""
    files = await asyncio.to_thread(_files, services(request))
    return JSONResponse({key: _described(file) for key, file in files.items()})


@router.get("/global_subgraphs/{subgraph_id}", summary="A subgraph with its workflow")
async def get_subgraph(request: Request) -> Response:
    """Return a subgraph with the text of its workflow under `data`, `null` when there is none."""
    found = await asyncio.to_thread(_with_data, services(request), request.path_params["subgraph_id"])
    return JSONResponse(b"null" if found is None else found)


def _files(server: Services) -> dict[str, PackFile]:
    files = [file for pack, root in pack_folders(server).items() for file in files_in(pack, root, _FOLDER, ".json")]
    return {hashlib.sha256(f"{_SOURCE}/{_place(file)}".encode()).hexdigest(): file for file in files}


def _place(file: PackFile) -> str:
    """Where a file is, without telling where packs lie on this machine."""
    return f"custom_nodes/{file.pack}/{_FOLDER}/{Path(file.path).name}"


def _described(file: PackFile) -> dict[str, Any]:
    info = {"node_pack": f"custom_nodes.{file.pack}"}
    return {"source": _SOURCE, "name": Path(file.path).stem, "path": _place(file), "info": info}


def _with_data(server: Services, subgraph_id: str) -> dict[str, Any] | None:
    file = _files(server).get(subgraph_id)
    data = None if file is None else file.read()
    if file is None or data is None:
        return None
    return {**_described(file), "data": data.decode("utf-8-sig", errors="replace")}
