"""The life of jobs in a store: accepted, claimed, ended once, remembered."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from inglenook.jobs import (
    Added,
    Conflict,
    Existing,
    Job,
    JobId,
    JobRejected,
    JobResult,
    JobStore,
    JobStoreClosed,
    State,
)

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


async def run(store: JobStore, job: Job, result: JobResult, attempt: int = 1) -> None:
    assert isinstance(await store.add(job), Added)
    assert await store.claim(job.id, "cpu", attempt)
    assert await store.finish(job.id, attempt, result)


async def test_accepted_job_comes_back_as_it_was_given(store: JobStore, make_job: MakeJob) -> None:
    job = make_job(
        "a",
        -5.0,
        extra_data={"client_id": "c", "deep": [1, 2.5, None, {"ü": "雪"}], "huge": 2**70 + 1},
        client_id="c",
        priority=3,
        timeout_s=1.5,
        targets=("9", "10"),
        graph=b'{ "spaces": "are kept" }',
    )
    assert await store.add(job) == Added(job)
    assert await store.get(job.id) == job
    assert isinstance((await store.get(job.id) or job).number, float)


async def test_large_bodies_come_back_as_they_were_given(store: JobStore, make_job: MakeJob) -> None:
    job = make_job("a", graph=b'{"text":"' + b"x" * 1_000_000 + b'"}', extra_data={"workflow": list(range(10_000))})
    await store.add(job)
    assert await store.get(job.id) == job


async def test_same_work_under_the_same_id_is_the_same_job(store: JobStore, make_job: MakeJob) -> None:
    first = make_job("a", 1)
    await store.add(first)
    assert await store.add(make_job("a", 2)) == Existing(first)
    assert await store.add(make_job("a", 3, fingerprint="other")) == Conflict(first)
    assert [job.number for job in await store.recover()] == [1]


async def test_same_id_twice_in_one_batch_is_one_job(store: JobStore, make_job: MakeJob) -> None:
    outcomes = await asyncio.gather(
        store.add(make_job("a", 1)),
        store.add(make_job("b", 2)),
        store.add(make_job("a", 3)),
        store.add(make_job("a", 4, fingerprint="other")),
    )
    first = make_job("a", 1)
    assert outcomes == [Added(first), Added(make_job("b", 2)), Existing(first), Conflict(first)]
    assert [job.id for job in await store.recover()] == ["a", "b"]


async def test_job_is_claimed_once(store: JobStore, make_job: MakeJob) -> None:
    await store.add(make_job("a"))
    claims = await asyncio.gather(*(store.claim(JobId("a"), f"cuda:{index}", 1) for index in range(4)))
    assert claims == [True, False, False, False]
    job = await store.get(JobId("a"))
    assert job is not None
    assert (job.state, job.worker, job.attempt, job.started_ms) == (State.running, "cuda:0", 1, 1_000_000)
    assert not await store.claim(JobId("unknown"), "cpu", 1)


async def test_whole_life_may_be_handed_in_without_waiting(
    store: JobStore, make_job: MakeJob, make_result: MakeResult
) -> None:
    steps = [
        store.add(make_job("a")),
        store.claim(JobId("a"), "cpu", 1),
        store.requeue(JobId("a"), 1, count="worker"),
        store.claim(JobId("a"), "cpu", 2),
        store.finish(JobId("a"), 1, make_result(State.failed)),
        store.finish(JobId("a"), 2, make_result()),
    ]
    assert (await asyncio.gather(*steps))[1:] == [True, True, True, False, True]
    job = await store.get(JobId("a"))
    assert job is not None
    assert (job.state, job.worker_deaths, job.server_deaths) == (State.succeeded, 1, 0)


async def test_late_attempt_writes_nothing(store: JobStore, make_job: MakeJob, make_result: MakeResult) -> None:
    winner = make_result(outputs={"1": {"text": ["winner"]}})
    await store.add(make_job("a"))
    await store.claim(JobId("a"), "cpu", 1)
    await store.requeue(JobId("a"), 1, count="worker")
    await store.claim(JobId("a"), "cpu", 2)
    assert not await store.finish(JobId("a"), 1, make_result(State.failed))
    assert await store.finish(JobId("a"), 2, winner)
    assert not await store.finish(JobId("a"), 2, make_result(State.failed))
    assert not await store.requeue(JobId("a"), 2, count="none")
    assert not await store.claim(JobId("a"), "cpu", 3)
    entry = await store.history_entry(JobId("a"))
    assert entry is not None
    assert entry.result == winner


async def test_result_comes_back_as_it_was_given(store: JobStore, make_job: MakeJob) -> None:
    result = JobResult(
        State.failed,
        2500,
        outputs={"9": {"images": [{"filename": "a.png", "subfolder": "s", "type": "output"}], "animated": [False]}},
        meta={"9": {"node_id": "9", "parent_node": None}},
        messages=[["execution_start", {"prompt_id": "a"}], ["execution_error", {"lone": "\ud800", "big": 2**80 + 1}]],
        error={"exception_message": "no"},
    )
    await run(store, make_job("a"), result)
    entry = await store.history_entry(JobId("a"))
    assert entry is not None
    assert entry.result == result
    ended = replace(make_job("a"), state=State.failed, started_ms=1_000_000, ended_ms=2500, attempt=1, worker="cpu")
    assert entry.job == ended


async def test_one_bad_job_does_not_harm_its_batch(store: JobStore, make_job: MakeJob) -> None:
    adds = [store.add(make_job(f"job {index}", index)) for index in range(20)]
    adds.insert(7, store.add(make_job("lone surrogate \ud800")))
    adds.insert(13, store.add(make_job("priority", priority=2**70)))
    outcomes = await asyncio.gather(*adds, return_exceptions=True)
    assert [index for index, outcome in enumerate(outcomes) if isinstance(outcome, JobRejected)] == [7, 13]
    assert [job.id for job in await store.recover()] == [f"job {index}" for index in range(20)]


@pytest.mark.parametrize("fields", [{"number": float("nan")}, {"number": 10**400}, {"extra_data": {"a": object()}}])
async def test_what_cannot_be_stored_is_refused(store: JobStore, make_job: MakeJob, fields: dict[str, object]) -> None:
    with pytest.raises(JobRejected, match="'a'"):
        await store.add(replace(make_job("a"), **fields))


async def test_result_that_is_not_json_is_refused(store: JobStore, make_job: MakeJob, make_result: MakeResult) -> None:
    await store.add(make_job("a"))
    await store.claim(JobId("a"), "cpu", 1)
    with pytest.raises(JobRejected, match="not JSON"):
        await store.finish(JobId("a"), 1, make_result(outputs={"1": object()}))
    assert await store.finish(JobId("a"), 1, make_result())


async def test_queue_order_is_priority_then_number_then_arrival(store: JobStore, make_job: MakeJob) -> None:
    await store.add(make_job("third", 1))
    await store.add(make_job("fourth", 1))
    await store.add(make_job("second", -2.5))
    await store.add(make_job("first", 99, priority=1))
    await store.add(make_job("last", -100, priority=-1))
    assert [job.id for job in await store.recover()] == ["first", "second", "third", "fourth", "last"]


async def test_requeued_job_returns_to_its_place(store: JobStore, make_job: MakeJob) -> None:
    for number in range(3):
        await store.add(make_job(str(number), number))
    await store.claim(JobId("0"), "cpu", 1)
    assert await store.requeue(JobId("0"), 1, count="none")
    jobs = await store.recover()
    assert [job.id for job in jobs] == ["0", "1", "2"]
    assert (jobs[0].worker_deaths, jobs[0].server_deaths, jobs[0].worker, jobs[0].attempt) == (0, 0, None, 1)


async def test_cancelling_takes_only_what_has_not_started(
    store: JobStore, make_job: MakeJob, make_result: MakeResult
) -> None:
    for number in range(5):
        await store.add(make_job(str(number), number))
    await store.claim(JobId("0"), "cpu", 1)
    some = [JobId("3"), JobId("0"), JobId("unknown"), JobId("1")]
    assert await store.cancel_queued(some) == ["1", "3"]
    assert await store.cancel_queued([]) == []
    assert await store.cancel_queued() == ["2", "4"]
    assert await store.cancel_queued() == []
    assert not await store.claim(JobId("2"), "cpu", 1)
    cancelled = await store.get(JobId("2"))
    assert cancelled is not None
    assert (cancelled.state, cancelled.ended_ms) == (State.cancelled, 1_000_000)
    assert await store.finish(JobId("0"), 1, make_result())
    assert [entry.job.id for entry in await store.history()] == ["0"]
    assert await store.history_entry(JobId("2")) is None


async def test_cancelling_many_by_id(store: JobStore, make_job: MakeJob) -> None:
    ids = [JobId(f"{index:03}") for index in range(500)]
    await asyncio.gather(*(store.add(make_job(id, number)) for number, id in enumerate(ids)))
    assert await store.cancel_queued(ids[::2]) == ids[::2]
    assert [job.id for job in await store.recover()] == ids[1::2]


async def test_numbers_go_on_after_the_highest_one(store: JobStore, make_job: MakeJob, make_result: MakeResult) -> None:
    assert await store.next_number() == 0
    await store.add(make_job("counted", 7))
    await run(store, make_job("put in front", -12), make_result())
    await store.add(make_job("chosen by a client", 1e15))
    assert await store.next_number() == 13
    await store.clear_history()
    assert await store.next_number() == 13


async def test_operations_after_close_are_refused(url: str, make_job: MakeJob) -> None:
    store = JobStore.open(url)
    with pytest.raises(JobStoreClosed):
        store.add(make_job("too early"))
    await store.start()
    pending = [store.add(make_job(str(index))) for index in range(1000)]
    await store.close()
    assert all(isinstance(future.result(), Added) for future in pending)
    with pytest.raises(JobStoreClosed):
        store.add(make_job("too late"))
    with pytest.raises(JobStoreClosed):
        await store.get(JobId("1"))


async def test_operation_is_committed_when_its_caller_gives_up(store: JobStore, make_job: MakeJob) -> None:
    future = store.add(make_job("a"))
    future.cancel()
    await store.add(make_job("b"))
    assert await store.get(JobId("a")) is not None


async def test_a_start_that_is_given_up_leaves_no_thread_and_no_complaint(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = set(threading.enumerate())
    starting = asyncio.create_task(JobStore.open(url).start())
    while not (started := set(threading.enumerate()) - before):  # noqa: ASYNC110 - a thread has no event
        await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    for thread in started:
        await asyncio.to_thread(thread.join, 60)
        assert not thread.is_alive()
    await asyncio.sleep(0)  # what the thread had to tell
    assert caplog.records == []
