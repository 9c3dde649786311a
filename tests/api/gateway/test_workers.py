"""`/api/workers`: a pool that is changed while it runs, and kept over restarts."""

import asyncio
import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from inglenook.api.app import create_app
from inglenook.dispatch.servers import Servers
from inglenook.nodes.interfaces import builtin_interfaces
from inglenook.server_address import ServerAddress
from tests.api.idle import idle_services
from tests.dispatch.fake_worker import FakeWorker, document

KNOWN = {"EmptyImage": document()}


class Pool:
    def __init__(self, services, http, made):
        self.services, self.http, self.made = services, http, made

    async def add(self, **body):
        return await self.http.post("/api/workers", json=body)


@asynccontextmanager
async def pool(folder, *addresses, documents=None):
    made = {}

    def make(name, address, slots):
        made[name] = (FakeWorker(name, documents, capacity=slots, url=address.url), address)
        return made[name][0]

    async with AsyncExitStack() as stack:
        services = await stack.enter_async_context(idle_services(folder))
        servers = Servers(services.store, services.dispatcher, services.catalogs, make, slots=2)
        stack.push_async_callback(servers.close)
        await servers.open([ServerAddress(url) for url in addresses])
        services = replace(services, servers=servers)
        transport = httpx.ASGITransport(create_app(services))
        http = await stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1"))
        yield Pool(services, http, made)


async def test_a_server_is_added_listed_drained_and_removed(tmp_path):
    async with pool(tmp_path, documents=KNOWN) as front:
        added = await front.add(url="gpu1:8189", api_key="very secret", slots=5)
        assert added.status_code == 201, added.text
        entry = added.json()
        assert (entry["name"], entry["url"], entry["slots"]) == ("gpu1-8189", "http://gpu1:8189", 5)
        assert (entry["source"], entry["state"], entry["node_classes"]) == ("api", "ready", 2)
        assert front.made["gpu1-8189"][1].api_key == "very secret"
        listed = await front.http.get("/api/workers")
        assert [one["name"] for one in listed.json()["workers"]] == ["gpu1-8189"]
        assert "very secret" not in listed.text + added.text
        drained = await front.http.post("/api/workers/gpu1-8189/drain")
        assert drained.json()["is_draining"] is True
        assert (await front.http.post("/api/workers/gpu1-8189/resume")).json()["is_draining"] is False
        assert (await front.http.delete("/api/workers/gpu1-8189")).status_code == 204
        assert front.made["gpu1-8189"][0].is_closed
        assert (await front.http.get("/api/workers/gpu1-8189")).status_code == 404
        assert (await front.http.get("/api/workers")).json() == {"workers": []}


async def test_what_was_added_is_there_after_a_restart_and_what_was_removed_is_not(tmp_path):
    async with pool(tmp_path) as front:
        await front.add(url="https://gpu.example.org/comfy", name="far", api_key="k", slots=7)
        await front.add(url="gone:1", name="gone")
        await front.http.post("/api/workers/far/drain")
        assert (await front.http.delete("/api/workers/gone")).status_code == 204
    async with pool(tmp_path, "http://settings:1") as front:
        first, second = (await front.http.get("/api/workers")).json()["workers"]
        assert (first["name"], first["source"]) == ("settings-1", "settings")
        assert (second["name"], second["source"], second["slots"]) == ("far", "api", 7)
        assert second["is_draining"] is True
        assert front.made["far"][1] == ServerAddress("https://gpu.example.org/comfy", "k")


async def test_a_server_with_jobs_leaves_when_they_have_ended(tmp_path):
    async with pool(tmp_path, documents=KNOWN) as front:
        await front.add(url="gpu:1", name="one")
        worker = front.made["one"][0]
        reply = await front.http.post("/api/prompt", json={"prompt": GRAPH, "prompt_id": "p"})
        assert reply.status_code == 200, reply.text
        assert worker.taken == ["p"]
        leaving = await front.http.delete("/api/workers/one")
        assert leaving.status_code == 202
        assert (leaving.json()["is_leaving"], leaving.json()["running"]) == (True, 1)
        assert (await front.http.post("/api/workers/one/resume")).json()["is_leaving"] is False
        assert (await front.http.delete("/api/workers/one?force=true")).status_code == 204
        assert worker.is_closed
        assert front.services.dispatcher.find("p") is not None


