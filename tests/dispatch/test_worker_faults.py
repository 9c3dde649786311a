"""Faults of the device process and of starting it: they cost at most the job that meets them."""

import asyncio
import logging
import os
import signal
import time

import pytest

from inglenook.jobs import State
from tests.api.live import is_alive
from tests.dispatch.conftest import running_server

OK = ("Say", {"text": "hello"})


async def until_logged(caplog, text):
    async with asyncio.timeout(60):
        while text not in caplog.text:  # noqa: ASYNC110 - the log has no event
            await asyncio.sleep(0.01)


async def succeeds_in_the_same_process(server, pid):
    await server.submit("next", OK)
    await server.recorder.until("next")
    assert (await server.store.get("next")).state is State.succeeded
    assert server.worker.pid == pid


@pytest.mark.parametrize("kind", ["surrogate", "integer", "object"])
async def test_a_result_that_cannot_be_sent_fails_its_job_only(server, kind):
    await server.submit("warm", OK)
    await server.recorder.until("warm")
    pid = server.worker.pid
    await server.submit("odd", ("Odd", {"kind": kind}))
    failed = await server.recorder.until("odd", "Failed")
    assert "cannot be sent" in failed.message
    await succeeds_in_the_same_process(server, pid)


async def test_an_exception_whose_text_is_no_unicode_is_told(server):
    await server.submit("odd", ("Odd", {"kind": "surrogate", "fails": True}))
    failed = await server.recorder.until("odd", "Failed")
    assert failed.exception_type == "ValueError"
    assert failed.message == "\ufffd\n"


async def test_events_go_out_after_one_that_cannot_be_sent(server):
    await server.submit("odd", ("Odd", {"kind": "object", "late": True}), ("Sleep", {"seconds": 0.2}))
    await server.recorder.until("odd")
    names = server.recorder.names("odd")
    assert names == ["Started", "Cached", *["NodeStarted", "NodeDone"] * 2, "Succeeded", "Left"]
    progress = [name for _, name, _ in server.recorder.seen].index("Progress")
    assert progress < [name for _, name, _ in server.recorder.seen].index("Succeeded")


@pytest.mark.parametrize("kind", ["RuntimeError", "SystemExit"])
async def test_an_exception_that_escapes_the_runtime_fails_its_job_only(server, kind):
    await server.submit("warm", OK)
    await server.recorder.until("warm")
    pid = server.worker.pid
    await server.submit("escape", ("Escape", {"kind": kind}))
    failed = await server.recorder.until("escape", "Failed")
    assert (failed.exception_type, failed.message) == (kind, "escaped\n")
    await succeeds_in_the_same_process(server, pid)


async def test_a_process_that_cannot_be_started_at_once_is_started_later(server, caplog):
    caplog.set_level(logging.WARNING)
    await server.submit("warm", OK)
    await server.recorder.until("warm")
    command, server.worker._command = server.worker._command, ("/nonexistent/python",)
    os.kill(server.worker.pid, signal.SIGKILL)
    await until_logged(caplog, "could not be started")
    server.worker._command = command
    await server.submit("next", OK)
    await server.recorder.until("next", "Succeeded")


async def test_a_listener_that_fails_keeps_no_new_process_from_starting(server, monkeypatch, caplog):
    await server.submit("warm", OK)
    await server.recorder.until("warm")

    def fail(*arguments):
        raise RuntimeError("the listener failed")

    monkeypatch.setattr(server.dispatcher, "worker_died", fail)
    os.kill(server.worker.pid, signal.SIGKILL)
    await until_logged(caplog, "the listener failed")
    monkeypatch.undo()
    await server.submit("next", OK)
    await server.recorder.until("next", "Succeeded")


async def test_an_end_that_crosses_a_kill_does_not_cost_the_next_job(server):
    await server.submit("a", ("Sleep", {"seconds": 60}))
    await server.submit("b", OK)
    await server.recorder.until("a", "Progress")
    server.dispatcher.interrupt("a")
    time.sleep(0.5)  # noqa: ASYNC251 - the end of `a` arrives, and nobody has read it yet
    server.dispatcher.interrupt("a")
    await server.recorder.until("b")
    jobs = [await server.store.get(job_id) for job_id in "ab"]
    assert [job.state for job in jobs] == [State.cancelled, State.succeeded]
    assert [job.worker_deaths for job in jobs] == [0, 0]


async def until_dead(pid):
    async with asyncio.timeout(60):
        while is_alive(pid):  # noqa: ASYNC110 - it is nobody's child any more
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("how", ["exec", "fork", "daemon"])
async def test_a_process_that_has_children_is_replaced_when_it_dies_and_they_end(server, tmp_path, how):
    pid_file = tmp_path / "pid"
    await server.submit("die", ("Start", {"how": how, "pid_file": str(pid_file)}), ("Exit", {"code": 3}))
    failed = await server.recorder.until("die", "Failed")
    assert "code 3" in failed.message
    await server.submit("next", OK)
    await server.recorder.until("next", "Succeeded")
    pid = int(pid_file.read_text())
    if how == "daemon":  # it has left the group on purpose
        os.kill(pid, signal.SIGKILL)
    await until_dead(pid)


@pytest.mark.parametrize("how", ["exec", "fork"])
async def test_a_server_whose_process_has_children_stops_and_they_end(tmp_path, how):
    pid_file = tmp_path / "pid"
    async with running_server(tmp_path) as server:
        await server.submit("start", ("Start", {"how": how, "pid_file": str(pid_file)}))
        await server.recorder.until("start", "Succeeded")
        pid = int(pid_file.read_text())
        assert is_alive(pid)
        async with asyncio.timeout(60):
            await server.dispatcher.close(1)
    await until_dead(pid)


async def test_a_process_that_is_to_end_does_not_wait_for_threads_of_nodes(server):
    await server.submit("leave", ("Leave", {}))
    failed = await server.recorder.until("leave", "Failed")
    assert "code 1" in failed.message
