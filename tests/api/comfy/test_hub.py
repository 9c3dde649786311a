"""What the hub of sockets makes of events and of clients' messages, without a server around it."""

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace

import orjson
import pytest
from starlette.websockets import WebSocketState

from inglenook.api.comfy import socket_commands
from inglenook.api.comfy.sockets import SocketHub
from inglenook.api.identity import USER
from inglenook.dispatch.run import Run
from inglenook.engine import events
from inglenook.engine.events import NodeRef
from inglenook.jobs import Job, JobId
from inglenook.media.users import DEFAULT_USER


class Client:
    """The server's side of a socket; `heard` is what the client was sent."""

    application_state = WebSocketState.CONNECTED

    def __init__(self, query="", user=None):
        self.heard = []
        self.scope = {"query_string": query.encode(), USER: user or DEFAULT_USER}
        settings = SimpleNamespace(multi_user=user is not None, max_json_depth=100)
        self.app = SimpleNamespace(state=SimpleNamespace(services=SimpleNamespace(settings=settings)))
        self._said = asyncio.Queue()

    async def accept(self):
        pass

    async def receive(self):
        return await self._said.get()

    async def send(self, message):
        self.heard.append(json.loads(message["text"]))

    async def close(self, code):
        pass

    def say(self, text):
        self._said.put_nowait({"type": "websocket.receive", "text": text})

    async def hears(self, kind):
        """Return the messages up to the first of this type."""
        async with asyncio.timeout(10):
            while True:
                for index, message in enumerate(self.heard):
                    if message["type"] == kind:
                        return self.heard[: index + 1]
                await asyncio.sleep(0)


@asynccontextmanager
async def connected(hub, query="", user=None):
    client = Client(query, user)
    serving = asyncio.create_task(hub.serve(client))
    try:
        await client.hears("status")
        yield client
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


@pytest.fixture
def hub():
    return SocketHub(
        SimpleNamespace(remaining_of=lambda user: 0, recent=lambda client_id: []), None, {"max_upload_size": 1}
    )


def a_run(attempt=1):
    return Run(Job(JobId("p"), 0, b"{}", ("1",), "f", 1, attempt=attempt), frozenset())


def node(number):
    return NodeRef(str(number), str(number), None, str(number))


async def test_a_new_attempt_does_not_tell_of_nodes_of_the_one_before(hub):
    run = a_run()
    async with connected(hub) as client:
        hub.run_events(run, [events.NodeStarted(node(1)), events.NodeStarted(node(2))])
        run.job = replace(run.job, attempt=2)
        hub.run_events(run, [events.NodeStarted(node(3)), events.Succeeded({}, {}, 1)])
        heard = await client.hears("execution_success")
    states = [message["data"]["nodes"] for message in heard if message["type"] == "progress_state"]
    assert [sorted(nodes) for nodes in states] == [["1"], ["1", "2"], ["3"]]


async def test_an_event_that_cannot_be_told_does_not_take_the_end_with_it(hub):
    bottomless: list = []
    bottomless.append(bottomless)
    async with connected(hub) as client:
        hub.run_events(
            a_run(),
            [
                events.Progress(node(1), float("nan"), float("inf")),
                events.NodeDone(node(1), {"text": bottomless}),
                events.Succeeded({}, {}, 1),
            ],
        )
        heard = await client.hears("execution_success")
    assert "executed" not in [message["type"] for message in heard]
    progress = next(message["data"] for message in heard if message["type"] == "progress")
    assert (progress["value"], progress["max"]) == (None, None)


async def test_a_failure_is_told_even_when_its_values_cannot_be(hub):
    bottomless: list = []
    bottomless.append(bottomless)
    failed = events.Failed("1", "K", "no\n", "ValueError", ["line"], {"x": bottomless}, [], [], {}, {}, 1234)
    async with connected(hub) as client:
        hub.run_events(a_run(), [failed])
        told = (await client.hears("execution_error"))[-1]["data"]
    assert (told["exception_message"], told["current_inputs"]) == ("no\n", {})


FLAGS = {"type": "feature_flags", "data": {"supports_preview_metadata": True}}


async def test_a_message_too_large_for_feature_flags_is_not_read(hub):
    async with connected(hub) as client:
        client.say(json.dumps({**FLAGS, "pad": "x" * (64 << 10)}))
        client.say(json.dumps({**FLAGS, "type": "other"}))
        client.say(json.dumps(FLAGS))
        await asyncio.sleep(0.01)
        assert "feature_flags" not in [message["type"] for message in client.heard]
    async with connected(hub) as client:
        client.say(json.dumps(FLAGS))
        assert (await client.hears("feature_flags"))[-1]["data"] == {"max_upload_size": 1}


async def test_nothing_is_parsed_after_the_first_message(hub, monkeypatch):
    parsed = []

    def loads(text):
        parsed.append(text)
        return orjson.loads(text)

    monkeypatch.setattr(socket_commands, "orjson", SimpleNamespace(loads=loads, JSONDecodeError=orjson.JSONDecodeError))
    async with connected(hub) as client:
        for text in ("no JSON", json.dumps(FLAGS), "[1]", "[2]"):
            client.say(text)
        await client.hears("feature_flags")
        await asyncio.sleep(0.01)
    assert parsed == ["no JSON", json.dumps(FLAGS)]