async def test_a_job_in_the_queue_of_a_server_is_shown_as_pending(tmp_path):
    async with pool(tmp_path, documents=KNOWN) as front:
        await front.add(url="gpu:1", name="one", slots=3)
        worker = front.made["one"][0]
        worker.has_queue = True
        for job_id in ("p1", "p2", "p3"):
            reply = await front.http.post("/prompt", json={"prompt": GRAPH, "prompt_id": job_id})
            assert reply.status_code == 200, reply.text
        worker.begin("p1")

        async def get(path):
            return (await front.http.get(path)).json()

        queue = await get("/queue")
        assert [entry[1] for entry in queue["queue_running"]] == ["p1"]
        assert [entry[1] for entry in queue["queue_pending"]] == ["p2", "p3"]
        assert [(await get(f"/api/prompt/{job_id}"))["status"] for job_id in ("p1", "p2")] == ["running", "pending"]
        assert (await get("/api/prompt/p2"))["execution_start_time"] is None
        async with asyncio.timeout(10):
            while not front.services.dispatcher.find("p3").is_claimed:  # noqa: ASYNC110 - the list is the store's
                await asyncio.sleep(0.01)
        listed = {job["id"]: job["status"] for job in (await get("/api/jobs"))["jobs"]}
        assert listed == {"p1": "in_progress", "p2": "pending", "p3": "pending"}
        info = await get("/api/system/info")
        assert (info["queue"]["running"], info["queue"]["pending"]) == (1, 2)
        assert [one["task_id"] for one in info["workers"] if one["name"] == "one"] == ["p1"]
        assert (await get("/api/task/p3"))["position"] == 2
        await front.http.post("/interrupt", json={})
        assert worker.interrupted == ["p1"]
        await front.http.post("/queue", json={"delete": ["p3"]})
        assert worker.interrupted == ["p1", "p3"]
        assert [entry[1] for entry in (await get("/queue"))["queue_pending"]] == ["p2"]


async def test_a_server_that_was_to_leave_and_stays_is_there_after_a_restart(tmp_path):
    async with pool(tmp_path, documents=KNOWN) as front:
        await front.add(url="gpu:1", name="one", api_key="k", slots=3)
        assert (await front.http.post("/api/prompt", json={"prompt": GRAPH, "prompt_id": "p"})).status_code == 200
        assert (await front.http.delete("/api/workers/one")).status_code == 202
        assert (await front.http.post("/api/workers/one/resume")).status_code == 200
    async with pool(tmp_path, documents=KNOWN) as front:
        (entry,) = (await front.http.get("/api/workers")).json()["workers"]
        assert (entry["name"], entry["slots"], entry["is_draining"]) == ("one", 3, False)
        assert front.made["one"][1] == ServerAddress("http://gpu:1", "k")


async def test_a_drained_server_of_the_settings_is_drained_after_a_restart(tmp_path):
    drained = []
    for action in ("drain", "resume", None):
        async with pool(tmp_path, "http://settings:1", "http://other:1") as front:
            first, second = (await front.http.get("/api/workers")).json()["workers"]
            assert second["is_draining"] is False
            drained.append(first["is_draining"])
            if action is not None:
                await front.http.post(f"/api/workers/settings-1/{action}")
    assert drained == [False, True, False]


async def test_the_same_server_or_name_is_not_added_twice(tmp_path):
    async with pool(tmp_path, "http://settings:1") as front:
        assert (await front.add(url="settings:1")).status_code == 409
        assert (await front.add(url="other:1", name="settings-1")).status_code == 409
        assert (await front.add(url="http://settings:1/")).status_code == 409
        assert (await front.add(url="http://settings:1/path")).status_code == 201


@pytest.mark.parametrize(
    "body",
    [
        {}, {"url": None}, {"url": 5}, {"url": ""}, {"url": "ftp://h"}, {"url": "h:x"}, {"url": "h\x00"},
        {"url": "h", "name": ""}, {"url": "h", "name": "../x"}, {"url": "h", "name": "a" * 200},
        {"url": "h", "name": "-x"}, {"url": "h", "slots": 0}, {"url": "h", "slots": 10**30}, {"url": "h", "slots": "1"},
        {"url": "h", "slots": 1.5}, {"url": "h", "api_key": ""}, {"url": "h", "api_key": "a\nb"},
        {"url": "h", "api_key": "x" * 9999}, {"url": ["h"]}, {"url": "h?x=secret"},
        {"url": "h", "token": "t"},
    ],
)  # fmt: skip
async def test_a_server_that_cannot_be_one_is_refused(tmp_path, body):
    async with pool(tmp_path) as front:
        reply = await front.add(**body)
        assert reply.status_code == 422, reply.text
        assert set(reply.json()["error"]) == {"type", "message", "details"}
        assert (await front.http.get("/api/workers")).json() == {"workers": []}


