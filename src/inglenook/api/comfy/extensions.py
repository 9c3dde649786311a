"""`/extensions`: scripts that node packs add to the editor, and the other files of their web folders."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from inglenook.api.comfy.far_extensions import far_file, far_packs
from inglenook.api.deps import Services, services
from inglenook.api.editor.front_end import FrontEnd
from inglenook.api.editor.static_files import find
from inglenook.api.errors import ApiError, JSONResponse
from inglenook.api.pack_routes import AnsweredByPacks
from inglenook.packs.report import PackReport

router = APIRouter(tags=["comfy"])


def reports(server: Services) -> list[PackReport]:
    """What became of each pack, by name; of one that several device processes have imported, the first report."""
    found: dict[str, PackReport] = {}
    for worker in server.dispatcher.workers:
        for report in worker.packs:
            found.setdefault(report.name, report)
    return [found[name] for name in sorted(found)]


def _web_folders(request: Request) -> dict[str, Path]:
    """Folders by the name in their address: that of the pack, then names that packs gave to further folders."""
    usable = [report for report in reports(services(request)) if report.error is None]
    found = {report.name: Path(report.web_directory) for report in usable if report.web_directory is not None}
    for report in usable:
        for name, folder in report.more_web_directories.items():
            found.setdefault(name, Path(folder))
    return found


@router.get("/extensions", summary="Scripts that extend the editor")
async def get_extensions(request: Request) -> Response:
    """Return the address of each `.js` file of the editor itself and in the web folders of node packs.

    Those of packs that only other servers have are among them.
    """
    front_end: FrontEnd = request.app.state.front_end
    web_folders = _web_folders(request)
    far = {pack: worker.extensions[pack] for pack, worker in far_packs(services(request), web_folders).items()}
    return JSONResponse(await asyncio.to_thread(lambda: [*front_end.core_scripts(), *_scripts(web_folders, far)]))


def _scripts(folders: dict[str, Path], far: Mapping[str, Iterable[str]]) -> list[str]:
    own = {name: _scripts_below(folder) for name, folder in folders.items()}
    return sorted(
        f"/extensions/{quote(name, safe='')}/{quote(script)}"
        for name, scripts in {**far, **own}.items()
        for script in scripts
    )


def _scripts_below(folder: Path) -> Iterator[str]:
    """Names below `folder` that `get_extension_file` would serve."""
    for directory, subfolders, files in os.walk(folder):  # follows no links to folders, which might go in circles
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        for name in files:
            if name.lower().endswith(".js"):
                path = Path(directory, name).relative_to(folder).as_posix()
                if find(folder, path) is not None:
                    yield path


@router.get("/extensions/{pack}/{path:path}", summary="A file of a node pack's web folder")
async def get_extension_file(request: Request) -> Response:
    """Send a file of a pack's web folder as what it is; scripts are asked for again each time."""
    pack, path = request.path_params["pack"], request.path_params["path"]
    own = _web_folders(request)
    answer = await asyncio.to_thread(_file, own.get(pack), path, request)
    if answer is None:
        answer = await far_file(services(request), own, pack, path, request)
    if answer is not None:
        return answer
    message = f"The pack {pack[:100]!r} has no file {path[:100]!r} to show"
    return AnsweredByPacks(ApiError(404, "not_found", message))


def _file(folder: Path | None, path: str, request: Request) -> Response | None:
    found = None if folder is None else find(folder, path)
    front_end: FrontEnd = request.app.state.front_end
    if found is None:
        return front_end.answer(request)  # its own scripts
    return front_end.files.answer(found, request.headers)
