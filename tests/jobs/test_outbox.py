"""Deliveries to webhooks are written together with what they tell."""

from __future__ import annotations

import json

import pytest

from inglenook.jobs import (
    Attempt,
    Delivery,
    DeliveryFilter,
    DeliveryState,
    JobResult,
    JobStore,
    State,
    Webhook,
)

HOOK = Webhook("https://example.org/hook", events=("task.started", "task.succeeded", "task.cancelled"))


async def deliveries(store: JobStore, **wanted) -> list[Delivery]:
    page = await store.outbox.list(DeliveryFilter(**wanted), limit=100)
    return list(reversed(page.deliveries))


async def run(store: JobStore, job_id: str, result: JobResult, attempt: int = 1) -> None:
    await store.claim(job_id, "cpu", attempt)
    assert await store.finish(job_id, attempt, result)


async def test_start_and_end_of_a_job_are_told_once(store, make_job, make_result) -> None:
    await store.add(make_job("a", client_id="me"), [HOOK])
    await store.add(make_job("b", 2))
    await store.claim("a", "cpu", 1)
    await store.requeue("a", 1, count="worker")
    await run(store, "a", make_result(), 2)
    await run(store, "b", make_result())
    started, ended = await deliveries(store)
    assert (started.event, started.job_id, started.attempts) == ("task.started", "a", 0)
    assert (ended.event, ended.url, ended.state) == ("task.succeeded", HOOK.url, DeliveryState.pending)
    body = json.loads(ended.body)
    assert (body["id"], body["task_id"], body["status"], body["client_id"]) == (ended.id, "a", "success", "me")
    assert not store.outbox.has_webhooks


async def test_a_delivery_names_the_files_of_the_job(store, make_job) -> None:
    files = [{"filename": "größe 1.png", "subfolder": "x", "type": "output"}]
    await store.add(make_job("a"), [HOOK])
    await run(store, "a", JobResult(State.succeeded, 5, outputs={"9": {"images": files}}))
    body = json.loads((await deliveries(store))[-1].body)
    assert body["outputs"] == [
        {**files[0], "node_id": "9", "kind": "images",
         "url": "/api/view?filename=gr%C3%B6%C3%9Fe+1.png&subfolder=x&type=output"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "event"),
    [(State.failed, "task.failed"), (State.timed_out, "task.timeout"), (State.cancelled, "task.cancelled")],
)
async def test_each_end_has_its_event(store, make_job, state, event) -> None:
    await store.add(make_job("a"), [Webhook("http://example.org/")])
    await run(store, "a", JobResult(state, 5, error={"node_id": "3", "message": "no"}))
    (delivery,) = await deliveries(store)
    assert delivery.event == event
    assert json.loads(delivery.body)["error"] == {"node_id": "3", "message": "no"}


async def test_a_job_that_is_taken_out_of_the_queue_is_told(store, make_job) -> None:
    await store.add(make_job("a"), [HOOK])
    await store.cancel_queued(["a"])
    assert [delivery.event for delivery in await deliveries(store)] == ["task.cancelled"]
    await store.add(make_job("a"), [HOOK])  # the same id again
    await store.cancel_queued()
    assert len(await deliveries(store)) == 2


async def test_a_job_that_is_known_already_gets_no_second_webhook(store, make_job, make_result) -> None:
    await store.add(make_job("a"), [HOOK])
    await store.add(make_job("a"), [HOOK])
    await store.add(make_job("a", fingerprint="other"), [HOOK])
    await run(store, "a", make_result())
    assert [delivery.event for delivery in await deliveries(store)] == ["task.started", "task.succeeded"]


async def test_who_registers_after_the_end_is_told_the_end(store, make_job, make_result) -> None:
    await store.add(make_job("a"))
    await run(store, "a", make_result())
    assert await store.outbox.register("a", [HOOK])
    assert not await store.outbox.register("unknown", [HOOK])
    assert [delivery.event for delivery in await deliveries(store)] == ["task.succeeded"]
    assert not store.outbox.has_webhooks


async def test_a_late_attempt_tells_nothing(store, make_job, make_result) -> None:
    await store.add(make_job("a"), [Webhook(HOOK.url)])
    await store.claim("a", "cpu", 1)
    await store.requeue("a", 1, count="worker")
    assert not await store.finish("a", 1, make_result())
    assert await deliveries(store) == []


async def test_a_standing_webhook_hears_of_every_job(store, make_job, make_result) -> None:
    await store.outbox.set_standing([Webhook("http://old.example/")])
    await store.outbox.set_standing([Webhook("http://new.example/", ("task.succeeded",))])
    for job_id in "ab":
        await store.add(make_job(job_id), [HOOK] if job_id == "b" else [])
        await run(store, job_id, make_result())
    told = [(one.job_id, one.origin, one.is_standing) for one in await deliveries(store, event="task.succeeded")]
    assert told == [
        ("a", "http://new.example", True),
        ("b", "http://new.example", True),
        ("b", "https://example.org", False),
    ]


async def test_attempts_and_repetitions_are_kept_over_a_restart(any_url, clock, make_job, make_result) -> None:
    async with JobStore.open(any_url, clock=clock) as store:
        await store.add(make_job("a"), [HOOK])
        await run(store, "a", make_result())
        first, second = await store.outbox.due(clock.now, 10)
        await store.outbox.record(first, Attempt(DeliveryState.pending, clock.now, clock.now + 500, 503, "busy"))
        await store.outbox.record(second, Attempt(DeliveryState.delivered, clock.now, None, 200, None))
    async with JobStore.open(any_url, clock=clock) as store:
        assert await store.outbox.due(clock.now, 10) == []
        assert await store.outbox.next_due_ms(clock.now) == clock.now + 500
        (again,) = await store.outbox.due(clock.now + 500, 10)
        assert (again.id, again.attempts, again.status_code, again.error) == (first.id, 1, 503, "busy")
        await store.outbox.redeliver(second)
        due = await store.outbox.due(clock.now, 10)
        assert [(one.id, one.attempts) for one in due] == [(second.id, 0)]
        assert await store.outbox.due(clock.now, 10, without=[second.sequence]) == []
        assert await store.outbox.due(clock.now, 10, without_origins=[second.origin]) == []


async def test_deliveries_that_are_done_are_removed_when_they_are_old(store, clock, make_job, make_result) -> None:
    await store.add(make_job("a"), [HOOK])
    await run(store, "a", make_result())
    first, second = await store.outbox.due(clock.now, 10)
    await store.outbox.record(first, Attempt(DeliveryState.failed, clock.now, None, None, "no"))
    assert await store.outbox.trim() == 0
    clock.now += 8 * 86_400_000
    assert await store.outbox.trim() == 1
    assert [delivery.id for delivery in await deliveries(store)] == [second.id]
