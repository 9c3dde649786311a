"""A front without PyTorch before real servers: it is driven as if it were one of them."""

import signal

import pytest

from tests.api.live import LiveServer, is_left, new_id, picture_graph, read_until, working_graph

WITHOUT_TORCH = """
import importlib.machinery, sys
_MISSING = {"torch", "diffusers", "transformers", "torchsde"}
class Finder(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in _MISSING else super().find_spec(name, path, target)
sys.meta_path = [Finder if one is importlib.machinery.PathFinder else one for one in sys.meta_path]
"""


@pytest.fixture(scope="module")
def blocked(tmp_path_factory):
    """A folder that makes a Python one where PyTorch is not installed."""
    folder = tmp_path_factory.mktemp("blocked")
    (folder / "sitecustomize.py").write_text(WITHOUT_TORCH)
    return folder


@pytest.fixture(scope="module")
def far(shared_server):
    return shared_server


@pytest.fixture(scope="module")
def front(tmp_path_factory, blocked, far):
    folder = tmp_path_factory.mktemp("front")
    server = LiveServer(folder, modules=blocked, comfyui_servers=[f"127.0.0.1:{far.port}"], local=False).start()
    server.until(lambda: state(server, f"127.0.0.1-{far.port}") == "ready")
    yield server
    server.stop()


def state(front, name):
    return front.get(f"/api/workers/{name}").json().get("state")


def test_a_picture_is_made_elsewhere_and_kept_here(front, far):
    client = new_id()
    with front.socket(client) as websocket:
        prompt_id = front.submit(picture_graph(0xFF0000, sink="SaveImage", filename_prefix="p"), client_id=client)
        seen = [one["type"] for one in read_until(websocket, is_left(prompt_id)) if isinstance(one, dict)]
    assert {"execution_start", "executing", "executed", "execution_success"} <= set(seen)
    entry = front.wait(prompt_id)
    (image,) = entry["outputs"]["2"]["images"]
    assert (front.base / "output" / image["filename"]).is_file()
    assert front.get("/view", params=image).content.startswith(b"\x89PNG")
    assert "pytorch" not in front.log.lower()


def test_the_catalog_and_the_devices_are_those_of_the_servers_behind(front, far):
    assert front.get("/object_info").json().keys() == far.get("/object_info").json().keys()
    assert (
        front.get("/system_stats").json()["devices"][0]["name"] == far.get("/system_stats").json()["devices"][0]["name"]
    )


def test_an_unknown_class_is_refused_in_front(front):
    reply = front.post("/prompt", {"prompt": {"1": {"class_type": "NobodyHasIt", "inputs": {}}}})
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "missing_node_type"


def test_a_server_is_added_while_jobs_run_and_takes_over_from_one_that_is_killed(front, far, tmp_path):
    new = LiveServer(tmp_path / "new").start()
    try:
        assert front.post("/api/workers", {"url": new.url, "name": "new"}).status_code == 201
        front.until(lambda: state(front, "new") == "ready")
        new.post("/api/queue/pause")  # so that it has some of the jobs when it dies, however fast they are
        ids = [front.submit(working_graph(number, nodes=60)) for number in range(8)]
        front.until(lambda: front.get("/api/workers/new").json()["running"] > 0)
        new.stop(signal.SIGKILL)
        for prompt_id in ids:
            assert front.wait(prompt_id)["status"]["status_str"] == "success"
        assert len(front.get("/history").json().keys() & set(ids)) == len(ids)
        assert "cannot be used" in " ".join(front.get("/api/health").json()["reasons"])
        assert front._http.delete("/api/workers/new").status_code == 204
        assert front.get("/api/health").json()["status"] == "ok"
    finally:
        if new.process is not None:
            new.stop()


def test_without_any_server_jobs_are_not_lost(tmp_path, blocked):
    server = LiveServer(tmp_path, modules=blocked, local=False).start()
    assert server.get("/api/workers").json() == {"workers": []}
    assert server.get("/api/health").json()["status"] == "degraded"
    assert server.get("/object_info").json() == {}
    assert server.stop() == 0
