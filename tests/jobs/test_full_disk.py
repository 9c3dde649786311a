"""A disk without room: nothing is half written, what is stored can be read, and work goes on when there is room."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable

import pytest

from inglenook.jobs import Added, Job, JobId, JobResult, JobStore, JobStoreFull
from inglenook.jobs.operations import Alone


@pytest.fixture
async def store(url: str) -> AsyncIterator[JobStore]:
    async with JobStore.open(url) as store:
        yield store


@pytest.fixture
def set_room(store: JobStore) -> Callable[..., asyncio.Future[object]]:
    """Limit the pages of the database file: SQLite then fails as it does on a full disk (SQLITE_FULL)."""

    def set_room(pages: int) -> asyncio.Future[object]:
        return store._writer.submit(
            Alone(lambda connection, _ledger: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}").scalar())
        )

    return set_room


def large(make_job: Callable[..., Job], id: str) -> Job:
    return make_job(id, graph=b'"' + os.urandom(200_000).hex().encode() + b'"')


async def test_full_disk_refuses_whole_jobs(
    store: JobStore,
    set_room: Callable[..., asyncio.Future[object]],
    make_job: Callable[..., Job],
    make_result: Callable[..., JobResult],
) -> None:
    small = make_job("small", extra_data={"note": "x" * 3000})
    await store.add(small)
    await set_room(60)
    with pytest.raises(JobStoreFull, match=r"jobs\.sqlite.*free some space"):
        await store.add(large(make_job, "large"))
    assert await store.get(JobId("large")) is None
    assert await store.get(small.id) == small

    await set_room(10_000)
    assert isinstance(await store.add(large(make_job, "large")), Added)
    assert await store.claim(JobId("large"), "cpu", 1)
    assert await store.finish(JobId("large"), 1, make_result())
    assert [job.id for job in await store.recover()] == ["small"]


async def test_job_that_fits_is_accepted_beside_one_that_does_not(
    store: JobStore, set_room: Callable[..., asyncio.Future[object]], make_job: Callable[..., Job]
) -> None:
    await set_room(60)
    outcomes = await asyncio.gather(
        store.add(make_job("first")),
        store.add(large(make_job, "large")),
        store.add(make_job("last")),
        return_exceptions=True,
    )
    assert [type(outcome) for outcome in outcomes] == [Added, JobStoreFull, Added]
    page = await store.list_jobs()
    assert ({listed.job.id for listed in page.jobs}, page.total) == ({"first", "last"}, 2)


async def test_result_that_does_not_fit_leaves_the_job_running(
    store: JobStore,
    set_room: Callable[..., asyncio.Future[object]],
    make_job: Callable[..., Job],
    make_result: Callable[..., JobResult],
) -> None:
    await store.add(make_job("a"))
    await store.claim(JobId("a"), "cpu", 1)
    await set_room(60)
    outputs = {"1": {"text": [os.urandom(200_000).hex()]}}
    with pytest.raises(JobStoreFull):
        await store.finish(JobId("a"), 1, make_result(outputs=outputs))
    assert await store.history() == []
    await set_room(10_000)
    assert await store.finish(JobId("a"), 1, make_result(outputs=outputs))
    assert await store.history_count() == 1
