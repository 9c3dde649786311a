"""The dispatcher when the store does not take what it is given: nothing is lost, doubled, or left hanging."""

import asyncio

import pytest

from inglenook.jobs import JobStoreError, JobStoreFull, State
from tests.dispatch.conftest import running_server

OK = ("Say", {"text": "hello"})


@pytest.fixture
async def server(tmp_path, monkeypatch):
    monkeypatch.setattr("inglenook.dispatch.recording._STORE_PAUSE_S", 0.05)
    async with running_server(tmp_path) as running:
        yield running


def failing(store, monkeypatch, name, times, error):
    """Let the next `times` calls of a writing method of the store end with an error; returns the failed calls."""
    real, failed = getattr(store, name), []

    def method(*arguments, **options):
        if len(failed) < times:
            failed.append(arguments)
            future = asyncio.get_running_loop().create_future()
            future.set_exception(error)
            return future
        return real(*arguments, **options)

    monkeypatch.setattr(store, name, method)
    return failed


@pytest.mark.parametrize("error", [JobStoreFull("db"), JobStoreError("database is locked")])
async def test_a_claim_that_fails_is_made_up_for_at_the_end(server, monkeypatch, error):
    failed = failing(server.store, monkeypatch, "claim", 2, error)
    await server.submit("a", OK)
    await server.recorder.until("a")
    assert len(failed) == 2
    job = await server.store.get("a")
    assert (job.state, job.attempt) == (State.succeeded, 1)
    assert server.recorder.names("a").count("Succeeded") == 1


async def test_an_end_is_told_only_when_it_is_recorded_and_the_queue_waits_meanwhile(server, monkeypatch):
    failing(server.store, monkeypatch, "finish", 3, JobStoreFull("db"))
    await server.submit("a", OK)
    await server.submit("b", OK)
    await server.recorder.until("b")
    assert [(await server.store.get(job_id)).state for job_id in "ab"] == [State.succeeded] * 2
    ends = [of for of, name, _ in server.recorder.seen if name == "Succeeded"]
    assert ends == ["a", "b"]


async def test_a_job_whose_process_died_waits_for_the_store_and_runs_again(server, monkeypatch, tmp_path):
    failing(server.store, monkeypatch, "requeue", 2, JobStoreFull("db"))
    await server.submit("a", ("KillOnce", {"marker": str(tmp_path / "marker")}))
    await server.recorder.until("a", "Succeeded")
    assert (await server.store.get("a")).worker_deaths == 1


async def test_a_cancel_between_a_death_and_the_next_attempt_is_obeyed(server, monkeypatch, tmp_path):
    failed = failing(server.store, monkeypatch, "requeue", 1, JobStoreFull("db"))
    await server.submit("a", ("KillOnce", {"marker": str(tmp_path / "marker")}))
    async with asyncio.timeout(60):
        while not failed:  # noqa: ASYNC110 - the moment is inside the dispatcher
            await asyncio.sleep(0.01)
    assert server.dispatcher.interrupt("a")
    await server.recorder.until("a", "Interrupted")
    assert (await server.store.get("a")).state is State.cancelled


async def test_a_result_that_is_no_json_fails_its_job_and_the_next_one_runs(server):
    await server.submit("a", ("Bytes", {}))
    await server.submit("b", OK)
    failed = await server.recorder.until("a", "Failed")
    assert "cannot be stored" in failed.message
    assert (await server.store.get("a")).state is State.failed
    await server.recorder.until("b", "Succeeded")


async def test_a_cancel_that_the_store_refuses_leaves_the_job_in_the_queue(server, monkeypatch):
    await server.submit("running", ("Sleep", {"seconds": 3600}))
    await server.recorder.until("running", "Started")
    await server.submit("a", OK)
    failing(server.store, monkeypatch, "cancel_queued", 1, JobStoreFull("db"))
    with pytest.raises(JobStoreFull):
        await server.dispatcher.cancel_waiting(["a"])
    server.dispatcher.interrupt("running")
    await server.recorder.until("a", "Succeeded")


async def test_an_id_whose_job_was_taken_out_of_the_queue_can_be_used_again(server):
    await server.submit("running", ("Sleep", {"seconds": 3600}))
    await server.recorder.until("running", "Started")
    await server.submit("a", OK)
    assert await server.dispatcher.cancel_waiting(["a"]) == ["a"]
    await server.submit("a", ("Say", {"text": "again"}))
    server.dispatcher.interrupt("running")
    await server.recorder.until("a", "Succeeded")
    entry = await server.store.history_entry("a")
    assert b"again" in entry.job.graph
    assert entry.job.attempt == 1


async def test_a_message_of_a_pack_does_not_overtake_an_end_that_is_not_recorded_yet(server, monkeypatch):
    failed = failing(server.store, monkeypatch, "finish", 3, JobStoreFull("db"))
    await server.submit("a", OK)
    async with asyncio.timeout(60):
        while not failed:  # noqa: ASYNC110 - it is told nowhere
            await asyncio.sleep(0.01)
    server.dispatcher.worker_notice(server.worker, "afterwards", 1, None)
    await server.recorder.until(None, "afterwards")
    assert [name for _, name, _ in server.recorder.seen][-3:] == ["Succeeded", "Left", "afterwards"]
    server.dispatcher.worker_notice(server.worker, "at once", 2, None)
    assert server.recorder.seen[-1] == (None, "at once", 2)
