"""Jobs through the dispatcher, with a real store and a real child process."""

import asyncio
import logging
import os
import signal

import pytest

from inglenook.dispatch.intake import QueueFull, ShuttingDown
from inglenook.jobs import Existing, Job, JobStore, State
from inglenook.workers.worker import WorkerState
from tests.databases import url_of
from tests.dispatch.conftest import running_server

OK = ("Say", {"text": "hello"})


async def test_a_job_runs_to_its_end_and_the_history_has_it_when_the_end_is_told(server):
    in_history_at_end = []

    class Reader:
        def run_events(self, run, events):
            if type(events[-1]).__name__ == "Succeeded":
                in_history_at_end.append(asyncio.ensure_future(server.store.history_entry(run.job.id)))

        def run_left(self, run): ...

        def queue_changed(self, remaining, run): ...

    server.dispatcher._bus.join(Reader())
    await server.submit("a", OK)
    await server.recorder.until("a")
    entry = await in_history_at_end[0]
    assert entry is not None
    assert entry.result.outputs == {"0": {"text": ["Say done"]}}
    assert server.recorder.names("a") == ["Started", "Cached", "NodeStarted", "NodeDone", "Succeeded", "Left"]
    assert (await server.store.get("a")).state is State.succeeded
    assert server.recorder.remaining == [1, 1, 0]


async def test_jobs_run_by_priority_then_number_then_arrival(server):
    await server.submit("first", ("Sleep", {"seconds": 3600}))
    await server.recorder.until("first", "Started")
    await server.submit("late", OK, number=7)
    await server.submit("early", OK, number=-1)
    await server.submit("same", OK, number=7)
    await server.submit("urgent", OK, number=9, priority=1)
    assert [run.job.id for run in server.dispatcher.waiting()] == ["urgent", "early", "late", "same"]
    server.dispatcher.interrupt("first")
    await server.recorder.until("same")
    started = [of for of, name, _ in server.recorder.seen if name == "Started"]
    assert started == ["first", "urgent", "early", "late", "same"]


async def test_the_same_id_and_work_is_one_job(server):
    await server.submit("a", OK)
    await server.recorder.until("a")
    assert isinstance(await server.submit("a", OK), Existing)
    assert server.recorder.names("a").count("Started") == 1


async def test_a_pending_job_is_cancelled_at_once_and_never_runs(server):
    await server.submit("running", ("Sleep", {"seconds": 3600}))
    await server.recorder.until("running", "Started")
    await server.submit("pending", OK)
    assert await server.dispatcher.cancel_waiting(["pending", "unknown", "running"]) == ["pending"]
    server.dispatcher.interrupt("running")
    await server.recorder.until("running")
    assert server.recorder.names("pending") == []
    assert (await server.store.get("pending")).state is State.cancelled


async def test_a_running_job_is_interrupted_within_a_step(server):
    await server.submit("a", ("Sleep", {"seconds": 60}))
    await server.submit("b", OK)
    await server.recorder.until("a", "Progress")
    assert not server.dispatcher.interrupt("b")
    assert server.dispatcher.interrupt("a")
    await server.recorder.until("a", "Interrupted")
    assert (await server.store.get("a")).state is State.cancelled
    await server.recorder.until("b", "Succeeded")


async def test_a_job_that_hangs_in_c_is_ended_after_the_grace_time_and_the_next_one_runs(server):
    await server.submit("stuck", ("Hang", {"seconds": 60}))
    await server.submit("next", OK)
    await server.recorder.until("stuck", "NodeStarted")
    server.dispatcher.interrupt("stuck")
    await server.recorder.until("stuck", "Interrupted")
    await server.recorder.until("next", "Succeeded")
    assert (await server.store.get("stuck")).state is State.cancelled


async def test_a_second_interrupt_does_not_wait_for_the_grace_time(tmp_path):
    async with running_server(tmp_path, grace_s=3600) as server:
        await server.submit("stuck", ("Hang", {"seconds": 60}))
        await server.recorder.until("stuck", "NodeStarted")
        server.dispatcher.interrupt("stuck")
        server.dispatcher.interrupt("stuck")
        await server.recorder.until("stuck", "Interrupted")


