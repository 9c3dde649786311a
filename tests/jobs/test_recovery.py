"""What is there after a server died."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inglenook.jobs import Job, JobId, JobResult, JobStore, State
from inglenook.jobs.operations import Alone
from inglenook.jobs.upkeep import MAX_SERVER_DEATHS

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


async def test_running_jobs_go_back_into_their_old_place(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        for number in range(4):
            await store.add(make_job(str(number), number))
        await store.claim(JobId("0"), "cuda:0", 1)
        await store.claim(JobId("1"), "cuda:1", 1)
        await store.requeue(JobId("1"), 1, count="none")
    async with JobStore.open(any_url) as store:
        jobs = await store.recover()
        assert [(job.id, job.server_deaths, job.attempt) for job in jobs] == [
            ("0", 1, 1),
            ("1", 0, 1),
            ("2", 0, 0),
            ("3", 0, 0),
        ]
        assert {job.state for job in jobs} == {State.queued}
        assert await store.claim(JobId("0"), "cuda:0", 2)


async def test_attempt_of_the_dead_server_cannot_write(
    any_url: str, make_job: MakeJob, make_result: MakeResult
) -> None:
    async with JobStore.open(any_url) as store:
        await store.add(make_job("a"))
        await store.claim(JobId("a"), "cpu", 1)
    async with JobStore.open(any_url) as store:
        await store.recover()
        assert not await store.finish(JobId("a"), 1, make_result())
        assert not await store.claim(JobId("a"), "cpu", 1)


async def test_job_that_sees_the_server_die_too_often_fails(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        await store.add(make_job("a"))
    for death in range(MAX_SERVER_DEATHS + 1):
        async with JobStore.open(any_url) as store:
            jobs = await store.recover()
            assert [job.server_deaths for job in jobs] == [death]
            await store.claim(JobId("a"), "cpu", death + 1)
    async with JobStore.open(any_url) as store:
        assert await store.recover() == []
        entry = await store.history_entry(JobId("a"))
        assert entry is not None
        assert (entry.job.state, entry.job.server_deaths) == (State.failed, MAX_SERVER_DEATHS + 1)
        assert entry.result.error is not None
        assert "died 4 times" in entry.result.error["message"]


async def test_caller_says_how_a_lost_job_ends(any_url: str, make_job: MakeJob) -> None:
    async with JobStore.open(any_url) as store:
        await store.add(make_job("a", server_deaths=MAX_SERVER_DEATHS))
        await store.claim(JobId("a"), "cpu", 1)
        lost: list[Job] = []

        def end(job: Job) -> JobResult:
            lost.append(job)
            return JobResult(State.failed, 3000, messages=[["execution_error", {"prompt_id": job.id}]])

        assert await store.recover(end) == []
        assert [(job.id, job.server_deaths) for job in lost] == [("a", MAX_SERVER_DEATHS + 1)]
        entry = await store.history_entry(JobId("a"))
        assert entry is not None
        assert entry.result == end(entry.job)


@pytest.mark.usefixtures("flushed")
async def test_every_commit_is_flushed_to_the_disk(url: str) -> None:
    """A kill cannot show this, only a power cut: in WAL mode, less than FULL (2) flushes at checkpoints alone."""
    async with JobStore.open(url) as store:
        ask = Alone(lambda connection, _ledger: connection.exec_driver_sql("PRAGMA synchronous").scalar())
        assert await store._writer.submit(ask) == 2


ADD_FOREVER = """
import asyncio, sys
from inglenook.jobs import Job, JobId, JobStore

async def add(store, client):
    number = 0
    while True:
        job = Job(JobId(f"{client}-{number}"), number, b"{}", ("1",), "f", 0)
        await store.add(job)
        if number % 3:
            await store.claim(job.id, "cpu", 1)
        print(job.id, flush=True)
        number += 1

async def main():
    async with JobStore.open(sys.argv[1]) as store:
        await asyncio.gather(*(add(store, client) for client in range(8)))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize("kill_after", [1, 100, 700])
async def test_no_accepted_job_is_lost_to_sigkill(any_url: str, tmp_path: Path, kill_after: int) -> None:
    source = Path(__file__).parents[2] / "src"
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        ADD_FOREVER,
        any_url,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(source), *sys.path])},
        cwd=tmp_path,
    )
    assert child.stdout is not None
    accepted: list[str] = []
    async with asyncio.timeout(60):
        while len(accepted) < kill_after:
            line = await child.stdout.readline()
            assert line, "the child ended by itself"
            accepted.append(line.decode().strip())
        child.send_signal(signal.SIGKILL)
        accepted += (await child.stdout.read()).decode().split("\n")[:-1]
        await child.wait()
    async with JobStore.open(any_url) as store:
        jobs = await store.recover()
    assert len({job.id for job in jobs}) == len(jobs)
    assert {job.id for job in jobs} >= set(accepted)
    assert [job.number for job in jobs] == sorted(job.number for job in jobs)
