"""`/`, `/editor`, `/templates`, `/docs/{node}/...`, `/user.css`: what the editor asks of a server beside the API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from inglenook.api.deps import users
from inglenook.api.editor.front_end import FrontEnd, shows_front_end
from inglenook.api.editor.start_page import start_page
from inglenook.api.editor.static_files import find
from inglenook.api.editor.template_pictures import instead_of_picture
from inglenook.api.errors import ApiError
from inglenook.api.identity import user_of

router = APIRouter(tags=["editor"])


def front_end_of(request: Request) -> FrontEnd:
    """The front end of the app that a request came to."""
    return cast(FrontEnd, request.app.state.front_end)


@router.get("/", include_in_schema=False)
async def get_start_page(request: Request) -> Response:
    """Send the editor's page where it is shown, else one that says what this is."""
    front_end = front_end_of(request)
    if shows_front_end(front_end, request.scope):
        return await asyncio.to_thread(front_end.start_page, request)
    return start_page(request.headers.get("accept-language", ""))


@router.get("/editor", summary="Leads to `/editor/`", include_in_schema=False)
async def get_editor_without_slash(request: Request) -> Response:
    """Lead to `/editor/`: the page finds its files and the API beside its own address."""
    query = request.url.query
    return RedirectResponse(f"editor/?{query}" if query else "editor/")


@router.get("/user.css", summary="The user's own style sheet for the editor", include_in_schema=False)
async def get_user_style(request: Request) -> Response:
    """Send the user's own style sheet, empty where there is none: the editor's page always asks for it."""
    found = await asyncio.to_thread(_user_style, request)
    if found is None:
        return Response(media_type="text/css", headers={"Cache-Control": "no-cache"})
    return await asyncio.to_thread(front_end_of(request).files.answer, found, request.headers)


def _user_style(request: Request) -> Path | None:
    try:
        return find(users(request).files(user_of(request)).root, "user.css")
    except ApiError:  # nobody's page, as a browser asks for style sheets before anybody has said who it is
        return None


@router.get("/templates/{path:path}", summary="A workflow template, or a picture of one")
async def get_template(request: Request) -> Response:
    """Send a file of the installed template packages, or what stands for a picture that is not installed."""
    path = request.path_params["path"]

    def folders() -> Sequence[Path]:
        return front_end_of(request).templates

    try:
        return await _packaged(request, folders, path, "template")
    except ApiError:
        instead = await asyncio.to_thread(lambda: instead_of_picture(folders(), path))
        if instead is None:
            raise
        return instead


@router.get("/docs/{node}/{path:path}", summary="Help for a node class")
async def get_node_docs(request: Request) -> Response:
    """Send `<language>.md`, or a picture of it, from the installed help package."""

    def places() -> list[Path]:
        docs = front_end_of(request).docs
        return [] if docs is None else [docs]

    return await _packaged(request, places, f"{request.path_params['node']}/{request.path_params['path']}", "help page")


async def _packaged(request: Request, places: Callable[[], Sequence[Path]], path: str, what: str) -> Response:
    def answer() -> Response | None:
        for folder in places():
            found = find(folder, path, is_package=True)
            if found is not None:
                return front_end_of(request).files.answer(found, request.headers)
        return None

    response = await asyncio.to_thread(answer)
    if response is None:
        raise ApiError(404, "not_found", f"There is no {what} {path[:100]!r}")
    return response
