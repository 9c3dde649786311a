"""Both clients against a real socket: what they return, what they raise, and that they never hang."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from inglenook.client import (
    Client,
    ConnectionFailed,
    JobFailed,
    JobInterrupted,
    JobLost,
    OutputFile,
    PromptRejected,
)
from inglenook.client.errors import (
    Conflict,
    InvalidAnswer,
    NotFound,
    ServerFailure,
    StatusError,
    TooLarge,
    TooManyRequests,
    Unauthorized,
)
from inglenook.client.events import (
    JobStarted,
    JobSucceeded,
    NodeOutput,
    NodeProgress,
    NodesCached,
    NodeStarted,
    Preview,
    QueueStatus,
)
from tests.client.conftest import AnyClient
from tests.client.peer import JPEG, PNG, Job, Peer, image, ordinary, plain_preview

MakeClient = Callable[..., AnyClient]
GRAPH = {"1": {"class_type": "KSampler", "inputs": {}}, "2": {"class_type": "SaveImage", "inputs": {}}}


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_run_returns_the_files_and_tells_each_event_in_order(client: AnyClient) -> None:
    outputs, events = await client.run(GRAPH)
    assert outputs.images == (OutputFile("2", "images", "a.png", "", "output"),)
    assert [type(event) for event in events if not isinstance(event, QueueStatus)] == [
        JobStarted,
        NodesCached,
        NodeStarted,
        Preview,
        NodeProgress,
        NodeStarted,
        NodeOutput,
        JobSucceeded,
    ]
    preview = next(event for event in events if isinstance(event, Preview))
    assert (preview.node, preview.media_type, preview.data) == ("1", "image/jpeg", JPEG)


async def test_an_end_that_came_while_the_socket_was_down_is_read_from_the_history(
    client: AnyClient, peer: Peer
) -> None:
    async def drops(job: Job) -> None:
        await job.tell("execution_start")
        await peer.drop(job.client_id)
        job.finish({"2": image()})

    peer.script = drops
    outputs, events = await client.run(GRAPH)
    assert outputs.images[0].filename == "a.png"
    assert [type(event) for event in events][-2:] == [NodeOutput, JobSucceeded]


async def test_following_goes_on_after_a_lost_socket_without_repeating(client: AnyClient, peer: Peer) -> None:
    async def drops(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executed", node="1", display_node="1", output=image("b.png"))
        await peer.drop(job.client_id)
        await ordinary_again(job)

    async def ordinary_again(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executed", node="1", display_node="1", output=image("b.png"))
        await job.tell("executed", node="2", display_node="2", output=image())
        job.finish({"1": image("b.png"), "2": image()})
        await job.tell("execution_success")
        await job.tell("executing", node=None)

    peer.script = drops
    _, events = await client.run(GRAPH)
    own = [event for event in events if not isinstance(event, QueueStatus)]
    assert [type(event) for event in own] == [JobStarted, NodeOutput, NodeOutput, JobSucceeded]


async def test_a_job_that_ended_before_anybody_listened_is_told_from_the_history(client: AnyClient, peer: Peer) -> None:
    async def ends_at_once(job: Job) -> None:
        job.finish({"2": image()})

    peer.script = ends_at_once
    prompt_id = await client.call("submit", GRAPH)
    events = [event for event in await client.events(prompt_id) if not isinstance(event, QueueStatus)]
    assert events == [NodeOutput(prompt_id, "2", "2", image()), JobSucceeded(prompt_id)]


async def test_old_servers_that_name_no_job_and_end_without_a_word_are_understood(
    client: AnyClient, peer: Peer
) -> None:
    async def old(job: Job) -> None:
        await job.tell("execution_start")
        await job.send('{"type": "executing", "data": {"node": 2}}')
        await job.send(plain_preview(JPEG))
        await job.send('{"type": "progress", "data": {"value": 1, "max": 2}}')
        job.finish({"2": image()})
        await job.send('{"type": "executing", "data": {"node": null}}')

    peer.script = old
    outputs, events = await client.run(GRAPH)
    assert outputs.images[0].filename == "a.png"
    assert NodeStarted(None, "2", "2") in events
    assert isinstance(events[-1], JobSucceeded)


async def test_messages_of_other_jobs_are_left_out(client: AnyClient, peer: Peer) -> None:
    async def mixed(job: Job) -> None:
        await job.send(plain_preview(b"of a job without a client"))
        await job.send('{"type": "progress", "data": {"prompt_id": "other", "node": "9", "value": 1, "max": 2}}')
        await job.send('{"type": "execution_success", "data": {"prompt_id": "other"}}')
        await ordinary(job)

    peer.script = mixed
    _, events = await client.run(GRAPH)
    assert {event.prompt_id for event in events} - {None} == {peer.submissions[0]["prompt_id"]}
    assert [event.data for event in events if isinstance(event, Preview)] == [JPEG]


async def test_a_failing_node_is_raised_with_its_place_and_traceback(client: AnyClient, peer: Peer) -> None:
    async def fails(job: Job) -> None:
        details = {"node_id": "1", "node_type": "KSampler", "exception_message": "no memory\n", "traceback": ["line 1"]}
        await job.tell("execution_start")
        job.finish(end="execution_error", **details)
        await job.tell("execution_error", **details)

    peer.script = fails
    with pytest.raises(JobFailed, match=r"KSampler \(node 1\): no memory$") as raised:
        await client.run(GRAPH)
    assert (raised.value.node_id, raised.value.traceback) == ("1", ("line 1",))


async def test_a_blocked_branch_does_not_end_the_job(client: AnyClient, peer: Peer) -> None:
    async def blocks(job: Job) -> None:
        await job.tell("execution_error", node_id="1", node_type="X", exception_type="ExecutionBlocked")
        await ordinary(job)

    peer.script = blocks
    outputs, _ = await client.run(GRAPH)
    assert len(outputs.images) == 1


async def test_an_interrupted_job_is_raised_as_such(client: AnyClient, peer: Peer) -> None:
    async def stops(job: Job) -> None:
        job.finish(end="execution_interrupted", node_id="1")
        await job.tell("execution_interrupted", node_id="1")

    peer.script = stops
    with pytest.raises(JobInterrupted):
        await client.run(GRAPH)


async def test_a_refused_graph_is_raised_with_the_errors_of_its_nodes(client: AnyClient, peer: Peer) -> None:
    error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed validation", "details": ""}
    nodes = {"1": {"class_type": "KSampler", "errors": [{"message": "Value not in list"}], "dependent_outputs": ["2"]}}
    peer.rejection = (400, {"error": error, "node_errors": nodes})
    with pytest.raises(PromptRejected) as raised:
        await client.run(GRAPH)
    assert raised.value.type == "prompt_outputs_failed_validation"
    assert raised.value.node_errors == nodes


async def test_a_job_that_the_server_forgot_is_lost_not_waited_for(make_client: MakeClient, peer: Peer) -> None:
    async def forgets(job: Job) -> None:
        del peer.queue[job.prompt_id]

    peer.has_sockets, peer.script = False, forgets
    with pytest.raises(JobLost):
        await make_client().run(GRAPH)


async def test_a_server_without_sockets_is_followed_through_its_history(client: AnyClient, peer: Peer) -> None:
    async def quiet(job: Job) -> None:
        await asyncio.sleep(0)
        job.finish({"2": image()})

    peer.has_sockets, peer.script = False, quiet
    outputs, events = await client.run(GRAPH)
    assert outputs.images[0].filename == "a.png"
    assert [type(event) for event in events] == [NodeOutput, JobSucceeded]


async def test_a_server_that_stays_away_ends_the_wait(make_client: MakeClient) -> None:
    vanishing = Peer()

    async def goes(job: Job) -> None:
        await job.tell("execution_start")
        gone.set()

    gone = asyncio.Event()
    vanishing.script = goes
    async with vanishing.serving():
        client = make_client(vanishing.url, reconnect_s=0.2)
        waiting = asyncio.create_task(client.run(GRAPH))
        await gone.wait()
    with pytest.raises(ConnectionFailed, match=r"no answer from http://127\.0\.0\.1"):
        await waiting


async def test_a_submission_whose_answer_was_lost_is_not_made_twice(client: AnyClient, peer: Peer) -> None:
    peer.loses_answers = True
    outputs, _ = await client.run(GRAPH)
    assert len(outputs.images) == 1
    assert len(peer.submissions) == 1


async def test_pictures_of_save_image_websocket_are_outputs(client: AnyClient, peer: Peer) -> None:
    async def streams(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executing", node="1", display_node="1")
        await job.send(plain_preview(JPEG))
        await job.tell("executing", node="2", display_node="2")
        await job.send(plain_preview(PNG, form=2))
        job.finish()
        await job.tell("execution_success")
        await job.tell("executing", node=None)

    peer.script = streams
    outputs, _ = await client.run({**GRAPH, "2": {"class_type": "SaveImageWebsocket", "inputs": {}}})
    assert [(item.node, item.media_type, item.data) for item in outputs.streamed] == [("2", "image/png", PNG)]


async def test_each_job_has_its_own_client_id_unless_one_is_given(make_client: MakeClient, peer: Peer) -> None:
    anonymous, named = make_client(), make_client(client_id="me")
    for client in (anonymous, anonymous, named, named):
        await client.call("submit", GRAPH)
    first, second, third, fourth = (submission["client_id"] for submission in peer.submissions)
    assert first != second
    assert third == fourth == "me"


async def test_two_jobs_of_one_client_are_followed_at_once(client: AnyClient) -> None:
    results = await asyncio.gather(client.run(GRAPH), client.run(GRAPH))
    assert all(isinstance(events[-1], JobSucceeded) for _, events in results)


async def test_options_of_a_submission_reach_the_server(client: AnyClient, peer: Peer) -> None:
    await client.call(
        "submit", GRAPH, prompt_id="p", number=-1.5, front=True, extra_data={"a": 1}, targets=["2"], client_id="c"
    )
    assert peer.submissions[0] == {
        "prompt": GRAPH,
        "prompt_id": "p",
        "client_id": "c",
        "number": -1.5,
        "front": True,
        "extra_data": {"a": 1},
        "partial_execution_targets": ["2"],
    }


def test_outputs_that_were_left_out_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    transport = httpx.MockTransport(
        lambda _: httpx.Response(200, json={"prompt_id": "p", "number": 1, "node_errors": {"3": {}}})
    )
    with Client(transport=transport) as mocked, caplog.at_level(logging.WARNING):
        assert mocked.submit(GRAPH) == "p"
    assert "without the nodes with faults" in caplog.text


async def test_cancel_removes_a_waiting_job_and_interrupts_a_running_one(client: AnyClient, peer: Peer) -> None:
    async def never_ends(job: Job) -> None:
        await job.peer.socket("nobody")

    peer.script = never_ends
    prompt_id = await client.call("submit", GRAPH)
    assert prompt_id in await client.call("queue")
    await client.call("cancel", prompt_id)
    assert prompt_id not in await client.call("queue")
    assert peer.requests == [f'interrupt {{"prompt_id":"{prompt_id}"}}']


async def test_files_go_up_and_come_down(client: AnyClient, peer: Peer, tmp_path: Path) -> None:
    picture = tmp_path / "in.png"
    picture.write_bytes(b"content")
    uploaded = await client.call("upload_image", picture, subfolder="poses")
    assert uploaded.reference == "poses/in.png"
    assert peer.files["in.png"] == b"content"
    assert await client.call("view", "in.png") == b"content"
    file = OutputFile("2", "images", "in.png", "", "output")
    assert await client.call("download", file) == b"content"
    saved = [await client.call("save", file, tmp_path / "out") for _ in range(2)]
    assert [path.name for path in saved] == ["in.png", "in (1).png"]
    assert saved[1].read_bytes() == b"content"


async def test_a_missing_file_leaves_nothing_behind(client: AnyClient, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await client.call("save", OutputFile("2", "images", "gone.png", "", "output"), tmp_path)
    assert names(tmp_path) == []


async def test_nobody_listening_is_a_connection_failure(make_client: MakeClient, unused_tcp_port: int) -> None:
    client = make_client(f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(ConnectionFailed, match=f"http://127.0.0.1:{unused_tcp_port}"):
        await client.call("system_stats")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Unauthorized),
        (404, NotFound),
        (409, Conflict),
        (413, TooLarge),
        (429, TooManyRequests),
        (418, StatusError),
        (503, ServerFailure),
    ],
)
def test_statuses_have_classes(status: int, kind: type[StatusError]) -> None:
    answer = httpx.Response(status, json={"error": {"type": "x", "message": "what", "details": "why"}})
    with Client(transport=httpx.MockTransport(lambda _: answer)) as client, pytest.raises(kind) as raised:
        client.queue()
    assert type(raised.value) is kind
    assert str(raised.value) == f"GET /queue -> {status}: what: why"


def test_a_full_queue_says_when_to_come_again() -> None:
    answer = httpx.Response(429, headers={"Retry-After": "2"}, text="full")
    with Client(transport=httpx.MockTransport(lambda _: answer)) as client, pytest.raises(TooManyRequests) as raised:
        client.submit(GRAPH)
    assert raised.value.retry_after_s == 2.0
    assert raised.value.message == "full"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"queue_running": []}'])
def test_answers_of_another_kind_of_server_are_refused(body: bytes) -> None:
    answer = httpx.Response(200, content=body)
    with Client(transport=httpx.MockTransport(lambda _: answer)) as client, pytest.raises(InvalidAnswer):
        client.queue()


@pytest.mark.parametrize("url", ["", "ftp://host", "http://"])
def test_an_address_that_cannot_work_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="not the address of a server"):
        Client(url)


def test_the_key_is_sent() -> None:
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={})

    with Client(api_key="secret", transport=httpx.MockTransport(answer)) as client:
        client.object_info()
    assert seen[0]["authorization"] == "Bearer secret"
