"""`/api/jobs` and `/prompt/{id}`: every job in one list, whatever its state."""

import asyncio

import pytest

from inglenook.api import parts
from inglenook.jobs import Job, JobId, JobResult, State
from tests.api.live import blocking_graph, new_color, picture_graph

FAILED = {
    "node_id": "2",
    "class_type": "PreviewImage",
    "executed": ["1"],
    "message": "it broke\n",
    "exception_type": "ValueError",
    "traceback": ["line"],
    "inputs": {},
    "current_outputs": [],
    "time_ms": 9,
}
INTERRUPTED = {"node_id": "2", "class_type": "PreviewImage", "executed": [], "time_ms": 9}
ENDS = {
    "done": (State.succeeded, ["Succeeded", {"time_ms": 9}]),
    "broken": (State.failed, ["Failed", FAILED]),
    "late": (State.timed_out, ["Failed", FAILED]),
    "stopped": (State.cancelled, ["Interrupted", INTERRUPTED]),
}


def job(job_id, index, workflow=None):
    extra = {"extra_pnginfo": {"workflow": {"id": workflow}}} if workflow else {}
    return Job(JobId(job_id), index, b'{"2":{"class_type":"PreviewImage"}}', ("2",), "f", 1000 + index, extra)


async def finish(store, job_, duration_ms=10):
    state, message = ENDS[job_.id.split()[0]]
    await store.add(job_)
    await store.claim(job_.id, "cpu", 1, started_ms=2000)
    outputs = {"2": {"images": [{"filename": "a.png", "subfolder": "", "type": "temp"}]}}
    error = {"node_id": "2", "message": "it broke"} if message[0] == "Failed" else None
    messages = [["Started", {"time_ms": 2000}], message]
    await store.finish(job_.id, 1, JobResult(state, 2000 + duration_ms, outputs, {}, messages, error))


@pytest.fixture
async def filled(idle):
    """Four jobs that have ended, one that waits, one that was removed from the queue."""
    for index, job_id in enumerate(ENDS):
        await finish(idle.store, job(job_id, index, "w" if index % 2 else None), duration_ms=100 - index)
    for index, job_id in ((4, "waits"), (5, "removed")):
        await idle.dispatcher.submit(job(job_id, index, "w"), frozenset(), {})
    await idle.dispatcher.cancel_waiting(["removed"])
    return idle


async def listed(server, query=""):
    reply = await server.http.get(f"/api/jobs{query}")
    assert reply.status_code == 200, reply.text
    return [entry["id"] for entry in reply.json()["jobs"]]


async def test_every_job_is_listed_newest_first(filled):
    body = (await filled.http.get("/api/jobs")).json()
    assert [(entry["id"], entry["status"]) for entry in body["jobs"]] == [
        ("waits", "pending"),
        ("stopped", "cancelled"),
        ("late", "failed"),
        ("broken", "failed"),
        ("done", "completed"),
    ]
    assert body["pagination"] == {"offset": 0, "limit": None, "total": 5, "has_more": False}
    assert body["jobs"][0] == {
        "id": "waits",
        "status": "pending",
        "priority": 4,
        "create_time": 1004,
        "outputs_count": 0,
        "previewable_outputs_count": 0,
        "workflow_id": "w",
    }
    broken = body["jobs"][3]
    assert broken["execution_error"]["exception_message"] == "it broke\n"
    assert "execution_error" not in body["jobs"][1]
    assert "workflow_id" not in body["jobs"][4]
    assert (await filled.http.get("/jobs")).json() == body


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?status=completed", "done"),
        ("?status=failed,cancelled", "stopped late broken"),
        ("?status=%20pending%20,in_progress,", "waits"),
        ("?status=", "waits stopped late broken done"),
        ("?workflow_id=w", "waits stopped broken"),
        ("?workflow_id=w&status=failed", "broken"),
        ("?workflow_id=%00", ""),
        ("?sort_order=asc&limit=2", "done broken"),
        ("?limit=2&offset=3", "broken done"),
        ("?limit=2&offset=-9", "waits stopped"),
        ("?offset=99", ""),
        ("?limit=99999999999999999999999&offset=0", "waits stopped late broken done"),
        ("?sort_by=execution_duration&status=completed,failed,cancelled", "done broken late stopped"),
        ("?sort_by=execution_duration&sort_order=asc&status=failed", "late broken"),
    ],
)
async def test_a_listing_is_filtered_sorted_and_paged(filled, query, expected):
    assert await listed(filled, query) == expected.split()


