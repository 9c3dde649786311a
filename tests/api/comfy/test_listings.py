"""Long listings are whole, in order, and made away from the event loop, or once."""

import asyncio
import threading

import orjson
import pytest

from inglenook.api.comfy import history, queue
from inglenook.jobs import Job, JobId, JobResult, State


@pytest.fixture
def encoders(monkeypatch):
    """The threads that made entries, one for each entry."""
    threads = []

    def noting(make):
        def made(*arguments):
            threads.append(threading.current_thread())
            return make(*arguments)

        return made

    monkeypatch.setattr(queue, "prompt_parts", noting(queue.prompt_parts))
    monkeypatch.setattr(history, "history_member", noting(history.history_member))
    return threads


def job(index, size=2):
    graph = orjson.dumps({"1": {"class_type": "EmptyImage", "inputs": {"text": "x" * size}}})
    return Job(JobId(f"job-{index}"), index, graph, ("1",), str(index), 1, {"create_time": 1})


def expected(index, size=2):
    graph = {"1": {"class_type": "EmptyImage", "inputs": {"text": "x" * size}}}
    return [index, f"job-{index}", graph, {"create_time": 1}, ["1"]]


@pytest.mark.parametrize(("count", "size"), [(0, 2), (3, 2), (253, 2), (700, 1000), (3, 400_000), (2, 600_000)])
async def test_the_queue_is_listed_whole_and_in_order(idle, encoders, count, size):
    classes = frozenset({"EmptyImage"})
    await asyncio.gather(*(idle.dispatcher.submit(job(index, size), classes, {}) for index in range(count)))
    reply = await idle.http.get("/queue")
    assert reply.headers["content-type"] == "application/json; charset=utf-8"
    assert int(reply.headers["content-length"]) == len(reply.content)
    assert reply.json() == {"queue_running": [], "queue_pending": [expected(index, size) for index in range(count)]}
    assert (await idle.http.get("/queue")).content == reply.content
    assert len(encoders) == count


@pytest.mark.parametrize("count", [0, 1, 50, 120])
async def test_the_history_is_listed_whole_and_in_order(idle, encoders, count):
    for index in range(count):
        await idle.store.add(job(index))
        await idle.store.claim(JobId(f"job-{index}"), "worker", 1)
        messages = [["Succeeded", {"time_ms": 5}]]
        await idle.store.finish(JobId(f"job-{index}"), 1, JobResult(State.succeeded, 5, {"1": {}}, {}, messages))
    reply = await idle.http.get("/history")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert int(reply.headers.get("content-length", len(reply.content))) == len(reply.content)
    assert list(reply.json()) == [f"job-{index}" for index in range(count)]
    assert [entry["prompt"] for entry in reply.json().values()] == [expected(index) for index in range(count)]
    assert all(entry["status"]["completed"] for entry in reply.json().values())
    assert threading.main_thread() not in encoders
    head = await idle.http.head("/history")
    assert (head.status_code, head.content) == (200, b"")
