"""Values that a database refuses: each alone, and the others of its transaction are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from inglenook.jobs import Added, Job, JobFilter, JobId, JobRejected, JobResult, JobStore, State

MakeJob = Callable[..., Job]

HOSTILE = ["a\0b", "\ud800", "%_\\", "'; --", "\u202e\U0001f600"]


@pytest.mark.parametrize("value", HOSTILE)
async def test_one_odd_job_does_not_keep_the_others_of_its_transaction_out(
    store: JobStore, make_job: MakeJob, value: str
) -> None:
    jobs = [make_job("a"), make_job("odd", client_id=value), make_job("b")]
    outcomes = await asyncio.gather(*map(store.add, jobs), return_exceptions=True)
    assert isinstance(outcomes[0], Added)
    assert isinstance(outcomes[1], Added | JobRejected)
    assert isinstance(outcomes[2], Added)
    assert (await store.list_jobs()).total == store.counts[State.queued]


async def test_nul_in_what_clients_and_nodes_chose_keeps_no_job_out(
    store: JobStore, make_job: MakeJob, make_result: Callable[..., JobResult]
) -> None:
    extra = {"extra_pnginfo": {"workflow": {"id": "w\0"}}, "text": "\0"}
    odd = make_job("odd", client_id="c\0", extra_data=extra, graph=b'{"1\\u0000":{}}', targets=("1\0",))
    assert isinstance(await store.add(odd), Added)
    assert await store.claim(JobId("odd"), "cpu", 1)
    outputs = {"1\0": {"images\0": [{"filename": "a\0.png", "subfolder": "\0", "type": "output"}], "text": ["\0"]}}
    assert await store.finish(JobId("odd"), 1, make_result(outputs=outputs, error={"message": "\0"}))
    (entry,) = await store.history()
    assert (entry.job.extra_data, entry.job.targets, entry.result.outputs) == (extra, ("1\0",), outputs)
    (listed,) = (await store.list_jobs(JobFilter(search="c\ufffd"))).jobs
    assert (listed.job.client_id, listed.workflow_id, listed.error) == ("c\ufffd", "w\ufffd", {"message": "\0"})


async def test_numbers_beyond_64_bits_are_refused_alone(store: JobStore, make_job: MakeJob) -> None:
    jobs = [make_job("a"), make_job("odd", priority=1 << 80), make_job("b", number=10**30)]
    outcomes = await asyncio.gather(*map(store.add, jobs), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Added, JobRejected, Added]
    assert [job.id for job in await store.recover()] == ["a", "b"]