@pytest.mark.parametrize("body", [b"", b"[]", b"nonsense", b'"text"', b"[" * 5000])
async def test_a_body_that_is_no_object_is_refused(tmp_path, body):
    async with pool(tmp_path) as front:
        reply = await front.http.post("/api/workers", content=body)
        assert reply.status_code in (400, 422), reply.text
        assert set(reply.json()["error"]) == {"type", "message", "details"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/workers/none", 404),
        ("GET", "/api/workers/%00", 422),
        ("GET", "/api/workers/none/logs", 404),
        ("POST", "/api/workers/none/drain", 404),
        ("POST", "/api/workers/none/resume", 404),
        ("DELETE", "/api/workers/none", 404),
        ("DELETE", "/api/workers/none?force=maybe", 422),
        ("GET", "/workers", 404),
    ],
)
async def test_what_is_not_there_is_an_error_in_json(tmp_path, method, path, status):
    async with pool(tmp_path) as front:
        reply = await front.http.request(method, path)
        assert reply.status_code == status, reply.text
        assert set(reply.json()["error"]) == {"type", "message", "details"}


async def test_what_is_logged_of_a_worker_is_shown_without_keys(tmp_path):
    async with pool(tmp_path) as front:
        await front.add(url="gpu:1", name="one")
        with front.services.worker_logs.attached():
            logging.getLogger("inglenook.device.one").warning("token=%s", "sk-0123456789abcdef0123456789abcdef")
            logging.getLogger("elsewhere").warning("about two", extra={"worker": "two"})
        (entry,) = (await front.http.get("/api/workers/one/logs")).json()["entries"]
        assert entry["level"] == "warning"
        assert "0123456789abcdef" not in entry["message"]


GRAPH = {
    "1": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 64, "batch_size": 1, "color": 0}},
    "2": {"class_type": "PreviewImage", "inputs": {"images": ["1", 0]}},
}
KNOWN["PreviewImage"] = document()


async def test_a_class_that_no_server_has_is_refused_with_what_each_lacks(tmp_path):
    async with pool(tmp_path, documents={"EmptyImage": document()}) as front:
        await front.services.dispatcher.remove_worker("never")
        front.services.catalogs.update(builtin_interfaces())
        await front.add(url="one:1", name="one")
        await front.add(url="two:1", name="two")
        front.made["two"][0].documents = {"PreviewImage": document()}
        refused = await front.http.post("/api/prompt", json={"prompt": GRAPH})
        assert refused.status_code == 400
        error = refused.json()["error"]
        assert error["type"] == "missing_node_type"
        assert error["extra_info"]["workers"] == {
            "one": {"classes": ["PreviewImage"], "choices": []},
            "two": {"classes": ["EmptyImage"], "choices": []},
        }
        for name in ("one", "two"):
            front.services.catalogs.update(front.made[name][0].documents, worker=name)
        unknown = {"1": {"class_type": "NobodyHasIt", "inputs": {}}}
        error = (await front.http.post("/api/prompt", json={"prompt": unknown})).json()["error"]
        assert error["type"] == "missing_node_type"
        assert {one: found["classes"] for one, found in error["extra_info"]["workers"].items()} == {
            "one": ["NobodyHasIt"],
            "two": ["NobodyHasIt"],
        }


async def test_figures_of_each_worker_are_in_the_metrics(tmp_path):
    async with pool(tmp_path, documents=KNOWN) as front:
        await front.add(url="gpu:1", name="one", slots=3)
        text = (await front.http.get("/metrics")).text
        assert 'inglenook_worker_slots{worker="one"} 3' in text
        assert 'inglenook_worker_up{worker="one"} 1' in text
        assert 'inglenook_worker_up{worker="never"} 0' in text
        info = (await front.http.get("/api/system/info")).json()
        assert {one["name"]: one["url"] for one in info["workers"]} == {"never": None, "one": "http://gpu:1"}
