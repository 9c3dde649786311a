"""What a server shows later than the rest is soon known in front."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from aiohttp import web

from inglenook.workers.remote import RemoteWorker
from inglenook.workers.remote.pace import CatalogPace
from tests.workers.remote.conftest import QUICK
from tests.workers.remote.listening import Listener, eventually, is_ready
from tests.workers.remote.peer import CATALOG, RemotePeer

SELDOM = dataclasses.replace(QUICK, catalog_interval_s=600)


async def test_the_classes_of_packs_that_are_still_imported_are_known_soon_after(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    """Although the usual interval is ten minutes here."""
    unchanged = 0

    async def object_info(request: web.Request) -> web.StreamResponse:
        nonlocal unchanged
        etag = f'"{len(peer.catalog)}"'
        if request.headers.get("If-None-Match") == etag:
            unchanged += 1
            return web.Response(status=304)
        return web.json_response(peer.catalog, headers={"ETag": etag})

    peer.special["GET", "/object_info"] = object_info
    worker = make_worker(peer.url, limits=SELDOM)
    await worker.start(listener)
    await is_ready(listener, worker)
    await eventually(lambda: unchanged)
    peer.catalog = {**CATALOG, "OfPack": CATALOG["Make"]}
    await eventually(lambda: "OfPack" in (worker.documents or {}), 30)


def test_a_server_is_asked_often_while_it_may_have_more_to_show() -> None:
    pace = CatalogPace(30.0)
    assert pace.pause_s(0.0, is_cheap=True) == 30.0
    pace.happened(100.0)
    assert pace.pause_s(110.0, is_cheap=True) == 1.0
    assert pace.pause_s(110.0, is_cheap=False) == 30.0, "it would send its whole catalog each time"
    assert pace.pause_s(131.0, is_cheap=True) == 30.0
    pace.happened(129.0)
    assert pace.pause_s(131.0, is_cheap=True) == 1.0
    assert CatalogPace(0.2).pause_s(0.0, is_cheap=True) == 0.2
