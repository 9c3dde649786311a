"""Tasks: what is told of them at every state, and what can be done with them."""

import io
import json
import zipfile

import pytest

from tests.api.idle import idle_server
from tests.api.live import blocking_graph, new_color, new_id, picture_graph

SUBMIT = "/api/workflow/submit"


def submit(live, workflow, **fields):
    reply = live.post(SUBMIT, {"workflow": workflow, **fields})
    assert reply.status_code == 202, reply.text
    return reply.json()["task_id"]


def task(live, task_id):
    reply = live.get(f"/api/task/{task_id}")
    assert reply.status_code == 200, reply.text
    return reply.json()


def ended(live, task_id):
    return live.until(lambda: (found := task(live, task_id))["status"] not in ("pending", "running") and found)


def failing_graph():
    return {
        "1": {
            "class_type": "EmptyImage",
            "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0},
        },
        "2": {
            "class_type": "SaveImage",
            "inputs": {"images": ["1", 0], "filename_prefix": "../out"},
            "_meta": {"title": "Keep it"},
        },
    }


def test_a_finished_task_tells_its_outputs_in_both_shapes(live):
    prefix = f"sub {new_id()[:6]}/pic"
    task_id = submit(live, picture_graph(1, sink="SaveImage", filename_prefix=prefix), params={"1.width": 40})
    found = ended(live, task_id)
    assert (found["status"], found["progress"], found["attempts"], found["worker"]) == ("success", 100, 1, "local")
    assert found["parameters"] == {"width": 40}
    (image,) = found["outputs"]["2"]["images"]
    (result,) = found["results"]
    assert {name: result[name] for name in image} == image
    assert (result["kind"], result["node"]) == ("image", "2")
    assert live.get(result["url"]).content[:4] == b"\x89PNG"
    assert found["create_time"] <= found["execution_start_time"] <= found["execution_end_time"]
    assert found["duration"] >= 0
    assert found["outputs"] == live.get(f"/history/{task_id}").json()[task_id]["outputs"]


def test_a_failed_task_names_the_node_and_the_reason(live):
    error = ended(live, submit(live, failing_graph()))["error"]
    assert (error["node_id"], error["class_type"], error["title"]) == ("2", "SaveImage", "Keep it")
    assert "folder" in error["message"]
    assert error["type"]


def test_a_task_beyond_its_time_ends_and_the_server_goes_on(live):
    task_id = submit(live, blocking_graph(new_color()), timeout=0.3)
    found = ended(live, task_id)
    assert (found["status"], found["timeout"]) == ("timeout", 0.3)
    assert "0.3 s" in found["error"]["message"]
    assert ended(live, submit(live, picture_graph(3)))["status"] == "success"


def test_a_running_task_tells_node_and_progress_and_is_cancelled(live):
    task_id = submit(live, blocking_graph(new_color()))
    found = live.until(lambda: (now := task(live, task_id))["node"] is not None and now)
    assert found["status"] == "running"
    assert 0 <= found["progress"] < 100
    assert (found["node_class"], found["node_title"]) in {("ImageBlur", "ImageBlur"), ("EmptyImage", "EmptyImage")}
    reply = live.post(f"/api/task/{task_id}/cancel")
    assert (reply.status_code, reply.json()["cancelled"]) == (200, True)
    assert ended(live, task_id)["status"] == "cancelled"
    assert live.post(f"/api/interrupt/{task_id}").status_code == 409


async def test_pending_tasks_have_a_place_and_are_cancelled_at_once(idle):
    ids = [
        (await idle.http.post(SUBMIT, json={"workflow": picture_graph(index)})).json()["task_id"] for index in (1, 2)
    ]
    found = (await idle.http.get(f"/api/task/{ids[1]}")).json()
    assert (found["status"], found["position"], found["progress"], found["results"]) == ("pending", 2, 0, [])
    assert (await idle.http.post(f"/api/interrupt/{ids[0]}")).json() == {
        "task_id": ids[0],
        "prompt_id": ids[0],
        "status": "cancelled",
        "cancelled": True,
    }
    assert (await idle.http.get(f"/api/task/{ids[0]}")).json()["status"] == "cancelled"
    assert (await idle.http.get(f"/api/task/{ids[1]}")).json()["position"] == 1
    for path in ("/api/queue/clear", "/clear"):  # who names some tasks does not mean all
        reply = await idle.http.post(path, json={"delete": ids[1:]})
        assert (reply.status_code, reply.json()["error"]["message"]) == (400, "There is no field 'delete'")
    assert (await idle.http.post("/api/queue/clear")).json() == {"cleared": 1}


