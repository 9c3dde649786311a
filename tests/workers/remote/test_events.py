"""What servers of today and of old tell becomes our events."""

from __future__ import annotations

import asyncio
import json

from inglenook.engine.events import (
    Blocked,
    Cached,
    Failed,
    ImageSent,
    NodeDone,
    NodeStarted,
    Progress,
    Started,
    Succeeded,
    Text,
)
from inglenook.media.folders import Folders
from inglenook.workers.remote import RemoteWorker
from inglenook.workers.worker import Cause, Death
from tests.client.peer import JPEG, PNG, Job, described_preview, image, plain_preview
from tests.workers.remote.listening import Listener, request
from tests.workers.remote.peer import GRAPH, RemotePeer


async def test_a_run_is_told_in_order(worker: RemoteWorker, listener: Listener, front: Folders) -> None:
    worker.execute(request("a", GRAPH))
    end = await listener.end("a")
    events = listener.events["a"]
    assert [type(event) for event in events] == [
        Started,
        Cached,
        NodeStarted,
        Progress,
        NodeDone,
        NodeStarted,
        NodeDone,
        Succeeded,
    ]
    progress = events[3]
    assert (progress.value, progress.total, progress.preview.data) == (1, 2, JPEG)
    assert end.outputs == {"2": image()}
    assert (front.output / "a.png").read_bytes() == PNG
    assert end.meta["2"].real_id == "2"


