"""With `multi_user`, everybody sees, stops and removes their own jobs only; without it, all jobs are everybody's."""

import json
from contextlib import asynccontextmanager

import httpx
import pytest

from inglenook.api.app import create_app
from inglenook.jobs import JobId, JobResult, State
from tests.api.idle import idle_services
from tests.api.live import picture_graph


class Server:
    """An idle app; `ask(user, ...)` speaks to it as that user."""

    def __init__(self, services, http):
        self.services, self.http = services, http
        self._ids = {name: services.users.add(name) for name in ("ann", "bob", "eve")}

    def headers(self, user):
        return {"comfy-user": self._ids[user]}

    async def ask(self, user, path, body=None, method=None):
        method = method or ("GET" if body is None else "POST")
        content = None if body is None else json.dumps(body)
        reply = await self.http.request(method, path, headers=self.headers(user), content=content)
        return reply.json() if reply.content else reply.status_code

    async def submit(self, user, color=0, **fields):
        return (await self.ask(user, "/prompt", {"prompt": picture_graph(color), **fields}))["prompt_id"]

    async def end(self, job_id, user):
        """Let a job end as the store would know it after a restart."""
        store = self.services.store
        await self.services.dispatcher.cancel_waiting([job_id])
        await store.add(await store.get(JobId(job_id)))
        await store.claim(JobId(job_id), "cpu", 1)
        await store.finish(JobId(job_id), 1, JobResult(State.succeeded, 5, {}, {}, [["Succeeded", {"time_ms": 5}]]))


@asynccontextmanager
async def served(folder, **settings):
    async with idle_services(folder, **settings) as services:
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield Server(services, http)


@pytest.fixture
async def shared(tmp_path):
    async with served(tmp_path, multi_user=True) as server:
        yield server


def pending(queue):
    return [item[1] for item in queue["queue_pending"]]


async def test_a_user_sees_its_own_queue(shared):
    mine = [await shared.submit("ann", color) for color in (1, 2)]
    theirs = await shared.submit("bob")
    assert pending(await shared.ask("ann", "/queue")) == mine
    assert pending(await shared.ask("bob", "/queue")) == [theirs]
    assert await shared.ask("ann", "/prompt") == {"exec_info": {"queue_remaining": 2}}
    assert await shared.ask("eve", "/prompt") == {"exec_info": {"queue_remaining": 0}}
    assert [job["id"] for job in (await shared.ask("ann", "/api/jobs"))["jobs"]] == mine[::-1]
    assert (await shared.ask("bob", "/api/jobs"))["pagination"]["total"] == 1


async def test_a_user_finds_no_job_of_another(shared):
    theirs = await shared.submit("bob")
    assert await shared.ask("ann", f"/api/jobs/{theirs}") == {"error": "Job not found"}
    assert (await shared.ask("ann", f"/prompt/{theirs}"))["error"]["type"] == "not_found"
    assert (await shared.ask("bob", f"/prompt/{theirs}"))["status"] == "pending"
    await shared.end(theirs, "bob")
    assert await shared.ask("ann", f"/api/jobs/{theirs}") == {"error": "Job not found"}
    assert (await shared.ask("ann", f"/prompt/{theirs}"))["error"]["type"] == "not_found"
    assert await shared.ask("ann", f"/history/{theirs}") == {}
    assert await shared.ask("ann", "/history") == {}
    assert list(await shared.ask("bob", f"/history/{theirs}")) == [theirs]
    assert list(await shared.ask("bob", "/history")) == [theirs]


async def test_a_user_removes_and_cancels_only_its_own_jobs(shared):
    mine, theirs = await shared.submit("ann"), await shared.submit("bob")
    await shared.ask("ann", "/queue", {"delete": [theirs]})
    assert await shared.ask("ann", f"/api/jobs/{theirs}/cancel", method="POST") == {"cancelled": False}
    assert await shared.ask("ann", "/api/jobs/cancel", {"job_ids": [theirs]}) == {"cancelled": False}
    await shared.ask("ann", "/queue", {"clear": True})
    await shared.ask("ann", "/free", {"clear_queue": True, "interrupt": True})
    assert await shared.ask("ann", "/clear", {}) == {"cleared": 0}
    assert pending(await shared.ask("bob", "/queue")) == [theirs]
    assert pending(await shared.ask("ann", "/queue")) == []
    assert await shared.ask("bob", "/clear", {}) == {"cleared": 1}
    assert (await shared.ask("ann", f"/prompt/{mine}"))["status"] == "cancelled"


async def test_a_user_deletes_only_its_own_history(shared):
    theirs = await shared.submit("bob")
    await shared.end(theirs, "bob")
    await shared.ask("ann", "/history", {"delete": [theirs], "clear": True})
    assert list(await shared.ask("bob", "/history")) == [theirs]
    await shared.ask("bob", "/history", {"clear": True})
    assert await shared.ask("bob", "/history") == {}


async def test_an_interrupt_stops_only_a_job_of_ones_own(shared):
    theirs = await shared.submit("bob")
    dispatcher = shared.services.dispatcher
    dispatcher._begin(dispatcher.find(theirs), "never")  # no worker is there to do so
    assert [item[1] for item in (await shared.ask("bob", "/queue"))["queue_running"]] == [theirs]
    assert (await shared.ask("ann", "/queue"))["queue_running"] == []
    await shared.ask("ann", "/interrupt", {})
    await shared.ask("ann", "/interrupt", {"prompt_id": theirs})
    run = dispatcher.find(theirs)
    assert not run.is_cancelled
    await shared.ask("bob", "/interrupt", {})
    assert run.is_cancelled
    if run.claim_timer is not None:  # else the job has been claimed
        run.claim_timer.cancel()
    dispatcher._running.clear()


async def test_an_id_that_another_user_has_taken_is_a_conflict(shared):
    taken = await shared.submit("bob", prompt_id="mine")
    again = await shared.ask("ann", "/prompt", {"prompt": picture_graph(0), "prompt_id": taken})
    assert again["error"]["type"] == "prompt_id_conflict"
    assert await shared.submit("bob", prompt_id="mine") == taken


async def test_equal_idempotency_keys_of_two_users_are_two_jobs(shared):
    body = json.dumps({"prompt": picture_graph(0)})
    replies = [
        await shared.http.post("/prompt", content=body, headers={**shared.headers(user), "idempotency-key": "k"})
        for user in ("ann", "bob", "ann")
    ]
    first, second, third = (reply.json()["prompt_id"] for reply in replies)
    assert first == third != second


async def test_without_users_everybody_sees_everything(tmp_path):
    async with served(tmp_path) as server:
        ids = [await server.submit("ann"), await server.submit("bob", 1)]
        assert pending(await server.ask("eve", "/queue")) == ids
        assert (await server.ask("eve", "/prompt"))["exec_info"]["queue_remaining"] == 2
        assert (await server.services.store.get(JobId(ids[0]))).user is None
        assert await server.ask("eve", "/clear", {}) == {"cleared": 2}
