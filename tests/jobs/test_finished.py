"""Finished runs as documents that are joined and never parsed: the same as the history, in parts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

from inglenook.jobs import EncodedRun, Job, JobId, JobResult, JobStore, State, finished

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


def show(job_id: JobId, result: JobResult) -> bytes:
    return json.dumps({"of": job_id, "outputs": result.outputs}).encode()


def identity(run: EncodedRun) -> EncodedRun:
    return run


async def run(store: JobStore, job: Job, result: JobResult) -> None:
    await store.add(job)
    await store.claim(job.id, "cpu", 1)
    await store.finish(job.id, 1, result)


async def part(store: JobStore, **question: object) -> list[str]:
    """Ids of a part of the history, read in two steps."""
    listing = await store.begin_history(lambda run: run.id, at_once=2, **question)  # type: ignore[arg-type]
    assert len(listing.first) <= 2
    return listing.first + await store.more_history(lambda run: run.id, listing.rest)


async def test_every_part_is_that_of_the_history(any_url: str, make_job: MakeJob, make_result: MakeResult) -> None:
    async with JobStore.open(any_url, history_limit=9) as store:
        for index in range(9):
            await run(store, make_job(str(index), index), make_result())
        for max_items in (None, 0, 1, 3, 8, 9, 50):
            for offset in (None, -1, 0, 1, 4, 7, 8, 9, 50):
                expected = [entry.job.id for entry in await store.history(max_items, offset)]
                assert await part(store, max_items=max_items, offset=offset) == expected, (max_items, offset)


async def test_no_more_than_ten_thousand_are_listed_at_once(
    url: str, monkeypatch: object, make_job: MakeJob, make_result: MakeResult
) -> None:
    monkeypatch.setattr(finished, "MOST_LISTED", 3)  # type: ignore[attr-defined]
    async with JobStore.open(url) as store:
        for index in range(5):
            await run(store, make_job(str(index), index), make_result())
        assert await part(store) == ["2", "3", "4"]
        assert await part(store, max_items=50) == ["2", "3", "4"]
        assert await part(store, offset=1) == ["1", "2", "3"]


async def test_a_run_is_what_was_submitted_and_what_was_shown(
    any_url: str, make_job: MakeJob, make_result: MakeResult
) -> None:
    graph = b'{"1":{"text":"' + b"x" * 100_000 + b'"}}'
    async with JobStore.open(any_url, show_result=show) as store:
        job = make_job("a", -2.5, graph=graph, extra_data={"x": "é" * 5000}, targets=("1", "2"))
        await run(store, job, make_result(outputs={"9": {"text": ["y" * 9000]}}))
        found = await store.finished_run(JobId("a"))
        assert found is not None
        assert (found.number, found.graph) == (-2.5, graph)
        assert json.loads(found.extra_data) == job.extra_data
        assert json.loads(found.targets) == ["1", "2"]
        assert json.loads(found.shown) == {"of": "a", "outputs": {"9": {"text": ["y" * 9000]}}}


async def test_only_what_has_run_is_found(store: JobStore, make_job: MakeJob) -> None:
    await store.add(make_job("waits"))
    await store.add(make_job("removed", 1))
    await store.cancel_queued([JobId("removed")])
    for job_id in ("waits", "removed", "unknown"):
        assert await store.finished_run(JobId(job_id)) is None
    assert await part(store) == []


async def test_results_of_older_versions_are_shown_too(
    url: str, tmp_path: Path, make_job: MakeJob, make_result: MakeResult
) -> None:
    async with JobStore.open(url, show_result=show) as store:
        await run(store, make_job("old"), make_result(outputs={"1": {"text": ["kept"]}}))
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.execute("UPDATE job_result SET shown = NULL")
    connection.close()
    async with JobStore.open(url, show_result=show) as store:
        (run_,) = (await store.begin_history(identity)).first
        assert json.loads(run_.shown) == {"of": "old", "outputs": {"1": {"text": ["kept"]}}}


async def test_what_is_removed_meanwhile_is_left_out(
    store: JobStore, make_job: MakeJob, make_result: MakeResult
) -> None:
    for index in range(6):
        await run(store, make_job(str(index), index), make_result(State.failed))
    listing = await store.begin_history(lambda run: run.id, at_once=1)
    await store.delete_history([JobId("3")])
    assert await store.more_history(lambda run: run.id, listing.rest) == ["1", "2", "4", "5"]
