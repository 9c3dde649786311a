"""Serves the routes that node packs added, over HTTP on a Unix socket of the device process.

The API process forwards to it what it does not serve itself (`api/pack_routes.py`). The socket lies in a folder that
only this user may enter. A device process often ends by a signal and leaves the folder behind: the next one sweeps up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from inglenook.packs.prompt_server import PromptServer
from inglenook.packs.route_names import FOLDER_PREFIX, UNMATCHED, discard_socket

logger = logging.getLogger(__name__)

_SOCKET = "http"
_LONGEST_PATH = 100
"""A Unix socket's path has at most 107 bytes on Linux, 103 on macOS."""
_HEADER_LIMIT = 1 << 20
"""The API process limits headers more tightly; nothing is to be refused here in aiohttp's words."""
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 10.0

_runners: dict[str, tuple[web.AppRunner, asyncio.AbstractEventLoop]] = {}
"""What is served, by the path of its socket."""


def start(server: PromptServer, loop: asyncio.AbstractEventLoop) -> str | None:
    """Serve the routes of `server` on `loop`, which runs in another thread; returns the path of the socket.

    None when packs added no routes, or none that can be served: what is wrong with one is logged. Call it once, when
    all packs are imported: the application takes no routes after that.
    """
    _add_routes(server)
    if not list(server.app.router.resources()):
        return None
    try:
        return asyncio.run_coroutine_threadsafe(_start(server.app), loop).result(_START_LIMIT_S)
    except Exception:
        logger.exception("the routes of node packs cannot be served")
        return None


def stop(path: str) -> None:
    """Stop serving at `path` and remove the socket; not from the thread of the loop."""
    runner, loop = _runners.pop(path)
    try:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(_STOP_LIMIT_S)
    finally:
        discard_socket(path)


# Routes


def _add_routes(server: PromptServer) -> None:
    """Register the routes of the table bare and under `/api`; one that cannot be registered is left out."""
    for route in server.routes:
        for definition in (_under_api(route), route):
            if definition is None:
                continue
            try:
                definition.register(server.app.router)
            except Exception as error:  # a path that is taken or is no pattern, a handler that is none
                logger.error("the route %s of a node pack is left out: %s", _shown(definition), error)


def _under_api(route: web.AbstractRouteDef) -> web.AbstractRouteDef | None:
    if isinstance(route, web.RouteDef):
        options = {key: value for key, value in route.kwargs.items() if key != "name"}  # names are unique
        return web.RouteDef(route.method, f"/api{route.path}", route.handler, options)
    if isinstance(route, web.StaticDef):
        options = {key: value for key, value in route.kwargs.items() if key != "name"}
        return web.StaticDef(f"/api{route.prefix}", route.path, options)
    return None


def _shown(route: web.AbstractRouteDef) -> str:
    if isinstance(route, web.RouteDef):
        return f"{route.method} {route.path}"
    return f"static {route.prefix}" if isinstance(route, web.StaticDef) else repr(route)


# Serving


async def _start(app: web.Application) -> str:
    app.middlewares.insert(0, _failures_in_short)
    app.on_response_prepare.append(_mark_unmatched)
    app.on_startup[:] = [_guarded(callback) for callback in app.on_startup]
    runner = web.AppRunner(
        app,
        access_log=None,
        debug=False,
        max_line_size=_HEADER_LIMIT,
        max_field_size=_HEADER_LIMIT,
        max_headers=10_000,
        shutdown_timeout=1.0,
    )
    await runner.setup()
    folder = _make_folder()
    path = str(folder / _SOCKET)
    try:
        await web.UnixSite(runner, path, backlog=1024).start()
    except BaseException:
        await runner.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _runners[path] = (runner, asyncio.get_running_loop())
    return path


@web.middleware
async def _failures_in_short(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An exception of a handler is for the log; its client learns only that there was one."""
    try:
        return await handler(request)
    except (web.HTTPException, asyncio.CancelledError):
        raise
    except (Exception, SystemExit, KeyboardInterrupt):  # the latter two would end the loop of all routes
        logger.exception("a node pack's route failed: %s %s", request.method, request.path)
        if request.writer.output_size > 0:  # the client sees the answer break off
            raise ConnectionError("the route failed in the middle of its answer") from None
        return web.Response(status=500, text="500 Internal Server Error\n\nServer got itself in trouble")


async def _mark_unmatched(request: web.Request, response: web.StreamResponse) -> None:
    """Tell an answer that the router itself gave (404, 405) from that of a route."""
    if request.match_info.http_exception is not None and response.status in (404, 405):
        response.headers[UNMATCHED] = "1"


def _guarded(callback: Callable[[web.Application], Awaitable[Any]]) -> Callable[[web.Application], Awaitable[None]]:
    """Keep the start-up code of one pack from taking the routes of the others with it."""

    async def guarded(app: web.Application) -> None:
        try:
            await callback(app)
        except (Exception, SystemExit):
            logger.exception("start-up code of a node pack failed")

    return guarded


# The folder of the socket


def _make_folder() -> Path:
    """A new folder that only this user may enter, under a path that is short enough for a socket."""
    root = Path(tempfile.gettempdir())
    if len(os.fsencode(root)) + len(FOLDER_PREFIX) + len(_SOCKET) + 10 > _LONGEST_PATH:
        root = Path("/tmp")
    _sweep(root)
    return Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=root))


def _sweep(root: Path) -> None:
    """Remove folders of device processes that are gone: nobody listens at their sockets."""
    for folder in root.glob(f"{FOLDER_PREFIX}*"):
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(folder / _SOCKET))
                except ConnectionRefusedError:
                    shutil.rmtree(folder, ignore_errors=True)
