"""`/api/batch`: one workflow with many sets of values, accepted together or not at all."""

import asyncio
import json

import pytest

from tests.api.gateway.test_tasks import ended
from tests.api.idle import idle_server
from tests.api.live import new_color, new_id, picture_graph


async def posted(idle, body, status=202):
    reply = await idle.http.post("/api/batch", content=body if isinstance(body, bytes) else json.dumps(body))
    assert reply.status_code == status, reply.text
    return reply.json()


def inputs(idle):
    return [json.loads(run.job.graph)["1"]["inputs"] for run in idle.dispatcher.waiting()]


def test_a_batch_runs_and_tells_how_far_it_is(live):
    body = {"workflow": picture_graph(new_color()), "sets": [{"1.width": side} for side in (16, 24, 32)]}
    reply = live.post("/api/batch", body)
    assert reply.status_code == 202, reply.text
    batch = reply.json()
    path = f"/api/batch/{batch['batch_id']}"
    found = live.until(lambda: (now := live.get(path).json())["status"] not in ("pending", "running") and now)
    assert (found["status"], found["progress"], found["counts"]["success"]) == ("success", 100, 3)
    assert [task["task_id"] for task in found["tasks"]] == batch["task_ids"]
    tasks = [ended(live, task_id) for task_id in batch["task_ids"]]
    assert [task["parameters"] for task in tasks] == [{"width": 16}, {"width": 24}, {"width": 32}]
    assert {task["batch_id"] for task in tasks} == {batch["batch_id"]}


async def test_a_grid_has_a_task_for_each_combination(idle):
    body = {"workflow": picture_graph(), "grid": {"1.width": [8, 16], "height": [8, 16, 24]}, "params": {"1.color": 5}}
    assert (await posted(idle, body))["count"] == 6
    assert [(one["width"], one["height"], one["color"]) for one in inputs(idle)] == [
        (width, height, 5) for width in (8, 16) for height in (8, 16, 24)
    ]


async def test_a_table_has_a_task_for_each_row(idle):
    body = {
        "workflow": picture_graph(),
        "table": {"columns": ["width", "height"], "rows": [[8, 16], [24, None]]},
        "priority": 4,
    }
    await posted(idle, body)
    assert [(one["width"], one["height"]) for one in inputs(idle)] == [(8, 16), (24, 64)]
    assert {run.job.priority for run in idle.dispatcher.waiting()} == {4}


async def test_a_batch_with_one_bad_set_is_refused_whole(idle):
    error = await posted(idle, {"workflow": picture_graph(), "sets": [{"width": 8}, {"width": "wide"}]}, 422)
    (problem,) = error["error"]["details"]
    assert (problem["parameter"], problem["set"]) == ("width", 1)
    assert idle.dispatcher.remaining == 0


async def test_what_is_wrong_in_any_set_is_told_at_once(idle):
    sets = [{"width": "wide"}, {"width": 8}, {"size": 1, "height": "high"}]
    error = await posted(idle, {"workflow": picture_graph(), "sets": sets}, 422)
    told = [(problem["parameter"], problem["set"]) for problem in error["error"]["details"]]
    assert told == [("width", 0), ("size", 2), ("height", 2)]


async def test_a_batch_for_which_there_is_no_room_is_refused_whole(tmp_path):
    async with idle_server(tmp_path, queue_limit_mb=0.001) as idle:
        await posted(idle, {"workflow": picture_graph(), "sets": [{"width": 8}]})
        await posted(idle, {"workflow": picture_graph(), "sets": [{"width": side} for side in range(8, 40)]}, 429)
        assert idle.dispatcher.remaining == 1


async def test_the_same_key_at_once_is_one_batch(idle):
    body = {"workflow": picture_graph(), "sets": [{"width": 8}, {"width": 16}], "idempotency_key": new_id()}
    replies = await asyncio.gather(*(idle.http.post("/api/batch", json=body) for _ in range(20)))
    assert sorted(reply.status_code for reply in replies) == [200] * 19 + [202]
    assert len({reply.text for reply in replies}) == 1
    assert idle.dispatcher.remaining == 2
    await posted(idle, {**body, "sets": [{"width": 9}]}, 409)


async def test_a_cancelled_batch_leaves_other_tasks_alone(idle):
    other = (await idle.http.post("/api/workflow/submit", json=picture_graph())).json()["task_id"]
    batch = await posted(idle, {"workflow": picture_graph(), "grid": {"width": [8, 16, 24]}})
    path = f"/api/batch/{batch['batch_id']}"
    assert (await idle.http.get(path)).json()["status"] == "pending"
    assert (await idle.http.post(f"{path}/cancel")).json() == {"batch_id": batch["batch_id"], "cancelled": 3}
    found = (await idle.http.get(path)).json()
    assert (found["status"], found["counts"]["cancelled"]) == ("cancelled", 3)
    assert [run.job.id for run in idle.dispatcher.waiting()] == [other]


async def test_a_batch_goes_with_its_last_task(idle):
    batch = await posted(idle, {"workflow": picture_graph(), "sets": [{}, {}]})
    path = f"/api/batch/{batch['batch_id']}"
    await idle.http.delete(f"/api/task/{batch['task_ids'][0]}")
    found = (await idle.http.get(path)).json()
    assert (found["count"], found["removed"], len(found["tasks"])) == (2, 1, 1)
    await idle.http.delete(f"/api/task/{batch['task_ids'][1]}")
    assert (await idle.http.get(path)).status_code == 404


async def test_batches_are_bounded_before_anything_is_made(tmp_path):
    async with idle_server(tmp_path, batch_limit=5) as idle:
        grid = {str(index): [0] * 10 for index in range(60)}
        error = await posted(idle, {"workflow": picture_graph(), "grid": grid}, 422)
        assert error["error"]["type"] == "batch_too_large"
        await posted(idle, {"workflow": picture_graph(), "sets": [{}] * 6}, 422)
        assert (await posted(idle, {"workflow": picture_graph(), "sets": [{}] * 5}))["count"] == 5


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, 422),
        ({"sets": []}, 422),
        ({"sets": {}}, 422),
        ({"sets": [5]}, 422),
        ({"sets": [{}], "grid": {"width": [1]}}, 422),
        ({"grid": {}}, 422),
        ({"grid": {"width": []}}, 422),
        ({"grid": {"width": 5}}, 422),
        ({"table": {"columns": [], "rows": []}}, 422),
        ({"table": {"columns": ["width"], "rows": [[1, 2]]}}, 422),
        ({"table": {"columns": ["width"], "rows": [5]}}, 422),
        ({"sets": [{"": 1}]}, 422),
        ({"sets": [{}], "workflow": None}, 400),
        ({"sets": [{}], "workflow": "missing"}, 404),
        ({"sets": [{}], "timeout": -1}, 422),
    ],
)
async def test_odd_batches_are_refused(idle, fields, status):
    reply = await idle.http.post("/api/batch", json={"workflow": picture_graph(), **fields})
    assert reply.status_code == status, reply.text
    assert idle.dispatcher.remaining == 0


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"5", b'{"workflow"', b"\xff\xfe"])
async def test_bodies_that_are_no_object_are_refused(idle, body):
    reply = await idle.http.post("/api/batch", content=body)
    assert reply.status_code in (400, 422), reply.text


@pytest.mark.parametrize("batch_id", ["unknown", "%00", "x" * 3000, "%ED%A0%80"])
async def test_unknown_batches_are_404(idle, batch_id):
    assert (await idle.http.get(f"/api/batch/{batch_id}")).status_code == 404
    assert (await idle.http.post(f"/api/batch/{batch_id}/cancel")).status_code == 404
