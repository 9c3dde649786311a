"""Servers that are slow, wrong or malicious cost an attempt at their jobs, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import web

from inglenook.engine.events import Interrupted, NodeStarted, Succeeded
from inglenook.media.folders import Folders
from inglenook.workers.remote import RemoteLimits, RemoteWorker
from inglenook.workers.worker import Cause, Death, WorkerState
from tests.client.peer import Job, ordinary
from tests.workers.remote.conftest import PATIENT, QUICK
from tests.workers.remote.listening import Listener, eventually, is_ready, request
from tests.workers.remote.peer import CATALOG, GRAPH, RemotePeer
from tests.workers.remote.test_files import file, shows

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def says(body: Any, status: int = 200) -> Handler:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return (
            web.Response(text=body, status=status) if isinstance(body, str) else web.json_response(body, status=status)
        )

    return answer


async def endless(asked: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(asked)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" " * (1 << 16))
    return response


async def dripping(asked: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(asked)
    with contextlib.suppress(ConnectionError):
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.05)
    return response


async def frozen(asked: web.Request) -> web.StreamResponse:
    await asyncio.sleep(3600)
    return web.Response()


async def elsewhere(asked: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("http://169.254.169.254/latest/meta-data")


async def lost(worker: RemoteWorker, listener: Listener, job_id: str = "a") -> Death:
    worker.execute(request(job_id, GRAPH))
    death = await listener.end(job_id)
    assert isinstance(death, Death), death
    assert death.cause is Cause.LOST
    return death


@pytest.fixture
async def alive(worker: RemoteWorker, listener: Listener, peer: RemotePeer) -> AsyncIterator[None]:
    """After the test the worker does jobs of an honest server, as if nothing had been."""
    special = dict(peer.special)
    yield
    peer.special, peer.script, peer.catalog = special, ordinary, dict(CATALOG)
    peer.queue.clear()
    await is_ready(listener, worker)
    worker.execute(request("after", GRAPH))
    assert isinstance(await listener.end("after"), Succeeded)


SILENT = [(dripping, QUICK), (frozen, QUICK)]


@pytest.mark.parametrize(
    ("handler", "limits"),
    [
        *SILENT,
        (endless, PATIENT),
        (elsewhere, PATIENT),
        (says("no JSON"), PATIENT),
        (says([]), PATIENT),
        (says({"prompt_id": None}), PATIENT),
        (says("", 500), PATIENT),
        (says({}, 413), PATIENT),
    ],
)
async def test_a_wrong_answer_to_a_submission(
    handler: Handler, worker: RemoteWorker, listener: Listener, peer: RemotePeer, alive: None
) -> None:
    peer.special["POST", "/prompt"] = handler
    await lost(worker, listener)


async def test_the_state_after_a_lost_attempt_can_be_read_from_any_thread(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, alive: None
) -> None:
    peer.special["POST", "/prompt"] = says("", 500)
    await lost(worker, listener)
    assert await asyncio.to_thread(lambda: worker.state) in (WorkerState.BUSY, WorkerState.READY)


@pytest.mark.parametrize(
    ("handler", "limits"),
    [*SILENT, (endless, PATIENT), (elsewhere, PATIENT), (says("", 404), PATIENT), (says("", 500), PATIENT)],
)
async def test_a_file_that_cannot_be_had(
    handler: Handler, worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders, alive: None
) -> None:
    peer.special["GET", "/view"] = handler
    await lost(worker, listener)
    assert list(front.output.iterdir()) == []


@pytest.mark.parametrize("is_over_there", [True, False])
async def test_a_job_whose_results_do_not_arrive_can_be_cancelled(
    is_over_there: bool, peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    asked = asyncio.Event()
    output = {"images": [file("a.png")]}

    async def never_done(asked_for: web.Request) -> web.StreamResponse:
        asked.set()
        return await dripping(asked_for)

    async def script(job: Job) -> None:
        await job.tell("execution_start")
        peer.running.add(job.prompt_id)
        if is_over_there:
            job.finish({"2": output})
        await job.tell("executed", node="2", display_node="2", output=output)
        if is_over_there:
            await job.tell("execution_success")

    async def interrupted(asked_for: web.Request) -> web.StreamResponse:
        prompt_id = (await asked_for.json())["prompt_id"]
        peer.queue[prompt_id].finish({}, end="execution_interrupted", node_id="2")
        return web.Response()

    peer.script = script
    peer.special["GET", "/view"] = never_done
    peer.special["POST", "/interrupt"] = interrupted
    # What a transfer, or a server that does not stop, may take is no way out.
    worker = make_worker(peer.url, limits=replace(QUICK, transfer_s=3600, interrupt_grace_s=3600, lost_after_s=60))
    await worker.start(listener)
    await is_ready(listener, worker)
    worker.execute(request("a", GRAPH))
    await asked.wait()
    worker.interrupt("a")
    assert isinstance(await listener.end("a"), Interrupted)


async def test_a_server_that_forbids_to_free_memory_is_asked_once(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer, caplog: pytest.LogCaptureFixture
) -> None:
    asked = []

    async def forbids(asked_for: web.Request) -> web.StreamResponse:
        asked.append(await asked_for.json())
        return web.json_response({"error": {"message": "needs another scope"}}, status=403)

    peer.special["POST", "/free"] = forbids
    worker.free(unload_models=True, free_memory=False)
    await eventually(lambda: "not asked to free memory any more" in caplog.text)
    worker.free(unload_models=True, free_memory=False)
    worker.execute(request("a", GRAPH))
    await listener.end("a")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "item",
    [
        file("../../etc/passwd"),
        file("..\\..\\x"),
        file("a.png", subfolder="../.."),
        file("a.png", subfolder="/etc"),
        file("a\0.png"),
        file("a.png", subfolder="x/" * 200),
        file("x" * 300),
    ],
)
async def test_names_that_leave_the_folder(
    item: Any, worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders, alive: None
) -> None:
    peer.files[item["filename"]] = b"evil"
    peer.script = shows({"images": [item]})
    await lost(worker, listener)
    assert not list(front.base.rglob("passwd"))


@pytest.mark.parametrize(
    "output",
    [
        {"images": [file("a.png") | {"number": number} for number in range(3)] + [file(f"{n}.png") for n in range(30)]},
        {"text": ["x" * 1000] * 900},
    ],
)
async def test_more_than_a_job_may_show(
    output: Any, worker: RemoteWorker, listener: Listener, peer: RemotePeer, alive: None
) -> None:
    peer.files = {f"{number}.png": b"x" for number in range(30)} | {"a.png": b"x"}

    async def twice(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executed", node="1", display_node="1", output=output)
        await job.tell("executed", node="2", display_node="2", output=output)
        job.finish({})
        await job.tell("execution_success")

    peer.script = twice
    await lost(worker, listener)


async def test_messages_of_wrong_types_are_no_events(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def odd(job: Job) -> None:
        prompt_id = job.prompt_id
        for data in (1, None, [], {"prompt_id": {"a": 1}}, {"prompt_id": prompt_id, "node": {"x": []}, "nodes": 7}):
            for kind in ("execution_cached", "executing", "progress", "progress_state", "executed", "logs", "", None):
                await job.send(web.json_response({"type": kind, "data": data}).text or "")
        await job.send("[" * 10_000)
        await job.send('{"type": "progress", "data": {"value": 1e999, "max": NaN, "node": "1"}}')
        for message in (b"", b"\0", b"\0\0\0\1\0\0\0\7x", b"\0\0\0\4\xff\xff\xff\xff", b"\xff" * 100):
            await job.send(message)
        job.finish({})
        await job.tell("execution_success", timestamp=[])

    peer.script = odd
    worker.execute(request("a", GRAPH))
    await listener.end("a")
    worker_is_alive = worker.state is not WorkerState.STOPPED
    assert worker_is_alive


async def test_a_giant_frame_is_refused_and_the_job_still_ends(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def giant(job: Job) -> None:
        await job.tell("execution_start")
        await job.send(b"\0" * (2 << 20))
        job.finish({})

    peer.script = giant
    worker.execute(request("a", GRAPH))
    assert isinstance(await listener.end("a"), Succeeded)


async def test_a_flood_of_messages_takes_bounded_memory_and_lets_others_run(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def flood(job: Job) -> None:
        await job.tell("execution_start")
        await job.tell("executing", node="1", display_node="1")
        while job.prompt_id in peer.queue:
            await job.send(b"\0\0\0\1\0\0\0\1" + b"x" * 500_000)

    tracemalloc.start()
    try:
        peer.script = flood
        worker.execute(request("a", GRAPH))
        await listener.until(lambda: len(listener.events.get("a", [])) > 100)
        listener.events["a"].clear()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 300 << 20
    peer.queue.clear()
    peer.script = ordinary
    worker.interrupt("a")
    assert isinstance(await listener.end("a"), Interrupted)


@pytest.mark.parametrize(
    "stored",
    [
        {"name": "inglenook-x.png", "asset": {"asset_hash": "blake3:" + "0" * 64}},
        {"name": "../../x.png"},
        {"name": "x.png", "type": "output"},
        {"name": 7},
        [],
    ],
)
async def test_a_server_that_stores_something_else(
    stored: Any, worker: RemoteWorker, listener: Listener, peer: RemotePeer, front: Folders, alive: None
) -> None:
    (front.input / "mine.png").write_bytes(b"content")
    peer.special["POST", "/upload/image"] = says(stored)
    graph = {**GRAPH, "1": {"class_type": "Load", "inputs": {"image": "mine.png", "model": "a.safetensors"}}}
    worker.execute(request("a", graph))
    assert isinstance(await listener.end("a"), Death)
    assert not peer.submissions


@pytest.mark.parametrize(
    ("answer", "limits"),
    [
        (frozen, QUICK),
        (endless, PATIENT),
        (elsewhere, PATIENT),
        (says("{"), PATIENT),
        (says([]), PATIENT),
        (says({"A": 1, "B": None}), PATIENT),
        (says({}), PATIENT),
    ],
)
async def test_a_server_without_a_catalog_is_not_used_until_it_has_one(
    answer: Handler,
    limits: RemoteLimits,
    peer: RemotePeer,
    make_worker: Callable[..., RemoteWorker],
    listener: Listener,
) -> None:
    usual = peer.special["GET", "/object_info"]
    peer.special["GET", "/object_info"] = answer
    worker = make_worker(peer.url, limits=limits)
    await worker.start(listener)
    await eventually(lambda: worker.problem not in (None, "it has not been asked yet"))
    assert worker.state is WorkerState.STARTING
    peer.special["GET", "/object_info"] = usual
    await is_ready(listener, worker)
    assert worker.problem is None


async def test_classes_that_cannot_be_read_are_left_out(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    peer.catalog = CATALOG | {
        "A": {"input": 7},
        "B": {"input": {"required": {"x": 1}}},
        "C": {"input": {"required": {"x": [{"files": []}]}}},
        "D": {"input": {"required": {"x": ["INT", {"min": {}}]}}, "output": ["INT"]},
        "E": {"input": {"hidden": {"x": 1}}},
        "F": None,
    }
    worker = make_worker(peer.url, limits=PATIENT)
    await worker.start(listener)
    await is_ready(listener, worker)
    assert set(worker.documents or ()) == set(CATALOG)


async def test_a_catalog_that_changes_is_told(worker: RemoteWorker, listener: Listener, peer: RemotePeer) -> None:
    ready = listener.ready
    peer.catalog = {**CATALOG, "New": CATALOG["Make"]}
    await listener.until(lambda: "New" in (worker.documents or {}))
    assert listener.ready > ready


async def test_a_refusal_of_a_server_that_has_not_changed_is_told_with_the_node(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    fault = {"type": "value_not_in_list", "message": "Value not in list", "details": "seed: 1", "extra_info": {}}
    error = {"type": "prompt_outputs_failed_validation", "message": "Prompt outputs failed", "details": ""}
    peer.rejection = (400, {"error": error, "node_errors": {"1": {"class_type": "Make", "errors": [fault]}}})
    worker.execute(request("a", GRAPH))
    end = await listener.end("a")
    assert isinstance(end, Death)
    assert end.cause is Cause.REFUSED
    assert end.node is not None
    assert end.node.node_id == "1"
    assert "Value not in list: seed: 1" in end.reason
    peer.rejection = None
    worker.execute(request("b", GRAPH))
    assert isinstance(await listener.end("b"), Succeeded)


async def test_a_refusal_after_the_classes_changed_sends_the_job_elsewhere(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    peer.catalog = {name: CATALOG[name] for name in ("Load", "Show")}
    error = {"type": "missing_node_type", "message": "Node 'Make' not found.", "details": "", "extra_info": {}}
    peer.rejection = (400, {"error": error, "node_errors": {}})
    await lost(worker, listener)
    assert "Make" not in (worker.documents or {})


@pytest.mark.parametrize("limits", [QUICK])
async def test_a_frozen_server_is_noticed_with_its_jobs(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def runs(job: Job) -> None:
        await job.tell("execution_start")

    peer.script = runs
    worker.execute(request("a", GRAPH))
    await listener.until(lambda: listener.events.get("a"))
    peer.running = set(peer.queue)
    peer.is_frozen = True
    death = await listener.end("a")
    assert isinstance(death, Death)
    assert worker.state is WorkerState.STARTING
    peer.is_frozen = False
    await listener.until(lambda: peer.interrupts)  # what was given up is stopped when it is back
    assert [item["prompt_id"] for item in peer.interrupts] == list(peer.queue)


async def test_a_job_given_up_takes_a_place_until_the_server_lets_go_of_it(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    async def deaf(job: Job) -> None:
        peer.running.add(job.prompt_id)
        await job.tell("execution_start")
        await job.tell("executing", node="1", display_node="1")

    peer.script = deaf
    worker = make_worker(peer.url, slots=1, limits=PATIENT)
    await worker.start(listener)
    await is_ready(listener, worker)
    worker.execute(request("a", GRAPH))
    await listener.until(lambda: any(isinstance(event, NodeStarted) for event in listener.events.get("a", [])))
    worker.interrupt("a")
    worker.interrupt("a")
    death = await listener.end("a")
    assert isinstance(death, Death)
    assert death.cause is Cause.CANCEL
    assert death.node is not None
    assert worker.running == 0
    assert worker.state is WorkerState.BUSY
    peer.queue.clear()
    await is_ready(listener, worker)


async def test_a_waiting_job_is_removed_and_nothing_is_interrupted(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def waits(job: Job) -> None:
        pass

    peer.script = waits
    worker.execute(request("a", GRAPH))
    await eventually(lambda: peer.queue)
    worker.interrupt("a")
    assert isinstance(await listener.end("a"), Interrupted)
    assert peer.interrupts == []
    assert not peer.queue


async def test_a_full_queue_is_waited_for(worker: RemoteWorker, listener: Listener, peer: RemotePeer) -> None:
    peer.rejection = (429, {"error": {"message": "full"}})
    worker.execute(request("a", GRAPH))
    await eventually(lambda: peer.submissions)
    peer.rejection = None
    assert isinstance(await listener.end("a"), Succeeded)


async def test_a_server_that_lost_a_job_rests_so_that_others_get_it(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    peer.special["POST", "/prompt"] = says("", 500)
    await lost(worker, listener)
    assert worker.state is WorkerState.BUSY
    await is_ready(listener, worker)


async def test_a_socket_that_leads_elsewhere_is_not_followed(
    peer: RemotePeer, make_worker: Callable[..., RemoteWorker], listener: Listener
) -> None:
    visits: list[str] = []

    async def visited(asked: web.Request) -> web.StreamResponse:
        visits.append(asked.path)
        return web.Response()

    async def redirects(asked: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/queue")

    async def finishes(job: Job) -> None:
        job.finish({})

    peer.special["GET", "/ws"] = redirects
    peer.special["GET", "/queue"] = visited
    peer.script = finishes
    worker = make_worker(peer.url, limits=PATIENT)
    await worker.start(listener)
    await is_ready(listener, worker)
    worker.execute(request("a", GRAPH))
    assert isinstance(await listener.end("a"), Succeeded)
    assert visits == []


async def test_the_job_of_somebody_else_is_never_interrupted(
    worker: RemoteWorker, listener: Listener, peer: RemotePeer
) -> None:
    async def waits(job: Job) -> None:
        pass

    peer.queue["theirs"] = Job(peer, "theirs", "someone", {})
    peer.running = {"theirs"}
    peer.script = waits
    worker.execute(request("a", GRAPH))
    await eventually(lambda: len(peer.queue) == 2)
    worker.interrupt("a")
    await listener.end("a")
    assert peer.interrupts == []
    assert set(peer.queue) == {"theirs"}
