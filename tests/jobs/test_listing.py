"""Pages of jobs, filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from inglenook.jobs import Job, JobFilter, JobId, JobPage, JobResult, JobStore, Page, State

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]

ENDS = {"s": State.succeeded, "f": State.failed, "x": State.cancelled, "t": State.timed_out}


@pytest.fixture
async def filled(store: JobStore, make_job: MakeJob, make_result: MakeResult, clock: Any) -> JobStore:
    """Ids tell the story: `s3` was created at 1003 and succeeded after 970 ms, `q` waits, `r` runs, `c` never ran."""
    for index, kind in enumerate("sfxtsqrcs"):
        id = f"{kind}{index}"
        workflow = {"extra_pnginfo": {"workflow": {"id": "even" if index % 2 == 0 else "ODD"}}}
        await store.add(make_job(id, index, created_ms=1000 + index, extra_data=workflow, client_id=f"client {kind}"))
        if kind == "c":
            await store.cancel_queued([JobId(id)])
        elif kind != "q":
            await store.claim(JobId(id), "cpu", 1)
        if kind in ENDS:
            outputs = {"9": {"images": [{"filename": f"{id}.png"}]}}
            error = {"message": id} if kind == "f" else None
            ended_ms = clock.now + 1000 - 10 * index
            await store.finish(JobId(id), 1, make_result(ENDS[kind], ended_ms, outputs=outputs, error=error))
    return store


def ids(page: JobPage) -> str:
    return " ".join(listed.job.id for listed in page.jobs)


async def test_newest_first_by_default(filled: JobStore) -> None:
    page = await filled.list_jobs()
    assert ids(page) == "s8 c7 r6 q5 s4 t3 x2 f1 s0"
    assert page.total == 9


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({State.succeeded}, "s8 s4 s0"),
        ({State.queued, State.running}, "r6 q5"),
        ({State.failed, State.succeeded, State.timed_out}, "s8 s4 t3 f1 s0"),
        ({State.cancelled}, "c7 x2"),
        (set(), ""),
        (set(State), "s8 c7 r6 q5 s4 t3 x2 f1 s0"),
    ],
)
async def test_by_state(filled: JobStore, states: set[State], expected: str) -> None:
    page = await filled.list_jobs(JobFilter(states=frozenset(states)))
    assert (ids(page), page.total) == (expected, len(expected.split()))
    ascending = await filled.list_jobs(JobFilter(states=frozenset(states)), Page(descending=False))
    assert ids(ascending).split() == expected.split()[::-1]


async def test_pages_follow_each_other(filled: JobStore) -> None:
    for job_filter in (JobFilter(), JobFilter(states=frozenset(State)), JobFilter(search="client")):
        pages = [await filled.list_jobs(job_filter, Page(limit=4, offset=offset)) for offset in (0, 4, 8, 12)]
        assert [ids(page) for page in pages] == ["s8 c7 r6 q5", "s4 t3 x2 f1", "s0", ""]
        assert {page.total for page in pages} == {9}
    assert ids(await filled.list_jobs(page=Page(limit=0))) == ""


async def test_by_duration(filled: JobStore) -> None:
    states = JobFilter(states=frozenset({State.succeeded, State.failed}))
    assert ids(await filled.list_jobs(states, Page(sort="duration"))) == "s0 f1 s4 s8"
    assert ids(await filled.list_jobs(states, Page(sort="duration", descending=False, limit=2))) == "s8 s4"
    everything = await filled.list_jobs(page=Page(sort="duration"))
    assert ids(everything) == "s0 f1 x2 t3 s4 s8 c7 r6 q5"


async def test_by_workflow(filled: JobStore) -> None:
    assert ids(await filled.list_jobs(JobFilter(workflow_id="even"))) == "s8 r6 s4 x2 s0"
    finished_even = JobFilter(workflow_id="even", states=frozenset({State.succeeded}))
    page = await filled.list_jobs(finished_even, Page(limit=2))
    assert (ids(page), page.total) == ("s8 s4", 3)
    assert ids(await filled.list_jobs(JobFilter(workflow_id="unknown"))) == ""


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("S4", "s4"),
        ("client f", "f1"),
        ("odd", "c7 q5 t3 f1"),
        ("%", ""),
        ("_", ""),
        ("", "s8 c7 r6 q5 s4 t3 x2 f1 s0"),
    ],
)
async def test_search_is_for_a_part_in_any_case(filled: JobStore, search: str, expected: str) -> None:
    assert ids(await filled.list_jobs(JobFilter(search=search))) == expected


async def test_listed_job_tells_its_end(filled: JobStore) -> None:
    page = await filled.list_jobs(JobFilter(states=frozenset({State.failed, State.queued})))
    queued, failed = page.jobs
    assert (queued.job.state, queued.outputs, queued.error, queued.workflow_id) == (State.queued, None, None, "ODD")
    assert failed.outputs == {"9": {"images": [{"filename": "f1.png"}]}}
    assert failed.error == {"message": "f1"}
    assert (failed.job.created_ms, failed.job.started_ms, failed.job.ended_ms) == (1001, 1_000_000, 1_000_990)


async def test_listed_job_tells_its_stored_workflow_and_its_limit(store: JobStore, make_job: MakeJob) -> None:
    await store.add(make_job("a", workflow_name="portrait.json", timeout_s=30.5))
    (listed,) = (await store.list_jobs()).jobs
    assert (listed.job.workflow_name, listed.job.timeout_s) == ("portrait.json", 30.5)


FILTERS = {
    "all": JobFilter(),
    "all that ran": JobFilter(with_removed=False),
    "some states": JobFilter(states=frozenset({State.succeeded, State.cancelled, State.failed})),
    "cancelled": JobFilter(states=frozenset({State.cancelled}), with_removed=False),
    "workflow": JobFilter(workflow_id="even", with_removed=False),
    "workflow and state": JobFilter(workflow_id="even", states=frozenset({State.succeeded, State.queued})),
    "search": JobFilter(search="client", with_removed=False),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("sort", ["created", "duration"])
@pytest.mark.parametrize("descending", [True, False])
async def test_pages_from_either_end_make_the_whole(filled: JobStore, name: str, sort: Any, descending: bool) -> None:
    whole = await filled.list_jobs(FILTERS[name], Page(sort, descending))
    assert whole.total == len(whole.jobs)
    for limit in (1, 2, 4, None):
        for offset in range(len(whole.jobs) + 2):
            page = await filled.list_jobs(FILTERS[name], Page(sort, descending, limit, offset))
            end = None if limit is None else offset + limit
            assert page.jobs == whole.jobs[offset:end], (limit, offset)
            assert page.total == whole.total


async def test_jobs_that_never_ran_can_be_left_out(filled: JobStore) -> None:
    page = await filled.list_jobs(JobFilter(with_removed=False))
    assert (ids(page), page.total) == ("s8 r6 q5 s4 t3 x2 f1 s0", 8)
    cancelled = await filled.list_jobs(JobFilter(states=frozenset({State.cancelled}), with_removed=False))
    assert (ids(cancelled), cancelled.total) == ("x2", 1)


async def test_a_listing_is_read_in_steps(filled: JobStore) -> None:
    listing = await filled.begin_listing(lambda listed: listed.job.id, JobFilter(), Page(limit=7), at_once=3)
    assert listing.first == ["s8", "c7", "r6"]
    assert await filled.more_listed(lambda listed: listed.job.id, listing.rest) == ["q5", "s4", "t3", "x2"]
    assert listing.total == 9