async def test_a_page_says_whether_more_follow(filled):
    for offset, has_more in ((0, True), (2, True), (3, False), (9, False)):
        body = (await filled.http.get(f"/api/jobs?limit=2&offset={offset}")).json()
        assert body["pagination"] == {"offset": offset, "limit": 2, "total": 5, "has_more": has_more}


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (
            "status=completed,nope,%00",
            "Invalid status value(s): nope, \0. Valid values: pending, in_progress, completed, failed, cancelled",
        ),
        ("sort_by=name", "sort_by must be 'created_at' or 'execution_duration'"),
        ("sort_order=up", "sort_order must be 'asc' or 'desc'"),
        ("limit=0", "limit must be a positive integer"),
        ("limit=-1", "limit must be a positive integer"),
        ("limit=x", "limit must be an integer"),
        ("limit=1.5", "limit must be an integer"),
        ("limit=NaN", "limit must be an integer"),
        ("limit=" + "9" * 5000, "limit must be an integer"),
        ("offset=x", "offset must be an integer"),
        ("offset=1e3", "offset must be an integer"),
    ],
)
async def test_a_bad_query_is_refused_in_comfyuis_words(idle, query, error):
    reply = await idle.http.get(f"/api/jobs?{query}")
    assert (reply.status_code, reply.json()) == (400, {"error": error})


async def test_a_long_listing_comes_whole(idle, monkeypatch):
    monkeypatch.setattr("inglenook.api.comfy.jobs.ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr("inglenook.api.comfy.history.ENTRIES_AT_ONCE", 2)
    monkeypatch.setattr(parts, "ENTRIES_AT_ONCE", 3)
    names = [f"done {index}" for index in range(9)]
    for index, name in enumerate(names):
        await finish(idle.store, job(name, index))
    assert await listed(idle) == names[::-1]
    history = await idle.http.get("/history")
    assert "content-length" not in history.headers
    assert list(history.json()) == names
    assert list((await idle.http.get("/history?max_items=2")).json()) == names[-2:]


async def test_one_job_comes_with_its_workflow_and_outputs(filled):
    done = (await filled.http.get("/api/jobs/broken")).json()
    assert done["workflow"] == {
        "prompt": {"2": {"class_type": "PreviewImage"}},
        "extra_data": {"extra_pnginfo": {"workflow": {"id": "w"}}},
    }
    assert done["workflow_id"] == "w"
    assert done["execution_error"]["node_id"] == "2"
    entry = (await filled.http.get("/history/broken")).json()["broken"]
    assert done["outputs"] == entry["outputs"]
    assert done["execution_status"] == entry["status"]
    waiting = (await filled.http.get("/api/jobs/waits")).json()
    assert waiting["status"] == "pending"
    assert waiting["workflow"]["prompt"] == done["workflow"]["prompt"]
    assert "outputs" not in waiting
    assert "execution_status" not in waiting


@pytest.mark.parametrize("job_id", ["unknown", "removed", "%00", "..%2f..%2fetc", "x" * 3000, "%ff", "a/b"])
async def test_a_job_that_is_not_known_is_not_found(filled, job_id):
    reply = await filled.http.get(f"/api/jobs/{job_id}")
    assert (reply.status_code, reply.json()) == (404, {"error": "Job not found"})


async def test_a_pending_job_is_cancelled_by_removing_it(filled):
    reply = await filled.http.post("/api/jobs/waits/cancel")
    assert (reply.status_code, reply.json()) == (200, {"cancelled": True})
    assert "waits" not in await listed(filled)
    for job_id in ("waits", "done", "unknown", "%00"):
        assert (await filled.http.post(f"/api/jobs/{job_id}/cancel")).json() == {"cancelled": False}


async def test_several_jobs_are_cancelled_at_once(filled):
    for index in (10, 11):
        await filled.dispatcher.submit(job(f"more {index}", index), frozenset(), {})
    body = {"job_ids": ["more 10", "waits", "done", "unknown"]}
    assert (await filled.http.post("/api/jobs/cancel", json=body)).json() == {"cancelled": True}
    assert await listed(filled, "?status=pending") == ["more 11"]
    assert (await filled.http.post("/api/jobs/cancel", json=body)).json() == {"cancelled": False}
    assert (await filled.http.post("/api/jobs/cancel", json={"job_ids": []})).json() == {"cancelled": False}


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"", {"error": "Request body must be valid JSON"}),
        (b"{", {"error": "Request body must be valid JSON"}),
        (b"[" * 5000 + b"]" * 5000, {"error": "Request body must be valid JSON"}),
        (b"[]", {"error": "job_ids must be a list"}),
        (b"{}", {"error": "job_ids must be a list"}),
        (b'{"job_ids": "x"}', {"error": "job_ids must be a list"}),
        (
            b'{"job_ids": ["a", 5, null, {"b": []}, ""]}',
            {"error": "job_ids contains invalid id(s)", "invalid_ids": [5, None, {"b": []}, ""]},
        ),
    ],
)
async def test_a_bad_list_of_jobs_is_refused(idle, body, answer):
    reply = await idle.http.post("/api/jobs/cancel", content=body)
    assert (reply.status_code, reply.json()) == (400, answer)


