"""A whole server on PostgreSQL: skipped without INGLENOOK_TEST_POSTGRESQL (`tests/databases.py`)."""

from __future__ import annotations

import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from tests.api.live import LiveServer
from tests.databases import POSTGRESQL, administration, new_database

pytestmark = pytest.mark.skipif(POSTGRESQL is None, reason="INGLENOOK_TEST_POSTGRESQL names no server")


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    with new_database("postgresql", tmp_path_factory.mktemp("unused")) as url:
        yield url


@pytest.fixture(scope="module")
def settings(url):
    driver = pytest.importorskip("psycopg")
    return {"database_url": url, "modules": Path(driver.__file__).parents[1]}


@pytest.fixture(scope="module")
def server(tmp_path_factory, settings):
    live = LiveServer(tmp_path_factory.mktemp("server"), **settings).start()
    yield live
    live.stop()


def graph(color, prefix="picture"):
    return {
        "1": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 16, "batch_size": 1, "color": color}},
        "2": {"class_type": "SaveImage", "inputs": {"images": ["1", 0], "filename_prefix": prefix}},
    }


def batch_of(server, count, first):
    sets = [{"1.color": first + number} for number in range(count)]
    reply = server.post("/api/batch", {"workflow": graph(0), "sets": sets})
    assert reply.status_code == 202, reply.text
    return reply.json()["batch_id"]


def counts(server, batch_id):
    return server.get(f"/api/batch/{batch_id}").json()["counts"]


def test_a_job_ends_and_is_found_with_its_file(server):
    entry = server.run(graph(1, "größe"))
    assert entry["status"]["status_str"] == "success"
    (image,) = entry["outputs"]["2"]["images"]
    assert image["filename"].startswith("größe")
    (output, *_) = server.get("/api/outputs?search=größe").json()["outputs"]
    assert output["filename"] == image["filename"]


def test_one_key_at_the_same_time_makes_one_task(server):
    def submit(_index):
        headers = {"Idempotency-Key": "once"}
        reply = server.post("/api/workflow/submit", {"workflow": graph(2)}, headers=headers)
        return reply.status_code, reply.json()["task_id"]

    with ThreadPoolExecutor(20) as threads:
        replies = list(threads.map(submit, range(100)))
    assert Counter(status for status, _ in replies) == {202: 1, 200: 99}
    assert len({task_id for _, task_id in replies}) == 1


def test_nothing_of_a_batch_is_lost_when_the_server_is_killed(server):
    batch_id = batch_of(server, 60, 1000)
    server.until(lambda: counts(server, batch_id)["success"] > 5)
    server.stop(signal.SIGKILL)
    server.start()
    server.until(lambda: counts(server, batch_id)["success"] == 60, 120)


def test_a_second_server_ends_with_the_reason(server, settings, tmp_path):
    second = LiveServer(tmp_path, **settings)
    with pytest.raises(AssertionError):
        second.start()
    assert "another inglenook server uses it" in second.log


def test_jobs_go_on_when_the_database_was_away(server, url):
    """Both ways of being away: connections that are cut, and a server that takes none for a while."""
    name = make_url(url).database
    batch_id = batch_of(server, 40, 2000)
    with administration() as connection:
        cut = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
        connection.execute(cut, {"name": name})
        server.run(graph(3))
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        connection.execute(cut, {"name": name})
        server.until(lambda: server.get("/api/tasks").status_code == 503)
        assert server.get("/queue").status_code == 200
        connection.exec_driver_sql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    server.until(lambda: server.get("/api/tasks").status_code == 200)
    server.until(lambda: counts(server, batch_id)["success"] == 40, 120)
    assert server.run(graph(4))["status"]["status_str"] == "success"
