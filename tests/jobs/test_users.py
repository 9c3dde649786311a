"""Jobs of several users in one store: each sees and touches its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from inglenook.jobs import Added, Conflict, Existing, Job, JobFilter, JobId, JobResult, JobStore, Page, State

MakeJob = Callable[..., Job]
MakeResult = Callable[..., JobResult]


@pytest.fixture
async def shared(store: JobStore, make_job: MakeJob, make_result: MakeResult) -> JobStore:
    """Finished `a0 b1 a2 b3 a4`, and `b5` that waits."""
    for index, user in enumerate("ababa"):
        id = f"{user}{index}"
        await store.add(make_job(id, index, created_ms=1000 + index, user=user))
        await store.claim(JobId(id), "cpu", 1)
        await store.finish(JobId(id), 1, make_result(State.failed if index == 2 else State.succeeded, 5000 - index))
    await store.add(make_job("b5", 5, created_ms=1005, user="b"))
    return store


async def history(store: JobStore, **question: object) -> list[str]:
    return (await store.begin_history(lambda run: run.id, **question)).first  # type: ignore[arg-type]


async def listed(store: JobStore, page: Page | None = None, **fields: object) -> list[str]:
    found = await store.list_jobs(JobFilter(**fields), page or Page())  # type: ignore[arg-type]
    return [entry.job.id for entry in found.jobs]


async def test_a_user_has_a_history_of_its_own(shared: JobStore) -> None:
    assert await history(shared, user="a") == ["a0", "a2", "a4"]
    assert await history(shared, user="b", max_items=1) == ["b3"]
    assert await history(shared, user="a", offset=1, max_items=1) == ["a2"]
    assert await history(shared, user="nobody") == []
    assert await history(shared) == ["a0", "b1", "a2", "b3", "a4"]
    assert await shared.finished_run(JobId("b1"), user="a") is None
    assert await shared.finished_run(JobId("b1"), user="b") is not None


async def test_a_user_lists_its_own_jobs(shared: JobStore) -> None:
    assert await listed(shared, user="a") == ["a4", "a2", "a0"]
    assert await listed(shared, user="b") == ["b5", "b3", "b1"]
    assert await listed(shared, user="a", states=frozenset({State.failed})) == ["a2"]
    assert await listed(shared, Page(sort="duration", limit=2), user="a") == ["a0", "a2"]
    page = await shared.list_jobs(JobFilter(user="b"), Page(limit=1, offset=2))
    assert ([entry.job.id for entry in page.jobs], page.total) == (["b1"], 3)
    assert page.jobs[0].job.user == "b"


async def test_a_user_removes_only_its_own_history(shared: JobStore) -> None:
    await shared.delete_history([JobId("a0"), JobId("b1")], user="b")
    assert await history(shared) == ["a0", "a2", "b3", "a4"]
    await shared.clear_history(user="a")
    assert await history(shared) == ["b3"]


async def test_the_id_of_another_users_job_is_taken(store: JobStore, make_job: MakeJob) -> None:
    assert isinstance(await store.add(make_job("x", user="a")), Added)
    assert isinstance(await store.add(make_job("x", user="a")), Existing)
    assert isinstance(await store.add(make_job("x", user="b")), Conflict)


async def test_jobs_from_before_go_to_the_user_who_adopts_them(
    store: JobStore, make_job: MakeJob, make_result: MakeResult
) -> None:
    await store.add(make_job("before"))
    await store.claim(JobId("before"), "cpu", 1)
    await store.finish(JobId("before"), 1, make_result())
    await store.add(make_job("of a", 1, user="a"))
    await store.adopt("default")
    assert await history(store, user="default") == ["before"]
    assert await listed(store, user="a") == ["of a"]
    job = await store.get(JobId("before"))
    assert job is not None
    assert job.user == "default"
