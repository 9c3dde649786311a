"""What a server shows later than the rest is soon known in front."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from aiohttp import web

from inglenook.workers.remote import RemoteWorker
from inglenook.workers.remote.pace import CatalogPace
from tests.client.peer import Answer
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


async def test_the_model_files_of_a_server_are_known_as_far_as_it_lists_them(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    def lists(*names: Any) -> Answer:
        async def answer(request: web.Request) -> web.StreamResponse:
            return web.json_response(names)

        return answer

    async def broken(request: web.Request) -> web.StreamResponse:
        return web.Response(text="no JSON")

    peer.special |= {
        ("GET", "/models"): lists("loras", "vae", "checkpoints", "custom_nodes", "../x", ".", 5, None, "a/b"),
        ("GET", "/models/loras"): lists("a.safetensors", "sub/b.safetensors", 7, "", "a\0b", "x" * 2000),
        ("GET", "/models/vae"): broken,
        ("GET", "/models/custom_nodes"): lists("code.py"),
        ("GET", "/embeddings"): lists("star", ["odd"]),
    }
    worker = make_worker(peer.url, limits=QUICK)
    await worker.start(listener)
    await is_ready(listener, worker)
    assert worker.embeddings == {"star"}
    await eventually(lambda: worker.model_lists)
    assert worker.model_lists == {"loras": ("a.safetensors", "sub/b.safetensors")}
    peer.special["GET", "/embeddings"] = lists("star", "moon")
    await eventually(lambda: worker.embeddings == {"star", "moon"}, 30)


async def test_a_server_without_lists_of_models_is_used_all_the_same(worker: RemoteWorker) -> None:
    assert worker.embeddings is None
    assert worker.model_lists == {}
