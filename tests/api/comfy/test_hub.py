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
from inglenook.api.identity import IS_OPEN, USER
from inglenook.dispatch.run import Run
from inglenook.engine import events
from inglenook.engine.events import NodeRef
from inglenook.jobs import Job, JobId, State
from inglenook.media.users import DEFAULT_USER


class Client:
    """The server's side of a socket; `heard` is what the client was sent."""

    application_state = WebSocketState.CONNECTED

    def __init__(self, query="", user=None, *, is_open=False):
        self.heard = []
        self.scope = {"query_string": query.encode(), USER: user or DEFAULT_USER} | ({IS_OPEN: True} if is_open else {})
        settings = SimpleNamespace(multi_user=user is not None, max_json_depth=100)
        self.app = SimpleNamespace(state=SimpleNamespace(services=SimpleNamespace(settings=settings)))
        self._said = asyncio.Queue()

    async def accept(self):
        pass

    async def receive(self):
        return await self._said.get()

    async def send(self, message):
        text = message.get("text")
        self.heard.append({"type": "binary", "data": message["bytes"]} if text is None else json.loads(text))

    async def close(self, code):
        pass

    def say(self, text):
        self._said.put_nowait({"type": "websocket.receive", "text": text})

    async def hears(self, kind):
        """Return the messages up to the first of this type."""
        async with asyncio.timeout(60):
            while True:
                for index, message in enumerate(self.heard):
                    if message["type"] == kind:
                        return self.heard[: index + 1]
                await asyncio.sleep(0)


@asynccontextmanager
async def connected(hub, query="", user=None, *, is_open=False):
    client = Client(query, user, is_open=is_open)
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


def a_run(attempt=1, client_id=None, user=None, graph=b"{}", targets=("1",), state=State.running):
    job = Job(JobId("p"), 0, graph, targets, "f", 1, attempt=attempt, client_id=client_id, user=user, state=state)
    return Run(job, frozenset())


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


# Who hears what


PICTURE = events.Picture(b"\xff\xd8", "image/jpeg")
BLOCKED = events.Blocked(node(1), "K", "not now", ["1"])


def kinds(client):
    return [message["type"] for message in client.heard if message["type"] != "status"]


@asynccontextmanager
async def four_clients(hub, run):
    """The owner of a run, another client with an id, a plain one, an editor."""
    async with (
        connected(hub, "clientId=owner") as owner,
        connected(hub, "clientId=other") as other,
        connected(hub) as plain,
        connected(hub) as editor,
    ):
        editor.say(json.dumps({"type": "feature_flags", "data": {}}))
        await editor.hears("feature_flags")
        editor.heard.clear()
        yield owner, other, plain, editor


@pytest.mark.parametrize("event", [events.Text(node(1), "half"), events.Progress(node(1), 1, 2, PICTURE), BLOCKED])
async def test_text_progress_previews_and_blocks_of_nobodys_run_are_told_to_all(hub, event):
    async with four_clients(hub, a_run()) as clients:
        hub.run_events(a_run(), [event])
        hub.notice("end", {}, None)
        for client in clients:
            await client.hears("end")
            told = [kind for kind in kinds(client) if kind not in ("end", "task_update")]
            assert told in (["binary"], ["progress_state", "progress", "binary"], ["execution_error"])


async def test_an_interruption_of_nobodys_run_is_told_to_all_and_its_other_events_to_plain_sockets(hub):
    run = a_run()
    async with four_clients(hub, run) as clients:
        hub.run_events(run, [events.Started(1), events.Cached([], 1), events.Interrupted("1", "K", [], {}, {}, 1)])
        hub.run_left(run)
        hub.notice("end", {}, None)
        for client in clients:
            await client.hears("end")
        heard = [[kind for kind in kinds(client) if kind not in ("end", "task_update")] for client in clients]
    everything = ["execution_start", "execution_cached", "execution_interrupted", "executing"]
    assert heard == [["execution_interrupted"], ["execution_interrupted"], everything, ["execution_interrupted"]]


async def test_a_run_with_a_client_is_told_to_it_alone(hub):
    run = a_run(client_id="owner")
    async with four_clients(hub, run) as clients:
        hub.run_events(run, [events.Started(1), BLOCKED, events.Succeeded({}, {}, 1)])
        hub.run_left(run)
        hub.notice("end", {}, None)
        for client in clients:
            await client.hears("end")
        heard = [[kind for kind in kinds(client) if kind not in ("end", "task_update")] for client in clients]
    assert heard == [["execution_start", "execution_error", "execution_success", "executing"], [], [], []]


@pytest.mark.parametrize(("sid", "hears"), [(None, [True] * 4), ("other", [False, True, False, False])])
async def test_text_goes_to_all_sockets_or_to_the_one_that_is_named_whoever_submitted_the_job(hub, sid, hears):
    run = a_run(client_id="owner")
    async with four_clients(hub, run) as clients:
        hub.run_events(run, [events.Started(1), events.Text(node(1), "half", sid), events.Succeeded({}, {}, 1)])
        hub.notice("end", {}, None)
        for client in clients:
            await client.hears("end")
        assert ["binary" in kinds(client) for client in clients] == hears
        assert kinds(clients[0])[0] == "execution_start"


