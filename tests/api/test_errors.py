"""What goes wrong in the job store is answered as what it is, without telling where the database lies."""

import sqlite3

import pytest

from inglenook.api.errors import as_response
from inglenook.jobs import JobRejected, JobStoreError, JobStoreFull, database
from tests.api.idle import idle_server
from tests.api.live import picture_graph


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JobStoreError("the job database /secret/jobs.sqlite answered: database is locked"), 503),
        (JobStoreFull("/secret/jobs.sqlite"), 507),
        (JobRejected("x", "a lone surrogate"), 400),
    ],
)
def test_errors_of_the_store_have_their_status_and_tell_no_path(error, status, caplog):
    response = as_response(error)
    assert response.status_code == status
    assert b"/secret" not in response.body
    assert ("retry-after" in response.headers) == (status == 503)
    if status > 400:
        assert "/secret" in caplog.text


@pytest.mark.parametrize(("method", "path"), [("POST", "/prompt"), ("GET", "/history"), ("GET", "/history/x")])
async def test_a_store_that_is_closed_is_503(idle, method, path):
    await idle.store.close()
    reply = await idle.http.request(method, path, json={"prompt": picture_graph(1)} if method == "POST" else None)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "5")
    assert reply.json()["error"]["type"] == "store_unavailable"


async def test_a_database_that_another_program_holds_is_503_and_works_again_after_it(tmp_path, monkeypatch):
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    async with idle_server(tmp_path) as idle:
        other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        reply = await idle.http.post("/prompt", json={"prompt": picture_graph(1)})
        assert reply.status_code == 503
        assert str(tmp_path) not in reply.text
        other.execute("ROLLBACK")
        other.close()
        assert (await idle.http.post("/prompt", json={"prompt": picture_graph(1)})).status_code == 200