async def test_each_job_has_a_client_id_and_a_prompt_id_of_its_own(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    for job_id in ("a", "b"):
        worker.execute(request(job_id, GRAPH, extra_data={"client_id": "mine", "extra_pnginfo": {"workflow": {}}}))
        await listener.end(job_id)
    first, second = peer.submissions
    assert first["client_id"] != second["client_id"]
    assert first["prompt_id"] != second["prompt_id"]
    assert first["extra_data"] == {"extra_pnginfo": {"workflow": {}}}
    assert first["partial_execution_targets"] == ["2"]


async def test_an_old_server_that_names_no_job_and_ends_without_a_word_is_understood(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def old(job: Job) -> None:
        await job.tell("execution_start")
        await job.send('{"type": "executing", "data": {"node": 1}}')
        await job.send('{"type": "progress", "data": {"value": 1, "max": 2}}')
        await job.send(plain_preview(JPEG))
        await job.send('{"type": "executing", "data": {"node": 2}}')
        job.finish({"2": image()})
        await job.send('{"type": "executing", "data": {"node": null}}')

    peer.script = old
    worker.execute(request("a", GRAPH))
    end = await listener.end("a")
    assert isinstance(end, Succeeded)
    assert end.outputs == {"2": image()}
    events = listener.events["a"]
    assert [event.node.node_id for event in events if isinstance(event, NodeStarted)] == ["1", "2"]
    pictures = [event for event in events if isinstance(event, Progress) and event.preview is not None]
    assert [(event.node.node_id, event.value) for event in pictures] == [("1", 1)]


async def test_a_job_begins_when_the_queue_of_the_server_lets_it(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    in_queue, may_start = asyncio.Event(), asyncio.Event()

    async def waits(job: Job) -> None:
        await job.send('{"type": "status", "data": {"status": {"exec_info": {"queue_remaining": 2}}}}')
        in_queue.set()
        await may_start.wait()
        await job.tell("execution_start")

    peer.script = waits
    worker.execute(request("a", GRAPH))
    await in_queue.wait()
    assert "a" not in listener.events
    may_start.set()
    await listener.until(lambda: listener.events.get("a"))
    assert [type(event) for event in listener.events["a"]] == [Started]


async def test_a_job_on_a_server_without_sockets_begins_when_it_is_sent(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def silent(job: Job) -> None:
        await asyncio.sleep(3600)

    peer.has_sockets = False
    peer.script = silent
    for job_id in ("0", "1"):  # the socket that is open already is for the first
        worker.execute(request(job_id, GRAPH))
    await listener.until(lambda: listener.events.get("1"))
    assert [type(event) for event in listener.events["1"]] == [Started]


async def test_a_step_with_a_picture_after_it_is_told_once(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def old(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executing", node="1")
        for step in (1, 2):
            await job.tell("progress", node="1", value=step, max=2)
            await job.send(plain_preview(JPEG))
        job.finish({})
        await job.tell("execution_success")
        await job.tell("executing", node=None)

    peer.script = old
    worker.execute(request("a", GRAPH))
    await listener.end("a")
    events = [event for event in listener.events["a"] if isinstance(event, Progress)]
    assert [event.value for event in events if not event.is_told] == [1, 2]
    assert [event.value for event in events if event.preview is not None] == [1, 2]


async def test_nodes_of_an_expansion_keep_their_places(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def expands(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("execution_cached", nodes=["1"])
        about = {"display_node_id": "2", "parent_node_id": "2", "real_node_id": "2"}
        await job.tell("progress_state", nodes={"2.0.0.5": {**about, "state": "running"}})
        await job.tell("executing", node="2.0.0.5", display_node="2")
        await job.tell("executed", node="2.0.0.5", display_node="2", output={"text": ["x"]})
        await job.tell("progress_state", nodes={"2.0.0.5": {**about, "state": "finished"}})
        job.finish({"2.0.0.5": {"text": ["x"]}})
        await job.tell("execution_success")
        await job.tell("executing", node=None)

    peer.script = expands
    worker.execute(request("a", GRAPH))
    end = await listener.end("a")
    assert end.outputs == {"2.0.0.5": {"text": ["x"]}}
    assert tuple(end.meta["2.0.0.5"].__struct_fields__) == ("node_id", "display_id", "parent_id", "real_id")
    assert (end.meta["2.0.0.5"].parent_id, end.meta["2.0.0.5"].real_id) == ("2", "2")


async def test_what_cached_nodes_show_is_read_from_the_history(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def cached(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("execution_cached", nodes=["1", "2"])
        job.finish({"1": {"text": ["middle"]}, "2": {"text": ["end"]}})
        await job.tell("executed", node="2", display_node="2", output={"text": ["end"]})
        await job.tell("execution_success")
        await job.tell("executing", node=None)

    peer.script = cached
    worker.execute(request("a", GRAPH))
    end = await listener.end("a")
    assert end.outputs == {"1": {"text": ["middle"]}, "2": {"text": ["end"]}}


async def test_failures_blocked_branches_texts_and_sent_pictures_are_told(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def all_of_it(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executing", node="3", display_node="3")
        await job.send(described_preview(job.prompt_id, "3").replace(b"image/jpeg", b"image/png ").replace(JPEG, PNG))
        about = json.dumps({"node_id": "3", "prompt_id": job.prompt_id, "image_type": "image/png"}).encode()
        await job.send(b"\0\0\0\4" + len(about).to_bytes(4, "big") + about + PNG)
        await job.send(b"\0\0\0\3\0\0\0\0013hello")
        blocked = {"node_id": "2", "node_type": "Show", "exception_type": "ExecutionBlocked"}
        await job.tell("execution_error", **blocked, exception_message="Execution Blocked: not today", executed=["3"])
        details = {
            "node_id": "2",
            "node_type": "Show",
            "exception_message": "no\n",
            "exception_type": "ValueError",
            "traceback": ["line"],
            "executed": ["3"],
            "current_inputs": {"images": [float("nan")]},
        }
        job.finish({}, end="execution_error", **details)
        await job.tell("execution_error", **details)

    peer.script = all_of_it
    graph = {**GRAPH, "3": {"class_type": "SaveImageWebsocket", "inputs": {"images": ["1", 0]}}}
    worker.execute(request("a", graph))
    end = await listener.end("a")
    assert isinstance(end, Failed)
    assert (end.node_id, end.class_type, end.message, end.exception_type) == ("2", "Show", "no\n", "ValueError")
    assert (end.traceback, end.executed, end.inputs) == (["line"], ["3"], {"images": [None]})
    events = listener.events["a"]
    assert [event.picture.data for event in events if isinstance(event, ImageSent)] == [PNG]
    assert [event.text for event in events if isinstance(event, Text)] == ["hello"]
    assert [event.message for event in events if isinstance(event, Blocked)] == ["not today"]


async def test_the_end_is_found_in_the_history_when_the_socket_was_lost(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def drops(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executing", node="1", display_node="1")
        await peer.drop(job.client_id)
        await peer.socket(job.client_id)
        job.finish({"2": image()})
        await job.tell("execution_success")

    peer.script = drops
    worker.execute(request("a", GRAPH))
    end = await listener.end("a")
    assert isinstance(end, Succeeded)
    assert end.outputs == {"2": image()}


async def test_a_server_without_sockets_is_followed_through_its_history(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def silent(job: Job) -> None:
        job.finish({"2": image()})

    peer.has_sockets = False
    peer.script = silent
    worker.execute(request("a", GRAPH))
    assert isinstance(await listener.end("a"), Succeeded)


async def test_a_server_that_forgets_its_history_loses_the_attempt_alone(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def forgets(job: Job) -> None:
        await job.tell("execution_start")
        peer.queue.clear()
        await peer.drop(job.client_id)

    peer.script = forgets
    worker.execute(request("a", GRAPH))
    death = await listener.end("a")
    assert isinstance(death, Death)
    assert death.cause is Cause.LOST


async def test_a_job_that_somebody_else_stops_there_is_not_cancelled_here(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def stopped(job: Job) -> None:
        await job.tell("execution_start")
        job.finish({}, end="execution_interrupted", node_id="1")
        await job.tell("execution_interrupted", node_id="1", node_type="Make", executed=[])

    peer.script = stopped
    worker.execute(request("a", GRAPH))
    death = await listener.end("a")
    assert isinstance(death, Death)
    assert death.cause is Cause.LOST
