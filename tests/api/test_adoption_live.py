"""A front that ends while its jobs run on other servers goes on with them when it is started again."""

import asyncio
import signal

import pytest
from aiohttp import web

from tests.api.live import LiveServer, is_left, new_id, read_until
from tests.client.peer import Job, image
from tests.workers.remote.peer import GRAPH, RemotePeer

NAME = "far"
PACK = '''
import os, time
from comfy.model_management import throw_exception_if_processing_interrupted

class AcmeWait:
    """Hands a picture on once a file is there."""
    CATEGORY, FUNCTION, RETURN_TYPES = "acme", "wait", ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"image": ("IMAGE",), "file": ("STRING", {"default": ""})}}

    def wait(self, image, file):
        while not os.path.exists(file):
            throw_exception_if_processing_interrupted()
            time.sleep(0.01)
        return (image,)

NODE_CLASS_MAPPINGS = {"AcmeWait": AcmeWait}
'''


def far_server(base):
    folder = base / "custom_nodes" / "acme"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(PACK)
    server = LiveServer(base).start()
    server.until(lambda: "AcmeWait" in server.get("/object_info").json())
    return server


@pytest.fixture(scope="module")
def far(tmp_path_factory):
    server = far_server(tmp_path_factory.mktemp("far"))
    yield server
    server.stop()


@pytest.fixture(scope="module")
def front(far, tmp_path_factory):
    folder = tmp_path_factory.mktemp("front")
    server = LiveServer(folder, local=False, shutdown_grace_s=0, remote_hold_s=1.0).start()
    assert server.post("/api/workers", {"url": far.url, "name": NAME}).status_code == 201
    yield server
    if server.process is not None:
        server.stop()


class Waiting:
    """A job that runs on the far server until `release`."""

    def __init__(self, front, far, folder):
        front.until(lambda: front.get(f"/api/workers/{NAME}").json().get("state") == "ready")
        self.file, self.client = folder / "go", new_id()
        self.graph = {
            "1": {"class_type": "EmptyImage", "inputs": {"width": 8, "height": 8, "batch_size": 1, "color": 7}},
            "2": {"class_type": "AcmeWait", "inputs": {"image": ["1", 0], "file": str(self.file)}},
            "out": {"class_type": "PreviewImage", "inputs": {"images": ["2", 0]}},
        }
        self.id = front.submit(self.graph, client_id=self.client)
        self.there = self.runs_on(far)

    def runs_on(self, server):
        """Its id on a server where it runs."""
        return server.until(lambda: [entry[1] for entry in self._queued(server)])[0]

    def _queued(self, server):
        return [entry for entry in server.get("/queue").json()["queue_running"] if entry[2] == self.graph]

    def prompts(self, server):
        """All ids that a server has had it under."""
        ended = [key for key, entry in server.get("/history").json().items() if entry["prompt"][2] == self.graph]
        return [*(entry[1] for entry in self._queued(server)), *ended]

    def release(self):
        self.file.touch()


@pytest.fixture
def job(front, far, tmp_path):
    made = Waiting(front, far, tmp_path)
    yield made
    made.release()


def last_message(entry):
    return entry["status"]["messages"][-1][0]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_job_is_done_once_however_the_front_ends(front, far, job, how):
    front.stop(how)
    front.start()
    with front.socket(job.client) as websocket:
        front.until(lambda: front.get("/queue").json()["queue_running"])
        job.release()
        seen = [one["type"] for one in read_until(websocket, is_left(job.id)) if isinstance(one, dict)]
    assert {"executed", "execution_success"} <= set(seen)
    entry = front.wait(job.id)
    assert entry["status"]["status_str"] == "success"
    (picture,) = entry["outputs"]["out"]["images"]
    assert (front.base / picture["type"] / picture["filename"]).is_file()
    assert job.prompts(far) == [job.there]


def test_a_job_that_ended_while_the_front_was_away_is_not_done_again(front, far, job):
    front.stop(signal.SIGKILL)
    job.release()
    far.wait(job.there)
    front.start()
    entry = front.wait(job.id)
    assert entry["status"]["status_str"] == "success"
    (picture,) = entry["outputs"]["out"]["images"]
    assert front.get("/view", params=picture).content.startswith(b"\x89PNG")
    assert job.prompts(far) == [job.there]