def test_a_retry_runs_the_same_graph_under_another_id(live):
    graph = picture_graph(7)
    graph["3"] = {"class_type": "ImageAddNoise", "inputs": {"image": ["1", 0], "seed": -1, "strength": 0.5}}
    graph["2"]["inputs"]["images"] = ["3", 0]
    first = ended(live, submit(live, graph, priority=3, timeout=50))
    reply = live.post(f"/api/task/{first['task_id']}/retry")
    assert reply.status_code == 202, reply.text
    again = ended(live, reply.json()["task_id"])
    assert again["task_id"] != first["task_id"]
    assert again["retry_of"] == first["task_id"]
    assert (again["parameters"], again["priority"], again["timeout"]) == (first["parameters"], 3, 50)
    graphs = [live.get(f"/history/{one['task_id']}").json()[one["task_id"]]["prompt"][2] for one in (first, again)]
    assert graphs[0] == graphs[1]


def test_a_retry_with_a_key_is_made_once(live):
    first = ended(live, submit(live, picture_graph(8)))["task_id"]
    key = {"Idempotency-Key": new_id()}
    replies = [live.post(f"/api/task/{first}/retry", headers=key) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [202, 200]
    assert replies[0].json()["task_id"] == replies[1].json()["task_id"]


def test_a_removed_task_is_gone_with_its_files(live):
    graph = picture_graph(new_color(), sink="SaveImage", filename_prefix=new_id())
    found = ended(live, submit(live, graph))
    url, path = found["results"][0]["url"], f"/api/task/{found['task_id']}"
    reply = live._http.delete(path, params={"files": "true"})
    assert reply.status_code == 200, reply.text
    assert [file["filename"] for file in reply.json()["files"]] == [found["results"][0]["filename"]]
    assert live.get(path).status_code == live.get(url).status_code == 404
    assert live.get(f"/history/{found['task_id']}").json() == {}
    assert live._http.delete(path).status_code == 404


def test_files_that_another_task_shows_stay(live):
    graph = picture_graph(new_color(), sink="SaveImage", filename_prefix=new_id())
    first, second = (ended(live, submit(live, graph)) for _ in range(2))
    assert first["results"] == second["results"]
    reply = live._http.delete(f"/api/task/{first['task_id']}", params={"files": "true"})
    assert reply.json()["files"] == []
    assert live.get(second["results"][0]["url"]).status_code == 200


async def test_a_task_that_never_ran_can_be_removed(idle):
    task_id = (await idle.http.post(SUBMIT, json={"workflow": picture_graph()})).json()["task_id"]
    assert (await idle.http.delete(f"/api/task/{task_id}")).status_code == 200
    assert (await idle.http.get(f"/api/task/{task_id}")).status_code == 404
    assert idle.dispatcher.remaining == 0


def test_an_archive_has_the_files_and_what_made_them(live):
    prefix = f"sub {new_id()[:6]}/图"
    graph = picture_graph(4, sink="SaveImage", filename_prefix=prefix)
    graph["1"]["inputs"]["batch_size"] = 2
    graph["3"] = {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}}
    found = ended(live, submit(live, graph))
    reply = live.get(f"/api/task/{found['task_id']}/archive")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(reply.content)) as packed:
        assert packed.testzip() is None
        names = packed.namelist()
        assert json.loads(packed.read("task.json"))["task_id"] == found["task_id"]
        assert json.loads(packed.read("prompt.json"))["1"]["class_type"] == "EmptyImage"
        for result in found["results"]:
            name = "/".join(part for part in (result["subfolder"], result["filename"]) if part)
            name = name if result["type"] == "output" else f"temp/{name}"
            assert packed.read(name) == live.get(result["url"]).content
    assert len(names) == 6


def test_an_archive_of_nothing_is_404(live):
    found = ended(live, submit(live, picture_graph(new_color(), sink="SaveImage", filename_prefix=new_id())))
    for result in found["results"]:
        live._http.delete(f"/api/outputs/{result['filename']}")
    assert live.get(f"/api/task/{found['task_id']}/archive").status_code == 404


async def test_lists_are_filtered_sorted_and_paged(idle):
    ids = [(await idle.http.post(SUBMIT, json=picture_graph(index))).json()["task_id"] for index in range(3)]
    await idle.dispatcher.cancel_waiting([ids[0]])

    async def listed(**query):
        reply = await idle.http.get("/api/tasks", params=query)
        assert reply.status_code == 200, reply.text
        return [entry["task_id"] for entry in reply.json()], reply.headers["x-total-count"]

    assert await listed() == (ids[::-1], "3")
    assert await listed(order="asc", limit=2) == (ids[:2], "3")
    assert await listed(page=2, limit=2) == (ids[:1], "3")
    assert await listed(status="pending,running") == ([ids[2], ids[1]], "2")
    assert await listed(status="cancelled") == ([ids[0]], "1")
    assert await listed(search=ids[1][:13]) == ([ids[1]], "1")
    assert await listed(workflow="none") == ([], "0")
    assert await listed(page=1_000_000) == ([], "3")


