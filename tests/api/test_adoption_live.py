"""A front that ends while its jobs run on other servers goes on with them when it is started again."""

import signal

import pytest

from tests.api.live import LiveServer, blocking_graph, is_left, new_id, read_until

NAME = "far"


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    server = LiveServer(tmp_path_factory.mktemp("far")).start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def front_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("front")


@pytest.fixture(scope="module")
def front(far, front_folder):
    server = LiveServer(front_folder, local=False, shutdown_grace_s=0, remote_hold_s=1.0).start()
    assert server.post("/api/workers", {"url": far.url, "name": NAME}).status_code == 201
    yield server
    if server.process is not None:
        server.stop()


def ready(server, name=NAME):
    server.until(lambda: server.get(f"/api/workers/{name}").json().get("state") == "ready")


def prompts(server):
    """What a server has had: prompt id -> graph."""
    queue = server.get("/queue").json()
    running = {entry[1]: entry[2] for key in ("queue_running", "queue_pending") for entry in queue[key]}
    return running | {prompt_id: entry["prompt"][2] for prompt_id, entry in server.get("/history").json().items()}


def of_graph(server, graph):
    return [prompt_id for prompt_id, found in prompts(server).items() if found["0"] == graph["0"]]


def runs(server, graph):
    """The one prompt of this graph that a server runs, once some of its nodes are done."""
    (entry,) = server.until(lambda: server.get("/queue").json()["queue_running"])
    assert entry[2]["0"] == graph["0"]
    return entry[1]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_is_done_once_however_the_front_ends(front, far, how):
    ready(front)
    graph, client = blocking_graph(0x100 + how), new_id()
    prompt_id = front.submit(graph, client_id=client)
    there = runs(far, graph)
    front.stop(how)
    front.start()
    with front.socket(client) as websocket:
        entry = front.wait(prompt_id)
        seen = [one["type"] for one in read_until(websocket, is_left(prompt_id)) if isinstance(one, dict)]
    assert entry["status"]["status_str"] == "success"
    assert "execution_success" in seen
    (image,) = entry["outputs"]["out"]["images"]
    assert (front.base / image["type"] / image["filename"]).is_file()
    assert of_graph(far, graph) == [there]
    task = front.get(f"/api/v1/tasks/{prompt_id}")
    assert task.status_code != 200 or task.json().get("attempt", 1) == 1


def test_a_job_that_ended_while_the_front_was_away_is_not_done_again(front, far):
    ready(front)
    graph = blocking_graph(0x300, nodes=150)
    prompt_id = front.submit(graph)
    there = runs(far, graph)
    front.stop(signal.SIGKILL)
    far.wait(there)
    front.start()
    entry = front.wait(prompt_id)
    assert entry["status"]["status_str"] == "success"
    (image,) = entry["outputs"]["out"]["images"]
    assert front.get("/view", params=image).content.startswith(b"\x89PNG")
    assert of_graph(far, graph) == [there]


def test_progress_goes_on_and_a_cancel_stops_the_adopted_job(front, far):
    ready(front)
    graph, client = blocking_graph(0x400, nodes=2000), new_id()
    prompt_id = front.submit(graph, client_id=client)
    there = runs(far, graph)
    front.stop(signal.SIGKILL)
    front.start()
    with front.socket(client) as websocket:
        read_until(
            websocket, lambda one: isinstance(one, dict) and one["type"] == "executing" and one["data"].get("node")
        )
        assert front.get("/queue").json()["queue_running"][0][1] == prompt_id
        front.post("/interrupt", {"prompt_id": prompt_id})
        read_until(websocket, is_left(prompt_id))
    messages = [name for name, _ in front.wait(prompt_id)["status"]["messages"]]
    assert messages[-1] == "execution_interrupted"
    assert [name for name, _ in far.wait(there)["status"]["messages"]][-1] == "execution_interrupted"
    assert of_graph(far, graph) == [there]


def test_a_job_that_the_server_forgot_is_done_again(front, far):
    ready(front)
    graph = blocking_graph(0x500)
    prompt_id = front.submit(graph)
    there = runs(far, graph)
    front.stop(signal.SIGKILL)
    far.post("/interrupt", {"prompt_id": there})
    far.wait(there)
    far.post("/history", {"delete": [there]})
    front.start()
    assert front.wait(prompt_id)["status"]["status_str"] == "success"
    (again,) = of_graph(far, graph)
    assert again != there


def test_a_job_of_a_server_that_stays_away_is_done_by_another_and_stopped_there(front, far, tmp_path):
    ready(front)
    graph = blocking_graph(0x600, nodes=4000)
    prompt_id = front.submit(graph)
    there = runs(far, graph)
    front.stop(signal.SIGKILL)
    other = LiveServer(tmp_path / "other").start()
    far.process.send_signal(signal.SIGSTOP)
    try:
        front.start()
        assert front.post("/api/workers", {"url": other.url, "name": "other"}).status_code == 201
        elsewhere = runs(other, graph)
        far.process.send_signal(signal.SIGCONT)
        assert [name for name, _ in far.wait(there)["status"]["messages"]][-1] == "execution_interrupted"
        assert of_graph(far, graph) == [there]
        assert [entry[1] for entry in front.get("/queue").json()["queue_running"]] == [prompt_id]
        front.post("/interrupt", {"prompt_id": prompt_id})
        front.wait(prompt_id)
        assert of_graph(other, graph) == [elsewhere]
    finally:
        far.process.send_signal(signal.SIGCONT)
        front._http.delete("/api/workers/other")
        other.stop()


def test_a_job_that_is_cancelled_while_its_server_is_waited_for_is_stopped_there(front, far):
    ready(front)
    graph = blocking_graph(0x700, nodes=4000)
    prompt_id = front.submit(graph)
    there = runs(far, graph)
    front.stop(signal.SIGKILL)
    far.process.send_signal(signal.SIGSTOP)
    try:
        front.start()
        assert [entry[1] for entry in front.get("/queue").json()["queue_pending"]] == [prompt_id]
        front.post("/queue", {"delete": [prompt_id]})
        assert front.get("/queue").json()["queue_pending"] == []
    finally:
        far.process.send_signal(signal.SIGCONT)
    assert [name for name, _ in far.wait(there)["status"]["messages"]][-1] == "execution_interrupted"
    ready(front)
    assert front.get("/queue").json()["queue_running"] == []
    assert of_graph(far, graph) == [there]
