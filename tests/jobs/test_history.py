"""What the store remembers of finished jobs, in which order, and for how long."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from inglenook.jobs import Added, Job, JobId, JobResult, JobStore, State

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


@pytest.fixture
def finish_jobs(make_job: MakeJob, make_result: MakeResult) -> Callable[..., Any]:
    async def finish_jobs(store: JobStore, *ids: str, ended_ms: int = 2000) -> None:
        """Add all, claim all, and finish them in the order given."""
        adds = [store.add(make_job(id, number)) for number, id in enumerate(sorted(ids))]
        assert all(isinstance(outcome, Added) for outcome in await asyncio.gather(*adds))
        assert all(await asyncio.gather(*(store.claim(JobId(id), "cpu", 1) for id in ids)))
        result = make_result(ended_ms=ended_ms)
        assert all(await asyncio.gather(*(store.finish(JobId(id), 1, result) for id in ids)))

    return finish_jobs


def letters(entries: list[Any]) -> str:
    return "".join(entry.job.id for entry in entries)


async def test_history_is_in_order_of_completion(store: JobStore, finish_jobs: Callable[..., Any]) -> None:
    await finish_jobs(store, "c", "a", "b")
    assert letters(await store.history()) == "cab"
    assert await store.history_count() == 3


@pytest.mark.parametrize(
    ("max_items", "offset", "expected"),
    [
        (None, None, "abcde"),
        (2, None, "de"),
        (2, -1, "de"),
        (9, None, "abcde"),
        (0, None, ""),
        (-3, None, ""),
        (None, 2, "cde"),
        (2, 0, "ab"),
        (2, 1, "bc"),
        (2, 4, "e"),
        (2, 5, ""),
        (2, 99, ""),
        (0, 1, ""),
        (None, -2, "abcde"),
    ],
)
async def test_part_of_the_history(
    store: JobStore, finish_jobs: Callable[..., Any], max_items: int | None, offset: int | None, expected: str
) -> None:
    await finish_jobs(store, *"abcde")
    assert letters(await store.history(max_items, offset)) == expected


async def test_only_finished_runs_are_in_the_history(store: JobStore, make_job: MakeJob) -> None:
    await store.add(make_job("waiting"))
    await store.add(make_job("running"))
    await store.claim(JobId("running"), "cpu", 1)
    assert await store.history() == []
    assert await store.history_entry(JobId("waiting")) is None
    assert await store.history_entry(JobId("running")) is None
    assert await store.history_entry(JobId("unknown")) is None


@pytest.mark.parametrize("state", [State.succeeded, State.failed, State.cancelled, State.timed_out])
async def test_every_end_of_a_run_is_in_the_history(
    store: JobStore, make_job: MakeJob, make_result: MakeResult, state: State
) -> None:
    await store.add(make_job("a"))
    await store.claim(JobId("a"), "cpu", 1)
    await store.finish(JobId("a"), 1, make_result(state))
    entry = await store.history_entry(JobId("a"))
    assert entry is not None
    assert (entry.job.state, entry.result.state) == (state, state)
    assert await store.history() == [entry]


async def test_deleted_entries_are_gone_and_their_ids_free(
    store: JobStore, finish_jobs: Callable[..., Any], make_job: MakeJob
) -> None:
    await finish_jobs(store, *"abc")
    await store.add(make_job("waiting"))
    await store.delete_history([JobId("b"), JobId("unknown"), JobId("waiting")])
    assert letters(await store.history()) == "ac"
    assert await store.get(JobId("b")) is None
    assert await store.get(JobId("waiting")) is not None
    assert isinstance(await store.add(make_job("b", fingerprint="new work")), Added)


async def test_clearing_many_entries_spares_what_waits_and_runs(
    store: JobStore, finish_jobs: Callable[..., Any], make_job: MakeJob
) -> None:
    await finish_jobs(store, *(f"{index:04}" for index in range(450)))
    await store.add(make_job("waiting"))
    await store.add(make_job("running"))
    await store.claim(JobId("running"), "cpu", 1)
    await store.clear_history()
    assert await store.history() == []
    assert {job.job.id for job in (await store.list_jobs()).jobs} == {"waiting", "running"}


async def test_history_never_shows_more_than_its_limit(any_url: str, finish_jobs: Callable[..., Any]) -> None:
    async with JobStore.open(any_url, history_limit=3) as store:
        await finish_jobs(store, *"abcde")
        assert letters(await store.history()) == "cde"
        assert letters(await store.history(2)) == "de"
        assert letters(await store.history(2, 0)) == "cd"
        assert await store.history_count() == 3


async def stored_ids(store: JobStore) -> set[str]:
    return {listed.job.id for listed in (await store.list_jobs()).jobs}


async def settle(store: JobStore, expected: set[str]) -> None:
    """Trimming runs when nothing else is written; look until it has."""
    async with asyncio.timeout(60):
        while await stored_ids(store) != expected:
            pass


async def test_jobs_beyond_the_limit_are_removed(
    any_url: str, finish_jobs: Callable[..., Any], make_job: MakeJob
) -> None:
    ids = [f"{index:04}" for index in range(700)]
    async with JobStore.open(any_url, history_limit=20) as store:
        await store.add(make_job("waiting"))
        await store.add(make_job("running"))
        await store.claim(JobId("running"), "cpu", 1)
        await finish_jobs(store, *ids)
        await settle(store, {"waiting", "running", *ids[-20:]})
        assert await store.next_number() == 700


async def test_clearing_the_queue_does_not_push_out_the_history(
    any_url: str, finish_jobs: Callable[..., Any], make_job: MakeJob
) -> None:
    async with JobStore.open(any_url, history_limit=2) as store:
        await finish_jobs(store, *"abc")
        for number in range(5):
            await store.add(make_job(f"cancelled {number}", number))
        await store.cancel_queued()
    async with JobStore.open(any_url, history_limit=2) as store:
        await settle(store, {"b", "c", "cancelled 3", "cancelled 4"})


async def test_old_jobs_are_removed(any_url: str, clock: Any, finish_jobs: Callable[..., Any]) -> None:
    async with JobStore.open(any_url, clock=clock) as store:
        await finish_jobs(store, "old", ended_ms=clock.now - 60_001)
        await finish_jobs(store, "young", ended_ms=clock.now - 59_999)
    async with JobStore.open(any_url, history_age_s=60, clock=clock) as store:
        await settle(store, {"young"})
