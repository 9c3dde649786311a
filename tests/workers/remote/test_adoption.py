"""Attempts that outlive the process that sent them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from aiohttp import web

from inglenook.engine.events import Interrupted, NodeDone, Succeeded
from inglenook.media.folders import Folders
from inglenook.workers.remote import RemoteWorker
from inglenook.workers.worker import Death, Sent
from tests.client.peer import PNG, Job, image, ordinary
from tests.workers.remote.conftest import QUICK
from tests.workers.remote.listening import Listener, eventually, is_ready, request
from tests.workers.remote.peer import GRAPH, RemotePeer

SENT = Sent("theirs", "ours")


async def waits(job: Job) -> None:
    pass


def has(peer: RemotePeer, prompt_id: str = SENT.prompt_id) -> Job:
    """A job that the server was given before."""
    job = Job(peer, prompt_id, SENT.client_id, GRAPH)
    peer.queue[prompt_id] = job
    peer.running.add(prompt_id)

    async def queue(_request: web.Request) -> web.StreamResponse:
        entries = [[1, job.prompt_id, job.graph, {"client_id": job.client_id}, []] for job in peer.queue.values()]
        return web.json_response({"queue_running": entries, "queue_pending": []})

    peer.special["GET", "/queue"] = queue
    return job


async def started(make_worker: Callable[..., RemoteWorker], peer: RemotePeer, listener: Listener) -> RemoteWorker:
    worker = make_worker(peer.url, limits=replace(QUICK, catalog_s=30, interrupt_grace_s=30))
    worker.expect({"a": SENT})
    await worker.start(listener)
    await listener.until(lambda: "a" in listener.found)
    return worker


async def test_where_an_attempt_goes_is_told_before_it_does(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    worker.execute(request("a", GRAPH))
    assert isinstance(await listener.end("a"), Succeeded)
    (submission,) = peer.submissions
    assert listener.sent["a"] == [Sent(submission["prompt_id"], submission["client_id"])]


async def test_an_attempt_that_is_not_wanted_any_more_is_not_sent(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    listener.wants_attempts = False
    worker.execute(request("a", GRAPH))
    assert isinstance(await listener.end("a"), Death)
    assert peer.submissions == []


async def test_the_id_that_an_old_server_chose_is_told_too(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def accept(asked: web.Request) -> web.StreamResponse:
        body = await asked.json()
        Job(peer, "its-own", body["client_id"], body["prompt"]).finish({})
        return web.json_response({"prompt_id": "its-own", "number": 1, "node_errors": {}})

    peer.special["POST", "/prompt"] = accept
    worker.execute(request("a", GRAPH))
    assert isinstance(await listener.end("a"), Succeeded)
    first, second = listener.sent["a"]
    assert first.client_id == second.client_id
    assert second.prompt_id == "its-own"


async def test_a_running_attempt_is_listened_to_under_its_old_client_id(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener, front: Folders
) -> None:
    job = has(peer)
    worker = await started(make_worker, peer, listener)
    assert listener.found["a"] == SENT
    worker.adopt(request("a", GRAPH), SENT)
    await ordinary(job)
    end = await listener.end("a")
    assert isinstance(end, Succeeded)
    assert (front.output / "a.png").read_bytes() == PNG
    assert peer.submissions == []


async def test_what_was_shown_before_is_read_from_the_history(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    job = has(peer)
    worker = await started(make_worker, peer, listener)
    worker.adopt(request("a", GRAPH), SENT)
    await job.tell("executing", node="2", display_node="2")
    job.finish({"1": {"text": ["earlier"]}, "2": image()})
    await job.tell("executed", node="2", display_node="2", output=image())
    await job.tell("execution_success")
    await job.tell("executing", node=None)
    end = await listener.end("a")
    assert end.outputs == {"1": {"text": ["earlier"]}, "2": image()}


async def test_an_attempt_that_has_ended_is_found_with_its_outputs(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    has(peer).finish({"2": image()})
    worker = await started(make_worker, peer, listener)
    worker.adopt(request("a", GRAPH), SENT)
    end = await listener.end("a")
    assert end.outputs == {"2": image()}
    assert [event.node.node_id for event in listener.events["a"] if isinstance(event, NodeDone)] == ["2"]


async def test_an_attempt_under_an_id_that_the_server_chose_is_found_by_its_client(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    has(peer, "its-own")
    await started(make_worker, peer, listener)
    assert listener.found["a"] == Sent("its-own", SENT.client_id)


async def test_an_old_run_is_found_among_the_newest_of_the_history(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    async def newest(_request: web.Request) -> web.StreamResponse:
        entry = {"prompt": [1, "its-own", GRAPH, {"client_id": SENT.client_id}, ["2"]], "outputs": {}, "status": {}}
        return web.json_response({"its-own": entry})

    peer.special["GET", "/history"] = newest
    await started(make_worker, peer, listener)
    assert listener.found["a"] == Sent("its-own", SENT.client_id)


async def test_an_attempt_that_the_server_does_not_know_is_reported_so(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    worker = await started(make_worker, peer, listener)
    assert listener.found == {"a": None}
    await is_ready(listener, worker)


async def test_an_attempt_that_nobody_waits_for_is_stopped_when_its_server_is_back(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    has(peer, "its-own")
    peer.is_frozen = True
    worker = make_worker(peer.url, limits=QUICK)
    worker.expect({"a": SENT})
    await worker.start(listener)
    worker.forget("a", SENT)
    peer.is_frozen = False
    await eventually(lambda: peer.interrupts)
    assert peer.interrupts == [{"prompt_id": "its-own"}]
    assert listener.found == {}


async def test_an_adopted_attempt_can_be_stopped(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    job = has(peer)
    worker = await started(make_worker, peer, listener)
    worker.adopt(request("a", GRAPH), SENT)
    worker.interrupt("a")
    await eventually(lambda: peer.interrupts)
    job.finish({}, end="execution_interrupted")
    await job.tell("execution_interrupted")
    await job.tell("executing", node=None)
    assert isinstance(await listener.end("a"), Interrupted)


async def test_what_is_let_go_is_not_stopped_when_the_worker_closes(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    peer.script = waits
    for job_id in ("kept", "stopped"):
        worker.execute(request(job_id, GRAPH))
    await eventually(lambda: len(peer.queue) == 2)
    assert worker.let_go("kept")
    assert not worker.let_go("nobody's")
    await worker.close()
    assert list(peer.queue) == [listener.sent["kept"][0].prompt_id]
