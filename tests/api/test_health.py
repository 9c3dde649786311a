"""`/api/health`, `/health/live`, `/health/ready`, `/metrics`, `/api/system/info`."""

import asyncio
import re
from collections import namedtuple

import httpx
import pytest

from inglenook.api import condition
from inglenook.api.app import create_app
from inglenook.workers.worker import WorkerState
from tests.api.idle import NeverReady, idle_server, idle_services
from tests.api.live import picture_graph


class Ready(NeverReady):
    """A worker that could run jobs."""

    state = WorkerState.READY

    def __init__(self):
        self.documents = {}


@pytest.fixture
async def ready(tmp_path):
    async with idle_server(tmp_path, Ready()) as server:
        yield server


@pytest.mark.parametrize("prefix", ["", "/api"])
async def test_a_server_that_can_run_jobs_is_ready(ready, prefix):
    assert (await ready.http.get(f"{prefix}/health/live")).json() == {"status": "ok"}
    answer = await ready.http.get(f"{prefix}/health/ready")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    health = (await ready.http.get(f"{prefix}/health")).json()
    assert (health["status"], health["reasons"]) == ("ok", [])
    assert health["workers"] == [{"name": "never", "state": "ready", "pid": None}]


async def test_a_server_whose_workers_start_is_live_but_not_ready(idle):
    assert (await idle.http.get("/health/live")).status_code == 200
    answer = await idle.http.get("/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"status": "starting"})
    health = await idle.http.get("/api/health")
    assert (health.status_code, health.json()["status"]) == (200, "starting")


async def test_a_server_that_stops_takes_no_work(ready):
    await ready.dispatcher.close(0)
    assert (await ready.http.get("/health/ready")).status_code == 503
    assert (await ready.http.get("/api/health")).json()["status"] == "stopping"
    assert (await ready.http.get("/health/live")).status_code == 200


async def test_a_full_disk_makes_a_server_not_ready(ready, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(condition.shutil, "disk_usage", lambda path: usage(100, 99, 1 << 20))
    assert (await ready.http.get("/health/ready")).status_code == 503
    health = (await ready.http.get("/api/health")).json()
    assert health["status"] == "degraded"
    assert "full" in health["reasons"][0]


async def test_a_worker_that_starts_again_degrades_a_server_that_stays_ready(tmp_path):
    worker = Ready()
    worker.state = WorkerState.STARTING
    async with idle_server(tmp_path, worker) as server:
        assert (await server.http.get("/health/ready")).status_code == 200
        assert (await server.http.get("/api/health")).json()["status"] == "degraded"


async def test_a_disk_that_hangs_holds_up_no_answer(ready, monkeypatch):
    hangs = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_path):
        asyncio.run_coroutine_threadsafe(hangs.wait(), loop).result(60)
        raise OSError

    monkeypatch.setattr(condition, "_LOOK_S", 0.05)
    monkeypatch.setattr(condition.shutil, "disk_usage", hang)
    assert (await ready.http.get("/api/health")).json()["status"] == "ok"
    hangs.set()


@pytest.fixture
async def locked(tmp_path):
    async with idle_services(tmp_path, Ready(), api_key="secret-of-tests") as services:
        transport = httpx.ASGITransport(create_app(services))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            yield http


@pytest.mark.parametrize("path", ["/health", "/api/health"])
@pytest.mark.parametrize("headers", [{}, {"X-API-Key": "wrong-key-here"}, {"Accept": "text/html"}])
async def test_without_a_key_health_is_one_word(locked, path, headers):
    answer = await locked.get(path, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    told = (await locked.get(path, headers={"X-API-Key": "secret-of-tests"})).json()
    assert told["workers"]


async def test_metrics_need_a_key(locked):
    assert (await locked.get("/metrics")).status_code == 401
    assert (await locked.get("/metrics", headers={"X-API-Key": "secret-of-tests"})).status_code == 200


def series(text):
    """Name with labels -> value; fails on a line that is no metric."""
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            match = re.fullmatch(r'([a-z_]+(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)', line)
            assert match, line
            assert match[1] not in found, line
            found[match[1]] = float(match[2])
    return found


def test_metrics_tell_of_jobs_nodes_requests_and_workers(live):
    live.run(picture_graph(31))
    live.get("/api/history/none")
    answer = live.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = series(answer.text)
    assert found['inglenook_jobs_total{state="succeeded"}'] >= 1
    assert found['inglenook_node_duration_seconds_count{class_type="EmptyImage"}'] >= 1
    count = found['inglenook_job_duration_seconds_count{state="succeeded"}']
    assert found['inglenook_job_duration_seconds_bucket{state="succeeded",le="+Inf"}'] == count
    assert found['inglenook_worker_up{worker="local"}'] == 1
    assert found["inglenook_queue_pending"] >= 0
    assert found['inglenook_http_requests_total{method="GET",route="/history/{prompt_id}",status="200"}'] >= 1
    assert found['inglenook_process_memory_bytes{process="local"}'] > 1e6


async def test_routes_of_requests_are_bounded(ready):
    for path in ("/api/users", "/nothing/1", "/nothing/2", "/api/workflow_templates/x"):
        await ready.http.get(path)
    await ready.http.request("BREW", "/api/health")
    found = series((await ready.http.get("/metrics")).text)
    routes = {match[1] for name in found if (match := re.search(r'route="([^"]*)"', name))}
    assert "/users" in routes
    assert not any("nothing" in route for route in routes)
    assert any('method="OTHER"' in name for name in found)


def test_the_system_tells_what_it_is_and_has(live):
    live.run(picture_graph(32))
    info = live.get("/api/system/info").json()
    (worker,) = info["workers"]
    assert (worker["name"], worker["state"]) == ("local", "ready")
    assert worker["memory_bytes"] > 1e6
    assert info["jobs"]["succeeded"] >= 1
    assert info["node_classes"] > 50
    assert info["queue"]["limit"] == 10_000
    assert set(info["disk"]) == {"data", "output"}
    assert info["torch"]


async def test_requests_are_logged_where_a_setting_asks_for_it(tmp_path, caplog):
    caplog.set_level("INFO", logger="inglenook.access")
    async with idle_server(tmp_path, Ready(), access_log=True) as server:
        await server.http.get("/api/users%0Aforged?token=hush")
    (line,) = [record.getMessage() for record in caplog.records if record.name == "inglenook.access"]
    assert re.fullmatch(r"127\.0\.0\.1 GET /api/users%0Aforged 404 [\d.]+ ms", line)
    async with idle_server(tmp_path, Ready()) as server:
        await server.http.get("/api/users")
    assert len([record for record in caplog.records if record.name == "inglenook.access"]) == 1
