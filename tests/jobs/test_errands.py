"""What is stored of attempts that go on elsewhere when the server dies."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import pytest

from inglenook.jobs import DeliveryFilter, Errand, Job, JobId, JobResult, JobStore, State, Webhook
from inglenook.jobs.operations import Alone
from inglenook.jobs.upkeep import MAX_ADOPTIONS, MAX_SERVER_DEATHS

CLAIM_AND_WAIT = """
import asyncio, sys
from inglenook.jobs import Errand, Job, JobId, JobStore

async def main():
    async with JobStore.open(sys.argv[1]) as store:
        await store.add(Job(JobId("a"), 1, b"{}", ("1",), "f", 0))
        await store.claim(JobId("a"), "far", 1, started_ms=5, errand=Errand("far", "there", "client"))
        print("claimed", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""
MakeJob = Callable[..., Job]
ERRAND = Errand("far", "there", "client", 5)
A = JobId("a")


async def claimed(store: JobStore, job: Job) -> None:
    await store.add(job)
    assert await store.claim(job.id, "far", 1, started_ms=5, errand=ERRAND)


async def test_a_running_job_comes_back_with_its_errand_and_may_go_on(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        await claimed(store, make_job("a"))
    async with JobStore.open(any_url) as store:
        (job,) = await store.recover()
        assert (job.state, job.attempt, job.errand, job.started_ms) == (State.queued, 1, ERRAND, None)
        assert (await store.list_jobs()).jobs[0].job.started_ms is None
        assert not await store.claim(A, "far", 1, errand=Errand("far", "there", "another client"))
        assert not await store.claim(A, "far", 1)
        assert await store.claim(A, "far", 1, started_ms=5, errand=ERRAND, is_adopted=True)
        stored = await store.get(A)
        assert stored is not None
        assert (stored.state, stored.attempt, stored.started_ms) == (State.running, 1, 5)


async def test_another_attempt_and_the_end_forget_the_errand(
    any_url: str, make_job: MakeJob, make_result: Callable[..., JobResult]
) -> None:
    async with JobStore.open(any_url) as store:
        for job_id in "abc":
            await claimed(store, make_job(job_id))
        await store.requeue(A, 1, count="worker")
        await store.finish(JobId("b"), 1, make_result())
        await store.requeue(JobId("c"), 1, count="none", keeps_errand=True)
        await store.claim(JobId("c"), "here", 2)
        found = [await store.get(JobId(job_id)) for job_id in "abc"]
        assert [job.errand for job in found if job is not None] == [None, None, None]


async def test_requeues_with_and_without_an_errand_go_together(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        for job_id in "ab":
            await claimed(store, make_job(job_id))
        first = store.requeue(A, 1, count="none", keeps_errand=True)
        second = store.requeue(JobId("b"), 1, count="none")
        assert await first
        assert await second
        found = [await store.get(JobId(job_id)) for job_id in "ab"]
        assert [job.errand for job in found if job is not None] == [ERRAND, None]
        assert store.counts[State.queued] == 2


async def test_a_note_is_taken_of_the_running_attempt_alone(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        await store.add(make_job("a"))
        assert not await store.note(A, 1, ERRAND)
        await store.claim(A, "far", 1, started_ms=5)
        assert not await store.note(A, 2, ERRAND)
        assert await store.note(A, 1, ERRAND)
        job = await store.get(A)
        assert job is not None
        assert job.errand == ERRAND


async def test_a_job_that_runs_elsewhere_outlives_more_deaths_but_not_any_number(
    any_url: str, make_job: MakeJob
) -> None:
    async with JobStore.open(any_url) as store:
        await claimed(store, make_job("a"))
    for death in range(MAX_ADOPTIONS):
        async with JobStore.open(any_url) as store:
            (job,) = await store.recover()
            assert job.server_deaths == death + 1
            assert await store.claim(A, "far", 1, errand=ERRAND, is_adopted=True)
    assert MAX_ADOPTIONS > MAX_SERVER_DEATHS
    async with JobStore.open(any_url) as store:
        assert await store.recover() == []
        assert (await store.get(A)).state is State.failed  # type: ignore[union-attr]


async def test_going_on_tells_no_webhook_of_a_start_again(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        await store.add(make_job("a"), [Webhook("https://example.org/", ("task.started",))])
        await store.claim(A, "far", 1, errand=ERRAND)
    async with JobStore.open(any_url) as store:
        await store.recover()
        await store.claim(A, "far", 1, errand=ERRAND, is_adopted=True)
        assert (await store.outbox.list(DeliveryFilter(), limit=10)).total == 1


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
async def test_an_errand_outlives_the_process_that_noted_it(url: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLAIM_AND_WAIT, url, stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"claimed\n"
    process.send_signal(signal.SIGKILL)
    await process.wait()
    async with JobStore.open(url) as store:
        (job,) = await store.recover()
        assert job.errand == ERRAND


@pytest.mark.usefixtures("flushed")
async def test_only_errands_do_not_wait_for_the_disk_and_soon_they_are_on_it(url: str, make_job: MakeJob) -> None:
    async with JobStore.open(url) as store:
        ask = Alone(lambda connection, _ledger: connection.exec_driver_sql("PRAGMA synchronous").scalar())
        writer = store._writer
        await store.add(make_job("b"))
        assert not writer._thread._is_unflushed
        await store.claim(JobId("b"), "here", 1)
        assert not writer._thread._is_unflushed
        await claimed(store, make_job("a"))
        async with asyncio.timeout(30):
            while writer._thread._is_unflushed:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert await writer.submit(ask) == 2