@pytest.mark.parametrize("sid", [None, "a"])
async def test_text_never_goes_to_another_users_socket(hub, sid):
    async with (
        connected(hub, "clientId=a", user="anna") as anna,
        connected(hub, "clientId=a", user="bert") as bert,
    ):
        hub.run_events(a_run(user="anna", client_id="a"), [events.Text(node(1), "half", sid)])
        hub.notice("end", {}, "a")
        await anna.hears("end")
        await bert.hears("end")
        assert [kinds(anna), kinds(bert)] == [["binary", "end"], ["end"]]


@pytest.mark.parametrize("query", ["", "clientId=owner"])
async def test_whoever_hears_a_run_hears_of_the_queue_in_its_turn(hub, query):
    """websocket.md, section 5: two `status` before the run, one between its end and `executing: null`."""
    run = a_run(client_id=query.removeprefix("clientId=") or None)
    async with connected(hub, query) as client:
        client.heard.clear()
        hub.queue_changed(1, run)
        hub.queue_changed(1, run)
        hub.run_events(run, [events.Started(1), events.Succeeded({}, {}, 1)])
        hub.queue_changed(0, run)
        hub.run_left(run)
        await client.hears("executing")
        told = [message["type"] for message in client.heard if message["type"] != "task_update"]
    assert told == ["status", "status", "execution_start", "execution_success", "status", "executing"]


async def test_a_client_that_submits_nobodys_running_job_again_hears_all_of_it(hub):
    run = a_run()
    run.also_for.add("owner")
    async with connected(hub, "clientId=owner") as owner:
        hub.run_events(run, [events.Started(1), events.Succeeded({}, {}, 1)])
        await owner.hears("execution_success")


@pytest.mark.parametrize(
    ("flag", "first_bytes", "order"),
    [
        (True, b"\0\0\0\4", ["progress_state", "binary", "progress"]),
        (1, b"\0\0\0\1", ["progress_state", "progress", "binary"]),
        (None, b"\0\0\0\1", ["progress_state", "progress", "binary"]),
    ],
)
async def test_a_socket_gets_previews_in_the_form_that_it_asked_for(hub, flag, first_bytes, order):
    async with connected(hub, "clientId=owner") as client:
        client.say(json.dumps({"type": "feature_flags", "data": {"supports_preview_metadata": flag}}))
        await client.hears("feature_flags")
        client.heard.clear()
        hub.run_events(a_run(client_id="owner"), [events.Progress(node(1), 1, 2, PICTURE), events.Succeeded({}, {}, 1)])
        await client.hears("execution_success")
        assert kinds(client)[:3] == order
        assert next(message["data"] for message in client.heard if message["type"] == "binary")[:4] == first_bytes


@pytest.mark.parametrize("data", [None, [], "text", 7])
async def test_flags_that_are_no_object_are_answered_and_make_no_editor(hub, data):
    async with connected(hub) as client:
        client.say(json.dumps({"type": "feature_flags", "data": data}))
        await client.hears("feature_flags")
        hub.run_events(a_run(), [events.Started(1)])
        await client.hears("execution_start")


async def test_the_owner_is_told_that_its_job_begins_anew(hub):
    async with four_clients(hub, a_run()) as (owner, other, _, _):
        hub.run_retried(a_run(client_id="owner"), "killed by signal 9 (SIGKILL)")
        told = (await owner.hears("notification"))[-1]["data"]
        assert "signal 9" in told["value"]
        assert told["id"] == "p"
        assert kinds(other) == []


# Several users


async def test_a_socket_hears_of_its_users_jobs_alone(hub):
    async with connected(hub, user="anna") as anna, connected(hub, user="bert") as bert:
        run = a_run(user="anna")
        hub.run_events(run, [events.Started(1), events.Custom("news", 1), events.Interrupted("", "", [], {}, {}, 1)])
        hub.run_left(run)
        hub.queue_changed(1, run)
        hub.notice("end", {}, None)
        await bert.hears("end")
        assert kinds(bert) == ["end"]
        await anna.hears("end")
        assert set(kinds(anna)) > {"execution_start", "news", "execution_interrupted", "executing", "task_update"}


async def test_the_same_id_of_two_users_is_two_clients(hub):
    async with (
        connected(hub, "clientId=a", user="anna") as anna,
        connected(hub, "clientId=a", user="bert") as bert,
    ):
        run = a_run(client_id="a", user="anna")
        hub.run_events(run, [events.Started(1), events.Custom("news", 1, "a"), events.Succeeded({}, {}, 1)])
        hub.notice("end", {}, "a")
        await anna.hears("end")
        await bert.hears("end")
        assert kinds(anna) == ["execution_start", "news", "execution_success", "end"]
        assert kinds(bert) == ["end"]