@pytest.mark.parametrize(
    ("job_id", "status", "error"),
    [
        ("done", "success", None),
        ("broken", "error", {"node_id": "2", "message": "it broke"}),
        ("late", "timeout", {"node_id": "2", "message": "it broke"}),
        ("stopped", "cancelled", None),
        ("waits", "pending", None),
        ("removed", "cancelled", None),
    ],
)
async def test_the_state_of_one_job_is_told_in_few_words(filled, job_id, status, error):
    body = (await filled.http.get(f"/prompt/{job_id}")).json()
    assert (body["id"], body["status"], body["error"]) == (job_id, status, error)
    assert body["create_time"] == 1000 + body["number"]
    has_run = job_id in ENDS
    assert (body["execution_start_time"] is not None) == has_run
    assert bool(body["outputs"]) == has_run
    assert (await filled.http.get(f"/api/prompt/{job_id}")).json() == body


@pytest.mark.parametrize("job_id", ["unknown", "%00", "..%2f..", "a/b", "x" * 3000])
async def test_the_state_of_an_unknown_job_is_not_found(idle, job_id):
    reply = await idle.http.get(f"/prompt/{job_id}")
    assert reply.status_code == 404
    assert reply.json()["error"]["type"] == "not_found"


async def test_videos_are_told_alike_by_history_jobs_and_state(idle):
    clip = {"filename": "v.webm", "subfolder": "", "type": "output"}
    await idle.store.add(job("v", 1))
    await idle.store.claim(JobId("v"), "cpu", 1)
    outputs = {"2": {"images": [clip], "animated": [True]}}
    await idle.store.finish(JobId("v"), 1, JobResult(State.succeeded, 5, outputs, {}, [["Succeeded", {"time_ms": 5}]]))
    expected = {"2": {**outputs["2"], "videos": [clip]}}
    assert (await idle.http.get("/history/v")).json()["v"]["outputs"] == expected
    assert (await idle.http.get("/history")).json()["v"]["outputs"] == expected
    assert (await idle.http.get("/prompt/v")).json()["outputs"] == expected
    whole = (await idle.http.get("/api/jobs/v")).json()
    assert whole["outputs"] == expected
    assert whole["outputs_count"] == 1


def test_a_running_job_is_in_progress_and_can_be_cancelled(live):
    job_id = live.submit(blocking_graph(new_color()))
    live.until_running(job_id)
    assert live.get(f"/prompt/{job_id}").json()["status"] == "running"
    live.until(lambda: job_id in [job["id"] for job in live.get("/api/jobs?status=in_progress").json()["jobs"]])
    assert live.get(f"/api/jobs/{job_id}").json()["status"] == "in_progress"
    assert live.post(f"/api/jobs/{job_id}/cancel").json() == {"cancelled": True}
    live.wait(job_id)
    ended = live.get(f"/api/jobs/{job_id}").json()
    assert ended["status"] == "cancelled"
    assert ended["execution_status"]["messages"][-1][0] == "execution_interrupted"
    assert live.get(f"/prompt/{job_id}").json()["status"] == "cancelled"


def test_a_job_that_has_just_ended_is_told_as_it_will_be_later(live):
    entry = live.run(picture_graph(new_color(), sink="SaveImage", filename_prefix="jobs"))
    job_id = entry["prompt"][1]
    shown = live.get(f"/api/jobs/{job_id}").json()
    (listed_,) = [job for job in live.get("/api/jobs?limit=5").json()["jobs"] if job["id"] == job_id]
    assert {key: shown[key] for key in listed_} == listed_
    assert listed_["preview_output"]["nodeId"] == "2"
    assert live.get("/history").json()[job_id] == entry
    live.post("/history", {"delete": [job_id]})
    assert live.get(f"/api/jobs/{job_id}").status_code == 404


async def test_a_client_that_never_reads_is_given_up(monkeypatch):
    monkeypatch.setattr(parts, "PATIENCE_S", 0.05)
    monkeypatch.setattr(parts, "ENTRIES_AT_ONCE", 2)
    asked = []

    async def more(sequences):
        asked.append(list(sequences))
        return [b"x"] * len(sequences)

    async def send(message):
        if message["type"] == "http.response.body":
            await asyncio.Event().wait()

    response = parts.ListingResponse(b"[", [b"x"], b"]", list(range(100)), more)
    async with asyncio.timeout(60):
        await response({"type": "http"}, None, send)
        await parts.PartsResponse([b"x" * 600_000] * 9)({"type": "http"}, None, send)
    assert asked == []
