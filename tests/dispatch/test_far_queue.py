"""Jobs that wait in the queue of another server are pending, here too."""

import asyncio

from inglenook.engine.events import Started, Succeeded
from inglenook.jobs import State
from tests.dispatch.fake_worker import FakeWorker, document
from tests.dispatch.test_pool import pool

A = {"A": document()}


def ids(runs):
    return [run.job.id for run in runs]


def server_with_queue(capacity=2):
    worker = FakeWorker("far", A, capacity=capacity)
    worker.has_queue = True
    return worker


async def test_a_job_runs_when_its_server_says_so(tmp_path):
    far = server_with_queue()
    async with pool(tmp_path, far) as server:
        for number in range(4):
            await server.submit(str(number), "A")
        assert far.taken == ["0", "1"]
        dispatcher = server.dispatcher
        assert (ids(dispatcher.running()), ids(dispatcher.waiting())) == ([], ["0", "1", "2", "3"])
        far.begin("0")
        assert (ids(dispatcher.running()), ids(dispatcher.waiting())) == (["0"], ["1", "2", "3"])
        assert [dispatcher.position(job_id) for job_id in "0123"] == [None, 1, 2, 3]
        assert ids(dispatcher.first_waiting(2)) == ["1", "2"]
        assert dispatcher.remaining == dispatcher.remaining_of(None) == 4
        assert [dispatcher.find(job_id).job.state for job_id in "01"] == [State.running, State.queued]


async def test_what_runs_is_stopped_without_those_that_wait_behind_it(tmp_path):
    far = server_with_queue()
    async with pool(tmp_path, far) as server:
        for number in range(3):
            await server.submit(str(number), "A")
        far.begin("0")
        assert server.dispatcher.interrupt() is True
        assert far.interrupted == ["0"]
        assert server.dispatcher.interrupt("1") is False
        far.stop("0")
        await server.recorder.until("0")
        assert await server.state("0") is State.cancelled
        assert far.taken == ["0", "1", "2"]


async def test_what_waits_on_a_server_is_taken_out_of_the_queue_there(tmp_path):
    far = server_with_queue(3)
    async with pool(tmp_path, far) as server:
        for number in range(5):
            await server.submit(str(number), "A")
        far.begin("0")
        assert await server.dispatcher.cancel_waiting(["0", "2", "4"]) == ["2", "4"]
        assert far.interrupted == ["2"]
        assert ids(server.dispatcher.waiting()) == ["1", "3"]
        far.stop("2")
        await server.recorder.until("2")
        assert await server.state("2") is State.cancelled
        assert await server.dispatcher.cancel_waiting() == ["1", "3"]
        assert (ids(server.dispatcher.running()), ids(server.dispatcher.waiting())) == (["0"], [])


async def test_the_time_in_the_queue_of_a_server_is_no_time_that_a_job_takes(tmp_path):
    far = server_with_queue()
    async with pool(tmp_path, far) as server:
        await server.submit("1", "A")
        run = server.dispatcher.find("1")
        async with asyncio.timeout(10):
            while not run.is_claimed:  # noqa: ASYNC110 - the claim is written a moment later
                await asyncio.sleep(0.01)
        begin = far.requests["1"].attempt, 5_000_000_000_000
        far.listener.worker_events(far, "1", begin[0], [Started(begin[1])])
        assert run.job.started_ms == begin[1]
        far.listener.worker_events(far, "1", begin[0], [Succeeded({}, {}, begin[1] + 3000)])
        await server.recorder.until("1")
        stored = await server.store.get("1")
        assert (stored.started_ms, stored.ended_ms) == (begin[1], begin[1] + 3000)
        states = [event.data for event in run.log.kept if event.name == "state"]
        assert [state["status"] for state in states][:2] == ["queued", "running"]


async def test_a_job_lost_in_the_queue_of_a_server_waits_as_before(tmp_path):
    far = server_with_queue()
    async with pool(tmp_path, far) as server:
        await server.submit("1", "A")
        far.lose()
        await server.recorder.until("1", "Retried")
        assert ids(server.dispatcher.waiting()) == ["1"]
        assert server.dispatcher.find("1").job.state is State.queued
