"""A server that repeats the key that it was given makes nobody else know it."""

from __future__ import annotations

import base64
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import web

from inglenook.client import AsyncClient
from inglenook.client.blackening import Blackener
from inglenook.client.errors import Unauthorized
from inglenook.engine.events import Failed
from inglenook.workers.remote import RemoteWorker
from inglenook.workers.worker import Death
from tests.client.peer import Job
from tests.workers.remote.conftest import QUICK
from tests.workers.remote.listening import Listener, eventually, is_ready, request
from tests.workers.remote.peer import GRAPH, RemotePeer

KEY = "sEcReT/kEy+1==x"
FORMS = [
    KEY,
    f"Bearer {KEY}",
    quote(KEY, safe=""),
    quote(KEY, safe="").lower(),
    *(base64.b64encode(f"{user}:{KEY}".encode()).decode() for user in ("", "u", "us", "user")),
    base64.urlsafe_b64encode(KEY.encode()).decode(),
]


def knows_key(text: str) -> bool:
    """Whether a text has the key in some form; the parts of base64 that a key's neighbours share do not count."""
    return any(form[4:-4].lower() in text.lower() for form in FORMS)


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_key_is_blackened(form: str) -> None:
    cleaned = Blackener(KEY).text(f"said {form}, twice {form}.")
    assert "[secret]" in cleaned
    assert not knows_key(cleaned)


def test_a_short_key_is_blackened_between_other_words_alone() -> None:
    assert Blackener("k1").text("k1 in k10, Bearer k1") == "[secret] in k10, Bearer [secret]"


def test_texts_of_every_shape_are_blackened_and_others_are_left() -> None:
    value = {"a": [KEY, {"b": (KEY, 1, None)}], KEY: "other"}
    assert Blackener(KEY).value(value) == {"a": ["[secret]", {"b": ("[secret]", 1, None)}], "[secret]": "other"}
    assert Blackener(None).value(value) is value


@pytest.fixture
async def keyed(peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener) -> RemoteWorker:
    made = make_worker(peer.url, api_key=KEY, limits=QUICK)
    await made.start(listener)
    await is_ready(listener, made)
    return made


async def test_a_refusal_that_repeats_the_header_is_shown_without_the_key(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    async def repeats(asked: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text=" ".join(["no:", asked.headers["Authorization"], *FORMS]))

    peer.special["GET", "/system_stats"] = repeats
    worker = make_worker(peer.url, api_key=KEY, limits=QUICK)
    await worker.start(listener)
    await eventually(lambda: "401" in str(worker.problem))
    assert "[secret]" in str(worker.problem)
    assert not knows_key(str(worker.problem))
    assert not knows_key(caplog.text)


async def test_an_error_of_the_client_does_not_hold_its_key(peer: RemotePeer) -> None:
    async def repeats(asked: web.Request) -> web.StreamResponse:
        return web.Response(status=401, text="x" * 490 + asked.headers["Authorization"])

    peer.special["GET", "/system_stats"] = peer.special["GET", "/ws"] = repeats
    async with AsyncClient(peer.url, api_key=KEY) as client:
        with pytest.raises(Unauthorized) as refused:
            await client.system_stats()
        with pytest.raises(Unauthorized) as unheard:
            await client.stream("me").open()
    for error in (refused.value, unheard.value):
        assert KEY[:5] not in str(error)
        assert KEY.encode() not in error.body


async def test_what_a_job_tells_of_its_failure_has_no_key(
    keyed: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def fails(job: Job) -> None:
        details: dict[str, Any] = {
            "node_id": "2",
            "node_type": "Show",
            "exception_message": f"no {KEY}",
            "exception_type": "ValueError",
            "traceback": [f"line {FORMS[1]}"],
            "executed": [],
            "current_inputs": {"images": [FORMS[2]]},
        }
        await job.tell("execution_start")
        await job.tell("executed", node="1", display_node="1", output={"text": [f"key {KEY}"]})
        job.finish({}, end="execution_error", **details)
        await job.tell("execution_error", **details)

    peer.script = fails
    keyed.execute(request("a", GRAPH))
    end = await listener.end("a")
    assert isinstance(end, Failed)
    assert (end.message, end.traceback) == ("no [secret]", ["line Bearer [secret]"])
    assert not knows_key(msgspec.json.encode(listener.events["a"]).decode())


async def test_what_a_server_says_of_itself_and_of_lost_jobs_has_no_key(
    keyed: RemoteWorker, listener: Listener, peer: RemotePeer, caplog: pytest.LogCaptureFixture
) -> None:
    async def breaks(asked: web.Request) -> web.StreamResponse:
        return web.json_response({"error": f"\\u0073 {KEY}"}, status=500)

    async def stats(asked: web.Request) -> web.StreamResponse:
        return web.json_response({"system": {"comfyui_version": KEY}, "devices": [{"name": KEY, "type": "cuda"}]})

    peer.special["POST", "/prompt"] = breaks
    peer.special["GET", "/system_stats"] = stats
    peer.catalog[f"Class{KEY}"] = {"input": {"required": {}}, "output": [], "description": KEY}
    keyed.execute(request("a", GRAPH))
    death = await listener.end("a")
    assert isinstance(death, Death)
    assert "[secret]" in death.reason
    await eventually(lambda: keyed.devices[0].name == "[secret]" and "Class[secret]" in (keyed.documents or {}))
    logging.getLogger("inglenook.remote.there").error("said %s", KEY)
    texts = [repr(asdict(death)), repr(keyed.documents), repr(keyed.versions), caplog.text]
    assert not [text for text in texts if knows_key(text)]
