"""Queue, interrupt, free and history on a real server."""

import pytest

from tests.api.live import blocking_graph, new_color, picture_graph


@pytest.fixture
def busy(live):
    """The id of a job that runs for seconds; stopped at the end of the test."""
    job_id = live.submit(blocking_graph(new_color()))
    live.until_running(job_id)
    yield job_id
    live.post("/queue", {"clear": True})
    live.post("/interrupt", {"prompt_id": job_id})
    live.wait(job_id)


def test_pending_jobs_are_listed_in_order_and_counted(live, busy):
    ids = [live.submit(picture_graph(i), number=number) for i, number in enumerate((5000, -5000, 5001))]
    queue = live.get("/queue").json()
    assert [item[1] for item in queue["queue_running"]] == [busy]
    assert [item[1] for item in queue["queue_pending"]] == [ids[1], ids[0], ids[2]]
    number, job_id, graph, extra_data, outputs = queue["queue_pending"][0]
    assert (number, job_id, outputs) == (-5000.0, ids[1], ["2"])
    assert graph["1"]["class_type"] == "EmptyImage"
    assert "create_time" in extra_data
    assert live.get("/prompt").json() == {"exec_info": {"queue_remaining": 4}}
    assert live.get("/api/prompt").json() == {"exec_info": {"queue_remaining": 4}}


def test_pending_jobs_can_be_deleted_and_cleared(live, busy):
    first, second, third = (live.submit(picture_graph(i)) for i in range(3))
    reply = live.post("/queue", {"delete": [second, "unknown", busy]})
    assert (reply.status_code, reply.content) == (200, b"")
    assert [item[1] for item in live.get("/queue").json()["queue_pending"]] == [first, third]
    assert live.post("/queue", {"clear": True}).status_code == 200
    queue = live.get("/queue").json()
    assert queue["queue_pending"] == []
    assert len(queue["queue_running"]) == 1
    assert live.get(f"/history/{second}").json() == {}


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b"[1]", b'{"prompt_id": null}'])
def test_interrupt_without_an_id_stops_what_runs(live, body):
    job_id = live.submit(blocking_graph(new_color()))
    live.until_running(job_id)
    reply = live.post("/interrupt", body)
    assert (reply.status_code, reply.content) == (200, b"")
    entry = live.wait(job_id)
    assert entry["status"]["status_str"] == "error"
    assert entry["status"]["completed"] is False
    assert entry["status"]["messages"][-1][0] == "execution_interrupted"


def test_interrupt_with_an_id_stops_only_that_job(live, busy):
    pending = live.submit(picture_graph(1))
    live.post("/interrupt", {"prompt_id": pending})
    live.post("/interrupt", {"prompt_id": "unknown"})
    assert live.get("/queue").json()["queue_running"]
    live.post("/interrupt", {"prompt_id": busy})
    assert live.wait(busy)["status"]["messages"][-1][0] == "execution_interrupted"
    assert live.wait(pending)["status"]["status_str"] == "success"


def test_an_interrupt_with_nothing_running_does_not_hit_the_next_job(live):
    live.post("/interrupt")
    assert live.run(picture_graph(77))["status"]["status_str"] == "success"


def test_a_second_run_is_cached_until_memory_is_freed(live):
    graph = picture_graph(new_color())
    live.run(graph)
    assert live.run(graph)["status"]["messages"][1][1]["nodes"] == ["1", "2"]
    assert live.post("/free", {"unload_models": True}).status_code == 200
    assert live.run(graph)["status"]["messages"][1][1]["nodes"] == ["1", "2"]
    assert live.post("/free", {"free_memory": True}).status_code == 200
    again = live.run(graph)
    assert again["status"]["messages"][1][1]["nodes"] == []


def test_history_is_paged_as_comfyui_does(live):
    ids = [live.submit(picture_graph(i)) for i in range(4)]
    for job_id in ids:
        live.wait(job_id)
    assert list(live.get("/history", params={"max_items": 3}).json()) == ids[1:]
    everything = list(live.get("/history").json())
    assert everything[-4:] == ids
    at = len(everything) - 4
    assert list(live.get("/history", params={"offset": at, "max_items": 2}).json()) == ids[:2]
    assert live.get("/history", params={"max_items": 0}).json() == {}
    assert list(live.get("/history", params={"offset": -3}).json()) == everything


def test_history_is_deleted_by_id(live):
    job_id, other = (live.submit(picture_graph(i)) for i in range(2))
    live.wait(job_id)
    live.wait(other)
    assert live.post("/history", {"delete": [job_id, "unknown"]}).status_code == 200
    assert live.get(f"/history/{job_id}").json() == {}
    assert other in live.get(f"/history/{other}").json()
    assert job_id not in live.get("/history").json()


def test_unknown_and_pending_jobs_have_no_history(live, busy):
    pending = live.submit(picture_graph(1))
    for job_id in ("unknown", pending, busy, "%00", "..%2f..", "x" * 3000):
        reply = live.get(f"/history/{job_id}")
        assert (reply.status_code, reply.json()) == (200, {})


@pytest.mark.parametrize("path", ["/queue", "/history"])
@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b'{"delete": 5}', b'{"delete": [{}]}', b'{"delete": "abc"}'])
def test_bad_bodies_are_refused_with_a_reason(live, path, body):
    reply = live.post(path, body)
    assert reply.status_code == 400
    assert reply.json()["error"]["message"]


@pytest.mark.parametrize("query", ["max_items=x", "offset=1.5", "max_items=9e9", "offset=%00", "max_items=NaN"])
def test_bad_pages_are_refused(live, query):
    assert live.get(f"/history?{query}").status_code == 400


def test_free_refuses_what_is_no_object(live):
    for body in (b"{", b"[]", b"7", b'"x"', b"[" * 200 + b"]" * 200):
        assert live.post("/free", body).status_code == 400


@pytest.mark.parametrize("path", ["/clear", "/api/clear"])
def test_clear_removes_what_waits_and_says_how_much(live, busy, path):
    for color in range(3):
        live.submit(picture_graph(color))
    for cleared in (3, 0):
        reply = live.post(path, b"" if cleared else b"{not json")
        assert (reply.status_code, reply.json()) == (200, {"cleared": cleared})
    assert [item[1] for item in live.get("/queue").json()["queue_running"]] == [busy]


def test_free_leaves_the_queue_alone_unless_it_is_told_otherwise(live, busy):
    pending = live.submit(picture_graph(1))
    assert live.post("/free", {"interrupt": False, "clear_queue": False}).status_code == 200
    queue = live.get("/queue").json()
    assert ([item[1] for item in queue["queue_running"]], [item[1] for item in queue["queue_pending"]]) == (
        [busy],
        [pending],
    )
    assert live.post("/free", {"interrupt": True, "clear_queue": True}).content == b""
    assert live.wait(busy)["status"]["messages"][-1][0] == "execution_interrupted"
    assert live.get(f"/prompt/{pending}").json()["status"] == "cancelled"


@pytest.fixture
def paused(live):
    """A queue from which nothing is started, however long a test takes."""
    live.post("/api/queue/pause")
    yield
    live.post("/queue", {"clear": True})
    live.post("/api/queue/resume")


@pytest.mark.usefixtures("paused")
def test_a_long_queue_is_listed_whole(live):
    ids = [live.submit(picture_graph(color)) for color in range(250)]
    queue = live.get("/queue").json()
    assert [item[1] for item in queue["queue_pending"]] == ids
    assert [item[2]["1"]["inputs"]["color"] for item in queue["queue_pending"]] == list(range(250))
    assert live.post("/clear").json() == {"cleared": 250}
