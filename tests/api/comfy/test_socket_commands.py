"""Graphs that come over a socket: `{"type": "execute", "data": ...}`."""

import asyncio
import json
from contextlib import asynccontextmanager
from functools import partial

import pytest
import websockets.asyncio.client

from inglenook.api.access.scopes import CALLER_SCOPE, Scope
from inglenook.api.comfy import socket_commands
from inglenook.dispatch.intake import QueueFull
from tests.api.comfy.test_hub import Client, connected, hub  # noqa: F401 - a fixture
from tests.api.idle import NeverReady
from tests.api.live import new_color, new_id, picture_graph, read_until
from tests.api.packs import serving

connect = partial(websockets.asyncio.client.connect, open_timeout=60)


def execute(data, **more):
    return json.dumps({"type": "execute", "data": data, **more})


def is_kind(*kinds):
    return lambda message: isinstance(message, dict) and message["type"] in kinds


def is_end(message):
    return is_kind("executing")(message) and message["data"]["node"] is None


@pytest.mark.parametrize("client_id", [None, "named"])
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_graph_is_queued_and_its_run_told_to_the_socket(live, client_id, is_wrapped):
    graph = picture_graph(new_color())
    with live.socket(client_id and new_id()) as websocket:
        websocket.send(execute({"prompt": graph} if is_wrapped else graph))
        seen = read_until(websocket, is_end)
        kinds = [message["type"] for message in seen if message["type"] not in ("status", "task_update")]
        assert kinds[:2] == ["queued", "execution_start"]
        assert kinds[-2:] == ["execution_success", "executing"]
        queued = next(message["data"] for message in seen if message["type"] == "queued")
        assert set(queued) >= {"prompt_id", "number", "node_errors"}
        assert live.get(f"/history/{queued['prompt_id']}").json()[queued["prompt_id"]]["status"]["completed"]


def test_a_graph_runs_although_its_client_has_left(live):
    job_id = new_id()
    with live.socket() as websocket:
        websocket.send(execute({"prompt": picture_graph(new_color()), "prompt_id": job_id}))
    assert live.wait(job_id)["status"]["completed"]


def test_a_graph_that_is_refused_is_answered_with_the_reason_and_an_end(live):
    graph = picture_graph(1, size=-4)
    with live.socket() as websocket:
        websocket.send(execute(graph))
        error, end = read_until(websocket, is_end)[-2:]
    assert error["type"] == "execution_error"
    assert error["data"]["exception_type"] == "prompt_outputs_failed_validation"
    assert error["data"]["node_id"] == "1"
    assert error["data"]["node_type"] == "EmptyImage"
    assert error["data"]["node_errors"]["1"]["errors"]
    assert end["data"] == {"node": None, "prompt_id": None}


def test_several_graphs_are_taken_one_after_another(live):
    with live.socket() as websocket:
        for color in range(5):
            websocket.send(execute(picture_graph(color)))
        numbers = [read_until(websocket, is_kind("queued"))[-1]["data"]["number"] for _ in range(5)]
    assert numbers == sorted(numbers)


# Without a device process


@asynccontextmanager
async def client_of(tmp_path):
    async with (
        serving(tmp_path, NeverReady()) as server,
        connect(f"ws://127.0.0.1:{server.port}/ws", max_size=None) as websocket,
    ):
        await websocket.recv()
        yield server, websocket


async def answer(websocket):
    async with asyncio.timeout(60):
        while True:
            message = json.loads(await websocket.recv())
            if message["type"] in ("queued", "execution_error"):
                return message


DEEP = "[" * 500 + "]" * 500


@pytest.mark.parametrize(
    "data",
    ["null", "7", '"text"', "[]", "{}", '{"prompt": 5}', '{"prompt": null}', '{"1": {"class_type": 5}}', "true",
     '{"prompt": {}, "extra_data": []}', '{"1": {"class_type": "SaveImage"}, "2": []}', DEEP,
     '{"prompt": ' + DEEP + "}",
     '{"prompt": {"1": {"class_type": "No", "inputs": {}}}, "number": "x"}', "NaN", '{"prompt": {', '"\\ud800"'],
    ids=lambda data: data[:20],
)  # fmt: skip
async def test_whatever_is_no_graph_is_answered_with_an_error(tmp_path, data):
    async with client_of(tmp_path) as (_, websocket):
        await websocket.send(f'{{"type": "execute", "data": {data}}}')
        message = await answer(websocket)
        assert message["type"] == "execution_error"
        assert message["data"]["exception_type"]
        assert json.loads(await websocket.recv())["data"] == {"node": None, "prompt_id": None}
        await websocket.send(execute(picture_graph(1)))  # the socket goes on
        assert (await answer(websocket))["type"] == "queued"


async def test_what_only_mentions_execute_is_ignored_and_flags_may_mention_it(tmp_path):
    async with client_of(tmp_path) as (server, websocket):
        for text in ('["execute"', '"execute', '{"a": "execute"'):
            await websocket.send(text)
        await websocket.send(json.dumps({"type": "feature_flags", "data": {"execute": "execute"}}))
        assert json.loads(await websocket.recv())["type"] == "feature_flags"
        await websocket.send('["execute"]')
        await websocket.send(json.dumps({"type": "other", "data": "execute"}))
        await (await websocket.ping())
        server.services.sockets.notice("end", {}, None)
        assert json.loads(await websocket.recv())["type"] == "end"


async def test_a_graph_uses_up_the_chance_for_flags(tmp_path):
    async with client_of(tmp_path) as (server, websocket):
        await websocket.send(execute(picture_graph(1)))
        await websocket.send(json.dumps({"type": "feature_flags", "data": {}}))
        await answer(websocket)
        await (await websocket.ping())
        server.services.sockets.notice("end", {}, None)
        async with asyncio.timeout(60):
            seen = []
            while "end" not in seen:
                seen.append(json.loads(await websocket.recv())["type"])
        assert "feature_flags" not in seen


async def test_a_large_graph_is_taken(tmp_path):
    graph = picture_graph(1)
    graph["1"]["_meta"] = {"title": "x" * 5_000_000}
    async with client_of(tmp_path) as (_, websocket):
        await websocket.send(execute(graph))
        assert (await answer(websocket))["type"] == "queued"


async def test_a_full_queue_is_told(tmp_path, monkeypatch):
    async def full(*_, **__):
        raise QueueFull(5)

    monkeypatch.setattr(socket_commands, "submit_body", full)
    async with client_of(tmp_path) as (_, websocket):
        await websocket.send(execute({}))
        message = await answer(websocket)
        assert message["data"]["exception_type"] == "queue_full"


@pytest.mark.parametrize("scope", [Scope.READ, Scope.RUN])
async def test_a_key_that_may_only_read_submits_nothing(hub, monkeypatch, scope):  # noqa: F811
    submitted = []

    async def submit(server, data, **options):
        submitted.append(data)
        return {"prompt_id": "p"}

    monkeypatch.setattr(socket_commands, "submit_body", submit)
    async with connected(hub) as client:
        assert isinstance(client, Client)
        client.scope[CALLER_SCOPE] = scope
        client.say(execute({"1": {}}))
        if scope is Scope.READ:
            assert (await client.hears("execution_error"))[-1]["data"]["exception_type"] == "forbidden"
            assert submitted == []
        else:
            await client.hears("queued")
            assert submitted == [{"1": {}}]