async def test_tasks_are_found_by_the_stored_workflow_that_they_ran(idle):
    folder = idle.services.folders.user / "default" / "workflows"
    folder.mkdir(parents=True)
    (folder / "肖像.json").write_text(json.dumps(picture_graph()), "utf-8")
    task_id = (await idle.http.post(SUBMIT, json={"workflow": "肖像.json"})).json()["task_id"]
    await idle.http.post(SUBMIT, json=picture_graph(1))
    for query in ({"workflow": "肖像.json"}, {"search": "肖"}):
        (found,) = (await idle.http.get("/api/tasks", params=query)).json()
        assert (found["task_id"], found["workflow"]) == (task_id, "肖像.json")


@pytest.mark.parametrize(
    "query",
    [
        "status=done", "page=0", "page=x", "page=1e3", "limit=0", "limit=501", "limit=-1", "sort=name", "order=up",
        f"search={'x' * 201}", "search=%00", "workflow=%00", "page=99999999999999999999",
    ],
)  # fmt: skip
async def test_odd_queries_are_refused(idle, query):
    reply = await idle.http.get(f"/api/tasks?{query}")
    assert reply.status_code == 422, reply.text
    assert set(reply.json()["error"]) == {"type", "message", "details"}


@pytest.mark.parametrize("task_id", ["unknown", "..%2F..", "%00", "a%2Fb", "%ED%A0%80", "x" * 3000, "", " ", "%"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/task/{}"),
        ("DELETE", "/api/task/{}"),
        ("POST", "/api/task/{}/cancel"),
        ("POST", "/api/task/{}/retry"),
        ("GET", "/api/task/{}/events"),
        ("GET", "/api/task/{}/archive"),
        ("POST", "/api/interrupt/{}"),
    ],
)
async def test_ids_that_are_none_are_404(idle, method, path, task_id):
    reply = await idle.http.request(method, path.format(task_id))
    assert reply.status_code in (404, 405), reply.text


async def test_a_paused_queue_takes_tasks_and_stays_paused_over_a_restart(tmp_path):
    async with idle_server(tmp_path) as idle:
        assert (await idle.http.post("/api/queue/pause")).json() == {"paused": True, "pending": 0, "running": 0}
        assert (await idle.http.post(SUBMIT, json=picture_graph())).status_code == 202
    async with idle_server(tmp_path) as idle:
        await idle.dispatcher.recover(lambda job: frozenset())
        assert idle.dispatcher.is_paused
        assert (await idle.http.post("/api/queue/resume")).json() == {"paused": False, "pending": 1, "running": 0}
    async with idle_server(tmp_path) as idle:
        await idle.dispatcher.recover(lambda job: frozenset())
        assert not idle.dispatcher.is_paused


def test_a_paused_queue_starts_nothing_until_it_is_resumed(live):
    live.post("/api/queue/pause")
    try:
        ids = [submit(live, picture_graph(index)) for index in range(3)]
        assert [task(live, task_id)["position"] for task_id in ids] == [1, 2, 3]
    finally:
        live.post("/api/queue/resume")
    assert [ended(live, task_id)["status"] for task_id in ids] == ["success"] * 3


async def test_tasks_of_another_user_are_not_there(tmp_path):
    async with idle_server(tmp_path, multi_user=True) as idle:
        for name in ("ann", "bob"):
            await idle.http.post("/api/users", json={"username": name})
        users = (await idle.http.get("/api/users")).json()["users"]
        ann, bob = ({"Comfy-User": user} for name in ("ann", "bob") for user in users if users[user] == name)
        task_id = (await idle.http.post(SUBMIT, json=picture_graph(), headers=ann)).json()["task_id"]
        assert (await idle.http.get(f"/api/task/{task_id}", headers=ann)).status_code == 200
        for method, path in (("GET", ""), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", ""), ("GET", "/events")):
            reply = await idle.http.request(method, f"/api/task/{task_id}{path}", headers=bob)
            assert reply.status_code == 404, (method, path, reply.text)
        assert (await idle.http.get("/api/tasks", headers=bob)).json() == []
        assert (await idle.http.post("/api/queue/clear", headers=bob)).json() == {"cleared": 0}
        assert idle.dispatcher.remaining == 1