def test_a_server_that_is_killed_with_the_front_goes_on_by_itself(front, far, job):
    front.stop(signal.SIGKILL)
    far.stop(signal.SIGKILL)
    job.release()
    far.start()
    front.start()
    assert front.wait(job.id)["status"]["status_str"] == "success"
    assert job.prompts(far) == [job.there]


def test_an_adopted_job_can_be_cancelled(front, far, job):
    front.stop(signal.SIGKILL)
    front.start()
    front.until(lambda: [entry[1] for entry in front.get("/queue").json()["queue_running"]] == [job.id])
    front.post("/interrupt", {"prompt_id": job.id})
    assert last_message(front.wait(job.id)) == "execution_interrupted"
    assert last_message(far.wait(job.there)) == "execution_interrupted"
    assert job.prompts(far) == [job.there]


def test_a_job_that_the_server_forgot_is_done_again(front, far, job):
    front.stop(signal.SIGKILL)
    far.post("/interrupt", {"prompt_id": job.there})
    far.wait(job.there)
    far.post("/history", {"delete": [job.there]})
    front.start()
    assert job.runs_on(far) != job.there
    job.release()
    assert front.wait(job.id)["status"]["status_str"] == "success"


def test_a_job_of_a_server_that_stays_away_is_done_by_another_and_stopped_there(front, far, job, tmp_path):
    front.stop(signal.SIGKILL)
    other = far_server(tmp_path / "other")
    far.process.send_signal(signal.SIGSTOP)
    try:
        front.start()
        assert front.post("/api/workers", {"url": other.url, "name": "other"}).status_code == 201
        elsewhere = job.runs_on(other)
        far.process.send_signal(signal.SIGCONT)
        assert last_message(far.wait(job.there)) == "execution_interrupted"
        job.release()
        assert front.wait(job.id)["status"]["status_str"] == "success"
        assert job.prompts(far) == [job.there]
        assert job.prompts(other) == [elsewhere]
    finally:
        far.process.send_signal(signal.SIGCONT)
        front._http.delete("/api/workers/other")
        other.stop()


def test_a_job_that_is_cancelled_while_its_server_is_waited_for_is_stopped_there(front, far, job):
    front.stop(signal.SIGKILL)
    far.process.send_signal(signal.SIGSTOP)
    try:
        front.start()
        assert [entry[1] for entry in front.get("/queue").json()["queue_pending"]] == [job.id]
        front.post("/queue", {"delete": [job.id]})
        assert front.get("/queue").json()["queue_pending"] == []
    finally:
        far.process.send_signal(signal.SIGCONT)
    assert last_message(far.wait(job.there)) == "execution_interrupted"
    assert job.prompts(far) == [job.there]


class OldPeer(RemotePeer):
    """Chooses ids itself, and keeps the answers to submissions to itself until a test says otherwise."""

    def __init__(self):
        super().__init__()
        self.accepted, self.answers = asyncio.Event(), asyncio.Event()
        self.special["POST", "/prompt"] = self._accept
        self.special["GET", "/queue"] = self._show

    async def _accept(self, request):
        body = await request.json()
        self.submissions.append(body)
        self.queue["its-own"] = Job(self, "its-own", body["client_id"], body["prompt"])
        self.accepted.set()
        await self.answers.wait()
        return web.json_response({"prompt_id": "its-own", "number": 1, "node_errors": {}})

    async def _show(self, request):
        entries = [[1, job.prompt_id, job.graph, {"client_id": job.client_id}, []] for job in self.queue.values()]
        return web.json_response({"queue_running": entries, "queue_pending": []})


async def test_a_kill_between_submission_and_answer_loses_nothing_even_where_the_server_chooses_the_id(tmp_path):
    async with OldPeer().serving() as peer:
        front = LiveServer(tmp_path, local=False, comfyui_servers=[peer.url])
        await asyncio.to_thread(front.start)
        try:
            prompt_id = await asyncio.to_thread(front.submit, GRAPH)
            await peer.accepted.wait()
            await asyncio.to_thread(front.stop, signal.SIGKILL)
            peer.forget_sockets()
            peer.answers.set()
            await asyncio.to_thread(front.start)
            (there,) = peer.queue.values()
            await there.tell("executed", node="2", display_node="2", output=image())
            there.finish({"2": image()})
            await there.tell("execution_success")
            await there.tell("executing", node=None)
            entry = await asyncio.to_thread(front.wait, prompt_id)
            assert entry["outputs"] == {"2": image()}
            assert len(peer.submissions) == 1
        finally:
            await asyncio.to_thread(front.stop)