async def test_each_user_is_told_the_length_of_its_own_queue(hub):
    hub._dispatcher.remaining_of = {"anna": 3, "bert": 5}.__getitem__
    async with connected(hub, user="anna") as anna, connected(hub, user="bert") as bert:
        assert [one.heard[0]["data"]["status"]["exec_info"]["queue_remaining"] for one in (anna, bert)] == [3, 5]
        hub._dispatcher.remaining_of = {"anna": 2, "bert": 5}.__getitem__
        hub.queue_changed(7, None)
        async with asyncio.timeout(60):
            while len(anna.heard) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert anna.heard[1]["data"]["status"]["exec_info"]["queue_remaining"] == 2


# A socket that cannot say whose it is, as the official editor's


def an_editor(hub, sid):
    return connected(hub, f"clientId={sid}", user=DEFAULT_USER, is_open=True)


async def test_an_open_socket_hears_the_jobs_that_carry_its_id_whoever_submits_them(hub):
    async with an_editor(hub, "e") as editor, connected(hub, "clientId=e", user="bert") as bert:
        for user in ("anna", "bert"):
            run = a_run(client_id="e", user=user)
            hub.run_events(run, [events.Started(1), events.Custom("news", 1, "e"), events.Succeeded({}, {}, 1)])
            hub.run_left(run)
        hub.notice("end", {}, "e")
        of_a_run = ["execution_start", "news", "execution_success", "executing"]
        await bert.hears("end")
        await editor.hears("end")
        assert kinds(bert) == [*of_a_run, "end"]
        assert kinds(editor) == [*of_a_run, *of_a_run, "end"]


async def test_an_open_socket_hears_nothing_of_jobs_that_do_not_carry_its_id(hub):
    async with an_editor(hub, "e") as editor:
        for run in (a_run(client_id="other", user="anna"), a_run(user="anna")):
            hub.queue_changed(1, run)
            hub.run_events(
                run, [events.Started(1), events.Custom("news", 1), events.Interrupted("", "", [], {}, {}, 1)]
            )
            hub.run_left(run)
        hub.notice("end", {}, None)
        await editor.hears("end")
        assert kinds(editor) == ["end"]


async def test_an_open_socket_becomes_its_users_and_loses_nothing_to_whoever_else_uses_its_id(hub):
    hub._dispatcher.remaining_of = {DEFAULT_USER: 0, "anna": 3, "bert": 5}.__getitem__
    async with an_editor(hub, "e") as editor:
        lengths = []
        for user in ("anna", "bert", "anna"):
            editor.heard.clear()
            hub.queue_changed(1, a_run(client_id="e", user=user))
            told = (await editor.hears("status"))[-1]["data"]["status"]["exec_info"]["queue_remaining"]
            lengths.append(told)
        assert lengths == [3, 5, 3]
        hub.queue_changed(1, a_run(client_id="e", user="bert"))
        editor.heard.clear()
        for user in (DEFAULT_USER, "anna", "bert"):
            hub.run_events(a_run(user=user), [events.Custom(f"news of {user}", 1)])
        hub.run_events(a_run(client_id="e", user="anna"), [events.Succeeded({}, {}, 1)])
        hub.notice("end", {}, "e")
        await editor.hears("end")
        assert kinds(editor) == ["news of anna", "news of bert", "execution_success", "end"]


async def test_an_open_socket_that_comes_back_in_a_run_is_told_of_it_and_of_its_users_queue(hub):
    run = a_run(client_id="e", user="anna")
    run.is_told, run.started = True, events.Started(1)
    hub._dispatcher.recent = lambda client_id: [run] if client_id == "e" else []
    hub._dispatcher.remaining_of = {DEFAULT_USER: 0, "anna": 1, "bert": 0}.__getitem__
    async with an_editor(hub, "e") as editor:
        heard = await editor.hears("execution_start")
        assert [message["type"] for message in heard] == ["status", "execution_start"]
        assert heard[0]["data"]["status"]["exec_info"]["queue_remaining"] == 1
    async with connected(hub, "clientId=e", user="bert") as bert:
        assert [message["type"] for message in bert.heard] == ["status"]


async def test_what_comes_on_an_open_socket_is_not_submitted_for_whoever_uses_its_id(hub, monkeypatch):
    submitted = []

    async def submit(server, body, **origin):
        submitted.append(origin["user"])
        return {"prompt_id": "p"}

    monkeypatch.setattr(socket_commands, "submit_body", submit)
    async with an_editor(hub, "e") as editor:
        hub.queue_changed(1, a_run(client_id="e", user="bert"))
        editor.say(json.dumps({"type": "execute", "data": {"prompt": {}}}))
        await editor.hears("queued")
    assert submitted == [DEFAULT_USER]