@pytest.mark.parametrize("node", ["Sleep", "Hang"])
async def test_a_job_over_its_time_limit_is_timed_out_with_the_limit_named(server, node):
    await server.submit("slow", (node, {"seconds": 60}), timeout_s=0.2)
    failed = await server.recorder.until("slow", "Failed")
    assert failed.exception_type == "inglenook.TimeLimitExceeded"
    assert "0.2 s" in failed.message
    assert (await server.store.get("slow")).state is State.timed_out


async def test_a_job_whose_process_is_killed_once_is_tried_again_in_its_place(server, tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    await server.submit("a", OK, ("KillOnce", {"marker": str(tmp_path / "marker")}), OK)
    await server.submit("b", OK)
    await server.recorder.until("b")
    ends = [(of, name) for of, name, _ in server.recorder.seen if name in ("Succeeded", "Failed")]
    assert ends == [("a", "Succeeded"), ("b", "Succeeded")]
    job = await server.store.get("a")
    assert (job.attempt, job.worker_deaths) == (2, 1)


async def test_a_job_that_kills_its_process_each_time_fails_with_node_and_signal(server):
    await server.submit("a", OK, ("Kill", {}))
    await server.submit("b", OK)
    failed = await server.recorder.until("a", "Failed")
    assert failed.node_id == "1"
    assert failed.class_type == "Kill"
    assert "SIGKILL" in failed.message
    assert failed.outputs == {"0": {"text": ["Say done"]}}
    await server.recorder.until("b", "Succeeded")
    assert (await server.store.get("a")).attempt == 2


async def test_a_process_that_leaves_with_a_code_fails_its_job_with_that_code(server):
    await server.submit("a", ("Exit", {"code": 3}))
    failed = await server.recorder.until("a", "Failed")
    assert "code 3" in failed.message


async def test_a_process_over_its_memory_limit_is_replaced_and_its_job_fails_with_the_cause(tmp_path):
    async with running_server(tmp_path, memory_mb=300) as server:
        await server.submit("big", ("Grow", {"megabytes": 500}))
        await server.submit("next", OK)
        failed = await server.recorder.until("big", "Failed")
        assert failed.exception_type == "MemoryError"
        assert "limit of 300 MB" in failed.message
        await server.recorder.until("next", "Succeeded")


async def test_binary_output_and_closed_descriptors_do_not_hurt(server):
    await server.submit("a", ("Rubbish", {}), OK)
    await server.submit("b", OK)
    assert await server.recorder.until("a", "Failed")  # printing without a standard output raises
    await server.submit("c", ("Sleep", {"seconds": 0.01}))
    await server.recorder.until("c", "Succeeded")


async def test_what_a_process_prints_is_logged(server, caplog):
    caplog.set_level(logging.INFO, logger="inglenook.device.toy")
    await server.submit("a", ("Say", {"text": "a line of mine"}))
    await server.recorder.until("a")
    async with asyncio.timeout(60):
        while "a line of mine" not in caplog.text:  # noqa: ASYNC110 - the log has no event to wait for
            await asyncio.sleep(0.01)


async def test_a_failing_node_fails_its_job_only(server):
    await server.submit("a", ("Fail", {}))
    await server.submit("b", OK)
    assert (await server.recorder.until("a", "Failed")).message == "as asked\n"
    await server.recorder.until("b", "Succeeded")


async def test_a_full_queue_refuses(tmp_path):
    async with running_server(tmp_path, queue_limit=2) as server:
        await server.submit("running", ("Sleep", {"seconds": 3600}))
        await server.recorder.until("running", "Started")
        await server.submit("a", OK)
        await server.submit("b", OK)
        with pytest.raises(QueueFull):
            await server.submit("c", OK)
        await server.dispatcher.cancel_waiting()
        server.dispatcher.interrupt()


async def test_an_orderly_stop_lets_the_running_job_end_and_keeps_the_others(tmp_path):
    async with running_server(tmp_path) as server:
        await server.submit("running", ("Until", {"path": str(tmp_path / "end")}))
        await server.submit("pending", OK)
        await server.recorder.until("running", "Started")
        closing = asyncio.create_task(server.dispatcher.close(60))
        await asyncio.sleep(0)
        with pytest.raises(ShuttingDown):
            await server.submit("too late", OK)
        (tmp_path / "end").touch()
        await closing
        assert (await server.store.get("running")).state is State.succeeded
        assert (await server.store.get("pending")).state is State.queued
    async with running_server(tmp_path) as server:
        await server.recorder.until("pending", "Succeeded")


async def test_a_job_that_outlasts_the_stop_goes_back_without_losing_an_attempt_to_a_death(tmp_path):
    async with running_server(tmp_path, shutdown_s=0.1) as server:
        await server.submit("long", ("Until", {"path": str(tmp_path / "end")}))
        await server.recorder.until("long", "NodeStarted")
    (tmp_path / "end").touch()
    async with running_server(tmp_path) as server:
        await server.recorder.until("long", "Succeeded")
        job = await server.store.get("long")
        assert (job.server_deaths, job.worker_deaths) == (0, 0)


async def test_a_job_that_saw_the_server_die_too_often_fails_and_says_so(tmp_path):
    async with JobStore.open(url_of(tmp_path)) as store:
        graph = b'{"0": {"class_type": "Say", "inputs": {"text": ""}}}'
        await store.add(Job(id="a", number=0, graph=graph, targets=("0",), fingerprint="a", created_ms=1))
        for attempt in range(1, 5):
            await store.claim("a", "toy", attempt)
            if attempt < 4:
                await store.recover()
    async with running_server(tmp_path) as server:
        entry = await server.store.history_entry("a")
        assert entry.result.state is State.failed
        name, fields = entry.result.messages[-1]
        assert name == "Failed"
        assert "died 4 times" in fields["message"]


async def test_a_job_of_a_class_that_is_gone_fails_and_names_it_and_the_next_runs(server):
    await server.submit("a", ("Gone", {}))
    await server.submit("b", OK)
    failed = await server.recorder.until("a", "Failed")
    assert "Gone" in failed.message
    await server.recorder.until("b", "Succeeded")


async def test_an_idle_process_that_is_killed_is_replaced(server):
    await server.submit("a", OK)
    await server.recorder.until("a")
    os.kill(server.worker.pid, signal.SIGKILL)
    await server.submit("b", OK)
    await server.recorder.until("b", "Succeeded")


async def test_a_process_that_is_gone_is_not_ready_from_the_moment_on_that_this_is_known(server):
    await server.submit("a", OK)
    await server.recorder.until("a")
    os.kill(server.worker.pid, signal.SIGKILL)
    while server.worker.pid is not None:  # noqa: ASYNC110 - each step of the loop is looked at
        await asyncio.sleep(0)
    assert server.worker.state is not WorkerState.READY


async def test_two_hundred_jobs_at_once_all_end_once_in_order(server):
    await asyncio.gather(*(server.submit(f"job{i:03}", ("Sleep", {"seconds": 0})) for i in range(200)))
    await server.recorder.until("job199")
    ends = [of for of, name, _ in server.recorder.seen if name == "Succeeded"]
    assert ends == [f"job{i:03}" for i in range(200)]


async def test_ended_runs_are_kept_for_late_clients_but_not_without_bound(server, monkeypatch):
    monkeypatch.setattr("inglenook.dispatch.recent._MOST_REPLAYED", 3)
    for index in range(5):
        await server.submit(f"job{index}", OK, client_id="me")
        await server.recorder.until(f"job{index}")
    assert [run.job.id for run in server.dispatcher.recent("me")] == ["job2", "job3", "job4"]
    assert server.dispatcher.find("job0") is None
    monkeypatch.setattr("inglenook.dispatch.recent.REPLAY_S", 0.0)
    assert server.dispatcher.recent("me") == []
